"""Two contacts of one customer near each other: the sieve before the checks of contacts over time.

Pairs are counted by what the two contacts are and how far apart. Most rules speak of two contacts only,
and so few kinds of pairs tell that nobody breaks them; the exact and slower checks are left for the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import ibis.expr.types as ir

from optimizer.audit_contacts import AuditedContacts, Kind
from optimizer.frames import frame_of
from optimizer.rules import FrequencyCap, NeverTogether


@dataclass(frozen=True)
class ClosePairs:
    """Which pairs there are: a planned contact, another one of the same customer, days apart.

    A contact that stands in the calendar more than once makes a pair with itself.
    """

    pairs: tuple[tuple[Kind, Kind, int], ...]

    @classmethod
    def of(cls, contacts: AuditedContacts, reach: int) -> ClosePairs:
        """The pairs at most `reach` days apart."""
        planned = contacts.planned().select("customer_id", "day", "kind", "tellings")
        others = contacts.table.select("customer_id", other_day="day", other="kind")
        both = planned.join(others, "customer_id")
        apart = (both.other_day - both.day).abs()
        both = both.mutate(apart=apart).filter(
            apart <= reach, (apart > 0) | (both.kind != both.other) | (both.tellings > 1)
        )
        found = frame_of(both.select("kind", "other", "apart").distinct())
        kinds = contacts.kinds
        return cls(tuple((kinds[a], kinds[b], int(days)) for a, b, days in found.itertuples(index=False)))

    def may_fill(self, cap: FrequencyCap) -> bool:
        """Whether someone may have more contacts than the cap allows; surely so where it allows several."""
        return cap.contacts != 1 or any(
            cap.binds(planned) and cap.names(other) and apart <= cap.reach
            for planned, other, apart in self.pairs
        )

    def may_clash(self, rule: NeverTogether) -> bool:
        """Whether someone may have contacts of different campaigns of the rule too near."""
        return any(rule.clash(planned, other) and apart <= rule.days for planned, other, apart in self.pairs)

    def on_one_day(self) -> bool:
        """Whether someone has two planned contacts on a day."""
        return any(other.planned and apart == 0 for _, other, apart in self.pairs)


def full_stretches(named: ir.Table, days: int) -> ir.Table:
    """customer_id and path where a stretch of `days` days holds more contacts than are allowed.

    `named` has a row for each cap and contact counted by it, with path and allowed. A stretch that can be
    broken ends with a contact inside the period; moved to end there it loses none.
    """
    last = named.filter(named.day >= 0).select("customer_id", "path", "allowed", end="day").distinct()
    inside = last.join(named.select("customer_id", "path", "day"), ["customer_id", "path"])
    inside = inside.filter(inside.day <= inside.end, inside.day > inside.end - days)
    held = inside.group_by("customer_id", "path", "allowed", "end").agg(held=inside.count())
    return held.filter(held.held > held.allowed).select("customer_id", "path").distinct()
