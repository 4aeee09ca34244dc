"""A run into the output tables of PostgreSQL or a DuckDB file: one transaction.

Its rows are deleted and inserted anew inside the database; readers see the earlier run until the commit. A
connection that ends before it, however it ends, leaves nothing.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date
from typing import Any
from uuid import uuid4

import ibis.expr.types as ir
import sqlglot as sg
import sqlglot.expressions as sge

from optimizer.engine_duckdb import DATABASE
from optimizer.faults import BadInput, Fault
from optimizer.output_tables import (
    CUSTOMER_TABLES,
    RUN_START,
    WHERE,
    OutputTables,
    rows_of,
    schema_of,
)
from optimizer.qualified_name import parts_of
from optimizer.result import Result

LOCK_TIMEOUT = "15min"


class Transaction(ABC):
    """One run on its way into the tables: `insert`, then `commit`. `seen` are the runs it was planned upon.

    Left without commit, everything is taken back.
    """

    dialect: str

    def __init__(self, tables: OutputTables, start: date, seen: Mapping[date, str]) -> None:
        self._tables, self._start, self._seen = tables, start, seen
        self._backend: Any = tables.engine.connection
        self.run_id = uuid4().hex

    def insert(self, result: Result) -> None:
        """Put the run's rows in the place of the earlier ones, seen by nobody until `commit`.

        Raises BadInput where another run was stored since this one began, or a table has other columns.
        """
        id_type = result.calendar_table.schema()["customer_id"]
        self._begin()
        if self._tables.runs(self._start) != self._seen:
            rule = "another run was stored there while this one was planned"
            raise BadInput([Fault(WHERE, "", rule, "Run again, so that it is taken into account.")])
        self._tables.refuse_other_columns(id_type)
        self._make_schema()
        for name, rows in rows_of(result, self.run_id).items():
            if self._tables.table(name) is None:
                self._make_table(name, id_type)
            place = self._place(name)
            own = sg.column(RUN_START, quoted=True).eq(sge.convert(self._start))
            self._execute(sge.delete(place, where=own))
            columns = [sg.to_identifier(column, quoted=True) for column in rows.columns]
            self._execute(sge.insert(self._query(rows), place, columns=columns))

    def commit(self) -> None:
        """Switch over to the run's rows, in all tables at once."""
        self._backend.con.execute("COMMIT")

    def abandon(self) -> None:
        """Take back what is not committed."""
        with suppress(Exception):  # the connection may be what failed
            self._backend.con.execute("ROLLBACK")

    @abstractmethod
    def _begin(self) -> None:
        """Begin the transaction, alone among the runs into these tables."""

    @abstractmethod
    def _place(self, name: str) -> sge.Table:
        """An output table as it stands in a statement."""

    @abstractmethod
    def _make_schema(self) -> None:
        """Make the output schema if it is missing."""

    @abstractmethod
    def _query(self, rows: ir.Table) -> sge.Query:
        """The rows as a statement; tables from memory are handed over first."""

    def _make_table(self, name: str, id_type: Any) -> None:
        columns = schema_of(name, id_type).to_sqlglot_column_defs(self.dialect)
        table = sge.Schema(this=self._place(name), expressions=columns)
        self._execute(sge.Create(this=table, kind="TABLE"))

    def _execute(self, statement: sge.Expression) -> None:
        self._backend.con.execute(statement.sql(self.dialect))


class PostgresTransaction(Transaction):
    """Waits for another run into the same schema, at most LOCK_TIMEOUT."""

    dialect = "postgres"

    def _begin(self) -> None:
        mark = hashlib.sha256(f"contactplan {self._schema}".encode()).digest()[:8]
        key = int.from_bytes(mark, "big", signed=True)
        session = self._backend.con
        session.execute("BEGIN")
        session.execute("SELECT set_config('lock_timeout', %s, true)", (LOCK_TIMEOUT,))
        session.execute("SELECT pg_advisory_xact_lock(%s)", (key,))

    @property
    def _schema(self) -> str:
        return parts_of(self._tables.output_schema, fold=True)[-1]

    def _place(self, name: str) -> sge.Table:
        return sge.table_(name, db=self._schema, quoted=True)

    def _make_schema(self) -> None:
        # Asked first: IF NOT EXISTS needs the right to make one even where it is there.
        found = self._backend.con.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (self._schema,))
        if found.fetchone() is None:
            self._execute(sge.Create(this=sge.table_(self._schema, quoted=True), kind="SCHEMA"))

    def _make_table(self, name: str, id_type: Any) -> None:
        super()._make_table(name, id_type)
        if name in CUSTOMER_TABLES:  # a run's rows lie together, so this small index finds them
            index = f"CREATE INDEX ON {self._place(name).sql('postgres')} USING brin ({RUN_START})"
            self._backend.con.execute(index)

    def _query(self, rows: ir.Table) -> sge.Query:
        query: sge.Query = self._backend.typed_query(rows)
        return query


class DuckDBTransaction(Transaction):
    """The file belongs to this process alone while it is open, so there is nobody to wait for."""

    dialect = "duckdb"

    def _begin(self) -> None:
        self._backend.con.execute("BEGIN")

    def _place(self, name: str) -> sge.Table:
        schema = parts_of(self._tables.output_schema)[-1]
        return sge.table_(name, db=schema, catalog=DATABASE, quoted=True)

    def _make_schema(self) -> None:
        schema = parts_of(self._tables.output_schema)[-1]
        place = sge.table_(schema, db=DATABASE, quoted=True)
        self._execute(sge.Create(this=place, kind="SCHEMA", exists=True))

    def _query(self, rows: ir.Table) -> sge.Query:
        self._backend._run_pre_execute_hooks(rows)
        query: sge.Query = self._backend.compiler.to_sqlglot(rows)
        return query


@contextmanager
def transaction(tables: OutputTables, start: date, seen: Mapping[date, str]) -> Iterator[Transaction]:
    """A run's transaction, taken back unless it was committed."""
    kind = PostgresTransaction if tables.engine.name == "postgres" else DuckDBTransaction
    running = kind(tables, start, seen)
    try:
        yield running
    except BaseException:
        running.abandon()
        raise
