"""Runs in a database's output tables: as in the files, switched over at once, no customers passing by."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from database_workspace import DatabaseWorkspace
from killed_workspace import EARLIER, START, assert_whole, checksums, leftovers, write_small
from typer.testing import CliRunner

from optimizer import cli, pipeline, run_folder, stored_runs
from optimizer.engine_choice import BY_THE_PLAN
from optimizer.faults import BadInput
from optimizer.output_spark import SparkVersion
from optimizer.output_sql import Transaction
from optimizer.output_tables import CUSTOMER_TABLES, NAMES, SMALL_TABLES

CUSTOMER_FILES = {f"{name}.parquet" for name in CUSTOMER_TABLES} | {"exports"}


ENGINES = [
    "duckdb",
    pytest.param("postgres", marks=pytest.mark.postgres),
    # Each run there takes long; what Spark does otherwise is tested below in one case.
    pytest.param("spark", marks=[pytest.mark.spark, pytest.mark.slow]),
]


@pytest.fixture(params=ENGINES)
def workspace(request: pytest.FixtureRequest, tmp_path: Path) -> DatabaseWorkspace:
    return DatabaseWorkspace(request.param, tmp_path / "workspace", request)


def contactplan(folder: Path, *words: str, code: int = 0) -> str:
    done = CliRunner().invoke(cli.app, [words[0], str(folder), *words[1:]])
    assert done.exit_code == code, (done.output, done.exception)
    return " ".join(done.output.split())


def run_of_files(folder: Path, *starts: date, **changes: Any) -> Path:
    """The same plan on files with DuckDB; the last run's folder."""
    for start in starts:
        write_small(folder, start, **changes)
        contactplan(folder, "run")
    return run_folder.run_folder(folder, starts[-1])


def sorted_rows(table: pd.DataFrame) -> pd.DataFrame:
    return table.sort_values(list(table.columns), ignore_index=True)


def as_in_table(name: str, file: Path) -> pd.DataFrame:
    """The rows of a run's file in the types of the output table."""
    if name in CUSTOMER_TABLES:
        rows = pd.read_parquet(file)
        return rows.assign(segment=rows.segment.astype(str))
    texts = [column for column, kind in SMALL_TABLES[name].items() if kind == "string"]
    rows = pd.read_csv(file, dtype=dict.fromkeys(texts, str), keep_default_na=False, na_values=[""])
    return rows.assign(**{text: rows[text].fillna("") for text in texts if text in rows})


def test_files_and_tables_hold_the_same_rows_as_those_of_files(
    workspace: DatabaseWorkspace, tmp_path: Path
) -> None:
    workspace.plan_of()
    contactplan(workspace.folder, "run")
    run = run_folder.run_folder(workspace.folder, START)
    assert_whole(run)
    alone = checksums(run_of_files(tmp_path / "files", START))
    ours = checksums(run)
    assert set(alone) == set(ours)
    for name in set(alone) - {"summary.json", "report.html"}:
        assert ours[name] == alone[name], name
    for name in (*CUSTOMER_TABLES, "streams", "allocation", "response_rates", "limits"):
        file = run / (f"{name}.parquet" if name in CUSTOMER_TABLES else f"{name}.csv")
        expected, found = as_in_table(name, file), workspace.rows(name)
        assert list(found.columns) == list(expected.columns)
        for column in found.columns[found.columns.isin(["contact_on", "date"])]:
            expected[column] = expected[column].astype(str)
            found[column] = found[column].astype(str)
        pd.testing.assert_frame_equal(found, sorted_rows(expected), check_dtype=False)
    summary = workspace.rows("summary")
    assert json.loads(summary.summary[0])["contacts"] == len(workspace.rows("calendar"))
    segments = workspace.rows("segments")
    assert [json.loads(means) for means in segments.features] == [{"spend": 63.4}, {"spend": 9.8}]
    assert workspace.rows("rule_prices").empty


class Fetched:
    """Counts the customers' rows that a backend hands over, and the streams of them that it opens."""

    def __init__(self, backend: type, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rows = self.streams = 0
        self._whole = False
        for name in ("to_pyarrow", "execute"):
            monkeypatch.setattr(backend, name, self._counting(getattr(backend, name)))
        monkeypatch.setattr(backend, "to_pyarrow_batches", self._noting(backend.to_pyarrow_batches))

    def _counting(self, fetch: Any) -> Any:
        def fetched(backend: Any, expr: Any, *given: Any, **named: Any) -> Any:
            self._whole = True  # which may use a stream
            found = fetch(backend, expr, *given, **named)
            self._whole = False
            if "customer_id" in expr.as_table().columns:
                self.rows += len(found)
            return found

        return fetched

    def _noting(self, fetch: Any) -> Any:
        def fetched(backend: Any, expr: Any, *given: Any, **named: Any) -> Any:
            self.streams += not self._whole and "customer_id" in expr.as_table().columns
            return fetch(backend, expr, *given, **named)

        return fetched


OWN_SEGMENTS = {"segments": {"column": "tier"}}


def test_without_files_no_customer_row_reaches_the_client(
    workspace: DatabaseWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = workspace.plan_of(files=False, **OWN_SEGMENTS)
    with workspace.tables() as tables:
        fetched = Fetched(type(tables.engine.connection), monkeypatch)
    result = pipeline.run(plan)
    with run_folder.run_lock(workspace.folder):
        folder = stored_runs.store(result, stored_runs.StoredRuns(None))
    result.engine.close()
    assert (fetched.rows, fetched.streams) == (0, 0)
    files = {path.name for path in folder.iterdir()}
    assert {"summary.json", "report.html", "limits.csv"} <= files
    assert not files & CUSTOMER_FILES
    assert len(workspace.rows("calendar")) == result.summary["contacts"]
    assert fetched.rows > 0  # so the count would have told


@pytest.mark.parametrize("files", [pytest.param(False, marks=pytest.mark.slow), True])
def test_runs_that_follow_each_other_are_those_of_files(
    workspace: DatabaseWorkspace, tmp_path: Path, files: bool
) -> None:
    alone = run_of_files(tmp_path / "files", EARLIER, START)
    for start in (EARLIER, START):
        workspace.plan_of(start, files=files)
        contactplan(workspace.folder, "run")
    expected = pd.read_parquet(alone / "calendar.parquet")
    found = workspace.rows("calendar").sort_values(["contact_on", "customer_id"], ignore_index=True)
    assert list(found.contact_id) == list(expected.contact_id)
    assert workspace.starts("calendar") == {EARLIER.isoformat(), START.isoformat()}
    told = contactplan(workspace.folder, "explain", str(expected.customer_id[0]))
    assert f"{expected.contact_on[0]:%Y-%m-%d}" in told


def test_a_run_with_final_contacts_is_replaced_only_on_demand(workspace: DatabaseWorkspace) -> None:
    workspace.plan_of(EARLIER)
    contactplan(workspace.folder, "run")
    workspace.plan_of()
    contactplan(workspace.folder, "run")
    first, earlier = workspace.rows("summary").run_id[0], workspace.rows("calendar", EARLIER)
    assert "it holds final contacts" in contactplan(workspace.folder, "run", code=2)
    before = workspace.rows("calendar")
    contactplan(workspace.folder, "run", "--replace")
    assert workspace.rows("summary").run_id[0] != first
    pd.testing.assert_frame_equal(workspace.rows("calendar"), before)
    pd.testing.assert_frame_equal(workspace.rows("calendar", EARLIER), earlier)


def test_a_run_planned_on_what_has_changed_is_refused(workspace: DatabaseWorkspace) -> None:
    plan = workspace.plan_of(files=False)
    seen = stored_runs.stored_runs(plan, BY_THE_PLAN)
    contactplan(workspace.folder, "run")
    stored = workspace.rows("summary").run_id[0]
    result = pipeline.run(plan)
    with run_folder.run_lock(workspace.folder), pytest.raises(BadInput, match="another run was stored"):
        stored_runs.store(result, seen)
    result.engine.close()
    assert workspace.rows("summary").run_id[0] == stored


def test_tables_of_other_columns_are_left_alone(workspace: DatabaseWorkspace) -> None:
    workspace.plan_of()
    quote = "`" if workspace.engine == "spark" else '"'
    schema = quote + workspace.output.replace(quote, quote * 2) + quote
    workspace.run(f"CREATE SCHEMA {schema}")
    workspace.run(f"CREATE TABLE {schema}.limits (mine INT)")
    told = contactplan(workspace.folder, "run", code=2)
    assert "limits" in told
    assert "Name another output_schema" in told
    assert workspace.starts("calendar") == set()


# What readers see, and what a failure leaves


@pytest.fixture
def commit(workspace: DatabaseWorkspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """What the test puts in is called before the commit."""
    kind: Any = SparkVersion if workspace.engine == "spark" else Transaction
    hooks: list[Any] = []
    real = kind.commit

    def hooked(self: Any) -> None:
        for hook in hooks:
            hook(self)
        real(self)

    monkeypatch.setattr(kind, "commit", hooked)
    return iter([hooks])


def test_readers_see_the_earlier_run_until_the_commit(
    workspace: DatabaseWorkspace, commit: Iterator[list[Any]]
) -> None:
    if workspace.engine == "duckdb":
        pytest.skip("the file belongs to one process while it is open")
    workspace.plan_of(files=False)
    contactplan(workspace.folder, "run")
    first, seen = workspace.rows("summary").run_id[0], []

    def look(running: Any) -> None:
        seen.append(workspace.rows("summary").run_id.tolist())
        seen.append(len(workspace.rows("calendar")))

    (hooks,) = commit
    hooks.append(look)
    contactplan(workspace.folder, "run", "--replace")
    assert seen == [[first], len(workspace.rows("calendar"))]
    assert workspace.rows("summary").run_id[0] != first


def test_a_commit_that_fails_leaves_both_as_they_were(
    workspace: DatabaseWorkspace, commit: Iterator[list[Any]]
) -> None:
    workspace.plan_of()
    contactplan(workspace.folder, "run")
    run = run_folder.run_folder(workspace.folder, START)
    stored, before = workspace.rows("summary").run_id[0], checksums(run)

    def fail(running: Any) -> None:
        raise OSError("the line is dead")

    (hooks,) = commit
    hooks.append(fail)
    told = contactplan(workspace.folder, "run", "--replace", code=3)
    assert "the line is dead while the database took the run" in told
    hooks.clear()
    contactplan(workspace.folder, "check")
    assert checksums(run) == before
    assert workspace.rows("summary").run_id[0] == stored
    assert leftovers(workspace.folder) == []


def test_a_swap_that_fails_after_the_commit_is_finished_by_the_next_command(
    workspace: DatabaseWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.plan_of()
    with monkeypatch.context() as broken:
        broken.setattr(run_folder, "_swap", lambda fresh, folder: (_ for _ in ()).throw(OSError("no swap")))
        contactplan(workspace.folder, "run", code=3)
    run = run_folder.run_folder(workspace.folder, START)
    assert not run.exists()
    contactplan(workspace.folder, "explain", "8")
    assert_whole(run)
    assert leftovers(workspace.folder) == []
    assert len(workspace.rows("calendar")) == len(pd.read_parquet(run / "calendar.parquet"))


@pytest.mark.slow
@pytest.mark.spark
def test_spark_shows_one_version_and_drops_those_that_killed_runs_left(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = DatabaseWorkspace("spark", tmp_path / "workspace", request)
    workspace.plan_of()
    contactplan(workspace.folder, "run")
    first = workspace.rows("summary").run_id[0]
    with monkeypatch.context() as broken:
        broken.setattr(SparkVersion, "commit", lambda version: (_ for _ in ()).throw(OSError("no commit")))
        contactplan(workspace.folder, "run", "--replace", code=3)
    assert workspace.rows("summary").run_id.tolist() == [first]
    contacts, run = workspace.rows("calendar"), run_folder.run_folder(workspace.folder, START)
    assert set(contacts.contact_id) == set(pd.read_parquet(run / "calendar.parquet").contact_id)
    contactplan(workspace.folder, "run", "--replace")
    last = workspace.rows("summary").run_id[0]
    session = request.getfixturevalue("spark")
    for name in NAMES:
        rows = session.sql(f"SHOW PARTITIONS `{workspace.output}`.{name}_versions").collect()
        assert {row[0].rpartition("=")[2] for row in rows} <= {first, last}
    assert len(workspace.rows("calendar")) == len(contacts)
