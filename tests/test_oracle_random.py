"""The judges of the tests are judged: on random plans, the optimum, the checker and its sums agree."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from oracle import (
    Oracle,
    TooManyStreams,
    breaches,
    calendar_of,
    objective_of,
    optimum,
    penalty_costs_of,
    read_world,
    small_workspaces,
    streams_of,
)
from oracle.checker import ledger_breaches
from oracle.ledger import ledger_of, plan_value
from oracle.random_features import GOALS
from oracle.values import setup_cost

SEEN: Counter[str] = Counter()
SEARCHED = settings(
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def keys_of(value: Any) -> set[str]:
    """All keys of nested mappings and lists."""
    if isinstance(value, dict):
        return set(map(str, value)) | {key for inner in value.values() for key in keys_of(inner)}
    return {key for inner in value for key in keys_of(inner)} if isinstance(value, list) else set()


def judge_the_best_plan(plan: dict[str, Any], tables: dict[str, pd.DataFrame], most: int = 20_000) -> Oracle:
    """The optimum in integers; its calendar passes the checker and adds up to it."""
    people, rates = tables["customers"], tables["response_rates"]
    segments = dict(zip(people["customer_id"], people["segment"], strict=True))
    result = optimum(plan, tables, segments, rates, most)
    if result.integer_value is None:
        return result
    assert result.lp_value is not None
    assert result.lp_value >= result.integer_value - 1e-6
    whole = pd.api.types.is_integer_dtype(people["customer_id"])
    world = read_world(plan, tables, segments, rates)
    calendar = calendar_of(world, result.streams, integer_ids=whole)
    asked = (plan, tables, segments, calendar, rates)
    assert breaches(*asked) == []
    assert objective_of(*asked) == pytest.approx(result.integer_value)
    assert sum(penalty_costs_of(*asked).values()) == pytest.approx(result.penalties)
    if plan["objective"] == {"maximize": "expected_margin"}:
        setup = sum(setup_cost(world, campaign) for campaign in result.used)
        value = calendar["expected_value"].sum() - setup - result.penalties
        assert value == pytest.approx(result.integer_value)
    return result


def test_random_plans_use_every_rule_and_their_optimum_passes_the_checker():
    seen: set[str] = set()
    values = []

    @settings(max_examples=60, derandomize=True, deadline=None, database=None)
    @given(small_workspaces())
    def draw(workspace):
        plan, tables = workspace
        seen.update(keys_of(plan), (name for name, table in tables.items() if not table.empty))
        values.append(judge_the_best_plan(plan, tables).integer_value)

    draw()
    wanted = """commit_days fatigue keep send_days blackout capacity contacts hours per on max_per_customer
        default_permission hours_per_contact business_unit from to audience segments value_per_contact
        cost_per_contact min max policy types channels campaigns min_days_between never_together only_after
        restrictions days_after budget reach share customers hold_out key contact_history commitments"""
    assert set(wanted.split()) <= seen
    # At least 30 plans that are possible, most of them with something to gain.
    assert sum(value is not None for value in values) >= 30
    assert sum(value is not None and value > 0 for value in values) >= 25


def swap_one(plan: dict[str, Any], tables: dict[str, pd.DataFrame], result: Oracle) -> int:
    """Give one of three customers another stream: no plan that keeps the limits is worth more."""
    people, rates = tables["customers"], tables["response_rates"]
    world = read_world(plan, tables, dict(zip(people["customer_id"], people["segment"], strict=True)), rates)
    tried = 0
    for customer in world.customers[:3]:
        streams = streams_of(world, customer)
        for stream in streams[:: len(streams) // 4 + 1]:
            ledger = ledger_of(world, {**result.streams, customer: stream})
            if not list(ledger_breaches(world, ledger)):
                assert result.integer_value is not None
                assert plan_value(world, ledger) <= result.integer_value + 1e-6
                tried += stream != result.streams[customer]
    return tried


@pytest.mark.parametrize("goal", [*GOALS, "expected_margin"])
def test_random_plans_with_everything(goal):
    @settings(SEARCHED, max_examples=20)
    @given(small_workspaces(everything=True, goal=goal, scores=True))
    def draw(workspace):
        plan, tables = workspace
        try:
            result = judge_the_best_plan(plan, tables, most=600)
        except TooManyStreams:
            return
        SEEN.update(
            keys_of(plan) | set(tables["customers"]) | set(tables["scores"] if len(tables["scores"]) else ())
        )
        if result.integer_value is None or result.lp_value is None:
            return
        campaigns = plan["campaigns"]
        SEEN["possible"] += 1
        SEEN["whole numbers cost"] += result.lp_value > result.integer_value + 1e-6
        SEEN["penalties paid"] += result.penalties > 0
        SEEN["set up"] += any("setup_cost" in campaigns[name] for name in result.used)
        SEEN["enough if used"] += any(
            "min_if_used" in campaigns[name].get("contacts", ()) for name in result.used
        )
        SEEN["not used"] += not set(campaigns) <= result.used
        SEEN["other plans"] += swap_one(plan, tables, result)

    draw()


def test_enough_was_seen():
    wanted = """volume min_share max_share setup_cost min_if_used max_contacts soft return_on_cost
        response_rate revenue_per_response cost_per_contact
        counts_towards_caps ignores_caps"""
    assert all(SEEN[word] >= 3 for word in wanted.split()), SEEN
    outcomes = ("whole numbers cost", "penalties paid", "set up", "enough if used", "not used")
    assert all(SEEN[word] >= 3 for word in outcomes), SEEN
    assert SEEN["possible"] >= 30
    assert SEEN["other plans"] >= 50
