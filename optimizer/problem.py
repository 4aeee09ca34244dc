"""The problem that the program solves: from a plan's tables to cells, limits and figures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil

import numpy as np

from models.response import Rates
from optimizer.cells import AllCells, Cells, make_cells
from optimizer.committed import committed_contacts
from optimizer.contact_figures import (
    ContactFigures,
    Objective,
    contact_figures,
    objective_of,
    returned,
)
from optimizer.customer_keys import KEYS, CustomerKeys, customer_keys
from optimizer.earlier_lists import CONTACTS
from optimizer.fine_cells import fine_cells
from optimizer.kinds import kinds_of
from optimizer.limits import Limit, make_limits
from optimizer.own_figures import OwnFigures, own_figures
from optimizer.own_limits import contact_rules
from optimizer.patterns import Patterns
from optimizer.plan_file import Plan
from optimizer.rules import ContactRules
from optimizer.segmenting import Segments
from optimizer.stream_book import StreamBook
from optimizer.stream_graph import StreamGraph, build_graph
from optimizer.streams import Pricing
from optimizer.switches import Switch, make_switches
from optimizer.tables import Tables
from optimizer.timetable import Timetable


@dataclass(frozen=True)
class Problem:
    """What the program is made of; `everyone` holds all customers, of whom `cells` may be a part.

    The tables behind `keys` are gone: what they told is in the cells.
    `figures`, and with them objective and limits, have the rows of `cells`; `own` has those of everyone.
    """

    timetable: Timetable
    rules: ContactRules
    keys: CustomerKeys
    everyone: AllCells
    cells: Cells
    limits: tuple[Limit, ...]
    switches: tuple[Switch, ...]
    figures: ContactFigures
    objective: Objective
    graph: StreamGraph
    own: OwnFigures

    def over(self, cells: Cells) -> Problem:
        """The same for other cells of the same segments."""
        return replace(self, cells=cells)

    def of_part(self, plan: Plan, cells: Cells) -> Problem:
        """The same for cells made of the fine ones, with the rows of figures that they have."""
        return self.with_figures(plan, *self.own.of_cells(cells))

    def with_figures(self, plan: Plan, cells: Cells, figures: ContactFigures) -> Problem:
        """The same for other cells with other figures."""
        limits = tuple(
            limit if limit.tiring is None else replace(limit, tiring=returned(figures))
            for limit in self.limits
        )
        objective = objective_of(plan, figures)
        return replace(self, cells=cells, figures=figures, limits=limits, objective=objective)

    def pricing(self, book: StreamBook | None = None) -> Pricing:
        """The search for streams of this problem; `book` holds streams to begin with."""
        return Pricing(
            self.timetable,
            self.rules,
            self.graph,
            self.cells,
            self.limits,
            self.switches,
            self.objective,
            book,
        )


def make_problem(plan: Plan, tables: Tables, segments: Segments, rates: Rates) -> Problem:
    """From tables to cells, limits and figures."""
    timetable = Timetable.of(plan)
    rules = contact_rules(plan, tables, timetable)
    bands = None if rates.bands is None else rates.bands.table
    keys = customer_keys(plan, tables, segments.table, timetable, rules, bands)
    graph = build_graph(timetable, rules, keys.earlier.effects.ahead)
    patterns = Patterns(plan, keys, timetable)
    kinds = kinds_of(keys, patterns)
    plain = contact_figures(plan, timetable, kinds.segments, rates.frame)
    own = own_figures(plan, timetable, plain, kinds.segments, keys, tables.engine, rates.bands)
    fine = fine_cells(tables.engine, keys, kinds, patterns, own.customers)
    for told in (KEYS, CONTACTS):  # cells say what is asked from here on; all they take is memory
        tables.engine.drop(told)
    everyone = make_cells(fine, keys, timetable, graph.shared_caps, plan.merge_above)
    cells, figures = own.of_cells(everyone.cells)
    everyone = replace(everyone, cells=cells)
    committed = committed_contacts(plan, tables)
    switches = make_switches(plan, timetable, committed)
    limits = make_limits(
        plan,
        timetable,
        cells.segments,
        cells.segment_size,
        committed,
        figures,
        [switch.campaign for switch in switches],
    )
    objective = objective_of(plan, figures)
    return Problem(timetable, rules, keys, everyone, cells, limits, switches, figures, objective, graph, own)


def out_of_reach(problem: Problem) -> list[str]:
    """A sentence for each reach that more customers would have to be contacted for than may be."""
    told = []
    for limit in problem.limits:
        if limit.customers:
            most = _within_reach(problem, limit)
            if limit.bound > most:
                told.append(
                    f"{limit.path}: asks for {ceil(limit.bound):,} customers; permissions, restrictions, "
                    f"audiences, hold-out and earlier contacts allow {most:,}."
                )
    return told


def _within_reach(problem: Problem, limit: Limit) -> int:
    """The most customers that a reach may count; earlier contacts are left out where cells are a part."""
    cells, everyone = problem.cells, problem.everyone
    if not everyone.drawn:
        may = cells.allowed[cells.pattern] & cells.leeway.open[cells.profile]
        counts = (may & (limit.use > 0)).any(axis=(1, 2)) & limit.segments[cells.segment]
        return int(cells.customers[counts].sum())
    fine = everyone.fine
    used, place = np.unique(fine.kinds.pattern, return_inverse=True)
    open_to = np.asarray((fine.patterns.allowed(used) & (limit.use > 0)).any(axis=(1, 2)))
    counts = open_to[place.reshape(-1)] & limit.segments[fine.segment_of_kind]
    return int(fine.kinds.rows.customers.to_numpy()[counts].sum())


def why_empty(plan: Plan, problem: Problem) -> str:
    """Why nobody is contacted, in a sentence."""
    if not problem.timetable.days:
        return "No campaign can be sent in this period: its windows, send days and blackouts leave no day."
    cells, kinds = problem.cells, problem.everyone.fine.kinds
    if not problem.everyone.fine.patterns.allowed(np.unique(kinds.pattern)).any():
        return "No customer may be contacted: permissions, restrictions, audiences and hold-out leave nobody."
    live = cells.customers > 0
    both = cells.allowed[cells.pattern[live]] & cells.leeway.open[cells.profile[live]]
    if not (both.any() or problem.everyone.drawn):
        return "Every customer who may be contacted has had all the contacts that the contact policy allows."
    if plan.objective.goal == "cost":
        return "To send nothing costs the least, and no minimum that must be met asks for more."
    return "No contact that the rules and limits allow is worth its cost at the expected response rates."
