"""Compiling with numba, and keeping what was compiled until any of the compiled files changes.

Numba's own cache looks at the file of a function alone, not at those of the functions that it calls: after
a change it would go on running the old ones. Nor does it tell apart code that checks the bounds of arrays
(NUMBA_BOUNDSCHECK). Such code has one thread: errors in others would be lost.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numba

_SETTINGS: Any = numba.config
_HERE = Path(__file__).parent
_FILES = [*sorted(_HERE.glob("stream_*.py")), _HERE / "choosers.py", _HERE / "menu.py"]  # and what they name
_STATE = sha256(b"".join(file.read_bytes() for file in _FILES)).hexdigest()[:12]
_CHECKED = bool(_SETTINGS.BOUNDSCHECK)
CACHE = _HERE / "__pycache__" / f"compiled-{_STATE}{'-checked' if _CHECKED else ''}"


def compiled(
    function: Callable[..., Any] | None = None, *, parallel: bool = False, inline: bool = False
) -> Any:
    """Decorates a function to be compiled at its first call; with `inline` as a part of those that call it.

    A call costs more the more arrays it hands over: too much for what is called many times a customer.
    """
    if function is None:
        return lambda decorated: compiled(decorated, parallel=parallel, inline=inline)
    elsewhere = _SETTINGS.CACHE_DIR
    _SETTINGS.CACHE_DIR = elsewhere or str(CACHE)  # read when a function is decorated, and then no more
    try:
        way: Literal["always", "never"] = "always" if inline else "never"
        return numba.njit(cache=True, parallel=parallel and not _CHECKED, inline=way)(function)
    finally:
        _SETTINGS.CACHE_DIR = elsewhere
