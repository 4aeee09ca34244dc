"""The stages of a run in their order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from models.response import Rates
from optimizer.audit import audit_calendar, refuse_breaches
from optimizer.conflict import CannotHold
from optimizer.conflict_finder import ConflictFinder
from optimizer.control_group import withheld
from optimizer.earlier_run import with_earlier_run
from optimizer.engine_choice import BY_THE_PLAN, EngineOptions
from optimizer.faults import BadInput, Fault
from optimizer.generous_cells import generous_problem
from optimizer.linear_plan import Shortage
from optimizer.menu_solution import solve_from_menu
from optimizer.plan_file import Plan
from optimizer.planned import Planned
from optimizer.problem import Problem, make_problem, out_of_reach
from optimizer.proof import bound_of_all, estimated_bound
from optimizer.response_rates import response_rates
from optimizer.result import Result
from optimizer.rule_prices import rule_prices
from optimizer.run_result import Run
from optimizer.schedule import Schedule, Scheduler
from optimizer.segmenting import find_segments, model_file
from optimizer.solution import Solution, solve
from optimizer.stages import Progress, Stages
from optimizer.tables import Tables, open_tables
from optimizer.whole_numbers import OnlyWholeNumbers

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
    stages = Stages(progress or (lambda stage, detail: None))
    stages.start("read")
    tables = open_tables(plan, engine).as_of(plan.period.start)
    tables = with_earlier_run(plan, tables, earlier_run)
    stages.start("segments")
    segments = find_segments(plan, tables, refit_segments)
    stages.start("response rates")
    rates = response_rates(plan, tables, segments)
    stages.start("cells")
    problem = make_problem(plan, tables, segments, rates)
    stages.start("program", f"{len(problem.everyone.fine):,} cells")
    planned = _solved(plan, problem, stages)
    stages.start("calendar")
    schedule = _schedule(plan, tables, problem, planned)
    stages.start("audit")
    _audit(plan, tables, problem, rates, schedule)
    stages.start("report")
    result = Run(plan, tables, segments, rates, problem, planned, schedule).result(stages)
    if full_prices and problem.everyone.drawn:
        result = replace(result, warnings=(*result.warnings, _NO_RULE_PRICES))
    elif full_prices:
        stages.start("prices of rules")
        prices = rule_prices(plan, tables, segments, rates, planned.solution, stages.detail)
        result = replace(result, rule_prices=prices)
        stages.start("")
    if segments.model is not None:
        _keep(segments.model, model_file(plan))
    return result


def _solved(plan: Plan, problem: Problem, stages: Stages) -> Planned:
    if not problem.everyone.drawn:
        solution = _solved_exactly(plan, problem, stages)
        control = withheld(solution.pricing, solution.whole, solution.linear.prices)
        return Planned(solution, problem.everyone, control)
    try:
        planned = solve_from_menu(plan, problem, plan.max_cells, stages.detail)
    except (Shortage, OnlyWholeNumbers):
        stages.start("conflict")
        _refuse_the_impossible(plan, generous_problem(plan, problem, plan.merge_above), stages)
        raise BadInput([_TOO_COARSE]) from None
    stages.start("bound", "for all customers and all streams")
    bound = bound_of_all(plan, problem, planned.solution, plan.merge_above, stages.detail)
    estimate = estimated_bound(plan, problem, planned.solution)
    return replace(planned, solution=planned.solution.bounded_by(bound), estimate=estimate)


def _refuse_the_impossible(plan: Plan, problem: Problem, stages: Stages) -> None:
    """Raise CannotHold where the limits cannot hold even for customers who may have more than they may.

    What would do for them may not do for the customers as they are, so no repair is told.
    """
    try:
        _solved_exactly(plan, problem, stages)
    except CannotHold as conflict:
        raise CannotHold(plan, replace(conflict.conflict, repairs=())) from None


def _solved_exactly(plan: Plan, problem: Problem, stages: Stages) -> Solution:
    pricing = problem.pricing()
    try:
        return solve(pricing, plan.max_cells, stages.detail)
    except (Shortage, OnlyWholeNumbers) as failure:
        finder = ConflictFinder(problem, pricing.book, plan.max_cells, stages.detail)
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


def _audit(plan: Plan, tables: Tables, problem: Problem, rates: Rates, schedule: Schedule) -> None:
    """Raise AuditFailed where the calendar breaks a rule or limit."""
    breaches = audit_calendar(
        plan,
        tables,
        schedule.contacts,
        problem.limits,
        problem.timetable,
        segments=problem.cells.segments,
        figures=problem.figures,
        bands=rates.bands,
    )
    refuse_breaches(breaches)


def _keep(text: str, file: Path) -> None:
    """Writes the file whole or not at all."""
    file.parent.mkdir(exist_ok=True)
    fresh = file.with_name(f".{file.name}.new")
    fresh.write_text(text + "\n", encoding="utf-8")
    fresh.replace(file)
