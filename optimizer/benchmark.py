"""What a run costs, stage by stage, beside the bare cost of reading its files and writing its calendar."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from optimizer import pipeline, run_folder
from optimizer.benchmark_bare import BareCost, bare_cost
from optimizer.benchmark_base import BaseSize, compile_all, make_workspace
from optimizer.conflict import CannotHold
from optimizer.engine_choice import EngineOptions
from optimizer.faults import BadInput, Fault
from optimizer.peak_memory import peak_memory, reset_peak
from optimizer.plan_file import Plan, load_plan
from optimizer.stages import Progress

P = ParamSpec("P")
R = TypeVar("R")

PROGRAM = ("program", "bound", "prices")
TEMPORARY = "contactplan-benchmark-"
FIGURES = (
    "customers", "cells", "cells_sharing_a_row", "streams", "contacts", "status", "gap", "expected_value",
)  # fmt: skip


@dataclass(frozen=True)
class StageCost:
    """Seconds of a stage, and the most resident memory of the process during it, in bytes."""

    stage: str
    seconds: float
    peak: int


@dataclass(frozen=True)
class BenchmarkFigures:
    """What a benchmark has measured.

    `base_seconds` is None where the base was there already. `peaks_apart` is False where the system cannot
    reset the peak: a stage's peak is then that since the start. `summary` holds figures of `summary.json`.
    """

    size: BaseSize
    engine: EngineOptions
    base_seconds: float | None
    stages: tuple[StageCost, ...]
    peaks_apart: bool
    bare: BareCost
    summary: dict[str, Any]

    @property
    def seconds(self) -> float:
        """The whole run."""
        return sum(stage.seconds for stage in self.stages)

    @property
    def program_seconds(self) -> float:
        """The linear program, its whole numbers, its proof and its prices."""
        return sum(stage.seconds for stage in self.stages if stage.stage in PROGRAM)

    @property
    def customer_seconds(self) -> float:
        """Everything but the program: what touches customers."""
        return self.seconds - self.program_seconds

    @property
    def peak(self) -> int:
        """The greatest peak of all stages, in bytes."""
        return max(stage.peak for stage in self.stages)

    def as_dict(self) -> dict[str, Any]:
        """All figures for `benchmark.json`; memory in bytes."""
        return {
            **asdict(self),
            "seconds": self.seconds,
            "program_seconds": self.program_seconds,
            "customer_seconds": self.customer_seconds,
            "peak": self.peak,
            "customers_to_bare": self.customer_seconds / self.bare.seconds,
            "customers_to_bare_with_export": self.customer_seconds / self.bare.with_export,
            "all_to_bare": self.seconds / self.bare.seconds,
        }


@contextmanager
def place(folder: Path | None, keep: bool) -> Iterator[Path]:
    """The folder given, else a temporary one that is removed at the end unless it is to be kept."""
    if folder is not None:
        yield folder
    elif keep:
        yield Path(tempfile.mkdtemp(prefix=TEMPORARY))
    else:
        with tempfile.TemporaryDirectory(prefix=TEMPORARY) as made:
            yield Path(made)


class StageMeter:
    """Passes the progress of a run on, and measures the stages that it tells of."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._stage = ""
        self._began = 0.0
        self.stages: list[StageCost] = []
        self.peaks_apart = True

    def __call__(self, stage: str, detail: str = "") -> None:
        """Say that `stage` is under way; another one than before ends that."""
        if stage != self._stage:
            self.close()
            self._stage, self._began = stage, time.perf_counter()
        self._progress(stage, detail)

    def close(self) -> None:
        """End the stage under way."""
        if self._stage:
            seconds = time.perf_counter() - self._began
            self.stages.append(StageCost(self._stage, seconds, peak_memory()))
        self.peaks_apart = reset_peak() and self.peaks_apart
        self._stage = ""


def benchmark(
    size: BaseSize,
    folder: Path,
    engine: EngineOptions,
    progress: Progress,
    *,
    keep_run: bool = False,
) -> BenchmarkFigures:
    """Make a base of this size, run its plan as `contactplan run` does, measure that and the bare cost.

    The workspace is a folder in `folder`, named after the size; its tables are used again by the next
    benchmark, the figures stay in its `benchmark.json`, the run itself only with `keep_run`. Drawing the
    base, compiling and the bare cost have processes of their own, so that their memory is not the run's.
    Raises BadInput where the plan cannot hold (so many earlier contacts that its minimums are out of reach).
    """
    progress("base", f"{size.customers:,} customers")
    workspace, base_seconds = _apart(make_workspace, folder, size)
    progress("compiling", "")
    _apart(compile_all)
    plan = load_plan(workspace)
    meter = StageMeter(progress)
    with run_folder.run_lock(workspace):
        run = run_folder.run_folder(workspace, plan.period.start)
        summary = _run(plan, run, engine, meter)
    progress("bare cost", "")
    bare = _apart(bare_cost, workspace, run / "calendar.parquet", engine)
    figures = BenchmarkFigures(
        size, engine, base_seconds, tuple(meter.stages), meter.peaks_apart, bare, summary
    )
    text = json.dumps(figures.as_dict(), indent=2)
    (workspace / "benchmark.json").write_text(text + "\n", encoding="utf-8")
    if not keep_run:
        shutil.rmtree(run.parent)
    return figures


def _run(plan: Plan, folder: Path, engine: EngineOptions, meter: StageMeter) -> dict[str, Any]:
    """Plan and write all files; the figures of the summary that a benchmark tells."""
    try:
        result = pipeline.run(plan, refit_segments=True, progress=meter, engine=engine)
    except CannotHold:
        rule = "so many earlier contacts leave the benchmark's plan no way to keep its limits"
        raise BadInput([Fault("benchmark", "contacts", rule, "Give fewer contacts a customer.")]) from None
    meter("files")
    with run_folder.replace_whole(folder) as fresh:
        result.write(fresh)
    meter.close()
    told = {name: result.summary[name] for name in FIGURES if name in result.summary}
    estimate = result.summary.get("bound_estimate")
    return told if estimate is None else {**told, "gap_estimate": estimate["gap"]}


def _apart(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """The work's result, done in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes:
        return processes.submit(work, *args, **kwargs).result()
