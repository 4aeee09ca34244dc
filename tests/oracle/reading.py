"""The plan's mapping and its tables turned into the plain dictionaries of a `World`."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from math import inf
from typing import Any

import pandas as pd

from .world import TYPES, WEEKDAYS, Cap, Contact, Facts, World, contact_cost, day_number, text

NO_ROWS = pd.DataFrame()


def column(frame: pd.DataFrame, name: str, default: Any = None) -> list[Any]:
    """The column as a list, `default` where it or a value is missing or empty."""
    if name not in frame:
        return [default] * len(frame)
    known = frame[name].notna()
    return [value if ok and value != "" else default for value, ok in zip(frame[name], known, strict=True)]


def day_column(frame: pd.DataFrame, name: str, start: pd.Timestamp, default: float = inf) -> list[Any]:
    """The dates of a column as day numbers, `default` where there is none."""
    if name not in frame:
        return [default] * len(frame)
    days = (pd.to_datetime(frame[name]) - start).dt.days
    return [default if day != day else int(day) for day in days]


def ids(frame: pd.DataFrame) -> list[str]:
    return [text(value) for value in column(frame, "customer_id")]


def read_caps(plan: Mapping[str, Any]) -> tuple[Cap, ...]:
    """All caps per customer: the policy's, each channel's, each campaign's (default 1 in 28 days)."""

    def cap(path: str, row: Mapping[str, Any], flags: bool = True, **own: str) -> Cap:
        def named(key: str) -> frozenset[str] | None:
            listed = row.get(key)
            return frozenset([own[key]]) if key in own else None if listed is None else frozenset(listed)

        types, channels, campaigns = (named(key) for key in ("types", "channels", "campaigns"))
        return Cap(path, row["contacts"], row["days"], types, channels, campaigns, flags)

    rows = [
        cap(f"policy.max_per_customer[{i}]", row)
        for i, row in enumerate(plan.get("policy", {}).get("max_per_customer", []))
    ]
    for name, channel in plan["channels"].items():
        for i, row in enumerate(channel.get("max_per_customer", [])):
            rows.append(cap(f"channels.{name}.max_per_customer[{i}]", row, channels=name))
    for name, campaign in plan["campaigns"].items():
        for i, row in enumerate(campaign.get("max_per_customer", [{"contacts": 1, "days": 28}])):
            rows.append(cap(f"campaigns.{name}.max_per_customer[{i}]", row, flags=False, campaigns=name))
    return tuple(rows)


def read_existing(
    plan: Mapping[str, Any], history: pd.DataFrame, commitments: pd.DataFrame, start: pd.Timestamp
) -> tuple[dict[str, dict[Contact, Facts]], dict[str, frozenset[Contact]]]:
    """Contacts there are already, each once, and those of them that are commitments.

    Of the history only delivered rows count, no control rows, and none on or after the start (as-of rule).
    """
    existing: dict[str, dict[Contact, Facts]] = defaultdict(dict)
    promised: dict[str, set[Contact]] = defaultdict(set)
    told = zip(
        ids(history),
        day_column(history, "contacted_on", start),
        *(column(history, name) for name in ("channel", "campaign", "type", "business_unit")),
        column(history, "delivered", 1),
        column(history, "control", 0),
        strict=True,
    )
    for customer, day, channel, campaign, kind, unit, delivered, control in told:
        if delivered == 1 and control == 0 and day < 0:
            facts = facts_of(plan, channel, campaign, kind, unit, None)
            existing[customer].setdefault(Contact(day, channel, campaign), facts)
    promises = zip(
        ids(commitments),
        day_column(commitments, "contact_on", start),
        *(column(commitments, name) for name in ("channel", "campaign", "type", "business_unit", "cost")),
        strict=True,
    )
    for customer, day, channel, campaign, kind, unit, cost in promises:
        contact = Contact(day, channel, campaign)
        existing[customer].setdefault(contact, facts_of(plan, channel, campaign, kind, unit, cost))
        promised[customer].add(contact)
    return dict(existing), {customer: frozenset(contacts) for customer, contacts in promised.items()}


def facts_of(
    plan: Mapping[str, Any], channel: str, campaign: str, kind: str | None, unit: str | None, cost: Any
) -> Facts:
    """A missing type or business unit is that of the plan's campaign of that name, if there is one."""
    known = plan["campaigns"].get(campaign, {})
    own_cost = contact_cost(plan, channel, campaign) if cost is None else float(cost)
    return Facts(kind or known.get("type"), unit or known.get("business_unit"), own_cost)


def is_held_out(plan: Mapping[str, Any], unit: str) -> bool:
    """md5 of `KEY:id`, read as a fraction, below the share; `unit` is the household if there is one."""
    hold_out = plan.get("hold_out", {})
    key = hold_out.get("key", plan["name"])
    digest = hashlib.md5(f"{key}:{unit}".encode(), usedforsecurity=False).hexdigest()
    return int(digest, 16) / 16**32 < float(hold_out.get("share", 0))


def read_restrictions(
    plan: Mapping[str, Any], frame: pd.DataFrame, start: pd.Timestamp
) -> dict[str, list[tuple[float, float, frozenset[str]]]]:
    """By customer: first and last blocked day (days after included) and the types blocked."""
    policy = {
        reason.strip().lower(): rule
        for reason, rule in plan.get("policy", {}).get("restrictions", {}).items()
    }
    rows = defaultdict(list)
    days = (day_column(frame, name, start) for name in ("starts_on", "ends_on"))
    for customer, reason, first, last in zip(ids(frame), column(frame, "reason"), *days, strict=True):
        rule = policy[reason.strip().lower()]
        blocks = TYPES if rule["blocks"] == "all" else rule["blocks"]
        rows[customer].append((first, last + rule.get("days_after", 0), frozenset(blocks)))
    return dict(rows)


def read_permissions(
    frame: pd.DataFrame, start: pd.Timestamp
) -> dict[tuple[str, str], list[tuple[str, float, float, str | None]]]:
    """By customer and channel: status, first and last day (both included), topic or None for all."""
    rows = defaultdict(list)
    spans = day_column(frame, "valid_from", start, -inf), day_column(frame, "valid_to", start)
    others = (column(frame, name) for name in ("channel", "status", "topic"))
    for customer, first, last, channel, status, topic in zip(ids(frame), *spans, *others, strict=True):
        rows[customer, channel].append((status, first, last, topic))
    return dict(rows)


def read_rates(
    rates: pd.DataFrame | Mapping[tuple[Any, str, str], float],
) -> dict[tuple[str, str, str], float]:
    """Rates by (segment, campaign, channel), from a mapping, `response_rates` or `response_rates.csv`."""
    if isinstance(rates, pd.DataFrame):
        name = "response_rate" if "response_rate" in rates else "rate"
        keys = zip(rates["segment"], rates["campaign"], rates["channel"], strict=True)
        rates = dict(zip(keys, rates[name], strict=True))
    return {(text(segment), campaign, channel): float(r) for (segment, campaign, channel), r in rates.items()}


FIGURES = (
    "response_rate", "margin_per_response", "revenue_per_response", "value_per_contact", "cost_per_contact",
)  # fmt: skip


def read_scores(frame: pd.DataFrame) -> dict[tuple[str, str, str | None], dict[str, float]]:
    """The customers' own figures by customer, campaign and channel (None: every channel)."""
    scores: dict[tuple[str, str, str | None], dict[str, float]] = {}
    keys = zip(ids(frame), column(frame, "campaign"), column(frame, "channel"), strict=True)
    figures = zip(*(column(frame, name) for name in FIGURES), strict=True)
    for key, row in zip(keys, figures, strict=True):
        scores[key] = {
            name: float(figure) for name, figure in zip(FIGURES, row, strict=True) if figure is not None
        }
    return scores


def open_days(channel: Mapping[str, Any], start: pd.Timestamp, days: Iterable[int]) -> frozenset[int]:
    """Days of the period on which the channel sends: its weekdays less its blackout."""
    weekdays = channel.get("send_days", WEEKDAYS)
    closed = {day_number(date, start) for date in channel.get("blackout", [])}
    return frozenset(
        day for day in days if WEEKDAYS[(start.weekday() + day) % 7] in weekdays and day not in closed
    )


def read_world(
    plan: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    segments: Mapping[Any, Any],
    rates: pd.DataFrame | Mapping[tuple[Any, str, str], float],
) -> World:
    """Read the plan file's mapping and its tables; `segments` gives each customer's segment."""
    start = pd.Timestamp(str(plan["period"]["start"]))
    days = plan["period"].get("days", 28)
    customers = tables["customers"]
    table = {name: tables.get(name, NO_ROWS) for name in ("contact_history", "commitments", "restrictions")}
    existing, commitments = read_existing(plan, table["contact_history"], table["commitments"], start)
    campaigns = plan["campaigns"]
    windows = {
        name: (
            max(0, day_number(row["from"], start)) if "from" in row else 0,
            min(days - 1, day_number(row["to"], start)) if "to" in row else days - 1,
        )
        for name, row in campaigns.items()
    }
    units = zip(ids(customers), column(customers, "household_id"), strict=True)
    return World(
        plan=plan,
        days=days,
        commit_days=plan["period"].get("commit_days", min(7, days)),
        customers=tuple(ids(customers)),
        segments={text(customer): text(segment) for customer, segment in segments.items()},
        rates=read_rates(rates),
        caps=read_caps(plan),
        windows=windows,
        open_days={name: open_days(row, start, range(days)) for name, row in plan["channels"].items()},
        existing=existing,
        commitments=commitments,
        permissions=read_permissions(tables.get("permissions", NO_ROWS), start),
        restrictions=read_restrictions(plan, table["restrictions"], start),
        held_out=frozenset(
            customer
            for customer, household in units
            if is_held_out(plan, customer if household is None else text(household))
        ),
        audiences={
            name: frozenset(ids(customers.query(row["audience"], engine="python")))
            for name, row in campaigns.items()
            if "audience" in row
        },
        max_contacts={
            customer: int(most)
            for customer, most in zip(ids(customers), column(customers, "max_contacts"), strict=True)
            if most is not None
        },
        scores=read_scores(tables["scores"]) if "scores" in tables else {},
    )
