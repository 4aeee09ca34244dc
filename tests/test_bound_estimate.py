"""The bound estimated from a part of the customers, beside the one proved for each of them."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from oracle.workspace_files import write_workspace
from test_menu_and_exact import CHANNELS, CUSTOMERS, plan_of, tables

from optimizer import menu, pipeline, proof
from optimizer.headline import headline_figures, proof_in_words
from optimizer.plan_file import Plan, load_plan
from optimizer.planned import BoundEstimate
from optimizer.problem import Problem
from optimizer.result import Result
from optimizer.solution import Solution

CAMPAIGNS = ("sale", "card", "news")
BUDGET = {"budget": [{"amount": 2000, "per": "period"}]}
PLANS: dict[str, dict[str, Any]] = {
    "margin": BUDGET,
    "a soft limit": {"budget": [{"amount": 1500, "per": "period", "soft": 0.5}]},
    "a minimum": {**BUDGET, "reach": [{"share": 0.6}]},
    "least cost": {"objective": {"minimize": "cost"}, "reach": [{"share": 0.5}]},
    "reach": {"objective": {"maximize": "reach"}, **BUDGET},
    "return on cost": {"return_on_cost": {"min": 8.0}},
}


def workspace_of(folder: Path, **changes: Any) -> Path:
    """Customers with margins and costs of their own, planned from a menu."""
    drawn = np.random.default_rng(5).lognormal(5, 1, CUSTOMERS * len(CAMPAIGNS) * len(CHANNELS))
    names = pd.MultiIndex.from_product([range(1, CUSTOMERS + 1), CAMPAIGNS, CHANNELS])
    scores = names.to_frame(index=False, name=["customer_id", "campaign", "channel"])
    scores = scores.assign(margin_per_response=drawn.round(2), cost_per_contact=1 + scores.customer_id % 7)
    return write_workspace(folder, {**plan_of(merge_above=1), **changes}, {**tables(), "scores": scores})


def solved(workspace: Path, earlier_run: Path | None = None) -> tuple[Plan, Problem, Solution]:
    with mock.patch.object(pipeline, "bound_of_all", wraps=proof.bound_of_all) as asked:
        pipeline.run(load_plan(workspace), earlier_run=earlier_run)
    plan, problem, solution, *_ = asked.call_args.args
    return plan, problem, solution


def estimate_and_bound(plan: Plan, problem: Problem, solution: Solution) -> tuple[BoundEstimate, float]:
    """With every customer drawn, as exact as the search goes; and the bound with each of them apart."""
    with mock.patch.multiple(proof, NEAR_DRAWN=1e-9, MOST_APART=0):
        estimate = proof.estimated_bound(plan, problem, solution)
    with mock.patch.multiple(proof, NEAR_DRAWN=1e-9):
        bound = proof.bound_of_all(plan, problem, solution, 1, lambda text: None)
    assert estimate is not None
    return estimate, bound


@pytest.mark.parametrize("changes", PLANS.values(), ids=PLANS)
def test_with_everybody_drawn_it_is_the_bound(changes: dict[str, Any], tmp_path: Path) -> None:
    estimate, bound = estimate_and_bound(*solved(workspace_of(tmp_path, **changes)))
    assert estimate.bound == pytest.approx(bound, rel=1e-6)
    assert (estimate.error, estimate.customers) == (0.0, CUSTOMERS)


def test_so_it_is_with_setup_costs_and_contacts_that_are_to_stay(tmp_path: Path) -> None:
    campaigns = plan_of()["campaigns"]
    campaigns["sale"] |= {"setup_cost": 500}
    period = {**plan_of()["period"], "keep_provisional": 2.0}
    workspace = workspace_of(tmp_path, campaigns=campaigns, period=period, **BUDGET)
    earlier = tmp_path / "runs" / "2026-11-23"
    earlier.mkdir(parents=True)
    ids = pd.Series(range(1, CUSTOMERS + 1, 3)).astype("string")
    contacts = pd.DataFrame({"customer_id": ids, "contact_on": date(2026, 12, 2), "channel": "email"})
    contacts.assign(campaign="news", final=False, cost=0.0).to_parquet(earlier / "calendar.parquet")
    plan, problem, solution = solved(workspace, earlier)
    assert solution.stays > 0
    assert solution.whole.used.any()
    estimate, bound = estimate_and_bound(plan, problem, solution)
    assert estimate.bound == pytest.approx(bound, rel=1e-6)


def from_poor_menu(workspace: Path, apart: int, drawn: int) -> Result:
    """The plan of a poor menu, so that there is something to find beyond it."""
    poor = mock.patch.multiple(menu, LEAST_STREAMS=3, MOST_STREAMS=3)
    with poor, mock.patch.multiple(proof, MOST_APART=apart, DRAWN=drawn):
        return pipeline.run(load_plan(workspace))


@pytest.mark.parametrize("drawn", [50, 200])
def test_it_is_near_the_bound_with_everybody_apart(drawn: int, tmp_path: Path) -> None:
    workspace = workspace_of(tmp_path, **BUDGET)
    exact = from_poor_menu(workspace, apart=CUSTOMERS, drawn=0).summary
    loose = from_poor_menu(workspace, apart=0, drawn=drawn).summary
    assert "bound_estimate" not in exact
    assert loose["expected_value"] == exact["expected_value"]
    assert loose["upper_bound"] > exact["upper_bound"]
    estimate = loose["bound_estimate"]
    assert estimate["customers"] == drawn
    allowed = 4 * estimate["standard_error"] + proof.NEAR_DRAWN * exact["upper_bound"]
    assert abs(estimate["upper_bound"] - exact["upper_bound"]) <= allowed
    assert exact["upper_bound"] - exact["expected_value"] > 1.5 * allowed, "to draw nobody would do"


@pytest.mark.parametrize("goal", [{"maximize": "expected_margin"}, {"minimize": "cost"}])
def test_it_is_told_as_an_estimate(goal: dict[str, str], tmp_path: Path) -> None:
    workspace = workspace_of(tmp_path, objective=goal, reach=[{"share": 0.5}])
    result = from_poor_menu(workspace, apart=0, drawn=100)
    (status,) = (f for f in headline_figures(result.summary, result.plan) if f.name == "status")
    assert status.note.endswith("by an estimate")
    assert "An estimate from 100 customers drawn" in proof_in_words(result.summary, result.plan)
