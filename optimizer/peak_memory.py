"""The most memory that this process has held at once."""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # what clear_refs takes for "forget the peak" (proc(5))


def peak_memory() -> int:
    """Bytes of resident memory at the peak since `reset_peak`; where that cannot reset, since the start."""
    try:
        told = re.search(r"VmHWM:\s+(\d+) kB", _STATUS.read_text())
    except OSError:
        told = None
    if told:
        return int(told[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def reset_peak() -> bool:
    """Begin a new peak at the memory held now; False where the system cannot (only Linux can)."""
    try:
        _CLEAR.write_text(_RESET_PEAK)
    except OSError:
        return False
    return True
