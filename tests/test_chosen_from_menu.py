"""Customers choosing from the menu of a part of them: rules, figures and bound stay true."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any
from unittest import mock

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from oracle.brute_force import TooManyStreams, optimum
from oracle.checker import breaches
from oracle.random_plans import small_workspaces
from oracle.workspace_files import write_workspace

from optimizer import pipeline, proof
from optimizer.conflict import CannotHold
from optimizer.faults import BadInput
from optimizer.plan_file import load_plan
from optimizer.result import Result

MOST_STREAMS = 4_000
SEEN: Counter[str] = Counter()


def segments_of(tables: dict[str, pd.DataFrame]) -> dict[Any, Any]:
    return dict(zip(tables["customers"].customer_id, tables["customers"].segment, strict=True))


def run(plan: dict[str, Any], tables: dict[str, pd.DataFrame]) -> Result | None:
    """The product's plan; None where the limits cannot hold for customers put together."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            return pipeline.run(load_plan(write_workspace(Path(folder), plan, tables)))
        except BadInput as refused:
            if [fault.where for fault in refused.faults] != ["merge_above"]:
                raise
            return None


def not_solved(plan: dict[str, Any], tables: dict[str, pd.DataFrame]) -> bool:
    try:
        return run(plan, tables) is None
    except CannotHold:
        return True


OFTEN = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@OFTEN
@given(small_workspaces(), st.integers(1, 6), st.booleans())
def test_rules_hold_and_the_bound_is_one(
    workspace: tuple[dict[str, Any], dict[str, pd.DataFrame]], most: int, apart: bool
) -> None:
    """The bound is proved customer by customer, or with like ones put together."""
    judge(*workspace, most, apart)


@settings(OFTEN, max_examples=14)
@given(small_workspaces(scores=True), st.integers(1, 3))
def test_they_do_with_own_figures(
    workspace: tuple[dict[str, Any], dict[str, pd.DataFrame]], most: int
) -> None:
    """The same where customers have figures of their own, with both bounds."""
    plan, tables = workspace
    if len(tables["scores"]):
        judge(plan, tables, most, apart=True, kind="own figures: ")
        judge(plan, tables, most, apart=False, kind="own figures: ")


def judge(
    plan: dict[str, Any], tables: dict[str, pd.DataFrame], most: int, apart: bool, kind: str = ""
) -> None:
    """The plan beside the best of all, found by brute force."""
    plan = {**plan, "merge_above": most}
    segments, rates = segments_of(tables), tables["response_rates"]
    try:
        best = optimum(plan, tables, segments, rates, MOST_STREAMS)
    except TooManyStreams:
        return
    if best.integer_value is None:
        SEEN[kind + "impossible"] += 1
        assert not_solved(plan, tables)
        return
    with mock.patch.object(proof, "MOST_APART", proof.MOST_APART if apart else 0):
        result = run(plan, tables)
    if result is None:
        SEEN[kind + "too coarse"] += 1
        return
    summary, scale = result.summary, max(1.0, abs(best.integer_value))
    assert breaches(plan, tables, segments, result.calendar, rates) == []
    assert breaches(plan, tables, segments, result.control, rates, control=True) == []
    assert summary["expected_value"] <= best.integer_value + 1e-6 * scale
    assert summary["upper_bound"] >= best.integer_value - 1e-6 * scale
    SEEN[kind + "from the menu"] += summary["chosen_from_menu"]
    SEEN[kind + ("bound proved apart" if apart else "bound of few cells")] += summary["chosen_from_menu"]
    SEEN[kind + "as good"] += summary["expected_value"] >= best.integer_value - 1e-4 * scale


@pytest.mark.parametrize("kind", ["", "own figures: "])
def test_enough_was_seen(kind: str) -> None:
    assert SEEN[kind + "from the menu"] >= (6 if not kind else 3)
    assert SEEN[kind + "as good"] >= (3 if not kind else 2)
    assert SEEN[kind + "bound proved apart"] >= (2 if not kind else 1)
    assert SEEN[kind + "bound of few cells"] >= (2 if not kind else 1)
