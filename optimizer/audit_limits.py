"""The plan's limits, recomputed from a calendar's rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from optimizer.audit_contacts import AuditedContacts
from optimizer.audit_money import OwnMoney
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
    money: OwnMoney | None = None,
) -> Iterator[str]:
    """In words, each limit that the planned contacts do not keep; soft ones are no breach.

    `segments` are the labels behind Limit.segments, `money` is what customers' own figures change. A contact
    that the timetable does not have uses no limit: it breaks the rule of the window.
    """
    counted = _Counted(segments, timetable, rules, contacts, money)
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
        segments: Sequence[str],
        timetable: Timetable,
        rules: ContactRules,
        contacts: AuditedContacts,
        money: OwnMoney | None,
    ) -> None:
        self._segments, self._rules, self._contacts = list(segments), rules, contacts
        self._money = money
        self._place = {day: t for t, day in enumerate(timetable.days)}
        options = {(o.channel, o.campaign): i for i, o in enumerate(timetable.options)}
        self._option = [options.get((kind.channel, kind.campaign)) for kind in contacts.kinds]
        number = {label: g for g, label in enumerate(self._segments)}
        # Contacts of a segment that is none come last; only limits for everybody count them.
        self._number = np.zeros((len(number) + 1, len(timetable.days), len(timetable.options)))
        planned = contacts.planned()
        counts = frame_of(planned.group_by("segment", "day", "kind").agg(n=planned.tellings.sum()))
        for segment, day, kind, n in counts.itertuples(index=False):
            if day in self._place and self._option[kind] is not None:
                self._number[number.get(segment, -1), self._place[day], self._option[kind]] += n

        planned_kinds = np.flatnonzero([option is not None for option in self._option])
        self.campaigns = {contacts.kinds[code].campaign for code in counts.kind if code in planned_kinds}

    def use(self, limit: Limit) -> float:
        """What the calendar uses of the limit."""
        if limit.customers:
            return self._customers(limit)
        contacts = float((self._number[self._inside(limit)].sum(axis=0) * limit.use).sum())
        setup = sum(cost for campaign, cost in limit.setup.items() if campaign in self.campaigns)
        own = 0.0 if self._money is None else self._money.use(limit)
        return contacts + own + setup + (0.0 if limit.tiring is None else self._tired(limit, limit.tiring))

    def _tired(self, limit: Limit, tiring: NDArray[np.float64]) -> float:
        """What contacts use times their fatigue factors, counted from the customers' contacts before."""
        keep, number = self._rules.fatigue_keep, {label: g for g, label in enumerate(self._segments)}
        table = self._contacts.table
        before = days_around(table, self._rules.fatigue_days, -1)
        counted = table.mutate(k=table.count().over(before).fill_null(0)).filter(table.planned)
        alike = frame_of(counted.group_by("segment", "kind", "k").agg(n=counted.count()))
        return float(
            sum(
                n * tiring[number[segment], self._option[kind]] * keep**k
                for segment, kind, k, n in alike.sort_values(list(alike.columns)).itertuples(index=False)
                if self._option[kind] is not None and limit.segments[number[segment]]
            )
        )

    def _customers(self, limit: Limit) -> float:
        """The distinct customers with a contact that counts."""
        pairs = [
            (day, code)
            for day, t in self._place.items()
            for code, i in enumerate(self._option)
            if i is not None and limit.use[t, i] > 0
        ]
        book = table_of(pd.DataFrame(pairs, columns=["day", "kind"]), {"day": "int64", "kind": "int64"})
        found = self._contacts.planned().join(book, ["day", "kind"])
        if not limit.segments.all():
            named = [label for label, inside in zip(self._segments, limit.segments, strict=True) if inside]
            found = found.filter(found.segment.isin(named))
        return float(found.customer_id.nunique().to_pyarrow().as_py())

    @staticmethod
    def _inside(limit: Limit) -> NDArray[np.bool_]:
        return np.append(limit.segments, limit.segments.all())
