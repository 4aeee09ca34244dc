"""What the customers' own figures bring: beside the plan the one made with the segments' figures only.

That one gives every customer the stream that a run without the table `scores` would; both are judged with
the customers' own figures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from optimizer.cells import AllCells, make_cells
from optimizer.contact_figures import objective_of
from optimizer.drawing import drawn_by_rank
from optimizer.engine import Engine
from optimizer.frames import frame_of, table_of
from optimizer.linear_plan import Shortage
from optimizer.plan_file import Plan
from optimizer.problem import Problem
from optimizer.solution import Solution, solve
from optimizer.streams import Pricing
from optimizer.whole_numbers import OnlyWholeNumbers


def segments_only(
    plan: Plan, problem: Problem, solution: Solution, engine: Engine, progress: Callable[[str], None]
) -> dict[str, Any]:
    """For the summary: `value_segments_only`, and `own_figures` with both values segment by segment.

    `value_segments_only` is None where the segments' figures leave no plan that keeps the limits.
    """
    whole = solution.whole
    own = _judged(solution.pricing, whole.cell, whole.stream, whole.customers, whole.used)
    try:
        plain = _without_own_figures(plan, problem)
        found = solve(plain.pricing(), plan.max_cells, progress)
    except (Shortage, OnlyWholeNumbers):
        return {"value_segments_only": None, "own_figures": _rows(problem, None, own[1])}
    both = (plain.everyone, problem.everyone)
    cell, stream, customers = _streams_of_own_cells(plan, *both, found, solution.pricing, engine)
    total, by_segment = _judged(solution.pricing, cell, stream, customers, found.whole.used)
    return {"value_segments_only": total, "own_figures": _rows(problem, by_segment, own[1])}


def _without_own_figures(plan: Plan, problem: Problem) -> Problem:
    """The same problem with the segments' figures for everybody."""
    everyone = problem.everyone
    segments = len(problem.cells.segments)
    figures = problem.figures.first(segments)
    cells = make_cells(
        replace(everyone.fine, own_figures=None),
        problem.keys,
        problem.timetable,
        problem.graph.shared_caps,
        plan.merge_above,
    )
    limits = tuple(
        limit if limit.tiring is None else replace(limit, tiring=limit.tiring[:segments])
        for limit in problem.limits
    )
    return replace(
        problem,
        everyone=cells,
        cells=cells.cells,
        limits=limits,
        figures=figures,
        objective=objective_of(plan, figures),
    )


def _streams_of_own_cells(
    plan: Plan, plain: AllCells, everyone: AllCells, found: Solution, pricing: Pricing, engine: Engine
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """How many customers of each cell told apart by own figures get each stream of the other plan."""
    fine, whole = everyone.fine, found.whole
    book = pd.DataFrame(
        {
            "kind": fine.kind,
            "earlier": fine.lists.sums[fine.listed],
            "tired": fine.tired[fine.listed],
            "cell": plain.cell,
            "own": everyone.cell,
        }
    )
    book = book.assign(figures=fine.figures)
    book = table_of(book, dict.fromkeys(book.columns, "int64"))
    members = fine.members.join(book, ["kind", "earlier", "figures"])
    members = engine.keep(
        "customers with both cells", members.select("customer_id", "held_out", "tired", "cell", "own")
    )
    order = np.lexsort((whole.stream, whole.cell))
    shares = pd.DataFrame({"cell": whole.cell, "entry": whole.stream, "count": whole.customers}).iloc[order]
    drawn = drawn_by_rank(plan.seed, members, shares).select("customer_id", "entry")
    both = members.select("customer_id", "own").join(drawn, "customer_id")
    counted = frame_of(both.group_by("own", "entry").agg(customers=both.count()))
    engine.drop("customers with both cells")
    counted = counted.sort_values(["own", "entry"], ignore_index=True)
    numbers = {s: pricing.book.add(found.pricing.book.streams[s]) for s in counted.entry.unique().tolist()}
    stream = counted.entry.map(numbers).to_numpy(dtype=np.int64)
    return counted.own.to_numpy(dtype=np.int64), stream, counted.customers.to_numpy(dtype=np.int64)


def _judged(
    pricing: Pricing,
    cell: NDArray[np.int64],
    stream: NDArray[np.int64],
    customers: NDArray[np.int64],
    used: NDArray[np.float64],
) -> tuple[float, NDArray[np.float64]]:
    """What a plan is worth, setup costs and penalties taken off, and what its contacts are by segment."""
    stays = pricing.objective.stay * pricing.kept(cell, stream)
    value = (pricing.value(cell, stream) - stays) * customers
    cells = pricing.cells
    by_segment = np.bincount(cells.segment[cell], weights=value, minlength=len(cells.segments)).astype(
        np.float64
    )
    missed = pricing.rows.penalty(pricing.total_use(cell, stream, customers), used)
    return round(float(value.sum() - pricing.rows.setup @ used) - missed, 6), by_segment


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
