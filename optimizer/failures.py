"""What went wrong outside the plan, in words: the disk, the memory, the database.

A database's own words may hold customers' rows and are not shown; its five-letter code is.
"""

from __future__ import annotations

import errno
import sys

FULL = "the disk is full"
_NOTHING_CHANGED = "Nothing half-written is left, and an earlier run is as it was."
_ROOM = "See that the disk has room and that the files can be read and written, then try again."
_MEMORY = "Give more with --memory-limit, or see that the temporary folder (TMPDIR) has room; then try again."
_CONNECTION = "See that the database can be reached, then try again."


def in_words(failure: Exception) -> str | None:
    """What failed, what state that leaves, and what to do; None for a failure that is none of these."""
    from optimizer.run_folder import Undecided  # noqa: PLC0415 - keeps `--help` quick

    if isinstance(failure, Undecided):
        return (
            f"{_cause(failure.__cause__)} while the database took the run. "
            "The next command finds out whether it did; until then nothing half-written is seen."
        )
    known = _known(failure)
    return None if known is None else f"{known[0]}. {_NOTHING_CHANGED} {known[1]}"


def _cause(failure: BaseException | None) -> str:
    known = _known(failure) if failure is not None else None
    return known[0] if known is not None else f"something failed ({type(failure).__name__})"


def _known(failure: BaseException) -> tuple[str, str] | None:
    """What failed, and what to do."""
    if isinstance(failure, OSError):
        full = failure.errno in (errno.ENOSPC, errno.EDQUOT)
        return (f"{FULL}: {failure}" if full else str(failure)), _ROOM
    return _of_duckdb(failure) or _of_postgres(failure) or _of_spark(failure)


def _of_duckdb(failure: BaseException) -> tuple[str, str] | None:
    """DuckDB has exceptions of its own for files and memory."""
    import duckdb  # noqa: PLC0415

    words = str(failure)
    if isinstance(failure, duckdb.OutOfMemoryException):
        return "the memory allowed, and the room to spill, are not enough", _MEMORY
    if isinstance(failure, duckdb.IOException):
        return (f"{FULL}: {words}" if "No space left" in words else words), _ROOM
    return None


def _of_postgres(failure: BaseException) -> tuple[str, str] | None:
    psycopg = sys.modules.get("psycopg")
    if psycopg is None or not isinstance(failure, psycopg.Error):
        return None
    code = failure.sqlstate
    if code in ("53100", "53200"):
        return "the database's server has no room left on its disk or in its memory", "Make room there."
    if code == "55P03":
        return "another run is being stored in the same output tables", "Run again when it has ended."
    if code == "42501":
        return "the database's user lacks a right", "Grant it to read the tables and to write output_schema."
    if isinstance(failure, psycopg.OperationalError | psycopg.InterfaceError):
        return "the connection to the database was lost", _CONNECTION
    return f"the database refused a statement ({type(failure).__name__}, {code})", _CONNECTION


def _of_spark(failure: BaseException) -> tuple[str, str] | None:
    if type(failure).__module__.partition(".")[0] not in ("pyspark", "py4j"):
        return None
    return f"Spark failed ({type(failure).__name__})", "See Spark's log, then try again."
