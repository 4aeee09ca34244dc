"""Campaigns that are used or not: those with a setup cost, or with a minimum only if they are used."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from optimizer.timetable import Timetable

if TYPE_CHECKING:
    from optimizer.plan_file import Plan


@dataclass(frozen=True)
class Switch:
    """A campaign whose use is a decision of its own.

    `options[i]` marks its contact options, `most` is the most contacts that one customer may have of it
    in the period, `setup_cost` what its use costs once, in money.
    """

    campaign: str
    options: NDArray[np.bool_]
    most: int
    setup_cost: float


def make_switches(plan: Plan, timetable: Timetable, committed: pd.DataFrame) -> tuple[Switch, ...]:
    """The plan's switches; a campaign with earlier or promised contacts since its `from` is in use anyway.

    `committed` is that of committed_contacts.
    """
    switches = []
    for name, campaign in plan.campaigns.items():
        options = np.array([option.campaign == name for option in timetable.options], dtype=bool)
        days = timetable.day_of[timetable.sendable[:, options].any(axis=1)]
        if not (campaign.setup_cost > 0 or campaign.contacts.min_if_used) or not len(days):
            continue
        if contacts_since_start(plan, committed, name).contacts.sum() > 0:
            continue
        span = int(days[-1] - days[0]) + 1
        whole = [
            cap
            for cap in campaign.max_per_customer
            if cap.types is None and cap.channels is None and cap.campaigns is None
        ]
        most = min([len(days), *(cap.contacts * ceil(span / cap.days) for cap in whole)])
        switches.append(Switch(name, options, max(most, 1), campaign.setup_cost))
    return tuple(switches)


def contacts_since_start(plan: Plan, committed: pd.DataFrame, campaign: str) -> pd.DataFrame:
    """A campaign's earlier and promised contacts since its first day: they belong to it, whichever period
    sent them.
    """
    first = (plan.campaigns[campaign].from_ - plan.period.start).days
    return committed[(committed.campaign == campaign) & (committed.day >= first)]
