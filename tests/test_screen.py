"""What stands on the screen: on a terminal of any width, and as plain lines where there is none."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from report_samples import Fake, fake_plan, fake_result
from rich.console import Console

from optimizer import console, screen
from optimizer.explain import Explanation, PlannedContact
from optimizer.explain_reasons import Reason
from optimizer.faults import Fault
from optimizer.headline import headline_figures
from optimizer.plan_file import Plan

FAULT = Fault(
    "permissions", "channel", "unknown channel [bold]fax[/bold]", "Add it to channels.", 3, ("C1", "C\x1b2")
)
LINES = (
    "These limits cannot all hold, whatever is sent to whom.",
    "- reach[0] asks for at least 900 customers: with all other limits kept, at best 700 customers",
    "- budget[0] asks for at most EUR 12",
    "Any one of these makes the plan possible (each was solved):",
    "- lower reach[0] to 700 customers (by 200 customers)",
)


def shown_on(monkeypatch: pytest.MonkeyPatch, width: int | None) -> io.StringIO:
    """What is shown on a terminal of that width; None: to a file."""
    shown = io.StringIO()
    terminal = Console(
        file=shown, force_terminal=width is not None, width=width or 60, markup=False, highlight=False,
        emoji=False,
    )  # fmt: skip
    monkeypatch.setattr(console, "errors", lambda: terminal)
    monkeypatch.setattr(console, "output", lambda: terminal)
    return shown


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return fake_plan(tmp_path_factory.mktemp("workspace"))


@pytest.fixture
def result(plan: Plan) -> Fake:
    full = fake_result(plan)
    limits = full.limits.assign(price_from=100.0, price_to=[16400.0] * len(full.limits))
    figures = {"expected_value": 12345.678, "upper_bound": 12346.2, "gap": 4.2e-5, "cost": 800.0}
    return replace(full, limits=limits, summary=full.summary | figures)


@pytest.mark.parametrize(("width", "heading"), [(140, True), (60, False)])
def test_faults_are_a_table_where_it_fits(monkeypatch: pytest.MonkeyPatch, width: int, heading: bool) -> None:
    shown = shown_on(monkeypatch, width)
    screen.show_faults([FAULT])
    told = shown.getvalue()
    assert ("what to do" in told) is heading
    assert "[bold]fax[/bold]" in told
    assert "C\x1b2" not in told


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_closing_table_fits_the_terminal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, result: Fake, width: int
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    shown = shown_on(monkeypatch, width)
    screen.show_run(result, tmp_path / "report.html")
    table = shown.getvalue().split("Report:")[0]
    assert "EUR 12,346" in table
    assert "\x1b[3" not in table  # no colour
    plain = [line.replace("\x1b[1m", "").replace("\x1b[0m", "") for line in table.splitlines()]
    assert max(map(len, plain)) <= width
    assert str(tmp_path / "report.html") in shown.getvalue()  # in one piece, to be copied


def test_the_dearest_limits_are_told_in_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, result: Fake
) -> None:
    shown = shown_on(monkeypatch, 160)
    screen.show_run(result, tmp_path / "report.html")
    told = shown.getvalue()
    assert "one hour more brings EUR 9.20, up to 16,400; the price holds down to 100" in told
    assert "EUR 1 more brings EUR 1.37, up to 16,400" in told
    places = [told.index(name) for name in ("phone.capacity[0] week 1", "budget[0]", "reach[0]")]
    assert places == sorted(places)
    assert "budget[1]" not in told
    assert "campaigns fixed" not in told
    screen.show_run(replace(result, summary=result.summary | {"nodes": 3}), tmp_path / "report.html")
    assert "Prices are those with the campaigns fixed" in shown.getvalue()


def test_a_cost_is_told_as_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    full = fake_result(fake_plan(tmp_path, objective={"minimize": "cost"}))
    summary = full.summary | {"expected_value": -800.5, "upper_bound": -800.0, "gap": 6e-4}
    shown = shown_on(monkeypatch, 120)
    screen.show_run(replace(full, summary=summary), tmp_path / "report.html")
    rows = [" ".join(line.split()) for line in shown.getvalue().splitlines()]
    assert any(row.startswith("cost EUR 800.50 of all contacts") for row in rows)
    assert any(row.startswith("proved bound EUR 800.00 no plan can cost less") for row in rows)
    assert sum(row.startswith("cost") for row in rows) == 1
    assert "saves EUR 9.20" in shown.getvalue()
    assert "-800" not in shown.getvalue()


def test_figures_that_are_missing(result: Fake, plan: Plan) -> None:
    empty = {"customers": 0, "reached": 0, "contacts": 0, "gap": None, "upper_bound": None}
    figures = {f.name: (f.value, f.note) for f in headline_figures(result.summary | empty, plan)}
    assert figures["customers reached"] == ("0", "0\N{NO-BREAK SPACE}% of 0")
    assert figures["proved bound"][0] == "none"
    assert figures["status"][1] == "no bound was proved"
    assert figures["cost"][1] == "nothing is sent"
    assert console.number(None) == console.number(float("nan")) == "-"
    assert console.number(float("inf")) == "unlimited"
    assert console.number(1234.0) == "1,234"


def test_a_conflict_is_one_line_each_without_a_terminal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shown = shown_on(monkeypatch, None)
    screen.show_conflict(LINES, tmp_path / "conflict.json")
    lines = shown.getvalue().splitlines()
    assert lines[: len(LINES)] == list(LINES)
    assert lines[-2:] == ["No calendar was written.", f"The same in a file: {tmp_path / 'conflict.json'}"]


def test_the_points_of_a_conflict_hang_on_a_terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    shown = shown_on(monkeypatch, 50)
    screen.show_conflict([*LINES, "- lower [red]x\x1b"], tmp_path / "conflict.json")
    told = shown.getvalue().replace("\x1b[1m", "").replace("\x1b[0m", "")
    lines = [line.rstrip() for line in told.splitlines()]
    start = lines.index(" • reach[0] asks for at least 900 customers: with")
    assert lines[start + 1].startswith("   all other limits kept")
    assert " • lower [red]x\N{REPLACEMENT CHARACTER}" in lines
    assert LINES[3] in told.replace("\n", " ")


@pytest.mark.parametrize(
    ("objective", "head"),
    [
        ({"maximize": "expected_margin"}, "expected margin, EUR"),
        ({"maximize": "expected_responses"}, "expected responses"),
        ({"minimize": "cost"}, "cost, EUR"),
    ],
)
def test_a_customers_contacts_are_in_the_unit_of_the_objective(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, objective: dict[str, str], head: str
) -> None:
    contact = PlannedContact(date(2026, 12, 1), "email", "sale", final=True, value=-0.25)
    explanation = Explanation(
        "C1", "1", "1", "1-01", False, (), (), ("sale by email: margin 9 (segment 8)",), (contact,), (),
        (Reason("reminder", "no_permission", "no permission for sms"),), (),
    )  # fmt: skip
    shown = shown_on(monkeypatch, 120)
    screen.show_customer(explanation, fake_plan(tmp_path, objective=objective))
    assert head in shown.getvalue()
    assert ("-0.25" in shown.getvalue()) is ("minimize" not in objective)
    assert "no permission for sms" in shown.getvalue()
    assert "margin 9 (segment 8)" in shown.getvalue()


def test_bars_show_each_stage_and_the_last_detail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    shown = shown_on(monkeypatch, 100)
    with screen.RunProgress() as progress:
        progress("read", "2,400 customers")
        progress("program", "round 1")
        progress("program", "round [7], gap 0.4 %, 1,203 streams")
    last = shown.getvalue()
    for word in ("read", "2,400 customers", "program", "round [7], gap 0.4 %, 1,203 streams", "✓"):
        assert word in last
