"""Fine cells: customers counted by all that tells them apart; a few numbers a cell, so many fit in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import ibis.expr.types as ir
import numpy as np
from numpy.typing import NDArray

from optimizer.customer_keys import CustomerKeys
from optimizer.customer_lists import CodeLists
from optimizer.engine import Engine
from optimizer.even_draw import even_draw
from optimizer.kinds import Kinds, kinds_of
from optimizer.patterns import Patterns

_MIXED = np.int64(-7_046_029_254_386_353_131)
"""An odd number by which kinds are spread over 64 bits."""


@dataclass(frozen=True)
class FineCells:
    """Cell c holds customers[c] customers of kind[c] whose earlier contacts are list listed[c] of `lists`.

    Cells are sorted by kind and list; kinds by segment first. Customers with list l are
    tired as fatigue[tired[l], t] says: by so many contacts on send day t. `members` has customer_id,
    held_out, kind and earlier of every customer.
    """

    kinds: Kinds
    patterns: Patterns
    lists: CodeLists
    kind: NDArray[np.int32]
    listed: NDArray[np.int32]
    customers: NDArray[np.int64]
    tired: NDArray[np.int32]
    fatigue: NDArray[np.int64]
    members: ir.Table

    def __len__(self) -> int:
        return len(self.kind)

    @cached_property
    def segments(self) -> tuple[str, ...]:
        """The labels of the segments, whole numbers by value, then texts."""
        return tuple(sorted(self.kinds.rows.segment.unique(), key=segment_order))

    @cached_property
    def segment_of_kind(self) -> NDArray[np.int64]:
        """By kind: the place of its segment in `segments`."""
        number = {name: n for n, name in enumerate(self.segments)}
        return np.asarray(self.kinds.rows.segment.map(number).to_numpy(dtype=np.int64))

    @cached_property
    def segment_size(self) -> NDArray[np.int64]:
        """All customers of each segment."""
        sizes = self.kinds.rows.groupby("segment").customers.sum().reindex(list(self.segments))
        return np.asarray(sizes.to_numpy(dtype=np.int64))

    @cached_property
    def held_out(self) -> NDArray[np.bool_]:
        """By cell: whether its customers are held out."""
        return np.asarray(self.kinds.free[self.kind] >= 0)

    def some(self, cells: NDArray[np.int64], customers: NDArray[np.int64]) -> FineCells:
        """Some of the cells, with other numbers of customers."""
        return replace(self, kind=self.kind[cells], listed=self.listed[cells], customers=customers)

    def drawn(self, count: int) -> FineCells:
        """About `count` customers, drawn at even steps, in whose place all others of their segment stand."""
        cells, weight = even_draw(self.customers.astype(float), min(count, int(self.customers.sum())))
        segment = self.segment_of_kind[self.kind[cells]]
        drawn = np.bincount(segment, weights=weight, minlength=len(self.segments))
        scale = self.segment_size / np.maximum(1e-9, drawn)
        return self.some(cells, np.rint(weight * scale[segment]).astype(np.int64))

    def key(self, kind: NDArray[np.int64], told: NDArray[np.int64]) -> NDArray[np.int64]:
        """One number for a kind and a list told by a sum; two share it next to never (64 bits)."""
        return np.asarray(told + kind.astype(np.int64) * _MIXED)


def fine_cells(engine: Engine, keys: CustomerKeys, patterns: Patterns) -> FineCells:
    """Count the customers by all that their keys tell."""
    kinds = kinds_of(keys, patterns)
    members = engine.keep("customer_kinds", kinds.of_customers(keys))
    found = members.group_by("kind", "earlier").agg(customers=members.count()).to_pyarrow()
    kind, told, customers = (found.column(name).to_numpy() for name in ("kind", "earlier", "customers"))
    lists = keys.earlier.lists(members)
    listed = lists.number(told)
    order = np.lexsort((listed, kind))
    return FineCells(
        kinds,
        patterns,
        lists,
        kind[order].astype(np.int32),
        listed[order].astype(np.int32),
        customers[order].astype(np.int64),
        *keys.earlier.fatigue(lists),
        members,
    )


def segment_order(label: object) -> tuple[int, int, str]:
    """Whole numbers by value, then texts."""
    text = str(label)
    return (0, int(text), "") if text.lstrip("-").isdecimal() else (1, 0, text)
