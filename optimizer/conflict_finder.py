"""Finding what collides in a plan whose limits cannot all hold, and the cheapest ways out.

A shortage proved by its prices over all streams names limits that together force it (Farkas); taking
away one after the other, each time proving again, leaves a set none of which is superfluous (the
deletion filter of Chinneck and Dravnieks, ORSA Journal on Computing 3, 1991). Every repair offered is
read off a plan of whole customers that misses the limits by the least.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from optimizer.branching import decide
from optimizer.conflict import Conflict, Repair
from optimizer.conflict_repair import changes
from optimizer.contact_figures import Objective
from optimizer.generation import Generation
from optimizer.limits import Limit
from optimizer.linear_plan import Shortage
from optimizer.problem import Problem
from optimizer.solution_tolerance import tolerance_of
from optimizer.stream_book import StreamBook
from optimizer.streams import Pricing
from optimizer.whole_numbers import OnlyWholeNumbers, WholePlan

MOST_TRIED = 60
MOST_REPAIRS = 5
# With more cells a repair may give up a thousandth more than it has to: the last of it takes minutes.
MOST_EXACT, ROUGH = 1_000, 1e-3


class ConflictFinder:
    """Finds what collides in a problem whose limits cannot all hold.

    `book` holds the streams known so far; `progress` is told what is being tried.
    """

    def __init__(
        self, problem: Problem, book: StreamBook, max_cells: int, progress: Callable[[str], None]
    ) -> None:
        self._problem, self._book = problem, book
        self._max_cells, self._progress = max_cells, progress
        self._musts = np.array([limit.soft is None for limit in problem.limits], dtype=bool)
        self._proved = True

    def of_shortage(self, shortage: Shortage) -> Conflict:
        """The conflict behind limits that not even fractions of customers could keep."""
        generation = self._generation(self._problem.pricing(self._book))
        proof = generation.shortage(np.abs(shortage.prices) > 0)
        if proof is None:  # the prices were too small to tell
            proof = generation.shortage(self._musts) or shortage
        kept = self._irreducible(np.abs(proof.prices) > 0, lambda left: _support(generation.shortage(left)))
        if self._problem.switches:  # a part of them may hold only with fractions of campaigns
            kept = self._irreducible(kept, self._whole_conflict)
        proof = generation.shortage(kept) or proof
        # A unit of the limit of greatest price mends the most.
        effect = np.abs(proof.prices) * [max(1.0, abs(limit.bound)) for limit in self._problem.limits]
        members = np.flatnonzero(kept)
        first = members[np.argsort(-effect[members], kind="stable")[:MOST_REPAIRS]]
        return Conflict(self._named(members), self._repairs(first.tolist()))

    def of_whole_numbers(self, proved: bool) -> Conflict:
        """The conflict behind limits that fractions of customers could keep, and whole ones cannot."""
        self._proved = proved
        few = int(self._musts.sum()) <= MOST_TRIED
        kept = self._irreducible(self._musts, self._whole_conflict) if few else self._musts
        members = np.flatnonzero(kept)
        least = [self._problem.limits[r].at_least for r in members.tolist()]
        first = members[np.argsort(~np.array(least, dtype=bool), kind="stable")[:MOST_REPAIRS]]
        return Conflict(
            self._named(members),
            self._repairs(first.tolist() if few else []),
            whole_numbers=True,
            proved=self._proved,
            reduced=few,
            switches=bool(self._problem.switches),
        )

    def _named(self, members: NDArray[np.int64]) -> tuple[Limit, ...]:
        return tuple(self._problem.limits[r] for r in members.tolist())

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
        return left if self._possible(self._pricing(np.flatnonzero(left).tolist())) is None else None

    def _repairs(self, members: Sequence[int]) -> tuple[Repair, ...]:
        """What mends the plan: each of the limits alone, or else all limits a little."""
        alone = [self._repair([r]) for r in members]
        repairs = [repair for repair in alone if repair]
        repairs = repairs or [self._repair(np.flatnonzero(self._musts).tolist())]
        return tuple(sorted(filter(None, repairs), key=lambda repair: sum(change.size for change in repair)))

    def _repair(self, free: Sequence[int]) -> Repair:
        """The changes of the free limits that let all others hold; none if there are none."""
        self._progress("trying a repair")
        pricing = self._pricing(np.flatnonzero(self._musts).tolist(), free)
        whole = self._possible(pricing)
        if whole is None:
            return ()
        paths = {self._problem.limits[r].path for r in free}
        return tuple(changes(pricing, whole, paths))

    def _pricing(self, kept: Sequence[int], free: Sequence[int] = ()) -> Pricing:
        """A problem of these limits alone, in which nothing counts but how far the free ones are missed."""
        problem = self._problem
        limits = []
        for r in kept:
            limit = problem.limits[r]
            weight = 1.0 / max(1.0, abs(limit.bound)) if r in free else None
            limits.append(replace(limit, soft=weight))
        named = {limit.if_used for limit in limits} | {name for limit in limits for name in limit.setup}
        goal, nothing = problem.objective, np.zeros_like(problem.objective.gain)
        return replace(
            problem,
            limits=tuple(limits),
            switches=tuple(switch for switch in problem.switches if switch.campaign in named),
            objective=Objective(nothing, nothing, goal.cost, goal.value, pays_setup=False),
        ).pricing(self._book)

    def _possible(self, pricing: Pricing) -> WholePlan | None:
        """A plan of whole customers that keeps the limits, if there is one."""
        try:
            return decide(pricing, self._generation(pricing)).whole
        except Shortage:
            return None
        except OnlyWholeNumbers as unknown:
            self._proved &= unknown.proved
            return None

    def _generation(self, pricing: Pricing) -> Generation:
        live = np.flatnonzero(pricing.cells.customers > 0)
        customers = pricing.cells.customers[live].astype(float)
        tolerance = max(tolerance_of(pricing), ROUGH) if len(live) > MOST_EXACT else tolerance_of(pricing)
        return Generation(pricing, live, customers, self._max_cells, tolerance, self._progress)


def _support(shortage: Shortage | None) -> NDArray[np.bool_] | None:
    """The limits whose prices prove a shortage."""
    return None if shortage is None else np.abs(shortage.prices) > 0
