"""The sieve before the checks of single contacts: all that is said of a customer, put together in bits.

A planned contact asks two questions: may its type be sent to the customer on its channel, and may its
campaign? Each is a bit. What the calendar asks, and what permissions, audience and hold-out answer, is
or-ed customer by customer in one grouping. Whoever is surely allowed all that is asked, on every day
planned, needs no closer look.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce

import ibis
import ibis.expr.types as ir
import pandas as pd

from models.portable import bit_or
from optimizer.audience import compile_audience
from optimizer.audit_contacts import UNKNOWN, AuditedContacts, Kind
from optimizer.customer_keys import is_held_out
from optimizer.frames import frame_of, table_of
from optimizer.plan_file import Plan
from optimizer.tables import Tables

BITS = 62
"""Questions answered at once: a whole number of 64 bits keeps its sign."""
DOUBTFUL = "doubtful customers"
ALWAYS = 1_000_000
"""Days from the period's start to a date that never comes."""
_NONE = ibis.literal(0, "int64")
Question = tuple[str, ...]
"""A channel and a type (the empty text where unknown), or a campaign."""


@dataclass(frozen=True)
class Doubtful:
    """customer_id of those whose permissions, or whose audience and hold-out, need a closer look, if any."""

    permission: ir.Table | None
    audience: ir.Table | None


def doubtful_customers(plan: Plan, tables: Tables, contacts: AuditedContacts) -> Doubtful:
    """Who may have a planned contact without permission, outside its audience, or held out.

    The engine keeps them under the name DOUBTFUL.
    """
    asked = sorted({q for code in contacts.counts.kind.unique() for q in _asked(contacts.kinds[code])})
    parts = [asked[n : n + BITS] for n in range(0, len(asked), BITS)]
    found = [_Sieve(plan, tables, contacts, part).doubtful() for part in parts]
    if not found:
        return Doubtful(None, None)
    table = tables.engine.keep(DOUBTFUL, reduce(ibis.union, found))
    seen = frame_of(table.aggregate(permission=table.permission.any(), audience=table.audience.any()))

    def of(rule: str) -> ir.Table | None:
        return table.filter(table[rule]).select("customer_id") if bool(seen[rule].eq(True).any()) else None

    return Doubtful(of("permission"), of("audience"))


def days_from_start(column: ir.DateColumn, plan: Plan, missing: int) -> ir.IntegerValue:
    """Days from the period's start to a date."""
    return column.delta(ibis.date(plan.period.start), unit="day").fill_null(missing)


class _Sieve:
    """The sieve for up to BITS questions."""

    def __init__(
        self, plan: Plan, tables: Tables, contacts: AuditedContacts, asked: Sequence[Question]
    ) -> None:
        self._plan, self._tables, self._contacts = plan, tables, contacts
        self._bit = {question: 1 << n for n, question in enumerate(asked)}

    def doubtful(self) -> ir.Table:
        """customer_id, permission and audience: who needs a closer look, and for what."""
        rows = ibis.union(self._planned(), self._permissions(), self._customers())
        told = rows.group_by("customer_id").agg(**{name: bit_or(rows[name]) for name in _SAID})
        may = _without(told.allowed | self._bits(self._opened), told.denied)
        missing = _without(told.asked, may)
        doubtful = told.select(
            "customer_id",
            permission=(missing & self._bits(_of_permission)) != 0,
            audience=(missing & self._bits(lambda question: not _of_permission(question))) != 0,
        )
        return doubtful.filter(doubtful.permission | doubtful.audience)

    def _bits(self, wanted: Callable[[Question], bool]) -> ir.IntegerScalar:
        return ibis.literal(sum(bit for q, bit in self._bit.items() if wanted(q)), "int64")

    def _opened(self, question: Question) -> bool:
        """Whether the answer is yes unless a permission says otherwise."""
        channel = self._plan.channels.get(question[0]) if _of_permission(question) else None
        return channel is not None and channel.default_permission == "granted"

    def _planned(self) -> ir.Table:
        """What the calendar asks."""
        kinds = enumerate(self._contacts.kinds)
        bits = [(n, sum(self._bit.get(q, 0) for q in _asked(kind))) for n, kind in kinds if kind.planned]
        book = table_of(pd.DataFrame(bits, columns=["kind", "bits"]), {"kind": "int32", "bits": "int64"})
        rows = self._contacts.planned.join(book, "kind")
        return _said(rows, asked=rows.bits)

    def _permissions(self) -> ir.Table:
        """Allowed is what is granted for all days planned, denied what is in doubt on one of them."""
        answers = [
            (question[0], topic, bit, bit if self._opened(question) else 0)
            for question, bit in self._bit.items()
            if _of_permission(question)
            for topic in {UNKNOWN, question[1]}
        ]
        said = pd.DataFrame(answers, columns=["channel", "topic", "bits", "opened"])
        book = table_of(
            said.groupby(["channel", "topic"], as_index=False).sum(),
            {"channel": "string", "topic": "string", "bits": "int64", "opened": "int64"},
        )
        rows = self._tables.permissions
        rows = rows.mutate(topic=rows.topic.fill_null(UNKNOWN)).join(book, ["channel", "topic"])
        begins = days_from_start(rows.valid_from, self._plan, -ALWAYS)
        ends = days_from_start(rows.valid_to, self._plan, ALWAYS)
        first, last = (int(day) for day in self._contacts.counts.day.agg(["min", "max"]))
        granted, denied = rows.status == "granted", rows.status == "denied"
        always = (begins <= first) & (ends >= last)
        denied = (denied & (begins <= last) & (ends >= first)).ifelse(rows.bits, _NONE)
        # Consent that has lapsed takes the place of a channel's default.
        return _said(
            rows,
            allowed=(granted & always).ifelse(rows.bits, _NONE),
            denied=denied | (granted & ~always).ifelse(rows.opened, _NONE),
        )

    def _customers(self) -> ir.Table:
        """Allowed are the campaigns in whose audience the customer is, if not held out."""
        plan, customers = self._plan, self._tables.customers
        audiences = {name: c.audience for name, c in plan.campaigns.items() if c.audience is not None}
        allowed = self._bits(lambda q: not _of_permission(q) and q[0] not in audiences)
        for name, text in audiences.items():
            inside = compile_audience(text, dict(customers.schema()))(customers)
            allowed |= inside.ifelse(ibis.literal(self._bit.get((name,), 0), "int64"), _NONE)
        if plan.hold_out.share > 0:
            kept_back = {(name,) for name, c in plan.campaigns.items() if c.type in plan.hold_out.types}
            held = is_held_out(customers, plan.hold_out)
            allowed = _without(allowed, held.ifelse(self._bits(lambda q: q in kept_back), _NONE))
        return _said(customers, allowed=allowed)


def _asked(kind: Kind) -> tuple[Question, Question]:
    return (kind.channel, kind.type or UNKNOWN), (kind.campaign,)


def _of_permission(question: Question) -> bool:
    return len(question) > 1


def _without(bits: ir.IntegerValue, others: ir.IntegerValue) -> ir.IntegerValue:
    """The bits that are not among the others; engines bind the sign for `not` in their own ways."""
    return bits - (bits & others)


_SAID = ("asked", "allowed", "denied")


def _said(rows: ir.Table, **bits: ir.IntegerValue) -> ir.Table:
    return rows.select("customer_id", **{name: bits.get(name, _NONE).cast("int64") for name in _SAID})
