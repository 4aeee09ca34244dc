"""DuckDB inside this process: the default, and the engine that reads files on one machine."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import duckdb
import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
from ibis.backends.duckdb import Backend

from optimizer.engine import CannotConnect, Engine, NoSuchTable, timezone
from optimizer.qualified_name import parts_of
from optimizer.spill import SpillFolder

MEMORY_SHARE = 0.4
"""The share of the machine's memory that DuckDB takes unless told otherwise; then it spills to disk."""
_OWN_SHARE = 0.8
_NEVER = 2**31 - 1
"""Milliseconds before a bar of progress is drawn."""
DATABASE = "the database"
"""The name under which `file` is attached."""


@ibis.udf.scalar.builtin(name="hash", signature=((None,), dt.uint64))
def _hash(row):  # type: ignore[no-untyped-def]
    """A function of DuckDB; Ibis' own hash turns what it gives into bits and back, which takes longer."""


class DuckDB(Engine):
    """A database in memory; the tables of `file`, where there is one, are attached to it.

    Memory beyond `memory_limit` (such as 4GiB) goes to a folder that `close`, or the process' end, removes.
    Raises OSError where that folder cannot be made, and CannotConnect where `file` is no database.
    """

    name = "duckdb"
    failed_reading = (
        duckdb.InvalidInputException, duckdb.ConversionException, duckdb.SerializationException,
    )  # fmt: skip

    def __init__(
        self, file: Path | None = None, threads: int | None = None, memory_limit: str | None = None
    ) -> None:
        super().__init__()
        self._spill = SpillFolder()
        self.connection = ibis.duckdb.connect(temp_directory=str(self._spill.path))
        self.connection.settings["memory_limit"] = memory_limit or _share_of_memory(self.connection)
        # Runs tell their own progress. Notebooks without ipywidgets draw no bars and refuse the setting.
        with suppress(duckdb.InvalidInputException):
            self.connection.settings["progress_bar_time"] = _NEVER
        if threads:
            self.connection.settings["threads"] = threads
        self._attached = file is not None
        if file is not None:
            try:
                # Kept tables stay in memory; the attached database gets only what is written on purpose.
                self.connection.attach(str(file), name=DATABASE)
            except duckdb.Error as error:
                self.close()
                raise CannotConnect("cannot be opened as a DuckDB database", "Check the file.") from error

    def _store(self, place: str, rows: ir.Table) -> ir.Table:
        return self.connection.create_table(place, rows)

    def _drop(self, place: str) -> None:
        self.connection.drop_table(place)

    def table(self, qualified: str) -> ir.Table:
        """See Engine."""
        *schema, name = parts_of(qualified)
        database = (DATABASE, *(schema or ["main"])) if self._attached and len(schema) < 2 else tuple(schema)
        try:
            return self.connection.table(name, database=database)
        except (ibis.common.exceptions.TableNotFound, duckdb.Error) as error:
            raise NoSuchTable("there is no such table in the database") from error

    def read_parquet(self, files: Sequence[Path]) -> ir.Table:
        """See Engine."""
        return self.connection.read_parquet(_literal(files), union_by_name=True, hive_partitioning=False)

    def read_csv(self, files: Sequence[Path], columns: Sequence[str]) -> ir.Table:
        """See Engine: by position, so that no name is rewritten, and without guessing a dialect."""
        positions = {f"c{number}": "VARCHAR" for number in range(len(columns))}
        rows = self.connection.read_csv(
            _literal(files),
            columns=positions,
            auto_detect=False,
            header=True,
            delim=",",
            quote='"',
            escape='"',
            nullstr="",
            hive_partitioning=False,
        )
        return rows.rename(dict(zip(columns, positions, strict=True)))

    def fingerprint(self, values: Mapping[str, ir.Value]) -> ir.IntegerValue:
        """See Engine."""
        return _hash(ibis.struct(dict(values)))

    def local_time(self, zone: str, instant: ir.TimestampValue) -> ir.TimestampValue:
        """See Engine."""
        return timezone(zone, instant)

    def close(self) -> None:
        """See Engine."""
        self.connection.disconnect()
        self._spill.remove()


def _share_of_memory(connection: Backend) -> str:
    """Half of DuckDB's own default, which is 80 % of what the machine or the container has."""
    default = str(connection.con.execute("SELECT current_setting('memory_limit')").fetchone()[0])
    amount, unit = default.split()
    return f"{float(amount) * MEMORY_SHARE / _OWN_SHARE:.2f}{unit}"


def _literal(files: Sequence[Path]) -> list[str]:
    """Paths in which the engine's own wildcards stand for themselves."""
    return [glob.escape(str(file.absolute())) for file in files]
