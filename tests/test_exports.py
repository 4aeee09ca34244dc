"""The campaign tools' CSV files: what is in which file, under which name, and that none is lost."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.exports import file_name, write_csv

# Ibis 12 reads batches through a function that DuckDB 1.5 has renamed.
pytestmark = pytest.mark.filterwarnings("ignore:fetch_record_batch:DeprecationWarning")

START = date(2026, 11, 30)


@pytest.fixture
def engine() -> Iterator[Any]:
    connection = ibis.duckdb.connect()
    yield connection
    connection.disconnect()


def contacts(rows: list[tuple[Any, int, str, str]], customer: pa.DataType | None = None) -> pa.Table:
    """A calendar from (customer, day, channel, campaign)."""
    many = len(rows)
    columns: dict[str, pa.Array] = {
        "contact_id": pa.array([f"c{i}" for i in range(many)], pa.string()),
        "customer_id": pa.array([row[0] for row in rows], customer or pa.string()),
        "contact_on": pa.array([START + timedelta(row[1]) for row in rows], pa.date32()),
        "channel": pa.array([row[2] for row in rows], pa.string()),
        "campaign": pa.array([row[3] for row in rows], pa.string()),
        "segment": pa.array(["1"] * many, pa.string()),
        "stream": pa.array(["s1"] * many, pa.string()),
        "final": pa.array([row[1] < 7 for row in rows], pa.bool_()),
        "response_rate": pa.array([0.02] * many, pa.float64()),
        "expected_value": pa.array([-0.5] * many, pa.float64()),
        "cost": pa.array([0.004] * many, pa.float64()),
    }
    return pa.table(columns)


def export(
    engine: Any, folder: Path, rows: list[Any], control: tuple[Any, ...] = (), customer: Any = None
) -> dict[str, Any]:
    calendar = engine.create_table("calendar", contacts(rows, customer))
    held_out = engine.create_table("control", contacts(list(control), customer))
    write_csv(calendar, held_out, folder, name="autumn", start=START, days=28)
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text("utf-8"))
    return manifest


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_one_file_for_each_date_channel_and_campaign(engine: Any, tmp_path: Path) -> None:
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
    assert list(first[0]) == contacts([]).column_names
    assert first[0]["final"] == "true"
    assert read(tmp_path / "2026-12-09.email.sale.csv")[0]["final"] == "false"
    assert [row["customer_id"] for row in read(tmp_path / "control.csv")] == ["y", "z"]


def test_manifest_counts_and_checksums_match_the_files(engine: Any, tmp_path: Path) -> None:
    manifest = export(engine, tmp_path, [(f"k{i:03}", i % 5, "email", f"c{i % 3}") for i in range(300)])
    for entry in manifest["files"]:
        path = tmp_path / entry["file"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == entry["sha256"]
        assert len(read(path)) == entry["rows"]
    assert sum(entry["rows"] for entry in manifest["files"]) == 300


def test_row_order_of_the_calendar_does_not_matter(engine: Any, tmp_path: Path) -> None:
    rows = [(f"k{i:02}", i % 3, "email", "sale") for i in range(30)]
    forwards, backwards = contacts(rows), contacts(rows).take(list(reversed(range(30))))
    manifests = []
    for name, frame in {"one": forwards, "two": backwards}.items():
        calendar, control = engine.create_table(name, frame), engine.create_table(f"{name}_c", contacts([]))
        write_csv(calendar, control, tmp_path / name, name="autumn", start=START, days=28)
        manifests.append((tmp_path / name / "manifest.json").read_text())
    assert manifests[0] == manifests[1]


def test_empty_calendar_leaves_an_empty_control_file_and_a_manifest(engine: Any, tmp_path: Path) -> None:
    manifest = export(engine, tmp_path / "exports", [])
    assert [(f["file"], f["rows"]) for f in manifest["files"]] == [("control.csv", 0)]
    assert "customer_id" in (tmp_path / "exports" / "control.csv").read_text()


def test_integer_customers_are_sorted_by_value_and_written_as_numbers(engine: Any, tmp_path: Path) -> None:
    rows = [(10, 0, "email", "sale"), (-3, 0, "email", "sale"), (9, 0, "email", "sale")]
    export(engine, tmp_path, rows, customer=pa.int64())
    written = read(tmp_path / "2026-11-30.email.sale.csv")
    assert [row["customer_id"] for row in written] == ["-3", "9", "10"]


@pytest.mark.parametrize("text", ["=1+1", "+49170", "-5", "@cmd", "\tx", "\rx"])
def test_text_that_looks_like_a_formula_is_neutralised(engine: Any, tmp_path: Path, text: str) -> None:
    manifest = export(engine, tmp_path, [(text, 0, text, text), ("a=b", 0, text, text)])
    entry = manifest["files"][0]
    assert (entry["channel"], entry["campaign"]) == (text, text), "the manifest holds the names as they are"
    with (tmp_path / entry["file"]).open(encoding="utf-8", newline="") as file:
        written = list(csv.DictReader(file))
    assert {row["customer_id"] for row in written} == {f"'{text}", "a=b"}
    assert {(row["channel"], row["campaign"]) for row in written} == {(f"'{text}", f"'{text}")}
    assert {row["expected_value"] for row in written} == {"-0.5"}


def test_names_cannot_leave_the_folder_nor_fall_together(engine: Any, tmp_path: Path) -> None:
    names = ["../../etc/x", "a/b", "a b", "A b", "a-b", "..", "", "Größe", "groe", "x" * 300, 'q"\n,', "."]
    manifest = export(engine, tmp_path / "out", [("k", 0, "email", name) for name in names])
    files = [entry["file"] for entry in manifest["files"] if entry["campaign"] is not None]
    assert len({name.lower() for name in files}) == len(names)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*files, "control.csv", "manifest.json"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_files_already_there_are_not_overwritten(engine: Any, tmp_path: Path) -> None:
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
