"""The plan's limits as rows of the program: budgets, capacities, campaign volumes and reach."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from optimizer.timetable import ContactOption, Timetable

if TYPE_CHECKING:
    from optimizer.plan_file import Budget, Capacity, Plan, Reach

WEEK = 7


@dataclass(frozen=True)
class Limit:
    """One limit of the plan over the timetable's send days (T), options (I) and segments (G).

    `path` is its place in the plan file. `use[t, i]` is what one contact uses of it; for a reach row,
    1 where a contact makes its customer count (`customers`: each once). Only customers of `segments`
    count. `bound` is as the plan states it, `committed` what earlier and promised contacts already
    use; `remainder` is what they leave.
    """

    path: str
    at_least: bool
    bound: float
    use: NDArray[np.float64]
    segments: NDArray[np.bool_]
    committed: float = 0.0
    customers: bool = False

    @property
    def remainder(self) -> float:
        """The bound on planned contacts alone, never below 0."""
        return max(0.0, self.bound - self.committed)

    @property
    def overdrawn(self) -> bool:
        """Whether earlier and promised contacts alone exceed the limit."""
        return not self.at_least and self.committed > self.bound


def make_limits(
    plan: Plan,
    timetable: Timetable,
    segments: Sequence[str],
    segment_size: NDArray[np.int64],
    committed: pd.DataFrame,
) -> tuple[Limit, ...]:
    """Every limit of the plan, in the order of the plan file.

    `committed` counts earlier contacts: columns day, channel, campaign, business_unit, cost (money a
    contact) and contacts, a row for each distinct combination (see committed_contacts).
    """
    maker = _Maker(plan, timetable, list(segments), segment_size, committed)
    return (*maker.capacities(), *maker.volumes(), *maker.budgets(), *maker.reaches())


class _Maker:
    def __init__(
        self,
        plan: Plan,
        timetable: Timetable,
        segments: list[str],
        segment_size: NDArray[np.int64],
        committed: pd.DataFrame,
    ) -> None:
        self.plan, self.timetable = plan, timetable
        self.segments, self.segment_size, self.committed = segments, segment_size, committed
        self.everyone = np.ones(len(segments), dtype=bool)
        self.cost = np.array([option.cost for option in timetable.options])

    def capacities(self) -> Iterator[Limit]:
        for channel, settings in self.plan.channels.items():
            named = [option.channel == channel for option in self.timetable.options]
            rows = self.committed[self.committed.channel == channel]
            for n, entry in enumerate(settings.capacity):
                hours = settings.hours_per_contact or 0.0
                each = 1.0 if entry.contacts is not None else hours
                bound = float(entry.contacts if entry.contacts is not None else entry.hours or 0.0)
                path = f"channels.{channel}.capacity[{n}]"
                for name, days in self._capacity_days(path, entry, settings.capacity):
                    used = each * rows.contacts[rows.day.isin(days)].sum()
                    yield self._limit(name, bound, each * self._mask(named, days), float(used))

    def _capacity_days(
        self, path: str, entry: Capacity, entries: Sequence[Capacity]
    ) -> Iterator[tuple[str, list[int]]]:
        """The stretches an entry speaks of; days with an exception of the same unit are left to it."""
        if entry.per != "day":
            yield from self._stretches(path, entry.per)
            return
        same_unit = [other for other in entries if (other.hours is None) == (entry.hours is None)]
        excepted = {day for other in same_unit for day in other.on or ()}
        for day in self.timetable.days:
            today = self.plan.period.start + timedelta(days=day)
            if today in entry.on if entry.on is not None else today not in excepted:
                yield f"{path} {today.isoformat()}", [day]

    def volumes(self) -> Iterator[Limit]:
        for name, campaign in self.plan.campaigns.items():
            named = self._mask([option.campaign == name for option in self.timetable.options])
            used = float(self._since_start(name).contacts.sum())
            for word, bound in (("min", campaign.contacts.min), ("max", campaign.contacts.max)):
                if bound is not None:
                    path = f"campaigns.{name}.contacts.{word}"
                    yield self._limit(path, float(bound), named, used, at_least=word == "min")

    def budgets(self) -> Iterator[Limit]:
        for n, budget in enumerate(self.plan.budget):
            named = [self._pays(budget, option) for option in self.timetable.options]
            for name, days in self._stretches(f"budget[{n}]", budget.per):
                rows = self._paid_earlier(budget, days)
                used = float((rows.cost * rows.contacts).sum())
                yield self._limit(name, float(budget.amount), self.cost * self._mask(named, days), used)

    def _paid_earlier(self, budget: Budget, days: list[int]) -> pd.DataFrame:
        if budget.campaign is not None and budget.per == "period":
            rows = self._since_start(budget.campaign)
        else:
            rows = self.committed[self.committed.day.isin(days)]
            if budget.campaign is not None:
                rows = rows[rows.campaign == budget.campaign]
        return rows if budget.business_unit is None else rows[rows.business_unit == budget.business_unit]

    def _since_start(self, campaign: str) -> pd.DataFrame:
        """A campaign's contacts since its first day: they belong to it, whichever period sent them."""
        first = (self.plan.campaigns[campaign].from_ - self.plan.period.start).days
        return self.committed[(self.committed.campaign == campaign) & (self.committed.day >= first)]

    def reaches(self) -> Iterator[Limit]:
        for n, reach in enumerate(self.plan.reach):
            named = [self._counts(reach, option) for option in self.timetable.options]
            inside = np.array(
                [reach.segments is None or s in reach.segments for s in self.segments], dtype=bool
            )
            size = float(self.segment_size[inside].sum())
            bound = reach.share * size if reach.share is not None else float(reach.customers or 0)
            yield Limit(f"reach[{n}]", True, bound, self._mask(named), inside, customers=True)

    def _limit(
        self, path: str, bound: float, use: NDArray[np.float64], used: float, at_least: bool = False
    ) -> Limit:
        return Limit(path, at_least, bound, use, self.everyone, used)

    def _stretches(self, path: str, per: str) -> Iterator[tuple[str, list[int]]]:
        days = range(self.plan.period.days)
        if per == "period":
            yield path, list(days)
        elif per == "week":
            for week in range(-(-len(days) // WEEK)):
                yield f"{path} week {week + 1}", list(days[WEEK * week : WEEK * (week + 1)])
        else:
            for day in self.timetable.days:
                today = self.plan.period.start + timedelta(days=day)
                yield f"{path} {today.isoformat()}", [day]

    def _mask(self, named: Sequence[bool], days: Sequence[int] | None = None) -> NDArray[np.float64]:
        on = np.array([days is None or day in days for day in self.timetable.days], dtype=float)
        return np.outer(on, np.array(named, dtype=float))

    @staticmethod
    def _pays(budget: Budget, option: ContactOption) -> bool:
        return budget.business_unit in (None, option.business_unit) and budget.campaign in (
            None,
            option.campaign,
        )

    @staticmethod
    def _counts(reach: Reach, option: ContactOption) -> bool:
        return all(
            wanted in (None, own)
            for wanted, own in (
                (reach.channel, option.channel),
                (reach.campaign, option.campaign),
                (reach.type, option.type),
                (reach.business_unit, option.business_unit),
            )
        )
