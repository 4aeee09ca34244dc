"""The judges of the tests are judged: objectives, setup costs, minimums if used, soft limits, by hand.

A sale brings A 5 at a cost of 1 and B 1 at a cost of 1; a call brings A 10 at a cost of 2 and B nothing.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from oracle import (
    breaches,
    calendar_of,
    objective_of,
    penalties_of,
    penalty_costs_of,
    read_world,
)
from oracle_cases import RATES, best, on, plan_of, tables_of, with_campaign, with_channel

MINIMIZE_COST = {"minimize": "cost"}


def approx(value: float | None) -> Any:
    return None if value is None else pytest.approx(value, abs=1e-9)


def plan_with(call: dict[str, Any] | None = None, sale: dict[str, Any] | None = None, **changes: Any) -> Any:
    """The plan of the cases with changes to both campaigns and to the plan."""
    campaigns = plan_of()["campaigns"]
    both = {"sale": {**campaigns["sale"], **(sale or {})}, "call": {**campaigns["call"], **(call or {})}}
    return plan_of(campaigns=both, **changes)


@pytest.mark.parametrize(
    ("objective", "value"),
    [
        ({"maximize": "expected_margin"}, 12 + 12),  # both for A; B's sale is worth 0, its call −2
        ({"maximize": "expected_revenue"}, 20 + 20 + 3),  # 0.5 × 30 + 1 × 5, for B 0.1 × 30
        ({"maximize": "expected_responses"}, 1.5 + 1.5 + 0.1),
        ({"maximize": "reach"}, 3),
        (MINIMIZE_COST, 0),
    ],
)
def test_objectives(objective, value):
    plan = plan_with({"revenue_per_response": 5}, {"revenue_per_response": 30}, objective=objective)
    result = best(plan, labels="AAB")
    assert (result.lp_value, result.integer_value) == (approx(value), approx(value))


def test_least_cost_under_a_minimum():
    # Half of three customers: 1.5 sales, in whole numbers 2.
    result = best(plan_of(objective=MINIMIZE_COST, reach=[{"share": 0.5}]))
    assert (result.lp_value, result.integer_value) == (approx(-1.5), approx(-2))


@pytest.mark.parametrize(
    ("goal", "value"),
    [("expected_margin", 24 + 12 - 1), ("expected_revenue", 15), ("expected_responses", 4.5), ("reach", 3)],
)
def test_setup_costs_are_part_of_margin_and_cost_only(goal, value):
    plan = plan_with({"setup_cost": 1, "revenue_per_response": 5}, objective={"maximize": goal})
    assert best(plan).integer_value == approx(value)


def test_setup_cost_is_part_of_least_cost():
    reach = [{"customers": 1, "channel": "phone"}]
    assert best(plan_with({"setup_cost": 5}, objective=MINIMIZE_COST, reach=reach)).integer_value == approx(
        -7
    )


def test_penalties_are_part_of_every_objective():
    # Reach all three, though the budget is 2: the third costs 0.25; with a penalty of 2 two are best.
    for price, value in [(0.25, 2.75), (2, 2)]:
        budget = [{"amount": 2, "per": "period", "soft": price}]
        assert best(plan_of(objective={"maximize": "reach"}, budget=budget)).integer_value == approx(value)
    reach = [{"customers": 3, "soft": 0.4}]  # cheaper to miss than 1 a customer
    assert best(plan_of(objective=MINIMIZE_COST, reach=reach)).integer_value == approx(-1.2)


def test_setup_cost_is_paid_once_if_used():
    result = best(plan_with({"setup_cost": 10}))
    assert result.integer_value == approx(12 + 24 - 10)
    assert result.used == {"sale", "call"}
    dear = best(plan_with({"setup_cost": 30}))
    assert (dear.lp_value, dear.integer_value) == (approx(12), approx(12))
    assert dear.used == {"sale"}


def test_setup_cost_in_fractions():
    # One call of three customers takes a third of the campaign: 8 − 6 / 3.
    plan = with_channel("phone", capacity=[{"contacts": 1, "per": "period"}])
    plan["campaigns"]["call"]["setup_cost"] = 6
    result = best(plan)
    assert (result.lp_value, result.integer_value) == (approx(12 + 6), approx(12 + 2))
    # Its own budget times the third is too little for a call: all of the campaign or none.
    plan["budget"] = [{"amount": 2, "per": "period", "campaign": "call"}]
    assert best(plan).lp_value == approx(12 + 2)
    plan["budget"] = [{"amount": 2, "per": "week", "campaign": "call"}]  # not for the period: as it was
    assert best(plan).lp_value == approx(12 + 6)
    # Two kinds of customers: an A's call takes all of its group, 8 − 6.
    plan["budget"] = []
    assert best(plan, labels="ABB").lp_value == approx(4 + 2)


def test_setup_cost_is_not_paid_again():
    promised = tables_of(3, [(1, on(1), "phone", "call", None)])
    # Customer 1 has the call promised and gets no other in 28 days.
    assert best(plan_with({"setup_cost": 10}), promised).integer_value == approx(12 + 16)
    history = tables_of(3)
    columns = ["customer_id", "contacted_on", "channel", "campaign"]
    history["contact_history"] = pd.DataFrame([(1, on(-3), "phone", "call")], columns=columns)
    assert best(plan_with({"setup_cost": 10, "from": on(-3)}), history).integer_value == approx(12 + 16)
    # A call before `from` (else the start) was another campaign's: paid anew.
    for begin in ({"from": on(-2)}, {}):
        assert best(plan_with({"setup_cost": 10, **begin}), history).integer_value == approx(12 + 16 - 10)


@pytest.mark.parametrize(
    ("budget", "value"),
    [
        ({"amount": 5, "per": "period"}, 15),  # two sales and a call cost 2 + 2 + 1
        ({"amount": 4, "per": "period", "campaign": "call"}, 12 + 16 - 1),
        ({"amount": 4, "per": "period", "business_unit": "y"}, 12 + 16 - 1),
        # Everything costs 9: 5 the first week and 4 the second.
        ({"amount": 5, "per": "week"}, 12 + 24 - 1),
    ],
)
def test_which_budgets_pay_setup_costs(budget, value):
    plan = plan_with({"setup_cost": 1, "business_unit": "y"}, budget=[budget])
    assert best(plan).integer_value == approx(value)


def test_minimum_if_used():
    assert best(plan_with({"contacts": {"min_if_used": 3}})).integer_value == approx(36)
    # Not used: nothing must be, though a call is worth −2.
    assert best(plan_with({"contacts": {"min_if_used": 2}}), labels="BBB").integer_value == approx(0)
    assert best(plan_with({"contacts": {"min_if_used": 4}})).integer_value == approx(12)
    plan = with_channel("phone", capacity=[{"contacts": 1, "per": "period"}])
    plan["campaigns"]["call"]["contacts"] = {"min_if_used": 2}
    result = best(plan)
    # Half used in fractions: one call.
    assert (result.lp_value, result.integer_value) == (approx(12 + 8), approx(12))
    assert result.used == {"sale"}


def test_minimum_if_used_is_a_must_once_in_use():
    promised = tables_of(3, [(1, on(1), "phone", "call", None)])
    # One is promised, one more must be, which costs 2; then two of two; then one more than there can be.
    for fewest, value in [(1, 0), (2, -2), (3, -4), (4, None)]:
        plan = plan_with({"contacts": {"min_if_used": fewest}})
        assert best(plan, promised, "BBB").integer_value == approx(value)


@pytest.mark.parametrize(
    ("soft", "value", "penalties"),
    # The plan would cost 9: each unit buys 4. Nothing is over at 3 units, 6 are over at 9.
    [(1, 36 - 6, 6), (3.5, 36 - 21, 21), (4.5, 12, 0)],
)
def test_soft_budget(soft, value, penalties):
    result = best(plan_of(budget=[{"amount": 3, "per": "period", "soft": soft}]))
    assert (result.lp_value, result.integer_value) == (approx(value), approx(value))
    assert result.penalties == approx(penalties)


def test_soft_budget_is_missed_by_fractions():
    # 3.5 units: 4 units buy 16 and are half a unit over.
    result = best(plan_of(budget=[{"amount": 3.5, "per": "period", "soft": 7}]))
    assert (result.lp_value, result.integer_value) == (approx(14), approx(16 - 3.5))


def test_soft_limit_that_commitments_exceed():
    # 5 are promised of 2: nothing is left, and each unit planned is over by itself.
    promised = tables_of(3, [(1, on(3), "email", "bill", 5)])
    budget = [{"amount": 2, "per": "period", "soft": 1}]
    result = best(plan_of(budget=budget), promised)
    assert (result.integer_value, result.penalties) == (approx(36 - 9), approx(9))


@pytest.mark.parametrize(
    ("contacts", "labels", "value"),
    [
        ({"min": 2, "soft": 1}, "BBB", -2),  # two missed
        ({"min": 2, "soft": 3}, "BBB", -4),  # two made
        ({"min": 9, "soft": 1}, "AAA", 36 - 6),
        ({"max": 1, "soft": 3}, "AAA", 36 - 6),
        ({"max": 1, "soft": 9}, "AAA", 12 + 8),
        ({"min_if_used": 5, "soft": 3}, "AAA", 36 - 6),
        ({"min_if_used": 5, "soft": 3}, "BBB", 0),  # not used, nothing missed
        ({"min": 1, "min_if_used": 5, "soft": 3}, "BBB", -3),  # min missed, not used
    ],
)
def test_soft_contacts_of_a_campaign(contacts, labels, value):
    assert best(with_campaign("call", contacts=contacts), labels=labels).integer_value == approx(value)


def test_soft_reach_and_capacity():
    # 1.5 customers by phone at 3 each missed: one is called, half a customer missed.
    result = best(plan_of(reach=[{"share": 0.5, "channel": "phone", "soft": 3}]), labels="BBB")
    assert (result.lp_value, result.integer_value) == (approx(-3), approx(-2 - 1.5))
    # Three calls take 1.5 hours of 1: half an hour over costs half the penalty, a call brings 8.
    for soft, value in [(4, 36 - 2), (20, 12 + 16)]:
        capacity = [{"hours": 1, "per": "period", "soft": soft}]
        plan = with_channel("phone", capacity=capacity, hours_per_contact=0.5)
        assert best(plan).integer_value == approx(value)


@pytest.mark.parametrize(
    ("row", "labels", "fractions", "whole"),
    [
        ({"campaign": "call", "max": 1}, "AAA", 20, 20),
        ({"type": "service", "min": 2}, "BBB", -4, -4),
        ({"channel": "email", "segments": ["A"], "max": 1}, "AAB", 4 + 16, 4 + 16),
        ({"business_unit": "x", "segments": ["B"], "min": 2}, "AAB", None, None),
        ({"campaign": "call", "max_share": 0.25}, "AAA", 20, 20),  # one of four
        ({"campaign": "call", "max_share": 0.2}, "AAA", 18, 12),  # 0.75 of 3.75
        ({"type": "service", "min_share": 1, "segments": ["A"]}, "AAB", 16, 16),  # no sale for A
        ({"campaign": "call", "channel": "email", "min": 1}, "AAA", None, None),  # both must fit
        ({"campaign": "call", "max": 1, "soft": 3}, "AAA", 30, 30),
        ({"campaign": "call", "max_share": 0.25, "soft": 4}, "AAA", 30, 30),  # 3 − 0.25 × 6 over
    ],
)
def test_volume(row, labels, fractions, whole):
    result = best(plan_of(volume=[row]), labels=labels)
    assert (result.lp_value, result.integer_value) == (approx(fractions), approx(whole))


def test_volume_counts_what_is_planned_alone():
    promised = tables_of(3, [(1, on(1), "phone", "call", None)])
    assert best(plan_of(volume=[{"type": "service", "min": 2}]), promised, "BBB").integer_value == approx(-4)


@pytest.mark.parametrize(
    ("least", "labels", "reached"),
    [
        ({"min": 1}, "AAB", 3),
        ({"min": 0}, "BBB", 3),  # a sale returns what it costs
        ({"min": 0.2}, "BBB", 0),
        ({"min": 3}, "ABB", 2),  # A's contacts leave 15 − 4 × 3 = 3, a B's sale takes 4 − 1
        ({"min": 4}, "ABB", 1),
        ({"min": 3, "soft": 0.1}, "ABB", 3 - 0.3),  # 3 short
    ],
)
def test_return_on_cost(least, labels, reached):
    plan = plan_of(objective={"maximize": "reach"}, return_on_cost=least)
    assert best(plan, labels=labels).integer_value == approx(reached)


def test_return_on_cost_counts_setup_costs_and_the_worth_of_contacts():
    reach = {"objective": {"maximize": "reach"}, "return_on_cost": {"min": 3}}
    # The sale's 0.25 takes 1 of the 3 that A's contacts leave: no B more.
    assert best(plan_with(sale={"setup_cost": 0.25}, **reach), labels="ABB").integer_value == approx(1)
    # With 3 for the contact itself each B's sale returns 4.
    assert best(plan_with(sale={"value_per_contact": 3}, **reach), labels="BBB").integer_value == approx(3)


@pytest.mark.parametrize(("least", "value"), [(3, 9.5), (3.5, 8)])
def test_return_on_cost_after_fatigue(least, value):
    # Call and sale return 10 + 2.5 or 5 + 5, the second halved, for a cost of 3; the call alone 10 for 2.
    plan = plan_of(fatigue={"keep": 0.5, "days": 10}, return_on_cost={"min": least})
    assert best(plan, labels="A").integer_value == approx(value)


def calendar_under(plan: dict[str, Any], labels: str = "AAA") -> tuple[pd.DataFrame, tuple[Any, ...]]:
    """The best calendar and what the checker is asked with."""
    segments = dict(enumerate(labels, 1))
    tables = tables_of(len(labels))
    streams = best(plan, labels=labels).streams
    calendar = calendar_of(read_world(plan, tables, segments, RATES), streams, integer_ids=True)
    return calendar, (plan, tables, segments, calendar, RATES)


def test_checker_adds_up_what_soft_limits_miss():
    budget = [{"amount": 3, "per": "period", "soft": 0.5}, {"amount": 90, "per": "period", "soft": 1}]
    plan = plan_with({"setup_cost": 2, "contacts": {"max": 1, "soft": 0.25}}, budget=budget)
    _, asked = calendar_under(plan)
    # Three of each, cost 9 and setup 2: 8 over the budget, two calls over theirs.
    assert breaches(*asked) == []
    assert penalties_of(*asked) == {"budget[0]": approx(8), "campaigns.call.contacts.max": approx(2)}
    assert penalty_costs_of(*asked) == {"budget[0]": approx(4), "campaigns.call.contacts.max": approx(0.5)}
    assert objective_of(*asked) == approx(36 - 2 - 4 - 0.5)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"volume": [{"campaign": "call", "max_share": 0.49}]}, "volume[0].max_share"),
        ({"volume": [{"campaign": "call", "min_share": 0.51}]}, "volume[0].min_share"),
        ({"volume": [{"type": "brand", "max": 0}, {"type": "service", "min": 4}]}, "volume[1].min"),
        ({"volume": [{"segments": ["A"], "business_unit": "x", "max": 2}]}, "volume[0].max"),
        ({"return_on_cost": {"min": 4.01}}, "return_on_cost.min"),
        ({"return_on_cost": {"min": 4}, "sale": {"setup_cost": 0.1}}, "return_on_cost.min"),
        ({"budget": [{"amount": 9, "per": "period"}], "sale": {"setup_cost": 0.1}}, "budget[0]"),
        ({"call": {"contacts": {"min_if_used": 4}}}, "campaigns.call.contacts.min_if_used"),
    ],
)
def test_checker_finds_limits_broken(change, path):
    _, (_, *asked) = calendar_under(plan_of())  # three sales and three calls: 45 for 9
    (breach,) = breaches(plan_with(**change), *asked)
    assert breach.startswith(f"{path}: ")


def test_checker_judges_values_in_the_objectives_unit():
    plan = plan_with({"revenue_per_response": 5}, objective={"maximize": "expected_revenue"})
    calendar, (_, *asked) = calendar_under(plan)
    assert set(calendar["expected_value"]) == {5.0}
    assert breaches(plan, *asked) == []
    assert any("expected_value is 5" in words for words in breaches(plan_of(), *asked))
    # Under reach each customer's contacts share one, however they do.
    reach = plan_of(objective={"maximize": "reach"})
    calendar, (_, tables, segments, _, rates) = calendar_under(reach)
    assert breaches(reach, tables, segments, calendar, rates) == []
    doubled = calendar.assign(expected_value=2 * calendar["expected_value"])
    assert len(breaches(reach, tables, segments, doubled, rates)) == 3
