"""The run folder `runs/<period.start>/`: whole or not at all, whatever happens while it is written.

A fresh folder is written beside the old one under a hidden name, then the two are swapped by renaming:

    .2026-11-30.new-<pid>       being written                         never kept
    .2026-11-30.ready-<run id>  whole, while a database takes the run  kept if the database holds the run
    .2026-11-30.aside           the earlier run, moved aside, whole    restored if `2026-11-30` is missing
    .2026-11-30.trash-<pid>     an earlier run being deleted           never kept

Each step is one rename, so a process killed at any moment leaves a state that `recover` can read from
the names, and where a database takes part from what that holds. The database decides: its commit lies
between "ready" and the swap (two-phase commit; J. Gray, Notes on Data Base Operating Systems, 1978). So a
run is in both places or in neither, once the next command has looked. One run at a time works in a
workspace: it holds `run_lock`.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Protocol

LOCK = ".run.lock"
_HIDDEN = re.compile(
    r"\.(?P<name>.+)\.(?P<state>aside|new|ready|trash)(?:-(?P<mark>[0-9a-f]+))?", flags=re.ASCII
)
_HALF_WRITTEN = (".conflict.json.new", "segments/.model.json.new")

Holds = Callable[[str, str], bool]
"""Whether the database holds a run, by its period's start and its id."""


class AnotherRun(Exception):  # noqa: N818 - named for what the user sees
    """Another process is making a run in the same workspace."""


class Undecided(Exception):  # noqa: N818
    """Something failed while the database took the run: the next command finds out whether it did."""


class Database(Protocol):
    """What takes a run's tables while its folder takes the files."""

    run_id: str

    def commit(self) -> None:
        """Switch over to the run's tables."""


def no_database(start: str, run_id: str) -> bool:
    """What a plan without database holds."""
    return False


def run_folder(workspace: Path, start: date) -> Path:
    """Where the run of the period that begins on `start` belongs: `<workspace>/runs/<start>`."""
    return workspace / "runs" / start.isoformat()


@contextmanager
def run_lock(workspace: Path, holds: Holds | None = None) -> Iterator[None]:
    """Hold the workspace for one run, and put right what a killed run left in it.

    `holds` asks the plan's database; without it a folder that waits for one is left waiting. Raises
    AnotherRun at once if another process holds the workspace, and what `holds` raises. The system lets go
    of the lock when the process ends, however it ends.
    """
    path = workspace / LOCK
    descriptor = _locked(path)
    try:
        for name in _HALF_WRITTEN:
            (workspace / name).unlink(missing_ok=True)
        _mend(workspace / "runs", holds)
        yield
    finally:
        # Deleted while still held: whoever opened the same file meanwhile sees that it is gone.
        with suppress(OSError):
            path.unlink()
        os.close(descriptor)


def recover(runs: Path, holds: Holds | None = None) -> None:
    """Put right what a killed run left in the workspace of `runs`; leave it alone while a run is under way.

    A folder that was moved aside and not yet replaced is restored, one that the database holds is put in
    its place, everything half-done is removed. Writes nothing where there is nothing to mend.
    """
    left = (LOCK, *_HALF_WRITTEN)
    hidden = any(_HIDDEN.fullmatch(entry.name) for entry in _entries(runs))
    if hidden or any((runs.parent / name).exists() for name in left):
        with suppress(AnotherRun), run_lock(runs.parent, holds):
            pass


@contextmanager
def replace_whole(folder: Path, database: Database | None = None) -> Iterator[Path]:
    """Yield a fresh hidden folder beside `folder`; when the block ends, put it in the place of `folder`.

    Where a `database` takes part, it commits once the fresh folder is whole and on the disk. On any
    exception the fresh folder is removed and the old one is as it was. The caller holds `run_lock`.
    Raises OSError (a full disk, for one) with nothing changed, and Undecided.
    """
    runs = folder.parent
    runs.mkdir(parents=True, exist_ok=True)
    fresh = runs / f".{folder.name}.new-{os.getpid()}"
    fresh.mkdir()
    try:
        yield fresh
        _flush(fresh)
        if database is None:
            _swap(fresh, folder)
        else:
            fresh = fresh.rename(runs / f".{folder.name}.ready-{database.run_id}")
            to_disk(runs)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        with suppress(OSError):
            runs.rmdir()  # only if this made it: a folder that holds anything stays
        raise
    if database is not None:
        _commit_and_swap(fresh, folder, database)
    # The new run is in its place: if deleting the old one fails, the next command does it.
    with suppress(OSError):
        _discard(_aside(folder))


def to_disk(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _locked(path: Path) -> int:
    """The descriptor of the lock file, locked."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The holder before us deletes the file: a lock on a deleted file locks nobody out.
            if os.fstat(descriptor).st_ino == path.stat().st_ino:
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            raise AnotherRun(str(path.parent)) from None
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _commit_and_swap(ready: Path, folder: Path, database: Database) -> None:
    """From the commit on, whatever goes wrong, only the database can tell whether the folder is to stay."""
    try:
        database.commit()
        _swap(ready, folder)
    except Exception as failure:
        raise Undecided(str(failure)) from failure


def _swap(fresh: Path, folder: Path) -> None:
    """Put `fresh` in the place of `folder`, whose earlier content is left aside."""
    aside = _aside(folder)
    try:
        if os.path.lexists(folder):
            folder.rename(aside)
            to_disk(folder.parent)
        fresh.rename(folder)
    except BaseException:
        if os.path.lexists(aside) and not os.path.lexists(folder):
            aside.rename(folder)
        raise
    to_disk(folder.parent)


def _mend(runs: Path, holds: Holds | None) -> None:
    """Finish what the database holds, restore what was moved aside and has no successor, delete the rest."""
    for state in ("ready", "aside", "new", "trash"):
        for entry in _entries(runs):
            hidden = _HIDDEN.fullmatch(entry.name)
            if hidden is None or hidden["state"] != state:
                continue
            place = runs / hidden["name"]
            if state == "ready":
                _settle(entry, place, hidden["mark"], holds)
            elif state != "aside":
                _delete(entry)
            elif os.path.lexists(place):
                _discard(entry)
            else:
                entry.rename(place)
                to_disk(runs)


def _settle(ready: Path, place: Path, run_id: str, holds: Holds | None) -> None:
    """Put a folder that waited for the database in its place if that holds the run, else delete it."""
    if holds is None:
        return
    if not holds(place.name, run_id):
        _delete(ready)
        return
    if os.path.lexists(place):
        _discard(_aside(place))  # of the run before that
    _swap(ready, place)


def _discard(aside: Path) -> None:
    """Delete a folder that was moved aside, under a name by which no half-deleted folder is restored."""
    if os.path.lexists(aside):
        trash = aside.with_name(aside.name.removesuffix(".aside") + f".trash-{os.getpid()}")
        aside.rename(trash)
        to_disk(trash.parent)
        _delete(trash)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _aside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.aside")


def _entries(runs: Path) -> list[Path]:
    return sorted(runs.iterdir()) if runs.is_dir() else []


def _flush(folder: Path) -> None:
    """Bring a folder and all that is in it to the disk."""
    for path in folder.rglob("*"):
        to_disk(path)
    to_disk(folder)
