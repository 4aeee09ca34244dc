"""Kinds of customers: all that tells them apart but their earlier contacts."""

from __future__ import annotations

from dataclasses import dataclass

import ibis.expr.types as ir
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from optimizer.customer_keys import KIND, CustomerKeys
from optimizer.frames import frame_of, table_of
from optimizer.patterns import Patterns


@dataclass(frozen=True)
class Kinds:
    """`rows` has a row for each kind that the keys tell apart: the columns KIND, `customers` and `kind`.

    By kind: `first` its most frequent row, `pattern` what all its customers may have, `widest` what any of
    them may, `free` the pattern they would have if not held out (-1 for those who are not).
    """

    rows: pd.DataFrame
    first: NDArray[np.int64]
    pattern: NDArray[np.int64]
    widest: NDArray[np.int64]
    free: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.pattern)

    @property
    def table(self) -> pd.DataFrame:
        """A row a kind: the columns KIND of its most frequent row, and all its customers."""
        customers = np.bincount(self.rows.kind, weights=self.rows.customers, minlength=len(self))
        frame = self.rows[KIND].iloc[self.first].reset_index(drop=True)
        return frame.assign(customers=customers.astype(np.int64))

    def of_customers(self, keys: CustomerKeys) -> ir.Table:
        """customer_id, held_out, earlier and kind of every customer."""
        book = table_of(self.rows, {**dict(keys.table.select(KIND).schema()), "kind": "int64"})
        return keys.table.join(book, KIND).select("customer_id", "held_out", "earlier", "kind")


def kinds_of(keys: CustomerKeys, patterns: Patterns) -> Kinds:
    """All kinds that the keys tell apart."""
    rows = frame_of(keys.table.group_by(KIND).agg(customers=keys.table.count()))
    rows = rows.sort_values(KIND, ignore_index=True)
    held = rows.held_out.to_numpy(dtype=bool)
    pattern, free = patterns.number(rows, held), np.full(len(rows), -1, dtype=np.int64)
    free[held] = patterns.number(rows[held], np.zeros(int(held.sum()), dtype=bool))
    every = np.arange(len(rows))
    return Kinds(rows.assign(kind=every), every, pattern, pattern, free)


def merged(kinds: Kinds, patterns: Patterns, most: int) -> Kinds:
    """About `most` kinds: the frequent half stays, the rare ones are put together with their likes.

    Only kinds of one segment, hold-out, own limit and provisional contacts are. They are sorted by what
    they may have, the options open to most customers first, and cut into runs of as many customers each.
    """
    if len(kinds) <= most:
        return kinds
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
    kind = np.empty(len(rows), dtype=np.int64)
    kind[np.sort(rank[: most // 2])] = np.arange(most // 2)
    kind[rare[order]] = most // 2 + run
    return _put_together(kinds, patterns, kind)


def _likeness(kinds: Kinds, patterns: Patterns) -> NDArray[np.int64]:
    """Ranks by which kinds that may have much the same stand near each other."""
    bits = np.unpackbits(patterns.bits(kinds.pattern), axis=1)
    open_to = kinds.rows.customers.to_numpy(dtype=np.float64) @ bits
    ordered = np.packbits(bits[:, np.argsort(-open_to, kind="stable")], axis=1)
    _, rank = np.unique(ordered, axis=0, return_inverse=True)
    return np.asarray(rank.reshape(-1), dtype=np.int64)


def _put_together(kinds: Kinds, patterns: Patterns, kind: NDArray[np.int64]) -> Kinds:
    """The kinds numbered anew: equal numbers become one kind."""
    customers = kinds.rows.customers.to_numpy()
    order = np.lexsort((-customers, kind))
    begins = np.flatnonzero(np.diff(kind[order], prepend=-1))

    def reduced(numbers: NDArray[np.int64], join: np.ufunc) -> NDArray[np.int64]:
        return patterns.numbers(join.reduceat(patterns.bits(numbers)[order], begins, axis=0))

    held = kinds.free >= 0
    free = reduced(np.where(held, kinds.free, kinds.pattern), np.bitwise_and)
    return Kinds(
        kinds.rows.assign(kind=kind),
        order[begins],
        reduced(kinds.pattern, np.bitwise_and),
        reduced(kinds.pattern, np.bitwise_or),
        np.where(held[order][begins], free, -1),
    )
