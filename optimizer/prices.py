"""Ranges of the limits' shadow prices: as far as a bound can move until its price changes.

With the campaigns in use fixed, the program's value is a concave, piecewise linear function of a limit's
bound, and the price is its slope (Gal, Postoptimal Analyses, Parametric Programming, and Related Topics,
1979). The slope holds as long as some solution of that bound uses only streams without reduced cost, uses
up every other limit that has a price, and keeps those that have none. So the range goes from the least to
the most that such solutions use of the limit.
"""

from __future__ import annotations

from dataclasses import dataclass

import highspy
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from optimizer.generation import SHUT
from optimizer.greeting import let_highs_greet
from optimizer.limits import Limit
from optimizer.linear_plan import LinearPlan
from optimizer.program import SOLVER
from optimizer.stream_book import most_used
from optimizer.streams import Pricing, Tolls

NO_PRICE = 5e-10
EVEN = 1e-8
MOST_PAIRS = 500_000
# All streams without reduced cost are looked for where cells are few, else those that the program uses.
MOST_CELLS, MOST_TIES, MOST_STEPS = 1_000, 200, 20_000


def price_ranges(pricing: Pricing, linear: LinearPlan) -> NDArray[np.float64]:
    """From where to where the bound of each limit can move while its price holds: a row a limit.

    In terms of the plan's bounds, setup costs and earlier contacts included; infinite where there is no
    end, nan where the limit is that of a campaign not in use. The campaigns of `linear` are fixed.
    """
    face = _Face(pricing, linear)
    left = pricing.rows.left(np.rint(linear.used))
    pairs = zip(pricing.switches, linear.used, strict=True)
    unused = {switch.campaign for switch, used in pairs if used < 0.5}
    ranges = np.full((len(pricing.limits), 2), np.nan)
    for r, limit in enumerate(pricing.limits):
        if limit.if_used not in unused:
            beside = limit.remainder + limit.committed - left[r]
            ranges[r] = _in_plan(limit, face.range_of(r) + beside)
    return ranges


def fixed_tolls(used: NDArray[np.float64], cells: int) -> Tolls:
    """Tolls of so many cells with the campaigns fixed: those in use are free, the others closed."""
    return Tolls(np.zeros(cells, dtype=np.int64), np.where(used > 0.5, 0.0, SHUT)[None, :])


def _in_plan(limit: Limit, ends: NDArray[np.float64]) -> NDArray[np.float64]:
    """The ends as far as they mean something: what is left for the plan of an amount is never below 0."""
    amount = limit.tiring is None and bool((limit.use >= 0).all())
    return np.maximum(ends, limit.committed) if amount else ends


@dataclass(frozen=True)
class _Pairs:
    """Cells and streams without reduced cost; `amount` is what the linear program gives of each.

    At a rough tolerance the program's own streams may have some: `reduced_cost` per customer.
    """

    cell: NDArray[np.int64]
    stream: NDArray[np.int64]
    amount: NDArray[np.float64]
    reduced_cost: NDArray[np.float64]

    @property
    def in_cells_with_several(self) -> NDArray[np.bool_]:
        """The pairs of cells that have more than one: the others are settled."""
        return np.asarray(np.bincount(self.cell, minlength=1)[self.cell] > 1)

    def only(self, chosen: NDArray[np.bool_]) -> _Pairs:
        """The chosen pairs."""
        cell, stream = self.cell[chosen], self.stream[chosen]
        return _Pairs(cell, stream, self.amount[chosen], self.reduced_cost[chosen])


class _Face:
    """All solutions at which the prices are right: a small linear program over `_Pairs`."""

    def __init__(self, pricing: Pricing, linear: LinearPlan) -> None:
        rows, used = pricing.rows, np.rint(linear.used)
        self._prices = np.where(np.abs(linear.prices) > NO_PRICE, linear.prices, 0.0)
        self._at_least = rows.at_least
        pairs = _even_pairs(pricing, linear)
        use, left = pricing.use(pairs.cell, pairs.stream).T, rows.left(used)
        now = use @ pairs.amount
        several = pairs.in_cells_with_several
        self._settled = use[:, ~several] @ pairs.amount[~several]
        pairs, use = pairs.only(several), use[:, several]
        # A soft limit may be missed where its price is the penalty.
        spare = rows.soft - np.abs(self._prices)
        soft = np.flatnonzero(np.isfinite(rows.soft) & (spare <= EVEN * np.maximum(1.0, np.abs(spare))))
        sign = np.where(rows.at_least[soft], 1.0, -1.0)
        miss = sparse.csr_array((sign, (soft, np.arange(len(soft)))), shape=(len(left), len(soft)))
        self._now = now + miss @ rows.missed(now, used)[soft]
        self._coefficients = sparse.hstack([use, miss], format="csr")
        # What the solution at hand uses is always inside: the rest is rounding.
        tight = self._prices != 0
        self._lower = np.where(rows.at_least | tight, np.minimum(left, self._now), -np.inf)
        self._upper = np.where(~rows.at_least | tight, np.maximum(left, self._now), np.inf)
        self._lower, self._upper = self._lower - self._settled, self._upper - self._settled
        self._model, self._first = _program(pairs, self._coefficients, self._lower, self._upper)

    def range_of(self, r: int) -> NDArray[np.float64]:
        """The least and the most that the solutions use of limit r; no end where it has no price."""
        low, high = -np.inf, np.inf
        self._model.changeRowBounds(self._first + r, -np.inf, np.inf)
        if self._prices[r] != 0 or not self._at_least[r]:
            low = min(self._settled[r] - self._most(r, -1.0), self._now[r])
        if self._prices[r] != 0 or self._at_least[r]:
            high = max(self._settled[r] + self._most(r, 1.0), self._now[r])
        self._model.changeRowBounds(self._first + r, self._lower[r], self._upper[r])
        return np.array([low, high])

    def _most(self, r: int, sign: float) -> float:
        """The most of sign · use; infinite without an end, nan where the solver finds none."""
        cost = -sign * self._coefficients[[r]].toarray().reshape(-1)
        self._model.changeColsCost(len(cost), np.arange(len(cost), dtype=np.int32), cost)
        self._model.run()
        if self._model.getModelStatus() == highspy.HighsModelStatus.kUnknown:  # lost in rounding
            self._model.clearSolver()
            self._model.run()
        match self._model.getModelStatus():
            case highspy.HighsModelStatus.kOptimal | highspy.HighsModelStatus.kModelEmpty:
                return -float(self._model.getObjectiveValue())
            case highspy.HighsModelStatus.kUnbounded:
                return np.inf
        return np.nan


def _even_pairs(pricing: Pricing, linear: LinearPlan) -> _Pairs:
    """The cells' streams without reduced cost, those of the linear program's solution in any case."""
    live = np.flatnonzero(pricing.cells.customers > 0)
    customers = pricing.cells.customers[live].astype(float)
    worth = pricing.worth(linear.prices, fixed_tolls(linear.used, len(pricing.cells)))
    menu = most_used(linear.stream, linear.amount, max(1, MOST_PAIRS // max(1, len(live))))
    value = pricing.value(np.tile(live, len(menu)), np.repeat(menu, len(live)), worth)
    value = value.reshape(len(menu), len(live))
    at, own = np.searchsorted(live, linear.cell), pricing.value(linear.cell, linear.stream, worth)
    top = value.max(axis=0, initial=-np.inf)
    np.maximum.at(top, at, own)
    spent = float((top[at] - own) @ linear.amount)
    even = max(EVEN * max(1.0, np.abs(top).max(initial=0.0)), spent / max(1.0, customers.sum()))
    stream, cell = np.nonzero(value >= top - even)
    cells, streams = [linear.cell, live[cell]], [linear.stream, menu[stream]]
    for n, one in enumerate(live.tolist() if len(live) <= MOST_CELLS else []):
        ties, _ = pricing.above(worth, one, top[n] - even, MOST_TIES, MOST_STEPS)
        if ties is not None:
            cells.append(np.full(len(ties), one))
            streams.append(ties)
    both = np.column_stack([np.concatenate(cells), np.concatenate(streams)])
    pairs, place = np.unique(both, axis=0, return_inverse=True)
    first = place.reshape(-1)[: len(at)]
    given = np.bincount(first, weights=linear.amount, minlength=len(pairs)).astype(np.float64)
    inside = np.searchsorted(live, pairs[:, 0])
    amount = given * (customers / np.bincount(inside, weights=given, minlength=len(live)))[inside]
    reduced_cost = top[inside] - pricing.value(pairs[:, 0], pairs[:, 1], worth)
    reduced_cost = np.where(reduced_cost > 1e-3 * even, reduced_cost, 0.0)
    return _Pairs(pairs[:, 0], pairs[:, 1], amount, reduced_cost)


def _program(
    pairs: _Pairs,
    coefficients: sparse.csr_array,
    lower: NDArray[np.float64],
    upper: NDArray[np.float64],
) -> tuple[highspy.Highs, int]:
    """The model and the place of its first limit: rows are cells, limits, and all reduced cost together.

    Columns are the pairs, then what is missed of limits.
    """
    cells, at = np.unique(pairs.cell, return_inverse=True)
    count, columns = len(pairs.cell), coefficients.shape[1]
    sizes = np.bincount(at.reshape(-1), weights=pairs.amount, minlength=len(cells))
    own = sparse.csr_array((np.ones(count), (at.reshape(-1), np.arange(count))), shape=(len(cells), columns))
    cost = np.pad(pairs.reduced_cost, (0, columns - count))
    matrix = sparse.vstack([own, coefficients, sparse.csr_array(cost[None, :])], format="csr")
    spent = float(pairs.reduced_cost @ pairs.amount)
    let_highs_greet()
    model: highspy.Highs = highspy.Highs()  # type: ignore[no-untyped-call]
    for name, setting in {"output_flag": False, "simplex_strategy": 4, **SOLVER}.items():
        model.setOptionValue(name, setting)
    zero, free = np.zeros(columns), np.full(columns, highspy.kHighsInf)
    model.addCols(columns, zero, zero, free, 0, zero.astype(np.int32), np.zeros(0, dtype=np.int32), zero[:0])
    model.addRows(
        matrix.shape[0],
        np.concatenate([sizes, lower, [-highspy.kHighsInf]]),
        np.concatenate([sizes, upper, [spent * (1 + 1e-9)]]),
        matrix.nnz, matrix.indptr[:-1].astype(np.int32), matrix.indices.astype(np.int32), matrix.data,
    )  # fmt: skip
    return model, len(cells)
