"""A solved plan: its tables for notebooks, and the files of a run."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import ibis.expr.types as ir
import pandas as pd

from optimizer.customer_files import write_customer_files
from optimizer.engine import Engine
from optimizer.frames import frame_of
from optimizer.plan_file import Plan
from optimizer.report import render
from optimizer.schedule import BY_CUSTOMER, BY_DATE, Schedule

TABLES = (
    "segments", "streams", "allocation", "response_rates", "limits", "permission_worth", "rule_prices",
    "response_bands",
)  # fmt: skip
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Result:
    """What a plan comes to; tables and columns are those of the run folder's files.

    `rule_prices` is None unless it was asked for, `response_bands` (segment, band, multiplier, customers,
    expected, responses) unless customers of a segment respond by bands.

    The customer tables stay in the `engine` (`schedule`, and as sorted tables `calendar_table`,
    `control_table`, `assignments_table`); `calendar`, `control` and `assignments` bring them over as
    DataFrames.
    """

    plan: Plan
    summary: dict[str, Any]
    segments: pd.DataFrame
    streams: pd.DataFrame
    allocation: pd.DataFrame
    limits: pd.DataFrame
    response_rates: pd.DataFrame
    schedule: Schedule
    warnings: tuple[str, ...]
    permission_worth: pd.DataFrame
    engine: Engine
    rule_prices: pd.DataFrame | None = None
    response_bands: pd.DataFrame | None = None

    @property
    def calendar_table(self) -> ir.Table:
        """Every planned contact, by date and customer."""
        return self.schedule.calendar.order_by(BY_DATE)

    @property
    def control_table(self) -> ir.Table:
        """The contacts that held-out customers would have had, by date and customer."""
        return self.schedule.control.order_by(BY_DATE)

    @property
    def assignments_table(self) -> ir.Table:
        """Every customer's segment and stream, by customer."""
        return self.schedule.assignments.order_by(BY_CUSTOMER)

    @cached_property
    def calendar(self) -> pd.DataFrame:
        """Every planned contact, by date and customer."""
        return frame_of(self.calendar_table)

    @cached_property
    def control(self) -> pd.DataFrame:
        """The contacts that held-out customers would have had."""
        return frame_of(self.control_table)

    @cached_property
    def assignments(self) -> pd.DataFrame:
        """Every customer's segment and stream."""
        return frame_of(self.assignments_table)

    def write(self, folder: Path, customer_rows: bool = True) -> None:
        """Writes the files of a run into an existing, empty folder.

        Without `customer_rows` those are left out that hold any, and none are fetched.
        """
        with ThreadPoolExecutor(1) as beside:  # the page takes seconds, in which the engine sorts customers
            figures = beside.submit(self._write_figures, folder)
            if customer_rows:
                write_customer_files(self.plan, self.engine, self.schedule, folder)
            figures.result()

    def _write_figures(self, folder: Path) -> None:
        """Writes the files without customers."""
        for name in TABLES:
            table: pd.DataFrame | None = getattr(self, name)
            if table is not None:
                _neutralised(table).to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
        summary = json.dumps(self.summary, indent=2, ensure_ascii=False, default=str)
        (folder / "summary.json").write_text(summary + "\n", encoding="utf-8")
        (folder / "report.html").write_text(render(self), encoding="utf-8")


def _neutralised(table: pd.DataFrame) -> pd.DataFrame:
    """Text that a spreadsheet would run as a formula gets a leading apostrophe."""
    safe = table.copy()
    for name in safe.columns:
        if not pd.api.types.is_numeric_dtype(safe[name]):
            safe[name] = [
                f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell
                for cell in safe[name]
            ]
    return safe
