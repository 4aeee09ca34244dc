"""What the commands show: faults, warnings, counts; a run and a customer have modules of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich import box
from rich.table import Column, Table
from rich.text import Text

from optimizer import console
from optimizer.console import labelled, plain_table, printable
from optimizer.faults import Fault
from optimizer.screen_explain import show_customer
from optimizer.screen_progress import RunProgress
from optimizer.screen_run import show_conflict, show_run

__all__ = (
    "RunProgress", "show_conflict", "show_counts", "show_customer", "show_error", "show_faults", "show_run",
    "show_warnings",
)  # fmt: skip

WIDE = 100  # columns from which a table of faults reads better than a list


def show_error(message: str) -> None:
    """One plain sentence or two on standard error."""
    screen = console.errors()
    screen.print(labelled("Error: ", "bold red", message), soft_wrap=not screen.is_terminal)


def show_faults(faults: Iterable[Fault]) -> None:
    """All faults found in the input: a table on a wide terminal, else a list with a line each."""
    screen, found = console.errors(), tuple(faults)
    count = "1 fault" if len(found) == 1 else f"{len(found)} faults"
    screen.print(labelled(f"Bad input, {count}. ", "bold red", "Nothing was written."), soft_wrap=True)
    if screen.is_terminal and screen.width >= WIDE:
        screen.print(_fault_table(found))
        return
    for fault in found:
        screen.print(Text(printable(f"- {fault}")), soft_wrap=not screen.is_terminal)


def show_warnings(warnings: Iterable[str]) -> None:
    """What the user should know although the command went on."""
    screen = console.errors()
    for warning in warnings:
        screen.print(labelled("Warning: ", "yellow", warning), soft_wrap=not screen.is_terminal)


def show_counts(counts: Mapping[str, int]) -> None:
    """What `check` counted, by name."""
    table = plain_table(Column("found"), Column("number", justify="right"))
    for name, count in counts.items():
        table.add_row(Text(printable(name)), f"{count:,}")
    console.output().print(table)


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
