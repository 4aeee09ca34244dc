"""The runs that stand already, in a workspace's folders or its database, and storing the next one.

With a database the tables decide (see run_folder): files first, then the rows, then the commit, then the
swap of folders. Killed before the commit, a run is in neither; killed after it, the next command puts the
folder in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from optimizer.faults import BadInput, Fault
from optimizer.run_folder import Holds, no_database, replace_whole, run_folder

if TYPE_CHECKING:
    from optimizer.engine_choice import EngineOptions
    from optimizer.output_spark import SparkVersion
    from optimizer.output_sql import Transaction
    from optimizer.plan_file import Plan
    from optimizer.result import Result


@dataclass(frozen=True)
class StoredRuns:
    """What stands as a run begins: the newest earlier run, by its folder or, in a database, its start.

    `in_database` has the ids of all its runs up to the plan's own.
    """

    newest_earlier: Path | date | None
    in_database: Mapping[date, str] = field(default_factory=dict)


def stored_runs(plan: Plan, engine: EngineOptions) -> StoredRuns:
    """Look for earlier runs. Raises BadInput where the database's output tables are not those of runs."""
    if plan.data.database is None:
        return StoredRuns(newest_earlier_run(plan.folder, plan.period.start))
    from optimizer.output_tables import open_output_tables  # noqa: PLC0415 - keeps `--help` quick

    with open_output_tables(plan, engine) as tables:
        tables.refuse_other_columns()
        runs = tables.runs(until=plan.period.start)
    earlier = max((start for start in runs if start < plan.period.start), default=None)
    return StoredRuns(earlier, runs)


def refuse_final(plan: Plan, engine: EngineOptions, stored: StoredRuns) -> None:
    """Raise BadInput if the run of the plan's period has final contacts, or if that can no longer be seen."""
    start = plan.period.start
    if plan.data.database is None:
        refuse_to_replace_final(run_folder(plan.folder, start))
    elif start in stored.in_database:
        from optimizer.output_tables import open_output_tables  # noqa: PLC0415

        with open_output_tables(plan, engine) as tables:
            final = tables.final_contacts(start)
        _refuse(f"{plan.data.database.output_schema}.calendar, run_start {start}", final)


def store(result: Result, stored: StoredRuns) -> Path:
    """Put a run into its folder, and into the database's tables where the plan has one; the folder.

    The caller holds `run_lock`. Raises what `replace_whole` does, with nothing changed, and BadInput where
    another run came first.
    """
    plan, database = result.plan, result.plan.data.database
    folder = run_folder(plan.folder, plan.period.start)
    if database is None:
        with replace_whole(folder) as fresh:
            result.write(fresh)
        return folder
    with (
        _into_tables(result, database.output_schema, stored) as taking,
        replace_whole(folder, taking) as fresh,
    ):
        result.write(fresh, customer_rows=database.files)
        taking.insert(result)
    return folder


def _into_tables(
    result: Result, output_schema: str, stored: StoredRuns
) -> AbstractContextManager[Transaction | SparkVersion]:
    from optimizer.output_tables import OutputTables  # noqa: PLC0415

    tables = OutputTables(result.engine, output_schema)
    if result.engine.name == "spark":
        from optimizer.output_spark import version  # noqa: PLC0415

        return version(tables, result.plan.period.start, stored.in_database)
    from optimizer.output_sql import transaction  # noqa: PLC0415

    return transaction(tables, result.plan.period.start, stored.in_database)


def holds(plan: Plan, engine: EngineOptions) -> Holds:
    """Asks the plan's database whether it holds a run; opens it only when asked."""
    if plan.data.database is None:
        return no_database

    def asked(start: str, run_id: str) -> bool:
        from optimizer.output_tables import open_output_tables  # noqa: PLC0415

        with open_output_tables(plan, engine) as tables:
            return tables.holds(start, run_id)

    return asked


def newest_earlier_run(folder: Path, start: date) -> Path | None:
    """The newest run folder of the workspace `folder` whose period begins before `start`, or None.

    Only whole runs that still have their calendar count: its final contacts are what the next run needs.
    """
    runs = folder / "runs"
    earlier = [
        run
        for run in (runs.iterdir() if runs.is_dir() else ())
        if _start_of(run) is not None
        and run.name < start.isoformat()
        and (run / "calendar.parquet").is_file()
    ]
    return max(earlier, default=None, key=lambda run: run.name)


def refuse_to_replace_final(folder: Path) -> None:
    """Raise BadInput if the run in `folder` has final contacts, or if that can no longer be seen."""
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        _refuse(f"runs/{folder.name}", _final_contacts(folder))


def _refuse(where: str, contacts: int | None) -> None:
    if contacts == 0:
        return
    rule = (
        "it holds final contacts" if contacts else "its calendar cannot be read, it may hold final contacts"
    )
    remedy = "Give --replace to make this run again and replace it, or set a later period.start."
    raise BadInput([Fault(where=where, column="", rule=rule, remedy=remedy, rows=contacts or 0)])


def _final_contacts(folder: Path) -> int | None:
    """How many contacts of the run's calendar are final; None if the calendar cannot be read."""
    from pyarrow import ArrowException, dataset  # noqa: PLC0415 - keeps `--help` quick

    try:
        calendar = dataset.dataset(folder / "calendar.parquet", format="parquet")
        return int(calendar.count_rows(filter=dataset.field("final")))
    except (OSError, ArrowException):
        return None


def _start_of(run: Path) -> date | None:
    """The period's start that a run folder is named after; None for any other folder."""
    try:
        start = date.fromisoformat(run.name)
    except ValueError:
        return None
    return start if start.isoformat() == run.name else None
