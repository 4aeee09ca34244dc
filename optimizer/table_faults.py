"""From checks to faults: counting what they find in one pass, and comparing tables with each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir

from optimizer.faults import Fault
from optimizer.plan_values import nearest
from optimizer.table_cells import whole_number
from optimizer.table_checks import RowCheck, row_checks
from optimizer.table_rows import ReadTable, completed
from optimizer.table_schema import DIGEST, TableSchema

if TYPE_CHECKING:
    from optimizer.plan_file import Plan


@dataclass(frozen=True)
class CountedTable:
    """A table, its `rows` with all columns, their checks, what each found, and the `mark` of its content.

    That is the files' `sha256`, or a database table's `checksum`: the sum, modulo 2^64, of a hash of each row
    with its columns in alphabetical order.
    """

    read: ReadTable
    rows: ir.Table
    checks: list[RowCheck]
    counts: list[int]
    number: int
    mark: dict[str, str]

    @property
    def schema(self) -> TableSchema:
        """The table's schema."""
        return self.read.schema


def counted(read: ReadTable, plan: Plan) -> CountedTable:
    """Count in one pass what each check finds, the rows, and their checksum if they have one.

    A second pass is only needed where a column does not hold its values as they stand.
    """
    rows = completed(read.rows, read.schema)
    checks = row_checks(rows, read.schema, plan)
    measures = rows.aggregate(
        **{f"check{number}": check.broken.sum().fill_null(0) for number, check in enumerate(checks)},
        rows=rows.count(),
        **_halves(rows),
    )
    found = measures.to_pyarrow().to_pylist()[0]
    counts = [found[f"check{number}"] for number in range(len(checks))]
    closer = read.closely(
        check.column for check, count in zip(checks, counts, strict=True) if check.reads and count
    )
    if closer is not read:
        return counted(closer, plan)
    mark = {"sha256": read.sha256}
    if "low" in found:
        mark = {"checksum": f"{(found['low'] + (found['high'] << 32)) % (1 << 64):016x}"}
    return CountedTable(read, rows, checks, counts, found["rows"], mark)


def _halves(rows: ir.Table) -> dict[str, ir.IntegerScalar]:
    """The sums of the rows' digests, in two halves so that they stay whole numbers of 64 bits."""
    if DIGEST not in rows.columns:
        return {}
    halves = {"low": rows[DIGEST] & 0xFFFFFFFF, "high": (rows[DIGEST] >> 32) & 0xFFFFFFFF}
    return {name: half.sum().fill_null(0) for name, half in halves.items()}


def fault_of(check: RowCheck, count: int, rows: ir.Table, schema: TableSchema, integer_ids: bool) -> Fault:
    """Return the fault of a check that found `count` rows."""
    broken = rows.filter(check.broken)
    remedy = check.remedy
    if check.known:
        remedy = f"{_likely(broken, check)}{remedy} Known: {', '.join(check.known)}."
    keys = first_keys(broken, schema.key, integer_ids)
    return Fault(schema.name, check.column, check.rule, remedy, count, keys)


def repeated_keys(rows: ir.Table, schema: TableSchema, integer_ids: bool) -> Iterator[Fault]:
    """Two rows alike where each key may stand once; in a column that may be empty, so are two empty cells."""
    key = list(schema.key)
    groups = rows.group_by(key).agg(times=rows.count())
    groups = groups.filter(groups.times > 1, *(groups[name].notnull() for name in key if schema[name].needed))
    count = int(groups.times.sum().fill_null(0).to_pyarrow().as_py())
    if count:
        keys = first_keys(groups, schema.key, integer_ids)
        yield Fault(schema.name, ", ".join(key), "is not unique", "Keep one row of each.", count, keys)


def strangers(tables: Sequence[CountedTable]) -> dict[str, int]:
    """Count by table the rows of people who are not in the customers table, looking all up at once."""
    customers = next((table for table in tables if table.schema.name == "customers"), None)
    compared = [table for table in tables if table.schema.strangers is not None]
    if customers is None or not customers.number or not compared:
        return {}
    ids = [
        table.rows.filter(table.rows.customer_id.notnull()).select(
            "customer_id", place=ibis.literal(place, "int64")
        )
        for place, table in enumerate(compared)
    ]
    unknown = ibis.union(*ids).anti_join(customers.rows.select("customer_id"), "customer_id")
    found = unknown.group_by("place").agg(rows=unknown.count()).to_pyarrow().to_pylist()
    return {compared[row["place"]].schema.name: row["rows"] for row in found}


def stranger_fault(
    rows: ir.Table, customers: ir.Table, count: int, schema: TableSchema, integer_ids: bool
) -> Fault:
    """The fault of `count` rows of people who are not in the customers table."""
    unknown = rows.filter(rows.customer_id.notnull()).anti_join(customers, "customer_id")
    keys = first_keys(unknown, schema.key, integer_ids)
    remedy = "Add these customers or take the rows out; ids are compared as text."
    return Fault(schema.name, "customer_id", "is not in customers", remedy, count, keys)


def empty_segments(plan: Plan, customers: ir.Table) -> Iterator[str]:
    """Segments of your own that the plan names and no customer has: a warning, for customers migrate."""
    if plan.segments.column is None:
        return
    rows = customers.select("segment").distinct().order_by("segment").limit(1000).to_pyarrow().to_pylist()
    found = {str(row["segment"]) for row in rows}
    named = [(f"campaigns.{name}.segments", campaign.segments) for name, campaign in plan.campaigns.items()]
    named += [(f"reach[{number}].segments", reach.segments) for number, reach in enumerate(plan.reach)]
    for where, segments in named:
        for label in segments or ():
            if label not in found:
                yield f"{where}: no customer has {label!r} in the column {plan.segments.column!r}."


def first_keys(rows: ir.Table, key: tuple[str, ...], integer_ids: bool) -> tuple[str, ...]:
    """Return the first five distinct keys, sorted by value if the ids are integers, else by their bytes."""
    keys = rows.select(*key).distinct()
    order = [keys[name] for name in key]
    if key == ("customer_id",):
        keys = keys.filter(keys.customer_id.notnull())
        text = keys.customer_id.type().is_string()
        order = [whole_number(keys.customer_id)] if integer_ids and text else []
        order = [*order, keys.customer_id]
    found = keys.order_by(order).limit(5).to_pyarrow().to_pylist()
    return tuple(" / ".join(str(row[name] or "") for name in key) for row in found)


def _likely(broken: ir.Table, check: RowCheck) -> str:
    """Ask whether known words were meant. Words that resemble none are not quoted: they could be anything."""
    words = broken.select(word=broken[check.column]).distinct().order_by("word").limit(100)
    pairs = [
        (str(row["word"]), nearest(str(row["word"]), check.known)) for row in words.to_pyarrow().to_pylist()
    ]
    near = [f"{word!r} (did you mean {known!r}?)" for word, known in pairs if known][:5]
    return f"Found {', '.join(near)}. " if near else ""
