"""Reading the plan's limits: one method a block of the plan file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from optimizer.contact_figures import ContactFigures, returned
from optimizer.limits import Limit
from optimizer.switches import contacts_since_start
from optimizer.timetable import ContactOption, Timetable

if TYPE_CHECKING:
    from optimizer.plan_file import Budget, Capacity, Plan

WEEK = 7


class Kind(Protocol):
    """What a block of the plan names; None names everything."""

    @property
    def channel(self) -> str | None: ...  # noqa: D102
    @property
    def campaign(self) -> str | None: ...  # noqa: D102
    @property
    def type(self) -> str | None: ...  # noqa: D102
    @property
    def business_unit(self) -> str | None: ...  # noqa: D102
    @property
    def segments(self) -> tuple[str, ...] | None: ...  # noqa: D102


class LimitMaker:
    """Makes the limits of a plan, block by block; arguments as in make_limits."""

    def __init__(
        self,
        plan: Plan,
        timetable: Timetable,
        segments: list[str],
        segment_size: NDArray[np.int64],
        committed: pd.DataFrame,
        figures: ContactFigures,
        switched: tuple[str, ...],
    ) -> None:
        self.plan, self.timetable, self.figures, self.switched = plan, timetable, figures, switched
        self.segments, self.segment_size, self.committed = segments, segment_size, committed
        self.everyone = np.ones(len(segments), dtype=bool)
        self.cost = np.array([option.cost for option in timetable.options])

    def capacities(self) -> Iterator[Limit]:
        """What the channels can take."""
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
                    use = each * self._mask(named, days)
                    yield self._limit(name, bound, use, float(used), soft=entry.soft)

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

    def campaign_contacts(self) -> Iterator[Limit]:
        """How many contacts campaigns must and may have."""
        for name, campaign in self.plan.campaigns.items():
            named = self._mask([option.campaign == name for option in self.timetable.options])
            had, asked = float(self._since_start(name).contacts.sum()), campaign.contacts
            path, if_used = f"campaigns.{name}.contacts", name if name in self.switched else None
            if asked.min is not None:
                yield self._limit(f"{path}.min", asked.min, named, had, at_least=True, soft=asked.soft)
            if asked.min_if_used is not None and (if_used or had):
                least = self._limit(
                    f"{path}.min_if_used", asked.min_if_used, named, had, at_least=True, soft=asked.soft
                )
                yield replace(least, if_used=if_used)
            if asked.max is not None:
                most = self._limit(f"{path}.max", asked.max, named, had, soft=asked.soft)
                yield replace(most, if_used=if_used)

    def budgets(self) -> Iterator[Limit]:
        """Money; setup costs belong to the whole plan's budget for the period."""
        setup = {name: self.plan.campaigns[name].setup_cost for name in self.switched}
        for n, budget in enumerate(self.plan.budget):
            named = [self._pays(budget, option) for option in self.timetable.options]
            whole = budget.per == "period" and budget.business_unit is None and budget.campaign is None
            if_used = budget.campaign if budget.campaign in self.switched else None
            for name, days in self._stretches(f"budget[{n}]", budget.per):
                rows = self._paid_earlier(budget, days)
                used = float((rows.cost * rows.contacts).sum())
                paid = self._mask(named, days)
                limit = self._limit(name, budget.amount, self.cost * paid, used, soft=budget.soft)
                yield replace(limit, spend=paid, setup=setup if whole else {}, if_used=if_used)

    def _paid_earlier(self, budget: Budget, days: list[int]) -> pd.DataFrame:
        if budget.campaign is not None and budget.per == "period":
            rows = self._since_start(budget.campaign)
        else:
            rows = self.committed[self.committed.day.isin(days)]
            if budget.campaign is not None:
                rows = rows[rows.campaign == budget.campaign]
        return rows if budget.business_unit is None else rows[rows.business_unit == budget.business_unit]

    def _since_start(self, campaign: str) -> pd.DataFrame:
        return contacts_since_start(self.plan, self.committed, campaign)

    def volumes(self) -> Iterator[Limit]:
        """Planned contacts of a kind: numbers, and shares of all planned contacts in the same segments."""
        every = self._mask([True] * len(self.timetable.options))
        for n, volume in enumerate(self.plan.volume):
            named = self._mask([names(volume, option) for option in self.timetable.options])
            inside = self._inside(volume)
            for word in ("min", "max", "min_share", "max_share"):
                asked = getattr(volume, word)
                if asked is None:
                    continue
                share = asked if word.endswith("share") else 0.0
                bound = 0.0 if word.endswith("share") else float(asked)
                at_least, path = word.startswith("min"), f"volume[{n}].{word}"
                yield Limit(path, at_least, bound, named - share * every, inside, soft=volume.soft)

    def reaches(self) -> Iterator[Limit]:
        """Distinct customers with a contact."""
        for n, reach in enumerate(self.plan.reach):
            named = [names(reach, option) for option in self.timetable.options]
            inside = self._inside(reach)
            size = float(self.segment_size[inside].sum())
            # Rounded, for 0.1 x 30 is a little more than 3.
            bound = round(reach.share * size, 6) if reach.share is not None else float(reach.customers or 0)
            path, use = f"reach[{n}]", self._mask(named)
            yield Limit(
                path, at_least=True, bound=bound, use=use, segments=inside, customers=True, soft=reach.soft
            )

    def return_on_cost(self) -> Iterator[Limit]:
        """What the planned contacts bring beyond what they must bring for their costs, in money."""
        asked = self.plan.return_on_cost
        if asked is None:
            return
        each, figures = 1 + asked.min, self.figures
        every = self._mask([True] * len(self.timetable.options))
        use = every * (figures.value[0] - each * figures.cost[0])
        setup = {name: -each * self.plan.campaigns[name].setup_cost for name in self.switched}
        limit = self._limit("return_on_cost.min", 0.0, use, 0.0, at_least=True, soft=asked.soft)
        tiring = returned(figures)
        yield replace(limit, tiring=tiring, spend=-each * every, earn=1.0, setup=setup)

    def _inside(self, kind: Kind) -> NDArray[np.bool_]:
        named = [kind.segments is None or label in kind.segments for label in self.segments]
        return np.array(named, dtype=bool)

    def _limit(
        self,
        path: str,
        bound: float,
        use: NDArray[np.float64],
        used: float,
        at_least: bool = False,
        soft: float | None = None,
    ) -> Limit:
        return Limit(path, at_least, float(bound), use, self.everyone, used, soft=soft)

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


def names(kind: Kind, option: ContactOption) -> bool:
    """Whether the kind named in the plan is that of the option; segments apart."""
    return all(
        wanted in (None, own)
        for wanted, own in (
            (kind.channel, option.channel),
            (kind.campaign, option.campaign),
            (kind.type, option.type),
            (kind.business_unit, option.business_unit),
        )
    )
