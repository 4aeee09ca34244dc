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
from optimizer.merged_kinds import merged
from optimizer.problem import Problem
from optimizer.resolution import resolutions

KINDS_A_CELL = 10
"""Kinds are merged until there is one for so many cells: the rest is for their earlier contacts."""


def generous_cells(problem: Problem, most: int) -> Cells:
    """All customers in about `most` cells at most."""
    fine, keys, timetable = problem.everyone.fine, problem.keys, problem.timetable
    # A contact may be worth more when it tires: then no fatigue but the customer's own will do.
    same_fatigue = bool((problem.objective.gain < 0).any())
    kinds = merged(fine.kinds, fine.patterns, max(1, most // KINDS_A_CELL))
    kind, effects = kinds.number[fine.kind], keys.earlier.effects.by_code
    classes, key = _finest(fine, kind, resolutions(effects, same_fatigue), most)
    _, first, cell = np.unique(key, return_index=True, return_inverse=True)
    rows = fine.kinds.rows.iloc[kinds.first[kind[first]]]
    lists = fine.lists.classed(classes)
    told = fine.lists.told_by(marks_of(classes))[fine.listed[first]]
    leeway = leeway_of(
        effects.merged(classes, generous=True),
        lists.some(lists.number(told)),
        problem.graph.shared_caps,
        rows.max_contacts.to_numpy(dtype=np.int64),
    )
    promised = rows.provisional.to_numpy(dtype=np.int64)
    kept, planned = provisional_plans(promised, keys.provisional_lists, timetable)
    used, pattern = np.unique(kinds.widest[kind[first]], return_inverse=True)
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
    )


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
