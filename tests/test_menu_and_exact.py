"""Choosing from a menu beside planning one by one: on few customers both come to the same."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from oracle.workspace_files import write_workspace
from scipy import sparse

from optimizer import pipeline
from optimizer.plan_file import load_plan
from optimizer.result import Result
from optimizer.rows import Rows
from optimizer.ties import cheapest_counts

CUSTOMERS = 400
CHANNELS = {"email": 1, "phone": 20}
DAYS = {"email": ["mon", "wed", "fri"], "phone": ["tue"]}


def channels(times: int = 1) -> dict[str, Any]:
    return {name: {"unit_cost": times * cost, "send_days": DAYS[name]} for name, cost in CHANNELS.items()}


def plan_of(**changes: Any) -> dict[str, Any]:
    return {
        "name": "menu",
        "currency": "JPY",
        "period": {"start": date(2026, 11, 30), "days": 14},
        "segments": {"column": "segment"},
        "response": {"from": "table"},
        "channels": channels(),
        "campaigns": {
            "sale": {"type": "promotional", "margin_per_response": 300},
            "card": {"type": "promotional", "margin_per_response": 200},
            "news": {"type": "promotional", "margin_per_response": 100},
        },
        "policy": {"max_per_customer": [{"contacts": 2, "days": 7}], "min_days_between": 1},
        **changes,
    }


def tables() -> dict[str, pd.DataFrame]:
    ids = np.arange(1, CUSTOMERS + 1)
    rates = [
        (g, name, channel, 0.05 * g * (1 + (channel == "phone")))
        for g in (1, 2)
        for name in ("sale", "card", "news")
        for channel in CHANNELS
    ]
    return {
        "customers": pd.DataFrame({"customer_id": ids, "segment": 1 + ids % 2}),
        "permissions": pd.DataFrame(
            [(i, name, "granted") for i in ids for name in CHANNELS if (i + len(name)) % 5],
            columns=["customer_id", "channel", "status"],
        ),
        "response_rates": pd.DataFrame(rates, columns=["segment", "campaign", "channel", "response_rate"]),
    }


def both(folder: Path, more: dict[str, pd.DataFrame] | None = None, **changes: Any) -> tuple[Result, Result]:
    told = {**tables(), **(more or {})}
    menu = write_workspace(folder / "menu", plan_of(merge_above=1, **changes), told)
    exact = write_workspace(folder / "exact", plan_of(**changes), told)
    found = pipeline.run(load_plan(menu)), pipeline.run(load_plan(exact))
    assert [result.summary["chosen_from_menu"] for result in found] == [True, False]
    return found


@pytest.mark.parametrize("objective", [{"minimize": "cost"}, {"maximize": "expected_margin"}])
def test_a_minimum_is_met_however_dear_it_is(objective: dict[str, str], tmp_path: Path) -> None:
    dear = channels(times=50_000)
    menu, exact = both(tmp_path, objective=objective, channels=dear, reach=[{"share": 0.5}])
    assert menu.summary["reached"] == exact.summary["reached"] == CUSTOMERS // 2
    assert menu.summary["expected_value"] == pytest.approx(exact.summary["expected_value"], rel=1e-4)


def test_costs_that_the_objective_leaves_out_are_saved_all_the_same(tmp_path: Path) -> None:
    goal = {"maximize": "reach"}
    menu, exact = both(tmp_path, objective=goal, budget=[{"amount": 15000, "per": "period"}])
    assert menu.summary["reached"] == exact.summary["reached"]
    assert menu.summary["cost"] == pytest.approx(exact.summary["cost"])


def test_own_costs_are_saved_too(tmp_path: Path) -> None:
    """By the channels' costs e-mail is the cheaper one, by the customers' own it is the dearer."""
    own = [
        (i, name, channel, cost)
        for i in range(1, CUSTOMERS + 1)
        for name in ("sale", "card", "news")
        for channel, cost in (("email", 30 + i % 3), ("phone", 1 + i % 2))
    ]
    scores = pd.DataFrame(own, columns=["customer_id", "campaign", "channel", "cost_per_contact"])
    goal, same = {"maximize": "reach"}, {name: {"unit_cost": 1, "send_days": DAYS[name]} for name in CHANNELS}
    menu, exact = both(tmp_path, more={"scores": scores}, objective=goal, channels=same)
    assert menu.summary["reached"] == exact.summary["reached"]
    assert menu.summary["cost"] == pytest.approx(exact.summary["cost"])


def test_of_plans_worth_the_same_the_cheapest_is_found() -> None:
    """Three customers, each by phone or by e-mail; the limit leaves room for two e-mails."""
    rows = Rows(np.array([2.0]), np.array([False]), np.array([np.inf]), np.zeros((1, 0)), np.zeros(0))
    use = sparse.csr_array(np.array([[0.0], [1.0]]))
    found = cheapest_counts(
        rows, group=np.array([0, 0]), sizes=np.array([3]), spent=np.array([1.0, 0.05]), value=np.ones(2),
        least=3.0, use=use, left=np.array([2.0]), now=np.zeros(1),
    )  # fmt: skip
    assert found is not None
    assert found.tolist() == [1, 2]
