from __future__ import annotations

import copy
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from plan_texts import FULL, SMALL, load, small

from optimizer.faults import BadInput
from optimizer.plan_file import CONTACT_TYPES, nearest


def test_full_plan(tmp_path: Path) -> None:
    plan = load(tmp_path, FULL)
    assert plan.folder == tmp_path
    assert plan.warnings == ()
    assert (plan.period.start, plan.period.days, plan.last_day) == (
        date(2026, 11, 30),
        28,
        date(2026, 12, 27),
    )
    assert plan.response.from_ == "table"
    assert plan.channels["email"].send_days == (0, 1, 4)
    assert plan.channels["email"].blackout == (date(2026, 12, 25),)
    assert plan.channels["email"].capacity[0].contacts == 50000
    assert plan.channels["phone"].capacity[1].on == (date(2026, 12, 24),)
    sale = plan.campaigns["sale"]
    assert (sale.from_, sale.to, sale.segments) == (date(2026, 12, 1), date(2026, 12, 14), ("1", "2"))
    assert (sale.contacts.min, sale.contacts.max, sale.margin_per_response) == (2, 50, 24.0)
    assert list(plan.policy.restrictions) == ["complaint", "deceased", "profiling"]
    assert plan.policy.restrictions["deceased"].blocks == CONTACT_TYPES
    assert plan.policy.restrictions["profiling"].blocks == ()
    assert plan.policy.only_after[0].days == (3, 10)
    assert plan.budget[0].per == "period"
    assert plan.hold_out.key == "autumn"


def test_defaults(tmp_path: Path) -> None:
    plan = load(tmp_path, SMALL)
    assert (plan.period.days, plan.period.commit_days, plan.seed) == (28, 7, 0)
    assert (plan.fatigue.keep, plan.fatigue.days) == (1.0, 28)
    assert (plan.response.from_, plan.response.window_days) == ("history", 14)
    assert (plan.segments.count, plan.segments.features, plan.segments.column) == ((6, 8), None, None)
    email = plan.channels["email"]
    assert (email.default_permission, email.send_days) == ("denied", (0, 1, 2, 3, 4, 5, 6))
    sale = plan.campaigns["sale"]
    assert sale.channels == ("email", "sms")
    assert (sale.from_, sale.to) == (date(2026, 11, 30), date(2026, 12, 27))
    assert [(cap.contacts, cap.days) for cap in sale.max_per_customer] == [(1, 28)]
    assert (sale.contacts.min, sale.contacts.max) == (None, None)
    assert (plan.hold_out.share, plan.hold_out.key, plan.retention_days) == (0.0, "small", 400)
    assert (plan.max_cells, [export.format for export in plan.export]) == (4000, ["csv"])
    assert load(tmp_path, small(period={"start": date(2026, 11, 30), "days": 5})).period.commit_days == 5


def test_a_key_without_value_is_left_out(tmp_path: Path) -> None:
    plan = load(tmp_path, SMALL + "policy:\nbudget:\nsegments: {column: }\n")
    assert plan.budget == ()
    assert plan.policy.min_days_between == 0


def test_window_that_misses_the_period_is_a_warning(tmp_path: Path) -> None:
    late = {"type": "brand", "value_per_contact": 1, "from": date(2027, 3, 1)}
    early = {"type": "brand", "value_per_contact": 1, "to": date(2026, 3, 1)}
    plan = load(tmp_path, small(campaigns={"late": late, "early": early}))
    assert [warning.partition(":")[0] for warning in plan.warnings] == ["campaigns.early", "campaigns.late"]
    days = [date.fromordinal(plan.period.start.toordinal() + day) for day in range(28)]
    assert not [day for c in plan.campaigns.values() for day in days if c.from_ <= day <= c.to]


def test_other_warnings(tmp_path: Path) -> None:
    budget = [{"amount": 1, "business_unit": "retial"}]
    plan = load(
        tmp_path, small(campaigns={"dull": {"type": "brand", "business_unit": "retail"}}, budget=budget)
    )
    assert "worth nothing" in plan.warnings[0]
    assert plan.warnings[1].startswith("budget[0]")
    assert "nothing will be planned" in load(tmp_path, small(campaigns={})).warnings[0]


def test_patched(tmp_path: Path) -> None:
    plan = load(tmp_path, FULL)
    before = copy.deepcopy(plan.raw)
    closed = plan.patched(plan.scenarios["closed"])
    assert closed.channels["phone"].capacity[0].contacts == 0
    assert closed.channels["phone"].unit_cost == 4.5
    assert closed.channels["email"] == plan.channels["email"]
    assert plan.patched({"budget": ({"amount": np.int64(5)},)}).budget[0].amount == 5.0
    assert plan.patched({"budget": None}).budget == ()
    assert plan.patched({"seed": 8}).patched({"seed": 9}).seed == 9
    assert plan.patched({}) == plan
    assert plan.raw == before
    with pytest.raises(BadInput, match=r"budget\[0\].amount"):
        plan.patched({"budget": [{"amount": -1}]})
    with pytest.raises(BadInput, match=r"scenarios\.x\.seed"):
        plan.patched({"scenarios": {"x": {"seed": -1}}})


def test_nearest() -> None:
    assert nearest("emial", ["phone", "email"]) == "email"
    assert nearest("EMAIL", ["phone", "Email"]) == "Email"
    assert nearest("zzz", ["phone", "email"]) == ""
    assert nearest("a", []) == ""


def test_own_segments_are_not_checked_against_numbers(tmp_path: Path) -> None:
    campaigns = {"sale": {"type": "brand", "value_per_contact": 1, "segments": ["gold", 7]}}
    plan = load(tmp_path, small(segments={"column": "band"}, campaigns=campaigns))
    assert plan.campaigns["sale"].segments == ("gold", "7")
    assert plan.segments.column == "band"
    assert load(tmp_path, small(segments={"count": 7})).segments.count == (7, 7)
