"""Spark: a cluster's session, or one of this machine; what is kept are cached views of the session."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq
from ibis.backends.pyspark import Backend
from ibis.backends.pyspark.datatypes import PySparkSchema, PySparkType
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - its usual name
from pyspark.sql.types import TimestampType
from pyspark.storagelevel import StorageLevel

from optimizer.engine import CannotConnect, Engine, NoSuchTable
from optimizer.engine_duckdb import DuckDB
from optimizer.qualified_name import parts_of
from optimizer.spill import SpillFolder

_NULL = "\x1f"
_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.variable.substitute": "false",  # ${…} in a name is a part of the name
    "spark.sql.ansi.enabled": "true",  # a cast that fails is an error, and no empty cell
    "spark.sql.caseSensitive": "true",
    "spark.sql.legacy.parquet.nanosAsLong": "true",  # Spark has no nanoseconds, pandas writes them
}


@ibis.udf.scalar.builtin(name="xxhash64", signature=((dt.Array(dt.string),), dt.int64))  # type: ignore[untyped-decorator]
def _hash(texts: list[str]) -> Any:
    """Spark's 64-bit hash."""


@ibis.udf.scalar.builtin(
    name="from_utc_timestamp", signature=((dt.Timestamp("UTC"), dt.string), dt.Timestamp("UTC"))
)  # type: ignore[untyped-decorator]
def _from_utc(at: Any, zone: str) -> Any:
    """Turn an instant into the local time of a zone, where the session's own is UTC."""


class UnreadableFile(RuntimeError):  # noqa: N818 - what it is
    """Spark could not read a file; its own words hold rows of it."""


class Spark(Engine):
    """A session of a master (spark://…, local[4], yarn), of a server (sc://…), or of this machine.

    A session that the process has already is used as it is, and stays open. Raises CannotConnect.
    """

    name = "spark"
    failed_reading = (UnreadableFile, *DuckDB.failed_reading)

    def __init__(
        self, master: str | None = None, threads: int | None = None, memory: int | None = None
    ) -> None:
        super().__init__()
        self._found = SparkSession.getActiveSession()
        self._frames: dict[str, DataFrame] = {}
        self._spill = SpillFolder()
        # PySpark repeats errors, rows of tables included, on the screen.
        logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)
        try:
            session = self._found or _session(master, threads, memory)
            for key, value in _SETTINGS.items():
                session.conf.set(key, value)
            _ = ibis.pyspark  # has Ibis' options for Spark set up
            self.connection = _Backend()
            self.connection.do_connect(session)
        except (PySparkException, RuntimeError, OSError, ValueError) as error:
            remedy = "Check the URL, that the cluster can be reached, and that Java 17 is installed."
            raise CannotConnect("no Spark session can be opened", remedy) from error

    def _store(self, place: str, rows: ir.Table) -> ir.Table:
        frame = self.connection.frame(rows).persist(StorageLevel.MEMORY_AND_DISK)
        with _hidden_rows():
            frame.count()  # works it out now, once
        frame.createOrReplaceTempView(_quoted(place))
        self._frames[place] = frame
        return self._view(place, rows.schema())

    def _drop(self, place: str) -> None:
        self._frames.pop(place).unpersist()
        self.connection._session.catalog.dropTempView(place)

    def table(self, qualified: str) -> ir.Table:
        """See Engine: a table of the session's catalog."""
        parts = parts_of(qualified)
        try:
            frame = self.connection._session.table(".".join(_quoted(part) for part in parts))
            return self._of_frame(parts[-1], frame)
        except PySparkException as error:
            raise NoSuchTable("there is no such table in the catalog, or it may not be read") from error

    def read_parquet(self, files: Sequence[Path]) -> ir.Table:
        """See Engine."""
        frames = []
        for file in files:  # one by one: wildcards in names, and columns that only some files have
            frames.append(_with_microseconds(self._read(file), pq.read_schema(file)))
        union = reduce(lambda one, more: one.unionByName(more, allowMissingColumns=True), frames)
        return self._of_frame("parquet", union)

    def read_csv(self, files: Sequence[Path], columns: Sequence[str]) -> ir.Table:
        """See Engine."""
        # Spark takes what is no CSV for CSV (quotes not closed, no UTF-8), so DuckDB reads it.
        place = self._spill.path / self.fresh_name("csv")
        reader = DuckDB()
        try:
            reader.read_csv(files, columns).rename(
                {f"c{number}": name for number, name in enumerate(columns)}
            ).to_parquet(place)
        finally:
            reader.close()
        return self._of_frame("csv", self._read(place).toDF(*columns))

    def fingerprint(self, values: Mapping[str, ir.Value]) -> ir.IntegerValue:
        """See Engine."""
        # Spark's hash passes over NULLs, so they get a sign of their own.
        return _hash(ibis.array([value.cast("string").fill_null(_NULL) for value in values.values()]))

    def local_time(self, zone: str, instant: ir.TimestampValue) -> ir.TimestampValue:
        """See Engine."""
        return _from_utc(instant, zone)

    def close(self) -> None:
        """See Engine."""
        for place in list(self._frames):
            self._drop(place)
        if self._found is None:
            self.connection._session.stop()
        self._spill.remove()

    def _read(self, file: Path) -> DataFrame:
        """One file, also one whose name Spark would take for a pattern or for one to be passed over."""
        escaped = "".join(f"\\{sign}" if sign in "*?[]{}\\" else sign for sign in str(file.absolute()))
        frame: DataFrame = self.connection._session.read.parquet(escaped)
        return frame

    def _of_frame(self, name: str, frame: DataFrame) -> ir.Table:
        place = self.fresh_name(name)
        frame.createOrReplaceTempView(_quoted(place))
        # Ibis takes both kinds of timestamps for local ones.
        kinds = {
            field.name: dt.Timestamp("UTC")
            if isinstance(field.dataType, TimestampType)
            else PySparkType.to_ibis(field.dataType)
            for field in frame.schema.fields
        }
        return self._view(place, ibis.schema(kinds))

    def _view(self, place: str, schema: ibis.Schema) -> ir.Table:
        return ops.DatabaseTable(place, schema=schema, source=self.connection).to_expr()


class _Backend(Backend):  # type: ignore[misc]
    """Ibis' own, with tables from memory and results as Arrow: by way of pandas, no text becomes 'NaN'."""

    def frame(self, rows: ir.Table) -> DataFrame:
        """The rows as Spark's own, not worked out yet."""
        self._run_pre_execute_hooks(rows)
        frame: DataFrame = self._session.sql(self.compile(rows))
        # Whole numbers may come wider than Ibis says, sums for example.
        wanted = PySparkSchema.from_ibis(rows.schema())
        return frame.select(*[frame[_quoted(f.name)].cast(f.dataType).alias(f.name) for f in wanted.fields])

    def _register_in_memory_table(self, op: ops.InMemoryTable) -> None:
        frame = self._session.createDataFrame(
            op.data.to_pyarrow(op.schema), schema=PySparkSchema.from_ibis(op.schema)
        )
        frame.createOrReplaceTempView(op.name)

    def to_pyarrow(self, expr: ir.Expr, /, **_: Any) -> pa.Table | pa.Array | pa.Scalar:
        rows = expr.as_table()
        with _hidden_rows():
            found = self.frame(rows).toArrow().cast(rows.schema().to_pyarrow())
        return expr.__pyarrow_result__(found)


@contextmanager
def _hidden_rows() -> Iterator[None]:
    """Tells of files that cannot be read without Spark's own words, which hold rows."""
    try:
        yield
    except (Py4JJavaError, PySparkException) as error:
        if "FAILED_READ_FILE" in str(error):
            raise UnreadableFile("Spark could not read a file") from None
        raise


def _session(master: str | None, threads: int | None, memory: int | None) -> SparkSession:
    builder = SparkSession.builder.appName("contactplan")
    if master is not None and master.startswith("sc://"):
        return builder.remote(master).getOrCreate()
    # Its log is off: errors would show rows of the tables.
    builder = builder.config("spark.ui.enabled", "false").config("spark.log.level", "OFF")
    builder = builder.config("spark.ui.showConsoleProgress", "false")
    if master is None or master.startswith("local"):
        cores = threads or len(os.sched_getaffinity(0))
        builder = builder.master(master or f"local[{cores}]")
        # Many small shuffle files cost more than they bring on one machine.
        builder = builder.config("spark.sql.shuffle.partitions", str(cores))
        builder = builder.config("spark.driver.host", "127.0.0.1")
        builder = builder.config("spark.driver.bindAddress", "127.0.0.1")
    else:
        builder = builder.master(master)
    if memory is not None:
        builder = builder.config("spark.driver.memory", f"{memory >> 20}m")
    return builder.getOrCreate()


def _with_microseconds(frame: DataFrame, schema: pa.Schema) -> DataFrame:
    """Columns of nanoseconds, read as whole numbers, as timestamps again."""
    for field in schema:
        if pa.types.is_timestamp(field.type) and field.type.unit == "ns":
            at = F.timestamp_micros(F.floor(F.col(_quoted(field.name)) / 1000))
            kind = "timestamp" if field.type.tz else "timestamp_ntz"
            frame = frame.withColumn(field.name, at.cast(kind))
    return frame


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
