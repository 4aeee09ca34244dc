"""From a table's files, or a database's table, to typed rows on the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir

from optimizer.engine import Engine, NoSuchTable
from optimizer.faults import BadInput, Fault
from optimizer.plan_values import nearest, suggestion
from optimizer.table_cells import as_it_stands, blank_to_null, can_be, number_columns, read_cell, stands
from optimizer.table_checks import known_words
from optimizer.table_files import check_header, find_files, read_files, reading, sha256_of
from optimizer.table_schema import DIGEST, DTYPES, Column, TableSchema, further_columns, unread

if TYPE_CHECKING:
    from optimizer.plan_file import Plan


@dataclass(frozen=True)
class ReadTable:
    """A table as it was read: typed `rows` of the columns given and `unread`, not checked yet.

    Files have a hash (sha256), the rows of a database's table DIGEST instead. Columns are taken for such as
    need no reading where their type lets them be. Where cells turn out not read, `closely` gives the table
    with their columns read in earnest.
    """

    schema: TableSchema
    source: str
    rows: ir.Table
    integer_ids: bool
    warnings: tuple[str, ...]
    reader: Callable[[frozenset[str]], ir.Table] | None = None
    close: frozenset[str] = frozenset()
    sha256: str = ""

    def closely(self, columns: Iterable[str]) -> ReadTable:
        """The same with these columns, named as in the file, read in earnest; itself if they are."""
        close = self.close.union(columns)
        if self.reader is None or close == self.close:
            return self
        return replace(self, rows=self.reader(close), close=close)


def ids_are_whole(engine: Engine, plan: Plan, given: Sequence[TableSchema]) -> bool:
    """Whether the ids of all tables are whole numbers by type: then they are compared as such, not as text.

    That is the same and takes a fraction of time and memory. A table that cannot be opened has its faults
    told when it is read.
    """
    for schema in given:
        source = plan.data.source(schema.name)
        if source is None or "customer_id" not in schema.dtypes:
            continue
        try:
            if plan.data.database is not None:
                raw = _of_database(engine, schema.name, source)
            else:
                files = find_files(plan.folder, schema.name, source)
                if files[0].suffix.lower() == ".csv":
                    return False
                raw = read_files(engine, schema.name, files)
        except BadInput:
            return False
        kind = raw.schema().get("customer_id")
        if kind is None or not kind.is_integer() or kind.is_uint64():
            return False
    return True


def read_table(
    engine: Engine, schema: TableSchema, source: str, plan: Plan, whole_ids: bool = False
) -> ReadTable:
    """Open the files of `source`, or the database's table of that name, as the schema says.

    `whole_ids`: see ids_are_whole. CSV is read once, everything else by each query anew. Raises BadInput
    when files or a table are missing or unreadable, or a column is missing or of no use.
    """
    as_csv, sha256 = False, ""
    if plan.data.database is not None:
        raw = _of_database(engine, schema.name, source)
    else:
        files = find_files(plan.folder, schema.name, source)
        raw, as_csv = read_files(engine, schema.name, files), files[0].suffix.lower() == ".csv"
        sha256 = sha256_of(files)
    with reading(engine, schema.name, source):
        raw = _empty_as_text(raw, schema)
        _check_columns(raw, schema)
        reader = partial(_typed, engine, raw, schema, plan, whole_ids)
        if as_csv:
            rows = engine.keep(schema.name, reader(None))
            rows = _with_numbers(engine, rows, schema) if schema.open_ended else rows
        else:
            rows = reader(frozenset())
    integer_ids = "customer_id" in raw.columns and raw.customer_id.type().is_integer()
    unused = tuple(_unused_columns(raw, schema))
    return ReadTable(schema, source, rows, integer_ids, unused, None if as_csv else reader, sha256=sha256)


def _of_database(engine: Engine, table: str, source: str) -> ir.Table:
    """A table of the plan's database. Raises BadInput where there is none, or two columns are too alike."""
    where = f"data.database.{table}"
    try:
        rows = engine.table(source)
    except ValueError as error:
        remedy = 'Write it as schema.table, with "quotes" around names that are no plain words.'
        raise BadInput([Fault(where, "", f"{source!r} {error}", remedy)]) from None
    except NoSuchTable as error:
        remedy = "Correct the name, or have the table made or opened to this user."
        raise BadInput([Fault(where, "", f"{source}: {error}", remedy)]) from None
    check_header(table, source, tuple(rows.columns))
    return rows


def _empty_as_text(raw: ir.Table, schema: TableSchema) -> ir.Table:
    """Columns without any value as empty text: Parquet files often keep no type for them."""
    odd = [
        column.given_as
        for column in schema.columns
        if column.given_as in raw.columns and not can_be(column.kind, raw[column.given_as].type())
    ]
    if not odd:
        return raw
    values = raw.aggregate([raw[name].count().name(name) for name in odd]).to_pyarrow().to_pylist()[0]
    return raw.mutate(**{name: ibis.null("string") for name in odd if values[name] == 0})


def _check_columns(raw: ir.Table, schema: TableSchema) -> None:
    """Raise BadInput for columns that are missing, of an impossible type."""
    faults = list(_misspelt_columns(raw, schema))
    for column in schema.columns:
        name = column.given_as
        if name in raw.columns:
            dtype = raw[name].type()
            if not can_be(column.kind, dtype):
                remedy = f"Save it as {DTYPES[column.kind]}."
                faults.append(Fault(schema.name, name, f"has the type {dtype}", remedy))
        elif column.needed:
            unused = [given for given in raw.columns if given not in {c.given_as for c in schema.columns}]
            near = nearest(name, unused)
            remedy = f"Did you mean {near!r}? Rename it." if near else "Add the column."
            faults.append(Fault(schema.name, name, "is missing", remedy))
    if faults:
        raise BadInput(faults)


def _misspelt_columns(raw: ir.Table, schema: TableSchema) -> Iterator[Fault]:
    """Optional columns in capitals: surely meant, and to the engine the same name as the column itself."""
    for column in schema.columns:
        for name in raw.columns:
            alike = name != column.name and name.lower() == column.name and name != column.given_as
            if alike and not (column.needed and not column.source):
                rule = "is written in capitals"
                yield Fault(schema.name, name, rule, f"Rename it to {column.name!r}.")


def _unused_columns(raw: ir.Table, schema: TableSchema) -> Iterator[str]:
    """Columns that nothing reads: in tables of fixed columns, and a segment column that gives way."""
    known = [column.given_as for column in schema.columns]
    for name in raw.columns:
        if name in known or (schema.open_ended and name != "segment"):
            continue
        words = suggestion(name, known) if not schema.open_ended else "segments.column names another."
        yield f"{schema.name}: the column {name!r} is not used. {words}"


def completed(rows: ir.Table, schema: TableSchema) -> ir.Table:
    """Return a table with all columns of its schema: absent ones are added here and take no room."""
    values: dict[str, ir.Value] = {}
    for column in schema.columns:
        if column.name in rows.columns:
            values[column.name] = rows[column.name]
        else:
            values[column.name] = _filled(ibis.null(DTYPES[column.kind]), column, values)
    return rows.select(**values, **{name: rows[name] for name in rows.columns if name not in values})


def _typed(
    engine: Engine,
    raw: ir.Table,
    schema: TableSchema,
    plan: Plan,
    whole_ids: bool,
    close: frozenset[str] | None,
) -> ir.Table:
    """Return the given columns of the schema with their types, further columns and `unread`.

    Columns in `close` are read in earnest, others where their type asks for it; None stands for all.
    Rows of a database's table have DIGEST, too.
    """
    values: dict[str, ir.Value] = {}
    doubts: dict[str, ir.Value] = {}
    cells: dict[str, ir.Value] = {}
    for number, column in enumerate(schema.columns):
        if column.given_as not in raw.columns:
            continue
        cell = raw[column.given_as]
        fine = stands(cell, column.kind, known_words(column.name, plan))
        if fine is False or (fine is not True and (close is None or column.given_as in close)):
            cell = blank_to_null(cell)
            value = read_cell(engine, cell, column.kind, plan.data.timezone).cast(DTYPES[column.kind])
            if column.kind not in ("text", "word"):
                doubts[unread(number)] = value.isnull() & cell.notnull()
        else:
            value = as_it_stands(cell, column.kind)
            if fine is not True:
                doubts[unread(number)] = (~fine).fill_null(ibis.literal(False))
        values[column.name] = _filled(value, column, values)
        # The text of a number takes longer to hash than the number.
        cells[column.name] = cell if cell.type().is_integer() else values[column.name]
    if whole_ids and "customer_id" in values:
        values["customer_id"] = raw.customer_id.cast("int64")
    for number, name in enumerate(further_columns(raw.columns, schema), start=len(schema.columns)):
        fine = stands(raw[name], None)
        near = close is None or name in close
        values[name] = cells[name] = blank_to_null(raw[name]) if near else raw[name]
        if not near and not isinstance(fine, bool):
            doubts[unread(number)] = (~fine).fill_null(ibis.literal(False))
    if plan.data.database is None:
        return raw.select(**values, **doubts)
    digest = engine.fingerprint({name: cells[name] for name in sorted(cells)})
    return raw.select(**values, **doubts, **{DIGEST: digest})


def _filled(value: ir.Value, column: Column, values: dict[str, ir.Value]) -> ir.Value:
    """Fill in a column's default; a history that dates a response, but does not tell of it, has one."""
    if column.name == "responded" and "responded_on" in values:
        return value.fill_null(values["responded_on"].notnull().cast("int8"))
    return value if column.default is None else value.fill_null(ibis.literal(column.default, "int8"))


def _with_numbers(engine: Engine, rows: ir.Table, schema: TableSchema) -> ir.Table:
    """Turn further columns from CSV into numbers where every cell is one."""
    kinds = number_columns(rows, further_columns(rows.columns, schema))
    if not kinds:
        return rows
    cast = rows.mutate(**{name: rows[name].cast(kind) for name, kind in kinds.items()})
    return engine.keep(schema.name, cast)
