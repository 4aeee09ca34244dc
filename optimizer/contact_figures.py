"""What a contact is worth: rates and money by row of figures and option, and the plan's objective."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from optimizer.plan_file import Plan
from optimizer.timetable import Timetable

THRIFT = 1e-6
"""What the dearest contact costs where costs are no part of the objective, in worths of the best contact."""


@dataclass(frozen=True)
class ContactFigures:
    """rate[f, i] of row f and option i; margin, revenue (per response), value and cost per contact likewise.

    Row g is that of segment g; the rows after those of the segments are customers' own (see own_figures).
    """

    rate: NDArray[np.float64]
    margin: NDArray[np.float64]
    revenue: NDArray[np.float64]
    value: NDArray[np.float64]
    cost: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.rate)


def contact_figures(
    plan: Plan, timetable: Timetable, segments: tuple[str, ...], rates: pd.DataFrame
) -> ContactFigures:
    """The segments' figures; `rates` has segment, campaign, channel and response_rate."""
    columns = ["segment", "campaign", "channel", "response_rate"]
    known = {tuple(key): rate for *key, rate in rates[columns].itertuples(index=False)}
    options = timetable.options
    campaigns = [plan.campaigns[option.campaign] for option in options]
    rate = [[known.get((g, option.campaign, option.channel), 0.0) for option in options] for g in segments]
    same = [
        [campaign.margin_per_response for campaign in campaigns],
        [campaign.revenue_per_response for campaign in campaigns],
        [campaign.value_per_contact for campaign in campaigns],
        [option.cost for option in options],
    ]
    money = (np.tile(np.array(row, dtype=np.float64), (len(segments), 1)) for row in same)
    return ContactFigures(np.array(rate, dtype=np.float64).reshape(len(segments), len(options)), *money)


def returned(figures: ContactFigures) -> NDArray[np.float64]:
    """What a contact without fatigue brings by responses, as return_on_cost counts it."""
    return figures.rate * figures.margin


@dataclass(frozen=True)
class Objective:
    """What a contact brings: gain[f, i] times its fatigue factor, less charge[f, i], in row f of the figures.

    `cost[f, i]` is money: of equal plans the cheaper one is better; `value[f, i]` is what the contact is
    worth in itself, in money, whatever the objective. A customer with any contact brings `reached` once;
    `pays_setup` tells whether setup costs are taken off. `stay` is paid for every provisional contact of an
    earlier run that is planned again.
    """

    gain: NDArray[np.float64]
    charge: NDArray[np.float64]
    cost: NDArray[np.float64]
    value: NDArray[np.float64]
    reached: float = 0.0
    pays_setup: bool = True
    stay: float = 0.0

    def thrift(self) -> tuple[float, float]:
        """What a unit of money is to cost where costs are no part of the objective, and a contact besides.

        Next to nothing, and less still: of streams worth the same the cheapest is then chosen.
        """
        if self.pays_setup:
            return 0.0, 0.0
        most = max(float(np.abs(self.gain).max(initial=0.0)), self.reached)
        dearest = float(self.cost.max(initial=0.0)) or 1.0
        return THRIFT * most / dearest, THRIFT * most * THRIFT

    def thrifty(self) -> Objective:
        """The same with thrift among the charges."""
        unit, contact = self.thrift()
        return replace(self, charge=self.charge + unit * self.cost + contact)


def objective_of(plan: Plan, figures: ContactFigures) -> Objective:
    """The plan's objective (contract, "Value")."""
    nothing, cost, value = np.zeros_like(figures.rate), figures.cost, figures.value
    stay = plan.period.keep_provisional
    match plan.objective.goal:
        case "expected_margin":
            return Objective(figures.rate * figures.margin, cost - value, cost, value, stay=stay)
        case "expected_revenue":
            gain = figures.rate * figures.revenue
            return Objective(gain, nothing, cost, value, pays_setup=False, stay=stay)
        case "expected_responses":
            return Objective(figures.rate, nothing, cost, value, pays_setup=False, stay=stay)
        case "reach":
            return Objective(nothing, nothing, cost, value, reached=1.0, pays_setup=False, stay=stay)
    return Objective(nothing, cost, cost, value, stay=stay)
