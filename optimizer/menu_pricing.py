"""Pricing where each cell may choose among a few streams of a menu, all of them known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from optimizer.cells import Cells
from optimizer.contact_figures import Objective
from optimizer.limits import Limit
from optimizer.stream_ground import Worth
from optimizer.streams import Pricing


class MenuPricing(Pricing):
    """A Pricing whose search is a look at each cell's own list: its best stream, and so the bound, is exact.

    `chosen[cell]` are the numbers of the streams that the cell may have, the empty one among them.
    """

    def __init__(self, over: Pricing, cells: Cells, chosen: Sequence[NDArray[np.int64]]) -> None:
        like = over.over(cells)
        self.__dict__.update(like.__dict__)
        self._chosen = list(chosen)
        self._begin = np.cumsum([0, *(len(own) for own in chosen)])
        self._stream = np.concatenate([np.zeros(0, dtype=np.int64), *chosen])
        self._cell = np.repeat(np.arange(len(cells)), np.diff(self._begin))
        self._most = int(self._stream.max(initial=0)) + 1
        self._own = np.sort(self._cell * self._most + self._stream)

    def under(self, limits: Sequence[Limit], objective: Objective) -> Pricing:
        """See Pricing."""
        return MenuPricing(super().under(limits, objective), self.cells, self._chosen)

    def value(
        self, cells: NDArray[np.int64], streams: NDArray[np.int64], worth: Worth | None = None
    ) -> NDArray[np.float64]:
        """See Pricing; -inf for streams that are not on the cell's list."""
        asked = np.where(streams < self._most, cells * self._most + streams, -1)
        place = np.minimum(np.searchsorted(self._own, asked), len(self._own) - 1)
        return np.where(self._own[place] == asked, super().value(cells, streams, worth), -np.inf)

    def best_known(
        self, worth: Worth, cells: NDArray[np.int64], menu: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """The best stream of each cell's own list, whatever else is on the menu."""
        every = super().value(self._cell, self._stream, worth)
        most = np.maximum.reduceat(every, self._begin[:-1])
        # Of equals the first.
        places = np.where(every == np.repeat(most, np.diff(self._begin)), np.arange(len(every)), len(every))
        first = np.minimum.reduceat(places, self._begin[:-1])
        return most[cells], self._stream[first[cells]]

    def search(
        self,
        worth: Worth,
        cells: NDArray[np.int64],
        floor: NDArray[np.float64],
        slack: float,
        most_labels: int,
    ) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
        """See Pricing; the bound is the best stream's worth."""
        value, stream = self.best_known(worth, cells, self._stream)
        better = value > floor
        return np.maximum(value, floor), np.where(better, stream, -1), np.maximum(value, floor)

    def known_above(
        self, worth: Worth, cells: NDArray[np.int64], floor: NDArray[np.float64], most: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
        """See Pricing."""
        least = np.full(len(self.cells), np.inf)
        least[cells] = floor
        found = np.flatnonzero(self.value(self._cell, self._stream, worth) >= least[self._cell])
        return (self._cell[found], self._stream[found]) if len(found) <= most else None

    def above(
        self, worth: Worth, cell: int, floor: float, most: int, most_steps: int
    ) -> tuple[NDArray[np.int64] | None, int]:
        """See Pricing."""
        own = self._chosen[cell]
        value = self.value(np.full(len(own), cell), own, worth)
        found = own[value >= floor]
        return (found if len(found) <= most else None), len(own)
