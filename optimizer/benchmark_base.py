"""The benchmark's workspace: a synthetic base with histories without pattern, and its plan."""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from models.synthetic import write_base
from optimizer import pipeline
from optimizer.examples import plan_text
from optimizer.plan_file import load_plan

SEED = 7
START = date(2026, 11, 30)  # the plan's
COMPILING_CUSTOMERS = 500  # enough for every compiled function to be called once


@dataclass(frozen=True)
class BaseSize:
    """What decides a base: how many customers, and the mean of their earlier contacts.

    `contacts` a customer in the `history_days` before the period: a Poisson number, their dates uniform.
    """

    customers: int
    contacts: float
    history_days: int

    @property
    def name(self) -> str:
        """The name of its workspace: bases of several sizes stand side by side in a folder."""
        return f"{self.customers}-customers-{self.contacts:g}-contacts-{self.history_days}-days"


def make_workspace(folder: Path, size: BaseSize) -> tuple[Path, float | None]:
    """Return the workspace of a size in `folder`, and the seconds it took to draw its tables.

    The tables are drawn in partitions, so memory does not grow with the customers; those that are there
    already are used again (None seconds). The workspace is there whole or not at all.
    """
    workspace = folder.absolute() / size.name
    seconds = None
    if not workspace.exists():
        folder.mkdir(parents=True, exist_ok=True)
        began = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix=f".{size.name}-", dir=folder) as made:
            fresh = Path(made) / "workspace"
            per_28_days = size.contacts * 28 / size.history_days
            write_base(
                fresh,
                size.customers,
                SEED,
                START,
                history_per_month=per_28_days,
                history_days=size.history_days,
            )
            fresh.rename(workspace)
        seconds = time.perf_counter() - began
    (workspace / "plan.yaml").write_text(_plan(size.customers), encoding="utf-8")
    return workspace, seconds


def compile_all() -> None:
    """Make a tiny plan, so that what is compiled once a machine is compiled and kept."""
    folder = Path(tempfile.mkdtemp(prefix="contactplan-benchmark-"))
    try:
        workspace, _ = make_workspace(folder, BaseSize(COMPILING_CUSTOMERS, 1.0, 28))
        pipeline.run(load_plan(workspace))
    finally:
        shutil.rmtree(folder)


def _plan(customers: int) -> str:
    """The synthetic example's plan without blackouts: 12 send days, 5 channels, 12 campaigns."""
    lines = plan_text("synthetic", customers).splitlines(keepends=True)
    return "".join(line for line in lines if not line.lstrip().startswith("blackout:"))
