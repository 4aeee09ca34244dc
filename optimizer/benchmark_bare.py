"""The bare cost of a run: reading every value of the same files and writing the same calendar, no more.

A run writes the calendar twice, as Parquet and as the campaign tools' CSV files, and waits until the disk has
them: so does this, and tells both.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import ibis.expr.types as ir

from optimizer.engine import Engine
from optimizer.engine_choice import EngineOptions, open_engine
from optimizer.peak_memory import peak_memory
from optimizer.plan_file import Plan, load_plan
from optimizer.run_folder import to_disk
from optimizer.table_files import find_files, read_files
from optimizer.table_schema import schemas


@dataclass(frozen=True)
class BareCost:
    """Seconds to scan the input files, to write the calendar and to export it; the peak memory in bytes."""

    scan: float
    write: float
    export: float
    peak: int

    @property
    def seconds(self) -> float:
        """The files scanned and the calendar written as Parquet."""
        return self.scan + self.write

    @property
    def with_export(self) -> float:
        """The same, and the calendar as CSV."""
        return self.seconds + self.export


def bare_cost(workspace: Path, calendar: Path, options: EngineOptions) -> BareCost:
    """Scan all tables of the workspace's plan and write the run's calendar again, sorted alike, then as CSV.

    To be called in a process of its own: the engine's settings and memory are then those of this work.
    """
    plan = load_plan(workspace)
    engine = open_engine(plan, options)
    with tempfile.TemporaryDirectory(prefix=".bare-", dir=workspace) as scratch:
        began = time.perf_counter()
        for rows in _inputs(engine, plan):
            # A column's last value: it takes reading them all, and statistics cannot answer it.
            last = [rows[name].last(include_null=True).name(name) for name in rows.columns]
            rows.aggregate(last).to_pyarrow()
        scanned = time.perf_counter()
        contacts, sorted_file = engine.read_parquet([calendar]), Path(scratch) / "calendar.parquet"
        contacts.order_by(["contact_on", "customer_id"]).to_parquet(sorted_file)
        to_disk(sorted_file)
        written = time.perf_counter()
        lines = Path(scratch) / "calendar.csv"
        engine.read_parquet([sorted_file]).to_csv(lines)
        to_disk(lines)
        exported = time.perf_counter()
    engine.close()
    return BareCost(scanned - began, written - scanned, exported - written, peak_memory())


def _inputs(engine: Engine, plan: Plan) -> Iterator[ir.Table]:
    for schema in schemas(plan.segments.column):
        source: str | None = getattr(plan.data, schema.name)
        if source is not None:
            yield read_files(engine, schema.name, find_files(plan.folder, schema.name, source))
