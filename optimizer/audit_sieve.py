"""The sieve before the checks of single contacts: all that is said of a customer, put together in bits.

A planned contact asks two questions: may its type be sent to the customer on its channel, and may its
campaign? Each is a bit. What permissions, audience and hold-out answer is or-ed customer by customer.
A contact that is surely allowed, on every day planned, needs no closer look.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import reduce

import ibis
import ibis.expr.types as ir
import pandas as pd

from models.portable import bit_or
from optimizer.audience import compile_audience
from optimizer.audit_contacts import CONTACT, UNKNOWN, AuditedContacts, Kind
from optimizer.audit_lists import PlannedLists
from optimizer.audit_questions import DatedKinds
from optimizer.coded_rows import CODE
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
_TOLD = ["channel", "topic", "status"]
Question = tuple[str, ...]
"""A channel and a type (the empty text where unknown), or a campaign."""


def doubtful_contacts(
    plan: Plan, tables: Tables, contacts: AuditedContacts, dated: DatedKinds, lists: PlannedLists
) -> tuple[ir.Table | None, ir.Table | None]:
    """Planned contacts that may lack permission, and those that may be outside their audience or held out.

    CONTACT, each once; None where there are none. The engine keeps them under the name DOUBTFUL.
    """
    asked = sorted({q for code in contacts.book.kind.unique() for q in _asked(contacts.kinds[code])})
    parts = [asked[n : n + BITS] for n in range(0, len(asked), BITS)]
    found = [_Sieve(plan, tables, contacts, part, n).doubtful(dated, lists) for n, part in enumerate(parts)]
    if not found:
        return None, None
    table = tables.engine.keep(DOUBTFUL, reduce(ibis.union, found))
    seen = frame_of(table.aggregate(permission=table.permission.any(), audience=table.audience.any()))

    def of(rule: str) -> ir.Table | None:
        return (
            table.filter(table[rule]).select(CONTACT).distinct() if bool(seen[rule].eq(True).any()) else None
        )

    return of("permission"), of("audience")


def days_from_start(column: ir.DateColumn, plan: Plan, missing: int) -> ir.IntegerValue:
    """Days from the period's start to a date."""
    return column.delta(ibis.date(plan.period.start), unit="day").fill_null(missing)


class _Sieve:
    """The sieve for up to BITS questions."""

    def __init__(
        self, plan: Plan, tables: Tables, contacts: AuditedContacts, asked: Sequence[Question], number: int
    ) -> None:
        self._plan, self._tables, self._contacts = plan, tables, contacts
        self._number = number
        self._bit = {question: 1 << n for n, question in enumerate(asked)}

    def doubtful(self, dated: DatedKinds, lists: PlannedLists) -> ir.Table:
        """CONTACT, permission and audience: which contacts need a closer look, and for what."""
        said, opened = self._permissions(), self._bits(self._opened)
        told = said.group_by("customer_id").agg(allowed=bit_or(said.allowed), denied=bit_or(said.denied))
        told = told.select("customer_id", may=_without(told.allowed | opened, told.denied))
        of_kind = self._of_kinds()
        asked = lists.bits(
            [of_kind[kind] if own else 0 for kind, own in zip(dated.kind, dated.planned, strict=True)]
        )
        own = lists.customers.join(lists.told(asked=asked), "list")
        own = own.left_join(told, "customer_id").select("customer_id", "asked", "may")
        # Whoever is no customer is in no audience.
        own = own.left_join(self._customers(), "customer_id", rname="{name}_told")
        own = own.select("customer_id", "asked", may=own.may.fill_null(opened) | own.inside.fill_null(0))
        short = own.select("customer_id", missing=_without(own.asked, own.may))
        short = self._tables.engine.keep(
            f"customers in doubt {self._number}", short.filter(short.missing != 0)
        )
        rows = self._asking().join(short, "customer_id").select(*CONTACT, "asked", "missing")
        missing = rows.asked & rows.missing
        return rows.filter(missing != 0).select(
            *CONTACT,
            permission=(missing & self._bits(_of_permission)) != 0,
            audience=(missing & self._bits(lambda question: not _of_permission(question))) != 0,
        )

    def _bits(self, wanted: Callable[[Question], bool]) -> ir.IntegerScalar:
        return ibis.literal(sum(bit for q, bit in self._bit.items() if wanted(q)), "int64")

    def _of_kinds(self) -> list[int]:
        """What a contact of each kind asks."""
        return [sum(self._bit.get(q, 0) for q in _asked(kind)) for kind in self._contacts.kinds]

    def _opened(self, question: Question) -> bool:
        """Whether the answer is yes unless a permission says otherwise."""
        channel = self._plan.channels.get(question[0]) if _of_permission(question) else None
        return channel is not None and channel.default_permission == "granted"

    def _asking(self) -> ir.Table:
        """What the calendar asks: CONTACT and asked, for each contact."""
        bits = self._of_kinds()
        asking = self._contacts.book[[CODE, "day", "kind"]]
        asking = asking.assign(asked=[bits[kind] for kind in asking.kind])
        book = table_of(asking, {**dict.fromkeys(asking.columns, "int32"), "asked": "int64"})
        book = self._tables.engine.keep(f"questions of codes {self._number}", book)
        return self._contacts.coded.join(book, CODE).drop(CODE)

    def _permissions(self) -> ir.Table:
        """Allowed is what is granted for all days planned, denied what is in doubt on one of them.

        Consent that has lapsed takes the place of a channel's default. A channel that is open to all is no
        more so where it is granted always.
        """
        answers = [
            (question[0], topic, status, *said)
            for question, bit in self._bit.items()
            if _of_permission(question)
            for topic in {UNKNOWN, question[1]}
            for opened in [self._opened(question)]
            for status, said in (("granted", (0, bit, 0) if opened else (bit, 0, 0)), ("denied", (0, 0, bit)))
        ]
        said = pd.DataFrame(answers, columns=[*_TOLD, "yes", "lapsed", "no"])
        bits = said.groupby(_TOLD, as_index=False).sum()
        book = table_of(
            bits, {**dict.fromkeys(_TOLD, "string"), **dict.fromkeys(["yes", "lapsed", "no"], "int64")}
        )
        rows = self._tables.permissions
        rows = rows.mutate(topic=rows.topic.fill_null(UNKNOWN)).join(book, _TOLD)
        days = self._contacts.book.day
        first, last = (self._plan.period.start + timedelta(int(day)) for day in (days.min(), days.max()))
        since, until = rows.valid_from, rows.valid_to
        always = (since.isnull() | (since <= first)) & (until.isnull() | (until >= last))
        ever = (since.isnull() | (since <= last)) & (until.isnull() | (until >= first))
        return rows.select(
            "customer_id",
            allowed=always.ifelse(rows.yes, _NONE),
            denied=always.ifelse(rows.no, rows.lapsed | ever.ifelse(rows.no, _NONE)),
        )

    def _customers(self) -> ir.Table:
        """customer_id and inside: the campaigns in whose audience the customer is, if not held out."""
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
        return customers.select("customer_id", inside=allowed)


def _asked(kind: Kind) -> tuple[Question, Question]:
    return (kind.channel, kind.type or UNKNOWN), (kind.campaign,)


def _of_permission(question: Question) -> bool:
    return len(question) > 1


def _without(bits: ir.IntegerValue, others: ir.IntegerValue) -> ir.IntegerValue:
    """The bits that are not among the others; engines bind the sign for `not` in their own ways."""
    return bits - (bits & others)
