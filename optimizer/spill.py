"""Where an engine may spill to disk: a folder of its own that no killed run leaves behind for ever.

The folder is locked as long as its owner lives. The system lets go of the lock when a process ends,
however it ends, so a folder that can be locked belongs to nobody any more: whoever makes the next one
removes it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path

PREFIX = "contactplan-spill-"


class SpillFolder:
    """A fresh folder in the system's temporary folder (TMPDIR names another), removed with this object.

    `path` holds whatever the engine puts there. Raises OSError where no folder can be made.
    """

    def __init__(self) -> None:
        remove_leftovers()
        self.path, descriptor = _made()
        self._finalizer = weakref.finalize(self, _remove, self.path, descriptor)

    def remove(self) -> None:
        """Remove the folder now; a second call does nothing. The engine is closed by then."""
        self._finalizer()


def remove_leftovers() -> None:
    """Remove the folders of runs that were killed; those in use, and other users' ones, stay."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            _remove(folder, _locked(folder))


def _made() -> tuple[Path, int]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=PREFIX))
        # Before it is locked, somebody else may take it for a leftover.
        with suppress(FileNotFoundError, BlockingIOError):
            descriptor = _locked(path)
            if path.exists():
                return path, descriptor
            os.close(descriptor)


def _locked(folder: Path) -> int:
    """The folder's descriptor, locked. Raises OSError if it is in use, gone, a link or somebody else's."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(descriptor).st_uid != os.getuid():
            raise PermissionError(f"{folder} is somebody else's")
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _remove(folder: Path, descriptor: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    os.close(descriptor)
