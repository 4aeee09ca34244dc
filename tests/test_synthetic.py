from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from models import synthetic
from models.synthetic import TABLES, SyntheticBase, make_base, write_base
from models.synthetic_history import contacts_before
from models.synthetic_truth import CAMPAIGNS, CHANNELS, HOLD_OUT_TYPES, SEGMENTS

START = date(2026, 11, 30)
DAY = pd.Timestamp(START)


@pytest.fixture(scope="module")
def base() -> SyntheticBase:
    return make_base(20_000, seed=3, start=START)


@pytest.fixture(scope="module")
def history(base: SyntheticBase) -> pd.DataFrame:
    return base.frame("contact_history")


def test_contacts_before_by_hand() -> None:
    customer = np.array([0, 0, 0, 0, 0, 1, 1])
    day = np.array([1, 1, 3, 29, 32, 2, 3])
    counted = np.array([True, False, True, True, True, True, True])
    # Day 29: days 1 (counted once) and 3 lie 28 and 26 days back. Day 32: only day 29 is near enough.
    assert contacts_before(customer, day, counted, 28).tolist() == [0, 0, 1, 2, 1, 0, 1]
    assert contacts_before(customer[:0], day[:0], counted[:0], 28).tolist() == []


def test_same_arguments_same_base() -> None:
    first, again, other = (make_base(500, seed=s, start=START) for s in (1, 1, 2))
    for name, table in first.tables.items():
        assert table.equals(again.tables[name])
    assert not first.tables["customers"].equals(other.tables["customers"])
    assert not np.array_equal(first.truth.rates, other.truth.rates)


def test_written_in_partitions_as_made_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic, "PARTITION", 300)
    made = make_base(700, seed=1, start=START, history_per_month=0.5, history_days=84)
    folder = write_base(tmp_path / "base", 700, 1, START, history_per_month=0.5, history_days=84)
    parts = sorted((folder / "contact_history").iterdir())
    assert [part.name for part in parts] == [f"part-0000{i}.parquet" for i in range(3)]
    for name in TABLES:
        written = pd.concat([pd.read_parquet(part) for part in parts]) if name == "contact_history" else None
        if written is None:
            written = pq.read_table(folder / f"{name}.parquet").to_pandas()
        expected = made.tables[name].to_pandas()
        pd.testing.assert_frame_equal(
            written.astype(str).reset_index(drop=True), expected.astype(str).reset_index(drop=True)
        )
    assert made.frame("customers")["customer_id"].tolist() == list(range(1, 701))
    assert made.frame("contact_history")["contact_id"].is_unique
    rates = pd.read_csv(folder / "response_rates.csv")
    pd.testing.assert_frame_equal(rates, made.truth.response_rates())


@pytest.mark.parametrize("density", [0.23, 1.0, 3.0])
def test_history_is_as_dense_as_asked(density: float) -> None:
    rows = make_base(10_000, seed=5, start=START, history_per_month=density).frame("contact_history")
    recent = (rows["contacted_on"] >= DAY - pd.Timedelta(days=28)).sum() / 10_000
    assert recent == pytest.approx(density, rel=0.08)
    assert len(rows) / 10_000 == pytest.approx(13 * density, rel=0.03)
    assert rows["contacted_on"].max() < DAY
    assert rows["contacted_on"].min() >= DAY - pd.Timedelta(days=364)


@pytest.fixture(scope="module")
def earlier(history: pd.DataFrame) -> np.ndarray:
    """Earlier contacts within 28 days, counted row by row from the table alone."""
    reached = (history["delivered"] == 1) & (history["control"] == 0)
    dates = history.loc[reached].groupby("customer_id")["contacted_on"].apply(lambda d: d.to_numpy())
    window, day = np.timedelta64(28, "D"), np.timedelta64(1, "D")
    none = np.zeros(0, dtype="datetime64[s]")
    counts = [
        int(((when - (past := dates.get(who, none)) >= day) & (when - past <= window)).sum())
        for who, when in zip(history["customer_id"], history["contacted_on"].to_numpy(), strict=True)
    ]
    return np.array(counts)


def test_responses_follow_the_truth(base: SyntheticBase, history: pd.DataFrame, earlier: np.ndarray) -> None:
    chance = _true_chance(base, history, base.truth.fatigue_keep**earlier)
    parts = [
        *(history["type"] == kind for kind in history["type"].unique()),
        *(history["channel"] == channel for channel in CHANNELS),
        history["control"] == 1,
        (history["delivered"] == 0) & (history["control"] == 0),
    ]
    for part in parts:
        expected, spread = chance[part].sum(), np.sqrt((chance * (1 - chance))[part].sum())
        assert abs(history.loc[part, "responded"].sum() - expected) < 4.5 * spread


def test_fatigue_is_in_the_history(base: SyntheticBase, history: pd.DataFrame, earlier: np.ndarray) -> None:
    sent = history[(history["delivered"] == 1) & (history["control"] == 0)]
    fresh = _true_chance(base, history, np.ones(len(history))).loc[sent.index]
    drop = sent["responded"].sum() / fresh.sum()
    assert drop < 0.93  # about one earlier contact within 28 days, and 0.85 kept for each
    assert earlier[sent.index].mean() == pytest.approx(0.9, abs=0.1)


def _true_chance(base: SyntheticBase, history: pd.DataFrame, kept: np.ndarray) -> pd.Series:
    """Each row's true probability of a response; `kept` is what fatigue leaves of it."""
    segment = base.frame("customers").set_index("customer_id")["segment"]
    rates = base.truth.response_rates().set_index(["segment", "campaign", "channel"])["response_rate"]
    at = pd.MultiIndex.from_arrays(
        [history["customer_id"].map(segment), history["campaign"].astype(str), history["channel"].astype(str)]
    )
    reached = (history["delivered"] == 1) & (history["control"] == 0)
    factor = np.where(reached, kept, base.truth.spontaneous)
    return pd.Series(rates.loc[at].to_numpy() * factor, index=history.index)


def test_history_rows_are_sound(history: pd.DataFrame) -> None:
    contact = ["customer_id", "contacted_on", "channel", "campaign"]
    assert not history.duplicated(contact).any()
    campaigns = {c.name: c for c in CAMPAIGNS}
    pairs = history[["campaign", "type", "business_unit", "channel"]].drop_duplicates().astype(str)
    for name, kind, unit, channel in pairs.itertuples(index=False):
        assert (campaigns[name].type, campaigns[name].business_unit) == (kind, unit)
        assert channel in campaigns[name].channels
    answered = history["responded"] == 1
    wait = (history["responded_on"] - history["contacted_on"]).dt.days
    assert wait[answered].between(0, 13).all()
    assert wait[~answered].isna().all()
    assert (history.loc[~answered, ["revenue", "margin"]] == 0).all(axis=None)
    assert set(history["campaign"]) == {c.name for c in CAMPAIGNS if c.past_weight > 0}


def test_control_rows_are_those_of_the_held_out(base: SyntheticBase, history: pd.DataFrame) -> None:
    household = base.frame("customers").set_index("customer_id")["household_id"]
    controls = history[history["control"] == 1]
    shares = [
        int(hashlib.md5(f"synthetic:{h}".encode()).hexdigest(), 16) / 16**32
        for h in history["customer_id"].map(household)
    ]
    expected = (np.array(shares) < 0.05) & history["type"].isin(HOLD_OUT_TYPES)
    assert (expected == (history["control"] == 1)).all()
    assert len(controls) > 1000
    assert (controls["delivered"] == 0).all()


def test_history_mostly_keeps_permissions(base: SyntheticBase, history: pd.DataFrame) -> None:
    consent = base.frame("permissions")
    granted = consent[consent["status"] == "granted"][["customer_id", "channel"]].drop_duplicates()
    asked = history[history["channel"] != "mail"][["customer_id", "channel"]]
    merged = asked.astype({"channel": str}).merge(
        granted.astype({"channel": str}), how="left", indicator=True
    )
    breaches = (merged["_merge"] == "left_only").mean()
    assert 0 < breaches < 0.02


def test_customers_are_heavy_tailed_and_ordered_by_value(base: SyntheticBase) -> None:
    customers = base.frame("customers")
    assert customers["customer_id"].is_unique
    margin = customers["margin_12m"].sort_values(ascending=False)
    assert margin[:2000].sum() > 0.45 * margin.sum()
    means = customers.groupby("segment")["margin_12m"].mean()
    assert means.index.tolist() == list(range(1, len(SEGMENTS) + 1))
    assert means.is_monotonic_decreasing
    assert customers["household_id"].nunique() / len(customers) == pytest.approx(0.7, abs=0.02)
    assert (customers.groupby("household_id")["region"].nunique() == 1).all()
    assert customers["household_id"].isin(customers["customer_id"]).all()


def test_every_kind_of_row_occurs(base: SyntheticBase) -> None:
    consent = base.frame("permissions")
    assert set(consent["status"]) == {"granted", "denied"}
    assert set(consent["topic"].dropna()) == {"promotional", "service"}
    period = (DAY, DAY + pd.Timedelta(days=27))
    for column in ("valid_from", "valid_to"):
        assert consent[column].between(*period).any()
        assert (consent[column] < DAY).any()
    promised = base.frame("commitments")
    assert promised["contact_on"].between(*period).all()
    assert promised["cost"].isna().any()
    held = base.frame("restrictions")
    assert set(held["reason"]) == {"complaint", "debt", "deceased", "objects_to_profiling"}
    assert held["ends_on"].isna().any()
    assert held["ends_on"].between(*period).any()
    assert (held["ends_on"] < DAY).any()
    assert (held["ends_on"].isna() | (held["ends_on"] > held["starts_on"])).all()
    assert (base.frame("transactions")["transacted_on"] < DAY).all()


@pytest.mark.parametrize(("customers", "density"), [(0, 1.0), (10, -1.0)])
def test_impossible_bases_are_refused(customers: int, density: float) -> None:
    with pytest.raises(ValueError, match="must"):
        make_base(customers, seed=1, start=START, history_per_month=density)


@pytest.mark.parametrize("customers", [1, 2, 7])
def test_the_smallest_bases_work(customers: int) -> None:
    base = make_base(customers, seed=1, start=START, history_per_month=0.0, transactions_per_month=0.0)
    assert base.tables["customers"].num_rows == customers
    assert base.tables["contact_history"].num_rows == 0
