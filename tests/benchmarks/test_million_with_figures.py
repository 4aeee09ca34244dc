"""A million customers with twenty scores each: what letting each choose by own figures takes and brings.

`make benchmark ONLY=a_million_with_figures` prints the figures.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from scored_workspace import scored_plan, scored_tables, write

from optimizer import pipeline
from optimizer.plan_file import Plan, load_plan

CUSTOMERS, BUDGET = 1_000_000, 0.3
LEAST, MOST_TIMES = 0.99, 2.0
SECOND_LEVEL, AFTER_IT = "every customer's part of the menu", "bound"


@pytest.mark.slow
def test_a_million_with_figures_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is told apart: in its place stands the Lagrangian value at the plan's prices."""
    monkeypatch.setattr(pipeline, "bound_of_all", lambda *told: told[2].linear.bound)
    plan, tables = scored_plan(CUSTOMERS, BUDGET), scored_tables(CUSTOMERS, histories=True, seed=1)
    write(tmp_path / "scored", plan, tables)
    write(tmp_path / "plain", plan, {name: table for name, table in tables.items() if name != "scores"})
    without, _, _ = _timed(load_plan(tmp_path / "plain"))
    whole, second, summary = _timed(load_plan(tmp_path / "scored"))
    value, lagrangian = summary["expected_value"], summary["upper_bound"]
    stages = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in summary["seconds"].items())
    print(
        f"\n{CUSTOMERS:,} customers: value {value:,.0f}, {100 * value / lagrangian:.3f} % of the Lagrangian "
        f"value at its prices; with the segments' figures only {summary['value_segments_only']:,.0f}. Second "
        f"level {second:.1f} s, {second / without:.2f} times a run without scores ({without:.1f} s) and "
        f"{second / (whole - second):.2f} times the rest of its own run. Seconds: {stages}"
    )
    assert value >= LEAST * lagrangian
    assert second < MOST_TIMES * without


def _timed(plan: Plan) -> tuple[float, float, dict[str, Any]]:
    """Seconds of a run and of its second level, and the summary."""
    marks: dict[str, float] = {}
    began = time.perf_counter()

    def mark(stage: str, detail: str) -> None:
        for name in (stage, detail):
            marks.setdefault(name, time.perf_counter())

    summary = pipeline.run(plan, progress=mark).summary
    return time.perf_counter() - began, marks[AFTER_IT] - marks[SECOND_LEVEL], summary
