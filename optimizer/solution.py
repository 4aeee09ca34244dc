"""Solving a plan's program: from pricing to whole customers, with the proof."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from optimizer.branching import decide
from optimizer.linear_plan import LinearPlan
from optimizer.opening import generation_of
from optimizer.streams import Pricing
from optimizer.ties import cheapest_of_equals
from optimizer.whole_numbers import WholePlan

# How near the program's value must come to its bound, by the most cells for which it may take the time.
TOLERANCES = ((1_000, 1e-9), (8_000, 1e-5), (30_000, 5e-5))
ROUGHEST = 1e-2


@dataclass(frozen=True)
class Solution:
    """The whole plan, the linear program with its campaigns fixed, and the pricing that found both.

    `linear_bound` is that of the linear program with no campaign fixed; `nodes` counts the linear
    programs it took to decide which campaigns to use.
    """

    linear: LinearPlan
    whole: WholePlan
    pricing: Pricing
    linear_bound: float
    nodes: int

    @property
    def cells_sharing(self) -> int:
        """How many cells share a row of the program with others."""
        sizes = np.bincount(self.linear.block)
        return int(sizes[sizes > 1].sum())


def solve(pricing: Pricing, max_cells: int, progress: Callable[[str], None]) -> Solution:
    """The best plan. Raises Shortage where limits cannot hold, OnlyWholeNumbers where only fractions can."""
    generation = generation_of(pricing, max_cells, tolerance_of(pricing), progress)
    decided = decide(pricing, generation)
    progress("the cheapest of equals")
    whole = cheapest_of_equals(pricing, decided.linear, decided.whole)
    return Solution(decided.linear, whole, pricing, decided.root_bound, decided.nodes)


def tolerance_of(pricing: Pricing) -> float:
    """How near value and bound of the linear program must come, as a share of the value."""
    live = int((pricing.cells.customers > 0).sum())
    return next((tolerance for most, tolerance in TOLERANCES if live <= most), ROUGHEST)
