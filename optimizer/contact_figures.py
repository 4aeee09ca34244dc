"""What a contact is worth: rates and money by segment and option, and the plan's objective made of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from optimizer.plan_file import Plan
from optimizer.timetable import Timetable


@dataclass(frozen=True)
class ContactFigures:
    """rate[g, i] of segment g and option i; margin, revenue (per response), value and cost per contact."""

    rate: NDArray[np.float64]
    margin: NDArray[np.float64]
    revenue: NDArray[np.float64]
    value: NDArray[np.float64]
    cost: NDArray[np.float64]


def contact_figures(
    plan: Plan, timetable: Timetable, segments: tuple[str, ...], rates: pd.DataFrame
) -> ContactFigures:
    """The figures of a plan; `rates` has segment, campaign, channel and response_rate."""
    columns = ["segment", "campaign", "channel", "response_rate"]
    known = {tuple(key): rate for *key, rate in rates[columns].itertuples(index=False)}
    options = timetable.options
    campaigns = [plan.campaigns[option.campaign] for option in options]
    rate = [[known.get((g, option.campaign, option.channel), 0.0) for option in options] for g in segments]
    return ContactFigures(
        np.array(rate).reshape(len(segments), len(options)),
        np.array([campaign.margin_per_response for campaign in campaigns]),
        np.array([campaign.revenue_per_response for campaign in campaigns]),
        np.array([campaign.value_per_contact for campaign in campaigns]),
        np.array([option.cost for option in options]),
    )


@dataclass(frozen=True)
class Objective:
    """What a contact brings: gain[g, i] times its fatigue factor, less charge[g, i], in segment g.

    `cost[i]` is money: of equal plans the cheaper one is better. A customer with any contact brings
    `reached` once; `pays_setup` tells whether setup costs are taken off. `stay` is paid for every
    provisional contact of an earlier run that is planned again.
    """

    gain: NDArray[np.float64]
    charge: NDArray[np.float64]
    cost: NDArray[np.float64]
    reached: float = 0.0
    pays_setup: bool = True
    stay: float = 0.0


def objective_of(plan: Plan, figures: ContactFigures) -> Objective:
    """The plan's objective (contract, "Value")."""
    nothing, cost, stay = np.zeros_like(figures.rate), figures.cost, plan.period.keep_provisional
    match plan.objective.goal:
        case "expected_margin":
            charge = nothing + cost - figures.value
            return Objective(figures.rate * figures.margin, charge, cost, stay=stay)
        case "expected_revenue":
            return Objective(figures.rate * figures.revenue, nothing, cost, pays_setup=False, stay=stay)
        case "expected_responses":
            return Objective(figures.rate, nothing, cost, pays_setup=False, stay=stay)
        case "reach":
            return Objective(nothing, nothing, cost, reached=1.0, pays_setup=False, stay=stay)
    return Objective(nothing, nothing + cost, cost, stay=stay)
