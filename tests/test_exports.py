"""The campaign tools' CSV files: what is in which file, under which name, and that none is lost."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.coded_rows import CodedRows
from optimizer.customer_files import write_contacts
from optimizer.engine_duckdb import DuckDB
from optimizer.exports import contact_files, control_file, file_name, write_manifest
from optimizer.file_pieces import Piece

START = date(2026, 11, 30)
KINDS = {
    "contact_on": "date", "channel": "string", "campaign": "string", "segment": "string", "stream": "string",
    "final": "boolean", "response_rate": "float64", "expected_value": "float64", "cost": "float64",
}  # fmt: skip


@pytest.fixture
def engine() -> Iterator[DuckDB]:
    opened = DuckDB()
    yield opened
    opened.close()


def contacts(
    engine: DuckDB, rows: list[tuple[Any, int, str, str]], customer: pa.DataType | None = None
) -> CodedRows:
    """Contacts from (customer, day, channel, campaign)."""
    kinds = sorted({row[1:] for row in rows})
    book = pd.DataFrame(kinds, columns=["day", "channel", "campaign"])
    book = book.assign(
        code=[3 * n for n in range(len(kinds))],
        contact_on=[START + timedelta(day) for day in book.day],
        segment="1",
        stream="s1",
        final=book.day < 7,
        response_rate=0.02,
        expected_value=-0.5,
        cost=0.004,
    )
    table = pa.table(
        {
            "customer_id": pa.array([row[0] for row in rows], customer or pa.string()),
            "code": pa.array([3 * kinds.index(row[1:]) for row in rows], pa.int32()),
        }
    )
    return CodedRows(engine.connection.create_table(engine.fresh_name("rows"), table), book, KINDS)


def export(
    engine: DuckDB, folder: Path, rows: list[Any], control: tuple[Any, ...] = (), customer: Any = None
) -> dict[str, Any]:
    calendar, withheld = contacts(engine, rows, customer), contacts(engine, list(control), customer)
    sent, held_back = contact_files(folder, calendar), control_file(folder, withheld)
    write_contacts(engine, calendar, [sent])
    write_contacts(engine, withheld, [held_back])
    files = [*sent.files(), *held_back.files()]
    write_manifest(folder, files, name="autumn", start=START, days=28)
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text("utf-8"))
    return manifest


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_one_file_for_each_date_channel_and_campaign(engine: DuckDB, tmp_path: Path) -> None:
    rows = [("b", 0, "email", "sale"), ("a", 0, "email", "sale"), ("a", 9, "email", "sale")]
    rows += [("c", 0, "sms", "sale"), ("d", 0, "email", "thanks")]
    manifest = export(engine, tmp_path, rows, (("z", 3, "sms", "sale"), ("y", 2, "email", "sale")))

    assert manifest["plan"] == "autumn"
    assert manifest["period"] == {"start": "2026-11-30", "end": "2026-12-27", "days": 28}
    assert [(f["file"], f["rows"]) for f in manifest["files"]] == [
        ("2026-11-30.email.sale.csv", 2),
        ("2026-11-30.email.thanks.csv", 1),
        ("2026-11-30.sms.sale.csv", 1),
        ("2026-12-09.email.sale.csv", 1),
        ("control.csv", 2),
    ]
    assert {p.name for p in tmp_path.iterdir()} == {f["file"] for f in manifest["files"]} | {"manifest.json"}
    first = read(tmp_path / "2026-11-30.email.sale.csv")
    assert [row["customer_id"] for row in first] == ["a", "b"]
    assert list(first[0]) == ["contact_id", "customer_id", *KINDS]
    assert first[0]["final"] == "true"
    assert read(tmp_path / "2026-12-09.email.sale.csv")[0]["final"] == "false"
    assert [row["customer_id"] for row in read(tmp_path / "control.csv")] == ["y", "z"]


def test_manifest_counts_and_checksums_match_the_files(engine: DuckDB, tmp_path: Path) -> None:
    manifest = export(engine, tmp_path, [(f"k{i:03}", i % 5, "email", f"c{i % 3}") for i in range(300)])
    for entry in manifest["files"]:
        path = tmp_path / entry["file"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == entry["sha256"]
        assert len(read(path)) == entry["rows"]
    assert sum(entry["rows"] for entry in manifest["files"]) == 300


def test_row_order_of_the_calendar_does_not_matter(engine: DuckDB, tmp_path: Path) -> None:
    rows = [(f"k{i:02}", i % 3, "email", "sale") for i in range(30)]
    forwards = export(engine, tmp_path / "one", rows)
    assert export(engine, tmp_path / "two", rows[::-1]) == forwards


def test_empty_calendar_leaves_an_empty_control_file_and_a_manifest(engine: DuckDB, tmp_path: Path) -> None:
    manifest = export(engine, tmp_path / "exports", [])
    assert [(f["file"], f["rows"]) for f in manifest["files"]] == [("control.csv", 0)]
    assert "customer_id" in (tmp_path / "exports" / "control.csv").read_text()


def test_integer_customers_are_sorted_by_value_and_written_as_numbers(engine: DuckDB, tmp_path: Path) -> None:
    rows = [(10, 0, "email", "sale"), (-3, 0, "email", "sale"), (9, 0, "email", "sale")]
    export(engine, tmp_path, rows, customer=pa.int64())
    written = read(tmp_path / "2026-11-30.email.sale.csv")
    assert [row["customer_id"] for row in written] == ["-3", "9", "10"]


@pytest.mark.parametrize("text", ["=1+1", "+49170", "-5", "@cmd", "\tx", "\rx"])
def test_text_that_looks_like_a_formula_is_neutralised(engine: DuckDB, tmp_path: Path, text: str) -> None:
    manifest = export(engine, tmp_path, [(text, 0, text, text), ("a=b", 0, text, text)])
    entry = manifest["files"][0]
    assert (entry["channel"], entry["campaign"]) == (text, text), "the manifest holds the names as they are"
    with (tmp_path / entry["file"]).open(encoding="utf-8", newline="") as file:
        written = list(csv.DictReader(file))
    assert {row["customer_id"] for row in written} == {f"'{text}", "a=b"}
    assert {(row["channel"], row["campaign"]) for row in written} == {(f"'{text}", f"'{text}")}
    assert {row["expected_value"] for row in written} == {"-0.5"}


def test_names_cannot_leave_the_folder_nor_fall_together(engine: DuckDB, tmp_path: Path) -> None:
    names = ["../../etc/x", "a/b", "a b", "A b", "a-b", "..", "", "Größe", "groe", "x" * 300, 'q"\n,', "."]
    manifest = export(engine, tmp_path / "out", [("k", 0, "email", name) for name in names])
    files = [entry["file"] for entry in manifest["files"] if entry["campaign"] is not None]
    assert len({name.lower() for name in files}) == len(names)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*files, "control.csv", "manifest.json"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_files_already_there_are_not_overwritten(engine: DuckDB, tmp_path: Path) -> None:
    (tmp_path / "2026-11-30.email.sale.csv").write_text("mine")
    with pytest.raises(FileExistsError):
        export(engine, tmp_path, [("a", 0, "email", "sale")])
    assert (tmp_path / "2026-11-30.email.sale.csv").read_text() == "mine"


NAMES = st.tuples(st.text(max_size=80), st.text(max_size=80))


@given(NAMES, NAMES)
def test_file_names_are_plain_and_different_for_different_campaigns(one: Any, two: Any) -> None:
    first, second = file_name(START, *one), file_name(START, *two)
    assert set(first) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-.")
    assert len(first) < 150
    assert Path(first).name == first
    assert (first == second) == (one == two)


def test_a_name_made_to_look_like_another_ones_reduced_form_stays_apart() -> None:
    reduced = file_name(START, "email", "Winter Sale").split(".")[2]
    assert file_name(START, "email", reduced) != file_name(START, "email", "Winter Sale")


def test_files_are_as_arrow_writes_them_piece_by_piece(engine: DuckDB, tmp_path: Path) -> None:
    rows = [
        ("", 0, "email", 'a "b"'),
        ("é,\n", 8, "sms", "-c"),
        ('"', 0, "email", 'a "b"'),
        ("=x", 8, "sms", "-c"),
    ]
    coded = contacts(engine, rows)
    figures = [1e-7, 123456789.125, -0.0][: len(coded.book)]
    coded = replace(coded, book=coded.book.assign(expected_value=figures))
    lines = contact_files(tmp_path, coded)
    place, book = [0, 1, 0, 1], coded.book_arrays()
    own = {
        "contact_id": pa.array(["c0", "c1", "c2", "c3"]),
        "customer_id": pa.array([row[0] for row in rows]),
    }
    for some in (slice(0, 1), slice(1, 1), slice(1, 4)):
        lines.write(
            Piece({name: ids[some] for name, ids in own.items()}, np.array(place[some], dtype=np.int64))
        )
    whole = pa.table({**own, **{name: values.take(pa.array(place)) for name, values in book.items()}})
    for text in ("customer_id", "campaign"):
        safe = [f"'{cell}" if cell[:1] in {"=", "-"} else cell for cell in whole[text].to_pylist()]
        whole = whole.set_column(whole.column_names.index(text), text, pa.array(safe))
    for file, some in zip(lines.files(), ([0, 2], [1, 3]), strict=True):
        pyarrow.csv.write_csv(whole.take(some), tmp_path / "expected.csv")
        assert (tmp_path / file.file).read_bytes() == (tmp_path / "expected.csv").read_bytes()
        assert file.rows == 2
