"""The plan's limits, recomputed from a calendar's rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import ibis.expr.types as ir
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from optimizer.audit_contacts import AuditedContacts
from optimizer.audit_lists import PlannedLists
from optimizer.audit_money import OwnMoney
from optimizer.audit_questions import DatedKinds
from optimizer.audit_series import days_around
from optimizer.frames import frame_of, table_of
from optimizer.limits import Limit
from optimizer.rules import ContactRules
from optimizer.timetable import Timetable

ABSOLUTE, RELATIVE = 1e-6, 1e-9
"""How far use may lie beyond a bound: rounding of sums, no more."""


def limit_breaches(
    limits: Sequence[Limit],
    segments: Sequence[str],
    timetable: Timetable,
    rules: ContactRules,
    contacts: AuditedContacts,
    dated: DatedKinds,
    lists: PlannedLists,
    money: OwnMoney | None = None,
) -> Iterator[str]:
    """In words, each limit that the planned contacts do not keep; soft ones are no breach.

    `segments` are the labels behind Limit.segments, `money` is what customers' own figures change. A contact
    that the timetable does not have uses no limit: it breaks the rule of the window.
    """
    counted = _Counted(limits, segments, timetable, rules, contacts, dated, lists, money)
    for limit in limits:
        if limit.soft is not None or (limit.if_used and limit.if_used not in counted.campaigns):
            continue
        used = counted.use(limit)
        slack = max(ABSOLUTE, RELATIVE * max(abs(used), abs(limit.bound)))
        if limit.at_least and limit.committed + used < limit.bound - slack:
            yield f"{limit.path}: {limit.committed + used:,.10g}, at least {limit.bound:,.10g}"
        if not limit.at_least and used > limit.remainder + slack:
            yield f"{limit.path}: {used:,.10g} used by the calendar, at most {limit.remainder:,.10g}"


class _Counted:
    """The planned contacts counted by segment, send day and option."""

    def __init__(
        self,
        limits: Sequence[Limit],
        segments: Sequence[str],
        timetable: Timetable,
        rules: ContactRules,
        contacts: AuditedContacts,
        dated: DatedKinds,
        lists: PlannedLists,
        money: OwnMoney | None,
    ) -> None:
        self._limits, self._rules, self._contacts, self._money = limits, rules, contacts, money
        self._dated, self._lists = dated, lists
        self._place = {day: t for t, day in enumerate(timetable.days)}
        options = {(o.channel, o.campaign): i for i, o in enumerate(timetable.options)}
        self._option = [options.get((kind.channel, kind.campaign)) for kind in contacts.kinds]
        number = {label: g for g, label in enumerate(segments)}
        # Contacts of a segment that is none come last; only limits for everybody count them.
        self._place_of = {code: number.get(label, -1) for code, label in enumerate(contacts.labels)}
        self._number = np.zeros((len(number) + 1, len(timetable.days), len(timetable.options)))
        for segment, day, kind, n in contacts.counts.itertuples(index=False):
            if day in self._place and self._option[kind] is not None:
                g = self._place_of.get(segment, -1)
                self._number[g, self._place[day], self._option[kind]] += n
        self.campaigns = {
            contacts.kinds[code].campaign
            for code in contacts.counts.kind.unique()
            if self._option[code] is not None
        }

    def use(self, limit: Limit) -> float:
        """What the calendar uses of the limit."""
        if limit.customers:
            return float(self._reached[limit.path])
        contacts = float((self._number[self._inside(limit)].sum(axis=0) * limit.use).sum())
        setup = sum(cost for campaign, cost in limit.setup.items() if campaign in self.campaigns)
        own = 0.0 if self._money is None else self._money.use(limit)
        return contacts + own + setup + (0.0 if limit.tiring is None else self._tired(limit, limit.tiring))

    def _tired(self, limit: Limit, tiring: NDArray[np.float64]) -> float:
        """What contacts use times their fatigue factors, counted from the customers' contacts before."""
        keep = self._rules.fatigue_keep
        return float(
            sum(
                n * tiring[g, self._option[kind]] * keep**k
                for segment, kind, k, n in self._counted_before.itertuples(index=False)
                if (g := self._place_of.get(segment, -1)) >= 0
                and self._option[kind] is not None
                and limit.segments[g]
            )
        )

    @cached_property
    def _counted_before(self) -> pd.DataFrame:
        """Planned contacts (n) by segment, kind and the contacts (k) that tire them."""
        table = self._contacts.once()
        before = days_around(table, self._rules.fatigue_days, -1)
        counted = table.mutate(k=table.count().over(before).fill_null(0))
        counted = counted.filter(counted.planned)
        alike = frame_of(counted.group_by("segment", "kind", "k").agg(n=counted.count()))
        return alike.sort_values(list(alike.columns))

    @cached_property
    def _reached(self) -> dict[str, int]:
        """For each limit of customers, by its path, the distinct ones with a contact that counts."""
        limits = [limit for limit in self._limits if limit.customers]
        reached = {limit.path: self._known(limit) for limit in limits}
        if (customers := self._lists.unknown()) is not None:
            for path, number in self._looked_up(limits, customers).items():
                reached[path] += number
        return reached

    def _known(self, limit: Limit) -> int:
        """The customers whom a limit counts, as far as lists tell."""
        counting = np.zeros(len(self._dated.kind), dtype=bool)
        for place in np.flatnonzero(self._dated.planned).tolist():
            t, i = self._place.get(int(self._dated.day[place])), self._option[self._dated.kind[place]]
            counting[place] = t is not None and i is not None and limit.use[t, i] > 0
        if limit.segments.all():
            return self._lists.reached(counting, None)
        inside = np.zeros(max(self._place_of, default=0) + 2, dtype=bool)  # the last one is NO_SEGMENT
        inside[self._codes_inside(limit)] = True
        return self._lists.reached(counting, inside)

    def _codes_inside(self, limit: Limit) -> list[int]:
        return [code for code, g in self._place_of.items() if g >= 0 and limit.segments[g]]

    def _looked_up(self, limits: Sequence[Limit], customers: ir.Table) -> dict[str, int]:
        """The same of some customers, contact by contact."""
        reached = [f"reached_{n}" for n in range(len(limits))]
        pairs = [
            (day, code, *(bool(limit.use[t, i] > 0) for limit in limits))
            for day, t in self._place.items()
            for code, i in enumerate(self._option)
            if i is not None and self._contacts.kinds[code].planned
        ]
        book = table_of(
            pd.DataFrame(pairs, columns=["day", "kind", *reached]),
            {"day": "int32", "kind": "int32", **dict.fromkeys(reached, "boolean")},
        )
        rows = self._contacts.planned.semi_join(customers, "customer_id").join(book, ["day", "kind"])
        counts = {}
        for name, limit in zip(reached, limits, strict=True):
            inside = rows.segment.isin(self._codes_inside(limit))
            counts[name] = rows[name] if limit.segments.all() else rows[name] & inside
        who = rows.group_by("customer_id").agg(**{name: counted.any() for name, counted in counts.items()})
        total = who.aggregate(**{name: who[name].cast("int64").sum().fill_null(0) for name in reached})
        number = frame_of(total)
        return {limit.path: int(number[name][0]) for name, limit in zip(reached, limits, strict=True)}

    @staticmethod
    def _inside(limit: Limit) -> NDArray[np.bool_]:
        return np.append(limit.segments, limit.segments.all())
