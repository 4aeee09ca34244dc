"""The best plan by brute force: all streams of all customers listed, one mixed-integer program solved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isclose
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from .contract_rules import Stream
from .ledger import ledger_of, penalties, plan_value
from .listing import TooManyStreams, groups_of, streams_of
from .program import Program, program_of
from .reading import read_world

__all__ = ["Oracle", "TooManyStreams", "optimum"]

INFEASIBLE = 2


@dataclass(frozen=True)
class Oracle:
    """What is best; values are None where the limits cannot all hold.

    `streams` is a best plan in whole numbers: the stream of each customer (empty without one).
    `penalties` is what it pays for soft limits in all, `used` the campaigns it plans contacts of.
    """

    lp_value: float | None
    integer_value: float | None
    streams: dict[str, Stream]
    listed: int
    penalties: float = 0.0
    used: frozenset[str] = frozenset()


def optimum(
    plan: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    segments: Mapping[Any, Any],
    rates: pd.DataFrame | Mapping[tuple[Any, str, str], float],
    most: int = 20_000,
) -> Oracle:
    """Solve the program over all streams, first in fractions, then in whole numbers.

    `lp_value` is its linear relaxation, campaigns in use linked to streams group by group.
    """
    world = read_world(plan, tables, segments, rates)
    groups = groups_of(world)
    columns = [(g, stream) for g, group in enumerate(groups) for stream in streams_of(world, group[0], most)]
    program = program_of(world, groups, columns)
    fractions, integers = solve(program, whole=False), solve(program, whole=True)
    lp_value = None if fractions is None else float(program.values @ fractions)
    if integers is None:
        return Oracle(lp_value, None, {}, len(columns))
    counts = np.rint(integers[: len(columns)]).astype(int)
    queue = {g: list(group) for g, group in enumerate(groups)}
    chosen = {
        queue[g].pop(): stream
        for (g, stream), count in zip(columns, counts, strict=True)
        for _ in range(count)
    }
    # Added up anew from the plan itself, free of the solver's tolerances.
    ledger = ledger_of(world, chosen)
    value = plan_value(world, ledger)
    if not isclose(value, program.values @ integers, rel_tol=1e-5, abs_tol=1e-4):
        raise AssertionError(f"the program says {program.values @ integers}, its plan is worth {value}")
    return Oracle(lp_value, value, chosen, len(columns), sum(penalties(world, ledger).values()), ledger.used)


def solve(program: Program, whole: bool) -> np.ndarray[Any, Any] | None:
    """The best columns, None if there are none; soft shortfalls stay fractions."""
    matrix = csr_array((program.entries, (program.row_of, program.column_of)), program.shape)
    result = milp(
        -program.values,
        integrality=program.whole * whole,
        bounds=Bounds(0, program.most),
        constraints=LinearConstraint(matrix, program.lower, program.upper),
        options={"mip_rel_gap": 0.0},
    )
    if result.status == INFEASIBLE:
        return None
    if result.status != 0:
        raise RuntimeError(result.message)
    return np.asarray(result.x)
