"""What a benchmark shows: a row a stage, the bare cost, the ratios, and the size of what was planned."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Column, Table
from rich.text import Text

from optimizer import console
from optimizer.console import number, plain_table, printable

if TYPE_CHECKING:
    from optimizer.benchmark import BenchmarkFigures

MIB = 2**20
_WORDS = {
    "cells_sharing_a_row": "cells that share a row",
    "expected_value": "expected value",
    "gap_estimate": "gap, estimated",
}


def show_benchmark(figures: BenchmarkFigures, folder: Path | None) -> None:
    """The tables of a benchmark on standard output; `folder` is where its workspace stays, if it does."""
    screen = console.output()
    for table in (_stages(figures), _ratios(figures), _sizes(figures)):
        screen.print(table)
        screen.print()
    if not figures.peaks_apart:
        screen.print("Peaks are those since the start: this system cannot reset them.")
    if folder is not None:
        file = folder / figures.size.name / "benchmark.json"
        screen.print(Text(printable(f"The same in a file: {file}")), soft_wrap=True)


def _stages(figures: BenchmarkFigures) -> Table:
    table = plain_table(
        Column("stage"),
        Column("seconds", justify="right", no_wrap=True),
        Column("peak memory, MiB", justify="right", no_wrap=True),
    )
    for stage in figures.stages:
        table.add_row(stage.stage, f"{stage.seconds:,.1f}", _mib(stage.peak))
    table.add_row("all", f"{figures.seconds:,.1f}", _mib(figures.peak), style="bold")
    return table


def _ratios(figures: BenchmarkFigures) -> Table:
    bare, apart, everything = figures.bare, figures.customer_seconds, figures.seconds
    table = plain_table(
        Column("bare cost with DuckDB, and ratios"),
        Column("seconds", justify="right", no_wrap=True),
        Column("÷ bare", justify="right", no_wrap=True),
        Column("÷ bare with CSV", justify="right", no_wrap=True),
    )
    for name, seconds in (
        ("scanning the same files", bare.scan),
        ("writing the same calendar as Parquet", bare.write),
        ("both", bare.seconds),
        ("writing the same calendar as CSV", bare.export),
        ("all three", bare.with_export),
    ):
        table.add_row(name, f"{seconds:,.2f}", "", "")
    for name, seconds in (("everything but the program", apart), ("everything", everything)):
        ratios = (f"{seconds / cost:,.1f}" for cost in (bare.seconds, bare.with_export))
        table.add_row(name, f"{seconds:,.1f}", *ratios)
    table.add_row(f"peak memory of the bare work, MiB: {_mib(bare.peak)}", "", "", "")
    return table


def _sizes(figures: BenchmarkFigures) -> Table:
    table = plain_table(Column("planned"), Column("", justify="right"))
    for name, value in figures.summary.items():
        small = name in ("gap", "gap_estimate")
        shown = f"{value:.2e}" if small else number(value, 0) if name != "status" else str(value)
        table.add_row(_WORDS.get(name, name), printable(shown))
    size = figures.size
    table.add_row("earlier contacts a customer", f"{size.contacts:g} in {size.history_days} days")
    drawn = figures.base_seconds
    table.add_row("drawing the base, not counted", "there already" if drawn is None else f"{drawn:,.1f} s")
    return table


def _mib(memory: int) -> str:
    return f"{memory / MIB:,.0f}"
