"""The plan file's objectives, volumes, soft limits and other limits: what is read, refused and warned of."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from plan_texts import FULL, SMALL, faults_in, load, small

from optimizer.faults import BadInput


def campaign(**keys: Any) -> dict[str, Any]:
    return {"a": {"type": "brand", "value_per_contact": 1, **keys}}


def test_what_the_full_plan_says(tmp_path: Path) -> None:
    plan = load(tmp_path, FULL)
    assert plan.period.keep_provisional == 0.05
    thanks = plan.campaigns["thanks"]
    assert (thanks.setup_cost, thanks.counts_towards_caps, thanks.ignores_caps) == (1500.0, False, True)
    bounds = thanks.contacts
    assert (bounds.min, bounds.min_if_used, bounds.max, bounds.soft) == (None, 20, 30, 0.5)
    retail, thank_yous, emails = plan.volume
    assert (retail.business_unit, retail.max_share, retail.min, retail.soft) == ("retail", 0.6, None, None)
    assert (thank_yous.type, thank_yous.segments, thank_yous.min) == ("recognition", ("1",), 500)
    assert thank_yous.soft == 2.0
    assert (emails.channel, emails.campaign, emails.min, emails.max) == ("email", "sale", 1, 9)
    assert (emails.min_share, emails.max_share) == (0.1, 0.9)
    assert plan.return_on_cost is not None
    assert (plan.return_on_cost.min, plan.return_on_cost.soft) == (0.2, 0.1)


def test_defaults(tmp_path: Path) -> None:
    plan = load(tmp_path, small(budget=[{"amount": 1}], reach=[{"share": 1}]))
    assert (plan.volume, plan.return_on_cost, plan.period.keep_provisional) == ((), None, 0.0)
    sale = plan.campaigns["sale"]
    assert (sale.setup_cost, sale.counts_towards_caps, sale.ignores_caps) == (0.0, True, False)
    assert (sale.contacts.min_if_used, sale.contacts.soft) == (None, None)
    assert (plan.budget[0].soft, plan.reach[0].soft) == (None, None)


def test_soft_is_read_everywhere_it_may_stand(tmp_path: Path) -> None:
    capacity = [{"contacts": 5, "per": "day", "soft": 1}, {"contacts": 5, "per": "week"}]
    plan = load(
        tmp_path,
        small(
            channels={"email": {"unit_cost": 1, "capacity": capacity}},
            campaigns=campaign(contacts={"max": 4, "soft": 2}),
            budget=[{"amount": 1, "soft": 3}],
            reach=[{"share": 1, "soft": 4}],
            volume=[{"type": "brand", "min": 1, "soft": 5}],
            return_on_cost={"min": -1, "soft": 0},
        ),
    )
    assert [entry.soft for entry in plan.channels["email"].capacity] == [1.0, None]
    assert plan.campaigns["a"].contacts.soft == 2.0
    assert (plan.budget[0].soft, plan.reach[0].soft, plan.volume[0].soft) == (3.0, 4.0, 5.0)
    assert plan.return_on_cost is not None
    assert (plan.return_on_cost.min, plan.return_on_cost.soft) == (-1.0, 0.0)


@pytest.mark.parametrize(
    ("objective", "goal"),
    [
        (None, "expected_margin"),
        ({}, "expected_margin"),
        ({"maximize": None}, "expected_margin"),
        ({"maximize": "expected_margin"}, "expected_margin"),
        ({"maximize": "expected_revenue"}, "expected_revenue"),
        ({"maximize": "expected_responses"}, "expected_responses"),
        ({"maximize": "reach"}, "reach"),
        ({"minimize": "cost"}, "cost"),
        ({"minimize": "cost", "maximize": None}, "cost"),
    ],
)
def test_objectives(tmp_path: Path, objective: dict[str, Any] | None, goal: str) -> None:
    read = load(tmp_path, small(objective=objective)).objective
    assert read.goal == goal
    assert (read.maximize, read.minimize) == ((None, "cost") if goal == "cost" else (goal, None))


def test_a_scenario_with_another_objective(tmp_path: Path) -> None:
    text = small(objective={"maximize": "reach"}, scenarios={"cheap": {"objective": {"minimize": "cost"}}})
    found = faults_in(tmp_path, text)
    assert "has both" in found["scenarios.cheap.objective"].rule
    assert "in a scenario" in found["scenarios.cheap.objective"].remedy
    plan = load(tmp_path, text.replace("minimize: cost", "{minimize: cost, maximize: }"))
    assert plan.patched(plan.scenarios["cheap"]).objective.goal == "cost"
    default = load(tmp_path, small(scenarios={"cheap": {"objective": {"minimize": "cost"}}}))
    assert default.patched(default.scenarios["cheap"]).objective.goal == "cost"


@pytest.mark.parametrize(
    ("changes", "where", "word"),
    [
        ({"objective": {"maximize": "reach", "minimize": "cost"}}, "objective", "has both"),
        ({"objective": {"maximize": "profit"}}, "objective.maximize", "no objective"),
        ({"objective": {"maximize": "cost"}}, "objective.maximize", "nothing to maximize"),
        ({"objective": {"minimize": "reach"}}, "objective.minimize", "nothing to minimize"),
        ({"objective": {"minimise": "cost"}}, "objective.minimise", "unknown key"),
        ({"campaigns": campaign(setup_cost=-1)}, "campaigns.a.setup_cost", "at least 0"),
        ({"campaigns": campaign(ignores_caps="no")}, "campaigns.a.ignores_caps", "true or false"),
        ({"campaigns": campaign(counts_towards_caps=0)}, "campaigns.a.counts_towards_caps", "true or false"),
        ({"campaigns": campaign(contacts={"min": 2, "min_if_used": 2})}, "campaigns.a.contacts", "has both"),
        ({"campaigns": campaign(contacts={"min_if_used": 3, "max": 2})}, "campaigns.a.contacts.max", "less"),
        ({"campaigns": campaign(contacts={"soft": 3})}, "campaigns.a.contacts.soft", "softens nothing"),
        ({"campaigns": campaign(contacts={"min": 3, "soft": -1})}, "campaigns.a.contacts.soft", "at least 0"),
        ({"volume": [{"type": "brand"}]}, "volume[0]", "bounds nothing"),
        ({"volume": [{"soft": 3}]}, "volume[0]", "bounds nothing"),
        ({"volume": {"min": 3}}, "volume", "a list"),
        ({"volume": [{"min": 3, "max": 2}]}, "volume[0].max", "less than min (3)"),
        (
            {"volume": [{"type": "brand", "min_share": 0.5, "max_share": 0.4}]},
            "volume[0].max_share",
            "min_share",
        ),
        ({"volume": [{"max_share": 60}]}, "volume[0].max_share", "at most 1"),
        ({"volume": [{"max": 0.5}]}, "volume[0].max", "whole number"),
        ({"volume": [{"min": 3, "type": "sale"}]}, "volume[0].type", "one of"),
        ({"volume": [{"min": 3, "channel": "emial"}]}, "volume[0].channel", "no channel"),
        ({"volume": [{"min": 3, "campaign": "sail"}]}, "volume[0].campaign", "no campaign"),
        ({"volume": [{"min": 3, "segments": [1, 9]}]}, "volume[0].segments[1]", "no segment"),
        ({"volume": [{"min": 3, "share": 1}]}, "volume[0].share", "unknown key"),
        ({"budget": [{"amount": 3, "campaign": "sail"}]}, "budget[0].campaign", "no campaign"),
        ({"budget": [{"amount": 3, "soft": True}]}, "budget[0].soft", "a number"),
        ({"return_on_cost": {"soft": 1}}, "return_on_cost.min", "missing"),
        ({"return_on_cost": {"min": -1.5}}, "return_on_cost.min", "at least -1"),
        ({"return_on_cost": 0.2}, "return_on_cost", "a mapping"),
        ({"period": {"start": date(2026, 11, 30), "keep_provisional": -1}}, "period.keep_provisional", "0"),
    ],
)
def test_one_fault_in_the_plan_and_in_a_scenario(
    tmp_path: Path, changes: dict[str, Any], where: str, word: str
) -> None:
    base = {"campaigns": {}} if "campaigns" in changes else {}
    for text, at in (
        (small(**changes), where),
        (small(**base, scenarios={"other": changes}), f"scenarios.other.{where}"),
    ):
        found = faults_in(tmp_path, text)
        assert list(found) == [at]
        assert word in found[at].rule
        assert found[at].remedy


def test_remedies_name_what_was_meant(tmp_path: Path) -> None:
    volume = [{"min": 3, "channel": "emial", "campaign": "sail"}]
    found = faults_in(tmp_path, small(volume=volume, objective={"maximize": "cost"}))
    assert found["volume[0].channel"].remedy == "Did you mean 'email'?"
    assert found["volume[0].campaign"].remedy == "Did you mean 'sale'?"
    assert found["objective.maximize"].remedy == "Write minimize: cost."


@pytest.mark.parametrize(
    ("changes", "empty"),
    [
        ({}, True),
        ({"campaigns": campaign(contacts={"min_if_used": 5, "max": 9})}, True),
        ({"volume": [{"type": "brand", "min_share": 0.5}]}, True),
        ({"reach": [{"share": 0}]}, True),
        ({"return_on_cost": {"min": 0.1}}, True),
        ({"campaigns": campaign(contacts={"min": 5})}, False),
        ({"volume": [{"type": "brand", "min": 5}]}, False),
        ({"reach": [{"customers": 5}]}, False),
        ({"reach": [{"share": 0.5}]}, False),
        ({"period": {"start": date(2026, 11, 30), "keep_provisional": 0.05}}, False),
    ],
)
def test_the_cheapest_plan_is_empty_without_a_minimum(
    tmp_path: Path, changes: dict[str, Any], empty: bool
) -> None:
    plan = load(tmp_path, small(objective={"minimize": "cost"}, **changes))
    assert bool(plan.warnings) == empty
    assert all("nothing will be planned" in warning for warning in plan.warnings)
    assert load(tmp_path, small(**changes)).warnings == ()


def test_what_is_worth_nothing_depends_on_the_objective(tmp_path: Path) -> None:
    def warned(objective: str, **keys: Any) -> str:
        figures = {"type": "brand", **keys}
        plan = load(tmp_path, small(objective={"maximize": objective}, campaigns={"a": figures}))
        return "".join(plan.warnings)

    assert "margin_per_response and value_per_contact are 0" in warned("expected_margin")
    assert warned("expected_margin", margin_per_response=1) == ""
    assert "revenue_per_response is 0" in warned("expected_revenue", margin_per_response=1)
    assert warned("expected_revenue", revenue_per_response=1) == ""
    assert warned("expected_responses") == warned("reach") == ""


def test_warnings_about_volumes(tmp_path: Path) -> None:
    volume = [{"business_unit": "retial", "min": 1}, {"segments": [1], "max_share": 0.6}]
    unit, share = load(tmp_path, small(volume=volume)).warnings
    assert unit == "volume[0]: no campaign of the plan has the business unit 'retial'."
    assert share.startswith("volume[1]: a share with no business_unit")


def test_patches_go_through_the_same_checks(tmp_path: Path) -> None:
    plan = load(tmp_path, SMALL)
    assert plan.patched({"volume": [{"type": "promotional", "max": 4}]}).volume[0].max == 4
    with pytest.raises(BadInput, match=r"volume\[0\]: bounds nothing"):
        plan.patched({"volume": [{"type": "promotional"}]})
    with pytest.raises(BadInput, match=r"campaigns\.sale\.contacts: has both min and min_if_used"):
        plan.patched({"campaigns": {"sale": {"contacts": {"min": 1, "min_if_used": 1}}}})
