"""What the commands show: faults, progress, the closing table; plain lines where there is no terminal.

Results go to standard output, progress and errors to standard error. Rich obeys NO_COLOR by itself.
Text from plans and tables is shown as it is, never read as markup.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column, Table
from rich.text import Text

from optimizer.faults import Fault

if TYPE_CHECKING:
    import pandas as pd

    from optimizer.explain import Explanation, PlannedContact

WIDE = 100  # columns from which a table of faults reads better than a list
PRICES_SHOWN = 5
SECONDS_BETWEEN_LINES = 5.0


def output() -> Console:
    """The console for results."""
    return Console(markup=False, highlight=False, emoji=False)


def errors() -> Console:
    """The console for progress, warnings and errors."""
    return Console(stderr=True, markup=False, highlight=False, emoji=False)


def show_error(message: str) -> None:
    """One plain sentence or two on standard error."""
    console = errors()
    console.print(_words("Error: ", "bold red", message), soft_wrap=not console.is_terminal)


def show_faults(faults: Iterable[Fault]) -> None:
    """All faults found in the input: a table on a wide terminal, else a list with a line each."""
    console, found = errors(), tuple(faults)
    count = "1 fault" if len(found) == 1 else f"{len(found)} faults"
    console.print(_words(f"Bad input, {count}. ", "bold red", "Nothing was written."), soft_wrap=True)
    if console.is_terminal and console.width >= WIDE:
        console.print(_fault_table(found))
        return
    for fault in found:
        console.print(Text(printable(f"- {fault}")), soft_wrap=not console.is_terminal)


def show_conflict(lines: Iterable[str], path: Path) -> None:
    """Why the plan's limits cannot all hold, and the file that says it too."""
    console = errors()
    console.print(Text("The plan's limits cannot all hold. No calendar was written.", style="bold red"))
    for line in lines:
        console.print(Text(printable(line)), soft_wrap=not console.is_terminal)
    console.print(Text(f"The same in a file: {printable(str(path))}"), soft_wrap=True)


def show_warnings(warnings: Iterable[str]) -> None:
    """What the user should know although the command went on."""
    console = errors()
    for warning in warnings:
        console.print(_words("Warning: ", "yellow", warning), soft_wrap=not console.is_terminal)


def show_counts(counts: Mapping[str, int]) -> None:
    """What `check` counted, by name."""
    table = _table(Column("found"), Column("number", justify="right"))
    for name, count in counts.items():
        table.add_row(Text(printable(name)), f"{count:,}")
    output().print(table)


def show_closing(summary: Mapping[str, Any], limits: pd.DataFrame, currency: str, report: Path) -> None:
    """The table that closes a run: value, proved bound, size, dearest limits, where the report is."""
    console = output()
    table = _table(Column("plan"), Column("", justify="right"))
    for name, figure in _closing_rows(summary, currency):
        table.add_row(name, figure)
    console.print(table)
    if summary.get("why_empty"):
        console.print(Text(str(summary["why_empty"])), soft_wrap=True)
    priced = dearest(limits)
    if priced:
        prices = _table(Column("limits with the highest shadow prices", overflow="fold"), *_RIGHT)
        ends = zip(limits["limit"], limits["price_from"], limits["price_to"], strict=True)
        holds = {limit: f"{number(low)} – {number(high)}" for limit, low, high in ends}
        for limit, bound, used, price in priced:
            row = (number(bound), number(used), number(price, 4), holds[limit])
            prices.add_row(Text(printable(limit)), *row)
        console.print()
        console.print(prices)
    console.print()
    console.print(Text(printable(f"Report: {report}")), soft_wrap=True)
    console.print(Text(f"Open it in a browser: {report.absolute().as_uri()}"), soft_wrap=True)


def show_explanation(explanation: Explanation, currency: str) -> None:
    """One customer: segment, cell, stream with its contacts, and why not the other campaigns."""
    console = output()
    about = _table(Column("customer"), Column(printable(explanation.customer_id), overflow="fold"))
    for name, words in explanation.facts:
        about.add_row(name, Text(printable(words)))
    console.print(about)
    for title, contacts in (("stream", explanation.contacts), ("control stream", explanation.control)):
        if contacts:
            console.print()
            console.print(_contact_table(title, contacts, currency))
    if explanation.not_received:
        reasons = _table(Column("not received", overflow="fold"), Column("because", overflow="fold"))
        for reason in explanation.not_received:
            words = "\n".join(printable(line) for line in (reason.words, *reason.others))
            reasons.add_row(Text(printable(reason.campaign)), Text(words))
        console.print()
        console.print(reasons)


def _contact_table(title: str, contacts: Iterable[PlannedContact], currency: str) -> Table:
    worth = Column(f"value, {printable(currency)}", justify="right")
    table = _table(Column(title), Column("campaign"), Column("channel"), Column(""), worth)
    for contact in contacts:
        settled = "final" if contact.final else "provisional"
        words = (contact.contact_on.isoformat(), contact.campaign, contact.channel, settled)
        table.add_row(*(Text(printable(word)) for word in words), number(contact.value))
    return table


_RIGHT = tuple(Column(name, justify="right") for name in ("bound", "used", "price", "holds for"))


def _closing_rows(summary: Mapping[str, Any], currency: str) -> list[tuple[str, str]]:
    gap = summary["gap"]
    reached, customers = summary["reached"], summary["customers"]
    share = f" ({reached / customers:.1%})" if customers else ""
    return [
        ("status", str(summary["status"])),
        ("expected value", f"{number(summary['expected_value'])} {currency}"),
        ("proved upper bound", f"{number(summary['upper_bound'])} {currency}"),
        ("gap", "-" if _missing(gap) else f"{gap * 100:.4f} %"),
        ("cost", f"{number(summary['cost'])} {currency}"),
        ("contacts", f"{summary['contacts']:,}"),
        ("customers reached", f"{reached:,} of {customers:,}{share}"),
        ("cells", f"{summary['cells']:,}"),
        ("streams", f"{summary['streams']:,}"),
    ]


def dearest(limits: pd.DataFrame) -> list[tuple[str, float, float, float]]:
    """The limits of the greatest shadow prices (size, not sign): limit, bound, used, price; at most 5."""
    priced = limits[limits["shadow_price"].abs() > 0]  # a missing price is not above 0
    order = priced["shadow_price"].abs().sort_values(ascending=False, kind="stable").index
    first = priced.loc[order[:PRICES_SHOWN], ["limit", "bound", "used", "shadow_price"]]
    return [(str(limit), bound, used, price) for limit, bound, used, price in first.itertuples(index=False)]


def number(value: float | None, places: int = 2) -> str:
    """A number for people: thousands separated, whole ones without decimals, a dash if missing."""
    if value is None or _missing(value):
        return "-"
    if not math.isfinite(value):
        return "unlimited"
    return f"{value:,.0f}" if value == round(value) else f"{value:,.{places}f}"


def printable(text: str) -> str:
    """The text with what could steer a terminal replaced; line ends stay out as well."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)


class RunProgress:
    """The stages of a run as they pass: bars on a terminal, plain lines elsewhere.

    A context manager; call it with a stage's name and a detail such as "round 7, gap 0.4 %".
    """

    def __init__(self) -> None:
        console = errors()
        self._live = console.is_terminal and not console.is_dumb_terminal
        self._console = console
        self._bars = Progress(*_progress_columns(), console=console)
        self._task: TaskID | None = None
        self._stage = self._detail = ""
        self._shown = (0.0, "")  # when the last plain line was printed, and its detail

    def __enter__(self) -> Self:
        if self._live:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close_stage(done=kind is None)
        if self._live:
            self._bars.stop()

    def __call__(self, stage: str, detail: str = "") -> None:
        """Say that `stage` is under way and how far it is."""
        stage, detail = printable(stage), printable(detail)
        begins = stage != self._stage
        if begins:
            self._close_stage(done=True)
            self._stage = stage
        self._detail = detail
        if self._live:
            self._show_bar(begins)
        elif begins or time.monotonic() - self._shown[0] > SECONDS_BETWEEN_LINES:
            self._show_line()

    def _show_bar(self, begins: bool) -> None:
        if begins or self._task is None:
            self._task = self._bars.add_task(self._stage, total=None, detail=self._detail)
        else:
            self._bars.update(self._task, detail=self._detail)

    def _show_line(self) -> None:
        self._shown = (time.monotonic(), self._detail)
        line = f"{self._stage}: {self._detail}" if self._detail else self._stage
        self._console.print(Text(line), soft_wrap=True)

    def _close_stage(self, done: bool) -> None:
        if not self._stage:
            return
        if not self._live and self._detail != self._shown[1]:
            self._show_line()  # the last word of a stage is not left out for want of time
        if self._task is not None:
            if done:
                self._bars.update(self._task, total=1, completed=1)
            else:
                self._bars.stop_task(self._task)


def _progress_columns() -> tuple[SpinnerColumn, TextColumn, BarColumn, TextColumn, TimeElapsedColumn]:
    one_line = {"no_wrap": True, "overflow": "ellipsis"}
    return (
        SpinnerColumn(finished_text="✓", table_column=Column(min_width=1, no_wrap=True)),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=12),
        TextColumn("{task.fields[detail]}", markup=False, table_column=Column(ratio=1, **one_line)),  # type: ignore[arg-type]
        TimeElapsedColumn(table_column=Column(min_width=7, no_wrap=True)),
    )


def _fault_table(faults: Iterable[Fault]) -> Table:
    table = Table(
        "where", "fault", Column("rows", justify="right"), "first keys", "what to do", box=box.SIMPLE
    )
    for fault in faults:
        place = f"{fault.where}.{fault.column}" if fault.column else fault.where
        rows = f"{fault.rows:,}" if fault.rows else ""
        cells = (place, fault.rule, rows, ", ".join(fault.keys), fault.remedy)
        table.add_row(*(Text(printable(cell), overflow="fold") for cell in cells))
    return table


def _table(*columns: Column) -> Table:
    return Table(*columns, box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))


def _words(label: str, style: str, message: str) -> Text:
    return Text.assemble((label, style), printable(message))


def _missing(value: float) -> bool:
    return value is None or math.isnan(value)
