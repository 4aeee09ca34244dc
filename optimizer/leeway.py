"""What earlier contacts leave open: caps used, spacing, fatigue, only-after.

A customer's earlier contacts are a list of codes; what a list leaves open is worked out once for all
customers who share it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from optimizer.customer_lists import CodeLists
from optimizer.rules import ContactRules, FrequencyCap
from optimizer.timetable import Timetable

Table = NDArray[np.bool_]


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

    def of(self, profiles: NDArray[np.int64]) -> Leeway:
        """The leeway of some profiles, in their order."""
        return Leeway(self.open[profiles], self.used[profiles], self.fatigue[profiles], self.ready[profiles])

    def distinct(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The first of the profiles that leave the same things open, and the number of each profile's."""
        marks = self._marks()
        rows = np.ascontiguousarray(marks).view(np.dtype((np.void, marks.shape[1]))).reshape(-1)
        _, first, number = np.unique(rows, return_index=True, return_inverse=True)
        return first, number.reshape(-1).astype(np.int64)

    def _marks(self) -> NDArray[np.uint8]:
        """A row of bytes for each profile, equal for profiles that leave the same things open."""
        count = len(self.open)

        def flat(table: NDArray[Any]) -> NDArray[Any]:
            return table.reshape(count, int(np.prod(table.shape[1:])))

        return np.hstack(
            [
                np.zeros((count, 1), dtype=np.uint8),  # so that there is a mark even without send days
                np.packbits(flat(self.open), axis=1),
                np.packbits(flat(self.ready), axis=1),
                flat(self.used).view(np.uint8),
                flat(self.fatigue).view(np.uint8),
            ]
        )


def joined(parts: Sequence[Leeway]) -> Leeway:
    """The profiles of several, one after the other."""
    names = ("open", "used", "fatigue", "ready")
    return Leeway(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


@dataclass(frozen=True)
class Effects:
    """What a contact of each code (first axis of each table) does to the send days.

    `day` counts from the start; `named[c]` says whether cap c counts it, `tired[:, t]` whether it tires
    contacts of send day t, `ready[r][:, t]` whether it opens only-after rule r there, `near[r][campaign]`
    whether it is one of the campaign too near for never-together rule r, `same[:, i]` whether it is
    option i. `ahead`: some contact is inside or after the period.
    """

    timetable: Timetable
    rules: ContactRules
    ahead: bool
    day: NDArray[np.int64]
    named: tuple[Table, ...]
    tired: Table
    ready: tuple[Table, ...]
    near: tuple[dict[str, Table], ...]
    same: Table

    def __len__(self) -> int:
        return len(self.day)

    def of(self, contacts: NDArray[np.int64]) -> Effects:
        """The effects of some contacts, in their order."""
        return replace(
            self,
            day=self.day[contacts],
            named=tuple(table[contacts] for table in self.named),
            tired=self.tired[contacts],
            ready=tuple(table[contacts] for table in self.ready),
            near=tuple({name: table[contacts] for name, table in rule.items()} for rule in self.near),
            same=self.same[contacts],
        )

    def merged(self, classes: NDArray[np.int64], generous: bool) -> Effects:
        """One contact for each class of codes that hinders at least as much as any of them.

        With `generous` at most as much. A contact ahead is a class of its own.
        """
        order = np.argsort(classes, kind="stable")
        begins = np.flatnonzero(np.diff(classes[order], prepend=-1))

        def reduced(table: Table, hinders: bool) -> Table:
            join = np.logical_or if hinders != generous else np.logical_and
            return np.asarray(join.reduceat(table[order], begins, axis=0))

        later = np.minimum if generous else np.maximum
        return replace(
            self,
            day=np.asarray(later.reduceat(self.day[order], begins)),
            named=tuple(reduced(table, True) for table in self.named),
            tired=reduced(self.tired, True),
            ready=tuple(reduced(table, False) for table in self.ready),
            near=tuple({name: reduced(table, True) for name, table in rule.items()} for rule in self.near),
            same=self.same[order][begins],
        )

    def hindrance(self) -> NDArray[np.float64]:
        """Roughly how much of each send day's options a contact of each code takes, and of their value.

        A row a code: first the options (send day by send day, as shares of the day), then the fatigue.
        """
        options, days = self.timetable.options, self.timetable.day_of
        gap = days[None, :] - self.day[:, None]
        taken = np.zeros((len(self), len(days), len(options)))
        for cap, named in zip(self.rules.caps, self.named, strict=True):
            binds = np.array([cap.binds(option) for option in options], dtype=float)
            felt = named[:, None] & (abs(gap) <= cap.reach)
            if not cap.own:
                taken += felt[:, :, None] * (binds / max(1, cap.contacts))
        for rule in self.near:
            for name, table in rule.items():
                others = [float(o.campaign in rule and o.campaign != name) for o in options]
                taken += table[:, :, None] * np.array(others)
        share = self.timetable.sendable / np.maximum(1, self.timetable.sendable.sum(axis=1))[:, None]
        lost = (np.minimum(taken, 1.0) * share).reshape(len(self), -1)
        return np.hstack([lost, (1 - self.rules.fatigue_keep) * self.tired])

    def leeway(
        self,
        lists: CodeLists,
        shared: Sequence[FrequencyCap],
        own: NDArray[np.int64] | None = None,
    ) -> Leeway:
        """What each list of codes leaves open; `shared` are the caps counted in `Leeway.used`.

        `own` holds for each list the customer's own limit, -1 where there is none.
        """
        has = sparse.csr_array(
            (np.ones(len(lists.codes), dtype=np.int16), lists.codes, lists.begin),
            shape=(len(lists), len(self)),
        )
        days, options = len(self.timetable.days), self.timetable.options
        opens = np.ones((len(lists), days, len(options)), dtype=bool)
        used = np.zeros((len(lists), len(shared), days, days if self.ahead else 1), dtype=np.int16)
        for cap, named in zip(self.rules.caps, self.named, strict=True):
            most = self._stretches(cap, has, named)
            if cap.own:
                most = _of_own_limit(most, cap.contacts, np.full(len(lists), -1) if own is None else own)
            binds = np.array([cap.binds(option) for option in options], dtype=bool)
            alone = most[:, np.arange(days), np.arange(days) if self.ahead else 0]
            opens &= ~((alone >= cap.contacts)[:, :, None] & binds)
            if cap in shared:
                used[:, list(shared).index(cap)] = most
        self._keep_apart(opens, has)
        opens &= ~self._doubles(has)
        ready = [self._sum(has, table) > 0 for table in self.ready]
        return Leeway(
            opens,
            used,
            self._sum(has, self.tired).astype(np.int16),
            np.stack(ready, axis=2) if ready else np.zeros((len(lists), days, 0), dtype=bool),
        )

    def _sum(self, has: sparse.csr_array, table: NDArray[np.bool_]) -> NDArray[np.int16]:
        """Adds up a table of the contacts over each list."""
        return np.asarray(has @ table.astype(np.int16))

    def _stretches(
        self, cap: FrequencyCap, has: sparse.csr_array, named: NDArray[np.bool_]
    ) -> NDArray[np.int16]:
        """For list, send day t and first planned send day f: the fullest stretch of the cap's days.

        Stretches holding t begin at the earliest `reach` days before it, and at the latest on f.
        Without contacts ahead the earliest one is the fullest, whatever f is.
        """
        days = self.timetable.day_of
        if not len(days):
            return np.zeros((has.shape[0], 0, 1), dtype=np.int16)
        ahead = bool((named & (self.day >= 0)).any())
        begins = np.arange(days[0] - cap.reach, days[-1] + 1) if ahead else days - cap.reach
        inside = (self.day[:, None] >= begins) & (self.day[:, None] <= begins + cap.reach) & named[:, None]
        count = self._sum(has, inside)
        if not ahead:
            return np.repeat(count[:, :, None], len(days) if self.ahead else 1, axis=2)
        most = np.zeros((has.shape[0], len(days), len(days)), dtype=np.int16)
        for t, day in enumerate(days):
            low = int(day - cap.reach - begins[0])
            running = np.maximum.accumulate(count[:, low : int(day - begins[0]) + 1], axis=1)
            for f in range(t + 1):
                high = int(days[f] - begins[0]) - low
                if high >= 0:
                    most[:, t, f] = running[:, high]
        return most

    def _keep_apart(self, opens: NDArray[np.bool_], has: sparse.csr_array) -> None:
        for tables in self.near:
            near = {name: self._sum(has, table) > 0 for name, table in tables.items()}
            for i, option in enumerate(self.timetable.options):
                others = [table for name, table in near.items() if name != option.campaign]
                if option.campaign in near and others:
                    opens[:, :, i] &= ~np.logical_or.reduce(others)

    def _doubles(self, has: sparse.csr_array) -> NDArray[np.bool_]:
        """Where the very contact (date, channel, campaign) is already promised."""
        today = (self.timetable.day_of[None, :] == self.day[:, None])[:, :, None]
        table = (today & self.same[:, None, :]).reshape(len(self.day), self.timetable.sendable.size)
        return (self._sum(has, table) > 0).reshape(has.shape[0], *self.timetable.sendable.shape)


def _of_own_limit(most: NDArray[np.int16], contacts: int, own: NDArray[np.int64]) -> NDArray[np.int16]:
    """Earlier contacts in a cap of so many contacts that leave as much as they leave of the own limit.

    The cap as it stands never binds (see own_limits.py), so limits that can bind no more are none.
    """
    used = (most.astype(np.int64) + contacts - own[:, None, None]).clip(0, contacts)
    used[own < 0] = 0
    return used.astype(np.int16)
