"""Customers to keys: what tells one customer from another, as far as the plan can feel it.

Everything that touches customers is an Ibis expression and runs where they are. Only distinct
permission rows, restriction rows and earlier contacts come to the client, which gives each a code;
a customer's key holds lists of codes.
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
import pandas as pd
from numpy.typing import NDArray

from optimizer.audience import compile_audience
from optimizer.earlier_contacts import EarlierContact, EarlierEffects, earlier_rows
from optimizer.earlier_run import provisional_lists
from optimizer.frames import frame_of, table_of
from optimizer.own_limits import own_limit
from optimizer.plan_file import HoldOut, Plan
from optimizer.rules import ContactRules
from optimizer.tables import Tables
from optimizer.timetable import Timetable

KEY = [
    "segment", "held_out", "audiences", "permissions", "restrictions", "earlier", "max_contacts",
    "provisional",
]  # fmt: skip
NONE = ""


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
    """`table` has customer_id and the columns KEY; the code books tell what the codes mean.

    `audiences` is a text of 0 and 1, one for each campaign of `audience_campaigns`; `max_contacts` is
    UNLIMITED where the customer has no limit, or one that cannot bind.
    """

    table: ir.Table
    audience_campaigns: tuple[str, ...]
    permissions: tuple[PermissionCode, ...]
    restrictions: tuple[RestrictionCode, ...]
    earlier: EarlierEffects


def customer_keys(
    plan: Plan, tables: Tables, segments: ir.Table, timetable: Timetable, rules: ContactRules
) -> CustomerKeys:
    """The keys of all customers; `segments` has customer_id and segment (text)."""
    permission_lists, permissions = _permissions(plan, tables, timetable)
    restriction_lists, restrictions = _restrictions(plan, tables, timetable)
    earlier_lists, earlier = _earlier(plan, tables, timetable, rules)
    audiences = {name: c.audience for name, c in plan.campaigns.items() if c.audience is not None}
    schema = dict(tables.customers.schema())
    bits = [
        ibis.ifelse(compile_audience(text, schema)(tables.customers), "1", "0") for text in audiences.values()
    ]
    customers = tables.customers.select(
        "customer_id",
        held_out=is_held_out(tables.customers, plan.hold_out).cast("int8"),
        audiences=_joined(bits),
        max_contacts=tables.customers.max_contacts,
    )
    keys = customers.join(segments.select("customer_id", "segment"), "customer_id")
    for name, lists in (
        ("permissions", permission_lists),
        ("restrictions", restriction_lists),
        ("earlier", earlier_lists),
        ("provisional", provisional_lists(plan, tables, timetable)),
    ):
        if lists is None:
            keys = keys.mutate(ibis.literal(NONE).name(name))
            continue
        keys = keys.left_join(lists, "customer_id").drop("customer_id_right")
        keys = keys.mutate(codes=keys.codes.fill_null(NONE)).rename({name: "codes"})
    limit = own_limit(keys.max_contacts, keys.earlier, timetable, rules)
    keys = keys.mutate(max_contacts=limit)
    return CustomerKeys(keys, tuple(audiences), permissions, restrictions, earlier)


def is_held_out(customers: ir.Table, hold_out: HoldOut) -> ir.BooleanValue:
    """Whether md5 of `KEY:id`, read as a fraction of 1, is below the share (contract, "Hold-out").

    Both sides are 32 hexadecimal digits, so comparing texts compares the fractions exactly.
    """
    least_outside = ceil(Fraction(str(hold_out.share)) * 16**32)
    if least_outside <= 0 or least_outside >= 16**32:
        return ibis.literal(value=least_outside > 0)
    unit = ibis.coalesce(customers.household_id, customers.customer_id)
    digest = (ibis.literal(f"{hold_out.key}:") + unit).hexdigest("md5")
    return digest < ibis.literal(f"{least_outside:032x}")


def _joined(parts: list[ir.StringValue]) -> ir.StringValue:
    text: ir.StringValue = ibis.literal("")
    for part in parts:
        text = text + part
    return text


def _permissions(
    plan: Plan, tables: Tables, timetable: Timetable
) -> tuple[ir.Table, tuple[PermissionCode, ...]]:
    rows = tables.permissions
    rows = rows.select(
        "customer_id",
        "channel",
        topic=rows.topic.fill_null(NONE),
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

    lists, effects = _code_lists(rows, effect)
    return lists, tuple(
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

    lists, effects = _code_lists(rows, effect)
    return lists, tuple(
        RestrictionCode(types, np.array(covers, dtype=bool))
        for types, covers in effects
        if isinstance(types, tuple)
    )


def _earlier(
    plan: Plan, tables: Tables, timetable: Timetable, rules: ContactRules
) -> tuple[ir.Table, EarlierEffects]:
    """History and commitments that some send day can still feel; one contact told twice counts once."""
    both = earlier_rows(plan, tables, timetable, rules.lookback)
    rows = both.group_by("customer_id", "day", "channel", "campaign").agg(
        type=both.type.min().fill_null(NONE)
    )
    seen = _distinct(rows)
    effects = EarlierEffects(
        [
            EarlierContact(int(day), campaign, channel, kind or _planned_type(plan, campaign))
            for day, channel, campaign, kind in seen[["day", "channel", "campaign", "type"]].itertuples(
                index=False
            )
        ],
        timetable,
        rules,
    )
    return _listed(rows, seen.assign(code=effects.code)), effects


def _planned_type(plan: Plan, campaign: str) -> str | None:
    return plan.campaigns[campaign].type if campaign in plan.campaigns else None


def _day(column: ir.DateColumn, plan: Plan, missing: int, floor: int = -1) -> ir.IntegerValue:
    """Days from the period's start, cut to just outside the period so that few distinct ones are left."""
    start: date = plan.period.start
    days = column.delta(ibis.date(start), unit="day")
    return days.clip(floor, plan.period.days).fill_null(missing)


def _covered(timetable: Timetable, row: dict[str, object]) -> tuple[bool, ...]:
    first, last = int(str(row["first"])), int(str(row["last"]))
    return tuple(first <= day <= last for day in timetable.days)


def _code_lists(
    rows: ir.Table, effect: Callable[[dict[str, object]], tuple[object, ...] | None]
) -> tuple[ir.Table, list[tuple[object, ...]]]:
    """The rows' codes by customer, and the effect behind each code; rows without effect get none."""
    seen = _distinct(rows)
    effects = [effect({str(k): v for k, v in row.items()}) for row in seen.to_dict("records")]
    known = sorted({e for e in effects if e is not None}, key=repr)
    number = {e: n for n, e in enumerate(known)}
    coded = seen.assign(code=[-1 if e is None else number[e] for e in effects])
    return _listed(rows, coded, distinct=True), known


def _distinct(rows: ir.Table) -> pd.DataFrame:
    columns = [name for name in rows.columns if name != "customer_id"]
    return frame_of(rows.select(columns).distinct()).sort_values(columns, ignore_index=True)


def _listed(rows: ir.Table, coded: pd.DataFrame, distinct: bool = False) -> ir.Table:
    """customer_id and `codes`: the codes of the customer's rows in ascending order, with commas."""
    columns = [name for name in coded.columns if name != "code"]
    book = table_of(coded[coded.code >= 0], {**dict(rows.select(columns).schema()), "code": "int64"})
    found = rows.join(book, columns).select("customer_id", "code")
    found = found.distinct() if distinct else found
    return found.group_by("customer_id").agg(
        codes=found.code.cast("string").group_concat(",", order_by=found.code)
    )
