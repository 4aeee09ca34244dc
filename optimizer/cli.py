"""The command line: `contactplan init`, `check`, `run`, `explain`, `benchmark`.

Modules that load the solver and the engine are imported inside the commands, so that `--help` is quick.
"""

from __future__ import annotations

import sys
import traceback
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from optimizer.exit_codes import CANNOT_HOLD, DONE, FAILED, expected_errors

if TYPE_CHECKING:
    from optimizer.engine_choice import EngineOptions
    from optimizer.plan_file import Plan
    from optimizer.result import Result

app = typer.Typer(
    name="contactplan",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # its frames could show customers' data
    rich_markup_mode=None,
)


class Reader(StrEnum):
    """The engines by name; PostgreSQL reads no files, and says so."""

    DUCKDB = "duckdb"
    POSTGRES = "postgres"
    SPARK = "spark"


PlanPath = Annotated[Path, typer.Argument(metavar="PLAN", help="The plan.yaml or its folder.")]
EngineName = Annotated[
    Reader | None,
    typer.Option("--engine", help="What reads the plan's files; a database is named in the plan."),
]
Threads = Annotated[int | None, typer.Option(min=1, help="The engine's threads.", show_default=False)]
MemoryLimit = Annotated[
    str | None,
    typer.Option(help="The engine's memory, such as 4GiB; beyond it, it spills.", show_default=False),
]


class Prices(StrEnum):
    """What prices a run tells: those of the limits, or also those of the rules inside the streams."""

    LIMITS = "limits"
    FULL = "full"


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version  # noqa: PLC0415

        typer.echo(f"contactplan {version('contactplan')}")
        raise typer.Exit(DONE)


@app.callback()
def contactplan(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Weekly contact plans with a proved optimum: who gets which campaign, on which channel, on which day."""


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The workspace to make.")],
    example: Annotated[str, typer.Option(help="Which example: grocer or synthetic.")] = "grocer",
    customers: Annotated[
        int | None, typer.Option(min=1, help="How many customers (synthetic example).", show_default=False)
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write into a folder that is not empty.")] = False,
) -> None:
    """Make a workspace from an example."""
    with expected_errors():
        from optimizer.examples import write_example  # noqa: PLC0415
        from optimizer.run_folder import recover  # noqa: PLC0415

        recover(folder / "runs")
        write_example(example, folder, customers, force)
    typer.echo(f"The example {example} is in {folder}.")
    typer.echo(f"Next: contactplan run {folder}")


@app.command()
def check(
    plan: PlanPath,
    engine: EngineName = None,
    threads: Threads = None,
    memory_limit: MemoryLimit = None,
) -> None:
    """List every fault in the plan and its tables.

    Nothing is written.
    """
    with expected_errors():
        from optimizer import pipeline, screen  # noqa: PLC0415
        from optimizer.plan_file import load_plan  # noqa: PLC0415
        from optimizer.run_folder import recover  # noqa: PLC0415
        from optimizer.stored_runs import holds  # noqa: PLC0415

        loaded = load_plan(plan)
        options = _engine(engine, threads, memory_limit)
        recover(loaded.folder / "runs", holds(loaded, options))
        found = pipeline.check(loaded, options)
        screen.show_warnings(found.warnings)
        screen.show_counts(found.counts)
        typer.echo("No faults found.")


@app.command()
def run(
    plan: PlanPath,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace this period's run even if it has final contacts.")
    ] = False,
    refit_segments: Annotated[
        bool, typer.Option("--refit-segments", help="Fit the segments anew instead of using the kept ones.")
    ] = False,
    prices: Annotated[
        Prices,
        typer.Option(help="full: also what every cap and spacing costs, each solved again (takes long)."),
    ] = Prices.LIMITS,
    engine: EngineName = None,
    threads: Threads = None,
    memory_limit: MemoryLimit = None,
) -> None:
    """Make the calendar, its proof and its report.

    They go into runs/<period.start>/ beside plan.yaml: all files or none.
    """
    with expected_errors():
        from optimizer import screen  # noqa: PLC0415
        from optimizer.plan_file import load_plan  # noqa: PLC0415
        from optimizer.run_folder import run_lock  # noqa: PLC0415
        from optimizer.stored_runs import holds  # noqa: PLC0415

        loaded = load_plan(plan)
        options = _engine(engine, threads, memory_limit)
        with run_lock(loaded.folder, holds(loaded, options)):
            result, folder = _run_and_store(loaded, replace, refit_segments, prices, options)
        result.engine.close()
        screen.show_warnings(result.warnings)
        screen.show_run(result, folder / "report.html")


@app.command()
def explain(
    plan: PlanPath,
    customer: Annotated[str, typer.Argument(metavar="CUSTOMER", help="The customer's id.")],
    engine: EngineName = None,
    threads: Threads = None,
    memory_limit: MemoryLimit = None,
) -> None:
    """Tell what a finished run means for one customer.

    Segment, cell and stream, and for every campaign not received the reason. Nothing is written.
    """
    with expected_errors():
        from optimizer import screen  # noqa: PLC0415
        from optimizer.explain import explain as explain_customer  # noqa: PLC0415
        from optimizer.plan_file import load_plan  # noqa: PLC0415
        from optimizer.run_folder import recover  # noqa: PLC0415
        from optimizer.stored_runs import holds  # noqa: PLC0415

        loaded = load_plan(plan)
        options = _engine(engine, threads, memory_limit)
        recover(loaded.folder / "runs", holds(loaded, options))
        explanation = explain_customer(loaded, customer, options)
        screen.show_warnings(explanation.warnings)
        screen.show_customer(explanation, loaded)


@app.command()
def benchmark(
    customers: Annotated[int, typer.Option(min=1_000, help="How many customers.")],
    contacts: Annotated[
        float, typer.Option(min=0, help="Earlier contacts a customer, drawn without pattern.")
    ] = 3.0,
    history_days: Annotated[int, typer.Option(min=1, help="In how many days before the period.")] = 28,
    threads: Threads = None,
    memory_limit: MemoryLimit = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            help="Where the base and benchmark.json stay, to be used again; else a temporary folder.",
            show_default=False,
        ),
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the run's files, too.")] = False,
) -> None:
    """Measure a run on a made-up base: seconds and peak memory a stage.

    Beside them stands the bare cost of reading the same files and writing the same calendar.
    """
    with expected_errors():
        from optimizer import benchmark as measuring  # noqa: PLC0415
        from optimizer.benchmark_base import BaseSize  # noqa: PLC0415
        from optimizer.screen_benchmark import show_benchmark  # noqa: PLC0415
        from optimizer.screen_progress import RunProgress  # noqa: PLC0415

        size, engine = BaseSize(customers, contacts, history_days), _engine(None, threads, memory_limit)
        with measuring.place(folder, keep) as here, RunProgress() as progress:
            figures = measuring.benchmark(size, here, engine, progress, keep_run=keep)
        show_benchmark(figures, here if folder or keep else None)


def _engine(name: Reader | None, threads: int | None, memory_limit: str | None) -> EngineOptions:
    from optimizer.engine_choice import EngineOptions  # noqa: PLC0415

    return EngineOptions(name.value if name else None, threads, memory_limit)


def _run_and_store(
    plan: Plan, replace: bool, refit_segments: bool, prices: Prices, engine: EngineOptions
) -> tuple[Result, Path]:
    """Solve the plan and store the run; the lock is held. Exits where limits cannot hold."""
    from optimizer import conflict_file, pipeline, screen, stored_runs  # noqa: PLC0415
    from optimizer.conflict import CannotHold  # noqa: PLC0415

    stored = stored_runs.stored_runs(plan, engine)
    if not replace:
        stored_runs.refuse_final(plan, engine, stored)
    try:
        with screen.RunProgress() as progress:
            result = pipeline.run(
                plan,
                refit_segments=refit_segments,
                progress=progress,
                earlier_run=stored.newest_earlier,
                full_prices=prices is Prices.FULL,
                engine=engine,
            )
            progress("files")
            folder = stored_runs.store(result, stored)
    except CannotHold as conflict:
        path = conflict_file.write_conflict(plan.folder, conflict.as_dict())
        screen.show_warnings(plan.warnings)
        screen.show_conflict(conflict.lines, path)
        raise typer.Exit(CANNOT_HOLD) from None
    conflict_file.remove_conflict(plan.folder)
    return result, folder


def main() -> None:
    """Entry point of `contactplan`."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that lacks a sign must not stop a run
            stream.reconfigure(errors="replace")
    try:
        app()
    except Exception:  # Python would exit with 1, which here means that limits cannot hold
        traceback.print_exc()
        sys.exit(FAILED)
