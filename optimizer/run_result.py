"""A run's result: what was planned, as the tables and figures that people and programs read."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from models.response import Rates
from optimizer import outcome
from optimizer.earlier_run import kept_figures
from optimizer.permission_worth import permission_worth
from optimizer.plan_file import Plan
from optimizer.planned import Planned
from optimizer.problem import Problem, why_empty
from optimizer.result import Result
from optimizer.schedule import Schedule
from optimizer.segmenting import Segments
from optimizer.segments_only import segments_only
from optimizer.stages import Stages
from optimizer.tables import Tables

PACKAGES = ("contactplan", "pulp", "highspy", "duckdb", "ibis-framework", "scikit-learn", "numpy", "pandas")


@dataclass(frozen=True)
class Run:
    """A run whose calendar is drawn."""

    plan: Plan
    tables: Tables
    segments: Segments
    rates: Rates
    problem: Problem
    planned: Planned
    schedule: Schedule

    def result(self, stages: Stages) -> Result:
        """The result; prices, and where customers have own figures the plan without them, are stages."""
        solution = self.planned.solution
        contacts = outcome.counted_contacts(self.schedule)
        allocation = outcome.allocation_table(contacts)
        customers = int(self.problem.cells.segment_size.sum())
        figures = outcome.summary_figures(self.planned, contacts, allocation, self.schedule, customers)
        if self.problem.cells.own_figures is not None:
            figures |= {"value": figures["expected_value"], **self._segments_only(stages)}
        if self.rates.bands is not None:
            figures["response_bands"] = outcome.bands_figures(self.rates.bands.frame)
        stages.start("prices")
        book = solution.pricing.book
        permissions = permission_worth(self.plan, self.problem, solution.linear, book)
        limits = outcome.limits_table(self.problem.limits, solution, ranged=not self.planned.cells.drawn)
        stages.start("")
        return Result(
            self.plan,
            self._summary(figures, stages),
            outcome.with_labels(self.segments.profile),
            outcome.streams_table(contacts, self.problem.timetable, self.planned, self.schedule),
            allocation,
            limits,
            outcome.rates_table(self.rates.frame),
            self.schedule,
            self._warnings(),
            outcome.with_labels(permissions),
            self.tables.engine,
            response_bands=None if self.rates.bands is None else outcome.with_labels(self.rates.bands.frame),
        )

    def _segments_only(self, stages: Stages) -> dict[str, Any]:
        stages.start("segments' figures only")
        solution = self.planned.solution
        return segments_only(self.plan, self.problem, solution, self.tables.engine, stages.detail)

    def _summary(self, figures: dict[str, Any], stages: Stages) -> dict[str, Any]:
        """summary.json."""
        plan, summary = self.plan, dict(figures)
        if not summary["contacts"]:
            summary["why_empty"] = why_empty(plan, self.problem)
        kept = kept_figures(plan, self.tables, self.schedule.calendar)
        if kept is not None:
            summary["provisional"] = kept
        return summary | {
            "name": plan.name,
            "currency": plan.currency,
            "period": {"start": plan.period.start.isoformat(), "days": plan.period.days},
            "seed": plan.seed,
            "seconds": stages.seconds,
            "inputs": self.tables.inputs,
            "versions": {name: version(name) for name in PACKAGES},
        }

    def _warnings(self) -> tuple[str, ...]:
        over = [
            f"{limit.path}: earlier and promised contacts alone use {limit.committed:,.10g} of "
            f"{limit.bound:,.10g}; nothing is left for the plan."
            for limit in self.problem.limits
            if limit.overdrawn
        ]
        told = self.tables.warnings, self.segments.warnings, self.rates.warnings
        return (*self.plan.warnings, *(words for part in told for words in part), *over)
