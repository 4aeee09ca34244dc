from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from plan_texts import FULL, SMALL, faults_in, load, small

from optimizer.faults import BadInput


def test_all_faults_at_once_each_with_its_path(tmp_path: Path) -> None:
    text = (
        FULL.replace("{contacts: 2, days: 7}", "{contacts: 2, dayz: 7}")
        .replace("contacts: 50_000, per: day", "contacts: 50_000, per: month")
        .replace("unit_cost: 4.5", "unit_cost: -4.5")
        .replace("share: 0.05", "share: 1.05")
        .replace("after: sale", "after: sales")
        .replace("to: 2026-12-14", "to: 2026-11-14")
        .replace("capacity: [{contacts: 0, per: day}]", "capacity: [{contacts: many, per: day}]")
    )
    found = faults_in(tmp_path, text)
    assert set(found) == {
        "channels.email.max_per_customer[0].dayz",
        "channels.email.max_per_customer[0].days",
        "channels.email.capacity[0].per",
        "channels.phone.unit_cost",
        "hold_out.share",
        "policy.only_after[0].after",
        "campaigns.sale.to",
        "scenarios.closed.channels.phone.capacity[0].contacts",
    }
    assert found["channels.email.max_per_customer[0].dayz"].remedy == "Did you mean 'days'?"
    assert found["policy.only_after[0].after"].remedy == "Did you mean 'sale'?"
    assert "before it begins" in found["campaigns.sale.to"].rule


@pytest.mark.parametrize(
    ("old", "new", "where", "word"),
    [
        ("seed: 7", "seed: '7'", "seed", "whole number"),
        ("seed: 7", "seed: 7.5", "seed", "whole number"),
        ("seed: 7", "seed: true", "seed", "whole number"),
        ("seed: 7", "seed: -7", "seed", "at least 0"),
        ("seed: 7", "seed: 007", "seed", "whole number"),
        ("unit_cost: 0.004", "unit_cost: yes", "channels.email.unit_cost", "a number"),
        ("unit_cost: 0.004", "unit_cost: true", "channels.email.unit_cost", "a number"),
        ("unit_cost: 0.004", "unit_cost: '0.004'", "channels.email.unit_cost", "a number"),
        ("unit_cost: 0.004", "unit_cost: .inf", "channels.email.unit_cost", "a number"),
        ("unit_cost: 0.004,", "", "channels.email.unit_cost", "missing"),
        ("name: autumn", "name: 2026", "name", "text"),
        ("keep: 0.85", "keep: 85", "fatigue.keep", "at most 1"),
        ("count: [6, 8]", "count: [8, 6]", "segments.count", "range"),
        ("count: [6, 8]", "count: [6, 8, 9]", "segments.count", "may have 2"),
        ("from: table", "from: tables", "response.from", "one of"),
        ("mon, tue", "monday, tue", "channels.email.send_days[0]", "weekday"),
        ("[2026-12-25]", "[2026-02-30]", "channels.email.blackout[0]", "no day"),
        ("[2026-12-25]", "2026-12-25", "channels.email.blackout", "a list"),
        ("channels: [email],", "channels: email,", "campaigns.sale.channels", "a list"),
        ("channels: [email],", "channels: [emial],", "campaigns.sale.channels[0]", "no channel"),
        ("from: 2026-12-01", "from: 2026-12-01 08:00:00", "campaigns.sale.from", "timestamp"),
        ("from: 2026-12-01", "from: 1.12.2026", "campaigns.sale.from", "a date"),
        ("type: recognition", "type: thanks", "campaigns.thanks.type", "one of"),
        ("type: recognition,", "", "campaigns.thanks.type", "missing"),
        ("max: 5e1", "max: 1", "campaigns.sale.contacts.max", "less than min"),
        ("segments: [1, 2]", "segments: [1, 9]", "campaigns.sale.segments[1]", "no segment"),
        ("types: [promotional]", "types: [promo]", "policy.max_per_customer[0].types[0]", "one of"),
        ("types: [promotional]", "types: []", "policy.max_per_customer[0].types", "1 or more"),
        ("campaigns: [sale]", "campaigns: [sail]", "policy.max_per_customer[0].campaigns[0]", "no campaign"),
        ("[sale, thanks]", "[sale, sale]", "policy.never_together[0].campaigns", "2 or more"),
        ("days: [3, 10]", "days: [10, 3]", "policy.only_after[0].days", "smaller"),
        ("campaign: thanks", "campaign: sale", "policy.only_after[0]", "itself"),
        ("deceased:", "complaint:", "policy.restrictions", "twice"),
        ("blocks: all", "blocks: everything", "policy.restrictions.deceased.blocks", "a list"),
        ("commit_days: 7", "commit_days: 29", "period.commit_days", "more than"),
        ("days: 28, commit", "days: 0, commit", "period.days", "at least 1"),
        ("hours: 160, per: week", "per: week", "channels.phone.capacity[0]", "either"),
        ("hours: 160, per", "hours: 160, contacts: 1, per", "channels.phone.capacity[0]", "either"),
        ("hours: 160, per: week", "hours: 160", "channels.phone.capacity[0].per", "missing"),
        ("hours_per_contact: 0.2,", "", "channels.phone.capacity[0].hours", "hours_per_contact"),
        ("per: day, on:", "per: week, on:", "channels.phone.capacity[1].per", "per day"),
        ("{share: 0.5}", "{channel: email}", "reach[0]", "either"),
        ("features:", "column: band, features:", "segments", "both"),
        ("response_rates: rates.csv, ", "", "data.response_rates", "table"),
        ("Europe/Berlin", "Europe/Atlantis", "data.timezone", "time zone"),
        ("budget: [{amount: 15000}", "budget: [{amount: 1, campaign: s, business_unit: r}", "budget[0]", ""),
        ("data: {customers: customers.csv,", "data: {", "data.customers", "missing"),
        ("{amount: 18000}", "{amount: -1}", "scenarios.richer.budget[0].amount", "at least 0"),
        ("richer: {", "richer: {scenarios: {}, ", "scenarios.richer.scenarios", "no scenarios"),
        ("richer: {", "richer: {colour: red, ", "scenarios.richer.colour", "unknown key"),
        ("richer: {", "richer: {period: {days: 3}, ", "scenarios.richer.period.commit_days", "more than"),
    ],
)
def test_one_fault(tmp_path: Path, old: str, new: str, where: str, word: str) -> None:
    assert old in FULL
    with pytest.raises(BadInput) as caught:
        load(tmp_path, FULL.replace(old, new))
    by_place = {fault.where: fault for fault in caught.value.faults}
    assert where in by_place
    assert word in by_place[where].rule
    assert by_place[where].remedy


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"period": {"start": date(2026, 11, 30), "days": 63}}, "period.days"),
        ({"policy": {"max_per_household": []}}, "policy.max_per_household"),
        ({"export": [{"format": "csv"}, {"format": "braze"}]}, "export[1].format"),
    ],
)
def test_not_supported_yet(tmp_path: Path, changes: dict[str, Any], where: str) -> None:
    found = faults_in(tmp_path, small(**changes))
    assert list(found) == [where]
    assert "not supported yet" in found[where].rule


def test_rules_for_each_customer_cannot_be_soft(tmp_path: Path) -> None:
    cap = {"contacts": 1, "days": 7, "soft": 2}
    never = {"campaigns": ["sale", "sale2"], "days": 1, "soft": 1}
    found = faults_in(
        tmp_path,
        small(
            channels={"email": {"unit_cost": 1, "max_per_customer": [cap]}},
            campaigns={
                "sale": {"type": "brand", "max_per_customer": [cap]},
                "sale2": {"type": "brand"},
            },
            policy={"max_per_customer": [cap], "never_together": [never]},
        ),
    )
    assert set(found) == {
        "channels.email.max_per_customer[0].soft",
        "campaigns.sale.max_per_customer[0].soft",
        "policy.max_per_customer[0].soft",
        "policy.never_together[0].soft",
    }
    assert all("cannot be soft" in fault.rule for fault in found.values())


def test_unknown_keys_name_the_nearest(tmp_path: Path) -> None:
    found = faults_in(tmp_path, SMALL + "budgets: []\nvolumes: []\nzzz: 1\npolicy: {min_day_between: 1}\n")
    assert found["budgets"].remedy == "Did you mean 'budget'?"
    assert found["volumes"].remedy == "Did you mean 'volume'?"
    assert found["zzz"].remedy.startswith("Known here: name, currency")
    assert re.fullmatch(r"Known here: (\w+, ){7}\w+ and \d+ more\.", found["zzz"].remedy)
    assert found["policy.min_day_between"].remedy == "Did you mean 'min_days_between'?"
    assert "from_" not in "".join(
        fault.remedy for fault in faults_in(tmp_path, SMALL + "response: {qqq: 1}\n").values()
    )


def test_faults_of_the_plan_are_not_told_again_for_its_scenarios(tmp_path: Path) -> None:
    found = faults_in(tmp_path, FULL.replace("seed: 7", "seed: x"))
    assert list(found) == ["seed"]


@pytest.mark.parametrize("channels", [["email", "sms"], "email", None])
def test_malformed_channels_are_told_once(tmp_path: Path, channels: object) -> None:
    campaigns = {name: {"type": "brand", "channels": ["email"]} for name in ("a", "b", "c")}
    found = faults_in(tmp_path, small(channels=channels, campaigns=campaigns))
    assert list(found) == ["channels"]
