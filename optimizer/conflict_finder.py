"""Finding what collides in a plan whose limits cannot all hold, and the cheapest ways out.

A shortage proved by its prices over all streams names limits that together force it (Farkas); taking
away one after the other, each time proving again, leaves a set none of which is superfluous (the
deletion filter of Chinneck and Dravnieks, ORSA Journal on Computing 3, 1991). Every repair offered has
been solved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from math import ceil

import numpy as np
from numpy.typing import NDArray

from optimizer.conflict import Change, Conflict, Repair
from optimizer.generation import Generation, Shortage, generation_of
from optimizer.limits import Limit
from optimizer.problem import Problem
from optimizer.solution import solve, tolerance_of
from optimizer.streams import StreamBook
from optimizer.whole_numbers import OnlyWholeNumbers

MOST_TRIED = 60
MOST_STEPS = 4
CENT = 0.01
NEGLIGIBLE = 1e-6


class ConflictFinder:
    """Finds what collides in a problem whose limits cannot all hold.

    `book` holds the streams known so far; `progress` is told what is being tried.
    """

    def __init__(
        self, problem: Problem, book: StreamBook, max_cells: int, progress: Callable[[str], None]
    ) -> None:
        self._problem, self._book = problem, book
        self._max_cells, self._progress = max_cells, progress

    def of_shortage(self, shortage: Shortage) -> Conflict:
        """The conflict behind limits that not even fractions of customers could keep."""
        generation = self._generation()
        kept = np.abs(shortage.prices) > 0
        if generation.shortage(kept) is None:  # the prices were too small to tell
            kept = np.isinf(generation.pricing.rows.soft)
        kept = self._irreducible(kept, lambda left: _support(generation.shortage(left)))
        members = np.flatnonzero(kept).tolist()
        changes = [self._single(generation, r) for r in members]
        repairs: list[Repair] = [(change,) for change in changes if change is not None]
        if not repairs:
            repairs = [tuple(self._together(generation))]
        return Conflict(
            tuple(self._problem.limits[r] for r in members),
            tuple(None if change is None else change.bound for change in changes),
            tuple(self._verified(repairs)),
        )

    def of_whole_numbers(self, proved: bool) -> Conflict:
        """The conflict behind limits that fractions of customers could keep, and whole ones cannot."""
        musts = np.array([limit.soft is None for limit in self._problem.limits], dtype=bool)
        few = int(musts.sum()) <= MOST_TRIED
        kept = self._irreducible(musts, self._whole_conflict) if few else musts
        members = [self._problem.limits[r] for r in np.flatnonzero(kept)]
        repairs: list[Repair] = [(Change(limit, limit.bound),) for limit in members if few]
        return Conflict(
            tuple(members),
            tuple(None for _ in members),
            tuple(self._verified(repairs, first_step=1)),
            whole_numbers=True,
            proved=proved and few,
        )

    def _generation(self) -> Generation:
        pricing = self._problem.pricing(self._book)
        return generation_of(pricing, self._max_cells, tolerance_of(pricing), lambda text: None)

    def _irreducible(
        self,
        kept: NDArray[np.bool_],
        conflict: Callable[[NDArray[np.bool_]], NDArray[np.bool_] | None],
    ) -> NDArray[np.bool_]:
        """Takes limits away one after the other while the rest still cannot hold.

        `conflict` gives those of the limits left that cannot hold together, or None.
        """
        kept = kept.copy()
        for r in np.flatnonzero(kept).tolist():
            if not kept[r]:
                continue
            self._progress(f"which limits collide: {int(kept.sum())} left")
            left = kept.copy()
            left[r] = False
            still = conflict(left)
            if still is not None:
                kept &= still
        return kept

    def _whole_conflict(self, left: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
        limits = [limit for limit, stays in zip(self._problem.limits, left, strict=True) if stays]
        return None if self._solvable(limits) else left

    def _single(self, generation: Generation, r: int) -> Change | None:
        """The least change of limit r alone that lets all others hold, if there is one."""
        limits = self._problem.limits
        others = np.ones(len(limits), dtype=bool)
        others[r] = False
        if generation.shortage(others) is not None:
            return None
        weights = np.full(len(limits), np.inf)
        weights[r] = 1.0
        return _changed(limits[r], float(generation.least_missed(weights)[r]))

    def _together(self, generation: Generation) -> Iterator[Change]:
        """The changes of several limits that are least as shares of their bounds."""
        limits = self._problem.limits
        weights = np.array([1.0 / max(1.0, abs(limit.bound)) for limit in limits])
        for limit, missed in zip(limits, generation.least_missed(weights), strict=True):
            if missed > NEGLIGIBLE:
                yield _changed(limit, float(missed))

    def _verified(self, repairs: list[Repair], first_step: int = 0) -> Iterator[Repair]:
        """The repairs that work, the cheapest first; whole customers may need a little more of one."""
        for repair in sorted(repairs, key=lambda changes: sum(change.size for change in changes)):
            for step in range(first_step, MOST_STEPS + 1):
                self._progress("trying a repair")
                tried = tuple(_further(change, step) for change in repair)
                if self._solvable([*_repaired(self._problem.limits, tried)]):
                    yield tried
                    break

    def _solvable(self, limits: list[Limit]) -> bool:
        """Whether some plan of whole customers keeps these limits."""
        pricing = replace(self._problem, limits=tuple(limits)).pricing(self._book)
        try:
            solve(pricing, self._max_cells, lambda text: None)
        except (Shortage, OnlyWholeNumbers):
            return False
        return True


def _support(shortage: Shortage | None) -> NDArray[np.bool_] | None:
    """The limits whose prices prove a shortage."""
    return None if shortage is None else np.abs(shortage.prices) > 0


def _changed(limit: Limit, missed: float) -> Change:
    """The limit with a bound that it misses no more, rounded to what a planner would write."""
    if limit.tiring is not None or (limit.use < 0).any():
        return Change(limit, None)  # a share or a return: no bound of the row is a figure of the plan
    unit = _unit(limit)
    if limit.at_least:
        return Change(limit, max(0.0, np.floor((limit.bound - missed) / unit + NEGLIGIBLE) * unit))
    least = max(limit.bound, limit.committed) + missed
    return Change(limit, ceil(least / unit - NEGLIGIBLE) * unit)


def _unit(limit: Limit) -> float:
    """What the limit is counted in: whole contacts and customers, hundredths of hours and money."""
    whole = limit.customers or bool(np.isin(limit.use, (0.0, 1.0)).all())
    return 1.0 if whole else CENT


def _further(change: Change, steps: int) -> Change:
    """The change with so many more contacts given up."""
    limit = change.limit
    if change.bound is None or not steps:
        return change
    step = steps * (1.0 if limit.customers else float(np.abs(limit.use).max(initial=1.0)))
    if not limit.at_least:
        return Change(limit, change.bound + step)
    return Change(limit, max(0.0, np.floor(change.bound) - step + (change.bound % 1 > 0)))


def _repaired(limits: tuple[Limit, ...], repair: Repair) -> Iterator[Limit]:
    new = {change.limit.path: change.bound for change in repair}
    for limit in limits:
        bound = new.get(limit.path, limit.bound)
        if bound is not None:
            yield replace(limit, bound=bound)
