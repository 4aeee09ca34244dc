"""The program's columns: for every block of cells that share a row, a stream for each of its cells."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Columns:
    """The columns in the order in which they are added, the blocks' empty streams first.

    `live` are the cells, `customers` their weights, `block[n]` the block of live[n].
    """

    def __init__(
        self, live: NDArray[np.int64], customers: NDArray[np.float64], block: NDArray[np.int64]
    ) -> None:
        count = np.bincount(block)
        self._live, self._customers = live, customers
        self._members = np.split(np.argsort(block, kind="stable"), np.cumsum(count)[:-1])
        self._sizes = np.bincount(block, weights=customers)
        self._block = list(range(len(count)))
        self._streams = [np.zeros(members, dtype=np.int64) for members in count.tolist()]

    def add(self, blocks: NDArray[np.int64], streams: NDArray[np.int64]) -> None:
        """Adds a column for each of `blocks`; streams[n] is the stream of live[n]."""
        for block in blocks.tolist():
            self._block.append(block)
            self._streams.append(streams[self._members[block]])

    def pairs(
        self, weights: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Cells, their streams and how many customers get them, where columns have these weights."""
        cells, streams, amounts = [], [], []
        for column in np.flatnonzero(weights > 1e-9).tolist():
            block = self._block[column]
            members = self._members[block]
            cells.append(self._live[members])
            streams.append(self._streams[column])
            amounts.append(weights[column] * self._customers[members] / self._sizes[block])
        if not cells:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0)
        pairs, place = np.unique(
            np.column_stack([np.concatenate(cells), np.concatenate(streams)]), axis=0, return_inverse=True
        )
        together = np.bincount(place.reshape(-1), weights=np.concatenate(amounts)).astype(np.float64)
        return pairs[:, 0], pairs[:, 1], together
