"""The sieve before the checks of single contacts: all that is said of a customer, put together in bits.

Each kind of planned contact is a bit. What the calendar plans, what permissions grant and deny, and what
audience and hold-out allow, is or-ed customer by customer in one grouping. Whoever has nothing planned
beyond what is surely allowed on every day needs no closer look.
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
"""Kinds told apart at once: a whole number of 64 bits keeps its sign."""
DOUBTFUL = "doubtful customers"
ALWAYS = 1_000_000
"""Days from the period's start to a date that never comes."""
_NONE = ibis.literal(0, "int64")


@dataclass(frozen=True)
class Doubtful:
    """customer_id of those whose permissions, or whose audience and hold-out, need a closer look, if any."""

    permission: ir.Table | None
    audience: ir.Table | None


def doubtful_customers(plan: Plan, tables: Tables, contacts: AuditedContacts) -> Doubtful:
    """Who may have a planned contact without permission, outside its audience, or held out.

    The engine keeps them under the name DOUBTFUL.
    """
    used = sorted(contacts.counts.kind.unique().tolist())
    parts = [used[n : n + BITS] for n in range(0, len(used), BITS)]
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
    """The sieve for up to BITS kinds of planned contacts."""

    def __init__(self, plan: Plan, tables: Tables, contacts: AuditedContacts, codes: Sequence[int]) -> None:
        self._plan, self._tables, self._contacts = plan, tables, contacts
        self._kinds = {code: contacts.kinds[code] for code in codes}

    def doubtful(self) -> ir.Table:
        """customer_id, permission and audience: who needs a closer look, and for what."""
        rows = ibis.union(self._planned(), self._permissions(), self._customers())
        columns = [name for name in rows.columns if name != "customer_id"]
        told = rows.group_by("customer_id").agg(**{name: bit_or(rows[name]) for name in columns})
        default = {name: c.default_permission for name, c in self._plan.channels.items()}
        opened = self._bits(lambda kind: default.get(kind.channel) == "granted")
        allowed = _without(told.granted | _without(opened, told.lapsed), told.denied)
        doubtful = told.select(
            "customer_id",
            permission=(told.planned & allowed) != told.planned,
            audience=(told.planned & told.inside) != told.planned,
        )
        return doubtful.filter(doubtful.permission | doubtful.audience)

    def _bits(self, wanted: Callable[[Kind], bool]) -> ir.IntegerScalar:
        return ibis.literal(self._number(wanted), "int64")

    def _number(self, wanted: Callable[[Kind], bool]) -> int:
        return sum(1 << n for n, kind in enumerate(self._kinds.values()) if wanted(kind))

    def _planned(self) -> ir.Table:
        bits = pd.DataFrame({"kind": list(self._kinds), "bits": [1 << n for n in range(len(self._kinds))]})
        rows = self._contacts.planned.join(table_of(bits, {"kind": "int32", "bits": "int64"}), "kind")
        return _said(rows, planned=rows.bits)

    def _permissions(self) -> ir.Table:
        """Granted is what holds on all days planned, denied what holds on one of them."""
        spoken = {
            (kind.channel, topic): self._number(
                lambda k, own=kind.channel, topic=topic: (  # type: ignore[misc]
                    k.channel == own and topic in (UNKNOWN, k.type or UNKNOWN)
                )
            )
            for kind in self._kinds.values()
            for topic in (UNKNOWN, kind.type or UNKNOWN)
        }
        book = table_of(
            pd.DataFrame(
                [(*what, bits) for what, bits in spoken.items()], columns=["channel", "topic", "bits"]
            ),
            {"channel": "string", "topic": "string", "bits": "int64"},
        )
        rows = self._tables.permissions
        rows = rows.mutate(topic=rows.topic.fill_null(UNKNOWN)).join(book, ["channel", "topic"])
        begins = days_from_start(rows.valid_from, self._plan, -ALWAYS)
        ends = days_from_start(rows.valid_to, self._plan, ALWAYS)
        first, last = (int(day) for day in self._contacts.counts.day.agg(["min", "max"]))
        granted, denied = rows.status == "granted", rows.status == "denied"
        return _said(
            rows,
            granted=(granted & (begins <= first) & (ends >= last)).ifelse(rows.bits, _NONE),
            lapsed=granted.ifelse(rows.bits, _NONE),
            denied=(denied & (begins <= last) & (ends >= first)).ifelse(rows.bits, _NONE),
        )

    def _customers(self) -> ir.Table:
        """Inside is whoever is a customer, in the audience, and not held out."""
        plan, customers = self._plan, self._tables.customers
        audiences = {name: c.audience for name, c in plan.campaigns.items() if c.audience is not None}
        inside = self._bits(lambda kind: kind.campaign not in audiences)
        for name, text in audiences.items():
            belongs = compile_audience(text, dict(customers.schema()))(customers)
            named = self._bits(lambda kind, name=name: kind.campaign == name)  # type: ignore[misc]
            inside |= belongs.ifelse(named, _NONE)
        if plan.hold_out.share > 0:
            kept_back = self._bits(lambda kind: kind.type in plan.hold_out.types)
            inside = _without(inside, is_held_out(customers, plan.hold_out).ifelse(kept_back, _NONE))
        return _said(customers, inside=inside)


def _without(bits: ir.IntegerValue, others: ir.IntegerValue) -> ir.IntegerValue:
    """The bits that are not among the others; engines bind the sign for `not` in their own ways."""
    return bits - (bits & others)


def _said(rows: ir.Table, **bits: ir.IntegerValue) -> ir.Table:
    columns = ("planned", "granted", "lapsed", "denied", "inside")
    return rows.select("customer_id", **{name: bits.get(name, _NONE).cast("int64") for name in columns})
