"""Real runs killed at random moments, or out of room: the run is the old or the new one, never a part."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import ibis
import pandas as pd
import pytest
from killed_child import STAGES, Child, Moment
from killed_workspace import (
    EARLIER,
    START,
    assert_whole,
    checksums,
    contacts,
    leftovers,
    visible_runs,
    write_small,
)
from typer.testing import CliRunner

from optimizer import cli
from optimizer.engine_duckdb import DuckDB
from optimizer.exit_codes import FAILED
from optimizer.failures import in_words
from optimizer.run_folder import run_folder
from optimizer.spill import PREFIX, SpillFolder

RENAMES = 3  # of a run that replaces one: aside, in its place, to be deleted


class Workspace:
    """A workspace with an earlier run and one of the period, both as a run without kills makes them."""

    def __init__(self, folder: Path, temp: Path) -> None:
        self.folder, self.temp = folder, temp
        self.earlier, self.run = (run_folder(folder, start) for start in (EARLIER, START))
        self.model = folder / "segments" / "model.json"
        self.contacts, self.first = contacts(folder), checksums(self.earlier)
        self.segmentation = self.model.read_text()

    def child(self, *words: str, **how: int) -> Child:
        return Child("run", self.folder, *words, env={"TMPDIR": str(self.temp)}, **how)

    def to_the_first_run(self) -> None:
        """As before the period's first run, and before segments were kept."""
        shutil.rmtree(self.run)
        self.model.unlink()

    def assert_nothing_partial(self, replaced: bool) -> None:
        """What must hold after every kill, before anything mends it and after."""
        assert set(visible_runs(self.folder)) <= {EARLIER.isoformat(), START.isoformat()}
        if self.run.exists():
            assert_whole(self.run)
        assert checksums(self.earlier) == self.first
        if self.model.exists():
            assert self.model.read_text() == self.segmentation
        checked = CliRunner().invoke(cli.app, ["check", str(self.folder)])
        assert checked.exit_code == 0, checked.output
        assert checksums(self.earlier) == self.first
        assert self.run.exists() or not replaced
        if self.run.exists():
            assert_whole(self.run)
            pd.testing.assert_frame_equal(contacts(self.folder), self.contacts)
        assert leftovers(self.folder) == []

    def assert_next_run_succeeds(self) -> None:
        code, said = self.child("--replace").run()
        assert code == 0, said
        assert_whole(self.run)
        pd.testing.assert_frame_equal(contacts(self.folder), self.contacts)
        assert checksums(self.earlier) == self.first
        assert self.model.read_text() == self.segmentation
        assert leftovers(self.folder) == []
        assert list(self.temp.iterdir()) == []


@dataclass(frozen=True)
class Made:
    """A workspace to copy, and the seconds that its second run took."""

    folder: Path
    seconds: float


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("made") / "workspace"
    first, second = Child("run", folder), Child("run", folder)  # both load the program at once
    write_small(folder, EARLIER)
    assert first.run()[0] == 0
    write_small(folder, START)
    began = time.perf_counter()
    code, said = second.run()
    assert code == 0, said
    return Made(folder, time.perf_counter() - began)


@pytest.fixture
def temp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's temporary folder, here and in children."""
    folder = tmp_path / "temp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def workspace(made: Made, tmp_path: Path, temp: Path) -> Workspace:
    return Workspace(shutil.copytree(made.folder, tmp_path / "workspace"), temp)


def random_moment(chance: random.Random, seconds: float) -> Moment:
    """Half of them uniform over the run's length, the others in its stages, most of all in the last one."""
    if chance.random() < 0.5:
        return Moment(seconds=chance.uniform(0, seconds))
    if chance.random() < 0.5:
        return Moment(stage="files", seconds=chance.uniform(0, 0.4))
    return Moment(stage=chance.choice(STAGES), seconds=chance.uniform(0, 0.1))


def kill_once(workspace: Workspace, moment: Moment, replaced: bool) -> bool:
    if not replaced:
        workspace.to_the_first_run()
    words = ["--replace"] if replaced else []
    cut = workspace.child(*words, rename=moment.rename).killed(moment)
    workspace.assert_nothing_partial(replaced)
    return cut


def test_runs_killed_now_and_then(workspace: Workspace) -> None:
    chance = random.Random(4)
    kill_once(workspace, Moment(stage="files", seconds=chance.uniform(0, 0.2)), replaced=True)
    for rename in range(1, RENAMES + 1):
        assert kill_once(workspace, Moment(rename=rename), replaced=True)
    assert kill_once(workspace, Moment(stage="program"), replaced=False)
    workspace.assert_next_run_succeeds()


@pytest.mark.slow
def test_fifty_runs_killed_at_random_moments(workspace: Workspace, made: Made) -> None:
    chance, cut = random.Random(7), 0
    for turn in range(50):
        moment = random_moment(chance, made.seconds)
        cut += kill_once(workspace, moment, replaced=turn % 3 > 0)
        workspace.assert_next_run_succeeds()
    assert cut > 30


# No room on the disk


def assert_failed_with_nothing_changed(workspace: Workspace, code: int, said: str, words: str) -> None:
    told = " ".join(said.split())
    assert code == FAILED, said
    assert words in told
    assert "Nothing half-written is left" in told
    assert "Traceback" not in said
    assert leftovers(workspace.folder) == []
    assert list(workspace.temp.iterdir()) == []
    workspace.assert_nothing_partial(replaced=True)


@pytest.mark.parametrize("largest_file", [pytest.param(1_000, marks=pytest.mark.slow), 200_000])
def test_files_that_cannot_grow_end_the_run_with_clear_words(workspace: Workspace, largest_file: int) -> None:
    """The system refuses the 1,000th byte of a table, or the 200,000th of the report."""
    before = checksums(workspace.run)
    code, said = workspace.child("--replace", largest_file=largest_file).run()
    assert_failed_with_nothing_changed(workspace, code, said, "File too large")
    assert checksums(workspace.run) == before
    workspace.assert_next_run_succeeds()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own with little room, where the system lets the tests mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(disk)]
    if os.getuid() != 0 or shutil.which("mount") is None or subprocess.run(mount, check=False).returncode:
        pytest.skip("mounting a small disk needs root")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.mark.parametrize("room", [2_000, pytest.param(200_000, marks=pytest.mark.slow)])
def test_a_full_disk_ends_the_run_with_clear_words(
    small_disk: Path, made: Made, temp: Path, room: int
) -> None:
    workspace = Workspace(shutil.copytree(made.folder, small_disk / "workspace"), temp)
    before = checksums(workspace.run)
    free = shutil.disk_usage(small_disk).free
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"0" * (free - room))
    code, said = workspace.child("--replace").run()
    assert_failed_with_nothing_changed(workspace, code, said, "the disk is full")
    assert checksums(workspace.run) == before
    ballast.unlink()
    workspace.assert_next_run_succeeds()


def test_no_room_to_spill_is_told_in_clear_words(temp: Path) -> None:
    engine = DuckDB(memory_limit="64MiB")
    engine.connection.settings["max_temp_directory_size"] = "1MiB"
    numbers = ibis.range(5_000_000).unnest().name("number").as_table()
    with pytest.raises(duckdb.Error) as failed:
        engine.keep(
            "much", numbers.mutate(text=numbers.number.cast("string") + " customers").order_by("text")
        )
    engine.close()
    told = in_words(failed.value)
    assert told is not None
    assert "the memory allowed, and the room to spill, are not enough" in told
    assert "TMPDIR" in told
    assert list(temp.iterdir()) == []


# What engines spill


def test_the_spill_folder_of_a_killed_process_is_removed_by_the_next(workspace: Workspace) -> None:
    """Nothing spills in so small a run, but the folder is there while it lasts."""
    assert workspace.child("--replace").killed(Moment(stage="program"))
    (left,) = workspace.temp.iterdir()
    assert left.name.startswith(PREFIX)
    (left / "half").write_text("rows")
    mine = SpillFolder()
    assert not left.exists()
    assert list(workspace.temp.iterdir()) == [mine.path]
    workspace.assert_nothing_partial(replaced=True)  # it leaves alone what is in use
    assert mine.path.exists()
    mine.remove()
    assert list(workspace.temp.iterdir()) == []
