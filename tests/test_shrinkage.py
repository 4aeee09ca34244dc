"""Shrunk rates against formulas and against a planted truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.response import KEY, estimate
from models.shrinkage import beta_interval, shrink


def test_shrink_agrees_with_the_formula_where_the_strength_is_the_usual_one():
    # One leaf only: no freedom, so every strength is 50 and every parent's rate is the leaf's.
    leaf = pd.DataFrame({"a": ["x"], "contacts": [150], "responses": [15], "exposure": [150.0]})
    got = shrink(leaf, ["a"], 0.02)
    root = 150 * 51 / 200  # what 150 contacts of one child are worth
    expected = 0.09 / 201 + (50 / 200) ** 2 * 0.09 / (root + 1)
    assert got["rate"].tolist() == pytest.approx([0.1])
    assert got["variance"].tolist() == pytest.approx([expected])


def test_beta_interval_is_the_uniform_distributions():
    low, high = beta_interval(np.array([0.5]), np.array([1 / 12]))
    assert [low[0], high[0]] == pytest.approx([0.025, 0.975])


def simulated(seed, sizes):
    """Counts of 6 segments × 8 campaigns × 3 channels (two types) with planted rates, and the truth."""
    rng = np.random.default_rng(seed)
    rows, truth = [], []
    for kind, kind_rate in (("promotional", 0.03), ("research", 0.08)):
        for channel in ("email", "sms", "phone"):
            channel_rate = kind_rate * rng.lognormal(0, 0.4)
            for segment in "123456":
                segment_rate = channel_rate * rng.lognormal(0, 0.3)
                for number in range(4):
                    rate = min(segment_rate * rng.lognormal(0, 0.25), 0.9)
                    contacts = int(rng.choice(sizes))
                    truth.append(rate)
                    rows.append(
                        (
                            segment,
                            f"{kind[0]}{number}",
                            kind,
                            channel,
                            contacts,
                            int(rng.binomial(contacts, rate)),
                        )
                    )
    return pd.DataFrame(
        rows, columns=["segment", "campaign", "type", "channel", "contacts", "responses"]
    ).assign(exposure=lambda frame: frame["contacts"].astype("float64"), complete=True, truth=truth)


@pytest.fixture(scope="module")
def experiments():
    """Twenty bases; of each the last campaign of every type is hidden in half of its segments."""
    results = []
    for seed in range(20):
        frame = simulated(seed, [30, 100, 300, 1000, 5000])
        hidden = frame["campaign"].isin(["p3", "r3"]) & frame["segment"].isin(["1", "2", "3"])
        rates = estimate(frame[~hidden], frame[["segment", "campaign", "type", "channel"]]).frame
        results.append(frame.drop(columns=["contacts", "responses"]).merge(rates, on=KEY))
    return pd.concat(results)


def test_intervals_hold_the_truth_about_95_times_in_100(experiments):
    held = experiments["truth"].between(experiments["low"], experiments["high"])
    seen = experiments["contacts"] > 0
    assert 0.92 <= held[seen].mean() <= 0.985
    assert 0.90 <= held[~seen].mean() <= 0.99
    small = seen & (experiments["contacts"] <= 100)
    assert 0.92 <= held[small].mean() <= 0.99


def test_standard_errors_are_of_the_size_of_the_errors(experiments):
    ratio = (experiments["truth"] - experiments["response_rate"]) / experiments["standard_error"]
    assert 0.8 < np.sqrt((ratio**2).mean()) < 1.2


def test_shrunk_rates_beat_raw_and_pooled_rates_on_sparse_data():
    wins = []
    for seed in range(10):
        frame = simulated(100 + seed, [20, 50, 100, 200])
        rates = estimate(frame, frame[["segment", "campaign", "type", "channel"]]).frame
        both = frame.merge(rates[[*KEY, "response_rate"]], on=KEY)
        pooled = both["responses"].sum() / both["contacts"].sum()
        shrunk = ((both["response_rate"] - both["truth"]) ** 2).sum()
        raw = ((both["responses"] / both["contacts"] - both["truth"]) ** 2).sum()
        wins.append((raw / shrunk, ((pooled - both["truth"]) ** 2).sum() / shrunk))
    assert np.min(wins) > 1
    assert np.mean([raw for raw, _ in wins]) > 2.5
