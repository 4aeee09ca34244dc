"""How sure bands inside segments are, and what they bring by the true rates, on made-up customers.

`make benchmark ONLY=customer_level` prints the figures.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from customer_level_cases import drawn, planted

from models.customer_response import fit_bands
from optimizer import pipeline

pytestmark = pytest.mark.slow


def test_customer_level_bands_where_there_is_nothing_and_something_to_find() -> None:
    nothing = sum(len(fit_bands(*drawn(0.0, 1500, seed)).multipliers) > 1 for seed in range(60))
    something = sum(len(fit_bands(*drawn(0.6, 1000, seed)).multipliers) > 1 for seed in range(20))
    print(f"\nsplit without effect: {nothing} of 60; factor 1.8, 115 responses: {something} of 20")
    assert nothing <= 3
    assert something >= 10


def test_customer_level_value_by_the_true_rates(tmp_path: Path) -> None:
    for effect in (0.0, 0.3, 0.7):
        base = planted(effect)
        level = pipeline.run(base.loaded(tmp_path / f"level {effect}"))
        plain = pipeline.run(base.loaded(tmp_path / f"plain {effect}", response={"from": "history"}))
        worth = [base.value(run.calendar) for run in (level, plain)]
        bands = 0 if level.response_bands is None else len(level.response_bands)
        print(f"\neffect {effect}: {bands} bands, true value {worth[0]:,.0f} against {worth[1]:,.0f}")
        assert worth[0] >= worth[1] - 1e-6
