"""The published targeted-offers instances as workspaces: value, gap to the known optimum, and seconds.

The folder named by CONTACTPLAN_TARGETED_OFFERS holds `known_values.csv` and an `<instance>.txt.gz` for each;
the instances are no part of the project. `make benchmark ONLY=targeted_offers` prints the figures beside
the four heuristics that were published with the problem.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from known_offers import CUT, FOLDER, KNOWN, instance
from targeted_offers_workspace import write_offers

from optimizer import pipeline
from optimizer.plan_file import load_plan

HEURISTICS = ["tabu", "gates", "hr1", "hr2"]
MOST_GAP, MEAN_GAP, MOST_SECONDS = 0.02, 0.005, 60.0
GAPS: dict[str, float] = {}


@pytest.mark.slow
@pytest.mark.skipif(not FOLDER, reason="CONTACTPLAN_TARGETED_OFFERS names no folder with the instances")
@pytest.mark.parametrize("name", KNOWN.index)
def test_value_of_targeted_offers(name: str, tmp_path: Path) -> None:
    offers, known = instance(name), KNOWN.loc[name]
    plan, began = load_plan(write_offers(tmp_path, offers)), time.perf_counter()
    result = pipeline.run(plan)
    seconds = time.perf_counter() - began
    summary, optimum = result.summary, float(known["optimum"])
    gap = max(0.0, 1 - summary["expected_value"] / optimum)
    GAPS[name] = gap
    others = ", ".join(f"{rule} {100 * (1 - known[rule] / optimum):.1f} %" for rule in HEURISTICS)
    print(
        f"\n{name}: value {summary['expected_value']:,.0f}, optimum {optimum:,.0f}, {100 * gap:.2f} % below; "
        f"bound {summary['upper_bound']:,.0f}, {seconds:.0f} s. Published heuristics, below: {others}"
    )
    assert summary["expected_value"] <= optimum + CUT
    assert summary["upper_bound"] >= optimum - 1e-6 * optimum
    assert gap <= MOST_GAP
    assert seconds < MOST_SECONDS


@pytest.mark.slow
@pytest.mark.skipif(not FOLDER, reason="CONTACTPLAN_TARGETED_OFFERS names no folder with the instances")
def test_mean_gap_of_targeted_offers() -> None:
    assert len(GAPS) == len(KNOWN)
    print(
        f"\nmean gap {100 * sum(GAPS.values()) / len(GAPS):.3f} %, greatest {100 * max(GAPS.values()):.2f} %"
    )
    assert sum(GAPS.values()) / len(GAPS) <= MEAN_GAP
