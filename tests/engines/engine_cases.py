"""One workspace on any engine: files for DuckDB and Spark, tables of a schema for PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ibis
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from optimizer.engine_choice import EngineOptions
from optimizer.plan_file import Plan, load_plan

ENGINES = [
    "duckdb",
    pytest.param("postgres", marks=pytest.mark.postgres),
    pytest.param("spark", marks=pytest.mark.spark),
]
OTHERS = ENGINES[1:]
QUICK_ON_POSTGRES = [OTHERS[0], pytest.param("spark", marks=[pytest.mark.spark, pytest.mark.slow])]
"""For what a run tests on Spark, too: its queries take seconds each, whatever the number of rows."""


def workspace(
    engine: str, request: Any, folder: Path, plan: Mapping[str, Any], tables: Mapping[str, pa.Table]
) -> tuple[Plan, EngineOptions]:
    """Puts the tables where the engine reads them; the plan that names them there, and the options."""
    folder.mkdir(parents=True)
    if engine == "postgres":
        server = request.getfixturevalue("postgres")
        # Names of a careless database: whatever is not quoted somewhere breaks.
        schema = f'{folder.name}; "drop" schema'
        database: dict[str, Any] = {"url": "${CONTACTPLAN_TEST_DB}"}
        request.getfixturevalue("monkeypatch").setenv("CONTACTPLAN_TEST_DB", server.url)
        load(server.url, schema, tables)
        quoted = schema.replace('"', '""')
        data = {"database": database | {name: f'"{quoted}"."the ""{name}"""' for name in tables}}
    else:
        if engine == "spark":
            request.getfixturevalue("spark")
        for name, table in tables.items():
            pq.write_table(table, folder / f"{name}.parquet")
        data = {name: f"{name}.parquet" for name in tables}
    kept = {name: value for name, value in (plan.get("data") or {}).items() if name == "timezone"}
    words = yaml.safe_dump({**plan, "data": {**data, **kept}}, sort_keys=False, allow_unicode=True)
    (folder / "plan.yaml").write_text(words.replace("'on':", "on:"), encoding="utf-8")
    options = EngineOptions(engine) if engine == "spark" else EngineOptions()
    return load_plan(folder), options


def load(url: str, schema: str, tables: Mapping[str, pa.Table]) -> None:
    """Makes a fresh schema with these tables, each with a name in quotes."""
    connection = ibis.connect(url)
    quoted = schema.replace('"', '""')
    connection.raw_sql(f'DROP SCHEMA IF EXISTS "{quoted}" CASCADE').close()
    connection.raw_sql(f'CREATE SCHEMA "{quoted}"').close()
    for name, table in tables.items():
        known = table.select([n for n, kind in enumerate(table.schema.types) if not pa.types.is_null(kind)])
        connection.create_table(f'the "{name}"', known, database=schema)
    connection.disconnect()


def shuffled(table: pa.Table, seed: int) -> pa.Table:
    """The rows in another order."""
    order = pd.Series(range(len(table))).sample(frac=1, random_state=seed)
    return table.take(order.to_numpy())


def arrow(tables: Mapping[str, pd.DataFrame]) -> dict[str, pa.Table]:
    """The tables that have rows, without columns that have no value."""
    return {
        name: pa.Table.from_pandas(table.dropna(axis="columns", how="all"), preserve_index=False)
        for name, table in tables.items()
        if len(table)
    }
