"""The files with customers' rows: calendar, control and assignments as Parquet, and the export.

The engine sorts customers and codes. They come over once, in batches, and only there do codes become what
they mean: memory does not grow with the customers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import ibis

from models.portable import md5
from optimizer.coded_rows import CODE, CodedRows
from optimizer.engine import Engine
from optimizer.engine_duckdb import DuckDB
from optimizer.exports import CsvFiles, contact_files, control_file, write_manifest
from optimizer.file_pieces import Writer, write_pieces
from optimizer.local_rows import on_this_machine
from optimizer.parquet_file import ParquetFile
from optimizer.plan_file import Plan
from optimizer.schedule import BY_CUSTOMER, BY_DATE, CONTACT, Schedule, identity_after_customer

_ORDERED = "contacts in order"


def write_customer_files(plan: Plan, engine: Engine, schedule: Schedule, folder: Path) -> None:
    """Write calendar.parquet, control.parquet and assignments.parquet; in `exports` what the plan exports."""
    tables = [schedule.contacts, schedule.withheld, schedule.assigned]
    with on_this_machine(engine, tables) as (local, (contacts, withheld, assigned)):
        place = folder / "exports"
        sent = contact_files(place, contacts) if plan.export else None
        control = control_file(place, withheld) if plan.export else None
        _write(local, contacts, folder / "calendar.parquet", sent)
        _write(local, withheld, folder / "control.parquet", control)
        with ParquetFile(folder / "assignments.parquet", BY_CUSTOMER, assigned) as file:
            write_pieces(local, assigned.rows.order_by(BY_CUSTOMER), assigned, [file])
    if sent is not None and control is not None:
        files, period = [*sent.files(), *control.files()], plan.period
        write_manifest(place, files, name=plan.name, start=period.start, days=period.days)


def _write(local: DuckDB, contacts: CodedRows, path: Path, lines: CsvFiles | None) -> None:
    """Contacts as Parquet, and as CSV where they are exported."""
    with ParquetFile(path, CONTACT, contacts) as file:
        write_contacts(local, contacts, [file] if lines is None else [file, lines])


def write_contacts(local: DuckDB, contacts: CodedRows, writers: Sequence[Writer]) -> None:
    """Give the contacts to the writers, by date and customer, with their ids.

    Ids are made of rows that are sorted already: there is less to sort without them. (DuckDB reads a table in
    the order in which it was filled, unless it is told otherwise.) What they say of a contact besides its
    customer is the same for many, and put into words once.
    """
    what = contacts.book[["contact_on", "channel", "campaign"]]
    named = what.drop_duplicates(ignore_index=True)
    numbered = contacts.book.merge(named.assign(named=named.index), on=list(what))
    coded = CodedRows(contacts.rows, numbered, {"contact_on": "date", "named": "int32"})
    ordered = coded.with_columns(["contact_on", "named"]).order_by(BY_DATE).drop("contact_on")
    ordered = local.keep(_ORDERED, ordered)
    words = [identity_after_customer(*values) for values in named.itertuples(index=False)]
    identity = ordered.customer_id.cast("string") + ibis.literal(words, "array<string>")[ordered.named]
    write_pieces(local, ordered.select("customer_id", CODE, contact_id=md5(identity)), contacts, writers)
    local.drop(_ORDERED)
