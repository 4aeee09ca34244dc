"""Solving a workspace of the tests for its prices, and once more with a limit's bound moved."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from oracle.workspace_files import write_workspace

from models.response import Rates
from optimizer.generation import Generation
from optimizer.linear_plan import Shortage
from optimizer.plan_file import Plan, load_plan
from optimizer.problem import Problem, make_problem
from optimizer.response_rates import response_rates
from optimizer.segmenting import Segments, find_segments
from optimizer.solution import Solution, solve
from optimizer.tables import Tables, open_tables
from optimizer.whole_numbers import OnlyWholeNumbers


@dataclass(frozen=True)
class Case:
    plan: Plan
    tables: Tables
    segments: Segments
    rates: Rates
    problem: Problem
    solution: Solution

    def bound_with(self, r: int, step: float) -> float:
        """The linear program's bound with limit r's bound moved; the campaigns in use stay."""
        pricing, used = self.solution.pricing, np.rint(self.solution.linear.used)
        bound = pricing.rows.left(used)
        bound[r] += step
        moved = copy(pricing)
        moved.rows = replace(pricing.rows, bound=bound, switched=np.zeros_like(pricing.rows.switched))
        live = np.flatnonzero(pricing.cells.customers > 0)
        customers = pricing.cells.customers[live].astype(float)
        generation = Generation(moved, live, customers, 4000, 1e-10, lambda text: None)
        try:
            return generation.run(used, used).bound
        except Shortage:
            return -np.inf


def solved(folder: Path, plan: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]) -> Case | None:
    """The workspace's solution; None where its limits cannot all hold."""
    loaded = load_plan(write_workspace(folder, plan, tables))
    opened = open_tables(loaded).as_of(loaded.period.start)
    segments = find_segments(loaded, opened, refit=False)
    rates = response_rates(loaded, opened, segments)
    problem = make_problem(loaded, opened, segments, rates)
    try:
        solution = solve(problem.pricing(), loaded.max_cells, lambda text: None)
    except (Shortage, OnlyWholeNumbers):
        return None
    return Case(loaded, opened, segments, rates, problem, solution)
