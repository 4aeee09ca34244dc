"""The output tables of a plan's database: what they hold, and what earlier runs left in them.

They have the files' names and columns, with `run_start` in front, and column types of their own that no run
changes: segments are text, and a segment's feature means stand in one column `features`, as JSON. The table
`summary` has a row for each run: its id and summary.json. A run is in all tables or in none; how they are
switched over is in `output_sql` (one transaction) and `output_spark` (one view).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pandas as pd

from optimizer.engine import Engine, NoSuchTable
from optimizer.faults import BadInput, Fault
from optimizer.frames import frame_of, table_of

if TYPE_CHECKING:
    from optimizer.engine_choice import EngineOptions
    from optimizer.plan_file import Plan
    from optimizer.result import Result

WHERE = "data.database.output_schema"
RUN_START = "run_start"
_PLACE_OF_ID = "customer_id"
_CONTACT = {
    "contact_id": "string", "customer_id": "string", "contact_on": "date", "channel": "string",
    "campaign": "string", "segment": "string", "stream": "string", "final": "boolean",
    "response_rate": "float64", "expected_value": "float64", "cost": "float64",
}  # fmt: skip
CUSTOMER_TABLES: Mapping[str, Mapping[str, str]] = {
    "calendar": _CONTACT,
    "control": _CONTACT,
    "assignments": {
        "customer_id": "string", "segment": "string", "stream": "string", "hold_out": "boolean",
    },
}  # fmt: skip
SMALL_TABLES: Mapping[str, Mapping[str, str]] = {
    "segments": {
        "segment": "string", "name": "string", "customers": "int64", "share": "float64",
        "value_mean": "float64", "value_total": "float64", "value_share": "float64", "features": "string",
    },
    "streams": {
        "segment": "string", "stream": "string", "dated_contacts": "string", "customers": "int64",
        "contacts": "int64", "expected_value": "float64", "cost": "float64",
    },
    "allocation": {
        "segment": "string", "campaign": "string", "channel": "string", "date": "date", "contacts": "int64",
        "expected_responses": "float64", "expected_value": "float64", "cost": "float64",
    },
    "response_rates": {
        "segment": "string", "campaign": "string", "channel": "string", "rate": "float64", "low": "float64",
        "high": "float64", "contacts_seen": "int64", "responses_seen": "int64", "source": "string",
    },
    "limits": {
        "limit": "string", "bound": "float64", "used": "float64", "slack": "float64",
        "shadow_price": "float64", "price_from": "float64", "price_to": "float64",
    },
    "permission_worth": {
        "segment": "string", "channel": "string", "customers": "int64", "customers_priced": "int64",
        "mean": "float64", "most": "float64",
    },
    "rule_prices": {"rule": "string", "change": "string", "brings": "float64", "precision": "float64"},
    "response_bands": {
        "segment": "string", "band": "int64", "multiplier": "float64", "customers": "int64",
        "expected": "float64", "responses": "int64",
    },
    "summary": {"run_id": "string", "summary": "string"},
}  # fmt: skip
NAMES = (*CUSTOMER_TABLES, *SMALL_TABLES)


def schema_of(table: str, id_type: dt.DataType) -> ibis.Schema:
    """Columns and types of an output table; `customer_id` is a whole number or text, as the ids came."""
    columns: dict[str, Any] = {RUN_START: "date", **{**CUSTOMER_TABLES, **SMALL_TABLES}[table]}
    if _PLACE_OF_ID in columns:
        columns[_PLACE_OF_ID] = id_type
    return ibis.schema(columns)


def rows_of(result: Result, run_id: str) -> dict[str, ir.Table]:
    """The rows that a run has in each output table, with the tables' columns."""
    start = ibis.literal(result.plan.period.start)
    rows = {name: _customer_rows(result, name) for name in CUSTOMER_TABLES}
    rows |= {name: table_of(_frame(result, name, run_id), dict(SMALL_TABLES[name])) for name in SMALL_TABLES}
    return {name: table.select(run_start=start, **dict(_columns(table))) for name, table in rows.items()}


class OutputTables:
    """The output tables in the schema `output_schema` of an engine's database; they need not be there yet."""

    def __init__(self, engine: Engine, output_schema: str) -> None:
        self.engine, self.output_schema = engine, output_schema

    def table(self, name: str) -> ir.Table | None:
        """One of the output tables, None where it is not made yet."""
        try:
            return self.engine.table(f"{self.output_schema}.{name}")
        except NoSuchTable:
            return None

    def of_run(self, name: str, start: date) -> ir.Table:
        """A run's rows in an output table that is there."""
        table = self.table(name)
        if table is None:
            raise BadInput([Fault(WHERE, name, "the table is gone", "Make that run again, with --replace.")])
        return table.filter(table.run_start == start).drop(RUN_START)

    def runs(self, until: date) -> dict[date, str]:
        """The ids of the runs whose period starts on `until` or before it, by that start."""
        summary = self.table("summary")
        if summary is None:
            return {}
        early = frame_of(summary.filter(summary.run_start <= until).select(RUN_START, "run_id"))
        return {pd.Timestamp(start).date(): str(run) for start, run in early.itertuples(index=False)}

    def holds(self, start: str, run_id: str) -> bool:
        """Whether the run is in the tables (see run_folder.Holds)."""
        day = date.fromisoformat(start)
        return self.runs(day).get(day) == run_id

    def final_contacts(self, start: date) -> int:
        """How many contacts of a run are final."""
        calendar = self.of_run("calendar", start)
        return int(calendar.filter(calendar.final).count().to_pyarrow().as_py())

    def refuse_other_columns(self, id_type: dt.DataType | None = None) -> None:
        """Raise BadInput where a table of an output table's name has other columns or types.

        Without `id_type` the customers' ids may be whole numbers or text.
        """
        faults = []
        for name in NAMES:
            table = self.table(name)
            if table is None:
                continue
            kinds = dict(table.schema())
            there = kinds.get(_PLACE_OF_ID, dt.string)
            wanted = dict(schema_of(name, id_type or there))
            if {column: str(kind(nullable=True)) for column, kind in kinds.items()} != {
                column: str(kind) for column, kind in wanted.items()
            }:
                differ = _PLACE_OF_ID if id_type and there != id_type else name
                remedy = "Name another output_schema, or rename that table."
                faults.append(Fault(WHERE, differ, f"holds a table {name} of other columns", remedy))
        if faults:
            raise BadInput(faults)


@contextmanager
def open_output_tables(plan: Plan, options: EngineOptions) -> Iterator[OutputTables]:
    """The output tables of a plan that has a database, on a connection for a look of their own."""
    from optimizer.engine_choice import open_engine  # noqa: PLC0415 - engines load what is not always there

    assert plan.data.database is not None
    engine = open_engine(plan, options)
    try:
        yield OutputTables(engine, plan.data.database.output_schema)
    finally:
        engine.close()


def _columns(table: ir.Table) -> dict[str, ir.Value]:
    return {name: table[name] for name in table.columns}


def _customer_rows(result: Result, name: str) -> ir.Table:
    rows: ir.Table = getattr(result, f"{name}_table")
    kept = {column: rows[column] for column in CUSTOMER_TABLES[name]}
    return rows.select(**{**kept, "segment": rows.segment.cast("string")})


def _frame(result: Result, name: str, run_id: str) -> pd.DataFrame:
    """The rows of a small table, without `run_start`."""
    columns = list(SMALL_TABLES[name])
    if name == "summary":
        text = json.dumps(result.summary, ensure_ascii=False, default=str)
        return pd.DataFrame({"run_id": [run_id], "summary": [text]})
    frame: pd.DataFrame | None = getattr(result, name)
    if frame is None:
        return pd.DataFrame(columns=columns)
    if name == "segments":
        further = [column for column in frame.columns if column not in columns]
        means = frame[further].astype(object).where(frame[further].notna(), None)
        texts = [json.dumps(dict(zip(further, row, strict=True))) for row in means.itertuples(index=False)]
        frame = frame.assign(features=texts)
    texts_of = {c: frame[c].map(_text) for c in columns if SMALL_TABLES[name][c] == "string" and len(frame)}
    return frame.assign(**texts_of)[columns]


def _text(value: object) -> str | None:
    return None if pd.isna(value) else str(value)  # type: ignore[call-overload]
