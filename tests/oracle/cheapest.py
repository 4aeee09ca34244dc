"""Among plans of the best value the cheapest, of those that with the fewest contacts, by brute force."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any

import numpy as np
import pandas as pd

from .brute_force import Oracle, solve
from .listing import groups_of, streams_of
from .program import Program, program_of
from .reading import read_world
from .values import stream_cost

EQUAL = 1e-7


def cheapest_of_equals(
    plan: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    segments: Mapping[Any, Any],
    rates: pd.DataFrame | Mapping[tuple[Any, str, str], float],
    best: Oracle,
) -> tuple[float, int]:
    """The contact costs and the number of contacts of that plan; `best` is what `optimum` says."""
    world = read_world(plan, tables, segments, rates)
    groups = groups_of(world)
    columns = [(g, stream) for g, group in enumerate(groups) for stream in streams_of(world, group[0])]
    program = program_of(world, groups, columns)
    rest = np.zeros(len(program.values) - len(columns))
    cost = np.append([stream_cost(world, groups[g][0], stream) for g, stream in columns], rest)
    contacts = np.append([len(stream) for _, stream in columns], rest)
    at_least(program, program.values, (best.integer_value or 0.0) - EQUAL)
    least_cost = least(program, cost)
    at_least(program, -cost, -least_cost - EQUAL)
    return least_cost, round(least(program, contacts))


def at_least(program: Program, weights: np.ndarray[Any, Any], bound: float) -> None:
    program.add_row({i: float(weights[i]) for i in np.flatnonzero(weights).tolist()}, bound, inf)


def least(program: Program, weights: np.ndarray[Any, Any]) -> float:
    """The least sum of weights that the program allows."""
    program.values = -weights
    solution = solve(program, whole=True)
    assert solution is not None
    return float(weights @ solution)
