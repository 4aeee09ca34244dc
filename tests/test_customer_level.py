"""Customers of a segment told apart by the history: bands found, what they bring, and what they may not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from customer_level_cases import Planted, drawn, planted

from models.customer_response import UNIT, fit_bands
from models.response import Rates
from optimizer import pipeline
from optimizer.explain import explain
from optimizer.explain_run import read_customers_run
from optimizer.faults import BadInput
from optimizer.frames import frame_of
from optimizer.plan_file import Plan
from optimizer.report import render
from optimizer.response_rates import response_rates
from optimizer.run_folder import run_folder
from optimizer.segmenting import find_segments
from optimizer.tables import open_tables

PLAIN = {"from": "history"}
EFFECT = 0.7


@pytest.fixture(scope="module")
def base() -> Planted:
    return planted(EFFECT)


def rates_of(plan: Plan) -> Rates:
    tables = open_tables(plan).as_of(plan.period.start)
    return response_rates(plan, tables, find_segments(plan, tables, refit=True))


def bands_of(rates: Rates) -> pd.DataFrame:
    assert rates.bands is not None
    bands = frame_of(rates.bands.table).astype({"customer_id": "int64"})
    return bands.sort_values("customer_id", ignore_index=True)


def near_the_truth(rates: Rates, base: Planted, segment: pd.Series) -> None:
    """Every band's multiplier is the mean of its customers' true factors, within its standard error."""
    assert rates.bands is not None
    band = bands_of(rates).set_index("customer_id").band
    truth = base.factor.groupby([segment, band]).mean() / base.factor.groupby(segment).mean()
    for row in rates.bands.frame.itertuples():
        assert row.multiplier == pytest.approx(truth[row.segment, row.band], abs=3 / np.sqrt(row.responses))
    by_segment = rates.bands.frame.assign(told=lambda rows: rows.expected * rows.multiplier)
    sums = by_segment.groupby("segment")[["told", "expected"]].sum()
    assert sums.told.to_numpy() == pytest.approx(sums.expected.to_numpy(), rel=1e-5)


def test_a_planted_propensity_is_found(base: Planted, tmp_path: Path) -> None:
    rates = rates_of(base.loaded(tmp_path))
    assert rates.bands is not None
    frame = rates.bands.frame
    assert (frame.groupby("segment").band.max() >= 3).all()
    assert frame.customers.sum() == len(base.factor)
    people = base.tables["customers"].set_index("customer_id")
    near_the_truth(rates, base, people.segment.astype(str))


def test_a_named_column_is_a_feature(base: Planted, tmp_path: Path) -> None:
    plan = base.loaded(tmp_path, segments={"count": 1, "features": ["affinity"]})
    near_the_truth(rates_of(plan), base, pd.Series("1", index=base.factor.index))


def test_no_order_of_rows_changes_a_band(base: Planted, tmp_path: Path) -> None:
    mixed = {name: table.sample(frac=1.0, random_state=3) for name, table in base.tables.items()}
    one = rates_of(base.loaded(tmp_path / "one"))
    other = rates_of(Planted(mixed, base.factor).loaded(tmp_path / "other"))
    pd.testing.assert_frame_equal(bands_of(one), bands_of(other))
    assert one.bands is not None
    assert other.bands is not None
    pd.testing.assert_frame_equal(one.bands.frame, other.bands.frame, check_exact=True)


def test_who_may_not_be_profiled_has_the_segments_rates(base: Planted, tmp_path: Path) -> None:
    barred = pd.DataFrame({"customer_id": range(1, 101), "reason": "objects", "starts_on": "2026-01-01"})
    policy = {"restrictions": {"objects": {"blocks": [], "excludes_from": ["response"]}}}
    tables = {**base.tables, "restrictions": barred}
    rates = rates_of(Planted(tables, base.factor).loaded(tmp_path, policy=policy))
    assert bands_of(rates).customer_id.min() == 101
    assert rates.bands is not None
    unknown = rates.bands.frame[rates.bands.frame.band == 0]
    assert unknown[["multiplier", "customers"]].values.tolist() == [[1.0, 50], [1.0, 50]]


def test_segments_that_remember_responses_make_no_bands(tmp_path: Path) -> None:
    """Of two halves whose sum is given the one is high where the other is low: that is no propensity."""
    base = planted(0.0)
    found = rates_of(base.loaded(tmp_path, segments={"count": 3, "features": ["response_rate", "orders"]}))
    assert found.bands is None


def test_alike_customers_change_nothing(tmp_path: Path) -> None:
    base = planted(0.0)
    found = pipeline.run(base.loaded(tmp_path / "level"))
    plain = pipeline.run(base.loaded(tmp_path / "plain", response=PLAIN))
    pd.testing.assert_frame_equal(found.calendar, plain.calendar)
    assert found.response_bands is None
    assert any("no feature tells surely" in words for words in found.warnings)


@pytest.mark.parametrize("changes", [{}, {"merge_above": 5}], ids=["exact", "from a menu"])
def test_bands_bring_more_by_the_true_rates(base: Planted, tmp_path: Path, changes: dict[str, Any]) -> None:
    found = pipeline.run(base.loaded(tmp_path / "level", return_on_cost={"min": 1}, **changes))
    plain = pipeline.run(
        base.loaded(tmp_path / "plain", response=PLAIN, return_on_cost={"min": 1}, **changes)
    )
    summary = found.summary
    assert summary["chosen_from_menu"] == bool(changes)
    assert summary["value"] > 1.05 * summary["value_segments_only"]
    assert base.value(found.calendar) > 1.05 * base.value(plain.calendar)
    assert summary["response_bands"]["segments_split"] == 2
    assert "Who responds more inside the segments" in render(found)
    assert "Who responds more inside the segments" not in render(plain)


def test_the_calendar_has_the_bands_rates_and_scores_go_before_them(base: Planted, tmp_path: Path) -> None:
    scores = pd.DataFrame({"customer_id": range(1, 51), "campaign": "sale", "response_rate": 0.3})
    tables = {**base.tables, "scores": scores}
    found = pipeline.run(Planted(tables, base.factor).loaded(tmp_path, fatigue={"keep": 1.0}))
    plan = base.loaded(tmp_path / "again", fatigue={"keep": 1.0})
    band = bands_of(rates_of(plan)).set_index("customer_id").band
    rate = found.response_rates.set_index(["segment", "campaign", "channel"]).rate
    assert found.response_bands is not None
    factor = found.response_bands.set_index(["segment", "band"]).multiplier
    rows = found.calendar
    scored = (rows.customer_id <= 50) & (rows.campaign == "sale")
    assert 0 < scored.sum() < len(rows)
    told = [
        rate[int(row.segment), row.campaign, row.channel] * factor[int(row.segment), band[row.customer_id]]
        for row in rows.itertuples()
    ]
    assert rows.response_rate.to_numpy() == pytest.approx(np.where(scored, 0.3, np.round(told, 9)))


def test_the_files_of_a_run(base: Planted, tmp_path: Path) -> None:
    found = pipeline.run(base.loaded(tmp_path))
    (tmp_path / "out").mkdir()
    found.write(tmp_path / "out")
    table = pd.read_csv(tmp_path / "out" / "response_bands.csv")
    assert list(table.columns) == ["segment", "band", "multiplier", "customers", "expected", "responses"]
    assert (table.groupby("segment").multiplier.first() > 1).all()


def test_explain_finds_the_customers_band_again(base: Planted, tmp_path: Path) -> None:
    plan = base.loaded(tmp_path)
    folder = run_folder(plan.folder, plan.period.start)
    folder.mkdir(parents=True)
    pipeline.run(plan).write(folder)
    band = bands_of(rates_of(plan)).set_index("customer_id").band
    best = band.index[band == 1][0]
    run = read_customers_run(plan, str(best))
    assert bands_of(run.rates).set_index("customer_id").band[best] == 1
    told = explain(plan, str(best))
    assert told.customer_id == str(best)
    assert told.figures[0].startswith("response rates ")
    assert told.figures[0].endswith(" times the segment's")


def test_bad_input(base: Planted, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        base.loaded(tmp_path, response={"from": "table", "customer_level": True})
    assert "response.customer_level" in [fault.where for fault in caught.value.faults]
    with pytest.raises(BadInput):
        base.loaded(tmp_path, response={"customer_level": "yes"})


def test_without_history_a_warning_tells(base: Planted, tmp_path: Path) -> None:
    tables = {**base.tables, "contact_history": base.tables["contact_history"].iloc[:0]}
    rates = rates_of(Planted(tables, base.factor).loaded(tmp_path))
    assert rates.bands is None
    assert any("too short" in words for words in rates.warnings)


def test_bands_where_there_is_nothing_to_find_are_rare() -> None:
    split = sum(len(fit_bands(*drawn(0.0, 1500, seed)).multipliers) > 1 for seed in range(12))
    assert split <= 1


def test_more_customers_carry_more_bands() -> None:
    few, many = (len(fit_bands(*drawn(0.6, n, seed=0)).multipliers) for n in (2000, 16_000))
    assert 1 < few < many


def test_few_responses_tell_nothing() -> None:
    points, responses, expected = drawn(2.0, 300, seed=1)
    assert len(fit_bands(points, responses, expected).multipliers) == 1
    assert fit_bands(points, responses * 0, expected).multipliers == (1.0,)


def test_a_feature_of_two_values_makes_two_bands() -> None:
    points, responses, expected = drawn(0.0, 3000, seed=1)
    points = np.where(points[:, :1] > 0, UNIT, -UNIT)
    responses = np.random.default_rng(2).poisson(expected * np.exp(0.5 * points[:, 0] / UNIT))
    found = fit_bands(points, responses, expected)
    assert found.cuts == (found.coefficients[0] * UNIT,)
    assert found.multipliers[0] / found.multipliers[1] == pytest.approx(np.exp(1.0), rel=0.2)
