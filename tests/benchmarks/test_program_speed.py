"""How long the program takes at full size, and what the compact program would take instead.

`python -m pytest -m slow -s tests/benchmarks` prints the figures. Compiling is not counted: a tiny
instance is solved first. Seconds are those of the machine at hand; what counts is the ratio to the
compact program.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from compact_lp import Compact, solve_compact
from trial import Trial, make_trial

from optimizer.solution import Solution

TINY = 200_000


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> None:
    make_trial(tmp_path_factory.mktemp("tiny"), customers=TINY, tiny=True).solve()


def report(trial: Trial, solution: Solution, seconds: float) -> str:
    linear, whole, effort = solution.linear, solution.whole, solution.linear.effort
    customers = trial.cells.customers
    rest = seconds - effort.seconds_master - effort.seconds_pricing
    binding = int((np.abs(linear.prices) > 1e-9).sum())
    return "\n".join(
        (
            f"{int((customers > 0).sum()):,} cells of {int(customers.sum()):,} customers, "
            f"{len(trial.limits)} limits ({binding} with a price), {len(trial.timetable.days)} send days, "
            f"{len(trial.graph.skip):,} graph nodes",
            f"{len(solution.pricing.book):,} streams found, {len(np.unique(whole.stream)):,} used; "
            f"{effort.rounds} rounds, {effort.searches} searches, {effort.columns:,} columns",
            f"{effort.seconds_master:.1f} s master, {effort.seconds_pricing:.1f} s pricing, "
            f"{rest:.1f} s whole numbers and the rest, {seconds:.1f} s in all",
            f"value {whole.value:,.2f}, linear {linear.value:,.2f}, bound {whole.bound:,.2f}, "
            f"gap {gap(solution):.1e}",
        )
    )


def gap(solution: Solution) -> float:
    return (solution.whole.bound - solution.whole.value) / abs(solution.whole.bound)


def timed(trial: Trial) -> tuple[Solution, float]:
    began = time.perf_counter()
    return trial.solve(), time.perf_counter() - began


def check_whole_plan(trial: Trial, solution: Solution) -> None:
    """Every customer once, every limit kept, and the value that of the streams."""
    whole, pricing = solution.whole, solution.pricing
    planned = np.bincount(whole.cell, weights=whole.customers, minlength=len(trial.cells))
    assert (planned == trial.cells.customers).all()
    used = pricing.use(whole.cell, whole.stream).T @ whole.customers
    for limit, amount in zip(trial.limits, used, strict=True):
        beyond = limit.remainder - amount if limit.at_least else amount - limit.remainder
        assert beyond <= 1e-6 * max(1.0, limit.remainder), limit.path
    assert pricing.value(whole.cell, whole.stream) @ whole.customers == pytest.approx(whole.value)


def compact_words(compact: Compact) -> str:
    size = f"{compact.rows:,} rows, {compact.columns:,} columns"
    return f"{size}, {compact.seconds:.1f} s, value {compact.value:,.2f}"


def test_tiny_trial_is_proved(tmp_path: Path) -> None:
    trial = make_trial(tmp_path, customers=TINY, tiny=True)
    solution, seconds = timed(trial)
    print("", report(trial, solution, seconds), sep="\n")
    assert gap(solution) <= 1e-4
    check_whole_plan(trial, solution)


def test_tiny_compact_program_is_no_worse_than_streams_without_fatigue(tmp_path: Path) -> None:
    trial = make_trial(tmp_path, customers=TINY, tiny=True, fatigue=False)
    compact, streams = solve_compact(trial, "ipm"), trial.solve().linear
    assert compact.value >= streams.value * (1 - 1e-7)
    assert compact.value == pytest.approx(solve_compact(trial, "simplex").value)
    tired = make_trial(tmp_path, customers=TINY, tiny=True).solve().linear
    assert tired.bound < 0.99 * streams.value, "fatigue costs something here"


@pytest.mark.slow
@pytest.mark.usefixtures("compiled")
def test_twelve_send_days(tmp_path: Path) -> None:
    trial = make_trial(tmp_path)
    solution, seconds = timed(trial)
    print("", report(trial, solution, seconds), sep="\n")
    check_whole_plan(trial, solution)
    assert gap(solution) <= 1e-4


@pytest.mark.slow
@pytest.mark.usefixtures("compiled")
def test_every_day(tmp_path: Path) -> None:
    trial = make_trial(tmp_path, every_day=True)
    solution, seconds = timed(trial)
    print("", report(trial, solution, seconds), sep="\n")
    check_whole_plan(trial, solution)
    assert gap(solution) <= 1e-3


@pytest.mark.slow
@pytest.mark.usefixtures("compiled")
def test_compact_program(tmp_path: Path) -> None:
    """Without fatigue, which the compact program cannot have; interior point is the faster there."""
    trial = make_trial(tmp_path, fatigue=False)
    solution, seconds = timed(trial)
    compact = solve_compact(trial, "ipm")
    above = (compact.value - solution.linear.value) / abs(compact.value)
    print("", "over streams:", report(trial, solution, seconds), sep="\n")
    print("compact:", compact_words(compact))
    print(f"compact takes {compact.seconds / seconds:.1f} times as long; its value lies {above:.1e} above")
    assert above >= -1e-7
