"""The plan's rules about one contact alone, applied to dated contacts.

Each check gives tables of the contacts at fault: customer_id, day, kind and detail.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import ibis
import ibis.expr.types as ir
import pandas as pd

from optimizer.audience import compile_audience
from optimizer.audit_contacts import CONTACT, UNKNOWN, AuditedContacts, Kind
from optimizer.audit_lists import PlannedLists
from optimizer.audit_questions import DatedKinds
from optimizer.audit_sieve import ALWAYS, days_from_start, doubtful_contacts
from optimizer.customer_keys import is_held_out
from optimizer.frames import table_of
from optimizer.plan_file import Plan
from optimizer.tables import Tables


def single_contact_breaches(
    plan: Plan, tables: Tables, contacts: AuditedContacts, dated: DatedKinds, lists: PlannedLists
) -> Iterator[tuple[str, ir.Table]]:
    """The name of each rule with the planned contacts that break it."""
    unsure, outside = doubtful_contacts(plan, tables, contacts, dated, lists)
    if unsure is not None:
        for table in _permission(plan, tables, contacts, unsure):
            yield "permission", table
    for table in _restriction(plan, tables, contacts):
        yield "restriction", table
    if outside is not None:
        for table in _audience(plan, tables, contacts, outside):
            yield "audience", table
        if plan.hold_out.share > 0:
            held = tables.customers.filter(is_held_out(tables.customers, plan.hold_out))
            kept_back = [n for n, kind in enumerate(contacts.kinds) if kind.type in plan.hold_out.types]
            found = outside.filter(outside.kind.isin(kept_back)).semi_join(held, "customer_id")
            yield "hold_out", _at_fault(found, "the customer is held out")
    for table in _segments(plan, contacts):
        yield "audience", table
    for table in _window(plan, contacts):
        yield "window", table


def _at_fault(contacts: ir.Table, detail: str | ir.StringValue) -> ir.Table:
    return contacts.select(*CONTACT, detail=ibis.literal(detail) if isinstance(detail, str) else detail)


def _permission(
    plan: Plan, tables: Tables, contacts: AuditedContacts, unsure: ir.Table
) -> Iterator[ir.Table]:
    """The contract's four steps: denied, granted, lapsed or not begun, the channel's default."""
    rows = tables.permissions
    rows = rows.select(
        "customer_id", "channel", "status",
        topic=rows.topic.fill_null(UNKNOWN),
        first=days_from_start(rows.valid_from, plan, -ALWAYS),
        last=days_from_start(rows.valid_to, plan, ALWAYS),
    )  # fmt: skip
    planned = contacts.described(unsure)
    both = planned.left_join(rows, ["customer_id", "channel"])
    speaks = (both.topic == UNKNOWN) | (both.topic == both.type)
    today = speaks & both.day.between(both["first"], both["last"])
    told = both.group_by(*CONTACT, "channel").agg(
        denied=_any(today & (both.status == "denied")),
        granted=_any(today & (both.status == "granted")),
        ever=_any(speaks & (both.status == "granted")),
    )
    open_channels = [
        name for name, channel in plan.channels.items() if channel.default_permission == "granted"
    ]
    is_open = told.channel.isin(open_channels)
    faulty = told.filter(told.denied | ~told.granted & (~is_open | told.ever))
    # Looked at once; what is found is little, as a rule.
    faulty = tables.engine.keep("contacts without permission", faulty)
    yield _at_fault(faulty.filter(faulty.denied), "denied")
    refused, is_open = faulty.filter(~faulty.granted), faulty.channel.isin(open_channels)
    yield _at_fault(refused.filter(~is_open), "not granted")
    yield _at_fault(refused.filter(is_open & refused.ever), "consent lapsed or not begun")


def _any(condition: ir.BooleanValue) -> ir.BooleanScalar:
    return condition.fill_null(ibis.literal(False)).any()


def _restriction(plan: Plan, tables: Tables, contacts: AuditedContacts) -> Iterator[ir.Table]:
    blocks = [
        (reason, kind, rule.days_after)
        for reason, rule in plan.policy.restrictions.items()
        for kind in rule.blocks
    ]
    if not blocks:
        return
    rules = table_of(
        pd.DataFrame(blocks, columns=["reason", "type", "days_after"]),
        {"reason": "string", "type": "string", "days_after": "int64"},
    )
    rows = tables.restrictions.join(rules, "reason")
    rows = rows.select(
        "customer_id", "reason", "type",
        first=days_from_start(rows.starts_on, plan, -ALWAYS),
        last=days_from_start(rows.ends_on, plan, ALWAYS) + rows.days_after,
    )  # fmt: skip
    rows = tables.engine.keep("restrictions that block", rows)
    restricted = rows.select("customer_id").distinct()
    planned = contacts.described(contacts.planned.semi_join(restricted, "customer_id"))
    found = planned.join(
        rows,
        [
            planned.customer_id == rows.customer_id,
            planned.type == rows.type,
            planned.day >= rows.first,
            planned.day <= rows.last,
        ],
    )
    yield _at_fault(found, found.reason).distinct()


def _audience(plan: Plan, tables: Tables, contacts: AuditedContacts, own: ir.Table) -> Iterator[ir.Table]:
    """Of the planned contacts `own` those of nobody known, or outside the campaign's audience."""
    customers = tables.customers
    yield _at_fault(own.anti_join(customers, "customer_id"), "not a customer")
    for name, campaign in plan.campaigns.items():
        if campaign.audience is not None:
            codes = [code for code, kind in enumerate(contacts.kinds) if kind.campaign == name]
            inside = compile_audience(campaign.audience, dict(customers.schema()))(customers)
            outside = own.filter(own.kind.isin(codes)).anti_join(customers.filter(inside), "customer_id")
            yield _at_fault(outside, f"outside campaigns.{name}.audience")


def _segments(plan: Plan, contacts: AuditedContacts) -> Iterator[ir.Table]:
    """Contacts of another segment than those that the campaign names."""
    for name, campaign in plan.campaigns.items():
        if campaign.segments is None:
            continue
        inside = [n for n, label in enumerate(contacts.labels) if label in campaign.segments]
        codes = [n for n, kind in enumerate(contacts.kinds) if kind.planned and kind.campaign == name]
        counts = contacts.counts
        if (counts.kind.isin(codes) & ~counts.segment.isin(inside)).any():
            rows = contacts.planned
            suspects = rows.filter(rows.kind.isin(codes) & ~rows.segment.isin(inside))
            yield _at_fault(suspects, f"outside campaigns.{name}.segments").distinct()


def _window(plan: Plan, contacts: AuditedContacts) -> Iterator[ir.Table]:
    """Dates on which the campaign may not be sent on the channel."""
    seen = contacts.counts[["day", "kind"]].drop_duplicates()
    faults = [
        (day, code, fault)
        for day, code in sorted(seen.itertuples(index=False))
        if (fault := _closed(plan, contacts.kinds[code], int(day)))
    ]
    if faults:
        book = table_of(
            pd.DataFrame(faults, columns=["day", "kind", "fault"]),
            {"day": "int32", "kind": "int32", "fault": "string"},
        )
        found = contacts.planned.join(book, ["day", "kind"])
        yield _at_fault(found, found.fault).distinct()


def _closed(plan: Plan, kind: Kind, day: int) -> str:
    """Why contacts of the kind may not be sent that day; empty where they may."""
    campaign, channel = plan.campaigns.get(kind.campaign), plan.channels.get(kind.channel)
    today = plan.period.start + timedelta(days=day)
    if campaign is None:
        return "the plan has no such campaign"
    if channel is None or kind.channel not in campaign.channels:
        return "the campaign is not sent on this channel"
    if not 0 <= day < plan.period.days:
        return "outside the period"
    if not campaign.from_ <= today <= campaign.to:
        return "outside the campaign's window"
    if today in channel.blackout:
        return "blackout of the channel"
    return "" if today.weekday() in channel.send_days else "no send day of the channel"
