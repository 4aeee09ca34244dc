"""The campaign tools' files: a CSV file for each date, channel and campaign, with a manifest.

Customer-sized tables pass through in batches, sorted by the engine, so memory does not grow with them.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from itertools import groupby, pairwise
from pathlib import Path

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

_KEY = ("channel", "campaign")
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
    rows: int
    sha256: str


def write_csv(
    calendar: ibis.Table, control: ibis.Table, folder: Path, *, name: str, start: date, days: int
) -> None:
    """Write the calendar's contacts, final and provisional, as plain CSV files (UTF-8, one header row).

    `calendar` and `control` have the columns of `calendar.parquet`. Into `folder` (made if missing) go
    `DATE.CHANNEL.CAMPAIGN.csv` with the rows of each, sorted by customer; `control.csv`, sorted by date and
    customer; and `manifest.json` with the plan's `name`, its period, and each file's row count and SHA-256.
    Text that a spreadsheet would run as a formula gets a leading apostrophe; numbers stay as they are.
    Raises FileExistsError where one of the files is already there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = [*_write_contacts(calendar, folder), _write_control(control, folder)]
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


def _write_contacts(calendar: ibis.Table, folder: Path) -> Iterator[ExportedFile]:
    """One file a run of equal keys; only one file is open at a time, however many there are."""
    days = calendar.select("contact_on").distinct().order_by("contact_on").to_pyarrow()
    for when in days.column("contact_on").to_pylist():
        # Day by day, so that the engine never sorts more than one day's contacts at once.
        own = calendar.filter(calendar["contact_on"] == when)
        ordered = own.order_by(["channel", "campaign", "customer_id", "contact_id"])
        with ordered.to_pyarrow_batches() as batches:
            for (channel, campaign), pieces in groupby(_cut_by_key(batches), key=_key):
                path = folder / file_name(when, channel, campaign)
                rows, digest = _write_file(path, batches.schema, pieces)
                yield ExportedFile(path.name, "contacts", when.isoformat(), channel, campaign, rows, digest)


def _write_control(control: ibis.Table, folder: Path) -> ExportedFile:
    path = folder / "control.csv"
    ordered = control.order_by(["contact_on", "customer_id", "contact_id"])
    with ordered.to_pyarrow_batches() as batches:
        rows, digest = _write_file(path, batches.schema, batches)
    return ExportedFile(path.name, "control group", None, None, None, rows, digest)


def _key(rows: pa.RecordBatch) -> tuple[str, str]:
    channel, campaign = (rows.column(name)[0].as_py() for name in _KEY)
    return channel, campaign


def _cut_by_key(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows in the same order, cut wherever the file's key changes (and where batches end)."""
    for batch in batches:
        changes = np.zeros(max(batch.num_rows - 1, 0), dtype=bool)
        for name in _KEY:
            values = batch.column(name)
            changes |= pc.not_equal(values[1:], values[:-1]).to_numpy(zero_copy_only=False)
        edges = [0, *(np.flatnonzero(changes) + 1).tolist(), batch.num_rows]
        for first, last in pairwise(edges):
            if last > first:
                yield batch.slice(first, last - first)


def _write_file(path: Path, schema: pa.Schema, pieces: Iterable[pa.RecordBatch]) -> tuple[int, str]:
    """Write a new file; its number of rows and its SHA-256 in lower-case hex."""
    rows = 0
    with path.open("xb") as out, pyarrow.csv.CSVWriter(out, schema) as writer:
        for piece in pieces:
            writer.write_batch(_neutralised(piece))
            rows += piece.num_rows
    with path.open("rb") as written:
        return rows, hashlib.file_digest(written, "sha256").hexdigest()


def _neutralised(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Text that a spreadsheet would take for a formula, with a leading apostrophe."""
    columns = []
    for field, values in zip(rows.schema, rows.columns, strict=True):
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
            formula = pc.match_substring_regex(values, _FORMULA_START)
            marked = pc.binary_join_element_wise("'", values, "").cast(field.type)
            columns.append(pc.if_else(formula, marked, values))
        else:
            columns.append(values)
    return pa.RecordBatch.from_arrays(columns, schema=rows.schema)
