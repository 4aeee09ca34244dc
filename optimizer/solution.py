"""Solving a plan's program: from cells and limits to whole customers, with the proof."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from optimizer.cells import Cells
from optimizer.generation import LinearPlan, solve_linear
from optimizer.limits import Limit
from optimizer.plan_file import Plan
from optimizer.rules import ContactRules
from optimizer.schedule import ContactFigures
from optimizer.stream_graph import StreamGraph
from optimizer.streams import Objective, Pricing
from optimizer.timetable import Timetable
from optimizer.whole_numbers import WholePlan, whole_plan

# How near the program's value must come to its bound, by the most cells for which it may take the time.
TOLERANCES = ((1_000, 1e-9), (8_000, 1e-5), (30_000, 5e-5))
ROUGHEST = 1e-2


@dataclass(frozen=True)
class Solution:
    """The linear optimum, the whole plan, and the pricing that found both."""

    linear: LinearPlan
    whole: WholePlan
    pricing: Pricing

    @property
    def cells_sharing(self) -> int:
        """How many cells share a row of the program with others."""
        sizes = np.bincount(self.linear.block)
        return int(sizes[sizes > 1].sum())


def solve(
    timetable: Timetable,
    rules: ContactRules,
    graph: StreamGraph,
    cells: Cells,
    limits: Sequence[Limit],
    figures: ContactFigures,
    max_cells: int,
    progress: Callable[[str], None],
) -> Solution:
    """The best plan. Raises Shortage where limits cannot hold, OnlyWholeNumbers where only fractions can."""
    objective = Objective(figures.rate * figures.margin, figures.cost - figures.value)
    pricing = Pricing(timetable, rules, graph, cells, limits, objective)
    live = int((cells.customers > 0).sum())
    tolerance = next((tolerance for most, tolerance in TOLERANCES if live <= most), ROUGHEST)
    linear = solve_linear(pricing, max_cells, tolerance, progress)
    progress("whole customers")
    return Solution(linear, whole_plan(pricing, linear), pricing)


def contact_figures(plan: Plan, timetable: Timetable, cells: Cells, rates: pd.DataFrame) -> ContactFigures:
    """Rates and money by segment and option; `rates` has segment, campaign, channel and response_rate."""
    known = {
        (segment, campaign, channel): rate
        for segment, campaign, channel, rate in rates[
            ["segment", "campaign", "channel", "response_rate"]
        ].itertuples(index=False)
    }
    campaigns = [plan.campaigns[option.campaign] for option in timetable.options]
    return ContactFigures(
        np.array(
            [
                [known.get((segment, option.campaign, option.channel), 0.0) for option in timetable.options]
                for segment in cells.segments
            ]
        ).reshape(len(cells.segments), len(timetable.options)),
        np.array([campaign.margin_per_response for campaign in campaigns]),
        np.array([campaign.value_per_contact for campaign in campaigns]),
        np.array([option.cost for option in timetable.options]),
    )
