"""Random plans of many customers: no rule and no limit is broken, every figure is recomputed."""

from __future__ import annotations

from pathlib import Path

import pytest
from oracle.checker import breaches
from oracle.random_workspace import random_workspace
from oracle.workspace_files import write_workspace

from optimizer import pipeline
from optimizer.plan_file import load_plan


@pytest.mark.parametrize(
    ("customers", "seed"),
    [
        (1_000, 11),
        pytest.param(20_000, 1, marks=pytest.mark.slow),
        pytest.param(20_000, 2, marks=pytest.mark.slow),
        pytest.param(20_000, 3, marks=pytest.mark.slow),
    ],
)
def test_no_breach_and_every_figure_right(tmp_path: Path, customers: int, seed: int) -> None:
    plan, tables = random_workspace(customers, seed=seed)
    result = pipeline.run(load_plan(write_workspace(tmp_path, plan, tables)))
    segments = dict(zip(tables["customers"].customer_id, tables["customers"].segment, strict=True))
    rates = tables["response_rates"]
    print(f"\n{customers:,} customers: {result.summary['cells']:,} cells, gap {result.summary['gap']:.2e},")
    print(f"{result.summary['contacts']:,} contacts, seconds {result.summary['seconds']}")
    assert result.summary["contacts"] > customers / 10
    assert result.summary["gap"] <= 0.03
    assert breaches(plan, tables, segments, result.calendar, rates) == []
    assert breaches(plan, tables, segments, result.control, rates, control=True) == []


@pytest.mark.slow
@pytest.mark.parametrize("customers", [20_000, 200_000])
def test_a_realistic_history_is_planned_with_a_proved_gap(tmp_path: Path, customers: int) -> None:
    """About one contact a customer in the last 28 days, fatigue on, audiences in use."""
    from optimizer.examples import write_example  # noqa: PLC0415

    plan = load_plan(write_example("synthetic", tmp_path / "base", customers))
    summary = pipeline.run(plan).summary
    print(f"\n{customers:,} customers: {summary['cells']:,} cells,")
    print(f"{summary['cells_sharing_a_row']:,} of them share a row of the program,")
    print(f"gap {summary['gap']:.2e}, seconds {summary['seconds']}")
    assert summary["gap"] <= 0.03
