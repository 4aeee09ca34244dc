"""The campaign tools' files: a CSV file for each date, channel and campaign, with a manifest.

Contacts pass through in pieces, so memory does not grow with them. All that contacts of a code have in common
is put into words once; a row takes only putting together.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from optimizer.coded_rows import CodedRows
from optimizer.file_pieces import Piece

_KEY = ["contact_on", "channel", "campaign"]
_FORMULA_START = r"^[=+\-@\t\r]"
_SAFE_NAME = re.compile(r"[a-z0-9_][a-z0-9_-]{0,59}")
_LOOKS_HASHED = re.compile(r"-[0-9a-f]{12}$")
_NOTE = "Text that begins with = + - @, a tab or a carriage return carries a leading apostrophe."


@dataclass(frozen=True)
class ExportedFile:
    """One file of the manifest; date, channel and campaign are None for the control group."""

    file: str
    content: str
    date: str | None
    channel: str | None
    campaign: str | None
    rows: int = 0
    sha256: str = ""


class CsvFiles:
    """New CSV files (UTF-8, one header row) for contacts; a Writer.

    `heads` are the files as the manifest lists them, but for rows and checksum; `file` says into which of
    them the contacts of each code in the book go. Each has its rows in the order in which they come. Text
    that a spreadsheet would run as a formula gets a leading apostrophe; numbers stay as they are. Raises
    FileExistsError where one of the files is already there.
    """

    def __init__(
        self, folder: Path, heads: Sequence[ExportedFile], contacts: CodedRows, file: NDArray[np.int64]
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        book = contacts.book_arrays()
        header = ",".join(f'"{name}"' for name in ("contact_id", "customer_id", *book)) + "\n"
        self._heads = heads
        self._files = [_GrowingFile(folder / head.file, header.encode()) for head in heads]
        self._file = file.astype(np.min_scalar_type(len(heads)))  # small numbers are sorted faster
        # With what stands around them, so that a line is put together from few pieces.
        self._tails = _joined("", ",", _joined(",", *map(_cells, book.values())), "\n")

    def write(self, piece: Piece) -> None:
        """Write the rows that come next."""
        file = self._file[piece.place]
        order = np.argsort(file, kind="stable")
        lines = self._lines(piece, order)
        _, ends, text = lines.buffers()
        starts = np.frombuffer(ends, dtype=np.int32)
        edges = [0, *(np.flatnonzero(np.diff(file[order])) + 1).tolist(), len(order)]
        for first, last in pairwise(edges):
            if last > first:
                own = memoryview(text)[starts[first] : starts[last]]
                self._files[file[order[first]]].append(own, last - first)

    def files(self) -> list[ExportedFile]:
        """The files as they are now."""
        return [
            replace(head, rows=file.rows, sha256=file.digest.hexdigest())
            for head, file in zip(self._heads, self._files, strict=True)
        ]

    def _lines(self, piece: Piece, order: NDArray[np.intp]) -> pa.StringArray:
        rows = pa.array(order)
        ids, customers = (piece.own[name].take(rows) for name in ("contact_id", "customer_id"))
        tails = self._tails.take(pa.array(piece.place[order]))
        return pc.binary_join_element_wise('"', ids, '",', _cells(customers), tails, "")


class _GrowingFile:
    """A new file that is open only while something is written, for there may be very many of them."""

    def __init__(self, path: Path, header: bytes) -> None:
        self._path, self.rows, self.digest = path, 0, hashlib.sha256(header)
        with path.open("xb") as out:
            out.write(header)

    def append(self, text: memoryview, rows: int) -> None:
        self.rows += rows
        self.digest.update(text)
        with self._path.open("ab") as out:
            out.write(text)


def contact_files(folder: Path, contacts: CodedRows) -> CsvFiles:
    """`DATE.CHANNEL.CAMPAIGN.csv` for the calendar's contacts, final and provisional."""
    keys = contacts.book[_KEY]
    heads = [
        ExportedFile(file_name(when, channel, campaign), "contacts", when.isoformat(), channel, campaign)
        for when, channel, campaign in keys.drop_duplicates().sort_values(_KEY).itertuples(index=False)
    ]
    return CsvFiles(folder, heads, contacts, np.array(keys.groupby(_KEY).ngroup(), dtype=np.int64))


def control_file(folder: Path, contacts: CodedRows) -> CsvFiles:
    """`control.csv` for the contacts that the control group would have had."""
    heads = [ExportedFile("control.csv", "control group", None, None, None)]
    return CsvFiles(folder, heads, contacts, np.zeros(len(contacts.book), dtype=np.int64))


def write_manifest(folder: Path, files: Sequence[ExportedFile], *, name: str, start: date, days: int) -> None:
    """`manifest.json`: the plan's `name`, its period, and each file with its row count and SHA-256."""
    manifest = {
        "format": "csv",
        "plan": name,
        "period": {
            "start": start.isoformat(),
            "end": (start + timedelta(days - 1)).isoformat(),
            "days": days,
        },
        "text": _NOTE,
        "files": [asdict(file) for file in files],
    }
    with (folder / "manifest.json").open("x", encoding="utf-8", newline="\n") as out:
        json.dump(manifest, out, indent=2, ensure_ascii=False)
        out.write("\n")


def file_name(when: date, channel: str, campaign: str) -> str:
    """The name of a contact file: safe on every file system, the same in every run, different for
    different campaigns and channels.

    A name that is not plain lower-case ASCII is reduced to that and marked with a part of its SHA-256, so
    that two names reduced alike stay apart whichever others the plan holds.
    """
    return f"{when.isoformat()}.{_slug(channel)}.{_slug(campaign)}.csv"


def _slug(name: str) -> str:
    if _SAFE_NAME.fullmatch(name) and not _LOOKS_HASHED.search(name):
        return name
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    plain = re.sub(r"[^a-z0-9_]+", "-", plain).strip("-")[:40]
    mark = hashlib.sha256(name.encode("utf-8")).hexdigest()[:12]
    return f"{plain or 'unnamed'}-{mark}"


def _cells(values: pa.Array) -> pa.StringArray:
    """The cells of a column: text in quotes, all else as it is."""
    if not pa.types.is_string(values.type):
        return pc.cast(values, pa.string())
    formula = pc.match_substring_regex(values, _FORMULA_START)
    safe = pc.if_else(formula, _joined("", "'", values), values)
    return _joined("", '"', pc.replace_substring(safe, '"', '""'), '"')


def _joined(separator: str, *columns: pa.Array | str) -> pa.StringArray:
    return pc.binary_join_element_wise(*columns, separator, null_handling="replace", null_replacement="")
