"""HiGHS greets on standard output when it is first made, whatever its options say."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

import highspy


@cache
def let_highs_greet() -> None:
    """Let it greet nobody: what a run prints is the run's own. Done once a process."""
    with suppress(OSError, ValueError, AttributeError):  # no standard output at all
        sys.stdout.flush()
        kept = os.dup(1)
        try:
            with Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), 1)
            highspy.Highs()  # type: ignore[no-untyped-call]
        finally:
            os.dup2(kept, 1)
            os.close(kept)
