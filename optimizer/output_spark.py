"""A run into the output tables of Spark, whose catalog has no transactions: one view is replaced.

    calendar_versions, …   the rows of all versions of all runs, a partition for each run and version
    current_runs           a view: which version of each run is the current one
    calendar, …            views: the rows of the current versions

A run writes a version of its own, seen by nobody, then replaces `current_runs` in one step of the catalog:
from there on every table shows it. Versions that are not current (replaced ones, and what killed runs
left) are dropped when the next run is stored; who reads meanwhile can end in peace.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import Any
from uuid import uuid4

import ibis
import sqlglot as sg
import sqlglot.expressions as sge

from optimizer.faults import BadInput, Fault
from optimizer.output_tables import NAMES, RUN_START, WHERE, OutputTables, rows_of, schema_of
from optimizer.qualified_name import parts_of
from optimizer.result import Result

CURRENT = "current_runs"
VERSION = "run_version"
_PARTITION = re.compile(rf"{RUN_START}=(\d{{4}}-\d\d-\d\d)/{VERSION}=([0-9a-f]{{32}})")


class SparkVersion:
    """One run on its way into the tables: `insert`, then `commit`.

    `seen` are the runs it was planned upon.
    """

    def __init__(self, tables: OutputTables, start: date, seen: Mapping[date, str]) -> None:
        self._tables, self._start, self._seen = tables, start, seen
        self._backend: Any = tables.engine.connection
        self.run_id = uuid4().hex

    def insert(self, result: Result) -> None:
        """Write the run's version. Raises BadInput as in output_sql."""
        id_type = result.calendar_table.schema()["customer_id"]
        self._refuse_later_run()
        self._tables.refuse_other_columns(id_type)
        self._make_tables(id_type)
        self._drop_old_versions()
        for name, rows in rows_of(result, self.run_id).items():
            versioned = rows.mutate(**{VERSION: ibis.literal(self.run_id)})
            columns = [*versioned.drop(RUN_START, VERSION).columns, RUN_START, VERSION]
            view = f"rows of {name} {self.run_id}"
            self._backend.frame(versioned.select(columns)).createOrReplaceTempView(f"`{view}`")
            query = sg.select(*(_column(c) for c in columns)).from_(sge.table_(view, quoted=True))
            self._run(sge.insert(query, self._place(f"{name}_versions"), columns=list(map(_name, columns))))
            self._run(sge.Drop(this=sge.table_(view, quoted=True), kind="VIEW"))

    def commit(self) -> None:
        """Let `current_runs` name this version of the run."""
        self._refuse_later_run()
        everything = self._tables.runs(date.max)
        self._replace_current({**everything, self._start: self.run_id})

    def _refuse_later_run(self) -> None:
        if self._tables.runs(self._start) != self._seen:
            rule = "another run was stored there while this one was planned"
            raise BadInput([Fault(WHERE, "", rule, "Run again, so that it is taken into account.")])

    def _make_tables(self, id_type: Any) -> None:
        """Make what is missing of schema, tables and views."""
        schema = self._place("").args["db"]
        self._run(sge.Create(this=sge.Table(this=schema), kind="SCHEMA", exists=True))
        for name in NAMES:
            self._make_versions(name, id_type)
        if self._tables.table(CURRENT) is None:
            self._replace_current({})
        for name in NAMES:
            if self._tables.table(name) is None:
                columns = [_column(column) for column in schema_of(name, id_type).names]
                current = sg.select(_column(VERSION)).from_(self._place(CURRENT))
                rows = sg.select(*columns).from_(self._place(f"{name}_versions"))
                self._replace_view(name, rows.where(_column(VERSION).isin(query=current)))

    def _make_versions(self, name: str, id_type: Any) -> None:
        columns = {**dict(schema_of(name, id_type)), VERSION: "string"}
        first = [c for c in columns if c not in (RUN_START, VERSION)]
        schema = ibis.schema({c: columns[c] for c in [*first, RUN_START, VERSION]})
        table = sge.Schema(
            this=self._place(f"{name}_versions"), expressions=schema.to_sqlglot_column_defs("databricks")
        )
        by = sge.PartitionedByProperty(this=sge.Tuple(expressions=[_column(RUN_START), _column(VERSION)]))
        kind = sge.FileFormatProperty(this=sge.Var(this="parquet"))
        properties = sge.Properties(expressions=[kind, by])
        self._run(sge.Create(this=table, kind="TABLE", exists=True, properties=properties))

    def _drop_old_versions(self) -> None:
        """Drop every version that `current_runs` does not name."""
        current = set(self._tables.runs(date.max).values())
        for name in NAMES:
            place = self._place(f"{name}_versions").sql("spark")
            self._backend.raw_sql(f"ALTER TABLE {place} RECOVER PARTITIONS")  # what a kill left unnamed
            for row in self._backend.raw_sql(f"SHOW PARTITIONS {place}").collect():
                found = _PARTITION.fullmatch(row[0])
                if found is not None and found[2] not in current:
                    which = f"{RUN_START} = DATE'{found[1]}', {VERSION} = '{found[2]}'"
                    self._backend.raw_sql(f"ALTER TABLE {place} DROP IF EXISTS PARTITION ({which})")

    def _replace_current(self, runs: Mapping[date, str]) -> None:
        """One row a run; the first row is there for the types only."""
        rows = [(None, None), *sorted(runs.items())]
        values = sge.values(
            [
                (sge.cast(sge.convert(start), "date"), sge.cast(sge.convert(run), "string"))
                for start, run in rows
            ],
            alias="runs",
            columns=[RUN_START, VERSION],
        )
        query = sg.select(_column(RUN_START), _column(VERSION)).from_(values)
        self._replace_view(CURRENT, query.where(_column(VERSION).is_(sge.null()).not_()))

    def _replace_view(self, name: str, query: sge.Select) -> None:
        self._run(sge.Create(this=self._place(name), kind="VIEW", replace=True, expression=query))

    def _place(self, name: str) -> sge.Table:
        *catalog, schema = parts_of(self._tables.output_schema)
        return sge.table_(name, db=schema, catalog=catalog[0] if catalog else None, quoted=True)

    def _run(self, statement: sge.Expression) -> None:
        self._backend.raw_sql(statement.sql("spark"))


@contextmanager
def version(tables: OutputTables, start: date, seen: Mapping[date, str]) -> Iterator[SparkVersion]:
    """A run's version; what is not committed is dropped when the next run is stored."""
    yield SparkVersion(tables, start, seen)


def _name(column: str) -> sge.Identifier:
    return sg.to_identifier(column, quoted=True)


def _column(name: str) -> sge.Column:
    return sg.column(name, quoted=True)
