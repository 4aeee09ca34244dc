"""Where the work on customers is done: one open connection, and all in which the engines differ."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir


@ibis.udf.scalar.builtin(name="timezone", signature=((dt.string, dt.Timestamp("UTC")), dt.timestamp))  # type: ignore[untyped-decorator]
def timezone(zone: str, at: Any) -> Any:
    """Turn an instant into the local time of a zone (a function of DuckDB and PostgreSQL alike)."""


class Engine(ABC):
    """An open connection to DuckDB, PostgreSQL or Spark.

    `connection` is its Ibis backend, `failed_reading` what it raises where a file cannot be read. The
    tables made by `keep` live as long as the connection and are seen by nobody else.
    """

    name: ClassVar[str]
    connection: Any
    failed_reading: tuple[type[Exception], ...] = ()

    def __init__(self) -> None:
        self._numbers = count(1)
        self._kept: dict[str, str] = {}

    def keep(self, name: str, rows: ir.Table) -> ir.Table:
        """Return the rows as a table that is worked out once; what was kept under the name is dropped."""
        place = self.fresh_name(name)
        kept = self._store(place, rows)
        former = self._kept.get(name)
        self._kept[name] = place
        if former is not None:
            self._drop(former)
        return kept

    def drop(self, name: str) -> None:
        """Drop what was kept under the name, before the connection ends."""
        self._drop(self._kept.pop(name))

    def fresh_name(self, name: str) -> str:
        """A name not used on this connection: a table may be made from the one whose place it takes."""
        return f"{name} {next(self._numbers)}"

    @abstractmethod
    def _store(self, place: str, rows: ir.Table) -> ir.Table:
        """Work the rows out into a table of this connection alone."""

    @abstractmethod
    def _drop(self, place: str) -> None:
        """Drop a table that `_store` made."""

    @abstractmethod
    def table(self, qualified: str) -> ir.Table:
        """A table of the database, such as `crm.customers` or `crm."odd; name"`, read by every query anew.

        Raises NoSuchTable.
        """

    @abstractmethod
    def read_parquet(self, files: Sequence[Path]) -> ir.Table:
        """The rows of Parquet files, columns by name; read by every query anew where the engine can."""

    @abstractmethod
    def read_csv(self, files: Sequence[Path], columns: Sequence[str]) -> ir.Table:
        """The rows of CSV files (RFC 4180, UTF-8, one header line) as text by position, empty cells NULL."""

    @abstractmethod
    def fingerprint(self, values: Mapping[str, ir.Value]) -> ir.IntegerValue:
        """A 64-bit hash of a row's values in their order; comparable on this engine only."""

    @abstractmethod
    def local_time(self, zone: str, instant: ir.TimestampValue) -> ir.TimestampValue:
        """An instant as the clock of a time zone shows it."""

    def lower(self, text: ir.StringValue) -> ir.StringValue:
        """A text in lower case, letters beyond ASCII too."""
        return text.lower()

    @abstractmethod
    def close(self) -> None:
        """End the connection and remove what it kept."""


class NoSuchTable(LookupError):  # noqa: N818 - named for what the user sees
    """The database has no such table, or it may not be read; the argument says which of them."""


class CannotConnect(RuntimeError):  # noqa: N818 - named for what the user sees
    """The engine cannot be opened; the argument says why, without any secret, `remedy` what to do."""

    def __init__(self, rule: str, remedy: str) -> None:
        super().__init__(rule)
        self.remedy = remedy
