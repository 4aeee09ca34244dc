"""Customers to keys: what tells one customer from another, as far as the plan can feel it.

Everything that touches customers is an Ibis expression and runs where they are. Only distinct
permission rows, restriction rows and earlier contacts come to the client, which gives each a code;
a customer's key holds numbers that tell lists of codes (see customer_lists.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from math import ceil

import ibis
import ibis.expr.types as ir
import numpy as np
from numpy.typing import NDArray

from models.portable import keyed_md5
from optimizer.audience import compile_audience
from optimizer.customer_lists import NONE, Lists, marks, read_lists, summed
from optimizer.earlier_lists import LISTS, EarlierLists, earlier_lists
from optimizer.earlier_run import provisional_rows
from optimizer.frames import frame_of, table_of
from optimizer.own_limits import UNLIMITED, own_limit
from optimizer.own_scores import OwnScores, own_scores
from optimizer.plan_file import HoldOut, Plan
from optimizer.rules import ContactRules
from optimizer.tables import Tables
from optimizer.timetable import Timetable

KIND = [
    "segment", "held_out", "audiences", "permissions", "restrictions", "max_contacts", "provisional",
]  # fmt: skip
AUDIENCES = 62
"""How many audiences a column tells; whole numbers of 64 bits keep their sign."""
UNTOLD = ""
KEYS = "customer_keys"
"""The name under which the engine keeps their table."""


@dataclass(frozen=True)
class PermissionCode:
    """A permission row's effect: the send days it covers, for one channel and one topic (None: all)."""

    channel: str
    topic: str | None
    granted: bool
    covers: NDArray[np.bool_]


@dataclass(frozen=True)
class RestrictionCode:
    """A restriction's effect: the types it blocks and the send days on which it does."""

    types: tuple[str, ...]
    covers: NDArray[np.bool_]


@dataclass(frozen=True)
class CustomerKeys:
    """`table` has customer_id, the columns KIND, `band`, `scores` and `earlier`; the rest is what they mean.

    Columns of KIND that are the `same` for all customers are left out, and of `audiences` there may be
    several: bits, one for each campaign of `audience_campaigns`, AUDIENCES a column. `max_contacts` is
    UNLIMITED where the customer has no limit, or one that cannot bind; permissions, restrictions,
    provisional and earlier tell lists of codes, `scores` the customer's own figures (own_scores.py), `band`
    those that respond alike in their segment (response_bands.py; NONE as the segment does). There are no
    columns `scores` and `band` where they would tell nothing.
    """

    table: ir.Table
    same: dict[str, int]
    audience_campaigns: tuple[str, ...]
    permissions: tuple[PermissionCode, ...]
    permission_lists: Lists
    restrictions: tuple[RestrictionCode, ...]
    restriction_lists: Lists
    provisional_lists: Lists
    earlier: EarlierLists
    scores: OwnScores | None


def customer_keys(
    plan: Plan,
    tables: Tables,
    segments: ir.Table,
    timetable: Timetable,
    rules: ContactRules,
    bands: ir.Table | None = None,
) -> CustomerKeys:
    """The keys of all customers, kept in the engine; `segments` has customer_id and segment, `bands` band."""
    permission_rows, permissions = _permissions(plan, tables, timetable)
    restriction_rows, restrictions = _restrictions(plan, tables, timetable)
    provisional = provisional_rows(plan, tables, timetable)
    earlier = earlier_lists(plan, tables, timetable, rules)
    audiences = {name: c.audience for name, c in plan.campaigns.items() if c.audience is not None}
    keys = tables.customers.select(
        "customer_id",
        "max_contacts",
        held_out=is_held_out(tables.customers, plan.hold_out).cast("int8"),
        **_audience_bits(tables.customers, list(audiences.values())),
    )
    keys = keys.join(segments.select("customer_id", "segment"), "customer_id")
    rows = {"permissions": permission_rows, "restrictions": restriction_rows, "provisional": provisional}
    counts = {"permissions": len(permissions), "restrictions": len(restrictions),
              "provisional": timetable.sendable.size}  # fmt: skip
    for name, own in rows.items():
        keys = _with(keys, None if own is None else summed(own, {name: marks(counts[name])}))
    scores = own_scores(plan, tables, timetable)
    keys = _with(keys, None if scores is None else scores.told())
    keys = _with(_with(keys, bands), earlier.told)
    limited = any(cap.own for cap in rules.caps)
    keys = _with_own_limit(keys, earlier, timetable, rules) if limited else keys.drop("max_contacts")
    table = tables.engine.keep(KEYS, keys)
    tables.engine.drop(LISTS)
    lists: dict[str, Lists] = {
        name: {NONE: ()} if own is None else read_lists(table, name, own) for name, own in rows.items()
    }
    same = {"max_contacts": UNLIMITED, "provisional": NONE}
    return CustomerKeys(
        table,
        {name: value for name, value in same.items() if name not in table.columns},
        tuple(audiences),
        permissions,
        lists["permissions"],
        restrictions,
        lists["restrictions"],
        lists["provisional"],
        earlier,
        scores,
    )


def _with(keys: ir.Table, told: ir.Table | None) -> ir.Table:
    """The keys with sums by customer, if any; NONE for customers without."""
    if told is None:
        return keys
    names = [name for name in told.columns if name != "customer_id"]
    keys = keys.left_join(told, "customer_id").drop("customer_id_right")
    return keys.mutate(**{name: keys[name].fill_null(NONE) for name in names})


def _with_own_limit(
    keys: ir.Table, earlier: EarlierLists, timetable: Timetable, rules: ContactRules
) -> ir.Table:
    keys = _with(keys, earlier.contacts())
    limit = own_limit(keys.max_contacts, keys.earlier_contacts, timetable, rules)
    return keys.mutate(max_contacts=limit).drop("earlier_contacts")


def _audience_bits(customers: ir.Table, audiences: list[str]) -> dict[str, ir.Value]:
    """Columns with a bit for each audience."""
    schema = dict(customers.schema())
    words: dict[str, ir.Value] = {}
    for n, text in enumerate(audiences):
        inside = compile_audience(text, schema)(customers)
        bit = ibis.ifelse(inside, ibis.literal(1 << n % AUDIENCES, "int64"), ibis.literal(0, "int64"))
        name = f"audiences_{n // AUDIENCES}"
        words[name] = words[name] + bit if name in words else bit
    return words


def is_held_out(customers: ir.Table, hold_out: HoldOut) -> ir.BooleanValue:
    """Whether md5 of `KEY:id`, read as a fraction of 1, is below the share (contract, "Hold-out").

    Both sides are 32 hexadecimal digits, so comparing texts compares the fractions exactly.
    """
    least_outside = ceil(Fraction(str(hold_out.share)) * 16**32)
    if least_outside <= 0 or least_outside >= 16**32:
        return ibis.literal(value=least_outside > 0)
    unit = ibis.coalesce(customers.household_id, customers.customer_id.cast("string"))
    return keyed_md5(hold_out.key, unit) < ibis.literal(f"{least_outside:032x}")


def _permissions(
    plan: Plan, tables: Tables, timetable: Timetable
) -> tuple[ir.Table, tuple[PermissionCode, ...]]:
    rows = tables.permissions
    rows = rows.select(
        "customer_id",
        "channel",
        topic=rows.topic.fill_null(UNTOLD),
        status=rows.status,
        first=_day(rows.valid_from, plan, missing=0),
        last=_day(rows.valid_to, plan, missing=plan.period.days - 1),
    )

    def effect(row: dict[str, object]) -> tuple[object, ...] | None:
        covers = _covered(timetable, row)
        granted = row["status"] == "granted"
        # A grant that covers no send day still says that consent has lapsed; a denial says nothing.
        matters = row["channel"] in plan.channels and (granted or any(covers))
        return (row["channel"], row["topic"], granted, covers) if matters else None

    coded, effects = _coded(rows, effect)
    return coded, tuple(
        PermissionCode(str(channel), str(topic) or None, bool(granted), np.array(covers, dtype=bool))
        for channel, topic, granted, covers in effects
    )


def _restrictions(
    plan: Plan, tables: Tables, timetable: Timetable
) -> tuple[ir.Table, tuple[RestrictionCode, ...]]:
    rules = plan.policy.restrictions
    rows = tables.restrictions
    rows = rows.select(
        "customer_id",
        "reason",
        first=_day(rows.starts_on, plan, missing=0),
        last=_day(rows.ends_on, plan, missing=plan.period.days - 1, floor=-10_000),
        open=rows.ends_on.isnull().cast("int8"),
    )

    def effect(row: dict[str, object]) -> tuple[object, ...] | None:
        rule = rules[str(row["reason"])]
        after = 0 if row["open"] else rule.days_after
        covers = _covered(timetable, {**row, "last": int(str(row["last"])) + after})
        return (rule.blocks, covers) if any(covers) and rule.blocks else None

    coded, effects = _coded(rows, effect)
    return coded, tuple(
        RestrictionCode(types, np.array(covers, dtype=bool))
        for types, covers in effects
        if isinstance(types, tuple)
    )


def _day(column: ir.DateColumn, plan: Plan, missing: int, floor: int = -1) -> ir.IntegerValue:
    """Days from the period's start, cut to just outside the period so that few distinct ones are left."""
    start: date = plan.period.start
    days = column.delta(ibis.date(start), unit="day")
    return days.clip(floor, plan.period.days).fill_null(missing)


def _covered(timetable: Timetable, row: dict[str, object]) -> tuple[bool, ...]:
    first, last = int(str(row["first"])), int(str(row["last"]))
    return tuple(first <= day <= last for day in timetable.days)


def _coded(
    rows: ir.Table, effect: Callable[[dict[str, object]], tuple[object, ...] | None]
) -> tuple[ir.Table, list[tuple[object, ...]]]:
    """The rows as customer_id and code, and the effect behind each code; rows without effect are left out."""
    columns = [name for name in rows.columns if name != "customer_id"]
    seen = frame_of(rows.select(columns).distinct()).sort_values(columns, ignore_index=True)
    effects = [effect({str(k): v for k, v in row.items()}) for row in seen.to_dict("records")]
    known = sorted({e for e in effects if e is not None}, key=repr)
    number = {e: n for n, e in enumerate(known)}
    coded = seen.assign(code=[-1 if e is None else number[e] for e in effects])
    book = table_of(coded[coded.code >= 0], {**dict(rows.select(columns).schema()), "code": "int64"})
    return rows.join(book, columns).select("customer_id", "code"), known
