"""The command line: exit codes, what is written and what is not, what stands on the screen."""

from __future__ import annotations

import errno
import io
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import optimizer
from optimizer import cli
from optimizer.faults import BadInput, Fault
from optimizer.run_folder import run_lock

SUMMARY = {
    "status": "optimal",
    "expected_value": 12345.678,
    "upper_bound": 12346.0,
    "gap": 2.6e-5,
    "cost": 800.0,
    "contacts": 4210,
    "customers": 2000,
    "reached": 1500,
    "cells": 120,
    "streams": 31,
    "expected_margin": 12345.678,
    "penalties": {"total": 0.0, "limits": {}},
    "setup_costs": 0.0,
    "campaigns_used": [],
}
LIMITS = pd.DataFrame(
    {
        "limit": ["budget[0]", "channels.phone.capacity[0] week 2", "reach[0]", "budget[1]"],
        "bound": [15000.0, 160.0, 1000.0, 9.0],
        "used": [15000.0, 160.0, 1000.0, 1.0],
        "slack": [0.0, 0.0, 0.0, 8.0],
        "shadow_price": [2.31, 17.5, -0.25, 0.0],
        "price_from": [12000.0, 0.0, 990.0, 1.0],
        "price_to": [16400.0, 171.25, 1012.0, float("inf")],
    }
)
FAULT = Fault(
    "permissions", "channel", "unknown channel [bold]fax[/bold]", "Add it to channels.", 3, ("C1", "C\x1b2")
)


class CannotHold(Exception):  # noqa: N818
    lines = ("reach[0] asks for 900 customers;", "only 700 may be contacted.")

    def as_dict(self) -> dict[str, Any]:
        return {"limits": ["reach[0]"]}


class StandIn:
    """The modules behind the commands, as far as the commands know them; `hooks` make a call fail."""

    def __init__(self, workspace: Path) -> None:
        self.plan = SimpleNamespace(
            folder=workspace,
            currency="EUR",
            period=SimpleNamespace(start=date(2026, 11, 30)),
            warnings=(),
            data=SimpleNamespace(database=None),
            objective=SimpleNamespace(goal="expected_margin"),
            channels={},
            campaigns={},
        )
        self.calls: list[tuple[Any, ...]] = []
        self.hooks: dict[str, Callable[[], None]] = {}

    def _called(self, name: str, *given: Any) -> None:
        self.calls.append((name, *given))
        self.hooks.get(name, lambda: None)()

    def load_plan(self, path: Path) -> SimpleNamespace:
        self._called("load_plan", path)
        return self.plan

    def write_example(self, name: str, folder: Path, customers: int | None, force: bool) -> None:
        self._called("write_example", name, folder, customers, force)

    def check(self, plan: SimpleNamespace, engine: Any) -> SimpleNamespace:
        self._called("check", plan)
        return SimpleNamespace(warnings=("campaign autumn misses the period",), counts={"customers": 2400})

    def run(
        self,
        plan: Any,
        *,
        refit_segments: bool,
        progress: Any,
        earlier_run: Path | None,
        full_prices: bool,
        engine: Any,
    ) -> SimpleNamespace:
        progress("read", "2,400 customers")
        for number in (1, 2, 3):
            progress("program", f"round {number}, gap 0.4 %")
        self._called("run", refit_segments, earlier_run, *(["full prices"] if full_prices else []))
        warnings = ("2 rows of contact_history were left out",)
        return SimpleNamespace(
            plan=self.plan,
            summary=SUMMARY,
            limits=LIMITS,
            warnings=warnings,
            write=self.write,
            engine=SimpleNamespace(close=lambda: None),
        )

    def write(self, folder: Path) -> None:
        (folder / "summary.json").write_text("{}")
        self._called("write")
        pq.write_table(pa.table({"final": [True, False]}), folder / "calendar.parquet")


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    import_module("optimizer.audit")  # which needs what a stand-in takes the place of
    made = StandIn(tmp_path)
    modules = {
        "plan_file": {"load_plan": made.load_plan},
        "examples": {"write_example": made.write_example},
        "pipeline": {"check": made.check, "run": made.run},
        "conflict": {"CannotHold": CannotHold},
    }
    for name, members in modules.items():
        module = ModuleType(f"optimizer.{name}")
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setattr(optimizer, name, module, raising=False)
    for name in ("FORCE_COLOR", "NO_COLOR", "COLUMNS", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    return made


def call(*words: str | Path) -> Any:
    return CliRunner().invoke(cli.app, [str(word) for word in words])


def raising(error: BaseException) -> Callable[[], None]:
    def hook() -> None:
        raise error

    return hook


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


WHOLE = ["runs/2026-11-30/calendar.parquet", "runs/2026-11-30/summary.json"]

# run


def test_a_run_is_stored_and_closed_with_a_table(stand_in: StandIn, tmp_path: Path) -> None:
    result = call("run", tmp_path)
    assert result.exit_code == 0, result.output
    assert files(tmp_path) == WHOLE
    assert stand_in.calls[1:] == [("run", False, None), ("write",)]
    for word in ("optimal", "0.0026 %", "4,210", "1,500", "120", "31"):
        assert word in result.stdout
    report = tmp_path / "runs" / "2026-11-30" / "report.html"
    assert result.stdout.splitlines()[-2:] == [
        f"Report: {report}",
        f"Open it in a browser: {report.as_uri()}",
    ]
    assert "Warning: 2 rows of contact_history were left out" in result.stderr


def test_the_dearest_limits_stand_first_and_free_ones_not_at_all(stand_in: StandIn, tmp_path: Path) -> None:
    told = call("run", tmp_path).stdout
    places = [told.index(name) for name in ("channels.phone.capacity[0] week 2", "budget[0]", "reach[0]")]
    assert places == sorted(places)
    assert "budget[1]" not in told


def test_progress_is_plain_lines_where_there_is_no_terminal(stand_in: StandIn, tmp_path: Path) -> None:
    lines = call("run", tmp_path).stderr.splitlines()
    expected = [
        "read: 2,400 customers",
        "program: round 1, gap 0.4 %",
        "program: round 3, gap 0.4 %",
        "files",
    ]
    assert lines[:4] == expected


def test_final_contacts_are_replaced_only_when_asked(stand_in: StandIn, tmp_path: Path) -> None:
    call("run", tmp_path)
    stand_in.calls.clear()
    result = call("run", tmp_path)
    assert result.exit_code == 2
    assert "--replace" in result.stderr
    assert [name for name, *_ in stand_in.calls] == ["load_plan"]
    assert call("run", tmp_path, "--replace", "--refit-segments").exit_code == 0
    assert ("run", True, None) in stand_in.calls
    assert call("run", tmp_path, "--replace", "--prices", "full").exit_code == 0
    assert ("run", False, None, "full prices") in stand_in.calls
    assert call("run", tmp_path, "--replace", "--prices", "all").exit_code == 2
    assert files(tmp_path) == WHOLE


def test_the_newest_earlier_run_is_handed_on(stand_in: StandIn, tmp_path: Path) -> None:
    call("run", tmp_path)
    stand_in.plan.period.start = date(2026, 12, 7)
    call("run", tmp_path)
    assert ("run", False, tmp_path / "runs" / "2026-11-30") in stand_in.calls


def test_limits_that_cannot_all_hold(stand_in: StandIn, tmp_path: Path) -> None:
    call("run", tmp_path)
    stand_in.hooks["run"] = raising(CannotHold())
    result = call("run", tmp_path, "--replace")
    assert result.exit_code == 1
    assert "only 700 may be contacted." in result.stderr
    assert str(tmp_path / "conflict.json") in result.stderr
    assert json.loads((tmp_path / "conflict.json").read_text()) == {"limits": ["reach[0]"]}
    assert files(tmp_path) == ["conflict.json", *WHOLE]
    stand_in.hooks.clear()
    assert call("run", tmp_path, "--replace").exit_code == 0
    assert files(tmp_path) == WHOLE


@pytest.mark.parametrize("place", ["load_plan", "run"])
def test_bad_input_is_listed_and_nothing_is_written(stand_in: StandIn, tmp_path: Path, place: str) -> None:
    stand_in.hooks[place] = raising(
        BadInput([FAULT, Fault("budget[0].amount", "", "it is negative", "Set it.")])
    )
    result = call("run", tmp_path)
    assert result.exit_code == 2
    lines = result.stderr.splitlines()[-3:]
    assert lines[0] == "Bad input, 2 faults. Nothing was written."
    # One line however long, brackets kept, the escape sign replaced.
    place, rest = lines[1].split(": ", 1)
    assert place == "- permissions.channel"
    assert rest == "unknown channel [bold]fax[/bold] (3 rows, first: C1, C�2). Add it to channels."
    assert lines[2] == "- budget[0].amount: it is negative. Set it."
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), duckdb.IOException("No space left on device")]
)
def test_a_full_disk_leaves_the_earlier_run(stand_in: StandIn, tmp_path: Path, error: Exception) -> None:
    call("run", tmp_path)
    stand_in.hooks["write"] = raising(error)
    result = call("run", tmp_path, "--replace")
    assert result.exit_code == 3
    assert "No space left on device" in result.stderr
    assert "Traceback" not in result.output
    assert files(tmp_path) == WHOLE


def test_a_second_run_at_once_is_refused(stand_in: StandIn, tmp_path: Path) -> None:
    with run_lock(tmp_path):
        result = call("run", tmp_path)
        assert result.exit_code == 2
        assert "another run is under way" in result.stderr
        assert call("check", tmp_path).exit_code == 0
    assert call("run", tmp_path).exit_code == 0


def test_a_run_that_was_moved_aside_is_restored_by_check(stand_in: StandIn, tmp_path: Path) -> None:
    call("run", tmp_path)
    (tmp_path / "runs" / "2026-11-30").rename(tmp_path / "runs" / ".2026-11-30.aside")
    assert call("check", tmp_path).exit_code == 0
    assert files(tmp_path) == WHOLE


def test_an_unexpected_error_shows_normally(
    stand_in: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in.hooks["run"] = raising(ZeroDivisionError("division"))
    assert isinstance(call("run", tmp_path).exception, ZeroDivisionError)
    shown = io.StringIO()
    monkeypatch.setattr(sys, "argv", ["contactplan", "run", str(tmp_path)])
    monkeypatch.setattr(sys, "stderr", shown)
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 3
    assert "ZeroDivisionError" in shown.getvalue()


# check, init, the rest


def test_check_counts_and_warns(stand_in: StandIn, tmp_path: Path) -> None:
    result = call("check", tmp_path / "plan.yaml")
    assert result.exit_code == 0
    assert stand_in.calls[0] == ("load_plan", tmp_path / "plan.yaml")
    assert "2,400" in result.stdout
    assert "No faults found." in result.stdout
    assert "Warning: campaign autumn misses the period" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_check_lists_faults(stand_in: StandIn, tmp_path: Path) -> None:
    stand_in.hooks["check"] = raising(BadInput([FAULT]))
    result = call("check", tmp_path)
    assert result.exit_code == 2
    assert "Bad input, 1 fault." in result.stderr


def test_init_hands_on_what_was_asked(stand_in: StandIn, tmp_path: Path) -> None:
    assert call("init", tmp_path / "a").exit_code == 0
    result = call("init", tmp_path / "b", "--example", "synthetic", "--customers", "500", "--force")
    assert f"contactplan run {tmp_path / 'b'}" in result.stdout.replace("\n", "")
    assert stand_in.calls == [
        ("write_example", "grocer", tmp_path / "a", None, False),
        ("write_example", "synthetic", tmp_path / "b", 500, True),
    ]


@pytest.mark.parametrize(
    "error", [BadInput([FAULT]), FileExistsError("plan.yaml exists already"), NotADirectoryError("a file")]
)
def test_init_into_a_place_that_is_taken(stand_in: StandIn, tmp_path: Path, error: Exception) -> None:
    stand_in.hooks["write_example"] = raising(error)
    result = call("init", tmp_path)
    assert result.exit_code == 2
    assert "Nothing was written" in result.stderr


@pytest.mark.parametrize(
    "words", [["run"], ["run", "a", "b"], ["chek", "a"], ["init", "a", "--customers", "many"], []]
)
def test_a_wrong_call_is_bad_input(words: list[str]) -> None:
    assert call(*words).exit_code == 2


def test_version_and_help() -> None:
    assert call("--version").stdout.startswith("contactplan ")
    told = call("--help").stdout
    assert all(command in told for command in ("init", "check", "run"))


def test_help_loads_neither_engine_nor_solver() -> None:
    heavy = ("pandas", "ibis", "pulp", "duckdb", "rich.console")
    code = f"import sys, optimizer.cli; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
