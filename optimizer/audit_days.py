"""Days with contacts as bits: whether a stretch may hold more contacts than a cap of several allows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from operator import or_

import ibis
import ibis.expr.types as ir
import numpy as np
from numpy.typing import NDArray

from optimizer.audit_questions import DatedKinds, Flags
from optimizer.rules import ContactRules, FrequencyCap

MOST = 48
"""Days told by one number: as many contacts as a customer can have may be summed up without overflow."""
_CLEARED = 3
"""Lowest bits cleared one after the other, at most; each doubles the expression."""


@dataclass(frozen=True)
class ContactDays:
    """The days of the contacts that some caps name, a bit each.

    `days` are those days in their order, `places` the contacts that have one of them. A customer whose bits,
    summed up, are more than or-ed has several contacts on a day.
    """

    caps: tuple[FrequencyCap, ...]
    places: Flags
    days: tuple[int, ...]
    first_planned: int

    def bits(self, dated: DatedKinds) -> list[int]:
        """The bit of each place, 0 where it is not counted."""
        rank = {day: n for n, day in enumerate(self.days)}
        return [1 << rank[day] if named else 0 for day, named in zip(dated.day, self.places, strict=True)]

    def stretches(self, cap: FrequencyCap) -> list[int]:
        """The bits of each stretch of the cap's days that ends inside the period, if they can be too many."""
        held = [
            [1 << n for n, day in enumerate(self.days) if end - cap.days < day <= end]
            for end in self.days
            if end >= self.first_planned
        ]
        return [sum(bits) for bits in held if len(bits) > min(cap.contacts, _CLEARED)]

    def crowded(self, cap: FrequencyCap, bits: ir.IntegerColumn) -> ir.BooleanValue:
        """Whether a stretch holds more days than the cap has contacts; of very many only some are counted."""
        least = min(cap.contacts, _CLEARED)
        full = [_more_than(least, bits & stretch) for stretch in self.stretches(cap)]
        return reduce(or_, full, ibis.literal(False))

    def too_many(self, cap: FrequencyCap, bits: NDArray[np.int64]) -> Flags:
        """The same for numbers that are here."""
        found = np.zeros(len(bits), dtype=bool)
        for stretch in self.stretches(cap):
            left = bits & stretch
            for _ in range(min(cap.contacts, _CLEARED)):
                left &= left - 1
            found |= left != 0
        return found


def _more_than(number: int, bits: ir.IntegerValue) -> ir.BooleanValue:
    for _ in range(number):
        bits = bits & (bits - 1)  # clears the lowest bit
    return bits != 0


def contact_days(rules: ContactRules, dated: DatedKinds) -> tuple[list[ContactDays], set[str]]:
    """The days of all caps of several contacts, and the paths of those whose stretches hold too many days.

    Caps that name the same contacts share them.
    """
    naming: dict[tuple[bool, ...], list[FrequencyCap]] = {}
    for cap in rules.caps:
        if cap.contacts > 1:
            named = dated.where(cap.names(kind) for kind in dated.kinds)
            if (named & dated.planned).any():
                naming.setdefault(tuple(named.tolist()), []).append(cap)
    found: list[ContactDays] = []
    wide: set[str] = set()
    for flags, caps in naming.items():
        parts = list(_parts(dated, np.array(flags, dtype=bool), tuple(caps)))
        if max(len(part.days) for part in parts) > MOST:
            wide |= {cap.path for cap in caps}
        else:
            found += parts
    return found, wide


def _parts(dated: DatedKinds, named: Flags, caps: tuple[FrequencyCap, ...]) -> Iterator[ContactDays]:
    """Planned days in as few parts as can be, each with the days that a stretch with one of them may hold."""
    reach = max((cap.reach for cap in caps), default=0)
    days, planned = dated.days_of(named), dated.days_of(named & dated.planned)

    def around(first: int, last: int) -> tuple[int, ...]:
        return tuple(day for day in days if first - reach <= day <= last + reach)

    while planned:
        fits = [n for n, last in enumerate(planned, 1) if len(around(planned[0], last)) <= MOST]
        taken = max(fits, default=1)
        held = around(planned[0], planned[taken - 1])
        yield ContactDays(caps, named & np.isin(dated.day, held), held, planned[0])
        planned = planned[taken:]
