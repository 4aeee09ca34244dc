"""The streams known so far, by number, and which of them are used the most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Stream = tuple[tuple[int, int], ...]
"""(send day, option) pairs in order; the empty stream is ()."""


class StreamBook:
    """The streams known so far, numbered in the order they were found; number 0 is the empty stream."""

    def __init__(self) -> None:
        self._number: dict[Stream, int] = {(): 0}
        self.streams: list[Stream] = [()]

    def __len__(self) -> int:
        return len(self.streams)

    def add(self, stream: Stream) -> int:
        """The stream's number; a new one is added."""
        number = self._number.setdefault(stream, len(self.streams))
        if number == len(self.streams):
            self.streams.append(stream)
        return number

    def add_paths(self, paths: NDArray[np.int32]) -> NDArray[np.int64]:
        """The numbers of streams given as rows of options by send day (-1: none)."""
        distinct, inverse = np.unique(paths, axis=0, return_inverse=True)
        numbers = [
            self.add(tuple((t, int(i)) for t, i in enumerate(path) if i >= 0)) for path in distinct.tolist()
        ]
        return np.array(numbers, dtype=np.int64)[inverse.reshape(-1)]

    def arrays(
        self, numbers: Sequence[int] | NDArray[np.int64]
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """The chosen streams' contacts as rows, and where each stream begins."""
        chosen = [self.streams[number] for number in numbers]
        rows = np.array([pair for stream in chosen for pair in stream], dtype=np.int32).reshape(-1, 2)
        begin = np.cumsum([0, *(len(stream) for stream in chosen)], dtype=np.int32)
        return rows, begin


def most_used(
    streams: NDArray[np.int64], amounts: NDArray[np.float64] | NDArray[np.int64], most: int
) -> NDArray[np.int64]:
    """The numbers of the `most` streams used by the most customers, in this order; only those that are used.

    Customers get `streams[n]` in the number `amounts[n]`.
    """
    use = np.bincount(streams, weights=amounts)
    order = np.argsort(-use, kind="stable")[:most]
    return order[use[order] > 0].astype(np.int64)
