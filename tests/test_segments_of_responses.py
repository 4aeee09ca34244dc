"""Response rates of segments that are themselves made of responses: learned from segments as they were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from customer_level_cases import RATES, Planted, planted

from models.response import Rates
from optimizer.response_rates import response_rates
from optimizer.segmenting import find_segments
from optimizer.tables import open_tables

MADE_OF_RESPONSES = {"count": 3, "features": ["response_rate", "orders"]}


@pytest.fixture(scope="module")
def alike() -> Planted:
    """All customers respond alike: whoever responded more has been lucky."""
    return planted(0.0)


def rates_of(base: Planted, folder: Path, **changes: Any) -> Rates:
    changes = {"segments": MADE_OF_RESPONSES, "response": {"from": "history"}, **changes}
    plan = base.loaded(folder, **changes)
    tables = open_tables(plan).as_of(plan.period.start)
    return response_rates(plan, tables, find_segments(plan, tables, refit=True))


def off(rates: Rates) -> pd.Series:
    """By segment the sum of its rates over that of the true ones."""
    return rates.frame.groupby("segment").response_rate.sum() / sum(RATES.values())


def test_luck_is_not_taken_for_a_rate(alike: Planted, tmp_path: Path) -> None:
    found = rates_of(alike, tmp_path)
    assert off(found).between(0.9, 1.1).all()
    assert not found.warnings


def test_other_segments_learn_from_the_whole_history(alike: Planted, tmp_path: Path) -> None:
    found = rates_of(alike, tmp_path, segments={"count": 3, "features": ["affinity"]})
    assert found.frame.contacts.sum() == len(alike.tables["contact_history"])
    assert not found.warnings


def test_without_history_only_that_is_told(alike: Planted, tmp_path: Path) -> None:
    nothing = {**alike.tables, "contact_history": alike.tables["contact_history"].iloc[:0]}
    found = rates_of(Planted(nothing, alike.factor), tmp_path)
    assert ["assumed" in words for words in found.warnings] == [True]


def test_whoever_may_not_be_profiled_was_in_the_default_segment(alike: Planted, tmp_path: Path) -> None:
    """Nobody's features may be used, but all responses."""
    ids = alike.tables["customers"].customer_id
    barred = pd.DataFrame({"customer_id": ids, "reason": "objects", "starts_on": "2026-01-01"}).iloc[:-40]
    policy = {"restrictions": {"objects": {"blocks": [], "excludes_from": ["segments"]}}}
    tables = {**alike.tables, "restrictions": barred}
    found = rates_of(Planted(tables, alike.factor), tmp_path, policy=policy)
    contacts = found.frame.groupby("segment").contacts.sum()
    assert contacts.max() > 0.95 * contacts.sum()


def test_a_history_too_short_for_it_is_told(alike: Planted, tmp_path: Path) -> None:
    """Of contacts of one day none was before the others."""
    history = alike.tables["contact_history"].assign(contacted_on=pd.Timestamp("2026-10-05"))
    history["responded_on"] = history.contacted_on.where(history.responded == 1)
    once = history.drop_duplicates(["customer_id", "channel", "campaign"])
    found = rates_of(Planted({**alike.tables, "contact_history": once}, alike.factor), tmp_path)
    assert any(words.startswith("segments.features: ") for words in found.warnings)
    assert off(found).max() > 1.5


def test_responses_of_the_barred_count_for_nothing(alike: Planted, tmp_path: Path) -> None:
    ids = range(1, 1001)
    barred = pd.DataFrame({"customer_id": ids, "reason": "objects", "starts_on": "2026-01-01"})
    policy = {"restrictions": {"objects": {"blocks": [], "excludes_from": ["segments", "response"]}}}
    every = rates_of(alike, tmp_path / "every")
    found = rates_of(
        Planted({**alike.tables, "restrictions": barred}, alike.factor), tmp_path / "barred", policy=policy
    )
    assert found.frame.contacts.sum() == pytest.approx(every.frame.contacts.sum() / 2, rel=0.05)
    assert off(found).between(0.75, 1.25).all()
