"""What a run shows at its end: its figures and dearest limits, or why the limits cannot all hold."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from optimizer import console
from optimizer.console import plain_table, printable
from optimizer.headline import campaigns_fixed, headline_figures
from optimizer.limit_wording import LimitWords, limits_in_words
from optimizer.wording import number

if TYPE_CHECKING:
    import pandas as pd

    from optimizer.plan_file import Plan
    from optimizer.report import PlannedResult

PRICES_SHOWN = 5
BULLET = "- "


def show_run(result: PlannedResult, report: Path) -> None:
    """The table that closes a run: value, proved bound, size, dearest limits, where the report is."""
    screen, summary = console.output(), result.summary
    figures = plain_table(Column("plan"), Column("", justify="right", no_wrap=True), Column(""))
    for figure in headline_figures(summary, result.plan):
        figures.add_row(*(Text(printable(text)) for text in (figure.name, figure.value, figure.note)))
    for name in ("cells", "streams"):
        figures.add_row(name, printable(number(summary[name], 0)), "")
    screen.print(figures)
    if summary.get("why_empty"):
        screen.print(Text(printable(str(summary["why_empty"]))), soft_wrap=True)
    priced = dearest(result.limits, result.plan)
    if priced:
        screen.print()
        screen.print(_price_table(priced))
        if campaigns_fixed(summary, result.plan):
            screen.print(Text("Prices are those with the campaigns fixed as this plan uses them."))
    screen.print()
    screen.print(Text(printable(f"Report: {report}")), soft_wrap=True)
    screen.print(Text(f"Open it in a browser: {report.absolute().as_uri()}"), soft_wrap=True)


def dearest(limits: pd.DataFrame, plan: Plan) -> list[LimitWords]:
    """The limits with the greatest shadow prices (size, not sign), at most 5, in words."""
    priced = limits[limits["shadow_price"].abs() > 0]  # a missing price is not above 0
    order = priced["shadow_price"].abs().sort_values(ascending=False, kind="stable").index
    return limits_in_words(priced.loc[order[:PRICES_SHOWN]], plan)


def show_conflict(lines: Iterable[str], path: Path) -> None:
    """Why the plan's limits cannot all hold, and the file that says it too.

    The first line is the reason; lines that begin with a dash are the points of the line before them.
    """
    screen = console.errors()
    for n, line in enumerate(lines):
        _show_line(screen, printable(line), "bold red" if n == 0 else "bold")
    screen.print()
    screen.print(Text("No calendar was written."))
    screen.print(Text(f"The same in a file: {printable(str(path))}"), soft_wrap=True)


def _show_line(screen: Console, line: str, style: str) -> None:
    """A point with a hanging indent on a terminal, any other line set off; elsewhere a line each."""
    if not screen.is_terminal:
        screen.print(Text(line), soft_wrap=True)
    elif line.startswith(BULLET):
        point = Table.grid(padding=(0, 1, 0, 0))
        point.add_row(" •", Text(line.removeprefix(BULLET), overflow="fold"))
        screen.print(point)
    else:
        screen.print()
        screen.print(Text(line, style=style))


def _price_table(priced: Iterable[LimitWords]) -> Table:
    table = plain_table(Column("dearest limits", overflow="fold"), Column("what more of them is worth"))
    for limit in priced:
        table.add_row(Text(printable(limit.limit)), Text(printable(limit.price)))
    return table
