"""Ibis' backend for PostgreSQL, where it is not what it is on other engines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pyarrow as pa
import sqlglot as sg
import sqlglot.expressions as sge
from ibis.backends.postgres import Backend
from ibis.backends.sql.compilers.postgres import PostgresCompiler

TEMPORARY = "pg_temp"
"""The schema of the session's own tables, whatever its real name."""


class _Compiler(PostgresCompiler):  # type: ignore[misc]
    """Ibis' own, with casts that PostgreSQL lacks."""

    __slots__ = ()

    def visit_Cast(self, op: ops.Cast, *, arg: Any, to: dt.DataType) -> Any:  # noqa: N802
        # Truth can be cast to one kind of integer only.
        if op.arg.dtype.is_boolean() and to.is_integer():
            arg = sge.Cast(this=arg, to=sge.DataType.build("int"))
        return super().visit_Cast(op, arg=arg, to=to)


class PostgresBackend(Backend):  # type: ignore[misc]
    """Copies tables from memory in, and gives results the types that Ibis says they have.

    Texts are ordered by their bytes where they come from tables of `typed_query` or `as_text`.
    """

    compiler = _Compiler()

    def compile(self, expr: ir.Expr, /, **options: Any) -> str:
        """As SQL; `options` are those of Ibis and have to be empty."""
        if any(value is not None for name, value in options.items() if name != "pretty"):
            return str(super().compile(expr, **options))
        return self.typed_query(expr.as_table()).sql("postgres")

    def typed_query(self, rows: ir.Table) -> sge.Select:
        """The rows' query, its columns cast: sums and means of whole numbers are decimals in PostgreSQL."""
        self._run_pre_execute_hooks(rows)
        mapper = self.compiler.type_mapper
        columns = []
        for name, kind in rows.schema().items():
            cast = (
                as_text(name)
                if kind.is_string()
                else sge.Cast(this=sg.column(name, quoted=True), to=mapper.from_ibis(kind))
            )
            columns.append(cast.as_(name, quoted=True))
        return sg.select(*columns).from_(self.compiler.to_sqlglot(rows).subquery("rows"))

    def copy_in(self, place: str, schema: ibis.Schema, batches: Iterable[pa.RecordBatch]) -> None:
        """Make a temporary table of these rows, and have it analysed: nobody else does."""
        target = place_of(place, TEMPORARY).sql("postgres")
        columns = schema.to_sqlglot_column_defs("postgres")
        create = temporary(sge.Schema(this=place_of(place), expressions=columns), "TABLE")
        with self.con.cursor() as cursor:
            cursor.execute(create.sql("postgres"))
            with cursor.copy(f"COPY {target} FROM STDIN") as copy:
                for batch in batches:
                    for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                        copy.write_row(row)
            cursor.execute(f"ANALYZE {target}")

    def _register_in_memory_table(self, op: ops.InMemoryTable) -> None:
        self.copy_in(op.name, op.schema, op.data.to_pyarrow(op.schema).to_batches())


def place_of(name: str, schema: str | None = None) -> sge.Table:
    """A table's name, in quotes whatever it holds."""
    database = None if schema is None else sg.to_identifier(schema, quoted=True)
    return sge.Table(this=sg.to_identifier(name, quoted=True), db=database)


def as_text(name: str) -> sge.Expression:
    """A column as text in the order of its bytes, whatever the database's own order."""
    text = sge.Cast(this=sg.column(name, quoted=True), to=sge.DataType.build("text"))
    return sge.Collate(this=text, expression=sg.to_identifier("C", quoted=True))


def temporary(this: sge.Expression, kind: str, query: sge.Expression | None = None) -> sge.Create:
    """CREATE TEMPORARY TABLE or VIEW."""
    properties = sge.Properties(expressions=[sge.TemporaryProperty()])
    return sge.Create(this=this, kind=kind, expression=query, properties=properties)
