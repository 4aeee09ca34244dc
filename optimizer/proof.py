"""The bound on every plan where customers chose from a menu.

At any prices Σ customers · best stream + Σ price · bound is at least what any plan is worth (Lagrangean
relaxation: A. M. Geoffrion, Mathematical Programming Study 2, 1974), the best stream being one of all.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from optimizer.cells import part_cells
from optimizer.generous_cells import generous_problem
from optimizer.plan_file import Plan
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

Floats = NDArray[np.float64]


def bound_of_all(
    plan: Plan, problem: Problem, solution: Solution, most_merged: int, progress: Callable[[str], None]
) -> float:
    """A bound on every plan of all customers, at the solution's prices.

    Campaigns may be used or not as is best at them. Where like customers are put together, in about
    `most_merged` cells, each may have the most that any of them may.
    """
    pricing, prices = solution.pricing, solution.linear.prices
    none, every = np.zeros(len(pricing.switches)), np.ones(len(pricing.switches))
    beside = pricing.rows.beside(prices, -pricing.rows.setup, none, every)
    if len(problem.everyone.fine) <= MOST_APART:
        return beside + _each(plan, problem, solution, progress)
    wide = generous_problem(plan, problem, most_merged, prices).pricing(pricing.book)
    menu = np.union1d(most_used(solution.whole.stream, solution.whole.customers, MOST_MENU), [0])
    floor, _ = wide.best_known(wide.worth(prices), np.arange(len(wide.cells)), menu)
    near = NEAR if problem.everyone.fine.own_figures is None else NEAR_LIKE
    return beside + _searched(wide, pricing, prices, floor, near)


def _each(plan: Plan, problem: Problem, solution: Solution, progress: Callable[[str], None]) -> float:
    """What the customers' best streams are worth at the prices, some cells at a time."""
    fine, whole, total = problem.everyone.fine, solution.whole, 0.0
    prices, ends = solution.linear.prices, np.searchsorted(whole.cell, np.arange(0, len(fine) + CHUNK, CHUNK))
    for n, (first, last) in enumerate(pairwise(ends)):
        here = np.arange(n * CHUNK, min((n + 1) * CHUNK, len(fine)))
        part = fine.some(here, fine.customers[here])
        cells, cell, _ = part_cells(part, problem.keys, problem.timetable, problem.graph.shared_caps)
        wide = problem.of_part(plan, cells).pricing(solution.pricing.book)
        floor = np.zeros(len(cells))
        own = cell[whole.cell[first:last] - n * CHUNK]
        np.maximum.at(floor, own, wide.value(own, whole.stream[first:last], wide.worth(prices)))
        total += _searched(wide, solution.pricing, prices, floor, NEAR)
        progress(f"{100 * here[-1] / len(fine):.0f} % of the customers")
    return total


def _searched(pricing: Pricing, like: Pricing, prices: Floats, floor: Floats, near: float) -> float:
    """A bound on what all customers' best streams are worth; `floor` is the worth of one of each cell's."""
    live = np.flatnonzero(pricing.cells.customers > 0)
    customers = pricing.cells.customers[live].astype(float)
    pricing.begin_like(like)
    slack = near * abs(float(customers @ floor[live])) / max(1.0, float(customers.sum()))
    _, _, most = pricing.search(pricing.worth(prices), live, floor[live], slack, MOST_LABELS)
    return float(customers @ most)
