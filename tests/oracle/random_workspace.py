"""Plans for many customers with a realistic policy, drawn from a seed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from .many_customers import (
    CAMPAIGNS,
    CHANNELS,
    DAYS,
    START,
    draw_commitments,
    draw_customers,
    draw_history,
    draw_permissions,
    draw_rates,
    draw_restrictions,
)


def random_workspace(customers: int, seed: int) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
    """A plan mapping and its tables for so many customers; the same seed gives the same workspace."""
    rng = np.random.default_rng(seed)
    people = draw_customers(rng, customers)
    plan = draw_plan(rng, customers)
    ids = people["customer_id"].to_numpy()
    tables = {
        "customers": people,
        "permissions": draw_permissions(rng, ids),
        "contact_history": draw_history(rng, ids),
        "commitments": draw_commitments(rng, ids),
        "restrictions": draw_restrictions(rng, ids),
        "response_rates": draw_rates(rng),
    }
    return plan, tables


def draw_plan(rng: np.random.Generator, customers: int) -> dict[str, Any]:
    def maybe() -> bool:
        return bool(rng.random() < 0.7)

    plan: dict[str, Any] = {
        "name": "many",
        "currency": "EUR",
        "period": {"start": START, "days": DAYS, "commit_days": 7},
        "seed": int(rng.integers(100)),
        "objective": {"maximize": "expected_margin"},
        "segments": {"column": "segment"},
        "response": {"from": "table"},
        "channels": draw_channels(rng, customers),
        "campaigns": draw_campaigns(rng, customers),
        "policy": draw_policy(rng),
        "budget": draw_budget(rng, customers),
        "reach": [
            {"share": 0.2},
            {"share": 0.25, "segments": [1, 2]},
            {"customers": customers // 10, "channel": "email"},
        ][: rng.integers(4)],
    }
    if maybe():
        plan["fatigue"] = {"keep": float(rng.choice([0.7, 0.85, 0.95])), "days": int(rng.choice([7, 14, 28]))}
    if maybe():
        plan["hold_out"] = {"share": 0.05, "key": f"key{rng.integers(1000)}"}
    return {key: value for key, value in plan.items() if value != []}


def draw_channels(rng: np.random.Generator, customers: int) -> dict[str, dict[str, Any]]:
    channels: dict[str, dict[str, Any]] = {}
    for name, (unit_cost, _, _, default) in CHANNELS.items():
        weekdays = rng.choice(["mon", "tue", "wed", "thu", "fri"], size=rng.integers(2, 4), replace=False)
        channels[name] = {"unit_cost": unit_cost, "send_days": sorted(map(str, weekdays))}
        if default == "granted":
            channels[name]["default_permission"] = default
    channels["email"]["blackout"] = [START + timedelta(days=int(rng.integers(DAYS)))]
    channels["email"]["capacity"] = [{"contacts": customers // 6, "per": "day"}]
    channels["email"]["max_per_customer"] = [{"contacts": 2, "days": 7}]
    channels["sms"]["capacity"] = [{"contacts": customers // 10, "per": "week"}]
    channels["mail"]["capacity"] = [{"contacts": customers // 8, "per": "period"}]
    channels["phone"]["hours_per_contact"] = 0.2
    channels["phone"]["capacity"] = [
        {"hours": round(customers * 0.004, 1), "per": "week"},
        {"contacts": customers // 200, "per": "day"},
        {"contacts": 0, "per": "day", "on": [START + timedelta(days=24)]},
    ]
    channels["phone"]["max_per_customer"] = [{"contacts": 1, "days": 28}]
    return channels


def draw_campaigns(rng: np.random.Generator, customers: int) -> dict[str, dict[str, Any]]:
    campaigns: dict[str, dict[str, Any]] = {}
    for name, (kind, unit, channels, margin) in CAMPAIGNS.items():
        campaign: dict[str, Any] = {"type": kind, "channels": list(channels), "margin_per_response": margin}
        if unit is not None:
            campaign["business_unit"] = unit
        if rng.random() < 0.5:
            campaign["from"] = START + timedelta(days=int(rng.integers(-14, 8)))
        if rng.random() < 0.5:
            campaign["to"] = START + timedelta(days=int(rng.integers(14, 40)))
        if rng.random() < 0.3:
            campaign["cost_per_contact"] = 0.05
        if rng.random() < 0.2:
            campaign["max_per_customer"] = [{"contacts": 2, "days": 21}]
        campaigns[name] = campaign
    campaigns["thank_you"]["value_per_contact"] = 0.12
    campaigns["loan_offer"]["audience"] = "margin_12m > 20"
    campaigns["winter_sale"]["audience"] = "region == 'north' or margin_12m > 50"
    campaigns["savings"]["segments"] = [1, 2, 3, 4]
    campaigns["survey"]["contacts"] = {"min": customers // 100, "max": customers // 20}
    campaigns["card_offer"]["contacts"] = {"max": customers // 10}
    return campaigns


def draw_policy(rng: np.random.Generator) -> dict[str, Any]:
    policy: dict[str, Any] = {
        "max_per_customer": [
            {"contacts": int(rng.integers(1, 4)), "days": int(rng.choice([7, 10, 14]))},
            {"contacts": 1, "days": 14, "types": ["promotional"], "channels": ["phone", "mail"]},
        ],
        "restrictions": {
            "complaint": {"blocks": ["promotional", "research"], "days_after": 7},
            "debt": {"blocks": ["promotional"]},
            "deceased": {"blocks": "all"},
            "objects_to_profiling": {"blocks": [], "excludes_from": ["segments", "response"]},
        },
    }
    if rng.random() < 0.7:
        policy["min_days_between"] = int(rng.integers(1, 4))
    if rng.random() < 0.7:
        policy["never_together"] = [
            {"campaigns": ["winter_sale", "price_rise"], "days": int(rng.integers(3, 15))}
        ]
    if rng.random() < 0.7:
        policy["only_after"] = [{"campaign": "reminder", "after": "winter_sale", "days": [3, 10]}]
    return policy


def draw_budget(rng: np.random.Generator, customers: int) -> list[dict[str, Any]]:
    """Some of a period's, a week's, a business unit's and a campaign's budget; the first always."""
    budgets: list[dict[str, Any]] = [
        {"amount": round(customers * 0.15, 2), "per": "period"},
        {"amount": round(customers * 0.06, 2), "per": "week"},
        {"amount": round(customers * 0.05, 2), "per": "period", "business_unit": "retail"},
        {"amount": round(customers * 0.02, 2), "per": "period", "campaign": "winter_sale"},
    ]
    return budgets[: rng.integers(1, 5)]
