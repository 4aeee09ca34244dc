"""The newest earlier run: its final contacts are promised, its provisional ones may be worth keeping."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa

from optimizer.faults import BadInput, Fault
from optimizer.frames import frame_of, table_of
from optimizer.output_tables import OutputTables
from optimizer.plan_file import Plan
from optimizer.tables import Tables
from optimizer.timetable import Timetable

CONTACT = ["customer_id", "contact_on", "channel", "campaign"]


def with_earlier_run(plan: Plan, tables: Tables, earlier_run: Path | date | None) -> Tables:
    """Adds the final contacts of an earlier run to the commitments, and keeps its provisional ones.

    `earlier_run` is its folder, or in a plan's database its start. Raises BadInput where its calendar
    cannot be read.
    """
    if earlier_run is None:
        return tables
    if isinstance(earlier_run, Path):
        calendar = _calendar(tables, earlier_run)
    else:
        assert plan.data.database is not None
        output = OutputTables(tables.engine, plan.data.database.output_schema)
        calendar = output.of_run("calendar", earlier_run)
    calendar = calendar.mutate(
        customer_id=tables.own_id(calendar.customer_id),
        contact_on=calendar.contact_on.cast("date"),
        type=ibis.null("string"),
        business_unit=ibis.null("string"),
    ).semi_join(tables.customers, "customer_id")
    promised = calendar.filter(calendar.final).select(tables.commitments.columns)
    inside = calendar.contact_on.between(ibis.date(plan.period.start), ibis.date(plan.last_day))
    provisional = calendar.filter(~calendar.final & inside).select(CONTACT)
    return replace(tables, commitments=tables.commitments.union(promised), provisional=provisional.distinct())


def _calendar(tables: Tables, run: Path) -> ir.Table:
    """The run's calendar, if it has what is asked of it."""
    try:
        calendar: ir.Table = tables.engine.read_parquet([run / "calendar.parquet"])
        kinds = dict(calendar.schema())
        whole = {*CONTACT, "final", "cost"} <= set(kinds) and kinds["final"].is_boolean()
        whole = whole and (kinds["contact_on"].is_date() or kinds["contact_on"].is_timestamp())
    except (OSError, pa.ArrowException, *tables.engine.failed_reading):
        whole = False
    if not whole:
        where, remedy = f"runs/{run.name}/calendar.parquet", "Restore the file, or make that run again."
        raise BadInput([Fault(where, "", "cannot be read as a calendar", remedy)])
    return calendar


def provisional_rows(plan: Plan, tables: Tables, timetable: Timetable) -> ir.Table | None:
    """customer_id and `code`: the provisional contacts that can be planned again.

    A code is send day x options + option. None where nothing is paid for keeping them.
    """
    if tables.provisional is None or plan.period.keep_provisional == 0:
        return None
    options = timetable.options
    rows = [
        (timetable.date_of(t), option.channel, option.campaign, t * len(options) + i)
        for t in range(len(timetable.days))
        for i, option in enumerate(options)
        if timetable.sendable[t, i]
    ]
    book = table_of(
        pd.DataFrame(rows, columns=[*CONTACT[1:], "code"]),
        {"contact_on": "date", "channel": "string", "campaign": "string", "code": "int64"},
    )
    return tables.provisional.join(book, CONTACT[1:]).select("customer_id", "code")


def kept_figures(plan: Plan, tables: Tables, calendar: ir.Table) -> dict[str, Any] | None:
    """How many provisional contacts of the earlier run there were and stay, and what the others cost."""
    if tables.provisional is None:
        return None
    planned = calendar.select(CONTACT).mutate(customer_id=tables.own_id(calendar.customer_id), stays=1)
    both = tables.provisional.left_join(planned, CONTACT)
    counted = frame_of(both.aggregate(contacts=both.count(), kept=both.stays.sum().fill_null(0)))
    contacts, kept = int(counted.contacts[0]), int(counted.kept[0])
    return {
        "contacts": contacts,
        "kept": kept,
        "share": kept / contacts if contacts else None,
        "charge": round(plan.period.keep_provisional * (contacts - kept), 6),
    }
