"""Small plans and tables on which the judges are judged by eye."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pandas as pd
from oracle import Contact, Oracle, optimum, read_world
from oracle.world import World

START = date(2026, 11, 30)  # a Monday
HISTORY = ["customer_id", "contacted_on", "channel", "campaign"]
PROMISES = ["customer_id", "contact_on", "channel", "campaign"]


def on(day: int) -> date:
    return START + timedelta(days=day)


def table(columns: list[str], *rows: tuple[Any, ...]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=columns)


def world(
    policy: dict[str, Any] | None = None,
    sale: dict[str, Any] | None = None,
    email: dict[str, Any] | None = None,
    tables: dict[str, pd.DataFrame] | None = None,
    news: dict[str, Any] | None = None,
    **plan: Any,
) -> World:
    """One customer `a` of segment 1, 14 days; both campaigns may repeat daily, both channels are open."""
    often = [{"contacts": 99, "days": 1}]
    whole = {
        "name": "tiny",
        "period": {"start": START, "days": 14},
        "channels": {
            "email": {"unit_cost": 0.5, "default_permission": "granted", **(email or {})},
            "mail": {"unit_cost": 1.0, "default_permission": "granted"},
        },
        "campaigns": {
            "sale": {
                "type": "promotional",
                "channels": ["email", "mail"],
                "margin_per_response": 100,
                "max_per_customer": often,
                **(sale or {}),
            },
            "news": {
                "type": "service",
                "channels": ["email"],
                "max_per_customer": often,
                **(news or {}),
            },
        },
        "policy": policy or {},
        **plan,
    }
    people = pd.DataFrame({"customer_id": ["a"], "x": [4], "region": ["north"]})
    rates = {("1", "sale", "email"): 0.1}
    return read_world(whole, {"customers": people, **(tables or {})}, {"a": 1}, rates)


def sale(*days: int) -> tuple[Contact, ...]:
    return tuple(Contact(day, "email", "sale") for day in days)


def news(*days: int) -> tuple[Contact, ...]:
    return tuple(Contact(day, "email", "news") for day in days)


def history(*rows: tuple[Any, ...], more: tuple[str, ...] = ()) -> dict[str, pd.DataFrame]:
    """Rows of day, channel, campaign and further columns, all of customer a."""
    return {"contact_history": table([*HISTORY, *more], *(("a", on(day), *others) for day, *others in rows))}


def promises(*rows: tuple[Any, ...], more: tuple[str, ...] = ()) -> dict[str, pd.DataFrame]:
    return {"commitments": table([*PROMISES, *more], *(("a", on(day), *others) for day, *others in rows))}


RATES = {("A", "sale", "email"): 0.5, ("A", "call", "phone"): 1.0, ("B", "sale", "email"): 0.1}


def plan_of(**changes: Any) -> dict[str, Any]:
    """Ten days; one sale by email (cost 1; Mon, Tue) and one call by phone (cost 2; Wed) for everyone."""
    plan: dict[str, Any] = {
        "name": "tiny",
        "period": {"start": START, "days": 10, "commit_days": 2},
        "channels": {
            "email": {"unit_cost": 1, "default_permission": "granted", "send_days": ["mon", "tue"]},
            "phone": {"unit_cost": 2, "default_permission": "granted", "send_days": ["wed"]},
        },
        "campaigns": {
            "sale": {
                "type": "promotional",
                "channels": ["email"],
                "margin_per_response": 10,
                "business_unit": "x",
            },
            "call": {"type": "service", "channels": ["phone"], "margin_per_response": 10},
        },
    }
    for name, change in changes.items():
        plan[name] = {**plan[name], **change} if isinstance(change, dict) and name in plan else change
    return plan


def tables_of(size: int = 3, commitments: list[tuple[Any, ...]] | None = None) -> dict[str, pd.DataFrame]:
    columns = ["customer_id", "contact_on", "channel", "campaign", "cost"]
    people = pd.DataFrame({"customer_id": list(range(1, size + 1))})
    return {"customers": people, "commitments": pd.DataFrame(commitments or [], columns=columns)}


def best(plan: dict[str, Any], tables: dict[str, pd.DataFrame] | None = None, labels: str = "AAA") -> Oracle:
    segments = dict(enumerate(labels, start=1))
    return optimum(plan, tables or tables_of(len(labels)), segments, RATES)


def with_channel(name: str, **change: Any) -> dict[str, Any]:
    return plan_of(channels={name: {**plan_of()["channels"][name], **change}})


def with_campaign(name: str, **change: Any) -> dict[str, Any]:
    return plan_of(campaigns={name: {**plan_of()["campaigns"][name], **change}})
