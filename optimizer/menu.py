"""The menu: streams that a part of the customers gets in its best plan, from which all others choose.

Which of a segment's streams a customer may have is told by bits, and these come apart: a stream fits a
customer if permissions and audiences allow it, if no earlier contact alone stands in its way, and if no cap
of several contacts is full.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from optimizer.cells import Cells
from optimizer.leeway import Leeway
from optimizer.linear_plan import LinearPlan
from optimizer.stream_book import most_used
from optimizer.streams import Pricing

BITS = 62
"""How many streams a word tells; whole numbers of 64 bits keep their sign."""
LEAST_STREAMS, MOST_STREAMS = 9 * BITS, 64 * BITS
"""How many streams a segment's menu may hold, where customers are very many and where they are few."""
LOOKS = 1_000_000_000
"""How often all customers together may look at a stream in a round, between these ends: it takes time."""
CHUNK = 2_000
"""Profiles that are asked at a time."""


@dataclass(frozen=True)
class Menu:
    """`streams[g]` are the numbers of segment g's streams in the book of the pricing."""

    pricing: Pricing
    streams: tuple[NDArray[np.int64], ...]

    @property
    def words(self) -> int:
        """How many words it takes to tell which streams of a segment fit."""
        return max(1, -(-max(len(own) for own in self.streams) // BITS))

    def fitting(self, leeway: Leeway) -> NDArray[np.int64]:
        """By profile, segment and word: the bits of the streams that the profile leaves room for."""
        first, number = leeway.distinct()
        words = np.zeros((len(first), len(self.streams), self.words), dtype=np.int64)
        for begin in range(0, len(first), CHUNK):
            some = leeway.of(first[begin : begin + CHUNK])
            words[begin : begin + CHUNK] = self._fitting(some)
        return words[number]

    def _fitting(self, leeway: Leeway) -> NDArray[np.int64]:
        profiles, every = len(leeway.open), np.unique(np.concatenate(self.streams))
        cells = _bare_cells(self.pricing.cells, leeway)
        cell, stream = np.repeat(np.arange(profiles), len(every)), np.tile(every, profiles)
        fits = self.pricing.fits(cells, cell, stream).reshape(profiles, len(every))
        words = [self._as_words(fits[:, np.searchsorted(every, own)]) for own in self.streams]
        return np.stack(words, axis=1)

    def allowed(self, allowed: NDArray[np.bool_], segment: NDArray[np.int64]) -> NDArray[np.int64]:
        """By row and word: the bits of the streams of segment[row] whose contacts allowed[row] all has."""
        words = np.zeros((len(segment), self.words), dtype=np.int64)
        for g, own in enumerate(self.streams):
            rows = np.flatnonzero(segment == g)
            may = np.ones((len(rows), len(own)), dtype=bool)
            for n, stream in enumerate(own.tolist()):
                for t, i in self.pricing.book.streams[stream]:
                    may[:, n] &= allowed[rows, t, i]
            words[rows] = self._as_words(may)
        return words

    def _as_words(self, bits: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Rows of bits as rows of whole numbers."""
        whole = np.zeros((len(bits), self.words * BITS), dtype=np.int64)
        whole[:, : bits.shape[1]] = bits
        return np.asarray((whole.reshape(len(bits), self.words, BITS) << np.arange(BITS)).sum(axis=2))


def menu_of(pricing: Pricing, linear: LinearPlan, choosers: int) -> Menu:
    """Each segment's most used streams of a linear plan, those worth the most at its prices first.

    The fewer cells are to choose, the more streams there are to choose from.
    A stream that waits for a contact of the history is left out: bits cannot tell who had it.
    """
    cells, most = pricing.cells, int(np.clip(LOOKS // choosers, LEAST_STREAMS, MOST_STREAMS))
    free = _bare_cells(cells, _untouched(cells.leeway))
    streams = []
    for g in range(len(cells.segments)):
        own = (cells.segment[linear.cell] == g) & (linear.stream > 0)
        used = np.sort(most_used(linear.stream[own], linear.amount[own], most))
        fits = pricing.fits(free, np.zeros(len(used), dtype=np.int64), used)
        streams.append(_ranked(pricing, linear, g, used[fits]))
    return Menu(pricing, tuple(streams))


def _ranked(pricing: Pricing, linear: LinearPlan, g: int, streams: NDArray[np.int64]) -> NDArray[np.int64]:
    """The streams in the order of what they are worth in segment g at the prices, the best first.

    So most customers' best stream is found soon. Where customers have figures of their own there is no such
    order for all.
    """
    if pricing.cells.own_figures is not None:
        return streams
    cells = _bare_cells(pricing.cells, _untouched(pricing.cells.leeway))
    rested = pricing.over(replace(cells, segment=np.array([g])))
    worth = rested.value(np.zeros(len(streams), dtype=np.int64), streams, rested.worth(linear.prices))
    return streams[np.argsort(-worth, kind="stable")]


def _bare_cells(cells: Cells, leeway: Leeway) -> Cells:
    """A cell of the first segment for each profile, allowed everything."""
    profiles = len(leeway.open)
    nothing = np.zeros(profiles, dtype=np.int64)
    return Cells(
        cells.segments,
        cells.segment_size,
        nothing,
        nothing,
        np.arange(profiles),
        np.ones(profiles, dtype=np.int64),
        np.ones((1, *leeway.open.shape[1:]), dtype=bool),
        leeway,
    )


def _untouched(leeway: Leeway) -> Leeway:
    """One profile without any earlier contacts."""
    return Leeway(
        np.ones((1, *leeway.open.shape[1:]), dtype=bool),
        np.zeros((1, *leeway.used.shape[1:]), dtype=np.int16),
        np.zeros((1, *leeway.fatigue.shape[1:]), dtype=np.int16),
        np.zeros((1, *leeway.ready.shape[1:]), dtype=bool),
    )
