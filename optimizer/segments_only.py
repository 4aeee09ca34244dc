"""What the customers' own figures bring: beside the plan the one made with the segments' figures only.

That one gives every customer the stream that a run without the table `scores` and without bands of response
would; both are judged with the customers' own figures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from optimizer.cells import make_cells
from optimizer.drawing import drawn_by_rank, sole_entries
from optimizer.engine import Engine
from optimizer.fine_worth import FinePlan, FineWorth
from optimizer.frames import table_of
from optimizer.linear_plan import Shortage
from optimizer.menu_solution import solve_from_menu
from optimizer.own_figures import OwnFigures
from optimizer.plan_file import Plan
from optimizer.planned import Planned
from optimizer.problem import Problem
from optimizer.solution import Solution, solve
from optimizer.whole_numbers import OnlyWholeNumbers


def segments_only(
    plan: Plan, problem: Problem, solution: Solution, engine: Engine, progress: Callable[[str], None]
) -> dict[str, Any]:
    """For the summary: `value_segments_only`, `segments_only_breaks`, and `own_figures` segment by segment.

    `value_segments_only` is None where the segments' figures leave no plan that keeps the limits (where
    customers choose from a menu: none made of it). It keeps them by the segments' figures; those that it
    breaks by the customers' own are `segments_only_breaks`.
    """
    judge = FineWorth(plan, problem, solution.pricing)
    own = judge.judged(_own_plan(problem, solution)).by_segment
    plain = _without_own_figures(plan, problem)
    try:
        found = _solved(plan, plain, progress)
    except (Shortage, OnlyWholeNumbers):
        rows = _rows(problem, None, own)
        return {"value_segments_only": None, "segments_only_breaks": [], "own_figures": rows}
    planned = _plan_for_own_cells(plan, problem, found, engine)
    judged = FineWorth(plan, problem, found.solution.pricing).judged(planned)
    return {
        "value_segments_only": judged.value,
        "segments_only_breaks": list(judged.broken),
        "own_figures": _rows(problem, judged.by_segment, own),
    }


def _own_plan(problem: Problem, solution: Solution) -> FinePlan:
    """The plan as one of fine cells. What customers of a cell of the program get, its first fine cells do."""
    whole, everyone = solution.whole, problem.everyone
    if everyone.drawn:
        return FinePlan(whole.cell, whole.stream, whole.customers, whole.used)
    order = np.lexsort((whole.stream, whole.cell))
    fine = np.lexsort((np.arange(len(everyone.cell)), everyone.cell))
    ends = np.cumsum(whole.customers[order]), np.cumsum(everyone.fine.customers[fine])
    cuts = np.union1d(*ends)
    counts = np.diff(cuts, prepend=0)
    row, cell = (np.searchsorted(end, cuts) for end in ends)
    return FinePlan(fine[cell], whole.stream[order][row], counts.astype(np.int64), whole.used)


def _without_own_figures(plan: Plan, problem: Problem) -> Problem:
    """The same problem with the segments' figures for everybody."""
    plain = OwnFigures(problem.own.plain, np.arange(len(problem.own.plain), dtype=np.int32))
    everyone = make_cells(
        problem.everyone.fine.with_segments_figures(),
        problem.keys,
        problem.timetable,
        problem.graph.shared_caps,
        plan.merge_above,
    )
    return replace(problem, everyone=everyone, own=plain).of_part(plan, everyone.cells)


def _solved(plan: Plan, plain: Problem, progress: Callable[[str], None]) -> Planned:
    if plain.everyone.drawn:
        return solve_from_menu(plan, plain, plan.max_cells, progress)
    return Planned(solve(plain.pricing(), plan.max_cells, progress), plain.everyone, pd.DataFrame())


def _plan_for_own_cells(plan: Plan, problem: Problem, found: Planned, engine: Engine) -> FinePlan:
    """How many customers of each cell told apart by own figures get each stream of the other plan."""
    fine, whole = problem.everyone.fine, found.solution.whole
    order = np.lexsort((whole.stream, whole.cell))
    shares = pd.DataFrame({"cell": whole.cell, "entry": whole.stream, "count": whole.customers}).iloc[order]
    cell = found.cells.cell[fine.cell_with_segments_figures()]
    book = pd.DataFrame(
        {
            "kind": fine.kind,
            "earlier": fine.lists.sums[fine.listed],
            "figures": fine.figures,
            "tired": fine.tired[fine.listed],
            "cell": cell,
            "own": np.arange(len(fine)),
            "entry": sole_entries(shares, int(cell.max()) + 1)[cell],
        }
    )
    kinds = {**dict.fromkeys(book.columns, "int32"), "earlier": "int64"}
    members = fine.members.join(table_of(book, kinds), ["kind", "earlier", "figures"])
    members = engine.keep("customers with both cells", members.drop("kind", "earlier", "figures"))
    drawn = drawn_by_rank(plan.seed, members, shares).select("customer_id", "entry")
    both = members.select("customer_id", "own").join(drawn, "customer_id")
    counted = both.group_by("own", "entry").agg(customers=both.count()).to_pyarrow()
    engine.drop("customers with both cells")
    own, stream, customers = (counted.column(n).to_numpy() for n in ("own", "entry", "customers"))
    order = np.lexsort((stream, own))
    return FinePlan(own[order], stream[order], customers[order].astype(np.int64), whole.used)


def _rows(
    problem: Problem, plain: NDArray[np.float64] | None, own: NDArray[np.float64]
) -> list[dict[str, Any]]:
    """A row a segment: what contacts are worth in both plans."""
    names = problem.cells.segments
    sizes = problem.cells.segment_size.tolist()
    return [
        {
            "segment": name,
            "customers": size,
            "value_segments_only": None if plain is None else round(float(plain[g]), 6),
            "value": round(float(own[g]), 6),
        }
        for g, (name, size) in enumerate(zip(names, sizes, strict=True))
    ]
