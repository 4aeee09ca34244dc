"""The bound on every plan where customers chose from a menu, and how far it is from the plan in truth.

At any prices Σ customers · best stream + Σ price · bound is at least what any plan is worth (Lagrangean
relaxation: A. M. Geoffrion, Mathematical Programming Study 2, 1974), the best stream being one of all.
Where customers are so many that like ones are put together, that is loose; what it would be for each of them
is then estimated from some, by what their best stream is worth more than their own (difference estimator:
W. G. Cochran, Sampling Techniques, 1977, chapter 7).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from optimizer.cells import part_cells
from optimizer.even_draw import even_draw
from optimizer.generous_cells import generous_problem
from optimizer.plan_file import Plan
from optimizer.planned import BoundEstimate
from optimizer.problem import Problem
from optimizer.solution import Solution
from optimizer.stream_book import most_used
from optimizer.streams import Pricing

MOST_APART = 1_000_000
"""Up to so many fine cells each has its own best stream; beyond, like ones are put together."""
CHUNK = 20_000
NEAR, NEAR_LIKE = 1e-2, 5e-2
"""How near the search comes to a cell's best stream, as a share of a customer's mean value; the second where
figures are put together: such cells have many streams worth nearly as much, and the bound is loose anyway."""
MOST_MENU, MOST_LABELS = 100, 1 << 12
DRAWN, NEAR_DRAWN, MOST_LABELS_DRAWN = 20_000, 1e-4, 1 << 16
"""From how many customers the bound is estimated, and how near and how long the search goes for so few."""

Floats = NDArray[np.float64]


def bound_of_all(
    plan: Plan, problem: Problem, solution: Solution, most_merged: int, progress: Callable[[str], None]
) -> float:
    """A bound on every plan of all customers, at the solution's prices.

    Campaigns may be used or not as is best at them. Where like customers are put together, in about
    `most_merged` cells, each may have the most that any of them may.
    """
    pricing, prices = solution.pricing, solution.linear.prices
    if not _put_together(problem):
        return _beside(solution) + _each(plan, problem, solution, progress)
    wide = generous_problem(plan, problem, most_merged, prices).pricing(pricing.book)
    menu = np.union1d(most_used(solution.whole.stream, solution.whole.customers, MOST_MENU), [0])
    floor, _ = wide.best_known(wide.worth(prices), np.arange(len(wide.cells)), menu)
    near = NEAR if problem.everyone.fine.own_figures is None else NEAR_LIKE
    return _beside(solution) + float(wide.cells.customers @ _most(wide, solution, floor, near))


def _put_together(problem: Problem) -> bool:
    """Whether like customers are put together for the bound."""
    return len(problem.everyone.fine) > MOST_APART


def estimated_bound(plan: Plan, problem: Problem, solution: Solution) -> BoundEstimate | None:
    """What bound_of_all would be with every customer apart, by customers drawn at even steps.

    None where it has them apart itself.
    """
    if not _put_together(problem):
        return None
    fine, prices = problem.everyone.fine, solution.linear.prices
    total = int(fine.customers.sum())
    count = min(DRAWN, total)
    here, weight = even_draw(fine.customers.astype(float), count)
    part = _part(plan, problem, solution, here, np.ones(len(here), dtype=np.int64))
    most = _most(part.pricing, solution, part.floor(), NEAR_DRAWN, MOST_LABELS_DRAWN)
    more = most[part.cell] - part.mean()
    mean = float(np.average(more, weights=weight))
    variance = float(np.average((more - mean) ** 2, weights=weight)) * (1 - count / total)
    own = _contacts_worth(solution) - float(prices @ solution.use)
    return BoundEstimate(_beside(solution) + own + total * mean, total * sqrt(variance / count), count)


def _contacts_worth(solution: Solution) -> float:
    """What the contacts of the plan are worth, nothing taken off for setup costs and limits missed."""
    whole, rows = solution.whole, solution.pricing.rows
    return whole.value + rows.penalty(solution.use, whole.used) + float(rows.setup @ whole.used)


def _beside(solution: Solution) -> float:
    """What the bound holds beside the customers' best streams."""
    rows, prices = solution.pricing.rows, solution.linear.prices
    none, every = np.zeros(len(rows.setup)), np.ones(len(rows.setup))
    return rows.beside(prices, -rows.setup, none, every)


def _each(plan: Plan, problem: Problem, solution: Solution, progress: Callable[[str], None]) -> float:
    """What the customers' best streams are worth at the prices, some cells at a time."""
    fine, total = problem.everyone.fine, 0.0
    effort = (NEAR_DRAWN, MOST_LABELS_DRAWN) if len(fine) <= DRAWN else (NEAR, MOST_LABELS)
    for begin in range(0, len(fine), CHUNK):
        here = np.arange(begin, min(begin + CHUNK, len(fine)))
        part = _part(plan, problem, solution, here, fine.customers[here])
        most = _most(part.pricing, solution, part.floor(), *effort)
        total += float(part.pricing.cells.customers @ most)
        progress(f"{100 * here[-1] / len(fine):.0f} % of the customers")
    return total


@dataclass(frozen=True)
class _Part:
    """Some fine cells, each told apart: cell[n] is the n-th one's in the pricing.

    In the plan customers[m] of the place[m]-th have a stream that is worth value[m] at the prices.
    """

    pricing: Pricing
    cell: NDArray[np.int64]
    place: NDArray[np.int64]
    customers: NDArray[np.int64]
    value: Floats

    def floor(self) -> Floats:
        """By cell of the pricing what the best of its streams in the plan is worth, at least 0."""
        floor = np.zeros(len(self.pricing.cells))
        np.maximum.at(floor, self.cell[self.place], self.value)
        return floor

    def mean(self) -> Floats:
        """By fine cell what its customers' streams are worth, on average."""
        count = len(self.cell)
        worth = np.bincount(self.place, self.value * self.customers, count)
        return np.asarray(worth / np.maximum(1, np.bincount(self.place, self.customers, count)))


def _part(
    plan: Plan, problem: Problem, solution: Solution, here: NDArray[np.int64], customers: NDArray[np.int64]
) -> _Part:
    """The fine cells `here` (ascending) with so many customers."""
    whole, part = solution.whole, problem.everyone.fine.some(here, customers)
    cells, cell, _ = part_cells(part, problem.keys, problem.timetable, problem.graph.shared_caps)
    pricing = problem.of_part(plan, cells).pricing(solution.pricing.book)
    first, last = np.searchsorted(whole.cell, [here[0], here[-1] + 1])
    pairs = first + np.flatnonzero(np.isin(whole.cell[first:last], here))
    place = np.searchsorted(here, whole.cell[pairs])
    value = pricing.value(cell[place], whole.stream[pairs], pricing.worth(solution.linear.prices))
    return _Part(pricing, cell, place, whole.customers[pairs], value)


def _most(
    pricing: Pricing, solution: Solution, floor: Floats, near: float, most_labels: int = MOST_LABELS
) -> Floats:
    """By cell a bound on what its best stream is worth, 0 without customers; `floor` is the worth of one."""
    live = np.flatnonzero(pricing.cells.customers > 0)
    customers = pricing.cells.customers[live].astype(float)
    pricing.begin_like(solution.pricing)
    slack = near * abs(float(customers @ floor[live])) / max(1.0, float(customers.sum()))
    most = np.zeros(len(pricing.cells))
    worth = pricing.worth(solution.linear.prices)
    _, _, most[live] = pricing.search(worth, live, floor[live], slack, most_labels)
    return most
