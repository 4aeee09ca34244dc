"""Kinds of customers put together with their likes, each with the most that any of them may have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.kinds import Kinds
from optimizer.patterns import Patterns


@dataclass(frozen=True)
class MergedKinds:
    """`number[kind]` of each kind; by number the `first` of its kinds and the `widest` pattern of all."""

    number: NDArray[np.int64]
    first: NDArray[np.int64]
    widest: NDArray[np.int64]


def merged(kinds: Kinds, patterns: Patterns, most: int) -> MergedKinds:
    """About `most` of them: the frequent half of the kinds stays, the rare ones are put together.

    Only kinds of one segment, hold-out, own limit and provisional contacts are. They are sorted by what
    they may have, the options open to most customers first, and cut into runs of as many customers each.
    """
    if len(kinds) <= most:
        every = np.arange(len(kinds))
        return MergedKinds(every, every, kinds.pattern)
    rows, customers = kinds.rows, kinds.rows.customers.to_numpy(dtype=np.float64)
    rank = np.argsort(-customers, kind="stable")
    rare = np.sort(rank[most // 2 :])
    apart = (
        rows.iloc[rare].groupby(["segment", "held_out", "max_contacts", "provisional"]).ngroup().to_numpy()
    )
    order = np.lexsort((rare, _likeness(kinds, patterns)[rare], apart))
    begun = np.cumsum(customers[rare][order]) - customers[rare][order]
    part = np.floor(begun / (customers[rare].sum() / (most - most // 2))).astype(np.int64)
    run = np.cumsum(np.r_[False, (np.diff(part) != 0) | (np.diff(apart[order]) != 0)])
    number = np.empty(len(rows), dtype=np.int64)
    number[np.sort(rank[: most // 2])] = np.arange(most // 2)
    number[rare[order]] = most // 2 + run
    order = np.argsort(number, kind="stable")
    begins = np.flatnonzero(np.diff(number[order], prepend=-1))
    widest = np.bitwise_or.reduceat(patterns.bits(kinds.pattern)[order], begins, axis=0)
    return MergedKinds(number, order[begins], patterns.numbers(widest))


def _likeness(kinds: Kinds, patterns: Patterns) -> NDArray[np.int64]:
    """Ranks by which kinds that may have much the same stand near each other."""
    used, place = np.unique(kinds.pattern, return_inverse=True)
    bits = np.unpackbits(patterns.bits(used), axis=1)
    customers = np.bincount(place.reshape(-1), weights=kinds.rows.customers)
    ordered = np.packbits(bits[:, np.argsort(-(customers @ bits), kind="stable")], axis=1)
    rows = np.ascontiguousarray(ordered).view(np.dtype((np.void, ordered.shape[1]))).reshape(-1)
    rank = np.empty(len(used), dtype=np.int64)
    rank[np.argsort(rows, kind="stable")] = np.arange(len(used))
    return np.asarray(rank[place.reshape(-1)])
