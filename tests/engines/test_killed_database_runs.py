"""Runs into PostgreSQL killed at random moments, or cut off from it: tables hold the old or the new run."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path

import pandas as pd
import psycopg
import pytest
from database_workspace import DatabaseWorkspace
from killed_child import STAGES, Child, Moment
from killed_workspace import EARLIER, START, assert_whole, leftovers
from postgres_server import PASSWORD, PostgresServer
from typer.testing import CliRunner

from optimizer import cli
from optimizer.exit_codes import FAILED
from optimizer.output_tables import CUSTOMER_TABLES
from optimizer.run_folder import run_folder

pytestmark = pytest.mark.postgres
RENAMES = 4  # of a run that replaces one: ready, aside, in its place, to be deleted
CUT_OFF = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'contactplan'
"""


class Workspace(DatabaseWorkspace):
    """With an earlier run and one of the period, both as a run without kills makes them."""

    def __init__(self, folder: Path, request: pytest.FixtureRequest) -> None:
        super().__init__("postgres", folder, request)
        first, second = self.child(), self.child()
        self.plan_of(EARLIER)
        assert first.run()[0] == 0
        self.earlier = self.rows("calendar", EARLIER)
        self.plan_of()
        began = time.perf_counter()
        code, said = second.run()
        assert code == 0, said
        self.seconds = time.perf_counter() - began
        self.contacts = self.rows("calendar")
        self.place = run_folder(folder, START)

    def child(self, *words: str, rename: int = 0) -> Child:
        return Child("run", self.folder, *words, rename=rename)

    def run_id(self) -> str:
        return str(self.rows("summary").run_id[0])

    def folder_s_run(self) -> pd.DataFrame:
        return pd.read_parquet(self.place / "calendar.parquet")

    def assert_whole_in_both(self) -> None:
        """The tables hold whole runs; after the next command the folder holds the same."""
        for table in CUSTOMER_TABLES:
            assert self.starts(table) == {EARLIER.isoformat(), START.isoformat()}
        self._assert_contacts()
        checked = CliRunner().invoke(cli.app, ["check", str(self.folder)])
        assert checked.exit_code == 0, checked.output
        self._assert_contacts()
        assert_whole(self.place)
        assert leftovers(self.folder) == []

    def _assert_contacts(self) -> None:
        pd.testing.assert_frame_equal(self.rows("calendar"), self.contacts)
        pd.testing.assert_frame_equal(self.rows("calendar", EARLIER), self.earlier)

    def assert_next_run_succeeds(self) -> None:
        before = self.run_id()
        code, said = self.child("--replace").run()
        assert code == 0, said
        assert self.run_id() != before
        self.assert_whole_in_both()


@pytest.fixture(scope="module")
def workspace(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """One for all: each test leaves whole runs of the same contacts."""
    return Workspace(tmp_path_factory.mktemp("killed") / "workspace", request)


def kill_once(workspace: Workspace, moment: Moment) -> bool:
    cut = workspace.child("--replace", rename=moment.rename).killed(moment)
    workspace.assert_whole_in_both()
    return cut


def test_runs_killed_now_and_then(workspace: Workspace) -> None:
    """The folder is renamed before the commit once, and then three times."""
    ids = [workspace.run_id()]
    for rename in (1, 2, RENAMES):
        assert kill_once(workspace, Moment(rename=rename))
        ids.append(workspace.run_id())
    assert ids[0] == ids[1] != ids[2] != ids[3]
    kill_once(workspace, Moment(stage="files", seconds=random.Random(3).uniform(0, 0.3)))
    workspace.assert_next_run_succeeds()


@pytest.mark.slow
def test_fifty_runs_killed_at_random_moments(workspace: Workspace) -> None:
    chance, cut = random.Random(11), 0
    for _ in range(50):
        moment = Moment(seconds=chance.uniform(0, workspace.seconds))
        if chance.random() < 0.5:
            stage = "files" if chance.random() < 0.7 else chance.choice(STAGES)
            moment = Moment(stage=stage, seconds=chance.uniform(0, 0.5))
        cut += kill_once(workspace, moment)
        workspace.assert_next_run_succeeds()
    assert cut > 30


# The connection lost


def assert_failed(workspace: Workspace, code: int, said: str) -> None:
    told = " ".join(said.split())
    assert code == FAILED, said
    assert "the connection to the database was lost" in told, said[-3000:]
    assert "Nothing half-written is left" in told
    assert "Traceback" not in said
    assert PASSWORD not in said
    workspace.assert_whole_in_both()


@pytest.mark.parametrize("stage", [pytest.param("cells", marks=pytest.mark.slow), "files"])
def test_a_lost_connection_ends_the_run_with_clear_words(workspace: Workspace, stage: str) -> None:
    before, child = workspace.run_id(), workspace.child("--replace")
    ended = threading.Event()

    def cut_off() -> None:
        """Again and again: the run's own moments are nobody's business."""
        with psycopg.connect(workspace.url, autocommit=True) as session:
            while not ended.is_set():
                session.execute(CUT_OFF)
                time.sleep(0.005)

    watcher = threading.Thread(target=cut_off)
    child.go_on_until(stage)
    watcher.start()
    code, said = child.rest()
    ended.set()
    watcher.join()
    assert_failed(workspace, code, said)
    assert workspace.run_id() == before
    workspace.assert_next_run_succeeds()


def test_a_server_that_stops_ends_the_run_with_clear_words(
    workspace: Workspace, postgres: PostgresServer
) -> None:
    before, child = workspace.run_id(), workspace.child("--replace")
    child.go_on_until("cells")
    postgres.stop()
    code, said = child.rest()
    postgres.start()
    assert_failed(workspace, code, said)
    assert workspace.run_id() == before


def test_two_runs_at_once_into_one_schema_wait_for_each_other(
    workspace: Workspace, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """The second finds that the first was stored meanwhile, and says so."""
    from shutil import copytree  # noqa: PLC0415

    other = copytree(workspace.folder, tmp_path / "other")
    both = [Child("run", folder, "--replace") for folder in (workspace.folder, other)]
    for child in both:
        child.go_on_until("read")
    ends = sorted(child.rest() for child in both)
    assert [code for code, _ in ends] == [0, 2]
    assert "another run was stored there" in " ".join(ends[1][1].split())
    workspace.assert_whole_in_both()
