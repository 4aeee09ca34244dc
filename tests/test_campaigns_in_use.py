"""Campaigns that are used or not: cases small enough to check by eye."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from oracle.workspace_files import write_workspace

from optimizer import pipeline
from optimizer.faults import BadInput
from optimizer.plan_file import load_plan
from optimizer.result import Result

START = date(2026, 11, 30)
NO_RATES = [("none", "push", 0.0)]


def run(
    folder: Path, rates: list[tuple[str, str, float]], earlier: Path | None = None, **plan: Any
) -> Result:
    """Three alike customers who may be sent everything; rates by campaign and channel."""
    whole = {
        "name": "use",
        "currency": "EUR",
        "period": {"start": START, "days": 7},
        "segments": {"column": "segment"},
        "response": {"from": "table"},
        **plan,
    }
    tables = {
        "customers": pd.DataFrame({"customer_id": ["1", "2", "3"], "segment": ["A"] * 3}),
        "permissions": pd.DataFrame(
            {"customer_id": ["1"], "channel": [next(iter(plan["channels"]))], "status": ["granted"]}
        ),
        "response_rates": pd.DataFrame(
            [("A", *rate) for rate in rates], columns=["segment", "campaign", "channel", "response_rate"]
        ),
    }
    return pipeline.run(load_plan(write_workspace(folder, whole, tables)), earlier_run=earlier)


def channel(**settings: Any) -> dict[str, Any]:
    return {"unit_cost": 0.0, "default_permission": "granted", "send_days": ["mon"], **settings}


def test_nobody_gets_a_campaign_whose_setup_is_not_paid(tmp_path: Path) -> None:
    # One day, so one contact each. Mail takes one hour of 1.5, phone one of 0.7: one mail can be sent.
    # Two must be reached: one more by `loss` (-50,000), or by `dear` (setup 100,000). Best: 1,000 - 50,000.
    hours = {"hours_per_contact": 1.0}
    result = run(
        tmp_path,
        [("sale", "mail", 1.0), ("sale", "phone", 1.0), ("dear", "push", 1.0), ("loss", "push", 1.0)],
        channels={
            "mail": channel(**hours, capacity=[{"hours": 1.5, "per": "period"}]),
            "phone": channel(**hours, capacity=[{"hours": 0.7, "per": "period"}]),
            "push": channel(),
        },
        campaigns={
            "sale": {"type": "promotional", "channels": ["mail", "phone"], "margin_per_response": 1000},
            "loss": {"type": "promotional", "channels": ["push"], "cost_per_contact": 50_000},
            "dear": {
                "type": "promotional",
                "channels": ["push"],
                "margin_per_response": 10,
                "setup_cost": 100_000,
            },
        },
        reach=[{"customers": 2}],
    )
    assert sorted(result.calendar.campaign) == ["loss", "sale"]
    assert result.summary["expected_value"] == pytest.approx(-49_000)
    assert result.summary["upper_bound"] >= -49_000
    assert result.summary["setup_costs"] == 0


def test_of_plans_that_reach_as_many_the_cheapest_is_taken(tmp_path: Path) -> None:
    # Everybody can be reached by mail at 1 or by phone at 3, or by both, which serves nothing.
    result = run(
        tmp_path,
        NO_RATES,
        objective={"maximize": "reach"},
        channels={"mail": channel(unit_cost=1.0), "phone": channel(unit_cost=3.0, send_days=["tue"])},
        campaigns={
            "news": {"type": "brand", "channels": ["mail"]},
            "call": {"type": "brand", "channels": ["phone"], "setup_cost": 5},
        },
    )
    assert result.summary["expected_value"] == 3
    assert result.summary["cost"] == pytest.approx(3)
    assert set(result.calendar.channel) == {"mail"}


def test_a_plan_without_campaigns_is_empty(tmp_path: Path) -> None:
    result = run(tmp_path, NO_RATES, channels={"push": channel()}, campaigns={})
    assert result.summary["contacts"] == 0
    assert result.summary["why_empty"]


@pytest.mark.parametrize("damage", ["truncated", "without final", "final in words"])
def test_a_damaged_earlier_run_is_bad_input(tmp_path: Path, damage: str) -> None:
    earlier = tmp_path / "runs" / "2026-11-23"
    earlier.mkdir(parents=True)
    row = {
        "customer_id": ["1"],
        "contact_on": [START],
        "channel": ["push"],
        "campaign": ["news"],
        "cost": [0.0],
    }
    final = {} if damage == "without final" else {"final": ["yes" if damage == "final in words" else True]}
    file = earlier / "calendar.parquet"
    pd.DataFrame({**row, **final}).to_parquet(file)
    if damage == "truncated":
        file.write_bytes(file.read_bytes()[:100])
    news = {"news": {"type": "brand", "channels": ["push"]}}
    with pytest.raises(BadInput) as caught:
        run(tmp_path, NO_RATES, earlier, channels={"push": channel()}, campaigns=news)
    assert caught.value.faults[0].where == "runs/2026-11-23/calendar.parquet"
