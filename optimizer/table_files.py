"""Finding a table's files and handing them to the engine; what cannot be read is a fault."""

from __future__ import annotations

import csv
import glob
import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq

from optimizer.engine import Engine
from optimizer.faults import BadInput, Fault


def find_files(folder: Path, table: str, source: str) -> list[Path]:
    """Return the files that a path or glob names, relative to the plan's folder, in their names' order.

    Raises BadInput when there are none, or when they are not all CSV or all Parquet.
    """
    exact = folder / source
    found = [exact] if exact.is_file() else [folder / name for name in _matches(folder, source)]
    if not found:
        raise _fault(table, f"there is no file {source}", "Correct the path; it starts at the plan's folder.")
    kinds = {file.suffix.lower() for file in found}
    if kinds not in ({".csv"}, {".parquet"}):
        raise _fault(table, f"{source} is not CSV or Parquet alone", "Give .csv files or .parquet files.")
    return found


def read_files(engine: Engine, table: str, files: list[Path]) -> ir.Table:
    """Return the files' rows as a table that is not read yet: from CSV all text, empty cells NULL.

    Raises BadInput when a file cannot be opened or its header is faulty.
    """
    as_csv = files[0].suffix.lower() == ".csv"
    by_header: dict[tuple[str, ...], list[Path]] = {}
    for file in files:
        with reading(engine, table, file.name):
            header = _csv_header(file) if as_csv else tuple(pq.read_schema(file).names)
        check_header(table, file.name, header)
        by_header.setdefault(header if as_csv else (), []).append(file)
    with reading(engine, table, files[0].name):
        if not as_csv:
            return engine.read_parquet(files)
        parts = [engine.read_csv(group, header) for header, group in by_header.items()]
    columns = list(dict.fromkeys(name for part in parts for name in part.columns))
    return ibis.union(*(_widened(part, columns) for part in parts)) if len(parts) > 1 else parts[0]


def sha256_of(files: list[Path]) -> str:
    """The hash of a file; of several that of the lines `hash  name`, as sha256sum tells them."""
    told = []
    for file in files:
        with file.open("rb") as content:
            told.append((hashlib.file_digest(content, "sha256").hexdigest(), file.name))
    if len(told) == 1:
        return told[0][0]
    return hashlib.sha256("".join(f"{digest}  {name}\n" for digest, name in told).encode()).hexdigest()


@contextmanager
def reading(engine: Engine, table: str, source: str) -> Iterator[None]:
    """Turn failures to read a file into BadInput; the engine's words may hold rows and are not shown."""
    try:
        yield
    except UnicodeDecodeError:
        raise _fault(table, f"{source} is not UTF-8 text", "Save it as UTF-8.") from None
    except (*engine.failed_reading, pa.ArrowException, OSError, csv.Error) as error:
        if isinstance(error, OSError) and error.errno is not None and not isinstance(error, PermissionError):
            raise  # the machine's trouble, such as a full disk, is no fault of the table
        words = str(error)
        if "utf-8" in words.lower():
            raise _fault(table, f"{source} is not UTF-8 text", "Save it as UTF-8.") from None
        line = re.search(r"Line: (\d+)", words)
        at = f" from line {line.group(1)} on" if line else ""
        remedy = (
            "Check that it is whole; in CSV: commas between cells, as many as in the header, quotes closed."
        )
        raise _fault(table, f"{source} cannot be read{at}", remedy) from None


def _matches(folder: Path, source: str) -> list[str]:
    names = glob.glob(source, root_dir=folder, recursive=True)  # noqa: PTH207 - it takes absolute ones too
    return sorted(name for name in names if (folder / name).is_file())


def _csv_header(file: Path) -> tuple[str, ...]:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        return tuple(next(csv.reader(lines), ()))


def check_header(table: str, file: str, header: tuple[str, ...]) -> None:
    """Refuse headers without names and names that the engine takes for one another."""
    if not header:
        raise _fault(table, f"{file} has no header line", "Put the columns' names into the first line.")
    if not all(header):
        raise _fault(table, f"{file} has a column without a name", "Name it or take it out.")
    times = Counter(name.lower() for name in header)
    twice = [name for name in header if times[name.lower()] > 1]
    if twice:
        rule = f"{file} has the column {' and '.join(twice)} more than once (upper and lower case are alike)"
        raise _fault(table, rule, "Rename one of them or take it out.")


def _widened(part: ir.Table, columns: list[str]) -> ir.Table:
    missing = {name: ibis.null("string") for name in columns if name not in part.columns}
    return part.mutate(**missing).select(columns)


def _fault(table: str, rule: str, remedy: str) -> BadInput:
    return BadInput([Fault(table, "", rule, remedy)])
