"""The stages of a run in their order."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from importlib.metadata import version
from pathlib import Path

from models.response import Rates
from optimizer import outcome
from optimizer.audit import audit_calendar, refuse_breaches
from optimizer.conflict import CannotHold
from optimizer.conflict_finder import ConflictFinder
from optimizer.control_group import withheld
from optimizer.earlier_run import kept_figures, with_earlier_run
from optimizer.engine_choice import BY_THE_PLAN, EngineOptions
from optimizer.faults import BadInput, Fault
from optimizer.generous_cells import generous_problem
from optimizer.linear_plan import Shortage
from optimizer.menu_solution import solve_from_menu
from optimizer.permission_worth import permission_worth
from optimizer.plan_file import Plan
from optimizer.planned import Planned
from optimizer.problem import Problem, make_problem, out_of_reach, why_empty
from optimizer.proof import bound_of_all
from optimizer.response_rates import response_rates
from optimizer.result import Result
from optimizer.rule_prices import rule_prices
from optimizer.schedule import Schedule, Scheduler
from optimizer.segmenting import Segments, find_segments, model_file
from optimizer.segments_only import segments_only
from optimizer.solution import Solution, solve
from optimizer.tables import Tables, open_tables
from optimizer.whole_numbers import OnlyWholeNumbers

Progress = Callable[[str, str], None]
PACKAGES = ("contactplan", "pulp", "highspy", "duckdb", "ibis-framework", "scikit-learn", "numpy", "pandas")


_TOO_COARSE = Fault(
    "merge_above",
    "",
    "customers choose from the menu of a part of them, and with it the limits cannot all hold",
    "Raise merge_above (the most cells that are planned one by one), or ease the minimums.",
)


_NO_RULE_PRICES = (
    "--prices full: the prices of rules are not worked out where customers choose from a menu; "
    "raise merge_above (the most cells that are planned one by one) for them."
)


@dataclass(frozen=True)
class CheckResult:
    """What `check` tells about a plan without faults."""

    warnings: tuple[str, ...]
    counts: dict[str, int]


def check(plan: Plan, engine: EngineOptions = BY_THE_PLAN) -> CheckResult:
    """Reads and checks everything. Raises BadInput with all faults.

    Among the warnings is every reach above what permissions, hold-out and earlier contacts allow.
    """
    tables = open_tables(plan, engine).as_of(plan.period.start)
    counts = {name: int(facts["rows"]) for name, facts in tables.inputs.items() if "rows" in facts}
    segments = find_segments(plan, tables, refit=False)
    problem = make_problem(plan, tables, segments, response_rates(plan, tables, segments))
    return CheckResult((*plan.warnings, *tables.warnings, *out_of_reach(problem)), counts)


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
    earlier_run: Path | date | None = None,
    full_prices: bool = False,
    engine: EngineOptions = BY_THE_PLAN,
) -> Result:
    """Plans the period: from tables to calendar, proof and prices.

    `earlier_run` is the run (its folder, or in a database its start) whose final contacts are taken as
    commitments; `full_prices` asks for the prices of the rules inside the streams, too. Raises BadInput
    for faults, CannotHold where the plan's limits cannot all hold, AuditFailed if the calendar breaks a
    rule (a mistake of ours, never the plan's). Nothing is written but the fitted segments.
    """
    clock = _Clock(progress or (lambda stage, detail: None))
    clock.start("read")
    tables = open_tables(plan, engine).as_of(plan.period.start)
    tables = with_earlier_run(plan, tables, earlier_run)
    clock.start("segments")
    segments = find_segments(plan, tables, refit_segments)
    clock.start("response rates")
    rates = response_rates(plan, tables, segments)
    clock.start("cells")
    problem = make_problem(plan, tables, segments, rates)
    clock.start("program", f"{len(problem.everyone.fine):,} cells")
    planned = _solved(plan, problem, clock)
    clock.start("calendar")
    schedule = _schedule(plan, tables, problem, planned)
    clock.start("audit")
    refuse_breaches(
        audit_calendar(
            plan,
            tables,
            schedule.contacts,
            problem.limits,
            problem.timetable,
            segments=problem.cells.segments,
            figures=problem.figures,
            bands=rates.bands,
        )
    )
    clock.start("report")
    result = _result(plan, tables, segments, rates, problem, planned, schedule, clock)
    if full_prices and problem.everyone.drawn:
        result = replace(result, warnings=(*result.warnings, _NO_RULE_PRICES))
    elif full_prices:
        clock.start("prices of rules")
        prices = rule_prices(plan, tables, segments, rates, planned.solution, clock.detail)
        result = replace(result, rule_prices=prices)
        clock.start("")
    if segments.model is not None:
        _keep(segments.model, model_file(plan))
    return result


def _solved(plan: Plan, problem: Problem, clock: _Clock) -> Planned:
    if not problem.everyone.drawn:
        solution = _solved_exactly(plan, problem, clock)
        control = withheld(solution.pricing, solution.whole, solution.linear.prices)
        return Planned(solution, problem.everyone, control)
    try:
        planned = solve_from_menu(plan, problem, plan.max_cells, clock.detail)
    except (Shortage, OnlyWholeNumbers):
        clock.start("conflict")
        _refuse_the_impossible(plan, generous_problem(plan, problem, plan.merge_above), clock)
        raise BadInput([_TOO_COARSE]) from None
    clock.start("bound", "for all customers and all streams")
    bound = bound_of_all(plan, problem, planned.solution, plan.merge_above, clock.detail)
    return replace(planned, solution=planned.solution.bounded_by(bound))


def _refuse_the_impossible(plan: Plan, problem: Problem, clock: _Clock) -> None:
    """Raise CannotHold where the limits cannot hold even for customers who may have more than they may.

    What would do for them may not do for the customers as they are, so no repair is told.
    """
    try:
        _solved_exactly(plan, problem, clock)
    except CannotHold as conflict:
        raise CannotHold(plan, replace(conflict.conflict, repairs=())) from None


def _solved_exactly(plan: Plan, problem: Problem, clock: _Clock) -> Solution:
    pricing = problem.pricing()
    try:
        return solve(pricing, plan.max_cells, clock.detail)
    except (Shortage, OnlyWholeNumbers) as failure:
        finder = ConflictFinder(problem, pricing.book, plan.max_cells, clock.detail)
        if isinstance(failure, Shortage):
            raise CannotHold(plan, finder.of_shortage(failure)) from None
        raise CannotHold(plan, finder.of_whole_numbers(failure.proved)) from None


def _schedule(plan: Plan, tables: Tables, problem: Problem, planned: Planned) -> Schedule:
    """The calendar and its kin, with ids as they came."""
    scheduler = Scheduler(
        plan,
        tables.engine,
        problem.timetable,
        problem.rules,
        planned.solution.pricing,
        planned.cells,
        problem.own,
        integer_ids=tables.integer_ids,
    )
    return scheduler.schedule(planned)


def _result(
    plan: Plan,
    tables: Tables,
    segments: Segments,
    rates: Rates,
    problem: Problem,
    planned: Planned,
    schedule: Schedule,
    clock: _Clock,
) -> Result:
    solution, contacts = planned.solution, outcome.counted_contacts(schedule)
    allocation = outcome.allocation_table(contacts)
    customers = int(problem.cells.segment_size.sum())
    summary = outcome.summary_figures(planned, contacts, allocation, schedule, customers)
    over = [
        f"{limit.path}: earlier and promised contacts alone use {limit.committed:,.10g} of "
        f"{limit.bound:,.10g}; nothing is left for the plan."
        for limit in problem.limits
        if limit.overdrawn
    ]
    if problem.cells.own_figures is not None:
        clock.start("segments' figures only")
        compared = segments_only(plan, problem, solution, tables.engine, clock.detail)
        summary |= {"value": summary["expected_value"], **compared}
    clock.start("prices")
    if rates.bands is not None:
        summary["response_bands"] = outcome.bands_figures(rates.bands.frame)
    permissions = permission_worth(plan, problem, solution.linear, solution.pricing.book)
    limits = outcome.limits_table(problem.limits, solution, ranged=not planned.cells.drawn)
    clock.start("")
    if not summary["contacts"]:
        summary["why_empty"] = why_empty(problem)
    kept = kept_figures(plan, tables, schedule.calendar)
    if kept is not None:
        summary["provisional"] = kept
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
        outcome.streams_table(contacts, problem.timetable, planned, schedule),
        allocation,
        limits,
        outcome.rates_table(rates.frame),
        schedule,
        warnings,
        outcome.with_labels(permissions),
        tables.engine,
        response_bands=None if rates.bands is None else outcome.with_labels(rates.bands.frame),
    )


def _keep(text: str, file: Path) -> None:
    """Writes the file whole or not at all."""
    file.parent.mkdir(exist_ok=True)
    fresh = file.with_name(f".{file.name}.new")
    fresh.write_text(text + "\n", encoding="utf-8")
    fresh.replace(file)
