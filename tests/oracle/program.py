"""The mixed-integer program over all streams: max Σ value·z less setup costs and penalties.

Columns: how many customers of a group get a stream (z), whether a campaign is used (y, where that is open
and matters), how much of a soft limit is missed. Rows: each group's customers, the limits, and for each
group and campaign with a y: customers whose stream holds the campaign ≤ customers of the group × y.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf, isfinite
from typing import Any

import numpy as np

from .contract_rules import Stream
from .existing import needs_choice
from .limit import Limit
from .limits import limits_of
from .values import setup_value, stream_value
from .world import World

Column = tuple[int, Stream]
Numbers = np.ndarray[Any, Any]


@dataclass
class Program:
    """Values, upper bounds and whole-number flags of columns; rows with bounds; entries of the matrix."""

    values: Numbers
    most: Numbers
    whole: Numbers
    lower: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    entries: list[float] = field(default_factory=list)
    row_of: list[int] = field(default_factory=list)
    column_of: list[int] = field(default_factory=list)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.lower), len(self.values)

    def add_row(self, entries: dict[int, float], lower: float = -inf, upper: float = inf) -> None:
        """A row `lower` ≤ Σ entries ≤ `upper`, entries by column."""
        self.row_of += [len(self.lower)] * len(entries)
        self.column_of += entries.keys()
        self.entries += entries.values()
        self.lower.append(lower)
        self.upper.append(upper)


def program_of(
    world: World,
    groups: Sequence[Sequence[str]],
    columns: Sequence[Column],
    limits: Sequence[Limit] | None = None,
) -> Program:
    """Write the program; columns are the streams of each group in order, then campaigns, then misses.

    `limits` take the place of the plan's own.
    """
    limits = limits_of(world) if limits is None else limits
    soft = [limit for limit in limits if limit.soft is not None]
    choices = [name for name in world.plan["campaigns"] if needs_choice(world, name)]
    campaign_at = {name: len(columns) + i for i, name in enumerate(choices)}
    miss_at = {limit.path: len(columns) + len(choices) + i for i, limit in enumerate(soft)}
    sizes = [float(len(group)) for group in groups]
    values = [stream_value(world, groups[g][0], stream) for g, stream in columns]
    values += [-setup_value(world, name) for name in choices]
    values += [-float(limit.soft or 0.0) for limit in soft]
    program = Program(
        np.array(values),
        np.array([sizes[g] for g, _ in columns] + [1.0] * len(choices) + [inf] * len(soft)),
        np.array([1] * (len(columns) + len(choices)) + [0] * len(soft)),
    )
    for g, size in enumerate(sizes):
        program.add_row({i: 1.0 for i, (owner, _) in enumerate(columns) if owner == g}, size, size)
    for name, y in campaign_at.items():
        for g, size in enumerate(sizes):
            holding = {
                i: 1.0 for i, (owner, stream) in enumerate(columns) if owner == g and holds(stream, name)
            }
            program.add_row({**holding, y: -size}, upper=0.0)
    for limit in limits:
        use = {
            i: limit.use_of(groups[g][0], world.segments[groups[g][0]], stream)
            for i, (g, stream) in enumerate(columns)
        }
        add_limit(program, limit, use, campaign_at, miss_at.get(limit.path))
    return program


def holds(stream: Stream, campaign: str) -> bool:
    return any(contact.campaign == campaign for contact in stream)


def add_limit(
    program: Program, limit: Limit, use: dict[int, float], campaign_at: dict[str, int], miss: int | None
) -> None:
    """A limit's row; bounds that hold only if a campaign is used are that campaign's y times the bound."""
    row = {i: amount for i, amount in use.items() if amount}
    row |= {campaign_at[name]: amount for name, amount in limit.by_campaign.items()}
    lower, upper = limit.lower, limit.upper
    if limit.if_used is not None:
        bound = lower if isfinite(lower) else upper
        y = campaign_at[limit.if_used]
        row[y] = row.get(y, 0.0) - bound
        lower, upper = limit.bounds(())
    if miss is not None:
        row[miss] = 1.0 if isfinite(lower) else -1.0
        # More than this cannot be missed; a finite bound keeps the program bounded whatever the penalty.
        amounts = (abs(amount) * program.most[i] for i, amount in row.items() if i != miss)
        program.most[miss] = sum(amounts) + abs(lower if isfinite(lower) else upper) + 1.0
    program.add_row(row, lower, upper)
