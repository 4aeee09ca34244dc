"""What may be sent when: the plan's contact options and its send days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from optimizer.plan_file import Plan


@dataclass(frozen=True)
class ContactOption:
    """One campaign on one channel; `cost` is the money one such contact costs."""

    campaign: str
    channel: str
    type: str
    business_unit: str | None
    cost: float


@dataclass(frozen=True)
class Timetable:
    """The contact options of a plan and the days on which each may be sent.

    `days` holds the send days as whole days from `start` (ascending), `sendable[t, i]` tells whether
    option i may be sent on send day t. Days on which nothing may be sent are left out.
    """

    start: date
    period_days: int
    options: tuple[ContactOption, ...]
    days: tuple[int, ...]
    sendable: NDArray[np.bool_]

    @classmethod
    def of(cls, plan: Plan) -> Timetable:
        """The timetable of a plan; a campaign outside its window, or a blacked-out day, is not sendable."""
        options = tuple(
            ContactOption(
                name,
                channel,
                campaign.type,
                campaign.business_unit,
                plan.channels[channel].unit_cost + campaign.cost_per_contact,
            )
            for name, campaign in plan.campaigns.items()
            for channel in dict.fromkeys(campaign.channels)
        )
        start, period_days = plan.period.start, plan.period.days
        table = np.zeros((period_days, len(options)), dtype=bool)
        for day in range(period_days):
            today = start + timedelta(days=day)
            for i, option in enumerate(options):
                channel, campaign = plan.channels[option.channel], plan.campaigns[option.campaign]
                table[day, i] = (
                    today.weekday() in channel.send_days
                    and today not in channel.blackout
                    and campaign.from_ <= today <= campaign.to
                )
        days = np.flatnonzero(table.any(axis=1))
        return cls(start, period_days, options, tuple(int(day) for day in days), table[days])

    def date_of(self, send_day: int) -> date:
        """The calendar date of a send day's index."""
        return self.start + timedelta(days=self.days[send_day])

    @cached_property
    def day_of(self) -> NDArray[np.int64]:
        """The send days as an array of days from the period's start."""
        return np.array(self.days, dtype=np.int64)
