"""Solving a plan's program: from pricing to whole customers, with the proof."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from optimizer.branching import decide
from optimizer.contact_figures import Objective
from optimizer.limits import Limit
from optimizer.linear_plan import LinearPlan, Shortage
from optimizer.opening import generation_of
from optimizer.solution_tolerance import tolerance_of
from optimizer.streams import Pricing
from optimizer.switch_search import search_switches, too_many_links
from optimizer.ties import EQUAL, cheapest_of_equals
from optimizer.whole_numbers import OnlyWholeNumbers, WholePlan


@dataclass(frozen=True)
class Solution:
    """The whole plan, the linear program with its campaigns fixed, and the pricing that found both.

    `linear_bound` is that of the linear program with no campaign fixed; `nodes` counts the linear
    programs it took to decide which campaigns to use. `use` is what the whole plan uses of every limit,
    `stays` the number of provisional contacts of an earlier run that stay in it.
    """

    linear: LinearPlan
    whole: WholePlan
    pricing: Pricing
    linear_bound: float
    nodes: int
    use: NDArray[np.float64]
    stays: int

    def __post_init__(self) -> None:
        if self.whole.bound < self.whole.value - 1e-6 * max(1.0, abs(self.whole.value)):
            raise AssertionError("a plan is worth more than the bound on all plans")

    def bounded_by(self, bound: float) -> Solution:
        """The same with another bound on all plans."""
        return replace(self, whole=replace(self.whole, bound=bound), linear_bound=bound)

    @property
    def cells_sharing(self) -> int:
        """How many cells share a row of the program with others."""
        sizes = np.bincount(self.linear.block)
        return int(sizes[sizes > 1].sum())


def solve(pricing: Pricing, max_cells: int, progress: Callable[[str], None]) -> Solution:
    """The best plan. Raises Shortage where limits cannot hold, OnlyWholeNumbers where only fractions can."""
    if too_many_links(pricing):
        decided = search_switches(pricing, max_cells, progress)
    else:
        decided = decide(pricing, generation_of(pricing, max_cells, tolerance_of(pricing), progress))
    progress("the cheapest of equals")
    whole = decided.whole
    if not pricing.objective.pays_setup:
        whole = _cheapest_at_value(pricing, whole, max_cells)
    whole = cheapest_of_equals(pricing, decided.linear, whole)
    return Solution(
        decided.linear,
        whole,
        pricing,
        decided.root_bound,
        decided.nodes,
        pricing.total_use(whole.cell, whole.stream, whole.customers),
        int(pricing.kept(whole.cell, whole.stream) @ whole.customers),
    )


def _cheapest_at_value(pricing: Pricing, whole: WholePlan, max_cells: int) -> WholePlan:
    """The cheapest plan worth as much, where costs are no part of the objective; the same if none is found.

    The program is solved once more for the least cost, the value reached being one limit more.
    """
    use = pricing.use(whole.cell, whole.stream).T @ whole.customers
    if pricing.objective.stay or pricing.rows.penalty(use, whole.used):
        return whole
    limits = [replace(limit, soft=None) for limit in pricing.limits]
    goal, nothing = pricing.objective, np.zeros_like(pricing.objective.gain)
    cheap = pricing.under(
        [*limits, _value_limit(pricing, whole.value)], Objective(nothing, goal.cost, goal.cost, goal.value)
    )
    try:
        found = decide(cheap, generation_of(cheap, max_cells, tolerance_of(cheap), lambda text: None)).whole
    except (Shortage, OnlyWholeNumbers):
        return whole
    worth = float(pricing.value(found.cell, found.stream) @ found.customers)
    if _spent(pricing, found) >= _spent(pricing, whole) or worth < whole.value * (1 - EQUAL) - EQUAL:
        return whole
    return replace(found, value=worth, bound=max(whole.bound, worth))


def _value_limit(pricing: Pricing, value: float) -> Limit:
    """The objective's value as a limit: customers reached, or what contacts bring."""
    everyone, least = np.ones(len(pricing.cells.segments), dtype=bool), value * (1 - EQUAL / 2)
    shape = (pricing.days, pricing.options)
    if pricing.objective.reached:
        return Limit("objective", True, least, np.ones(shape), everyone, customers=True)
    return Limit("objective", True, least, np.zeros(shape), everyone, tiring=pricing.objective.gain)


def _spent(pricing: Pricing, whole: WholePlan) -> float:
    """What a plan costs, setups and all."""
    setup = sum(s.setup_cost for s, used in zip(pricing.switches, whole.used, strict=True) if used)
    return float(pricing.cost(whole.cell, whole.stream) @ whole.customers) + setup
