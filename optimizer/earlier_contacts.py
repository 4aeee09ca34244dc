"""What contacts of the history and commitments leave open: caps used, spacing, fatigue, only-after.

Earlier contacts that no rule can tell apart get one code, a customer's are a list of codes, and what a
list leaves open is worked out once for all customers who share it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from optimizer.plan_file import Plan
from optimizer.rules import ContactRules, FrequencyCap
from optimizer.tables import Tables
from optimizer.timetable import Timetable


@dataclass(frozen=True)
class EarlierContact:
    """A contact that is not up for planning; `type` None is unknown, `day` counts from the start."""

    day: int
    campaign: str
    channel: str
    type: str | None


@dataclass(frozen=True)
class Leeway:
    """What each list of earlier contacts (a profile, first axis) leaves to the plan.

    `open[e, t, i]`: option i may be sent on send day t (only-after rules apart).
    `used[e, c, t, f]`: the most earlier contacts that shared cap c counts in a stretch holding send day
    t whose first planned contact is on send day f (last axis of length 1 where f does not matter).
    `fatigue[e, t]`: the earlier contacts that tire one on t. `ready[e, t, r]`: rule r's window is open.
    """

    open: NDArray[np.bool_]
    used: NDArray[np.int16]
    fatigue: NDArray[np.int16]
    ready: NDArray[np.bool_]


class EarlierEffects:
    """The effect of each distinct earlier contact on the send days of a timetable.

    `code[n]` is the code of contacts[n]: equal for contacts that no rule tells apart, -1 for those
    that nothing feels any more.
    """

    def __init__(self, contacts: Sequence[EarlierContact], timetable: Timetable, rules: ContactRules) -> None:
        self._timetable, self._rules = timetable, rules
        self._day = np.array([contact.day for contact in contacts], dtype=np.int64)
        gap = timetable.day_of[None, :] - self._day[:, None]
        self._ahead = bool((self._day >= 0).any())
        self._named = [np.array([cap.names(c) for c in contacts], dtype=bool) for cap in rules.caps]
        tiring = rules.fatigue_days if rules.fatigue_keep < 1 else 0
        self._tired = (gap >= 1) & (gap <= tiring)
        self._ready = [
            np.array([rule.names(c) for c in contacts], dtype=bool)[:, None]
            & (gap >= rule.first)
            & (gap <= rule.last)
            for rule in rules.only_after
        ]
        self._near = [
            {
                name: np.array([c.campaign == name for c in contacts], dtype=bool)[:, None]
                & (abs(gap) <= rule.days)
                for name in rule.campaigns
            }
            for rule in rules.never_together
        ]
        self._same = np.array(
            [
                [c.campaign == o.campaign and c.channel == o.channel for o in timetable.options]
                for c in contacts
            ],
            dtype=bool,
        ).reshape(len(contacts), len(timetable.options))
        self._first, self.code = self._codes(gap)

    @property
    def ahead(self) -> dict[str, tuple[int, ...]]:
        """By the path of each cap the days of the contacts inside or after the period that it names."""
        ahead = self._day >= 0
        return {
            cap.path: tuple(np.unique(self._day[named & ahead]).tolist())
            for cap, named in zip(self._rules.caps, self._named, strict=True)
        }

    def _codes(self, gap: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The first contact of each code, and each contact's code."""
        count = len(self._day)
        felt = [
            (named[:, None] & (gap <= cap.reach) & self._bound(cap)[None, :])
            for cap, named in zip(self._rules.caps, self._named, strict=True)
        ]
        near = [table for rule in self._near for table in rule.values()]
        marks = np.hstack([np.zeros((count, 0), dtype=bool), *felt, *near, *self._ready, self._tired])
        ahead = np.where(self._day >= 0, self._day + 1, 0)
        # A stretch may also hold a contact ahead: which of those an earlier contact shares one with.
        apart = np.unique(self._day[self._day >= 0])[None, :] - self._day[:, None]
        shared = [
            named[:, None] & (apart <= cap.reach)
            for cap, named in zip(self._rules.caps, self._named, strict=True)
        ]
        same = np.where((gap == 0).any(axis=1)[:, None], self._same, False)
        key = np.hstack([marks.astype(np.int64), same, *shared, ahead[:, None]])
        anything = marks.any(axis=1) | same.any(axis=1)
        _, first, code = np.unique(key[anything], axis=0, return_index=True, return_inverse=True)
        every = np.full(count, -1, dtype=np.int64)
        every[anything] = code.reshape(-1)
        return np.flatnonzero(anything)[first], every

    def _bound(self, cap: FrequencyCap) -> NDArray[np.bool_]:
        options = self._timetable.options
        # A cap that binds no option breaks nothing; else those that ignore it can fill a stretch, too.
        named = [cap.names(option) for option in options] if any(map(cap.binds, options)) else []
        return np.asarray(self._timetable.sendable[:, np.flatnonzero(named)].any(axis=1))

    def leeway(
        self,
        lists: Sequence[Sequence[int]],
        shared: Sequence[FrequencyCap],
        own: NDArray[np.int64] | None = None,
    ) -> Leeway:
        """What each list of codes leaves open; `shared` are the caps counted in `Leeway.used`.

        `own` holds for each list the customer's own limit, -1 where there is none.
        """
        sizes = np.array([len(codes) for codes in lists])
        flat = np.fromiter(
            (code for codes in lists for code in codes), dtype=np.int64, count=int(sizes.sum())
        )
        has = sparse.csr_array(
            (np.ones(len(flat), dtype=np.int32), flat, np.concatenate([[0], np.cumsum(sizes)])),
            shape=(len(lists), len(self._first)),
        )
        days, options = len(self._timetable.days), self._timetable.options
        opens = np.ones((len(lists), days, len(options)), dtype=bool)
        used = np.zeros((len(lists), len(shared), days, days if self._ahead else 1), dtype=np.int16)
        for cap, named in zip(self._rules.caps, self._named, strict=True):
            most = self._stretches(cap, has, named)
            if cap.own:
                most = _of_own_limit(most, cap.contacts, np.full(len(lists), -1) if own is None else own)
            binds = np.array([cap.binds(option) for option in options], dtype=bool)
            alone = most[:, np.arange(days), np.arange(days) if self._ahead else 0]
            opens &= ~((alone >= cap.contacts)[:, :, None] & binds)
            if cap in shared:
                used[:, list(shared).index(cap)] = most
        self._keep_apart(opens, has)
        opens &= ~self._doubles(has)
        ready = [self._sum(has, table) > 0 for table in self._ready]
        return Leeway(
            opens,
            used,
            self._sum(has, self._tired).astype(np.int16),
            np.stack(ready, axis=2) if ready else np.zeros((len(lists), days, 0), dtype=bool),
        )

    def _sum(self, has: sparse.csr_array, table: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Adds up a table of the contacts over each list."""
        return np.asarray(has @ table[self._first].astype(np.int64))

    def _stretches(
        self, cap: FrequencyCap, has: sparse.csr_array, named: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        """For list, send day t and first planned send day f: the fullest stretch of the cap's days.

        Stretches holding t begin at the earliest `reach` days before it, and at the latest on f.
        Without contacts ahead the earliest one is the fullest, whatever f is.
        """
        days = self._timetable.day_of
        if not len(days):
            return np.zeros((has.shape[0], 0, 1), dtype=np.int64)
        begins = np.arange(days[0] - cap.reach, days[-1] + 1) if self._ahead else days - cap.reach
        inside = (self._day[:, None] >= begins) & (self._day[:, None] <= begins + cap.reach) & named[:, None]
        count = self._sum(has, inside)
        if not self._ahead:
            return count[:, :, None]
        most = np.zeros((has.shape[0], len(days), len(days)), dtype=np.int64)
        for t, day in enumerate(days):
            low = int(day - cap.reach - begins[0])
            running = np.maximum.accumulate(count[:, low : int(day - begins[0]) + 1], axis=1)
            for f in range(t + 1):
                high = int(days[f] - begins[0]) - low
                if high >= 0:
                    most[:, t, f] = running[:, high]
        return most

    def _keep_apart(self, opens: NDArray[np.bool_], has: sparse.csr_array) -> None:
        for tables in self._near:
            near = {name: self._sum(has, table) > 0 for name, table in tables.items()}
            for i, option in enumerate(self._timetable.options):
                others = [table for name, table in near.items() if name != option.campaign]
                if option.campaign in near and others:
                    opens[:, :, i] &= ~np.logical_or.reduce(others)

    def _doubles(self, has: sparse.csr_array) -> NDArray[np.bool_]:
        """Where the very contact (date, channel, campaign) is already promised."""
        today = (self._timetable.day_of[None, :] == self._day[:, None])[:, :, None]
        table = (today & self._same[:, None, :]).reshape(len(self._day), self._timetable.sendable.size)
        return (self._sum(has, table) > 0).reshape(has.shape[0], *self._timetable.sendable.shape)


def earlier_rows(plan: Plan, tables: Tables, timetable: Timetable, lookback: int) -> ir.Table:
    """History and commitments that count (day from the start), `lookback` days around the send days."""
    history, promised = tables.contact_history, tables.commitments
    history = history.filter((history.delivered == 1) & (history.control == 0))
    both = ibis.union(
        history.select("customer_id", "channel", "campaign", "type", on="contacted_on"),
        promised.select("customer_id", "channel", "campaign", "type", on="contact_on"),
    )
    last = timetable.days[-1] if timetable.days else 0
    day = both.on.delta(ibis.date(plan.period.start), unit="day")
    return both.mutate(day=day).filter((day >= -lookback) & (day <= last + lookback))


def _of_own_limit(most: NDArray[np.int64], contacts: int, own: NDArray[np.int64]) -> NDArray[np.int64]:
    """Earlier contacts in a cap of so many contacts that leave as much as they leave of the own limit.

    The cap as it stands never binds (see own_limits.py), so limits that can bind no more are none.
    """
    used = (most + contacts - own[:, None, None]).clip(0, contacts)
    used[own < 0] = 0
    return used


def lists_of(codes: pd.Series) -> list[tuple[int, ...]]:
    """Turns texts such as "3,17,17" into tuples of codes; the empty text is the empty list."""
    return [tuple(map(int, text.split(","))) if text else () for text in codes]
