"""Hypothesis strategies for small plans and their tables, with every rule and limit at random."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pandas as pd
from hypothesis import strategies as st

from .random_draws import decimal, maybe, some
from .random_features import UNITS, add_features, add_max_contacts, draw_scores
from .random_tables import draw_tables
from .world import TYPES, WEEKDAYS

Draw = Any
AUDIENCES = ("x > 3", "region == 'north'", "x <= 6 and region == 'south'", "x > 7 or region == 'north'")
ALL_CHANNELS = ("email", "sms", "phone")
ALL_CAMPAIGNS = ("sale", "news", "call_back", "survey")
REASONS = ("complaint", "debt", "quiet")


@st.composite
def small_workspaces(
    draw: Draw, everything: bool = False, goal: str | None = None, scores: bool = False
) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
    """A plan as its YAML mapping, and its tables: 2 to 8 customers, few enough streams to list them all.

    With `everything` plans also have what `random_features` draws, and `goal` or one at random; with
    `scores` half of them come with customers' own figures.
    """
    start = date(2026, 11, 30) + timedelta(days=draw(st.integers(0, 6)))
    days = draw(st.integers(5, 12))
    labels = draw(st.sampled_from([["A", "B", "C"], [1, 2, 3]]))[: draw(st.integers(1, 3))]
    period: dict[str, Any] = {"start": start, "days": days}
    if maybe(draw, 0.5):
        period["commit_days"] = draw(st.integers(1, days))
    plan: dict[str, Any] = {
        "name": "small",
        "currency": "EUR",
        "period": period,
        "seed": draw(st.integers(0, 9)),
        "objective": {"maximize": "expected_margin"},
        "segments": {"column": "segment"},
        "response": {"from": "table"},
        "channels": draw_channels(draw, start, days),
    }
    plan["campaigns"] = draw_campaigns(draw, start, days, labels, list(plan["channels"]))
    plan["policy"] = draw_policy(draw, list(plan["campaigns"]), list(plan["channels"]))
    if maybe(draw, 0.6):
        plan["fatigue"] = {"keep": decimal(draw, 50, 95), "days": draw(st.integers(1, 28))}
    if maybe(draw, 0.6):
        plan["budget"] = draw_budget(draw, list(plan["campaigns"]))
    if maybe(draw, 0.35):
        plan["reach"] = draw_reach(draw, labels, list(plan["channels"]))
    if maybe(draw, 0.3):
        plan["hold_out"] = draw_hold_out(draw)
    if everything:
        add_features(draw, plan, labels, goal)
    tables = draw_tables(draw, plan, labels)
    if everything:
        add_max_contacts(draw, tables["customers"])
    if scores:
        tables["scores"] = draw_scores(draw, plan, tables["customers"])
    return plan, tables


def draw_send_days(draw: Draw, start: date, days: int) -> list[str]:
    """Weekdays with three to six dates in the period."""
    dates = [WEEKDAYS[(start.weekday() + day) % 7] for day in range(days)]
    most = draw(st.integers(4, 6))
    taken: list[str] = []
    for weekday in draw(st.permutations(WEEKDAYS)):
        if weekday in dates and sum(dates.count(name) for name in [*taken, weekday]) <= most:
            taken.append(weekday)
    return taken


def draw_channels(draw: Draw, start: date, days: int) -> dict[str, Any]:
    weekdays = draw_send_days(draw, start, days)
    return {
        name: draw_channel(draw, start, days, weekdays) for name in ALL_CHANNELS[: draw(st.integers(2, 3))]
    }


def draw_channel(draw: Draw, start: date, days: int, weekdays: list[str]) -> dict[str, Any]:
    dates = [start + timedelta(days=day) for day in range(days)]
    channel: dict[str, Any] = {"unit_cost": decimal(draw, 0, 120), "send_days": weekdays}
    if maybe(draw, 0.3):
        channel["send_days"] = some(draw, weekdays, fewest=2)
    if maybe(draw, 0.2):
        channel["blackout"] = [draw(st.sampled_from(dates))]
    if maybe(draw, 0.7):
        channel["default_permission"] = draw(st.sampled_from(["granted", "granted", "granted", "denied"]))
    if maybe(draw, 0.5):
        channel["hours_per_contact"] = draw(st.sampled_from([0.2, 0.5]))
    if maybe(draw, 0.4):
        unit = draw(st.sampled_from(["contacts", "hours"])) if "hours_per_contact" in channel else "contacts"
        channel["capacity"] = draw_capacity(draw, unit, channel.get("hours_per_contact", 1), dates)
    if maybe(draw, 0.3):
        channel["max_per_customer"] = [draw_cap(draw)]
    return channel


def draw_capacity(draw: Draw, unit: str, each: float, dates: list[date]) -> list[dict[str, Any]]:
    def amount(most: int) -> float:
        contacts: int = draw(st.integers(1, most))
        return contacts if unit == "contacts" else float(round(contacts * each + 0.1, 1))

    most = {"day": 5, "week": 9, "period": 14}
    entries: list[dict[str, Any]] = [
        {unit: amount(most[per]), "per": per} for per in some(draw, list(most), most=2)
    ]
    if maybe(draw, 0.4):
        entries.append(
            {unit: amount(3) if maybe(draw, 0.5) else 0, "per": "day", "on": some(draw, dates, most=3)}
        )
    return entries


def draw_cap(draw: Draw) -> dict[str, Any]:
    days = draw(st.sampled_from([2, 3, 3, 5, 5, 7, 7, 14, 28]))
    return {"contacts": draw(st.integers(1, 2)), "days": days}


def draw_campaigns(
    draw: Draw, start: date, days: int, labels: list[Any], channels: list[str]
) -> dict[str, dict[str, Any]]:
    names = ALL_CAMPAIGNS[: draw(st.sampled_from([2, 3, 3, 4]))]
    return {name: draw_campaign(draw, start, days, labels, channels) for name in names}


def draw_campaign(
    draw: Draw, start: date, days: int, labels: list[Any], channels: list[str]
) -> dict[str, Any]:
    campaign: dict[str, Any] = {
        "type": draw(st.sampled_from(TYPES)),
        "channels": some(draw, channels, most=2),
        "margin_per_response": draw(st.integers(4, 60)),
    }
    if maybe(draw, 0.7):
        campaign["business_unit"] = draw(st.sampled_from(UNITS))
    if maybe(draw, 0.4):
        campaign["from"] = start + timedelta(days=draw(st.integers(-20, 2)))
    if maybe(draw, 0.4):
        campaign["to"] = start + timedelta(days=draw(st.integers(days // 2, days + 5)))
    if maybe(draw, 0.2):
        campaign["audience"] = draw(st.sampled_from(AUDIENCES))
    if maybe(draw, 0.15):
        campaign["segments"] = some(draw, labels)
    if maybe(draw, 0.3):
        campaign["value_per_contact"] = decimal(draw, 1, 60)
    if maybe(draw, 0.3):
        campaign["cost_per_contact"] = decimal(draw, 1, 40)
    if maybe(draw, 0.4):
        campaign["max_per_customer"] = [draw_cap(draw)]
    if maybe(draw, 0.3):
        low, high = draw(st.integers(1, 2)), draw(st.integers(2, 8))
        campaign["contacts"] = draw(st.sampled_from([{"max": high}, {"min": low}, {"min": low, "max": high}]))
    return campaign


def draw_policy(draw: Draw, campaigns: list[str], channels: list[str]) -> dict[str, Any]:
    policy: dict[str, Any] = {}
    if maybe(draw, 0.9):
        policy["max_per_customer"] = [{**draw_cap(draw), "contacts": draw(st.integers(1, 3))}]
        if maybe(draw, 0.5):
            policy["max_per_customer"].append(draw_named_cap(draw, campaigns, channels))
    if maybe(draw, 0.4):
        policy["min_days_between"] = draw(st.integers(1, 3))
    if maybe(draw, 0.3):
        pair = some(draw, campaigns, fewest=2, most=3)
        policy["never_together"] = [{"campaigns": pair, "days": draw(st.integers(0, 6))}]
    if maybe(draw, 0.3):
        later, earlier = draw(st.permutations(campaigns))[:2]
        span = [draw(st.integers(0, 3)), draw(st.integers(3, 30))]
        policy["only_after"] = [{"campaign": later, "after": earlier, "days": span}]
    policy["restrictions"] = {
        "complaint": {"blocks": ["promotional", "research"], "days_after": draw(st.integers(0, 3))},
        "debt": {"blocks": draw(st.sampled_from(["all", ["promotional"]]))},
        "quiet": {"blocks": [], "excludes_from": ["segments", "response"]},
    }
    return policy


def draw_named_cap(draw: Draw, campaigns: list[str], channels: list[str]) -> dict[str, Any]:
    cap = draw_cap(draw)
    if maybe(draw, 0.5):
        cap["types"] = some(draw, list(TYPES), fewest=2, most=4)
    if maybe(draw, 0.4):
        cap["channels"] = some(draw, channels)
    if maybe(draw, 0.4):
        cap["campaigns"] = some(draw, campaigns)
    return cap


def draw_budget(draw: Draw, campaigns: list[str]) -> list[dict[str, Any]]:
    budgets: list[dict[str, Any]] = [
        {"amount": decimal(draw, 100, 900), "per": "period"},
        {"amount": decimal(draw, 50, 500), "per": "week"},
        {"amount": decimal(draw, 50, 250), "per": "day"},
        {"amount": decimal(draw, 30, 300), "per": "period", "business_unit": draw(st.sampled_from(UNITS))},
        {"amount": decimal(draw, 20, 300), "per": "period", "campaign": draw(st.sampled_from(campaigns))},
    ]
    return some(draw, budgets, most=3)


def draw_reach(draw: Draw, labels: list[Any], channels: list[str]) -> list[dict[str, Any]]:
    reach: list[dict[str, Any]] = [
        {"share": decimal(draw, 10, 50)},
        {"share": decimal(draw, 10, 40), "segments": some(draw, labels)},
        {"customers": 1, "channel": draw(st.sampled_from(channels))},
    ]
    return some(draw, reach, most=2)


def draw_hold_out(draw: Draw) -> dict[str, Any]:
    hold_out: dict[str, Any] = {"share": decimal(draw, 10, 50)}
    if maybe(draw, 0.5):
        hold_out["key"] = "autumn"
    if maybe(draw, 0.4):
        hold_out["types"] = some(draw, list(TYPES), most=3)
    return hold_out
