"""The product's value and bound against the optimum over all streams of all customers."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from oracle.brute_force import Oracle, TooManyStreams, optimum
from oracle.cheapest import cheapest_of_equals
from oracle.checker import breaches, objective_of, penalty_costs_of
from oracle.random_features import GOALS
from oracle.random_plans import small_workspaces
from oracle.values import goal_of
from oracle.workspace_files import write_workspace

from optimizer import pipeline
from optimizer.conflict import CannotHold
from optimizer.plan_file import load_plan
from optimizer.result import Result

Workspace = tuple[dict[str, Any], dict[str, pd.DataFrame]]
MOST_STREAMS = 4_000
OBJECTIVES = ("expected_margin", *GOALS)
SEEN: Counter[str] = Counter()
DRAWN = {"deadline": None, "derandomize": True, "suppress_health_check": list(HealthCheck)}


def segments_of(tables: dict[str, pd.DataFrame]) -> dict[Any, Any]:
    return dict(zip(tables["customers"].customer_id, tables["customers"].segment, strict=True))


def run(plan: dict[str, Any], tables: dict[str, pd.DataFrame]) -> Result:
    with tempfile.TemporaryDirectory() as folder:
        return pipeline.run(load_plan(write_workspace(Path(folder), plan, tables)))


def solved(workspace: Workspace) -> tuple[Oracle, Result] | None:
    """The best plan by brute force and the product's; None where no plan is possible, and both say so."""
    plan, tables = workspace
    try:
        best = optimum(plan, tables, segments_of(tables), tables["response_rates"], MOST_STREAMS)
    except TooManyStreams:
        return None
    if best.integer_value is None:
        SEEN["impossible"] += 1
        with pytest.raises(CannotHold):
            run(plan, tables)
        return None
    return best, run(plan, tables)


def agree(workspace: Workspace, best: Oracle, result: Result) -> None:
    """Value, bound and every rule."""
    plan, tables = workspace
    segments, rates, summary = segments_of(tables), tables["response_rates"], result.summary
    assert best.lp_value is not None
    assert best.integer_value is not None
    SEEN["whole numbers cost"] += best.lp_value > best.integer_value + 1e-6
    scale = max(1.0, abs(best.lp_value))
    if summary["nodes"] == 1:
        assert summary["linear_bound"] == pytest.approx(best.lp_value, abs=1e-6 * scale)
    assert summary["expected_value"] == pytest.approx(best.integer_value, abs=1e-4 * scale)
    assert summary["upper_bound"] >= best.integer_value - 1e-6 * scale
    assert summary["status"] == "optimal"
    assert breaches(plan, tables, segments, result.calendar, rates) == []
    assert breaches(plan, tables, segments, result.control, rates, control=True) == []


@settings(max_examples=6, phases=[Phase.generate], **DRAWN)
@given(small_workspaces())
def test_value_and_bound_are_those_of_brute_force(workspace: Workspace) -> None:
    found = solved(workspace)
    if found is None:
        return
    best, result = found
    SEEN["possible"] += 1
    agree(workspace, best, result)
    told = result.summary["expected_value"]
    assert np.isclose(result.calendar.expected_value.sum(), told, atol=1e-5)


@pytest.mark.parametrize("goal", OBJECTIVES)
def test_the_whole_plan_language_agrees_with_brute_force(goal: str) -> None:
    @seed(3 + OBJECTIVES.index(goal))
    @settings(max_examples=5, phases=[Phase.generate], database=None, **{**DRAWN, "derandomize": False})
    @given(small_workspaces(everything=True, goal=goal, scores=True))
    def agrees(workspace: Workspace) -> None:
        check_everything(workspace)

    agrees()


def check_everything(workspace: Workspace) -> None:
    """Value, bound and rules; objective and penalties added up anew from the calendar."""
    found = solved(workspace)
    if found is None:
        return
    best, result = found
    agree(workspace, best, result)
    plan, tables = workspace
    judged = plan, tables, segments_of(tables), result.calendar, tables["response_rates"]
    summary, scale = result.summary, max(1.0, abs(best.lp_value or 0.0))
    assert summary["expected_value"] == pytest.approx(objective_of(*judged), abs=1e-5 * scale)
    penalties = penalty_costs_of(*judged)
    assert summary["penalties"]["total"] == pytest.approx(sum(penalties.values()), abs=1e-5 * scale)
    assert set(summary["campaigns_used"]) == set(result.calendar.campaign)
    count(plan, best, summary, sum(penalties.values()), len(tables["scores"]) > 0)


def count(
    plan: dict[str, Any], best: Oracle, summary: dict[str, Any], penalties: float, scored: bool
) -> None:
    SEEN["everything"] += 1
    SEEN[goal_of(plan)] += 1
    SEEN["penalties paid"] += penalties > 0
    SEEN["setup costs paid"] += bool(summary["setup_costs"])
    SEEN["several nodes"] += summary["nodes"] > 1
    least = {name for name, row in plan["campaigns"].items() if "min_if_used" in row.get("contacts", {})}
    SEEN["least if used"] += bool(least & best.used)
    SEEN["campaign left out"] += bool(least - best.used)
    SEEN["return on cost"] += "return_on_cost" in plan
    SEEN["own figures"] += scored


@settings(max_examples=6, phases=[Phase.generate], **DRAWN)
@given(small_workspaces(everything=True, goal="expected_responses"))
def test_among_equals_the_cheapest_then_the_fewest_contacts(workspace: Workspace) -> None:
    plan, tables = workspace
    tables["response_rates"]["response_rate"] = 0.1
    for campaign in plan["campaigns"].values():  # which campaigns to use is decided before
        campaign.pop("setup_cost", None)
        if "min_if_used" in campaign.get("contacts", {}):
            del campaign["contacts"]
    found = solved(workspace)
    if found is None:
        return
    best, result = found
    assert best.integer_value is not None
    cost, contacts = cheapest_of_equals(plan, tables, segments_of(tables), tables["response_rates"], best)
    SEEN["equals"] += 1
    assert result.summary["expected_value"] == pytest.approx(best.integer_value, abs=1e-6)
    assert float(result.calendar.cost.sum()) <= cost + 1e-6
    if np.isclose(float(result.calendar.cost.sum()), cost, atol=1e-6):
        assert len(result.calendar) <= contacts


def test_enough_plans_were_possible() -> None:
    assert SEEN["possible"] >= 4
    assert SEEN["impossible"] >= 1
    assert SEEN["whole numbers cost"] >= 1
    assert SEEN["everything"] >= 12
    assert SEEN["equals"] >= 3


def test_enough_plans_used_the_whole_language() -> None:
    for goal in OBJECTIVES:
        assert SEEN[goal] >= 1, goal
    for feature in ("penalties paid", "setup costs paid", "least if used", "return on cost", "own figures"):
        assert SEEN[feature] >= 2, feature
    assert SEEN["several nodes"] >= 1
    assert SEEN["campaign left out"] >= 1
