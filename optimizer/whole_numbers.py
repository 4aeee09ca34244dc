"""From fractions of cells to whole customers, exactly.

The same program in whole numbers is solved first over the few cells that the linear program splits,
then also over the known streams of least reduced cost; last, streams whose reduced cost lies inside
the remaining gap are added: no other stream can be part of a better plan.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.generation import SHUT
from optimizer.linear_plan import LinearPlan
from optimizer.program import solve_whole
from optimizer.streams import Pricing

MOST_COLUMNS = 60_000
MOST_PROMISING = 5_000
MOST_CLOSING = 20_000
MOST_STEPS = 20_000_000
MOST_NODES = 1_000
CLOSE = 1e-4


@dataclass(frozen=True)
class WholePlan:
    """`customers[n]` customers of `cell[n]` get `stream[n]`; `bound` is proved for every plan.

    Setup costs and penalties are taken off `value`; `used[c]` is 1 where switch c is used, else 0.
    """

    value: float
    bound: float
    used: NDArray[np.float64]
    cell: NDArray[np.int64]
    stream: NDArray[np.int64]
    customers: NDArray[np.int64]


class OnlyWholeNumbers(Exception):  # noqa: N818 - named for what the user sees
    """The limits could hold with fractions of customers, but not with whole ones.

    `proved` is False where no plan was found, and too many streams were left to rule one out.
    """

    def __init__(self, proved: bool) -> None:
        super().__init__("only fractions of customers could keep the limits")
        self.proved = proved


@dataclass(frozen=True)
class _Columns:
    cell: NDArray[np.int64]
    stream: NDArray[np.int64]

    def with_more(self, cell: NDArray[np.int64], stream: NDArray[np.int64]) -> _Columns:
        pairs = np.unique(
            np.column_stack([np.append(self.cell, cell), np.append(self.stream, stream)]), axis=0
        )
        return _Columns(pairs[:, 0], pairs[:, 1])


def whole_plan(pricing: Pricing, linear: LinearPlan) -> WholePlan:
    """The best plan in whole numbers, the switches as they are. Raises OnlyWholeNumbers."""
    live = np.flatnonzero(pricing.cells.customers > 0)
    split = _split_cells(pricing, linear)
    first = _columns(linear, split).with_more(split, np.zeros(len(split), dtype=np.int64))
    best, _ = _solve(pricing, linear, first, split)
    if _close(best, linear):
        return _plan(best, linear, linear.bound)
    near = _promising(pricing, linear, live, best)
    some = np.union1d(split, near.cell)
    found, _ = _solve(pricing, linear, _columns(linear, some).with_more(near.cell, near.stream), some)
    best = _better(best, found)
    if _close(best, linear):
        return _plan(best, linear, linear.bound)
    every = _columns(linear, live).with_more(live, np.zeros(len(live), dtype=np.int64))
    return _closed(pricing, linear, every.with_more(near.cell, near.stream), live, best)


def _promising(
    pricing: Pricing, linear: LinearPlan, live: NDArray[np.int64], best: _Found | None
) -> _Columns:
    """The known streams of least reduced cost, over all cells, as far as they lie inside the gap."""
    worth = pricing.worth(linear.prices, linear.tolls)
    top, _ = pricing.best_known(worth, live, np.arange(len(pricing.book)))
    gap = max(CLOSE * abs(linear.bound), 1.0) if best is None else linear.bound - best.value
    while True:
        found = pricing.known_above(worth, live, top - gap, MOST_COLUMNS)
        if found is not None:
            break
        gap /= 4
    cell, stream = found
    reduced_cost = top[np.searchsorted(live, cell)] - pricing.value(cell, stream, worth)
    least = np.argsort(reduced_cost, kind="stable")[:MOST_PROMISING]
    return _Columns(cell[least], stream[least])


@dataclass(frozen=True)
class _Found:
    columns: _Columns
    customers: NDArray[np.int64]
    value: float


def _close(found: _Found | None, linear: LinearPlan) -> bool:
    """Whether whole numbers cost next to nothing of what the linear program reached."""
    return found is not None and linear.value - found.value <= CLOSE * abs(linear.bound)


def _better(one: _Found | None, other: _Found | None) -> _Found | None:
    if one is None or (other is not None and other.value > one.value):
        return other
    return one


def _plan(found: _Found | None, linear: LinearPlan, bound: float, proved: bool = False) -> WholePlan:
    if found is None:
        raise OnlyWholeNumbers(proved)
    used = found.customers > 0
    return WholePlan(
        found.value,
        max(bound, found.value),
        np.rint(linear.used),
        found.columns.cell[used],
        found.columns.stream[used],
        found.customers[used],
    )


def _columns(linear: LinearPlan, cells: NDArray[np.int64]) -> _Columns:
    inside = np.isin(linear.cell, cells)
    return _Columns(linear.cell[inside], linear.stream[inside])


def _split_cells(pricing: Pricing, linear: LinearPlan) -> NDArray[np.int64]:
    """The cells of which the linear program gives a stream to a fraction of a customer."""
    split = np.abs(linear.amount - np.rint(linear.amount)) > 1e-6
    return np.unique(linear.cell[split])


def _solve(
    pricing: Pricing, linear: LinearPlan, columns: _Columns, free: NDArray[np.int64]
) -> tuple[_Found | None, float]:
    """Whole numbers over the columns of the free cells; the others keep what the linear program says.

    Also gives a bound on all plans of these columns: -inf where there is none, inf where that is open.
    """
    fixed = ~np.isin(linear.cell, free)
    kept = _Columns(linear.cell[fixed], linear.stream[fixed])
    kept_customers = np.rint(linear.amount[fixed]).astype(np.int64)
    rows, use = pricing.rows, pricing.use(kept.cell, kept.stream).T @ kept_customers
    value = float(pricing.value(kept.cell, kept.stream) @ kept_customers) - float(rows.setup @ linear.used)
    left = rows.left_beside(linear.used, use)
    if len(columns.cell) == 0:
        alone = value - rows.penalty(use, linear.used)
        return _Found(kept, kept_customers, alone), linear.bound
    worth, own = pricing.value(columns.cell, columns.stream), pricing.use(columns.cell, columns.stream)
    solved = solve_whole(
        np.searchsorted(free, columns.cell),
        pricing.cells.customers[free],
        worth,
        own,
        left,
        rows,
        gap=0.1 * CLOSE * abs(linear.bound),
        target=linear.value - 0.5 * CLOSE * abs(linear.bound) - value,
        most_nodes=MOST_NODES,
    )
    if solved.counts is None:
        return None, solved.bound
    everything = _Columns(np.append(kept.cell, columns.cell), np.append(kept.stream, columns.stream))
    customers = np.append(kept_customers, solved.counts)
    penalty = rows.penalty(use + own.T @ solved.counts, linear.used)
    reached = value + float(worth @ solved.counts) - penalty
    return _Found(everything, customers, reached), value + solved.bound


def _closed(
    pricing: Pricing,
    linear: LinearPlan,
    known: _Columns,
    live: NDArray[np.int64],
    best: _Found | None,
) -> WholePlan:
    """Adds every stream that a better plan could hold, and proves the best of them best.

    A customer with a stream of reduced cost d costs a plan at least d against the linear bound, so
    streams of reduced cost above the gap are in no better plan (Nemhauser and Wolsey 1988, II.5.1).
    """
    worth = pricing.worth(linear.prices, linear.tolls)
    top, _ = pricing.best_known(worth, live, np.arange(len(pricing.book)))
    # Nobody may have what a campaign that is not used would send, however wide the gap is.
    gap = SHUT / 2 if best is None else min(linear.bound - best.value, SHUT / 2)
    cells, streams, room, steps = [known.cell], [known.stream], MOST_CLOSING - len(live), MOST_STEPS
    for n, cell in enumerate(live.tolist() if room > 0 else []):
        floor = top[n] - gap * (1 + 1e-9) - 1e-9
        more, taken = pricing.above(worth, cell, floor, room, steps)
        if more is None:
            return _plan(best, linear, linear.bound)
        room, steps = room - len(more), steps - taken
        cells.append(np.full(len(more), cell))
        streams.append(more)
    if room <= 0:
        return _plan(best, linear, linear.bound)
    columns = known.with_more(np.concatenate(cells), np.concatenate(streams))
    found, bound = _solve(pricing, linear, columns, live)
    best, impossible = _better(best, found), bound == -np.inf
    bound = linear.bound if best is None else min(linear.bound, max(bound, best.value))
    return _plan(best, linear, bound, proved=impossible)
