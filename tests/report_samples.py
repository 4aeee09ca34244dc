"""A made-up solved plan, the size of a real one, for the tests of the page and of the words on it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from optimizer.plan_file import Plan, load_plan
from optimizer.strategy import dated_contacts_in_words

START = date(2026, 11, 30)
NASTY = "<script>alert(1)</script>"
PLAN: dict[str, Any] = {
    "name": "autumn",
    "currency": "EUR",
    "data": {"customers": "customers.csv", "permissions": "permissions.csv"},
    "period": {"start": START, "days": 28, "commit_days": 7},
    "seed": 7,
    "channels": {
        "email": {
            "unit_cost": 0.004,
            "send_days": ["mon", "tue", "wed", "thu", "fri"],
            "blackout": [date(2026, 12, 25)],
            "capacity": [{"contacts": 5000, "per": "day"}],
        },
        "mail": {"unit_cost": 0.8, "send_days": ["tue", "thu"]},
        "phone": {
            "unit_cost": 4.5,
            "send_days": ["mon", "tue", "wed", "thu", "fri", "sat"],
            "hours_per_contact": 0.2,
            "capacity": [{"hours": 160, "per": "week"}],
        },
        "sms": {"unit_cost": 0.06},
    },
    "campaigns": {
        name: {"type": kind, "from": START + timedelta(first), "to": START + timedelta(last)}
        for name, kind, first, last in [
            ("winter_sale", "promotional", 1, 14),
            ("reminder", "promotional", 8, 20),
            ("loyalty_thanks", "recognition", 0, 27),
            ("satisfaction_survey", "research", 5, 25),
            (f"insurance {NASTY}", "promotional", 0, 27),
        ]
    },
    "budget": [{"amount": 15000, "per": "period"}, {"amount": 5000, "per": "week"}],
    "reach": [{"share": 0.4}],
    "hold_out": {"share": 0.05},
}
CAMPAIGNS = list(PLAN["campaigns"])


@dataclass(frozen=True)
class Fake:
    plan: Plan
    summary: dict[str, Any]
    segments: pd.DataFrame
    streams: pd.DataFrame
    allocation: pd.DataFrame
    response_rates: pd.DataFrame
    limits: pd.DataFrame
    warnings: tuple[str, ...] = field(default=())
    rule_prices: pd.DataFrame | None = None
    permission_worth: pd.DataFrame | None = None


def fake_segments() -> pd.DataFrame:
    names = [
        "loyal, high margin",
        "frequent e-mail readers",
        f"new {NASTY}",
        "seldom buyers",
        "quiet",
        "lapsed",
    ]
    customers = [6210, 9870, 12040, 18400, 23110, 30370]
    return pd.DataFrame(
        {
            "segment": range(1, 7),
            "name": names,
            "customers": customers,
            "share": np.array(customers) / sum(customers),
            "recency_days": [12.1, 18.4, 9.8, 61.5, 120.3, 298.7],
            "orders": [14.2, 9.1, 1.6, 3.2, 1.1, 0.2],
            "margin_12m": [412.4, 187.0, 44.3, 51.9, 17.2, 2.1],
            "email_response_rate": [0.052, 0.081, 0.041, 0.022, 0.009, np.nan],
            "value": [431.2, 201.8, 88.5, 60.1, 19.9, 3.4],
        }
    )


def fake_allocation() -> pd.DataFrame:
    draw = np.random.default_rng(5)
    open_days = {"email": range(5), "mail": (1, 3), "phone": range(6), "sms": range(7)}
    size = {"email": 400, "mail": 60, "phone": 9, "sms": 90}
    rows = []
    for segment in range(1, 6):
        for campaign, entry in PLAN["campaigns"].items():
            for channel in PLAN["channels"]:
                for offset in range(28):
                    when = START + timedelta(offset)
                    shut = when.weekday() not in open_days[channel] or when == date(2026, 12, 25)
                    if shut or not entry["from"] <= when <= entry["to"] or draw.random() < 0.55:
                        continue
                    contacts = int(draw.poisson(size[channel])) + 1
                    rate, cost = 0.01 * draw.random() * (7 - segment), PLAN["channels"][channel]["unit_cost"]
                    value = contacts * (rate * 24 - cost)
                    rows.append(
                        (segment, campaign, channel, when, contacts, contacts * rate, value, contacts * cost)
                    )
    columns = [
        "segment",
        "campaign",
        "channel",
        "date",
        "contacts",
        "expected_responses",
        "expected_value",
        "cost",
    ]
    return pd.DataFrame(rows, columns=columns)


def fake_streams() -> pd.DataFrame:
    draw = np.random.default_rng(6)
    rows: list[tuple[Any, ...]] = []
    for segment in range(1, 7):
        rows.append((segment, "", "no contact", 2000, 0, 0.0, 0.0))
        for index in range(6 if segment < 6 else 0):
            length = int(draw.integers(1, 4))
            days = sorted(draw.choice(28, size=length, replace=False))
            series = [
                (START + timedelta(int(day)), CAMPAIGNS[(index + k) % 5], ["email", "sms", "phone"][k])
                for k, day in enumerate(days)
            ]
            words, customers = dated_contacts_in_words(series), int(draw.integers(100, 900))
            rows.append(
                (segment, f"s{index}", words, customers, customers * length, customers * 3.1, customers * 0.2)
            )
    columns = ["segment", "stream", "dated_contacts", "customers", "contacts", "expected_value", "cost"]
    return pd.DataFrame(rows, columns=columns)


def fake_limits() -> pd.DataFrame:
    rows = [("budget[0]", 15000.0, 15000.0, 0.0, 1.3712), ("reach[0]", 40000.0, 40000.0, 0.0, -0.0421)]
    rows += [(f"budget[1] week {w}", 5000.0, 4100.5 + 100 * w, 899.5 - 100 * w, 0.0) for w in range(1, 5)]
    rows += [
        (f"channels.phone.capacity[0] week {w}", 160.0, *((160.0, 0.0, 9.2) if w < 3 else (92.4, 67.6, 0.0)))
        for w in range(1, 5)
    ]
    rows += [
        (f"channels.email.capacity[0] {START + timedelta(d)}", 5000.0, 4000.0 - d, 1000.0 + d, 0.0)
        for d in range(20)
    ]
    limits = pd.DataFrame(rows, columns=["limit", "bound", "used", "slack", "shadow_price"])
    return limits.assign(price_from=np.nan, price_to=np.nan)


def fake_rule_prices() -> pd.DataFrame:
    rows = [
        ("policy.max_per_customer[0]", "one contact more", 812.5, 0.4),
        ("policy.min_days_between", "one day less", 0.0, 0.4),
        (f"campaigns.insurance {NASTY}.max_per_customer[0]", "one contact more", 3120.75, 160.0),
        ("channels.sms.max_per_customer[0]", "one contact more", np.nan, np.nan),
    ]
    return pd.DataFrame(rows, columns=["rule", "change", "brings", "precision"])


def fake_permission_worth() -> pd.DataFrame:
    rows = [
        (segment, channel, 100 * segment, 100 * segment, round(worth / segment, 6), round(3 * worth, 6))
        for segment in range(1, 7)
        for channel, worth in (("sms", 0.43), ("email", 1.234), ("phone", 0.0004))
        if (segment, channel) != (2, "sms")
    ]
    columns = ["segment", "channel", "customers", "customers_priced", "mean", "most"]
    return pd.DataFrame(rows, columns=columns)


def fake_result(plan: Plan) -> Fake:
    allocation, segments, streams = fake_allocation(), fake_segments(), fake_streams()
    rates = pd.DataFrame(
        [
            (s, c, ch, 0.021, 0.018, 0.0244, 12000, 252)
            for s in range(1, 7)
            for c in CAMPAIGNS
            for ch in plan.channels
        ],
        columns=["segment", "campaign", "channel", "rate", "low", "high", "contacts_seen", "responses_seen"],
    )
    value = float(allocation["expected_value"].sum())
    summary = {
        "status": "optimal",
        "expected_value": value,
        "upper_bound": value * (1 + 4e-5),
        "gap": 4e-5,
        "expected_margin": value,
        "penalties": {"total": 0.0, "limits": {}},
        "setup_costs": 0.0,
        "campaigns_used": sorted(CAMPAIGNS),
        "nodes": 1,
        "cost": float(allocation["cost"].sum()),
        "contacts": int(allocation["contacts"].sum()),
        "customers": 100_000,
        "reached": 61_234,
        "cells": 1620,
        "streams": 138,
        "seconds": {
            "read": 1.24,
            "segments": 3.9,
            "response": 2.2,
            "cells": 1.4,
            "solve": 11.7,
            "calendar": 2.5,
        },
        "inputs": {
            "customers": {"file": "customers.parquet", "rows": 100_000, "checksum": "9f2c" * 16},
            "contact_history": {
                "file": "contact_history/*.parquet",
                "rows": 1_204_511,
                "checksum": "1b7a" * 16,
            },
        },
        "versions": {"contactplan": "0.1.0", "python": "3.11.9", "highspy": "1.11.0"},
    }
    warnings = (
        "response_rates: 3 of 120 segment, campaign, channel combinations have no rate; their rate is 0.",
        f"campaign {NASTY}: its window ends after the period.",
    )
    return Fake(
        plan,
        summary,
        segments,
        streams,
        allocation,
        rates,
        fake_limits(),
        warnings,
        None,
        fake_permission_worth(),
    )


def empty_result(plan: Plan) -> Fake:
    full = fake_result(plan)
    nothing = {
        "expected_value": 0.0,
        "upper_bound": 0.0,
        "gap": 0.0,
        "expected_margin": 0.0,
        "campaigns_used": [],
        "cost": 0.0,
        "contacts": 0,
        "reached": 0,
    }
    return replace(
        full,
        summary=full.summary | nothing,
        allocation=full.allocation.iloc[:0],
        streams=full.streams[full.streams["contacts"] == 0],
        warnings=("permissions: no customer has a granted permission for any channel.",),
    )


def fake_plan(folder: Path, **changes: Any) -> Plan:
    path = folder / "plan.yaml"
    path.write_text(yaml.safe_dump(PLAN | changes, sort_keys=False), encoding="utf-8")
    return load_plan(path)
