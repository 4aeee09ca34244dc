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
from optimizer.kinds import Kinds
from optimizer.patterns import Patterns

_MIXED = np.int64(-7_046_029_254_386_353_131)
"""An odd number by which kinds are spread over 64 bits."""

LEAST_DRAWN = 200
"""How many customers of each stratum are drawn at least, as long as it has so many."""


@dataclass(frozen=True)
class FineCells:
    """Cell c holds customers[c] customers of kind[c] whose earlier contacts are list listed[c] of `lists`.

    Cells are sorted by kind, list and row of figures; kinds by segment first. Customers with list l are
    tired as fatigue[tired[l], t] says: by so many contacts on send day t. `members` has customer_id,
    held_out, kind and earlier of every customer, and where any have figures of their own the row `figures`
    (see OwnFigures); own_figures[c] is that of cell c.
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
    own_figures: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def segments(self) -> tuple[str, ...]:
        """The labels of the segments, whole numbers by value, then texts."""
        return self.kinds.segments

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

    @property
    def figures(self) -> NDArray[np.int64]:
        """By cell: the row of its figures."""
        if self.own_figures is None:
            return self.segment_of_kind[self.kind]
        return self.own_figures.astype(np.int64)

    def with_segments_figures(self) -> FineCells:
        """The same customers, told apart as if they had the figures of their segments."""
        _, first, place = np.unique(self._place, return_index=True, return_inverse=True)
        customers = np.bincount(place.reshape(-1), weights=self.customers).astype(np.int64)
        return replace(self.some(first, customers), own_figures=None)

    def cell_with_segments_figures(self) -> NDArray[np.int64]:
        """By cell the one of with_segments_figures that holds its customers."""
        return np.asarray(np.unique(self._place, return_inverse=True)[1].reshape(-1), dtype=np.int64)

    @property
    def _place(self) -> NDArray[np.int64]:
        return np.asarray(self.kind.astype(np.int64) * len(self.lists) + self.listed)

    @cached_property
    def held_out(self) -> NDArray[np.bool_]:
        """By cell: whether its customers are held out."""
        return np.asarray(self.kinds.free[self.kind] >= 0)

    def some(self, cells: NDArray[np.int64], customers: NDArray[np.int64]) -> FineCells:
        """Some of the cells, with other numbers of customers."""
        own = None if self.own_figures is None else self.own_figures[cells]
        return replace(
            self, kind=self.kind[cells], listed=self.listed[cells], customers=customers, own_figures=own
        )

    def drawn(self, count: int) -> FineCells:
        """About `count` customers in whose place all others like them stand.

        They are drawn at even steps within each stratum: a segment, and of the campaigns that its customers
        may be sent the one that the fewest may. Small strata are drawn more densely than their share.
        """
        stratum = self._stratum_of_kind[self.kind]
        size = np.bincount(stratum, weights=self.customers)
        least = np.minimum(size, LEAST_DRAWN)
        wanted = np.ceil(np.maximum(least, size * count / max(1.0, size.sum()))).astype(np.int64)
        cells, customers = [], []
        for number in np.flatnonzero(size).tolist():
            here = np.flatnonzero(stratum == number)
            most = int(min(wanted[number], size[number]))
            drawn, weight = even_draw(self.customers[here].astype(float), most)
            cells.append(here[drawn])
            customers.append(np.diff(np.rint(np.cumsum(weight)), prepend=0).astype(np.int64))
        order = np.argsort(np.concatenate(cells))
        return self.some(np.concatenate(cells)[order], np.concatenate(customers)[order])

    @cached_property
    def _stratum_of_kind(self) -> NDArray[np.int64]:
        may = self.patterns.campaigns(self.kinds.pattern)
        eligible = self.kinds.rows.customers.to_numpy(dtype=np.float64) @ may
        rarest = np.where(may, eligible, np.inf).argmin(axis=1) if may.shape[1] else np.zeros(len(may))
        key = np.column_stack([self.segment_of_kind, rarest, may.any(axis=1)]).astype(np.int64)
        _, stratum = np.unique(key, axis=0, return_inverse=True)
        return np.asarray(stratum.reshape(-1), dtype=np.int64)

    def key(self, kind: NDArray[np.int64], told: NDArray[np.int64]) -> NDArray[np.int64]:
        """One number for a kind and a list told by a sum; two share it next to never (64 bits)."""
        return np.asarray(told + kind.astype(np.int64) * _MIXED)


def fine_cells(
    engine: Engine, keys: CustomerKeys, kinds: Kinds, patterns: Patterns, own: ir.Table | None
) -> FineCells:
    """Count the customers by all that their keys tell; `own` is OwnFigures.customers."""
    members = engine.keep("customer_kinds", kinds.of_customers(keys.table if own is None else own))
    apart = ["kind", "earlier"] if own is None else ["kind", "earlier", "figures"]
    found = members.group_by(apart).agg(customers=members.count()).to_pyarrow()
    kind, told, customers = (found.column(name).to_numpy() for name in ("kind", "earlier", "customers"))
    figures = kind if own is None else found.column("figures").to_numpy()
    lists = keys.earlier.lists(members)
    listed = lists.number(told)
    order = np.lexsort((listed, kind)) if own is None else np.lexsort((figures, listed, kind))
    return FineCells(
        kinds,
        patterns,
        lists,
        kind[order].astype(np.int32),
        listed[order].astype(np.int32),
        customers[order].astype(np.int64),
        *keys.earlier.fatigue(lists),
        members,
        None if own is None else figures[order].astype(np.int32),
    )
