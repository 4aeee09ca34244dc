"""A run folder is whole or absent: at every moment of a kill, on a full disk, with two runs at once."""

from __future__ import annotations

import errno
import random
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from optimizer import run_folder
from optimizer.conflict_file import remove_conflict, write_conflict
from optimizer.faults import BadInput
from optimizer.run_folder import (
    AnotherRun,
    Undecided,
    no_database,
    recover,
    replace_whole,
    run_lock,
)
from optimizer.stored_runs import newest_earlier_run, refuse_to_replace_final

START = date(2026, 11, 30)


def write_files(folder: Path, content: str) -> None:
    (folder / "exports").mkdir()
    for name in ("calendar.parquet", "summary.json", "exports/email.csv"):
        (folder / name).write_text(content)


def store(folder: Path, content: str) -> None:
    with replace_whole(folder) as fresh:
        write_files(fresh, content)


def contents(folder: Path) -> set[str]:
    """The distinct contents of the run's files: one where the folder is whole."""
    files = [folder / name for name in ("calendar.parquet", "summary.json", "exports/email.csv")]
    return {file.read_text() for file in files}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return run_folder.run_folder(tmp_path, START)


def calendar(folder: Path, final: list[bool]) -> Path:
    folder.mkdir(parents=True)
    pq.write_table(pa.table({"final": final}), folder / "calendar.parquet")
    return folder


# Writing and replacing


def test_a_run_is_written_and_replaced(folder: Path) -> None:
    store(folder, "first")
    assert contents(folder) == {"first"}
    store(folder, "second")
    assert contents(folder) == {"second"}
    assert names(folder.parent) == ["2026-11-30"]


def test_nothing_of_the_old_run_stays_in_the_new_one(folder: Path) -> None:
    store(folder, "first")
    (folder / "exports" / "left.csv").write_text("old")
    store(folder, "second")
    assert names(folder / "exports") == ["email.csv"]


def test_the_fresh_folder_is_hidden_and_readable_by_others(folder: Path) -> None:
    with replace_whole(folder) as fresh:
        assert fresh.parent == folder.parent
        assert fresh.name.startswith(".")
        other = folder.parent / "other"
        other.mkdir()
        assert fresh.stat().st_mode == other.stat().st_mode


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_an_error_while_writing_leaves_the_old_run(folder: Path, error: BaseException) -> None:
    store(folder, "first")

    def write_half() -> None:
        with replace_whole(folder) as fresh:
            (fresh / "summary.json").write_text("half")
            raise error

    with pytest.raises(type(error)):
        write_half()
    assert contents(folder) == {"first"}
    assert names(folder.parent) == ["2026-11-30"]


def test_an_error_in_the_first_run_leaves_nothing(folder: Path) -> None:
    with pytest.raises(ValueError, match="wrong"), replace_whole(folder):
        raise ValueError("wrong")
    assert not folder.parent.exists()


@pytest.mark.parametrize("failing", [1, 2])
def test_an_error_during_the_swap_brings_the_old_run_back(
    folder: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    store(folder, "first")
    rename, calls = Path.rename, []

    def fail(self: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) == failing:
            raise OSError(errno.EIO, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(OSError, match="Input/output"):
        store(folder, "second")
    assert contents(folder) == {"first"}
    assert names(folder.parent) == ["2026-11-30"]


# Killed at any moment

CHILD = """
import os, shutil, signal, sys
from pathlib import Path
from optimizer.run_folder import replace_whole, run_lock

workspace, first, last_step = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
steps = 0

def dying(call):
    def counted(*given, **named):
        global steps
        steps += 1
        if steps == last_step:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*given, **named)
    return counted

for owner, name in [(Path, "mkdir"), (Path, "rename"), (Path, "unlink"), (Path, "write_text"),
                    (os, "fsync"), (os, "unlink"), (os, "rmdir"), (os, "close")]:
    setattr(owner, name, dying(getattr(owner, name)))
content = first
while last_step == 0 or content == first:
    with run_lock(workspace):
        with replace_whole(workspace / "runs" / "2026-11-30") as fresh:
            (fresh / "exports").mkdir()
            for file in ("calendar.parquet", "summary.json", "exports/email.csv"):
                (fresh / file).write_text(str(content))
        os.write(1, f"{content}\\n".encode())
    content += 1
"""


def child(workspace: Path, first: int, last_step: int) -> subprocess.Popen[bytes]:
    """A process that writes runs `first`, `first` + 1, …; it dies at its `last_step`-th step."""
    command = [sys.executable, "-c", CHILD, str(workspace), str(first), str(last_step)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def test_killed_at_each_step_the_run_is_the_old_or_the_new_one(tmp_path: Path, folder: Path) -> None:
    tmp_path.joinpath("plan.yaml").write_text("")
    seen, first = set(), 1
    store(folder, "0")
    for step in range(1, 60):
        process = child(tmp_path, first, step)
        process.communicate()
        recover(folder.parent)
        (content,) = contents(folder)
        assert int(content) in (first - 1, first)
        assert names(folder.parent) == ["2026-11-30"]
        seen.add(int(content) - first)
        first = int(content) + 1
        if process.returncode == 0:
            break
    else:
        pytest.fail("the child never came to its end")
    assert seen == {-1, 0}
    assert step > 15
    assert names(tmp_path) == ["plan.yaml", "runs"]


def test_killed_at_random_moments_no_run_is_partial_or_lost(tmp_path: Path, folder: Path) -> None:
    chance, done = random.Random(7), 0
    for _ in range(10):
        process = child(tmp_path, done + 1, 0)
        assert process.stdout is not None
        process.stdout.readline()  # at least one run is written
        time.sleep(chance.uniform(0, 0.03))
        process.kill()
        told = [int(line) for line in process.communicate()[0].split()]
        with run_lock(tmp_path):  # the next run succeeds
            (content,) = contents(folder)
            assert int(content) >= max(told, default=done + 1)
            assert names(folder.parent) == ["2026-11-30"]
            store(folder, str(int(content) + 1))
        done = int(content) + 1


def test_recover_restores_what_was_moved_aside(folder: Path) -> None:
    store(folder, "first")
    folder.rename(folder.with_name(".2026-11-30.aside"))
    folder.with_name(".2026-11-30.new-123").mkdir()
    folder.with_name(".2026-11-30.trash-77").mkdir()
    recover(folder.parent)
    assert contents(folder) == {"first"}
    assert names(folder.parent) == ["2026-11-30"]


def test_recover_keeps_the_new_run_where_the_swap_was_finished(folder: Path) -> None:
    store(folder, "new")
    aside = folder.with_name(".2026-11-30.aside")
    aside.mkdir()
    write_files(aside, "old")
    recover(folder.parent)
    assert contents(folder) == {"new"}
    assert names(folder.parent) == ["2026-11-30"]


def test_recover_leaves_other_things_alone_and_writes_nothing(tmp_path: Path, folder: Path) -> None:
    recover(folder.parent)
    assert names(tmp_path) == []
    store(folder, "first")
    (folder.parent / ".notes").write_text("mine")
    recover(folder.parent)
    assert names(folder.parent) == [".notes", "2026-11-30"]


# A database that takes part


class Database:
    """Holds the runs that it has committed, and can fail before or after it."""

    run_id = "0123456789abcdef" * 2

    def __init__(self, failure: BaseException | None = None, after: bool = False) -> None:
        self.committed: set[tuple[str, str]] = set()
        self._failure, self._after = failure, after

    def commit(self) -> None:
        if self._failure is not None and not self._after:
            raise self._failure
        self.committed.add(("2026-11-30", self.run_id))
        if self._failure is not None:
            raise self._failure

    def holds(self, start: str, run_id: str) -> bool:
        return (start, run_id) in self.committed


def store_with(database: Database, folder: Path, content: str) -> None:
    with replace_whole(folder, database) as fresh:
        write_files(fresh, content)


def test_the_folder_takes_its_place_after_the_commit(folder: Path) -> None:
    store(folder, "first")
    database = Database()
    store_with(database, folder, "second")
    assert database.committed
    assert contents(folder) == {"second"}
    assert names(folder.parent) == ["2026-11-30"]


@pytest.mark.parametrize("failure", [ConnectionError("lost"), KeyboardInterrupt()])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("replaced", [False, True])
def test_a_failing_commit_leaves_it_to_the_database(
    folder: Path, failure: BaseException, after: bool, replaced: bool
) -> None:
    if replaced:
        store(folder, "first")
    database = Database(failure, after)
    with pytest.raises(Undecided if isinstance(failure, Exception) else KeyboardInterrupt):
        store_with(database, folder, "second")
    assert not folder.exists() or contents(folder) == {"first"}
    recover(folder.parent)  # knows of no database: nothing is decided
    assert names(folder.parent)[0] == f".2026-11-30.ready-{Database.run_id}"
    recover(folder.parent, database.holds)
    if after:
        assert contents(folder) == {"second"}
    else:
        assert not folder.exists() or contents(folder) == {"first"}
    assert names(folder.parent) == (["2026-11-30"] if after or replaced else [])


def test_what_waited_for_a_database_goes_when_the_plan_has_none(folder: Path) -> None:
    store(folder, "first")
    with pytest.raises(Undecided):
        store_with(Database(ConnectionError("lost"), after=True), folder, "second")
    recover(folder.parent, no_database)
    assert contents(folder) == {"first"}
    assert names(folder.parent) == ["2026-11-30"]


@pytest.mark.parametrize("there", ["first", "aside", "both"])
def test_a_swap_cut_short_after_the_commit_is_finished(folder: Path, there: str) -> None:
    database = Database()
    store(folder, "first")
    ready = folder.with_name(f".2026-11-30.ready-{Database.run_id}")
    ready.mkdir()
    write_files(ready, "second")
    database.commit()
    if there == "aside":
        folder.rename(folder.with_name(".2026-11-30.aside"))
    if there == "both":
        folder.with_name(".2026-11-30.aside").mkdir()
        write_files(folder.with_name(".2026-11-30.aside"), "before")
    recover(folder.parent, database.holds)
    assert contents(folder) == {"second"}
    assert names(folder.parent) == ["2026-11-30"]


def test_an_error_before_the_commit_leaves_the_old_run(folder: Path) -> None:
    store(folder, "first")
    database = Database()
    with pytest.raises(ValueError, match="wrong"), replace_whole(folder, database):
        raise ValueError("wrong")
    assert not database.committed
    assert contents(folder) == {"first"}
    assert names(folder.parent) == ["2026-11-30"]


def test_half_written_files_beside_the_plan_are_removed(tmp_path: Path, folder: Path) -> None:
    store(folder, "first")
    (tmp_path / "segments").mkdir()
    (tmp_path / "segments" / "model.json").write_text("{}")
    for name in (".conflict.json.new", "segments/.model.json.new", run_folder.LOCK):
        (tmp_path / name).write_text("half")
        recover(folder.parent)
    assert names(tmp_path) == ["runs", "segments"]
    assert names(tmp_path / "segments") == ["model.json"]


# Two at once


def test_a_second_run_is_refused_at_once_and_a_check_disturbs_nothing(tmp_path: Path, folder: Path) -> None:
    with run_lock(tmp_path), replace_whole(folder) as fresh:
        with pytest.raises(AnotherRun), run_lock(tmp_path):
            pass
        recover(folder.parent)
        write_files(fresh, "first")
    assert contents(folder) == {"first"}
    assert names(tmp_path) == ["runs"]
    with run_lock(tmp_path):
        pass


def test_the_lock_of_a_killed_run_does_not_stand_in_the_way(tmp_path: Path) -> None:
    (tmp_path / run_folder.LOCK).write_text("")
    with run_lock(tmp_path):
        pass
    assert names(tmp_path) == []


# Earlier runs, final contacts


def test_the_newest_earlier_run(tmp_path: Path) -> None:
    assert newest_earlier_run(tmp_path, START) is None
    for name in (
        "2026-11-16",
        "2026-11-23",
        "2026-11-30",
        "2026-12-07",
        "20261129",
        "notes",
        ".2026-11-29.aside",
    ):
        calendar(tmp_path / "runs" / name, [])
    (tmp_path / "runs" / "2026-11-28").mkdir()  # its calendar was deleted
    assert newest_earlier_run(tmp_path, START) == tmp_path / "runs" / "2026-11-23"
    assert newest_earlier_run(tmp_path, date(2026, 11, 16)) is None


@pytest.mark.parametrize("final", [[], [False, False]])
def test_a_run_without_final_contacts_may_be_replaced(folder: Path, final: list[bool]) -> None:
    refuse_to_replace_final(folder)
    refuse_to_replace_final(calendar(folder, final))


def test_an_empty_folder_may_be_replaced(folder: Path) -> None:
    folder.mkdir(parents=True)
    refuse_to_replace_final(folder)
    store(folder, "first")


def test_final_contacts_are_told_and_kept(folder: Path) -> None:
    with pytest.raises(BadInput) as told:
        refuse_to_replace_final(calendar(folder, [True, False, True]))
    (fault,) = told.value.faults
    assert (fault.where, fault.rows) == ("runs/2026-11-30", 2)
    assert "--replace" in fault.remedy


@pytest.mark.parametrize("spoil", ["missing", "garbage", "no column"])
def test_a_calendar_that_cannot_be_read_may_hold_final_contacts(folder: Path, spoil: str) -> None:
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text("{}")
    if spoil == "garbage":
        (folder / "calendar.parquet").write_text("garbage")
    if spoil == "no column":
        pq.write_table(pa.table({"other": [1]}), folder / "calendar.parquet")
    with pytest.raises(BadInput, match="cannot be read"):
        refuse_to_replace_final(folder)


# The conflict


def test_the_conflict_is_written_whole_replaced_and_removed(tmp_path: Path) -> None:
    write_conflict(tmp_path, {"limits": ["reach[0]"]})
    path = write_conflict(tmp_path, {"limits": ["Zürich"]})
    assert path == tmp_path / "conflict.json"
    assert "Zürich" in path.read_text(encoding="utf-8")
    with pytest.raises(TypeError):
        write_conflict(tmp_path, {"limits": object()})
    assert "Zürich" in path.read_text(encoding="utf-8")
    assert names(tmp_path) == ["conflict.json"]
    remove_conflict(tmp_path)
    remove_conflict(tmp_path)
    assert names(tmp_path) == []
