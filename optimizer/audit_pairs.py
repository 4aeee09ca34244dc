"""The sieve before the checks of contacts over time: who may break a rule, found in few narrow columns.

Pairs of near contacts are counted by what the two are and how far apart. Most rules speak of two contacts
only, and so few kinds of pairs tell that nobody breaks them. For a cap of several contacts, and for
customers' own limits, contacts are counted in their order. What is told twice is counted twice here: the
exact checks are left with somewhat more customers than break a rule, never with fewer.
"""

from __future__ import annotations

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from optimizer.audit_contacts import CONTACT, AuditedContacts
from optimizer.frames import frame_of, table_of
from optimizer.rules import FrequencyCap, NeverTogether

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class ClosePairs:
    """Which pairs there are: a planned contact and another one of the same customer.

    `pairs` has kind, other (the other one's kind) and apart (days); `doubled` says that a contact stands
    in the calendar more than once.
    """

    contacts: AuditedContacts
    pairs: pd.DataFrame
    doubled: bool

    @classmethod
    def of(cls, contacts: AuditedContacts, reach: int) -> ClosePairs:
        """The pairs at most `reach` days apart."""
        counted = _both(contacts).filter(ibis._.apart <= reach)
        found = frame_of(counted.group_by("kind", "other", "apart").agg(n=counted.count()))
        itself = (found.kind == found.other) & (found.apart == 0)
        # A contact told k times makes k² pairs with itself.
        doubled = int(found.n[itself].sum()) > int(contacts.counts.n.sum())
        return cls(contacts, found[~itself].reset_index(drop=True), doubled)

    def filling(self, cap: FrequencyCap) -> Flags:
        """Which pairs are too near for a cap of one contact."""
        binds = np.array([cap.binds(kind) for kind in self.contacts.kinds])
        names = np.array([cap.names(kind) for kind in self.contacts.kinds])
        felt: Flags = binds[self.pairs.kind] & names[self.pairs.other]
        return felt & self._within(cap.reach)

    def clashing(self, rule: NeverTogether) -> Flags:
        """Which pairs are of different campaigns of the rule and too near."""
        place = {name: n for n, name in enumerate(rule.campaigns)}
        number = np.array([place.get(kind.campaign, -1) for kind in self.contacts.kinds])
        one, other = number[self.pairs.kind], number[self.pairs.other]
        apart: Flags = (one >= 0) & (other >= 0) & (one != other)
        return apart & self._within(rule.days)

    def on_one_day(self) -> bool:
        """Whether someone has two planned contacts on a day."""
        planned = np.array([kind.planned for kind in self.contacts.kinds])
        return self.doubled or bool((planned[self.pairs.other] & self._within(0)).any())

    def promised(self) -> Flags:
        """Which pairs are a planned contact and a commitment of the same contact."""
        place = np.array(self.contacts.places)
        promised = np.array([kind.promised for kind in self.contacts.kinds])
        told: Flags = promised[self.pairs.other] & (place[self.pairs.kind] == place[self.pairs.other])
        return told & self._within(0)

    def customers(self, flags: Flags) -> ir.Table:
        """customer_id of those who have one of the pairs."""
        book = table_of(self.pairs[flags], {"kind": "int32", "other": "int32", "apart": "int32"})
        near = _both(self.contacts).filter(ibis._.apart <= int(self.pairs.apart[flags].max()))
        return near.semi_join(book, ["kind", "other", "apart"]).select("customer_id").distinct()

    def _within(self, days: int) -> Flags:
        return np.asarray(self.pairs.apart <= days, dtype=np.bool_)


def _both(contacts: AuditedContacts) -> ir.Table:
    """Each planned row with every contact of its customer, itself too: customer_id, kind, other, apart."""
    others = contacts.of(lambda kind: True).select("customer_id", other_day="day", other="kind")
    both = contacts.planned.select(CONTACT).join(others, "customer_id")
    return both.select("customer_id", "kind", "other", apart=(both.other_day - both.day).abs().cast("int32"))


def busy_customers(contacts: AuditedContacts) -> ir.Table:
    """customer_id of those with several planned rows on a day."""
    daily = contacts.planned.group_by("customer_id", "day").agg(n=contacts.planned.count())
    return daily.filter(daily.n > 1).select("customer_id").distinct()


def crowded_customers(contacts: AuditedContacts, cap: FrequencyCap) -> ir.Table:
    """customer_id where a stretch of the cap's days holds more contacts than it allows.

    A stretch that can be broken ends with a contact inside the period; moved to end there it loses none.
    """
    named = contacts.of(cap.names)
    named = named.filter(named.day > -cap.days)
    # The contact that is `contacts` before this one: inside the stretch they are one too many.
    order = ibis.window(group_by="customer_id", order_by="day")
    began = named.day.lag(cap.contacts).over(order) if cap.contacts else named.day
    full = named.mutate(began=began)
    full = full.filter(full.day >= 0, full.day - full.began < cap.days)
    return full.select("customer_id").distinct()


def beyond_own_limit(contacts: AuditedContacts, limits: ir.Table, days: int) -> ir.Table:
    """customer_id where a stretch of `days` days holds more contacts than the customer's own limit.

    `limits` has customer_id and allowed.
    """
    named = contacts.of(lambda kind: True)
    named = named.filter(named.day > -days).join(limits, "customer_id")
    order = ibis.window(group_by="customer_id", order_by="day")
    placed = named.mutate(place=ibis.row_number().over(order))
    ends = placed.filter(placed.day >= 0)
    ends = ends.select("customer_id", end="day", place=ends.place - ends.allowed)
    both = ends.join(placed.select("customer_id", "place", began="day"), ["customer_id", "place"])
    return both.filter(both.end - both.began < days).select("customer_id").distinct()
