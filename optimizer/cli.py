"""The command line: `contactplan init`, `check`, `run`, `explain`.

Exit codes: 0 done; 1 the plan's limits cannot all hold; 2 bad input or a call that cannot be served
(another run under way); 3 the machine or the program failed (a full disk, a bug). Modules that load the
solver and the engine are imported inside the commands, so that `--help` is quick.
"""

from __future__ import annotations

import errno
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from optimizer.faults import BadInput

if TYPE_CHECKING:
    from optimizer.plan_file import Plan
    from optimizer.result import Result

DONE, CANNOT_HOLD, BAD_INPUT, FAILED = 0, 1, 2, 3

app = typer.Typer(
    name="contactplan",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # its frames could show customers' data
    rich_markup_mode=None,
)

PlanPath = Annotated[Path, typer.Argument(metavar="PLAN", help="The plan.yaml or its folder.")]


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
    with _expected_errors():
        from optimizer.examples import write_example  # noqa: PLC0415
        from optimizer.run_folder import recover  # noqa: PLC0415

        recover(folder / "runs")
        write_example(example, folder, customers, force)
    typer.echo(f"The example {example} is in {folder}.")
    typer.echo(f"Next: contactplan run {folder}")


@app.command()
def check(plan: PlanPath) -> None:
    """List every fault in the plan and its tables.

    Nothing is written.
    """
    with _expected_errors():
        from optimizer import pipeline, screen  # noqa: PLC0415
        from optimizer.plan_file import load_plan  # noqa: PLC0415
        from optimizer.run_folder import recover  # noqa: PLC0415

        loaded = load_plan(plan)
        recover(loaded.folder / "runs")
        found = pipeline.check(loaded)
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
) -> None:
    """Make the calendar, its proof and its report.

    They go into runs/<period.start>/ beside plan.yaml: all files or none.
    """
    with _expected_errors():
        from optimizer import screen  # noqa: PLC0415
        from optimizer.plan_file import load_plan  # noqa: PLC0415
        from optimizer.run_folder import run_lock  # noqa: PLC0415

        loaded = load_plan(plan)
        with run_lock(loaded.folder):
            result, folder = _run_and_store(loaded, replace, refit_segments, prices)
        screen.show_warnings(result.warnings)
        screen.show_run(result, folder / "report.html")


@app.command()
def explain(
    plan: PlanPath,
    customer: Annotated[str, typer.Argument(metavar="CUSTOMER", help="The customer's id.")],
) -> None:
    """Tell what a finished run means for one customer.

    Segment, cell and stream, and for every campaign not received the reason. Nothing is written.
    """
    with _expected_errors():
        from optimizer import screen  # noqa: PLC0415
        from optimizer.explain import explain as explain_customer  # noqa: PLC0415
        from optimizer.plan_file import load_plan  # noqa: PLC0415
        from optimizer.run_folder import recover  # noqa: PLC0415

        loaded = load_plan(plan)
        recover(loaded.folder / "runs")
        explanation = explain_customer(loaded, customer)
        screen.show_warnings(explanation.warnings)
        screen.show_customer(explanation, loaded)


def _run_and_store(plan: Plan, replace: bool, refit_segments: bool, prices: Prices) -> tuple[Result, Path]:
    """Solve the plan and put the run into its folder; the lock is held. Exits where limits cannot hold."""
    from optimizer import pipeline, run_folder, screen  # noqa: PLC0415
    from optimizer.conflict import CannotHold  # noqa: PLC0415

    folder = run_folder.run_folder(plan.folder, plan.period.start)
    if not replace:
        run_folder.refuse_to_replace_final(folder)
    earlier = run_folder.newest_earlier_run(plan.folder, plan.period.start)
    try:
        with screen.RunProgress() as progress:
            result = pipeline.run(
                plan,
                refit_segments=refit_segments,
                progress=progress,
                earlier_run=earlier,
                full_prices=prices is Prices.FULL,
            )
            progress("files")
            with run_folder.replace_whole(folder) as fresh:
                result.write(fresh)
    except CannotHold as conflict:
        path = run_folder.write_conflict(plan.folder, conflict.as_dict())
        screen.show_warnings(plan.warnings)
        screen.show_conflict(conflict.lines, path)
        raise typer.Exit(CANNOT_HOLD) from None
    run_folder.remove_conflict(plan.folder)
    return result, folder


@contextmanager
def _expected_errors() -> Iterator[None]:
    """Turn errors that a user can meet into words and an exit code; all others pass."""
    from optimizer import screen  # noqa: PLC0415
    from optimizer.run_folder import AnotherRun  # noqa: PLC0415

    try:
        yield
    except BadInput as bad:
        screen.show_faults(bad.faults)
        raise typer.Exit(BAD_INPUT) from None
    except AnotherRun as other:
        screen.show_error(f"another run is under way in {other}. Wait until it has ended, then run again.")
        raise typer.Exit(BAD_INPUT) from None
    except (FileExistsError, NotADirectoryError) as taken:
        screen.show_error(f"{taken}. Nothing was written.")
        raise typer.Exit(BAD_INPUT) from None
    except OSError as failure:
        _show_failure(failure)
        raise typer.Exit(FAILED) from None
    except Exception as failure:
        if _audit_failed(failure):
            screen.show_error(f"{failure} This is a fault of contactplan: please report it.")
        elif _engine_failed_to_write(failure):
            _show_failure(failure)
        else:
            raise
        raise typer.Exit(FAILED) from None


def _audit_failed(failure: Exception) -> bool:
    from optimizer.audit import AuditFailed  # noqa: PLC0415

    return isinstance(failure, AuditFailed)


def _engine_failed_to_write(failure: Exception) -> bool:
    """Whether DuckDB could not read or write a file (it has an exception of its own for a full disk)."""
    import duckdb  # noqa: PLC0415

    return isinstance(failure, duckdb.IOException)


def _show_failure(failure: Exception) -> None:
    from optimizer import screen  # noqa: PLC0415

    full = isinstance(failure, OSError) and failure.errno in (errno.ENOSPC, errno.EDQUOT)
    screen.show_error(
        f"{'the disk is full: ' if full else ''}{failure}. "
        "Nothing half-written is left, and an earlier run is as it was. "
        "See that the disk has room and that the files can be read and written, then try again."
    )


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
