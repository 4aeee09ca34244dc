"""The weekly run end to end: what a planner relies on from week to week."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from oracle.checker import breaches
from oracle.random_workspace import random_workspace
from oracle.workspace_files import write_workspace
from typer.testing import CliRunner

from optimizer import pipeline
from optimizer.cli import app
from optimizer.plan_file import load_plan
from optimizer.result import Result

START = date(2026, 11, 30)
RUN_FILES = {
    "calendar.parquet", "control.parquet", "assignments.parquet", "segments.csv", "streams.csv",
    "allocation.csv", "response_rates.csv", "limits.csv", "permission_worth.csv", "summary.json",
    "report.html", "exports",
}  # fmt: skip


def small_plan(**changes: Any) -> dict[str, Any]:
    return {
        "name": "small",
        "currency": "EUR",
        "period": {"start": START, "days": 7},
        "segments": {"column": "segment"},
        "response": {"from": "table"},
        "channels": {"email": {"unit_cost": 0.1}, "phone": {"unit_cost": 2.0}},
        "campaigns": {
            "sale": {"type": "promotional", "channels": ["email", "phone"], "margin_per_response": 50.0},
        },
        **changes,
    }


def small_tables(**changes: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {
        "customers": pd.DataFrame({"customer_id": [1, 2, 10], "segment": ["a", "a", "b"]}),
        "permissions": pd.DataFrame(
            {
                "customer_id": [1, 2, 2, 10],
                "channel": ["email", "email", "phone", "phone"],
                "status": ["granted"] * 4,
            }
        ),
        "response_rates": pd.DataFrame(
            {
                "segment": ["a", "a", "b", "b"],
                "campaign": ["sale"] * 4,
                "channel": ["email", "phone", "email", "phone"],
                "response_rate": [0.02, 0.10, 0.02, 0.03],
            }
        ),
        **changes,
    }


def solved(folder: Path, plan: dict[str, Any], tables: dict[str, pd.DataFrame]) -> Result:
    return pipeline.run(load_plan(write_workspace(folder, plan, tables)))


def test_three_customers_by_eye(tmp_path: Path) -> None:
    # 1: e-mail only, 0.02 × 50 − 0.1 = 0.9. 2: phone 0.10 × 50 − 2 = 3.0 beats e-mail 0.9.
    # 10: phone 0.03 × 50 − 2 < 0.
    result = solved(tmp_path, small_plan(), small_tables())
    got = result.calendar[["customer_id", "channel", "expected_value"]].sort_values("customer_id")
    assert got.customer_id.tolist() == [1, 2]
    assert got.channel.tolist() == ["email", "phone"]
    assert got.expected_value.tolist() == pytest.approx([0.9, 3.0])
    assert result.summary["expected_value"] == pytest.approx(3.9)
    assert result.summary["status"] == "optimal"
    assert result.assignments.customer_id.tolist() == [1, 2, 10]
    assert result.assignments.stream.tolist() == ["a-01", "a-02", ""]


def test_a_budget_goes_to_the_best_and_has_its_price(tmp_path: Path) -> None:
    # One call (2.0) is all that 2.05 pays for; the e-mail (0.1) of customer 1 no longer fits whole.
    result = solved(tmp_path, small_plan(budget=[{"amount": 2.05}]), small_tables())
    assert result.calendar.customer_id.tolist() == [2]
    limits = result.limits.set_index("limit")
    assert limits.loc["budget[0]", "used"] == pytest.approx(2.0)
    assert limits.loc["budget[0]", "shadow_price"] > 0
    assert result.summary["linear_bound"] > result.summary["upper_bound"] >= 3.0


def test_nobody_may_be_contacted_is_an_empty_calendar_with_a_word_why(tmp_path: Path) -> None:
    tables = small_tables()
    tables["permissions"] = tables["permissions"].assign(status="denied")
    result = solved(tmp_path, small_plan(), tables)
    assert result.calendar.empty
    assert "permissions" in result.summary["why_empty"]
    assert result.summary["status"] == "optimal"
    result.write(_made(tmp_path / "out"))


def test_least_cost_without_a_minimum_is_an_empty_calendar_with_a_word_why(tmp_path: Path) -> None:
    result = solved(tmp_path, small_plan(objective={"minimize": "cost"}), small_tables())
    assert result.calendar.empty
    assert "costs the least" in result.summary["why_empty"]


def test_no_send_day_is_an_empty_calendar_with_a_word_why(tmp_path: Path) -> None:
    plan = small_plan()
    plan["campaigns"]["sale"] |= {"from": START - timedelta(20), "to": START - timedelta(10)}
    result = solved(tmp_path, plan, small_tables())
    assert result.calendar.empty
    assert "no day" in result.summary["why_empty"]


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_the_command_writes_a_whole_run_and_tells_where(tmp_path: Path) -> None:
    write_workspace(tmp_path, small_plan(), small_tables())
    ran = CliRunner().invoke(app, ["run", str(tmp_path)])
    assert ran.exit_code == 0, ran.output
    folder = tmp_path / "runs" / START.isoformat()
    assert {path.name for path in folder.iterdir()} == RUN_FILES
    assert "report.html" in ran.output
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert summary["expected_value"] == pytest.approx(3.9)
    assert CliRunner().invoke(app, ["run", str(tmp_path)]).exit_code == 2  # final contacts are there
    assert CliRunner().invoke(app, ["run", str(tmp_path), "--replace"]).exit_code == 0


def test_a_plan_may_export_nothing(tmp_path: Path) -> None:
    write_workspace(tmp_path, small_plan(export=[]), small_tables())
    assert CliRunner().invoke(app, ["run", str(tmp_path)]).exit_code == 0
    assert {path.name for path in (tmp_path / "runs" / START.isoformat()).iterdir()} == RUN_FILES - {
        "exports"
    }


def test_limits_that_cannot_hold_end_with_1_and_a_word_why(tmp_path: Path) -> None:
    plan = small_plan()
    plan["campaigns"]["sale"]["contacts"] = {"min": 4}
    write_workspace(tmp_path, plan, small_tables())
    ran = CliRunner().invoke(app, ["run", str(tmp_path)])
    assert ran.exit_code == 1
    assert "campaigns.sale.contacts.min" in ran.output
    assert json.loads((tmp_path / "conflict.json").read_text(encoding="utf-8"))["limits"]
    assert not (tmp_path / "runs" / START.isoformat()).exists()


def test_check_tells_a_reach_that_permissions_do_not_allow(tmp_path: Path) -> None:
    # Customers 2 and 10 may be phoned; a reach of 90 % of 3 customers by phone asks for 3.
    plan = small_plan(reach=[{"share": 0.9, "channel": "phone"}, {"customers": 2, "channel": "phone"}])
    write_workspace(tmp_path, plan, small_tables())
    checked = CliRunner().invoke(app, ["check", str(tmp_path)])
    assert checked.exit_code == 0
    told = " ".join(checked.output.split())
    assert "reach[0]: asks for 3 customers" in told
    assert "allow 2." in told
    assert "reach[1]" not in told


def test_check_names_a_feature_that_does_not_exist(tmp_path: Path) -> None:
    plan = small_plan(segments={"count": 2, "features": ["recency_day"]})
    write_workspace(tmp_path, plan, small_tables())
    checked = CliRunner().invoke(app, ["check", str(tmp_path)])
    assert checked.exit_code == 2
    assert "recency_days" in checked.output


def test_bad_input_ends_with_2_and_writes_nothing(tmp_path: Path) -> None:
    plan = small_plan(channels={"email": {"unit_cost": -1}, "phone": {"unit_kost": 2.0}})
    write_workspace(tmp_path, plan, small_tables())
    before = sorted(tmp_path.rglob("*"))
    ran = CliRunner().invoke(app, ["run", str(tmp_path)])
    assert ran.exit_code == 2
    assert "unit_kost" in ran.output
    assert "channels.email.unit_cost" in ran.output
    assert sorted(tmp_path.rglob("*")) == before


def test_shuffled_rows_give_the_same_calendar(tmp_path: Path) -> None:
    plan, tables = random_workspace(400, seed=5)
    first = solved(tmp_path / "one", plan, tables)
    mixed = {name: table.sample(frac=1.0, random_state=3) for name, table in tables.items()}
    second = solved(tmp_path / "two", plan, mixed)
    pd.testing.assert_frame_equal(first.calendar, second.calendar)
    pd.testing.assert_frame_equal(first.control, second.control)
    pd.testing.assert_frame_equal(first.assignments, second.assignments)


def test_two_runs_a_week_apart_keep_every_cap_and_change_nothing_final(tmp_path: Path) -> None:
    plan, tables = random_workspace(300, seed=8)
    start = pd.Timestamp(plan["period"]["start"]).date()
    path = write_workspace(tmp_path, plan, tables)
    assert CliRunner().invoke(app, ["run", str(path)]).exit_code == 0
    first_file = tmp_path / "runs" / start.isoformat() / "calendar.parquet"
    first, before = pd.read_parquet(first_file), first_file.read_bytes()

    later = start + timedelta(7)
    moved = {**plan, "period": {**plan["period"], "start": later}}
    write_workspace(tmp_path, moved, tables)
    ran = CliRunner().invoke(app, ["run", str(path)])
    assert ran.exit_code == 0, ran.output
    assert first_file.read_bytes() == before
    second = pd.read_parquet(tmp_path / "runs" / later.isoformat() / "calendar.parquet")
    assert first.final.any()
    assert not set(first.contact_id[first.final]) & set(second.contact_id)

    final = first[first.final]
    promised = final[["customer_id", "contact_on", "channel", "campaign", "cost"]]
    together = {**tables, "commitments": pd.concat([tables["commitments"], promised], ignore_index=True)}
    segments = dict(zip(tables["customers"].customer_id, tables["customers"].segment, strict=True))
    assert breaches(moved, together, segments, second, tables["response_rates"]) == []
