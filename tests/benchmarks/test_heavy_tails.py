"""Customers' own figures at 2,000 and 20,000 customers: value beside the proved bound, and two plain rules.

`make benchmark ONLY=own_figures_with_heavy_tails` prints the figures.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from scored_workspace import greedy_by_value, priority_by_channel, scored_plan, scored_tables, write

from optimizer import pipeline
from optimizer.plan_file import load_plan

LEAST = 0.99
BINDING = 0.3


@pytest.mark.slow
@pytest.mark.parametrize("histories", [False, True], ids=["no history", "history"])
@pytest.mark.parametrize("budget", [BINDING, None], ids=["budget", "no budget"])
@pytest.mark.parametrize("customers", [2_000, 20_000])
def test_own_figures_with_heavy_tails(
    customers: int, budget: float | None, histories: bool, tmp_path: Path
) -> None:
    plan, tables = scored_plan(customers, budget), scored_tables(customers, histories, seed=1)
    write(tmp_path, plan, tables)
    began = time.perf_counter()
    summary = pipeline.run(load_plan(tmp_path)).summary
    seconds = time.perf_counter() - began
    value, bound = summary["expected_value"], summary["upper_bound"]
    others = {
        "segments only": summary["value_segments_only"],
        "greedy by value": greedy_by_value(plan, tables),
        "priority by channel": priority_by_channel(plan, tables),
    }
    told = ", ".join(f"{name} {100 * worth / bound:.0f} %" for name, worth in others.items())
    print(
        f"\n{customers:,} customers, {'with' if histories else 'no'} history, "
        f"{'budget binding' if budget else 'no budget'}: value {value:,.0f}, bound {bound:,.0f} "
        f"({100 * value / bound:.3f} %), program {summary['seconds']['program']:.0f} s, all {seconds:.0f} s; "
        f"of the bound: {told}"
    )
    assert value >= LEAST * bound
    assert all(worth <= bound for worth in others.values())


def test_the_plain_rules_keep_the_rules(tmp_path: Path) -> None:
    """Both are worth something, and no more than the best plan of the same base."""
    plan, tables = scored_plan(120, BINDING), scored_tables(120, histories=True, seed=2)
    write(tmp_path, plan, tables)
    summary = pipeline.run(load_plan(tmp_path)).summary
    for rule in (greedy_by_value, priority_by_channel):
        assert 0 < rule(plan, tables) <= summary["upper_bound"]
