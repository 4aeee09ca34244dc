"""The product's value and bound against the optimum over all streams of all customers."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from oracle.brute_force import TooManyStreams, optimum
from oracle.checker import breaches
from oracle.random_plans import small_workspaces
from oracle.workspace_files import write_workspace

from optimizer import pipeline
from optimizer.conflict import CannotHold
from optimizer.plan_file import load_plan

SEEN = {"possible": 0, "impossible": 0, "whole numbers cost": 0}


@settings(max_examples=52, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(small_workspaces())
def test_value_and_bound_are_those_of_brute_force(
    workspace: tuple[dict[str, Any], dict[str, pd.DataFrame]],
) -> None:
    plan, tables = workspace
    segments = dict(zip(tables["customers"].customer_id, tables["customers"].segment, strict=True))
    rates = tables["response_rates"]
    try:
        best = optimum(plan, tables, segments, rates)
    except TooManyStreams:
        return
    with tempfile.TemporaryDirectory() as folder:
        loaded = load_plan(write_workspace(Path(folder), plan, tables))
        if best.integer_value is None:
            SEEN["impossible"] += 1
            with pytest.raises(CannotHold):
                pipeline.run(loaded)
            return
        result = pipeline.run(loaded)
    SEEN["possible"] += 1
    assert best.lp_value is not None
    SEEN["whole numbers cost"] += best.lp_value > best.integer_value + 1e-6
    summary = result.summary
    scale = max(1.0, abs(best.lp_value))
    assert summary["linear_bound"] == pytest.approx(best.lp_value, abs=1e-6 * scale)
    assert summary["expected_value"] == pytest.approx(best.integer_value, abs=1e-4 * scale)
    assert summary["upper_bound"] >= best.integer_value - 1e-6 * scale
    assert summary["status"] == "optimal"
    assert breaches(plan, tables, segments, result.calendar, rates) == []
    assert breaches(plan, tables, segments, result.control, rates, control=True) == []
    assert np.isclose(result.calendar.expected_value.sum(), summary["expected_value"], atol=1e-5)


def test_enough_plans_were_possible() -> None:
    assert SEEN["possible"] >= 30
    assert SEEN["impossible"] >= 1
    assert SEEN["whole numbers cost"] >= 1
