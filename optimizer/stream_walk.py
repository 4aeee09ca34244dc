"""Known streams in many cells: what each is worth there at given prices."""

from __future__ import annotations

import numpy as np
from numba import prange

from optimizer.compiled import compiled
from optimizer.stream_ground import NOTHING, bonus_of, fee, fits


@compiled
def _walk(ground, worth, cell, stream, start, stop):
    """The stream's worth in the cell at the prices; -inf where the cell may not have it."""
    f, g, e = ground.figures[cell], ground.segment[cell], ground.profile[cell]
    node, total, mask, t = 0, 0.0, np.int64(0), 0
    for n in range(start, stop):
        day, i = stream[n, 0], stream[n, 1]
        while t < day:
            node = ground.skip[node]
            t += 1
        to = fits(ground, cell, node, t, i)
        if to < 0:
            return -np.inf
        factor = ground.power[ground.fatigue[e, t] + ground.node_fatigue[node]]
        extra, mask = bonus_of(ground, worth, g, i, mask)
        total += worth.gain[f, i] * factor - fee(ground, worth, cell, t, i) + extra
        node = to
        t += 1
    return total


@compiled(parallel=True)
def best_known(ground, worth, cells, stream, begin, value, which):
    """For each of `cells` the best of the known streams at the prices: its worth and its number.

    Stream s is the rows (send day, option) begin[s] to begin[s + 1] of `stream`. Of equals the first.
    """
    for n in prange(cells.shape[0]):
        value[n], which[n] = -np.inf, NOTHING
        for s in range(begin.shape[0] - 1):
            total = _walk(ground, worth, cells[n], stream, begin[s], begin[s + 1])
            if total > value[n]:
                value[n], which[n] = total, s


@compiled
def known_above(ground, worth, cells, stream, begin, floor, pairs):
    """Fills `pairs` with the (place in cells, stream) whose worth is at least the cell's floor.

    Returns how many there are, also beyond the room in `pairs`.
    """
    found = 0
    for n in range(cells.shape[0]):
        for s in range(begin.shape[0] - 1):
            if _walk(ground, worth, cells[n], stream, begin[s], begin[s + 1]) >= floor[n]:
                if found < pairs.shape[0]:
                    pairs[found, 0], pairs[found, 1] = n, s
                found += 1
    return found


@compiled(parallel=True)
def worth_of(ground, worth, cells, streams, stream, begin, value):
    """The worth at the prices of stream streams[n] in cells[n]; -inf where it may not have it."""
    for n in prange(cells.shape[0]):
        s = streams[n]
        value[n] = _walk(ground, worth, cells[n], stream, begin[s], begin[s + 1])
