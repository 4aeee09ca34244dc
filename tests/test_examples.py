from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
import yaml

from models.grocer import PLANNED_FROM, fraction
from models.synthetic_truth import CAMPAIGNS
from optimizer import examples
from optimizer.examples import plan_text, write_example
from optimizer.faults import BadInput
from optimizer.plan_file import load_plan
from optimizer.tables import open_tables

DAY = pd.Timestamp(PLANNED_FROM)


@pytest.fixture(scope="module")
def grocer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_example("grocer", tmp_path_factory.mktemp("examples") / "grocer")


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_example("synthetic", tmp_path_factory.mktemp("examples") / "synthetic", customers=400)


def test_the_grocer_is_the_package_s_data(grocer: Path) -> None:
    history = _dated(grocer, "contact_history", "contacted_on", "responded_on")
    assert len(history) == 6589
    assert history["campaign"].nunique() == 27
    assert (history["contacted_on"] >= DAY).any()  # kept for looking back
    rates = history.groupby("type")["responded"].mean().round(3)
    assert rates.to_dict() == {"promotional": 0.166, "brand": 0.065, "recognition": 0.059}
    customers = pd.read_parquet(grocer / "customers.parquet")
    assert len(customers) == 2469
    assert customers["age"].notna().sum() == 801
    assert customers["customer_id"].is_monotonic_increasing


def test_the_grocer_s_figures_in_the_plan_are_those_of_the_data(grocer: Path) -> None:
    history = _dated(grocer, "contact_history", "contacted_on", "responded_on")
    known = history[history["responded_on"] < DAY]
    revenue = known.groupby("type")["revenue"].mean().round(2)
    plan = load_plan(grocer)
    for name in ("personal_coupons", "brand_week", "thanksgiving_brands", "family_brands", "season_rewards"):
        campaign = plan.campaigns[name]
        assert campaign.revenue_per_response == revenue[campaign.type]
        assert campaign.margin_per_response == pytest.approx(revenue[campaign.type] / 4, abs=0.006)
    wait = (history["responded_on"] - history["contacted_on"]).dt.days.dropna()
    assert (wait <= plan.response.window_days).mean() == pytest.approx(0.95, abs=0.01)
    assert (history["contacted_on"] < DAY).sum() == 4558
    customers = pd.read_parquet(grocer / "customers.parquet")
    assert customers["kids_count"].isin(["1", "2", "3+"]).sum() == 288
    assert (customers["coupon_campaigns"] >= 1).sum() == 331


def test_the_grocer_s_customers_know_nothing_of_the_future(grocer: Path) -> None:
    bought = _dated(grocer, "transactions", "transacted_on")
    before = bought[bought["transacted_on"] < DAY].groupby("customer_id")["amount"]
    customers = pd.read_parquet(grocer / "customers.parquet").set_index("customer_id")
    buyers = customers[customers["trips"] > 0]
    pd.testing.assert_series_equal(buyers["spend"], before.sum().round(2), check_names=False)
    pd.testing.assert_series_equal(buyers["trips"], before.size(), check_names=False)
    assert not bought.duplicated(["customer_id", "transacted_on"]).any()


def test_every_line_of_the_grocer_s_plan_says_where_it_is_from() -> None:
    values = [
        line
        for line in plan_text("grocer").splitlines()
        if line.strip() and not line.strip().startswith("#") and not re.fullmatch(r"\s*\w+:", line)
    ]
    assert len(values) > 100
    assert [line for line in values if not re.search(r"# .*(assumed|from the data): \w", line)] == []


def test_assumed_permissions_never_change(grocer: Path) -> None:
    assert fraction(1, "email") == int("fe1adffd2b93", 16) / 2**48  # md5 of email:1
    consent = pd.read_parquet(grocer / "permissions.parquet")
    granted = consent[consent["status"] == "granted"].groupby("channel").size() / 2469
    expected = {"app": 0.30, "email": 0.55, "phone": 0.25, "sms": 0.25}
    for channel, share in expected.items():
        assert granted[channel] == pytest.approx(share, abs=0.03)


def test_the_synthetic_plan_is_that_of_its_truth(synthetic: Path) -> None:
    plan = load_plan(synthetic)
    truth = {c.name: c for c in CAMPAIGNS if c.planned}
    assert set(plan.campaigns) == set(truth)
    for name, campaign in plan.campaigns.items():
        true = truth[name]
        assert (campaign.type, campaign.business_unit) == (true.type, true.business_unit)
        assert (campaign.margin_per_response, campaign.revenue_per_response) == (true.margin, true.revenue)
        assert set(campaign.channels) == set(true.channels)
    assert len({c.type for c in plan.campaigns.values()}) == 6


@pytest.mark.parametrize("name", ["grocer", "synthetic"])
def test_plans_and_scenarios_load_and_their_tables_open(name: str, request: pytest.FixtureRequest) -> None:
    plan = load_plan(request.getfixturevalue(name))
    tables = open_tables(plan)
    assert tables.integer_ids
    assert len(plan.scenarios) == 3
    for patch in plan.scenarios.values():
        open_tables(plan.patched(patch))


def test_amounts_grow_with_the_customers() -> None:
    small, usual = (yaml.safe_load(plan_text("synthetic", n)) for n in (333, 20_000))
    assert usual["budget"][0]["amount"] == 12000
    assert small["budget"][0]["amount"] == 200  # 199.8 up
    assert small["campaigns"]["savings_bonus"]["contacts"] == {"min": 33, "max": 250}  # 33.3 down, 249.75 up
    assert yaml.safe_load(plan_text("synthetic", 1))["campaigns"]["savings_bonus"]["contacts"]["min"] == 0


def test_size_of_the_synthetic_example(synthetic: Path) -> None:
    assert len(pd.read_parquet(synthetic / "customers.parquet")) == 400


@pytest.mark.parametrize(
    ("name", "customers", "word"),
    [("grocery", None, "no example"), ("grocer", 100, "fixed"), ("synthetic", 0, "is 0")],
)
def test_wrong_arguments(tmp_path: Path, name: str, customers: int | None, word: str) -> None:
    with pytest.raises(BadInput, match=word):
        write_example(name, tmp_path / "new", customers)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "bank"
    folder.mkdir(parents=True)
    write_example("synthetic", folder, customers=5)
    assert (folder / "plan.yaml").is_file()
    assert [entry.name for entry in folder.parent.iterdir()] == ["bank"]


def test_a_full_folder_is_kept(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(BadInput, match="not empty"):
        write_example("synthetic", tmp_path, customers=5)
    with pytest.raises(BadInput, match="no workspace"):
        write_example("synthetic", tmp_path, customers=5, force=True)
    with pytest.raises(BadInput, match="is a file"):
        write_example("synthetic", tmp_path / "notes.txt", customers=5, force=True)
    assert [entry.name for entry in tmp_path.iterdir()] == ["notes.txt"]


def test_force_replaces_tables_and_keeps_the_rest(tmp_path: Path) -> None:
    folder = write_example("synthetic", tmp_path / "bank", customers=5)
    (folder / "runs" / "2026-11-30").mkdir(parents=True)
    (folder / "segments").mkdir()
    (folder / "segments" / "model.json").write_text("{}")
    (folder / "contact_history" / "part-00009.parquet").write_text("old")
    write_example("synthetic", folder, customers=6, force=True)
    assert len(pd.read_parquet(folder / "customers.parquet")) == 6
    assert (folder / "runs" / "2026-11-30").is_dir()
    assert (folder / "segments" / "model.json").read_text() == "{}"
    assert not (folder / "contact_history" / "part-00009.parquet").exists()
    assert [entry.name for entry in tmp_path.iterdir()] == ["bank"]


@pytest.mark.parametrize("plan", ["name: my own", "name: [", "- grocer"])
def test_force_never_replaces_another_plan(tmp_path: Path, plan: str) -> None:
    (tmp_path / "plan.yaml").write_text(plan)
    with pytest.raises(BadInput, match="another plan"):
        write_example("synthetic", tmp_path, customers=5, force=True)
    assert (tmp_path / "plan.yaml").read_text() == plan


def test_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_example("synthetic", tmp_path / "bank", customers=5)

    def break_off(*_: object) -> str:
        raise RuntimeError("cut short")

    monkeypatch.setattr(examples, "plan_text", break_off)
    with pytest.raises(RuntimeError, match="cut short"):
        write_example("synthetic", folder, customers=6, force=True)
    with pytest.raises(RuntimeError, match="cut short"):
        write_example("synthetic", tmp_path / "other", customers=6)
    assert len(pd.read_parquet(folder / "customers.parquet")) == 5
    assert [entry.name for entry in tmp_path.iterdir()] == ["bank"]


def test_a_replacing_cut_short_is_undone_or_finished(tmp_path: Path) -> None:
    folder = write_example("synthetic", tmp_path / "bank", customers=5)
    aside = tmp_path / ".bank-replaced"
    folder.rename(aside)
    with pytest.raises(BadInput, match="not empty"):
        write_example("synthetic", folder, customers=6)
    assert len(pd.read_parquet(folder / "customers.parquet")) == 5
    (aside / "runs").mkdir(parents=True)
    (aside / "customers.parquet").write_text("old")
    with pytest.raises(BadInput, match="not empty"):
        write_example("synthetic", folder, customers=6)
    assert (folder / "runs").is_dir()
    assert not aside.exists()


def _dated(folder: Path, table: str, *columns: str) -> pd.DataFrame:
    frame = pd.read_parquet(folder / f"{table}.parquet")
    return frame.assign(**{column: pd.to_datetime(frame[column]) for column in columns})
