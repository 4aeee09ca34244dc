from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from optimizer import benchmark as measuring
from optimizer import peak_memory
from optimizer.benchmark import BenchmarkFigures, StageCost, StageMeter
from optimizer.benchmark_bare import BareCost, bare_cost
from optimizer.benchmark_base import BaseSize, make_workspace
from optimizer.cli import app
from optimizer.engine_choice import EngineOptions
from optimizer.peak_memory import reset_peak
from optimizer.plan_file import load_plan
from optimizer.screen_benchmark import show_benchmark
from optimizer.timetable import Timetable

STAGES = [
    *("read", "segments", "response rates", "cells", "program", "calendar", "audit", "report", "prices"),
    "files",
]
MIB = 2**20


def figures(peaks_apart: bool = True) -> BenchmarkFigures:
    """A run of 10 s, 4 of them the program, beside a bare cost of 2 s."""
    stages = (StageCost("read", 1.0, 300 * MIB), StageCost("program", 4.0, 900 * MIB))
    stages += (StageCost("files", 5.0, 1200 * MIB),)
    summary = {"cells": 1234, "status": "optimal", "gap": 5e-5}
    size, engine = BaseSize(1_000, 3.0, 28), EngineOptions(None, 2, "4GiB")
    return BenchmarkFigures(
        size, engine, None, stages, peaks_apart, BareCost(1.5, 0.5, 1.0, 100 * MIB), summary
    )


def test_ratios_are_to_the_bare_cost() -> None:
    told = figures().as_dict()
    assert told["customers_to_bare"] == pytest.approx(3.0)
    assert told["customers_to_bare_with_export"] == pytest.approx(2.0)
    assert told["all_to_bare"] == pytest.approx(5.0)
    assert told["peak"] == 1200 * MIB
    assert told["engine"] == {"name": None, "threads": 2, "memory_limit": "4GiB"}


def test_what_is_shown(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    show_benchmark(figures(), tmp_path)
    shown = capsys.readouterr().out
    rows = [" ".join(line.split()) for line in shown.splitlines()]
    for row in (
        "all 10.0 1,200",
        "everything but the program 6.0 3.0 2.0",
        "everything 10.0 5.0 3.3",
        "gap 5.00e-05",
    ):
        assert row in rows, row
    assert "drawing the base, not counted there already" in rows
    assert str(tmp_path / "1000-customers-3-contacts-28-days" / "benchmark.json") in shown
    assert "cannot reset" not in shown
    show_benchmark(figures(peaks_apart=False), None)
    shown = capsys.readouterr().out
    assert "cannot reset" in shown
    assert "benchmark.json" not in shown


def test_a_stage_has_its_own_seconds_and_peak() -> None:
    told: list[tuple[str, str]] = []
    meter = StageMeter(lambda stage, detail: told.append((stage, detail)))
    meter("heavy")
    block = b"1" * (200 * MIB)
    assert len(block) == 200 * MIB
    del block
    meter("light")
    meter("light", "half done")
    meter.close()
    assert told == [("heavy", ""), ("light", ""), ("light", "half done")]
    heavy, light = meter.stages
    assert (heavy.stage, light.stage) == ("heavy", "light")
    if meter.peaks_apart:
        assert heavy.peak - light.peak > 150 * MIB


def test_where_the_peak_cannot_be_reset(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(peak_memory, "_CLEAR", tmp_path / "no" / "clear_refs")
    monkeypatch.setattr(peak_memory, "_STATUS", tmp_path / "status")
    assert not reset_peak()
    assert peak_memory.peak_memory() > 20 * MIB
    meter = StageMeter(lambda stage, detail: None)
    meter("any")
    meter.close()
    assert not meter.peaks_apart


def test_base_of_a_size_is_drawn_once(tmp_path: Path) -> None:
    size = BaseSize(2_000, 3.0, 28)
    workspace, seconds = make_workspace(tmp_path, size)
    assert workspace.name == "2000-customers-3-contacts-28-days"
    assert seconds is not None
    history = pq.read_table(workspace / "contact_history")
    assert history.num_rows == pytest.approx(3 * 2_000, rel=0.05)
    plan = load_plan(workspace)
    assert len(Timetable.of(plan).days) == 12
    assert (len(plan.channels), len(plan.campaigns)) == (5, 12)
    last_day = max(history["contacted_on"].to_pylist())
    assert (plan.period.start - last_day).days == 1

    made = (workspace / "customers.parquet").stat()
    assert make_workspace(tmp_path, size) == (workspace, None)
    assert (workspace / "customers.parquet").stat() == made
    assert [entry.name for entry in tmp_path.iterdir()] == [workspace.name]


def test_bare_cost_leaves_nothing(tmp_path: Path) -> None:
    workspace, _ = make_workspace(tmp_path, BaseSize(1_000, 1.0, 28))
    before = sorted(workspace.rglob("*"))
    # Any table with these columns will do for a calendar.
    calendar = pq.read_table(workspace / "contact_history").rename_columns({"contacted_on": "contact_on"})
    pq.write_table(calendar, tmp_path / "calendar.parquet")
    bare = bare_cost(workspace, tmp_path / "calendar.parquet", EngineOptions(threads=1, memory_limit="1GiB"))
    assert min(bare.scan, bare.write, bare.export) > 0
    assert bare.peak > 20 * MIB
    assert sorted(workspace.rglob("*")) == before


@pytest.mark.parametrize("keep", [False, True])
def test_temporary_folder_is_kept_only_if_asked(keep: bool, tmp_path: Path) -> None:
    with measuring.place(None, keep) as here:
        assert here.is_dir()
    assert here.exists() == keep
    if keep:
        here.rmdir()
    with measuring.place(tmp_path, keep) as here:
        assert here == tmp_path
    assert tmp_path.exists()


def test_too_few_customers_are_refused() -> None:
    result = CliRunner().invoke(app, ["benchmark", "--customers", "10"])
    assert result.exit_code == 2


@pytest.mark.slow
def test_a_benchmark_from_the_command_line(tmp_path: Path) -> None:
    arguments = ["benchmark", "--customers", "1000", "--contacts", "1", "--folder", str(tmp_path)]
    result = CliRunner().invoke(app, [*arguments, "--threads", "1", "--memory-limit", "1GiB"])
    assert result.exit_code == 0, result.output
    workspace = tmp_path / "1000-customers-1-contacts-28-days"
    told = json.loads((workspace / "benchmark.json").read_text())
    assert [stage["stage"] for stage in told["stages"]] == STAGES
    assert all(stage["seconds"] > 0 and stage["peak"] > 50 * MIB for stage in told["stages"])
    assert told["bare"]["scan"] > 0
    assert told["all_to_bare"] > told["customers_to_bare"] > 0
    assert told["engine"]["threads"] == 1
    assert told["summary"]["contacts"] > 100
    assert not (workspace / "runs").exists()
    assert "everything but the program" in result.output
