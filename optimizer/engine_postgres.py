"""PostgreSQL: the customers stay in its tables, and what is kept lives in the session's temporary schema."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import ibis.expr.types as ir
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import sqlglot as sg
import sqlglot.expressions as sge

from optimizer.engine import CannotConnect, Engine, NoSuchTable, timezone
from optimizer.postgres_backend import TEMPORARY, PostgresBackend, as_text, place_of, temporary
from optimizer.qualified_name import parts_of

_NULL = "\x1f"
# Compiling long expressions takes minutes. Nested loops never help joins by customer, and are chosen where
# the planner takes a condition that all rows keep for a rare one.
_SETTINGS = """
SET jit = off;
SET enable_nestloop = off;
CREATE FUNCTION pg_temp.lower_case(text) RETURNS text LANGUAGE sql IMMUTABLE
AS $$ SELECT lower($1 COLLATE "und-x-icu") COLLATE "C" $$
"""


@ibis.udf.scalar.builtin(name="hashtextextended", signature=((dt.string, dt.int64), dt.int64))  # type: ignore[untyped-decorator]
def _hash(text: str, seed: int) -> Any:
    """PostgreSQL's 64-bit hash of a text."""


@ibis.udf.scalar.builtin(name="lower_case", database=TEMPORARY, signature=((dt.string,), dt.string))  # type: ignore[untyped-decorator]
def _lower_case(text: str) -> Any:
    """Lower case of all scripts; PostgreSQL's own knows ASCII only where text is compared by its bytes."""


class PostgreSQL(Engine):
    """A session on a server, reached by its URL. Raises CannotConnect, which never holds the URL."""

    name = "postgres"

    def __init__(self, url: str) -> None:
        super().__init__()
        try:
            session = psycopg.connect(url, autocommit=True, application_name="contactplan")
        except (psycopg.Error, ValueError, UnicodeError) as error:
            raise CannotConnect(*_reason(str(error))) from None
        with session.cursor() as cursor:
            if session.info.encoding != "utf-8" or session.info.parameter_status("server_encoding") != "UTF8":
                session.close()
                remedy = "Use a database with ENCODING 'UTF8'."
                raise CannotConnect("is a database whose text is not UTF-8", remedy)
            cursor.execute(_SETTINGS)
        self.connection = PostgresBackend.from_connection(session)
        weakref.finalize(self.connection, session.close)  # where a failure kept `close` from being called

    def _store(self, place: str, rows: ir.Table) -> ir.Table:
        # Not INSERT INTO … SELECT: that never runs in parallel.
        self._run(temporary(place_of(place), "TABLE", self.connection.typed_query(rows)))
        self._run(
            f"ANALYZE {place_of(place, TEMPORARY).sql('postgres')}"
        )  # temporary tables are analysed by nobody else
        return self._known(place, rows.schema())

    def _drop(self, place: str) -> None:
        self._run(sge.Drop(this=place_of(place, TEMPORARY), kind="TABLE"))

    def table(self, qualified: str) -> ir.Table:
        """See Engine. Text comes as `COLLATE "C"`: in the order of its bytes, as everywhere else."""
        parts = parts_of(qualified, fold=True)
        found = self._find(parts)
        if found is None:
            raise NoSuchTable("there is no such table in the database")
        try:
            schema = self.connection.get_schema(found[1], database=found[0])
            place = self.fresh_name(parts[-1])[-60:]
            source = place_of(found[1], found[0])
            columns = [_by_bytes(name, kind) for name, kind in schema.items()]
            view = temporary(place_of(place), "VIEW", sg.select(*columns).from_(source))
            self._run(view)
            self._run(
                sg.select("1").from_(place_of(place, TEMPORARY)).limit(0)
            )  # told now if it may not be read
        except psycopg.errors.InsufficientPrivilege as error:
            raise NoSuchTable("this user may not read the table") from error
        kinds = {name: dt.string if kind.is_unknown() else kind for name, kind in schema.items()}
        return self._known(place, ibis.schema(kinds))

    def _find(self, parts: Sequence[str]) -> tuple[str, str] | None:
        """Schema and name of a table or view, found as the session's search path finds it."""
        quoted = ".".join(sg.to_identifier(part, quoted=True).sql("postgres") for part in parts)
        query = (
            "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c "
            "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass(%s)"
        )
        try:
            with self.connection.con.cursor() as cursor:
                row = cursor.execute(query, (quoted,)).fetchone()
        except psycopg.errors.InsufficientPrivilege as error:
            raise NoSuchTable("this user may not use the table's schema") from error
        except psycopg.errors.FeatureNotSupported:  # a name of three parts that names another database
            return None
        return None if row is None else (str(row[0]), str(row[1]))

    def read_parquet(self, files: Sequence[Path]) -> ir.Table:
        """See Engine: the server cannot see the files, so their rows are copied to it, batch by batch."""
        schema = ibis.Schema.from_pyarrow(pa.unify_schemas([pq.read_schema(file) for file in files]))
        place = self.fresh_name("files")
        self.connection.copy_in(place, schema, (batch for file in files for batch in _batches(file, schema)))
        return self._known(place, schema)

    def read_csv(self, files: Sequence[Path], columns: Sequence[str]) -> ir.Table:
        """PostgreSQL reads no CSV of this machine: a plan's files are never opened on it."""
        raise NotImplementedError("PostgreSQL reads no files")

    def fingerprint(self, values: Mapping[str, ir.Value]) -> ir.IntegerValue:
        """See Engine: the hash of each value is the seed of the next."""
        digest: Any = ibis.literal(0, "int64")
        for value in values.values():
            digest = _hash(value.cast("string").fill_null(_NULL), digest)
        return digest

    def local_time(self, zone: str, instant: ir.TimestampValue) -> ir.TimestampValue:
        """See Engine."""
        return timezone(zone, instant)

    def lower(self, text: ir.StringValue) -> ir.StringValue:
        """See Engine."""
        return _lower_case(text)

    def close(self) -> None:
        """See Engine."""
        self.connection.con.close()

    def _run(self, statement: sge.Expression | str) -> None:
        text = statement if isinstance(statement, str) else statement.sql("postgres")
        with self.connection.con.cursor() as cursor:
            cursor.execute(text)

    def _known(self, place: str, schema: ibis.Schema) -> ir.Table:
        """A temporary table, named with its schema: one of the same name elsewhere must not be meant."""
        namespace = ops.Namespace(database=TEMPORARY)
        return ops.DatabaseTable(place, schema=schema, source=self.connection, namespace=namespace).to_expr()


def _by_bytes(name: str, kind: dt.DataType) -> Any:
    """A column as it is; text, and what Ibis does not know (enumerations, JSON), as text of plain bytes."""
    if kind.is_string() or kind.is_unknown():
        return as_text(name).as_(name, quoted=True)
    return sg.column(name, quoted=True)


def _batches(file: Path, schema: ibis.Schema) -> Iterator[pa.RecordBatch]:
    """A file's rows with the columns of the schema, those that it lacks empty."""
    wanted = schema.to_pyarrow()
    for batch in pq.ParquetFile(file).iter_batches(100_000):
        given = {name: batch[name] for name in batch.schema.names}
        columns = [given.get(field.name, pa.nulls(len(batch))).cast(field.type) for field in wanted]
        yield pa.RecordBatch.from_arrays(columns, schema=wanted)


def _reason(words: str) -> tuple[str, str]:
    """Why a connection failed, and what to do; the driver's words may hold the URL and are not shown."""
    known = (
        ("authentication failed", "the server refuses the user or the password", "Check the URL's user."),
        ("no password supplied", "the server asks for a password", "Put it into the environment's variable."),
        ("does not exist", "there is no such database or user", "Check the URL's end and its user."),
        ("resolve host", "there is no host of that name", "Check the URL's host."),
        ("name or service", "there is no host of that name", "Check the URL's host."),
        ("timeout", "the server does not answer", "Check the URL's host and port, and the network."),
        ("refused", "the server cannot be reached", "Check the URL's host and port, and that it runs."),
        ("too many", "the server has no connection left", "Try again later."),
    )
    lower = words.lower()
    for sign, rule, remedy in known:
        if sign in lower:
            return rule, remedy
    return "cannot be connected to", "Check that it reads postgresql://user:password@host:5432/database."
