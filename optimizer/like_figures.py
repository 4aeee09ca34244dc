"""Customers with figures of their own put together with their likes, each with the best that any of them has.

At fixed prices most of a customer's worth lies in the two options that bring the most: customers who share
them are sorted by what these bring, and cut into runs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.contact_figures import ContactFigures, objective_of, returned
from optimizer.own_figures import CHUNK
from optimizer.plan_file import Plan
from optimizer.problem import Problem

Floats = NDArray[np.float64]
ROUNDING = 1e-12
"""A product divided by a factor and multiplied again must not fall below itself."""


@dataclass(frozen=True)
class LikeFigures:
    """By fine cell the `number` of its run; by run one `kind` of its customers and the `widest` pattern.

    Customers of a run share segment, hold-out, own limit and provisional contacts. `figures` has the rows of
    the segments and one for each run: least cost, and of all else the most that any customer of the run who
    may be sent the option has; likewise the products of rate and margin, and rate and revenue.
    """

    number: NDArray[np.int64]
    kind: NDArray[np.int64]
    widest: NDArray[np.int64]
    figures: ContactFigures


def like_figures(plan: Plan, problem: Problem, prices: Floats | None, most: int) -> LikeFigures:
    """About `most` runs of customers alike at the prices (None: at no prices)."""
    fine = problem.everyone.fine
    alike = fine.kinds.rows.groupby(["segment", "held_out", "max_contacts", "provisional"]).ngroup()
    apart = alike.to_numpy().astype(np.int64)[fine.kind]
    order, number = _runs(apart, *_best_two(plan, problem, prices), fine.customers, most)
    begins = np.flatnonzero(np.diff(number[order], prepend=-1))
    pairs = np.unique(np.column_stack([number, fine.kinds.pattern[fine.kind]]), axis=0)
    firsts = np.flatnonzero(np.diff(pairs[:, 0], prepend=-1))
    widest = fine.patterns.numbers(np.bitwise_or.reduceat(fine.patterns.bits(pairs[:, 1]), firsts, axis=0))
    figures = _best_figures(problem, order, begins)
    return LikeFigures(number, fine.kind[order[begins]].astype(np.int64), widest, figures)


def _may(problem: Problem) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """By fine cell the row that tells which options its customers may be sent on any day, and these rows."""
    fine = problem.everyone.fine
    used, row = np.unique(fine.kinds.pattern, return_inverse=True)
    return row.reshape(-1).astype(np.int64)[fine.kind], np.asarray(fine.patterns.allowed(used).any(axis=1))


def _best_two(plan: Plan, problem: Problem, prices: Floats | None) -> tuple[NDArray[np.int64], Floats]:
    """By fine cell the two options that bring most at the prices (the best first), and what they bring."""
    fine, limits, plain = problem.everyone.fine, problem.limits, problem.own.plain
    prices = np.zeros(len(limits)) if prices is None else prices
    fee, tiring = problem.pricing().worth(prices).charge.min(axis=1), np.zeros(len(plain))
    for limit, price in zip(limits, prices.tolist(), strict=True):
        tiring += 0.0 if limit.tiring is None else price * limit.segments
    row, may = _may(problem)
    option, value = np.zeros((len(fine), 2), dtype=np.int64), np.zeros((len(fine), 2))
    for begin in range(0, len(fine), CHUNK):
        some = np.arange(begin, min(begin + CHUNK, len(fine)))
        f = fine.figures[some]
        g, figures = problem.own.segment[f], problem.own.rows(f)
        goal = objective_of(plan, figures)
        net = goal.gain - tiring[g, None] * returned(figures) - fee[g]
        net -= goal.charge - objective_of(plan, plain).charge[g]
        net = np.where(may[row[some]], np.maximum(net, 0.0), 0.0)
        two = np.argsort(-net, axis=1, kind="stable")[:, :2]
        option[some, : two.shape[1]] = two
        value[some, : two.shape[1]] = np.take_along_axis(net, two, axis=1)
    return np.where(value > 0, option, -1), value


def _runs(
    apart: NDArray[np.int64],
    option: NDArray[np.int64],
    value: Floats,
    customers: NDArray[np.int64],
    most: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The order in which like cells stand together, and by cell the number of its run."""
    each = np.arange(len(apart))
    order = np.lexsort((each, value[:, 0], option[:, 1], option[:, 0], apart))
    told = np.column_stack([apart, option])[order]
    group = np.cumsum(np.r_[False, (told[1:] != told[:-1]).any(axis=1)])
    size = np.bincount(group)
    rank = each - np.repeat(np.cumsum(size) - size, size)
    # Bands of the best value, in each of them runs of the second best: as many bands as runs in a band.
    band = np.floor(rank / np.sqrt(size * max(1.0, len(apart) / most))[group]).astype(np.int64)
    order = order[np.lexsort((value[order, 1], band, group))]
    begun = np.cumsum(customers[order]) - customers[order]
    part = begun * most // max(1, int(customers.sum()))
    run = np.cumsum(np.r_[False, (np.diff(part) != 0) | (np.diff(apart[order]) != 0)])
    number = np.empty(len(apart), dtype=np.int64)
    number[order] = run
    return order, number


def _best_figures(problem: Problem, order: NDArray[np.int64], begins: NDArray[np.int64]) -> ContactFigures:
    """The segments' rows and those of the runs: the cells order[begins[n]:begins[n + 1]]."""
    fine, plain = problem.everyone.fine, problem.own.plain
    row, may = _may(problem)
    ends = np.append(begins[1:], len(order))
    parts = [plain]
    first = 0
    while first < len(begins):
        last = max(first + 1, int(np.searchsorted(ends, begins[first] + CHUNK, side="right")))
        cells = order[begins[first] : ends[last - 1]]
        inside = begins[first:last] - begins[first]
        figures, sent = problem.own.rows(fine.figures[cells]), may[row[cells]]
        parts.append(_best_of(figures, sent, inside))
        first = last
    names = ("rate", "margin", "revenue", "value", "cost")
    return ContactFigures(*(np.vstack([getattr(part, name) for part in parts]) for name in names))


def _best_of(figures: ContactFigures, sent: NDArray[np.bool_], begins: NDArray[np.int64]) -> ContactFigures:
    """Of runs of rows the best figures of those that may be sent the option; anything where none may."""

    def most(values: Floats) -> Floats:
        found = np.maximum.reduceat(np.where(sent, values, -np.inf), begins, axis=0)
        return np.where(np.isfinite(found), found, 0.0)

    rate = most(figures.rate)
    whole = np.where(rate > 0, rate, 1.0)
    margin, revenue = (most(figures.rate * each) / whole for each in (figures.margin, figures.revenue))
    return ContactFigures(
        rate,
        margin + ROUNDING * np.abs(margin),
        revenue + ROUNDING * np.abs(revenue),
        most(figures.value),
        -most(-figures.cost),
    )
