"""Ranges of the limits' shadow prices: as far as a bound can move until its price changes.

With the campaigns in use fixed, the program's value is a concave, piecewise linear function of a limit's
bound, and the price is its slope (Gal, Postoptimal Analyses, 1979, ch. 3). The slope holds exactly as
long as a solution of that bound uses only streams without reduced cost, keeps every limit that has a
price, and none of the others is broken: the range is the least and the most that such solutions use of
the limit. Streams are taken from all streams, so the range does not depend on those known.
"""

from __future__ import annotations

from dataclasses import dataclass

import highspy
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from optimizer.generation import SHUT, LinearPlan
from optimizer.limits import Limit
from optimizer.program import SOLVER, SolverFailure
from optimizer.streams import Pricing, Tolls

NO_PRICE = 5e-10
EVEN = 1e-8
MOST_CELLS = 1_000
MOST_PAIRS = 200_000
MOST_TIES = 200
MOST_STEPS = 20_000


def price_ranges(pricing: Pricing, linear: LinearPlan) -> NDArray[np.float64]:
    """From where to where the bound of each limit can move while its price holds: a row a limit.

    In terms of the plan's bounds, setup costs and earlier contacts included; infinite where there is no
    end, nan where the limit is that of a campaign not in use. Raises SolverFailure.
    """
    face = _Face.of(pricing, linear)
    left = pricing.rows.left(np.rint(linear.used))
    used = {s.campaign for s, use in zip(pricing.switches, linear.used, strict=True) if use > 0.5}
    open_to_choice = {switch.campaign for switch in pricing.switches}
    ranges = np.full((len(pricing.limits), 2), np.nan)
    for r, limit in enumerate(pricing.limits):
        if limit.if_used is None or limit.if_used in used or limit.if_used not in open_to_choice:
            beside = limit.remainder + limit.committed - left[r]
            ranges[r] = _in_plan(limit, face.range_of(r) + beside)
    return ranges


def fixed_tolls(pricing: Pricing, used: NDArray[np.float64]) -> Tolls:
    """Tolls with the campaigns fixed: those in use are free, the others closed."""
    fee = np.where(used > 0.5, 0.0, SHUT)[None, :]
    return Tolls(np.zeros(len(pricing.cells), dtype=np.int64), fee)


def _in_plan(limit: Limit, ends: NDArray[np.float64]) -> NDArray[np.float64]:
    """The ends as far as the plan can state them: what is left for the plan is never below 0."""
    amounts = limit.tiring is None and bool((limit.use >= 0).all())
    return np.maximum(ends, limit.committed) if amounts else ends


@dataclass(frozen=True)
class _Pairs:
    """Cells and streams of no reduced cost; `amount` is what the linear program gives of each."""

    cell: NDArray[np.int64]
    stream: NDArray[np.int64]
    reduced_cost: NDArray[np.float64]
    amount: NDArray[np.float64]


class _Face:
    """All solutions at which the prices are right: a small linear program of its own."""

    def __init__(
        self,
        prices: NDArray[np.float64],
        at_least: NDArray[np.bool_],
        coefficients: sparse.csr_array,
        model: highspy.Highs,
        first: int,
        lower: NDArray[np.float64],
        upper: NDArray[np.float64],
    ) -> None:
        self._prices, self._at_least, self._coefficients = prices, at_least, coefficients
        self._model, self._first, self._lower, self._upper = model, first, lower, upper

    @classmethod
    def of(cls, pricing: Pricing, linear: LinearPlan) -> _Face:
        """The face of a linear program whose switches are fixed."""
        rows, used = pricing.rows, np.rint(linear.used)
        prices = np.where(np.abs(linear.prices) > NO_PRICE, linear.prices, 0.0)
        pairs, use = _even_pairs(pricing, linear), None
        use = pricing.use(pairs.cell, pairs.stream).T
        now, left = use @ pairs.amount, rows.left(used)
        # A soft limit may be missed where its price is the penalty.
        soft = np.flatnonzero(rows.soft - np.abs(prices) <= EVEN * np.maximum(1.0, rows.soft))
        missed = rows.missed(now, used)[soft]
        sign = np.where(rows.at_least[soft], 1.0, -1.0)
        miss = sparse.csr_array((sign, (soft, np.arange(len(soft)))), shape=(len(left), len(soft)))
        coefficients = sparse.hstack([use, miss], format="csr")
        now = now + miss @ missed
        # What the solution at hand uses is always inside: the rest is rounding.
        lower = np.where(rows.at_least | (prices != 0), np.minimum(left, now), -np.inf)
        upper = np.where(~rows.at_least | (prices != 0), np.maximum(left, now), np.inf)
        model, first = _program(pairs, coefficients, len(soft), lower, upper)
        return cls(prices, rows.at_least, coefficients, model, first, lower, upper)

    def range_of(self, r: int) -> NDArray[np.float64]:
        """The least and the most that the solutions use of limit r; no end where it has no price."""
        low = high = np.inf
        self._model.changeRowBounds(self._first + r, -np.inf, np.inf)
        if self._prices[r] != 0 or not self._at_least[r]:
            low = self._most(r, -1.0)
        if self._prices[r] != 0 or self._at_least[r]:
            high = self._most(r, 1.0)
        self._model.changeRowBounds(self._first + r, self._lower[r], self._upper[r])
        return np.array([-low, high])

    def _most(self, r: int, sign: float) -> float:
        """The most of sign · use, infinite without an end."""
        cost = -sign * self._coefficients[[r]].toarray().reshape(-1)
        self._model.changeColsCost(len(cost), np.arange(len(cost), dtype=np.int32), cost)
        self._model.run()
        status = self._model.getModelStatus()
        endless = (highspy.HighsModelStatus.kUnbounded, highspy.HighsModelStatus.kUnboundedOrInfeasible)
        if status in endless:
            return np.inf
        if status != highspy.HighsModelStatus.kOptimal:
            raise SolverFailure(f"a price's range ended with {self._model.modelStatusToString(status)}")
        return -float(self._model.getObjectiveValue())


def _even_pairs(pricing: Pricing, linear: LinearPlan) -> _Pairs:
    """The cells' streams without reduced cost, those of the linear program's solution in any case."""
    live = np.flatnonzero(pricing.cells.customers > 0)
    customers = pricing.cells.customers[live].astype(float)
    worth = pricing.worth(linear.prices, fixed_tolls(pricing, linear.used))
    menu = _most_used(linear, MOST_PAIRS // max(1, len(live)))
    value = pricing.value(np.tile(live, len(menu)), np.repeat(menu, len(live)), worth)
    value = value.reshape(len(menu), len(live))
    own = pricing.value(linear.cell, linear.stream, worth)
    top = value.max(axis=0, initial=-np.inf)
    np.maximum.at(top, np.searchsorted(live, linear.cell), own)
    spent = top[np.searchsorted(live, linear.cell)] - own
    each = max(EVEN * max(1.0, np.abs(top).max(initial=0.0)), float(spent @ linear.amount) / customers.sum())
    stream, cell = np.nonzero(value >= top - each)
    found = [(live[cell], menu[stream])]
    if len(live) <= MOST_CELLS:
        for n, one in enumerate(live.tolist()):
            ties, _ = pricing.above(worth, one, top[n] - each, MOST_TIES, MOST_STEPS)
            if ties is not None:
                found.append((np.full(len(ties), one), ties))
    found.append((linear.cell, linear.stream))
    both = [np.concatenate(parts) for parts in zip(*found, strict=True)]
    pairs, place = np.unique(np.column_stack(both), axis=0, return_inverse=True)
    amount = np.zeros(len(pairs))
    amount[place.reshape(-1)[-len(linear.cell) :]] = linear.amount
    cell, stream = pairs[:, 0], pairs[:, 1]
    at = np.searchsorted(live, cell)
    amount *= (customers / np.bincount(at, weights=amount, minlength=len(live)))[at]
    reduced_cost = np.maximum(top[at] - pricing.value(cell, stream, worth), 0.0)
    return _Pairs(cell, stream, np.where(reduced_cost > 1e-3 * each, reduced_cost, 0.0), amount)


def _most_used(linear: LinearPlan, most: int) -> NDArray[np.int64]:
    """The streams that the program gives to the most customers."""
    streams, place = np.unique(linear.stream, return_inverse=True)
    order = np.argsort(-np.bincount(place.reshape(-1), weights=linear.amount), kind="stable")
    return streams[order[: max(1, most)]]


def _program(
    pairs: _Pairs,
    coefficients: sparse.csr_array,
    missing: int,
    lower: NDArray[np.float64],
    upper: NDArray[np.float64],
) -> tuple[highspy.Highs, int]:
    """The model, and its first row of a limit: rows are cells, limits, and what reduced cost there may be."""
    cells, at = np.unique(pairs.cell, return_inverse=True)
    count = len(pairs.cell)
    sizes = np.bincount(at, weights=pairs.amount)
    own = sparse.csr_array((np.ones(count), (at, np.arange(count))), shape=(len(cells), count + missing))
    spent = sparse.csr_array(np.append(pairs.reduced_cost, np.zeros(missing))[None, :])
    matrix = sparse.vstack([own, coefficients, spent], format="csr")
    model = highspy.Highs()
    for name, setting in {"output_flag": False, "simplex_strategy": 4, **SOLVER}.items():
        model.setOptionValue(name, setting)
    none = np.zeros(count + missing, dtype=np.int32)
    top = np.full(count + missing, highspy.kHighsInf)
    model.addCols(count + missing, np.zeros(count + missing), np.zeros(count + missing), top, 0, none, none, [])
    gap = float(pairs.reduced_cost @ pairs.amount)
    model.addRows(
        matrix.shape[0],
        np.concatenate([sizes, lower, [-np.inf]]),
        np.concatenate([sizes, upper, [gap + 1e-9 * max(1.0, gap)]]),
        matrix.nnz, matrix.indptr[:-1].astype(np.int32), matrix.indices.astype(np.int32), matrix.data,
    )  # fmt: skip
    return model, len(cells)
