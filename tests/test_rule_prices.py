"""What is inside the streams has a price, too: looser rules and permissions, against brute force."""

from __future__ import annotations

import tempfile
from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from oracle.brute_force import TooManyStreams, optimum
from oracle.random_plans import small_workspaces
from price_cases import Case, solved

from optimizer.permission_worth import permission_worth
from optimizer.rule_prices import rule_prices

Workspace = tuple[dict[str, Any], dict[str, pd.DataFrame]]
SEEN = {"rules": 0, "priced": 0, "permissions": 0, "worth": 0}
few = settings(
    max_examples=3,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def prices_of(case: Case) -> pd.DataFrame:
    return rule_prices(case.plan, case.tables, case.segments, case.rates, case.solution, lambda text: None)


def worth_of(case: Case) -> pd.DataFrame:
    return permission_worth(case.plan, case.problem, case.solution.linear, case.solution.pricing.book)


def two_campaigns(**changes: Any) -> Workspace:
    """A sale worth 9 and news worth 3 to A (B responds half as often), by e-mail on Monday and Wednesday."""
    often = [{"contacts": 2, "days": 7}]
    plan = {
        "name": "rules",
        "currency": "EUR",
        "period": {"start": date(2026, 11, 30), "days": 7},
        "segments": {"column": "segment"},
        "response": {"from": "table"},
        "channels": {"email": {"unit_cost": 1.0, "send_days": ["mon", "wed"]}},
        "campaigns": {
            "sale": {"type": "promotional", "channels": ["email"], "margin_per_response": 20},
            "news": {
                "type": "brand",
                "channels": ["email"],
                "margin_per_response": 8,
                "max_per_customer": often,
            },
        },
        **changes,
    }
    rates = [("A", "sale", "email", 0.5), ("A", "news", "email", 0.5)]
    rates += [("B", "sale", "email", 0.25), ("B", "news", "email", 0.25)]
    grants = pd.DataFrame({"customer_id": [1, 2, 4], "channel": "email", "status": "granted"})
    return plan, {
        "customers": pd.DataFrame({"customer_id": [1, 2, 3, 4, 5], "segment": list("AAABB")}),
        "permissions": grants,
        "response_rates": pd.DataFrame(rates, columns=["segment", "campaign", "channel", "response_rate"]),
    }


def test_rules_by_eye(tmp_path: Path) -> None:
    # With one contact in 7 days customers 1 and 2 get the sale (9), 4 too (4); a second one is the news
    # (3, 3, 1). A second sale helps only with a second contact.
    plan, tables = two_campaigns(policy={"max_per_customer": [{"contacts": 1, "days": 7}]})
    case = solved(tmp_path, plan, tables)
    assert case is not None
    prices = prices_of(case).set_index("rule").brings
    assert prices["policy.max_per_customer[0]"] == pytest.approx(3 + 3 + 1)
    assert prices["campaigns.sale.max_per_customer[0]"] == 0


def test_spacing_and_order_by_eye(tmp_path: Path) -> None:
    policy = {
        "min_days_between": 3,
        "never_together": [{"campaigns": ["sale", "news"], "days": 2}],
        "only_after": [{"campaign": "sale", "after": "news", "days": [3, 3]}],
    }
    plan, tables = two_campaigns(policy=policy)
    case = solved(tmp_path / "all", plan, tables)
    assert case is not None
    # Nothing but news (3, 3, 1). Two days apart news may follow news; the sale is kept away by two rules.
    prices = prices_of(case)
    assert prices.rule[0] == "policy.min_days_between"
    assert prices.brings.tolist() == pytest.approx([3 + 3 + 1] + [0] * (len(prices) - 1))
    policy = {"only_after": policy["only_after"]}
    case = solved(tmp_path / "order", *two_campaigns(policy=policy))
    assert case is not None
    found = prices_of(case).set_index(["rule", "change"]).brings
    # News twice (6, 6, 2), or news and then the sale (12, 12, 5).
    assert found["policy.only_after[0]", "from one day earlier"] == pytest.approx(6 + 6 + 3)
    assert found["policy.only_after[0]", "until one day later"] == 0


@few
@given(small_workspaces())
def test_rule_prices_are_those_of_brute_force(workspace: Workspace) -> None:
    plan, tables = workspace
    segments = dict(zip(tables["customers"].customer_id, tables["customers"].segment, strict=True))
    with tempfile.TemporaryDirectory() as folder:
        case = solved(Path(folder), plan, tables)
        if case is None:
            return
        prices = prices_of(case)
    for row in prices.itertuples(index=False):
        try:
            best = optimum(looser(plan, row.rule, row.change), tables, segments, tables["response_rates"])
        except TooManyStreams:
            continue
        assert best.lp_value is not None
        gain = best.lp_value - case.solution.linear_bound
        assert row.brings == pytest.approx(gain, abs=1e-5 * max(1.0, abs(best.lp_value))), row
        SEEN["rules"] += 1
        SEEN["priced"] += gain > 1e-4


def looser(plan: dict[str, Any], rule: str, change: str) -> dict[str, Any]:
    """The plan with a rule one step looser, read from its path."""
    plan = deepcopy(plan)
    place, _, index = rule.removesuffix("]").partition("[")
    *path, key = place.split(".")
    block = plan
    for word in path:
        block = block[word]
    if key == "min_days_between":
        block[key] -= 1
    elif key == "never_together":
        block[key][int(index)]["days"] -= 1
        block[key] = [entry for entry in block[key] if entry["days"] >= 0]
    elif key == "only_after":
        block[key][int(index)]["days"][0 if "earlier" in change else 1] += -1 if "earlier" in change else 1
    else:
        block.setdefault(key, [{"contacts": 1, "days": 28}])
        block[key][int(index)]["contacts"] += 1
    return plan


def test_permissions_by_eye(tmp_path: Path) -> None:
    # Customer 3 of A would be worth 9 + 3, customer 5 of B 4 + 1; a budget of 4 leaves two contacts of A
    # and those of B at a price of 3: 6 for A, 1 for B.
    plan, tables = two_campaigns()
    case = solved(tmp_path / "free", plan, tables)
    assert case is not None
    free = worth_of(case)
    assert free.segment.tolist() == ["A", "B"]
    assert (free.channel == "email").all()
    assert (free.customers == 1).all()
    assert free["mean"].tolist() == pytest.approx([12, 5])
    assert free["most"].tolist() == pytest.approx([12, 5])
    case = solved(tmp_path / "held", {**plan, "budget": [{"amount": 3.5}]}, tables)
    assert case is not None
    assert case.solution.linear.prices.tolist() == pytest.approx([3])
    assert worth_of(case)["most"].tolist() == pytest.approx([6, 1])


@few
@given(small_workspaces(everything=True))
def test_no_permission_granted_brings_more_than_its_worth(workspace: Workspace) -> None:
    plan, tables = workspace
    if "hold_out" in plan:
        plan = {key: value for key, value in plan.items() if key != "hold_out"}
    customers = tables["customers"]
    segments = dict(zip(customers.customer_id, customers.segment, strict=True))
    with tempfile.TemporaryDirectory() as folder:
        case = solved(Path(folder), plan, tables)
    # Of campaigns still to be decided on more might come into use: their prices do not say that.
    if case is None or case.solution.pricing.switches:
        return
    worth = worth_of(case).set_index(["segment", "channel"])
    for one in customers.customer_id.tolist()[:3]:
        channel = next(iter(plan["channels"]))
        rows = tables["permissions"]
        others = rows[~((rows.customer_id == one) & (rows.channel == channel))]
        grant = pd.DataFrame({"customer_id": [one], "channel": [channel], "status": ["granted"]})
        granted = pd.concat([others, grant], ignore_index=True).astype(
            {"customer_id": rows.customer_id.dtype}
        )
        try:
            best = optimum(plan, {**tables, "permissions": granted}, segments, tables["response_rates"])
        except TooManyStreams:
            continue
        assert best.lp_value is not None
        gain, key = best.lp_value - case.solution.linear_bound, (str(segments[one]), channel)
        most = float(worth.loc[key, "most"]) if key in worth.index else 0.0
        assert gain <= most + 1e-5 * max(1.0, abs(best.lp_value))
        SEEN["permissions"] += 1
        SEEN["worth"] += gain > 1e-4


def test_enough_was_seen() -> None:
    assert SEEN["rules"] >= 6
    assert SEEN["priced"] >= 1
    assert SEEN["permissions"] >= 2
