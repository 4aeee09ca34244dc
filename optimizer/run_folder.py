"""The run folder `runs/<period.start>/`: whole or not at all, whatever happens while it is written.

A fresh folder is written beside the old one under a hidden name, then the two are swapped by renaming:

    .2026-11-30.new-<pid>    being written                        never kept
    .2026-11-30.aside        the earlier run, moved aside, whole  restored if `2026-11-30` is missing
    .2026-11-30.trash-<pid>  an earlier run being deleted         never kept

Each step is one rename, so a process killed at any moment leaves a state that `recover` can read from
the names alone. One run at a time works in a workspace: it holds `run_lock`.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Any

from optimizer.faults import BadInput, Fault

LOCK = ".run.lock"
CONFLICT = "conflict.json"
_HIDDEN = re.compile(r"\.(?P<name>.+)\.(?P<state>aside|new-\d+|trash-\d+)")


class AnotherRun(Exception):  # noqa: N818 - named for what the user sees
    """Another process is making a run in the same workspace."""


def run_folder(workspace: Path, start: date) -> Path:
    """Where the run of the period that begins on `start` belongs: `<workspace>/runs/<start>`."""
    return workspace / "runs" / start.isoformat()


def newest_earlier_run(folder: Path, start: date) -> Path | None:
    """The newest run of the workspace `folder` whose period begins before `start`, or None.

    Only whole runs that still have their calendar count: its final contacts are what the next run needs.
    """
    earlier = [
        run
        for run in _entries(folder / "runs")
        if _start_of(run) is not None
        and run.name < start.isoformat()
        and (run / "calendar.parquet").is_file()
    ]
    return max(earlier, default=None, key=lambda run: run.name)


def refuse_to_replace_final(folder: Path) -> None:
    """Raise BadInput if the run in `folder` has final contacts, or if that can no longer be seen."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    final = _final_contacts(folder)
    if final == 0:
        return
    place = f"runs/{folder.name}"
    rule = "it holds final contacts" if final else "its calendar cannot be read, it may hold final contacts"
    remedy = "Give --replace to make this run again and replace it, or set a later period.start."
    raise BadInput([Fault(where=place, column="", rule=rule, remedy=remedy, rows=final or 0)])


@contextmanager
def run_lock(workspace: Path) -> Iterator[None]:
    """Hold the workspace for one run, and put right what a killed run left in it.

    Raises AnotherRun at once if another process holds it. The system lets go of the lock when the
    process ends, however it ends.
    """
    path = workspace / LOCK
    descriptor = _locked(path)
    try:
        _mend(workspace / "runs")
        yield
    finally:
        # Deleted while still held: whoever opened the same file meanwhile sees that it is gone.
        with suppress(OSError):
            path.unlink()
        os.close(descriptor)


def recover(runs: Path) -> None:
    """Put right what a killed run left in `runs`; leave it alone while another run is under way.

    A folder that was moved aside and not yet replaced is restored, everything half-done is removed.
    Writes nothing where there is nothing to mend.
    """
    if any(_HIDDEN.fullmatch(entry.name) for entry in _entries(runs)):
        with suppress(AnotherRun), run_lock(runs.parent):
            pass


@contextmanager
def replace_whole(folder: Path) -> Iterator[Path]:
    """Yield a fresh hidden folder beside `folder`; when the block ends, put it in the place of `folder`.

    On any exception the fresh folder is removed and the old one is as it was. The caller holds `run_lock`.
    Raises OSError (a full disk, for one) with nothing changed.
    """
    runs = folder.parent
    runs.mkdir(parents=True, exist_ok=True)
    fresh = runs / f".{folder.name}.new-{os.getpid()}"
    fresh.mkdir()
    try:
        yield fresh
        _flush(fresh)
        _swap(fresh, folder)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        with suppress(OSError):
            runs.rmdir()  # only if this made it: a folder that holds anything stays
        raise
    # The new run is in its place: if deleting the old one fails, the next command does it.
    with suppress(OSError):
        _discard(_aside(folder))


def write_conflict(workspace: Path, conflict: dict[str, Any]) -> Path:
    """Write `conflict.json` beside plan.yaml, whole or not at all; its path. Raises OSError."""
    path = workspace / CONFLICT
    fresh = workspace / f".{CONFLICT}.new"
    try:
        fresh.write_text(json.dumps(conflict, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        _sync(fresh)
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    _sync(workspace)
    return path


def remove_conflict(workspace: Path) -> None:
    """Remove the `conflict.json` of an earlier run: the plan's limits hold now."""
    (workspace / CONFLICT).unlink(missing_ok=True)
    (workspace / f".{CONFLICT}.new").unlink(missing_ok=True)


def _final_contacts(folder: Path) -> int | None:
    """How many contacts of the run's calendar are final; None if the calendar cannot be read."""
    from pyarrow import ArrowException, dataset  # noqa: PLC0415 - keeps `--help` quick

    try:
        calendar = dataset.dataset(folder / "calendar.parquet", format="parquet")
        return int(calendar.count_rows(filter=dataset.field("final")))
    except (OSError, ArrowException):
        return None


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


def _swap(fresh: Path, folder: Path) -> None:
    """Put `fresh` in the place of `folder`, whose earlier content is left aside."""
    aside = _aside(folder)
    try:
        if os.path.lexists(folder):
            folder.rename(aside)
            _sync(folder.parent)
        fresh.rename(folder)
    except BaseException:
        if os.path.lexists(aside) and not os.path.lexists(folder):
            aside.rename(folder)
        raise
    _sync(folder.parent)


def _mend(runs: Path) -> None:
    """Restore what was moved aside and has no successor, delete the rest of what a killed run left."""
    for entry in _entries(runs):
        hidden = _HIDDEN.fullmatch(entry.name)
        if hidden is None:
            continue
        if hidden["state"] != "aside":
            _delete(entry)
        elif os.path.lexists(runs / hidden["name"]):
            _discard(entry)
        else:
            entry.rename(runs / hidden["name"])
            _sync(runs)


def _discard(aside: Path) -> None:
    """Delete a folder that was moved aside, under a name by which no half-deleted folder is restored."""
    if os.path.lexists(aside):
        trash = aside.with_name(aside.name.removesuffix(".aside") + f".trash-{os.getpid()}")
        aside.rename(trash)
        _sync(trash.parent)
        _delete(trash)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _aside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.aside")


def _start_of(run: Path) -> date | None:
    """The period's start that a run folder is named after; None for any other folder."""
    try:
        start = date.fromisoformat(run.name)
    except ValueError:
        return None
    return start if start.isoformat() == run.name else None


def _entries(runs: Path) -> list[Path]:
    return sorted(runs.iterdir()) if runs.is_dir() else []


def _flush(folder: Path) -> None:
    """Bring a folder and all that is in it to the disk."""
    for path in folder.rglob("*"):
        _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
