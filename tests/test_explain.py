"""Explaining a run for one customer: every reason once, in workspaces small enough to check by eye."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from oracle.random_workspace import random_workspace
from oracle.workspace_files import write_workspace
from typer.testing import CliRunner

from optimizer import pipeline
from optimizer.cli import app
from optimizer.earlier_contacts import EarlierContact
from optimizer.explain import Explanation, explain
from optimizer.explain_blocks import permission_refused, restricted
from optimizer.explain_reasons import Reason
from optimizer.explain_rules import obstacles
from optimizer.explain_words import figures
from optimizer.faults import BadInput
from optimizer.plan_file import Plan, load_plan
from optimizer.rules import ContactRules
from optimizer.run_folder import run_folder
from optimizer.timetable import ContactOption

START = date(2026, 11, 30)  # a Monday
PROMOTION = {"type": "promotional", "channels": ["email"], "margin_per_response": 50.0}
WEDNESDAY = START + timedelta(2)


def run_of(folder: Path, plan: dict[str, Any], tables: dict[str, pd.DataFrame]) -> Plan:
    """A workspace with a finished run."""
    loaded = load_plan(write_workspace(folder, plan, tables))
    result = pipeline.run(loaded)
    runs = run_folder(loaded.folder, loaded.period.start)
    runs.mkdir(parents=True)
    result.write(runs)
    return loaded


def rates_of(plan: dict[str, Any], segments: dict[str, float]) -> pd.DataFrame:
    """2 % by e-mail and fax, 10 % by phone, times the segment's factor."""
    rows = [
        (segment, campaign, channel, factor * (0.1 if channel == "phone" else 0.02))
        for segment, factor in segments.items()
        for campaign in plan["campaigns"]
        for channel in plan["channels"]
    ]
    return pd.DataFrame(rows, columns=["segment", "campaign", "channel", "response_rate"])


def plan_of(campaigns: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "name": "small",
        "currency": "EUR",
        "period": {"start": START, "days": 7},
        "segments": {"column": "segment"},
        "response": {"from": "table"},
        "channels": {
            "email": {"unit_cost": 0.1, "default_permission": "granted"},
            "phone": {"unit_cost": 2.0},
        },
        "campaigns": campaigns,
        **changes,
    }


def by_campaign(explanation: Explanation) -> dict[str, Reason]:
    return {reason.campaign: reason for reason in explanation.not_received}


# A street of four customers, each with reasons of its own


def street_plan() -> dict[str, Any]:
    window = {"from": START - timedelta(20), "to": START - timedelta(10)}
    plan = plan_of(
        {
            "sale": PROMOTION,  # 0.02 × 50 − 0.1 = 0.90
            "news": PROMOTION | {"margin_per_response": 20.0},  # 0.30
            "early": PROMOTION | window,
            "faxed": PROMOTION | {"channels": ["fax"]},
            "gold": PROMOTION | {"audience": "tier == 'gold'"},
            "other": PROMOTION | {"segments": ["b"]},
            "dear": PROMOTION | {"channels": ["email", "phone"], "margin_per_response": 3.0},
            "call": {"type": "service", "channels": ["phone"], "value_per_contact": 5.0},
            "survey": PROMOTION | {"type": "research"},
            "opener": {"type": "service", "channels": ["email"], "cost_per_contact": 5.0},
            "reminder": PROMOTION,
            "bill": {"type": "functional", "channels": ["email"]},
            "thanks": PROMOTION | {"type": "recognition"},
            "big": PROMOTION | {"setup_cost": 1500.0},
        },
        policy={
            "max_per_customer": [{"contacts": 1, "days": 7, "campaigns": ["sale", "news"]}],
            "never_together": [{"campaigns": ["bill", "thanks"], "days": 10}],
            "only_after": [{"campaign": "reminder", "after": "opener", "days": [1, 3]}],
            "restrictions": {"complaint": {"blocks": ["research"], "days_after": 7}},
        },
    )
    plan["channels"]["fax"] = {
        "unit_cost": 0.1, "send_days": ["mon"], "blackout": [START], "default_permission": "granted",
    }  # fmt: skip
    return plan


def street_tables() -> dict[str, pd.DataFrame]:
    promised = {"customer_id": [3], "channel": ["email"], "campaign": ["bill"], "contact_on": [WEDNESDAY]}
    history = {
        "customer_id": [3], "channel": ["email"], "campaign": ["sale"], "contacted_on": [START - timedelta(3)]
    }  # fmt: skip
    return {
        "customers": pd.DataFrame(
            {
                "customer_id": [1, 2, 3, 4],
                "segment": ["a", "a", "a", "b"],
                "tier": "silver",
                "max_contacts": pd.array([None, None, None, 0], dtype="Int64"),
            }
        ),
        "permissions": pd.DataFrame(
            {"customer_id": [2], "channel": "phone", "status": "granted", "valid_to": [date(2026, 11, 2)]}
        ),
        "contact_history": pd.DataFrame(history),
        "commitments": pd.DataFrame(promised),
        "restrictions": pd.DataFrame(
            {
                "customer_id": [2],
                "reason": ["Complaint"],
                "starts_on": [START - timedelta(9)],
                "ends_on": [START + timedelta(1)],
            }
        ),
        "response_rates": rates_of(street_plan(), {"a": 1.0, "b": 1.0}),
    }


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return run_of(tmp_path_factory.mktemp("street"), street_plan(), street_tables())


@pytest.fixture(scope="module")
def first(street: Plan) -> Explanation:
    return explain(street, "1")


@pytest.fixture(scope="module")
def third(street: Plan) -> Explanation:
    return explain(street, "3")


def test_what_a_customer_gets(first: Explanation) -> None:
    assert {contact.campaign for contact in first.contacts} == {"sale", "survey", "thanks"}
    assert all(contact.value == pytest.approx(0.9) for contact in first.contacts)
    assert all(contact.final for contact in first.contacts)
    assert (first.segment, first.held_out, first.earlier, first.warnings) == ("a", False, (), ())
    (line,) = first.open
    assert line.startswith("sale, news, dear")
    assert line.endswith("by email: 7 send days, 30 Nov – 6 Dec")
    assert any("sale by email, final, worth 0.90" in line for line in first.lines)


@pytest.mark.parametrize(
    ("campaign", "code", "words"),
    [
        ("early", "window", "from Tue 10 Nov 2026 to Fri 20 Nov 2026) misses the period"),
        ("faxed", "no_send_day", "fax is sent on Monday, not on Mon 30 Nov"),
        ("gold", "audience", "outside its audience: tier == 'gold' (here tier is silver)"),
        ("other", "segments", "only for segment b"),
        ("call", "permission", "no permission for phone: never given"),
        ("reminder", "only_after", "policy.only_after[0]: only 1 to 3 days after opener"),
        ("big", "not_used", "not used in this plan: its setup cost of 1,500.00 is not worth it"),
        ("dear", "not_worth_its_cost", "brings 0.06, costs 0.10"),
        ("opener", "not_worth_its_cost", "brings 0.00, costs 5.10"),
        ("news", "own_stream", "policy.max_per_customer[0] (at most 1 contact in 7 days) is reached by sale"),
    ],
)
def test_why_the_first_customer_does_not_get_it(
    first: Explanation, campaign: str, code: str, words: str
) -> None:
    reason = by_campaign(first)[campaign]
    assert reason.code == code
    assert words in reason.words


def test_other_channels_are_told_briefly(first: Explanation) -> None:
    assert by_campaign(first)["dear"].others == ("by phone: no permission for phone: never given",)


def test_the_own_stream_comes_with_what_the_swap_would_lose(first: Explanation) -> None:
    assert by_campaign(first)["news"].words.endswith("it would be worth 0.60 less")  # 0.9 against 0.3


def test_a_restriction_and_a_lapsed_permission(street: Plan) -> None:
    reasons = by_campaign(explain(street, "2"))
    assert reasons["survey"].code == "restriction"
    assert "complaint until Tue 8 Dec 2026 (7 days after its end)" in reasons["survey"].words
    assert reasons["call"].words == "no permission for phone: lapsed on Mon 2 Nov 2026"


def test_earlier_and_promised_contacts(third: Explanation) -> None:
    reasons = by_campaign(third)
    assert reasons["sale"].code == "cap_reached"
    # One contact in 28 days: the last full day is 27 Nov + 27.
    assert "campaigns.sale.max_per_customer[0] (at most 1 contact in 28 days)" in reasons["sale"].words
    assert "is reached by sale by email on Fri 27 Nov, until Thu 24 Dec" in reasons["sale"].words
    assert reasons["bill"].code == "already_promised"
    assert "bill by email on Wed 2 Dec" in reasons["bill"].words
    assert reasons["thanks"].code == "cap_reached"
    assert "policy.never_together[0] (10 days apart) keeps it away" in reasons["thanks"].words
    assert "bill by email on Wed 2 Dec, until Sat 12 Dec" in reasons["thanks"].words
    assert third.earlier == ("sale by email on Fri 27 Nov", "bill by email on Wed 2 Dec, promised")


def test_the_customers_own_limit(street: Plan) -> None:
    reason = by_campaign(explain(street, "4"))["sale"]
    assert reason.code == "cap_reached"
    assert "customers.max_contacts (at most 0 contacts in 7 days)" in reason.words


def test_the_command(street: Plan) -> None:
    ran = CliRunner().invoke(app, ["explain", str(street.folder), "1"])
    assert ran.exit_code == 0, ran.output
    shown = " ".join(ran.output.split())
    assert "brings 0.06, costs 0.10" in shown
    assert "sale" in shown
    assert CliRunner().invoke(app, ["explain", str(street.folder), "7"]).exit_code == 2


def test_a_plan_that_changed_since_the_run(street: Plan, tmp_path: Path) -> None:
    shutil.copytree(street.folder, tmp_path / "changed")
    plan = street_plan()
    plan["campaigns"] = {"fresh": PROMOTION}  # what the customer gets is no longer in the plan
    plan["policy"] = {"restrictions": plan["policy"]["restrictions"]}
    write_workspace(tmp_path / "changed", plan, street_tables())
    explanation = explain(load_plan(tmp_path / "changed"), "1")
    assert "plan" in explanation.warnings[0]
    assert [reason.campaign for reason in explanation.not_received] == ["fresh"]
    assert len(explanation.contacts) == 3


def test_no_run_is_bad_input(street: Plan, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="contactplan run PLAN first"):
        explain(load_plan(write_workspace(tmp_path, street_plan(), street_tables())), "1")


# Value against price, and the control group


def test_priced_out_and_equally_good(tmp_path: Path) -> None:
    # Room for one call. Segment a: 0.1 × 50 − 2 = 3; the two of segment b: 0.3 × 50 − 2 = 13.
    plan = plan_of({"sale": PROMOTION | {"channels": ["phone"]}})
    plan["channels"]["phone"] |= {"capacity": [{"contacts": 1, "per": "period"}]}
    plan["channels"]["phone"]["default_permission"] = "granted"
    tables = {
        "customers": pd.DataFrame({"customer_id": [1, 2, 3], "segment": ["a", "b", "b"]}),
        "permissions": pd.DataFrame({"customer_id": [1], "channel": ["phone"], "status": ["granted"]}),
        "response_rates": rates_of(plan, {"a": 1.0, "b": 3.0}),
    }
    loaded = run_of(tmp_path, plan, tables)
    (reason,) = explain(loaded, "1").not_received
    assert reason.code == "priced_out"
    price = "at the prices of channels.phone.capacity[0] (13.00)"
    assert f"worth 3.00, but costs 13.00 {price}" in reason.words
    rest = [told for told in (explain(loaded, customer) for customer in ("2", "3")) if not told.contacts]
    ((drawn,),) = (told.not_received for told in rest)
    assert drawn.code == "equally_good"
    assert f"worth 13.00, but costs 13.00 {price}" in drawn.words


def test_held_out(tmp_path: Path) -> None:
    campaigns = {
        "sale": PROMOTION,
        "news": PROMOTION | {"margin_per_response": 3.0},
        "bill": PROMOTION | {"type": "service"},
    }
    plan = plan_of(campaigns, hold_out={"share": 0.5})
    tables = {
        "customers": pd.DataFrame({"customer_id": range(1, 13), "segment": "a"}),
        "permissions": pd.DataFrame({"customer_id": [1], "channel": ["email"], "status": ["granted"]}),
        "response_rates": rates_of(plan, {"a": 1.0}),
    }
    loaded = run_of(tmp_path, plan, tables)
    assigned = pd.read_parquet(run_folder(tmp_path, START) / "assignments.parquet")
    explanation = explain(loaded, str(assigned.customer_id[assigned.hold_out].iloc[0]))
    assert explanation.held_out
    assert [contact.campaign for contact in explanation.contacts] == ["bill"]
    assert "sale" in {contact.campaign for contact in explanation.control}
    reasons = by_campaign(explanation)
    assert [reasons[name].code for name in ("sale", "news")] == ["held_out", "held_out"]
    assert "held out: would have had it by email on" in reasons["sale"].words
    assert "not have had it either" in reasons["news"].words
    assert "brings 0.06, costs 0.10" in reasons["news"].words


def test_a_drawn_plan_has_a_reason_for_every_campaign(tmp_path: Path) -> None:
    plan, tables = random_workspace(60, seed=4)
    loaded = run_of(tmp_path, plan, tables)
    calendar = pd.read_parquet(run_folder(tmp_path, loaded.period.start) / "calendar.parquet")
    for customer in tables["customers"].customer_id.iloc[[3, 40]]:
        explanation = explain(loaded, str(customer))
        own = set(calendar.campaign[calendar.customer_id == customer])
        assert set(by_campaign(explanation)) == set(loaded.campaigns) - own
        assert all(reason.words for reason in explanation.not_received)
        assert not any("not allowed" in reason.words for reason in explanation.not_received)


# The rules in words, without a run


SMALL = """
name: small
currency: EUR
data: {customers: c.csv, permissions: p.csv}
period: {start: 2026-11-30, days: 7}
channels: {email: {unit_cost: 0.1}}
campaigns: {sale: {type: promotional}, free: {type: promotional, ignores_caps: true}}
policy:
  max_per_customer: [{contacts: 2, days: 7}]
  min_days_between: 2
  restrictions: {debt: {blocks: [promotional]}}
"""


@pytest.fixture
def small(tmp_path: Path) -> Plan:
    (tmp_path / "plan.yaml").write_text(SMALL, encoding="utf-8")
    return load_plan(tmp_path)


SALE = ContactOption("sale", "email", "promotional", None, 0.1)


@pytest.mark.parametrize(
    ("status", "topic", "first", "last", "words"),
    [
        ("denied", None, date(2026, 5, 3), None, "denied since Sun 3 May 2026"),
        ("denied", "promotional", None, date(2027, 1, 4), "denied until Mon 4 Jan 2027"),
        ("granted", None, None, date(2026, 11, 2), "lapsed on Mon 2 Nov 2026"),
        ("granted", None, date(2027, 1, 4), None, "not before Mon 4 Jan 2027"),
        ("granted", "service", None, None, "never given"),
        ("granted", None, None, None, None),
    ],
)
def test_permission_in_words(
    small: Plan, status: str, topic: str | None, first: date | None, last: date | None, words: str | None
) -> None:
    row = {"channel": "email", "status": status, "topic": topic, "valid_from": first, "valid_to": last}
    assert permission_refused(small, pd.DataFrame([row], dtype=object), SALE, START) == words


def test_an_open_restriction_in_words(small: Plan) -> None:
    rows = pd.DataFrame([("debt", date(2026, 11, 1), None)], columns=["reason", "starts_on", "ends_on"])
    assert restricted(small, rows, SALE, START) == "debt since Sun 1 Nov 2026, still open"
    assert restricted(small, rows, SALE, date(2026, 10, 31)) is None


def contact(on: int, campaign: str = "sale") -> EarlierContact:
    return EarlierContact(on, campaign, "email", "promotional")


def test_the_cap_of_the_fullest_stretch_stands_in_the_way(small: Plan) -> None:
    found = obstacles(ContactRules.of(small), (contact(-3, "x"), contact(-1, "y")), (), contact(2, "z"))
    (cap,) = found
    assert cap.rule == "policy.max_per_customer[0] (at most 2 contacts in 7 days)"
    assert [c.day for c in cap.contacts] == [-3, -1]
    assert cap.until == 3  # on day 4 the contact of day −3 is 7 days back


def test_the_spacing_stands_in_the_way(small: Plan) -> None:
    (spacing,) = obstacles(ContactRules.of(small), (contact(1, "x"),), (), contact(2, "z"))
    assert (spacing.rule, spacing.until) == ("policy.min_days_between (2 days)", 2)


def test_a_campaign_that_ignores_caps_is_only_stopped_by_planned_ones_that_do_not(small: Plan) -> None:
    rules, full = ContactRules.of(small), (contact(-6, "x"), contact(-4, "y"))
    assert obstacles(rules, full, (), contact(0, "free")) == ()
    (cap,) = obstacles(rules, (contact(-4, "x"),), (contact(-2, "z"),), contact(0, "free"))
    assert cap.rule.startswith("policy.max_per_customer[0]")


def test_figures_that_differ_look_different() -> None:
    assert figures(3.2, 4.1) == ["3.20", "4.10"]
    assert figures(3.2001, 3.2004) == ["3.2001", "3.2004"]
    assert figures(0.004) == ["0.004"]
