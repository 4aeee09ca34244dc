"""The plan's limits, recomputed from a calendar's rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from optimizer.audit_contacts import AuditedContacts
from optimizer.frames import frame_of, table_of
from optimizer.limits import Limit
from optimizer.timetable import Timetable

ABSOLUTE, RELATIVE = 1e-6, 1e-9
"""How far use may lie beyond a bound: rounding of sums, no more."""


def limit_breaches(
    limits: Sequence[Limit], segments: Sequence[str], timetable: Timetable, contacts: AuditedContacts
) -> Iterator[str]:
    """In words, each limit that the planned contacts do not keep.

    `segments` are the labels behind Limit.segments. A contact that the timetable does not have uses no
    limit: it breaks the rule of the window.
    """
    counted = _Counted(segments, timetable, contacts)
    for limit in limits:
        used = counted.customers(limit) if limit.customers else counted.contacts(limit)
        slack = max(ABSOLUTE, RELATIVE * max(abs(used), abs(limit.bound)))
        if limit.at_least and limit.committed + used < limit.bound - slack:
            yield f"{limit.path}: {limit.committed + used:,.10g}, at least {limit.bound:,.10g}"
        if not limit.at_least and used > limit.remainder + slack:
            yield f"{limit.path}: {used:,.10g} used by the calendar, at most {limit.remainder:,.10g}"


class _Counted:
    """The planned contacts counted by segment, send day and option."""

    def __init__(self, segments: Sequence[str], timetable: Timetable, contacts: AuditedContacts) -> None:
        self._segments, self._contacts = list(segments), contacts
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

    def contacts(self, limit: Limit) -> float:
        """What the contacts use of the limit."""
        return float((self._number[self._inside(limit)].sum(axis=0) * limit.use).sum())

    def customers(self, limit: Limit) -> float:
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
