"""Compiled code under test: what it reads past the end of an array must come out."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from numba import prange

from optimizer.compiled import CACHE, compiled


@compiled(parallel=True)
def _copied(numbers, into):  # type: ignore[no-untyped-def]
    for n in prange(into.shape[0]):
        into[n] = numbers[n]


@pytest.mark.skipif(not numba.config.BOUNDSCHECK, reason="NUMBA_BOUNDSCHECK is not set")
@pytest.mark.parametrize("short", [1, 500, 999])
def test_reading_past_the_end_is_an_error_wherever_it_happens(short: int) -> None:
    with pytest.raises(IndexError):
        _copied(np.zeros(short), np.zeros(1_000))
    assert CACHE.name.endswith("-checked")
