"""The stages of a run in their order."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from math import ceil
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pandas as pd

from models.response import Rates, contact_counts, estimate, from_table
from optimizer import outcome
from optimizer.audit import audit_calendar, refuse_breaches
from optimizer.cells import Cells, make_cells
from optimizer.committed import committed_contacts
from optimizer.conflict import CannotHold
from optimizer.customer_keys import CustomerKeys, customer_keys
from optimizer.frames import frame_of
from optimizer.generation import Shortage
from optimizer.limits import Limit, make_limits
from optimizer.plan_file import Plan
from optimizer.result import Result
from optimizer.rules import ContactRules
from optimizer.schedule import ContactFigures, Schedule, Scheduler
from optimizer.segmenting import Segments, excluded, find_segments, model_file
from optimizer.solution import Solution, contact_figures, solve
from optimizer.stream_graph import build_graph
from optimizer.tables import Tables, open_tables
from optimizer.timetable import Timetable
from optimizer.whole_numbers import OnlyWholeNumbers

Progress = Callable[[str, str], None]
PACKAGES = ("contactplan", "pulp", "highspy", "duckdb", "ibis-framework", "scikit-learn", "numpy", "pandas")


@dataclass(frozen=True)
class CheckResult:
    """What `check` tells about a plan without faults."""

    warnings: tuple[str, ...]
    counts: dict[str, int]


def check(plan: Plan) -> CheckResult:
    """Reads and checks everything. Raises BadInput with all faults.

    Among the warnings is every reach above what permissions, hold-out and earlier contacts allow.
    """
    tables = open_tables(plan).as_of(plan.period.start)
    counts = {name: int(facts["rows"]) for name, facts in tables.inputs.items() if "rows" in facts}
    segments = find_segments(plan, tables, refit=False)
    problem = _problem(plan, tables, segments, response_rates(plan, tables, segments))
    return CheckResult((*plan.warnings, *tables.warnings, *_out_of_reach(problem)), counts)


def _out_of_reach(problem: Problem) -> list[str]:
    """A sentence for each reach that more customers would have to be contacted for than may be."""
    cells, told = problem.cells, []
    may = cells.allowed[cells.pattern] & cells.leeway.open[cells.profile]
    for limit in problem.limits:
        if limit.customers:
            counts = (may & (limit.use > 0)).any(axis=(1, 2)) & limit.segments[cells.segment]
            most = int(cells.customers[counts].sum())
            if limit.bound > most:
                told.append(
                    f"{limit.path}: asks for {ceil(limit.bound):,} customers; permissions, restrictions, "
                    f"audiences, hold-out and earlier contacts allow {most:,}."
                )
    return told


@dataclass
class _Clock:
    """Tells the progress of stages and keeps the seconds that each took."""

    progress: Progress
    seconds: dict[str, float] = field(default_factory=dict)
    _began: float = field(default_factory=time.perf_counter)
    _stage: str = ""

    def start(self, stage: str, detail: str = "") -> None:
        now = time.perf_counter()
        if self._stage:
            self.seconds[self._stage] = round(now - self._began, 3)
        self._stage, self._began = stage, now
        if stage:
            self.progress(stage, detail)

    def detail(self, text: str) -> None:
        self.progress(self._stage, text)


def run(
    plan: Plan,
    *,
    refit_segments: bool = False,
    progress: Progress | None = None,
    earlier_run: Path | None = None,
) -> Result:
    """Plans the period: from tables to calendar, proof and prices.

    `earlier_run` is the run folder whose final contacts are taken as commitments. Raises BadInput for
    faults, CannotHold where the plan's limits cannot all hold, AuditFailed if the calendar breaks a rule
    (a mistake of ours, never the plan's). Nothing is written but the fitted segments.
    """
    clock = _Clock(progress or (lambda stage, detail: None))
    clock.start("read")
    tables = open_tables(plan).as_of(plan.period.start)
    tables = _with_earlier_run(tables, earlier_run)
    clock.start("segments")
    segments = find_segments(plan, tables, refit_segments)
    clock.start("response rates")
    rates = response_rates(plan, tables, segments)
    clock.start("cells")
    problem = _problem(plan, tables, segments, rates)
    clock.start("program", f"{int((problem.cells.customers > 0).sum()):,} cells")
    solution = _solved(plan, problem, clock)
    clock.start("calendar")
    schedule = _schedule(plan, tables, problem, solution)
    clock.start("audit")
    refuse_breaches(
        audit_calendar(
            plan,
            tables,
            schedule.calendar,
            problem.limits,
            problem.timetable,
            segments=problem.cells.segments,
        )
    )
    clock.start("report")
    result = _result(plan, tables, segments, rates, problem, solution, schedule, clock)
    if segments.model is not None:
        _keep(segments.model, model_file(plan))
    return result


@dataclass(frozen=True)
class Problem:
    """What the program is made of."""

    timetable: Timetable
    rules: ContactRules
    keys: CustomerKeys
    cells: Cells
    limits: tuple[Limit, ...]
    figures: ContactFigures
    graph: Any


def _problem(plan: Plan, tables: Tables, segments: Segments, rates: Rates) -> Problem:
    timetable, rules = Timetable.of(plan), ContactRules.of(plan)
    keys = customer_keys(plan, tables, segments.table, timetable, rules)
    table = tables.connection.create_table("customer_keys", keys.table, overwrite=True)
    keys = replace(keys, table=table)
    graph = build_graph(timetable, rules, keys.earlier.dated_caps)
    cells = make_cells(plan, keys, timetable, graph.shared_caps)
    committed = committed_contacts(plan, tables)
    limits = make_limits(plan, timetable, cells.segments, cells.segment_size, committed)
    figures = contact_figures(plan, timetable, cells, rates.frame)
    return Problem(timetable, rules, keys, cells, limits, figures, graph)


def _solved(plan: Plan, problem: Problem, clock: _Clock) -> Solution:
    try:
        return solve(
            problem.timetable,
            problem.rules,
            problem.graph,
            problem.cells,
            problem.limits,
            problem.figures,
            plan.max_cells,
            clock.detail,
        )
    except Shortage as shortage:
        raise CannotHold.of(shortage, problem.limits) from None
    except OnlyWholeNumbers:
        raise CannotHold.in_whole_numbers(problem.limits) from None


def response_rates(plan: Plan, tables: Tables, segments: Segments) -> Rates:
    """The rates of every segment, campaign and channel, as the plan says."""
    wanted = pd.DataFrame(
        [
            (segment, name, campaign.type, channel)
            for segment in segments.profile.segment.astype(str)
            for name, campaign in plan.campaigns.items()
            for channel in dict.fromkeys(campaign.channels)
        ],
        columns=["segment", "campaign", "type", "channel"],
    )
    if plan.response.from_ == "table":
        return from_table(frame_of(tables.response_rates), wanted)
    barred = excluded(plan, tables, "response")
    known = segments.table if barred is None else segments.table.anti_join(barred, "customer_id")
    counts = contact_counts(
        tables.contact_history,
        known.select("customer_id", "segment"),
        plan.response.window_days,
        (plan.fatigue.keep, plan.fatigue.days),
        plan.period.start,
    )
    return estimate(counts, wanted)


def _with_earlier_run(tables: Tables, earlier_run: Path | None) -> Tables:
    """Adds the final contacts of an earlier run to the commitments."""
    if earlier_run is None:
        return tables
    calendar = tables.connection.read_parquet(earlier_run / "calendar.parquet")
    final = calendar.filter(calendar.final)
    promised = final.select(
        customer_id=final.customer_id.cast("string"),
        contact_on=final.contact_on.cast("date"),
        channel=final.channel,
        campaign=final.campaign,
        type=ibis.null("string"),
        business_unit=ibis.null("string"),
        cost=final.cost,
    ).semi_join(tables.customers, "customer_id")
    columns = tables.commitments.columns
    return replace(tables, commitments=tables.commitments.union(promised.select(columns)))


def _schedule(plan: Plan, tables: Tables, problem: Problem, solution: Solution) -> Schedule:
    """The calendar and its kin, sorted and kept in the engine with ids as they came."""
    customers = tables.connection.create_table(
        "customer_cells", problem.cells.of_customers(problem.keys), overwrite=True
    )
    scheduler = Scheduler(plan, problem.timetable, problem.rules, solution.pricing, problem.figures)
    schedule = scheduler.schedule(solution.whole, customers, solution.linear.prices)
    keep = tables.connection.create_table
    by_date = ["contact_on", "customer_id"]
    whole_segments = all(label.lstrip("-").isdigit() for label in problem.cells.segments)

    def typed(table: ir.Table, order: list[str]) -> ir.Table:
        if tables.integer_ids:
            table = table.mutate(customer_id=table.customer_id.cast("int64"))
        if whole_segments:
            table = table.mutate(segment=table.segment.cast("int64"))
        return table.order_by(order)

    return replace(
        schedule,
        calendar=keep("calendar", typed(schedule.calendar, by_date), overwrite=True).order_by(by_date),
        control=keep("control", typed(schedule.control, by_date), overwrite=True).order_by(by_date),
        assignments=keep(
            "assignments", typed(schedule.assignments, ["customer_id"]), overwrite=True
        ).order_by("customer_id"),
    )


def _result(
    plan: Plan,
    tables: Tables,
    segments: Segments,
    rates: Rates,
    problem: Problem,
    solution: Solution,
    schedule: Schedule,
    clock: _Clock,
) -> Result:
    allocation = outcome.allocation_table(plan, schedule.calendar)
    customers = int(problem.cells.segment_size.sum())
    summary = outcome.summary_figures(plan, solution, allocation, schedule, customers)
    over = [
        f"{limit.path}: earlier and promised contacts alone use {limit.committed:,.10g} of "
        f"{limit.bound:,.10g}; nothing is left for the plan."
        for limit in problem.limits
        if limit.overdrawn
    ]
    clock.start("")
    if not summary["contacts"]:
        summary["why_empty"] = _why_empty(problem)
    summary |= {
        "name": plan.name,
        "currency": plan.currency,
        "period": {"start": plan.period.start.isoformat(), "days": plan.period.days},
        "seed": plan.seed,
        "seconds": clock.seconds,
        "inputs": tables.inputs,
        "versions": {name: version(name) for name in PACKAGES},
    }
    warnings = (*plan.warnings, *tables.warnings, *segments.warnings, *rates.warnings, *over)
    return Result(
        plan,
        summary,
        outcome.with_labels(segments.profile),
        outcome.streams_table(plan, problem.timetable, solution, schedule, problem.figures),
        allocation,
        outcome.limits_table(problem.limits, solution),
        outcome.rates_table(rates.frame),
        schedule.calendar,
        schedule.control,
        schedule.assignments,
        warnings,
    )


def _why_empty(problem: Problem) -> str:
    """Why nobody is contacted, in a sentence."""
    if not problem.timetable.days:
        return "No campaign can be sent in this period: its windows, send days and blackouts leave no day."
    cells = problem.cells
    live = cells.customers > 0
    if not cells.allowed[cells.pattern[live]].any():
        return "No customer may be contacted: permissions, restrictions, audiences and hold-out leave nobody."
    both = cells.allowed[cells.pattern[live]] & cells.leeway.open[cells.profile[live]]
    if not both.any():
        return "Every customer who may be contacted has had all the contacts that the contact policy allows."
    return "No contact that the rules and limits allow is worth its cost at the expected response rates."


def _keep(text: str, file: Path) -> None:
    """Writes the file whole or not at all."""
    file.parent.mkdir(exist_ok=True)
    fresh = file.with_name(f".{file.name}.new")
    fresh.write_text(text + "\n", encoding="utf-8")
    fresh.replace(file)
