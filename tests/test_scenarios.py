"""Named scenarios of a plan file, and the table that compares their results."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from plan_texts import FULL, load

from optimizer import pipeline
from optimizer.faults import BadInput
from optimizer.plan_file import Plan, load_plan
from optimizer.scenarios import compare, scenario

PLAN = """
name: three_shops
currency: EUR
period: {start: 2026-11-30, days: 7}
data: {customers: customers.csv, permissions: permissions.csv, response_rates: rates.csv}
segments: {column: segment}
response: {from: table}
channels: {email: {unit_cost: 1}}
campaigns: {sale: {type: promotional, margin_per_response: 10}}
budget: [{amount: 2}]
scenarios:
  no_money: {budget: [{amount: 0}]}
  rich: {budget: [{amount: 100}]}
"""


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Three customers, two of them worth 10 × 0.5 − 1 = 4 an e-mail and one worth 10 × 0.3 − 1 = 2."""
    tables = {
        "customers": "customer_id,segment\n1,a\n2,a\n3,b\n",
        "permissions": "customer_id,channel,status\n1,email,granted\n2,email,granted\n3,email,granted\n",
        "rates": "segment,campaign,channel,response_rate\na,sale,email,0.5\nb,sale,email,0.3\n",
    }
    for name, text in tables.items():
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    (tmp_path / "plan.yaml").write_text(PLAN, encoding="utf-8")
    return load_plan(tmp_path)


def result(**summary: Any) -> Any:
    return SimpleNamespace(summary=summary)


def test_a_scenario_is_the_plan_with_its_patch(tmp_path: Path) -> None:
    plan = load(tmp_path, FULL)
    closed = scenario(plan, "closed")
    assert [(entry.contacts, entry.per) for entry in closed.channels["phone"].capacity] == [(0, "day")]
    assert closed.channels["phone"].unit_cost == 4.5, "mappings are merged"
    assert [budget.amount for budget in scenario(plan, "richer").budget] == [18000], "lists are replaced"
    assert scenario(plan, "base") is plan


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("close", "Did you mean 'closed'?"), ("xyz", "Known here: base, closed, richer.")],
)
def test_an_unknown_scenario(tmp_path: Path, name: str, remedy: str) -> None:
    with pytest.raises(BadInput) as caught:
        scenario(load(tmp_path, FULL), name)
    (fault,) = caught.value.faults
    assert (fault.where, fault.rule, fault.remedy) == ("scenarios", f"there is no scenario {name!r}", remedy)


def test_comparison_of_solved_scenarios(plan: Plan) -> None:
    results = {name: pipeline.run(scenario(plan, name)) for name in ("rich", "base", "no_money")}
    table = compare(results)
    expected = pd.DataFrame(
        {
            "scenario": ["base", "rich", "no_money"],
            "status": ["optimal"] * 3,
            "expected_value": [8.0, 10.0, 0.0],
            "upper_bound": [8.0, 10.0, 0.0],
            "cost": [2.0, 3.0, 0.0],
            "contacts": [2, 3, 0],
            "reached": [2, 3, 0],
            "expected_value_difference": [0.0, 2.0, -8.0],
            "upper_bound_difference": [0.0, 2.0, -8.0],
            "cost_difference": [0.0, 1.0, -2.0],
            "contacts_difference": [0, 1, -2],
            "reached_difference": [0, 1, -2],
        }
    )
    pd.testing.assert_frame_equal(table, expected, check_dtype=False, rtol=1e-9)


def test_differences_are_whole_where_the_figures_are() -> None:
    figures = {"status": "optimal", "expected_value": 1.5, "upper_bound": 1.6, "cost": 1.0, "reached": 4}
    table = compare({"base": result(**figures, contacts=7), "more": result(**figures, contacts=9)})
    assert table.contacts_difference.tolist() == [0, 2]
    assert table.contacts_difference.dtype == "int64"


def test_nothing_to_compare_with() -> None:
    with pytest.raises(BadInput, match="'base'"):
        compare({})
