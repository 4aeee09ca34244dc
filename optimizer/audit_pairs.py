"""The sieve before the checks of contacts over time: who may break a rule, found in few bits a customer.

What a list of planned contacts asks and answers is put together once for all who have it; history and
commitments answer row by row. For caps of several contacts the days of contacts are put together likewise.
What is told twice is counted twice here: the exact checks are left with somewhat more customers than break a
rule, never with fewer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.portable import bit_or
from optimizer.audit_contacts import AuditedContacts
from optimizer.audit_days import ContactDays, contact_days
from optimizer.audit_lists import PlannedLists
from optimizer.audit_questions import DatedKinds, Flags, Question, questions
from optimizer.engine import Engine
from optimizer.frames import frame_of, table_of
from optimizer.rules import ContactRules, FrequencyCap

BITS = 62
"""Questions in a whole number of 64 bits that keeps its sign."""
SUSPECTS, DAYS = "suspected customers", "days of contacts"
SEVERAL_A_DAY = "several planned contacts on a day"
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Suspects:
    """Who may break a rule: `table` has customer_id and words; each bit of `words` is a rule.

    Of the rules `found` someone may break each. `wide` are those of which nobody knows.
    """

    table: ir.Table
    words: dict[str, list[str]]
    found: frozenset[str]
    wide: frozenset[str]

    def of(self, rule: str) -> ir.Table | None:
        """customer_id of those who may break the rule; None where there are none."""
        if rule not in self.found:
            return None
        bits = {
            name: sum(1 << n for n, one in enumerate(of) if one == rule) for name, of in self.words.items()
        }
        marked = [self.table[name] & number != 0 for name, number in bits.items() if number]
        return self.table.filter(reduce(or_, marked)).select("customer_id").distinct()


def suspects(
    engine: Engine, rules: ContactRules, contacts: AuditedContacts, dated: DatedKinds, lists: PlannedLists
) -> Suspects:
    """Who may break which rule about contacts over time, by the rule's path, SEVERAL_A_DAY or PROMISED.

    The engine keeps them under the name SUSPECTS.
    """
    asked = questions(rules, dated)
    days, wide = contact_days(rules, dated)
    words = [_Word(asked[n : n + BITS], lists) for n in range(0, len(asked), BITS)]
    marks = [SEVERAL_A_DAY, *(cap.path for lane in days for cap in lane.caps)]
    parts = [marks[n : n + BITS] for n in range(0, len(marks), BITS)]
    names = {f"doubt_{n}": [q.rule for q in word.questions] for n, word in enumerate(words)}
    names |= {f"crowded_{n}": part for n, part in enumerate(parts)}
    own = {f"doubt_{n}": word.doubts() for n, word in enumerate(words)}
    full = [lists.several, *(flags for lane in days for flags in _crowded_lists(lane, lists, dated))]
    own |= {f"crowded_{n}": _numbers(full[n * BITS : (n + 1) * BITS]) for n in range(len(parts))}
    rows = [lists.customers.join(lists.told(**own), "list").select("customer_id", *names)]
    if words:
        rows.append(_answered(contacts, dated, lists, words, [*names]))
    if days:
        rows.append(_crowded(engine, contacts, dated, lists, days, names))
    table = engine.keep(SUSPECTS, reduce(ibis.union, rows))
    seen = frame_of(table.aggregate(**{name: bit_or(table[name]).fill_null(0) for name in names}))
    found = {rule for name, of in names.items() for n, rule in enumerate(of) if int(seen[name][0]) >> n & 1}
    return Suspects(table, names, frozenset(found), frozenset(wide))


class _Word:
    """Up to BITS questions: what lists ask, and what they answer themselves."""

    def __init__(self, questions: Sequence[Question], lists: PlannedLists) -> None:
        self.questions = questions
        self.no = _numbers([q.answering & (not q.needed) for q in questions])
        self.asked = lists.bits(_numbers([q.asking for q in questions]))
        needed = sum(1 << n for n, question in enumerate(questions) if question.needed)
        yes = lists.bits(_numbers([q.answering & q.needed for q in questions]))
        self._own_no, self._open = lists.bits(self.no), self.asked & needed & ~yes
        # What nobody knows of a list is no answer that it needs.
        self._open[lists.several] = self.asked[lists.several] & needed

    def doubts(self) -> Numbers:
        """For each list the questions that it answers with no, or not with yes though they need it."""
        return (self.asked & self._own_no) | self._open


def _numbers(flags: Sequence[Flags]) -> Numbers:
    """For each place a number with the bits of the flags that are set there."""
    bits = np.array([1 << n for n in range(len(flags))], dtype=np.int64)
    return np.array(bits @ np.array(flags, dtype=np.int64), dtype=np.int64)


def _by_kind_and_day(dated: DatedKinds, columns: dict[str, Numbers]) -> ir.Table:
    """Numbers of the places of other contacts, without those for which all are 0."""
    book = pd.DataFrame({"kind": dated.kind, "day": dated.day, **columns})[~dated.planned]
    book = book[(book[[*columns]] != 0).any(axis=1)]
    return table_of(book, {"kind": "int32", "day": "int32", **dict.fromkeys(columns, "int64")})


def _answered(
    contacts: AuditedContacts, dated: DatedKinds, lists: PlannedLists, words: list[_Word], names: list[str]
) -> ir.Table:
    """customer_id and words: what history and commitments answer with no."""
    no = {f"no_{n}": word.no for n, word in enumerate(words)}
    asked = {f"asked_{n}": word.asked for n, word in enumerate(words)}
    asking = lists.customers.join(lists.told(**asked), "list")
    near = contacts.others.join(_by_kind_and_day(dated, no), ["kind", "day"]).join(asking, "customer_id")
    near = near.select("customer_id", *no, *asked)
    doubts = {f"doubt_{n}": near[f"asked_{n}"] & near[f"no_{n}"] for n in range(len(words))}
    told = {name: doubts.get(name, ibis.literal(0, "int64")) for name in names}
    return near.filter(reduce(or_, [doubt != 0 for doubt in doubts.values()])).select("customer_id", **told)


def _crowded_lists(lane: ContactDays, lists: PlannedLists, dated: DatedKinds) -> list[Flags]:
    """For each cap the lists that alone hold too many contacts."""
    bits = lists.bits(lane.bits(dated))
    return [lane.too_many(cap, bits) | lists.several for cap in lane.caps]


def _crowded(
    engine: Engine,
    contacts: AuditedContacts,
    dated: DatedKinds,
    lists: PlannedLists,
    lanes: list[ContactDays],
    names: dict[str, list[str]],
) -> ir.Table:
    """customer_id and words: where planned contacts and others may hold too many together."""
    bits = {f"days_{n}": np.array(lane.bits(dated), dtype=np.int64) for n, lane in enumerate(lanes)}
    near = contacts.others.join(_by_kind_and_day(dated, bits), ["kind", "day"])
    told = {name: bit_or(near[name]) for name in bits}
    told |= {name.replace("days", "sum"): near[name].sum() for name in bits}
    grouped = near.group_by("customer_id").agg(**told)
    own = lists.told(**{name.replace("days", "own"): lists.bits(values) for name, values in bits.items()})
    both = grouped.join(lists.customers.join(own, "list"), "customer_id").drop("list")
    several, days = {}, {}
    for n in range(len(lanes)):
        held, mine = both[f"days_{n}"], both[f"own_{n}"]
        several[f"several_{n}"] = (mine != 0) & ((both[f"sum_{n}"] != held) | (held & mine != 0))
        days[f"days_{n}"] = (mine != 0).ifelse(held | mine, 0)
    # Kept: the days are asked for many times.
    table = engine.keep(DAYS, both.select("customer_id", **several, **days))
    marks = [ibis.literal(False)]
    for n, lane in enumerate(lanes):
        marks += [table[f"several_{n}"] | lane.crowded(cap, table[f"days_{n}"]) for cap in lane.caps]
    words = {
        name: reduce(or_, [
            marks[n * BITS + bit].ifelse(ibis.literal(1 << bit, "int64"), ibis.literal(0, "int64"))
            for bit in range(len(names[name]))
        ])
        for n, name in enumerate(name for name in names if name.startswith("crowded"))
    }  # fmt: skip
    marked = table.select(
        "customer_id", **{name: words.get(name, ibis.literal(0, "int64")) for name in names}
    )
    return marked.filter(reduce(or_, [marked[name] != 0 for name in words]))


def crowded_customers(contacts: AuditedContacts, cap: FrequencyCap, among: ir.Table | None) -> ir.Table:
    """customer_id (of those among, of all) where a stretch of the cap's days holds too many contacts.

    A stretch that can be broken ends with a contact inside the period; moved to end there it loses none.
    """
    named = contacts.of(cap.names, among)
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
