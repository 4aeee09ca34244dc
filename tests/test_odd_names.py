"""Names that would break out of a careless statement, file name, page or spreadsheet: all are only names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from odd_names import OUT, SIGNS, START, odd_plan, odd_tables
from oracle.workspace_files import write_workspace
from typer.testing import CliRunner

from optimizer import pipeline
from optimizer.cli import app
from optimizer.plan_file import load_plan


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run; the folder's name and the tables' are odd, too."""
    folder = tmp_path_factory.mktemp("odd") / "it's a [work] * space; {0} %s"
    write_odd(folder, odd_plan())
    ran = CliRunner().invoke(app, ["run", str(folder)])
    assert ran.exit_code == 0, (ran.output, ran.exception)
    return folder


def write_odd(folder: Path, plan: dict[str, Any]) -> None:
    tables = odd_tables(plan)
    write_workspace(folder, plan, tables)
    text = (folder / "plan.yaml").read_text(encoding="utf-8")
    for name in tables:  # the tables' own names
        suffix = ".parquet" if (folder / f"{name}.parquet").is_file() else ".csv"
        odd = f"{name} it's; [x] {{0}}{suffix}"
        (folder / f"{name}{suffix}").rename(folder / odd)
        text = text.replace(f"{name}: {name}{suffix}", f"{name}: {json.dumps(odd)}")
    (folder / "plan.yaml").write_text(text, encoding="utf-8")


def test_names_come_out_as_they_went_in(workspace: Path) -> None:
    run, plan = workspace / "runs" / START.isoformat(), odd_plan()
    calendar = pd.read_parquet(run / "calendar.parquet")
    assert len(calendar)
    assert set(calendar.channel) <= set(plan["channels"])
    assert set(calendar.campaign) <= set(plan["campaigns"])
    assigned = pd.read_parquet(run / "assignments.parquet")
    tables = odd_tables(plan)
    assert dict(zip(assigned.customer_id, assigned.segment, strict=True)) == dict(
        zip(tables["customers"].customer_id, tables["customers"][f"the {OUT}"], strict=True)
    )
    segments = pd.read_csv(run / "segments.csv", dtype=str)
    # What a spreadsheet would run has a leading apostrophe.
    assert {text.removeprefix("'") for text in segments.segment} == set(SIGNS)
    assert "'=1+1" in set(segments.segment)


def test_exports_have_plain_file_names_and_all_contacts(workspace: Path) -> None:
    exports = workspace / "runs" / START.isoformat() / "exports"
    manifest = json.loads((exports / "manifest.json").read_text(encoding="utf-8"))
    files = {file["file"] for file in manifest["files"]}
    assert {path.name for path in exports.iterdir()} == files | {"manifest.json"}
    assert all(name.isascii() and set("/\\ '\";%{}").isdisjoint(name) for name in files)
    calendar = pd.read_parquet(exports.parent / "calendar.parquet")
    assert sum(f["rows"] for f in manifest["files"] if f["content"] == "contacts") == len(calendar)
    assert {f["campaign"] for f in manifest["files"] if f["campaign"]} == set(calendar.campaign)


def test_the_report_shows_names_as_text(workspace: Path) -> None:
    page = (workspace / "runs" / START.isoformat() / "report.html").read_text(encoding="utf-8")
    assert "Zürich 東京" in page
    assert "<b>&amp;" not in page.split("<script", maxsplit=1)[0]


@pytest.mark.parametrize("sign", ["it's", 'say "so"', "100 %s", "back\\slash"])
def test_a_customer_can_be_explained(workspace: Path, sign: str) -> None:
    told = CliRunner().invoke(app, ["explain", str(workspace), "--", f"{sign} 1"])
    assert told.exit_code == 0, told.output
    assert sign in told.output


def test_a_feature_of_any_name_makes_segments(tmp_path: Path) -> None:
    plan = odd_plan(
        segments={"count": 2, "features": [f"feature {OUT}"]}, reach=[], response={"from": "history"}
    )
    for campaign in plan["campaigns"].values():
        campaign.pop("segments", None)
    write_odd(tmp_path, plan)
    result = pipeline.run(load_plan(tmp_path))
    assert f"feature {OUT}" in result.segments.columns
    assert set(result.assignments.segment) == {1, 2}


def test_a_name_in_an_audience_is_a_column_or_a_text(tmp_path: Path) -> None:
    """Quoted text in an audience may hold anything; a column is named by letters only."""
    plan = odd_plan()
    sale = next(iter(plan["campaigns"]))
    plan["campaigns"][sale]["audience"] = "region in ('north', 'it\\'s', '; DROP TABLE customers; --')"
    write_odd(tmp_path, plan)
    result = pipeline.run(load_plan(tmp_path))
    third = {f"{sign} 1" for sign in SIGNS}
    assert set(result.calendar.customer_id[result.calendar.campaign == sale]).isdisjoint(third)
