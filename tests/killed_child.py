"""A real `contactplan run` in a process of its own, killed at a chosen moment."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

STAGES = ("read", "segments", "response rates", "cells", "program", "calendar", "audit", "report", "files")

# Loads everything first, so that the moments of a kill fall into the run itself.
_PROGRAM = """
import os, resource, signal, sys
from pathlib import Path
from optimizer import cli, conflict, pipeline, run_folder, screen

words, last_rename, largest_file = sys.argv[1:-2], int(sys.argv[-2]), int(sys.argv[-1])
rename, renames = Path.rename, 0

def dying(path, target):
    global renames
    renames += 1
    if renames == last_rename:
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(path, target)

sys.stdin.readline()
Path.rename = dying
if largest_file:
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
sys.argv = ["contactplan", *words]
cli.main()
"""


@dataclass(frozen=True)
class Moment:
    """When to kill: so many seconds after a stage began (`stage` empty: after the start), or at the
    n-th renaming of a file or folder."""

    stage: str = ""
    seconds: float = 0.0
    rename: int = 0


class Child:
    """A process that has loaded the program and waits; `run` lets it go, `killed` too, and kills it."""

    def __init__(
        self, *words: str | Path, rename: int = 0, largest_file: int = 0, env: Mapping[str, str] | None = None
    ) -> None:
        given = [*map(str, words), str(rename), str(largest_file)]
        self._process = subprocess.Popen(
            [sys.executable, "-u", "-c", _PROGRAM, *given],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **(env or {})},
        )

    def run(self) -> tuple[int, str]:
        """The exit code and all that was said."""
        self._go()
        return self.rest()

    def killed(self, moment: Moment) -> bool:
        """Whether the kill came before the run's end; the run succeeded otherwise."""
        self.go_on_until(moment.stage)
        if not moment.rename:
            time.sleep(moment.seconds)
            self._process.kill()
        said, _ = self._process.communicate(timeout=120)
        assert self._process.returncode in (0, -9), said
        return self._process.returncode != 0

    def go_on_until(self, stage: str) -> None:
        """Let it go, and come back when the stage has begun (at once if there is none of that name)."""
        self._go()
        assert self._process.stdout is not None
        for line in self._process.stdout if stage else ():
            if line.startswith(stage):
                break

    def rest(self) -> tuple[int, str]:
        """The exit code, and what is still said."""
        said, _ = self._process.communicate(timeout=120)
        return self._process.returncode, said

    def _go(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
