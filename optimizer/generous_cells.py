"""All customers in few cells, like ones put together, each with the most that any of them may have.

What such cells could have at most bounds what the customers can, so a bound is proved on few cells; and
limits that cannot hold for them hold for nobody.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimizer.cells import Cells, Provisional, leeway_of, provisional_plans
from optimizer.customer_lists import marks_of
from optimizer.fine_cells import FineCells
from optimizer.like_figures import like_figures
from optimizer.merged_kinds import merged
from optimizer.plan_file import Plan
from optimizer.problem import Problem
from optimizer.resolution import resolutions

KINDS_A_CELL, RUNS_A_CELL = 10, 3
"""Kinds are merged until there is one for so many cells: the rest is for their earlier contacts. The second
for runs of customers with figures of their own."""

Floats = NDArray[np.float64]


def generous_problem(plan: Plan, problem: Problem, most: int, prices: Floats | None = None) -> Problem:
    """The problem of all customers in about `most` cells.

    Where they have figures of their own, those are put together that are alike at the prices.
    """
    fine = problem.everyone.fine
    if fine.own_figures is None:
        kinds = merged(fine.kinds, fine.patterns, max(1, most // KINDS_A_CELL))
        cells = _cells(problem, kinds.number[fine.kind], kinds.first, kinds.widest, most)
        return problem.over(cells)
    like = like_figures(plan, problem, prices, max(1, most // RUNS_A_CELL))
    cells = _cells(problem, like.number, like.kind, like.widest, most, len(problem.own.plain))
    return problem.with_figures(plan, cells, like.figures)


def _cells(
    problem: Problem,
    number: NDArray[np.int64],
    kind: NDArray[np.int64],
    widest: NDArray[np.int64],
    most: int,
    first_figures: int | None = None,
) -> Cells:
    """Cells of customers of the same number: like those of kind[number], allowed what widest[number] is.

    The figures of a number are in row first_figures + number (None: those of the segment).
    """
    fine, keys, timetable = problem.everyone.fine, problem.keys, problem.timetable
    effects = keys.earlier.effects.by_code
    steps = resolutions(effects, _may_gain_by_fatigue(problem))
    classes, key = _finest(fine, number, steps, most)
    _, first, cell = np.unique(key, return_index=True, return_inverse=True)
    number = number[first]
    rows = fine.kinds.rows.iloc[kind[number]]
    lists = fine.lists.classed(classes)
    told = fine.lists.told_by(marks_of(classes))[fine.listed[first]]
    leeway = leeway_of(
        effects.merged(classes),
        lists.some(lists.number(told)),
        problem.graph.shared_caps,
        rows.max_contacts.to_numpy(dtype=np.int64),
    )
    promised = rows.provisional.to_numpy(dtype=np.int64)
    kept, planned = provisional_plans(promised, keys.provisional_lists, timetable)
    used, pattern = np.unique(widest[number], return_inverse=True)
    return Cells(
        fine.segments,
        fine.segment_size,
        fine.segment_of_kind[fine.kind[first]],
        pattern.reshape(-1).astype(np.int64),
        np.arange(len(first)),
        np.bincount(cell.reshape(-1), weights=fine.customers).astype(np.int64),
        fine.patterns.allowed(used),
        leeway,
        provisional=Provisional(kept, planned) if (planned >= 0).any() else None,
        own_figures=None if first_figures is None else first_figures + number,
    )


def _may_gain_by_fatigue(problem: Problem) -> bool:
    """Whether a contact may be worth more when it tires: then no fatigue but the customer's own will do."""
    limits = [limit for limit in problem.limits if limit.tiring is not None]
    loses = any(not limit.at_least or bool((np.asarray(limit.tiring) < 0).any()) for limit in limits)
    return loses or bool((problem.objective.gain < 0).any()) or problem.own.any_negative()


def _finest(
    fine: FineCells, kind: NDArray[np.int64], steps: list[NDArray[np.int64]], most: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The finest classes that make at most `most` cells, and the number that tells each fine cell's."""
    found: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None
    for classes in reversed(steps):
        key = fine.key(kind, fine.lists.told_by(marks_of(classes))[fine.listed])
        if found is not None and len(np.unique(key)) > most:
            break
        found = classes, key
    assert found is not None
    return found
