"""Contact streams against one linear program over customers: the same optimum, and how much longer it takes.

`python -m pytest -m slow -s tests/benchmarks/test_customer_lp.py` prints the ratio. Both begin at the files
and are timed without starting Python and loading packages; ours ends with the audited calendar of whole
customers and its report's figures, the other with the linear program's optimum.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from customer_workspace import write_workspace

from optimizer import pipeline
from optimizer.plan_file import load_plan

LP = Path(__file__).with_name("customer_lp.py")
TIME_LIMIT = 600  # seconds for the program over customers


def test_same_optimum_for_few_customers(tmp_path: Path) -> None:
    workspace = write_workspace(tmp_path / "shop", 150)
    summary, other = pipeline.run(load_plan(workspace)).summary, solved_over_customers(workspace)
    assert other is not None
    assert_same_optimum(summary, other)


@pytest.mark.slow
@pytest.mark.parametrize("customers", [1_000, 10_000, 100_000])
def test_ratio_of_times(tmp_path: Path, customers: int) -> None:
    pipeline.run(load_plan(write_workspace(tmp_path / "tiny", 150)))  # compiling is not counted
    workspace = write_workspace(tmp_path / "shop", customers)
    began = time.perf_counter()
    summary = pipeline.run(load_plan(workspace)).summary
    seconds = time.perf_counter() - began
    print(f"\n{customers:,} customers: {seconds:.1f} s over streams, all stages;")
    print(f"{summary['cells']:,} cells, gap of the whole plan {summary['gap']:.1e}")
    other = solved_over_customers(workspace)
    if other is None:
        print(f"over customers: not finished in {TIME_LIMIT} s, more than {TIME_LIMIT / seconds:.0f} times")
        return
    print(
        f"over customers: {other['seconds']:.1f} s ({other['seconds_building']:.1f} s building), "
        f"{other['variables']:,} variables, {other['rows']:,} rows; "
        f"{other['seconds'] / seconds:.1f} times as long"
    )
    assert_same_optimum(summary, other)


def solved_over_customers(workspace: Path) -> dict[str, Any] | None:
    """What the program over customers found; None if it took too long."""
    try:
        ended = subprocess.run(
            [sys.executable, str(LP), str(workspace)],
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT,
            check=True,
        )
    except subprocess.TimeoutExpired:
        return None
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])  # HiGHS may say its name first
    return found


def assert_same_optimum(summary: dict[str, Any], other: dict[str, Any]) -> None:
    """The plan in whole customers lies below, by its gap."""
    assert summary["linear_bound"] == pytest.approx(other["value"], rel=1e-6)
    assert summary["expected_value"] <= other["value"] * (1 + 1e-9)
