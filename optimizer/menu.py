"""The menu: streams that a part of the customers gets in its best plan, from which all others choose.

Which of a segment's streams a customer may have is told by bits, and these come apart: a stream fits a
customer if permissions and audiences allow it, if no earlier contact alone stands in its way, and if no cap
of several contacts is full. So every engine works them out with a few bitwise operations a customer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from optimizer.cells import Cells
from optimizer.leeway import Effects, Leeway
from optimizer.linear_plan import LinearPlan
from optimizer.stream_book import most_used
from optimizer.streams import Pricing

WORDS, BITS = 2, 62
"""A segment has at most so many streams as there are bits; whole numbers of 64 bits keep their sign."""


@dataclass(frozen=True)
class Menu:
    """`streams[g]` are the numbers of segment g's streams, the most worth having first."""

    pricing: Pricing
    streams: tuple[NDArray[np.int64], ...]

    def __len__(self) -> int:
        return max(len(own) for own in self.streams)

    def fitting(self, leeway: Leeway) -> NDArray[np.int64]:
        """By profile, segment and word: the bits of the streams that the profile leaves room for."""
        profiles, segments = len(leeway.open), len(self.streams)
        cells = bare_cells(self.pricing.cells, leeway)
        wide, words = self.pricing.over(cells), np.zeros((profiles * segments, WORDS), dtype=np.int64)
        for g, own in enumerate(self.streams):
            mine = np.arange(profiles) * segments + g
            value = wide.value(np.repeat(mine, len(own)), np.tile(own, profiles))
            words[mine] = as_words(np.isfinite(value).reshape(profiles, len(own)))
        return words.reshape(profiles, segments, WORDS)

    def allowed(self, allowed: NDArray[np.bool_], segment: NDArray[np.int64]) -> NDArray[np.int64]:
        """By row and word: the bits of the streams of segment[row] whose contacts allowed[row] all has."""
        words = np.zeros((len(segment), WORDS), dtype=np.int64)
        for g, own in enumerate(self.streams):
            rows = np.flatnonzero(segment == g)
            may = np.ones((len(rows), len(own)), dtype=bool)
            for n, stream in enumerate(own.tolist()):
                for t, i in self.pricing.book.streams[stream]:
                    may[:, n] &= allowed[rows, t, i]
            words[rows] = as_words(may)
        return words

    def chosen(self, segment: NDArray[np.int64], words: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """The streams behind the words of each row, the empty one last."""
        bits = (words[:, :, None] >> np.arange(BITS)) & 1
        places = [np.flatnonzero(row) for row in bits.reshape(len(words), -1)]
        return [np.append(self.streams[g][own], 0) for g, own in zip(segment.tolist(), places, strict=True)]


def menu_of(pricing: Pricing, linear: LinearPlan) -> Menu:
    """Each segment's most used streams, in the order of what they are worth at the prices.

    A stream that waits for a contact of the history is left out: bits cannot tell who had it.
    """
    cells, streams = pricing.cells, []
    free = pricing.over(bare_cells(cells, _usual(cells)))
    worth = free.worth(linear.prices)
    for g in range(len(cells.segments)):
        own = (cells.segment[linear.cell] == g) & (linear.stream > 0)
        most = most_used(linear.stream[own], linear.amount[own], WORDS * BITS)
        value = free.value(np.full(len(most), g), most, worth)
        order = np.argsort(-value, kind="stable")
        streams.append(most[order][np.isfinite(value[order])])
    return Menu(pricing, tuple(streams))


def bare_cells(cells: Cells, leeway: Leeway) -> Cells:
    """A cell for each profile and segment (the segments of one profile together), allowed everything."""
    profiles, segments = len(leeway.open), len(cells.segments)
    return Cells(
        cells.segments,
        cells.segment_size,
        np.tile(np.arange(segments), profiles),
        np.zeros(profiles * segments, dtype=np.int64),
        np.repeat(np.arange(profiles), segments),
        np.ones(profiles * segments, dtype=np.int64),
        np.ones((1, *leeway.open.shape[1:]), dtype=bool),
        leeway,
    )


def as_words(bits: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Rows of bits as rows of whole numbers."""
    whole = np.zeros((len(bits), WORDS * BITS), dtype=np.int64)
    whole[:, : bits.shape[1]] = bits
    return np.asarray((whole.reshape(len(bits), WORDS, BITS) << np.arange(BITS)).sum(axis=2))


def only_tired(leeway: Leeway, fatigue: NDArray[np.int16]) -> Leeway:
    """Profiles that leave everything open and tire as `fatigue[profile, t]` says."""
    shape = (len(fatigue), *leeway.open.shape[1:])
    return Leeway(
        np.ones(shape, dtype=bool),
        np.zeros((len(fatigue), *leeway.used.shape[1:]), dtype=np.int16),
        fatigue,
        np.zeros((len(fatigue), *leeway.ready.shape[1:]), dtype=bool),
    )


def only_cap(effects: Effects, cap: int) -> Effects:
    """The effects as cap number `cap` alone sees them."""
    named = tuple(held if n == cap else np.zeros_like(held) for n, held in enumerate(effects.named))
    return replace(
        effects,
        named=named,
        near=tuple({name: np.zeros_like(table) for name, table in rule.items()} for rule in effects.near),
        same=np.zeros_like(effects.same),
    )


def _usual(cells: Cells) -> Leeway:
    """One profile: everything open, and as many contacts tire as do on average."""
    tired = cells.leeway.fatigue[cells.profile].astype(float)
    mean = np.average(tired, axis=0, weights=np.maximum(cells.customers, 1e-9))
    return only_tired(cells.leeway, np.rint(mean)[None, :].astype(np.int16))
