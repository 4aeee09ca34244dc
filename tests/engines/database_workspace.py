"""The small workspace of the killed runs with its tables in a database, on each engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
import yaml
from killed_workspace import START, small_plan, small_tables

from optimizer.engine_choice import BY_THE_PLAN
from optimizer.frames import frame_of
from optimizer.output_tables import OutputTables, open_output_tables
from optimizer.plan_file import Plan, load_plan

VARIABLE = "CONTACTPLAN_TEST_DB"
OUTPUT = 'out "put" of 100 %; x'
URLS = {"duckdb": "duckdb://base.duckdb", "postgres": f"${{{VARIABLE}}}", "spark": "local[2]"}


class DatabaseWorkspace:
    """A plan whose tables are in a fresh schema `base` of the engine's database, with an output schema."""

    def __init__(self, engine: str, folder: Path, request: Any) -> None:
        self.engine, self.folder = engine, folder
        folder.mkdir(exist_ok=True)
        # Spark takes no other names of schemas.
        self.base = "made_up_base" if engine == "spark" else f"{folder.name}; 'base'"
        self.output = "made_up_output" if engine == "spark" else OUTPUT
        self._session: Any = request.getfixturevalue("spark") if engine == "spark" else None
        if engine == "postgres":
            server = request.getfixturevalue("postgres")
            self.url = server.url
            patch = pytest.MonkeyPatch()  # the fixture of that name does not outlast a test
            patch.setenv(VARIABLE, server.url)
            request.addfinalizer(patch.undo)
        self._load()

    def plan_of(self, start: date = START, files: bool = True, **changes: Any) -> Plan:
        """Write the plan of the period that begins on `start`."""
        names = {name: f"{_quoted(self.base)}.{name}" for name in small_tables()}
        database = {"url": URLS[self.engine], "output_schema": _quoted(self.output), "files": files, **names}
        plan = {**small_plan(start, **changes), "data": {"database": database}}
        (self.folder / "plan.yaml").write_text(yaml.safe_dump(plan, sort_keys=False), encoding="utf-8")
        return load_plan(self.folder)

    @contextmanager
    def tables(self) -> Iterator[OutputTables]:
        with open_output_tables(load_plan(self.folder), BY_THE_PLAN) as tables:
            yield tables

    def rows(self, name: str, start: date = START) -> pd.DataFrame:
        """A run's rows in an output table, in an order of their own: tables have none."""
        with self.tables() as tables:
            found = frame_of(tables.of_run(name, start))
        return found.sort_values(list(found.columns), ignore_index=True)

    def starts(self, name: str) -> set[str]:
        """The runs that have rows in an output table; none where it is not made yet."""
        with self.tables() as tables:
            table = tables.table(name)
            found = [] if table is None else frame_of(table.select("run_start").distinct()).run_start
        return {pd.Timestamp(start).date().isoformat() for start in found}

    def run(self, statement: str) -> None:
        """A statement of the test's own, in the engine's words."""
        if self.engine == "duckdb":
            with duckdb.connect(self.folder / "base.duckdb") as connection:
                connection.execute(statement)
        elif self.engine == "postgres":
            import psycopg  # noqa: PLC0415

            with psycopg.connect(self.url, autocommit=True) as session:
                session.execute(statement)
        else:
            self._session.sql(statement)

    def _load(self) -> None:
        if self.engine == "spark":
            base, output = (f"`{name}`" for name in (self.base, self.output))
            for name in (base, output):
                self.run(f"DROP SCHEMA IF EXISTS {name} CASCADE")
            self.run(f"CREATE SCHEMA {base} LOCATION '{self.folder.parent / 'base'}'")
            for name, table in _arrow_tables().items():
                self._session.createDataFrame(table).write.saveAsTable(f"{base}.{name}")
            return
        self._clean()
        self.run(f"CREATE SCHEMA {_quoted(self.base)}")
        import ibis  # noqa: PLC0415

        file = self.folder / "base.duckdb"
        connection = ibis.duckdb.connect(file) if self.engine == "duckdb" else ibis.connect(self.url)
        for name, table in _arrow_tables().items():
            connection.create_table(name, table, database=self.base)
        connection.disconnect()

    def _clean(self) -> None:
        for schema in (self.base, self.output):
            self.run(f"DROP SCHEMA IF EXISTS {_quoted(schema)} CASCADE")


def _arrow_tables() -> dict[str, pa.Table]:
    return {n: pa.Table.from_pandas(table, preserve_index=False) for n, table in small_tables().items()}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
