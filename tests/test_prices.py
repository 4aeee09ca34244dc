"""Shadow prices and their ranges: duality on random plans, and cases by eye."""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from oracle.random_plans import small_workspaces
from oracle.random_workspace import random_workspace
from oracle.workspace_files import write_workspace
from price_cases import Case, solved

from optimizer import pipeline
from optimizer.outcome import limits_table
from optimizer.plan_file import load_plan
from optimizer.prices import fixed_tolls, price_ranges

Workspace = tuple[dict[str, Any], dict[str, pd.DataFrame]]
SEEN = {"plans": 0, "prices": 0, "ends": 0, "campaigns fixed": 0}
MOST_LIMITS = 3


def one_campaign(**changes: Any) -> Workspace:
    """Four customers of A (worth 9 each by mail at a cost of 1) and three of B (worth 4), one send day."""
    plan = {
        "name": "prices",
        "currency": "EUR",
        "period": {"start": date(2026, 11, 30), "days": 7},
        "segments": {"column": "segment"},
        "response": {"from": "table"},
        "channels": {"mail": {"unit_cost": 1.0, "default_permission": "granted", "send_days": ["mon"]}},
        "campaigns": {"sale": {"type": "promotional", "channels": ["mail"], "margin_per_response": 10}},
        **changes,
    }
    rates = [("A", "sale", "mail", 1.0), ("B", "sale", "mail", 0.5)]
    return plan, {
        "customers": pd.DataFrame({"customer_id": range(7), "segment": list("AAAABBB")}),
        "permissions": pd.DataFrame({"customer_id": [0], "channel": ["mail"], "status": ["granted"]}),
        "response_rates": pd.DataFrame(rates, columns=["segment", "campaign", "channel", "response_rate"]),
    }


@pytest.mark.parametrize(
    ("changes", "price", "ends"),
    [
        # The fifth and the sixth contact are B's: 4 for a cost of 1, from four contacts up to seven.
        ({"budget": [{"amount": 5.5}]}, 4, (4, 7)),
        ({"budget": [{"amount": 2}]}, 9, (0, 4)),
        ({"budget": [{"amount": 9}]}, 0, (7, np.inf)),
        # B's contacts cost 2.5 more than they bring: at most four are sent freely.
        ({"reach": [{"customers": 6}], "campaigns": {"sale": {"cost_per_contact": 6.5}}}, -2.5, (4, 7)),
        ({"reach": [{"customers": 3}], "campaigns": {"sale": {"cost_per_contact": 6.5}}}, 0, (0, 4)),
        # Beyond the penalty it is missed: the price is that, and has no upper end.
        ({"reach": [{"customers": 9, "soft": 3}], "campaigns": {"sale": {"cost_per_contact": 6.5}}},
         -3, (7, np.inf)),
    ],
)  # fmt: skip
def test_ranges_by_eye(
    tmp_path: Path, changes: dict[str, Any], price: float, ends: tuple[float, float]
) -> None:
    plan, tables = one_campaign()
    for key, change in changes.items():
        if key == "campaigns":
            plan[key]["sale"] |= change["sale"]
        else:
            plan[key] = change
    case = solved(tmp_path, plan, tables)
    assert case is not None
    row = limits_table(case.problem.limits, case.solution).iloc[0]
    assert row.shadow_price == pytest.approx(price)
    assert (row.price_from, row.price_to) == pytest.approx(ends)


def test_no_range_for_the_limit_of_a_campaign_not_in_use(tmp_path: Path) -> None:
    plan, tables = one_campaign(budget=[{"amount": 3, "campaign": "sale"}])
    plan["campaigns"]["sale"]["setup_cost"] = 40
    case = solved(tmp_path / "dear", plan, tables)
    assert case is not None
    assert limits_table(case.problem.limits, case.solution).price_to.isna().all()
    plan["campaigns"]["sale"]["setup_cost"] = 20
    case = solved(tmp_path / "cheap", plan, tables)
    assert case is not None
    row = limits_table(case.problem.limits, case.solution).iloc[0]
    assert (row.shadow_price, row.price_from, row.price_to) == pytest.approx((9, 0, 4))


def test_setup_costs_and_commitments_are_part_of_the_bound(tmp_path: Path) -> None:
    plan, tables = one_campaign(budget=[{"amount": 8.5}])
    plan["campaigns"]["sale"]["setup_cost"] = 2
    promises = [(0, date(2026, 12, 1), "mail", "bill", 1.0)]
    columns = ["customer_id", "contact_on", "channel", "campaign", "cost"]
    case = solved(tmp_path, plan, {**tables, "commitments": pd.DataFrame(promises, columns=columns)})
    assert case is not None
    row = limits_table(case.problem.limits, case.solution).iloc[0]
    assert (row.shadow_price, row.price_from, row.price_to) == pytest.approx((4, 2 + 1 + 4, 2 + 1 + 7))


@settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(small_workspaces(everything=True))
def test_duality_and_ranges_on_random_plans(workspace: Workspace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        case = solved(Path(folder), *workspace)
    if case is None:
        return
    SEEN["plans"] += 1
    SEEN["campaigns fixed"] += len(case.solution.pricing.switches) > 0
    check_duality(case)
    prices = case.solution.linear.prices
    order = np.argsort(-np.abs(prices), kind="stable")
    ranges = price_ranges(case.solution.pricing, case.solution.linear)
    for r in order[:MOST_LIMITS].tolist():
        if not np.isnan(ranges[r]).any():
            SEEN["prices"] += abs(prices[r]) > 1e-9
            check_range(case, r, *ranges[r])


def check_duality(case: Case) -> None:
    """Signs, strong duality and complementary slackness of the program with its campaigns fixed."""
    linear, pricing = case.solution.linear, case.solution.pricing
    rows, used = pricing.rows, np.rint(linear.used)
    prices, scale = linear.prices, max(1.0, abs(linear.bound))
    assert (prices[rows.at_least] <= 0).all()
    assert (prices[~rows.at_least] >= 0).all()
    assert (np.abs(prices) <= rows.soft).all()
    live = np.flatnonzero(pricing.cells.customers > 0)
    worth = pricing.worth(prices, fixed_tolls(used, len(pricing.cells)))
    _, _, best = pricing.search(worth, live, np.zeros(len(live)), 1e-10, 1 << 20)
    left = rows.left(used)
    dual = pricing.cells.customers[live] @ best + prices @ left - rows.setup @ used
    use = pricing.use(linear.cell, linear.stream).T @ linear.amount
    value = pricing.value(linear.cell, linear.stream) @ linear.amount - rows.setup @ used
    assert value - rows.penalty(use, used) == pytest.approx(dual, abs=1e-6 * scale)
    assert linear.bound == pytest.approx(dual, abs=1e-6 * scale)
    held = rows.missed(use, used) <= 1e-6 * np.maximum(1.0, np.abs(left))
    assert (held | np.isclose(np.abs(prices), rows.soft)).all()
    tight = np.isclose(use, left, atol=1e-6)
    assert (tight | ~held | (np.abs(prices) <= 1e-7)).all()


def check_range(case: Case, r: int, low: float, high: float) -> None:
    """Inside its range the price says the bound's change, beyond it the change is never more."""
    limit, linear = case.problem.limits[r], case.solution.linear
    now, price = max(limit.bound, limit.committed), float(linear.prices[r])
    close = 1e-6 * max(1.0, abs(linear.bound))
    for end, side in ((low, -1.0), (high, 1.0)):
        step = end - now if np.isfinite(end) else 2.5 * side
        if now + step >= limit.committed:  # a share's upper limit below 0 is none to solve for
            assert case.bound_with(r, step) - linear.bound == pytest.approx(price * step, abs=close)
        beyond = step + 0.4 * side
        if np.isfinite(end) and now + beyond >= limit.committed:
            SEEN["ends"] += 1
            assert case.bound_with(r, beyond) - linear.bound <= price * beyond + close


def test_enough_was_seen() -> None:
    assert SEEN["plans"] >= 5
    assert SEEN["campaigns fixed"] >= 3
    assert SEEN["prices"] >= 8
    assert SEEN["ends"] >= 8


@pytest.mark.parametrize("seed", [5])
def test_a_looser_limit_never_lowers_the_bound(tmp_path: Path, seed: int) -> None:
    plan, tables = random_workspace(16, seed)
    base = solved(tmp_path / "base", plan, tables)
    assert base is not None
    entries = plan["channels"]["email"]["capacity"]
    raised = [{**entries[0], "contacts": entries[0]["contacts"] + 2}]
    email = {**plan["channels"]["email"], "capacity": raised}
    looser = [
        {**plan, "channels": {**plan["channels"], "email": email}},
        {**plan, "budget": plan["budget"][1:], "reach": plan.get("reach", [])[1:]},
    ]
    for n, changed in enumerate(looser):
        case = solved(tmp_path / str(n), changed, tables)
        assert case is not None
        one, other = base.solution.whole, case.solution.whole
        gaps = one.bound - one.value + other.bound - other.value
        assert case.solution.linear_bound >= base.solution.linear_bound * (1 - 1e-9)
        assert other.value >= one.value - gaps - 1e-6
        assert other.bound >= one.value - 1e-6


def test_the_order_of_the_customers_changes_nothing(tmp_path: Path) -> None:
    plan, tables = random_workspace(12, 7)
    turned = {name: table.iloc[::-1].reset_index(drop=True) for name, table in tables.items()}
    one = pipeline.run(load_plan(write_workspace(tmp_path / "one", plan, tables)))
    two = pipeline.run(load_plan(write_workspace(tmp_path / "two", plan, turned)))
    pd.testing.assert_frame_equal(one.calendar, two.calendar)
    pd.testing.assert_frame_equal(one.limits, two.limits)
    pd.testing.assert_frame_equal(one.permission_worth, two.permission_worth)
