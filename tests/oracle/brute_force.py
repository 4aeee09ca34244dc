"""The best plan by brute force: all streams of all customers listed, one mixed-integer program solved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from .contract_rules import (
    Stream,
    allowed,
    contact_value,
    response_rate,
    series_breaches,
    stream_cost,
    stream_value,
)
from .limits import limits_of
from .reading import read_world
from .world import COLUMNS, Contact, World

INFEASIBLE = 2


@dataclass(frozen=True)
class Oracle:
    """What is best; values are None where the limits cannot all hold.

    `streams` is a best plan in whole numbers: the stream of each customer (empty without one).
    """

    lp_value: float | None
    integer_value: float | None
    streams: dict[str, Stream]
    listed: int


class TooManyStreams(Exception):  # noqa: N818 - what happened, not a fault
    """A customer has more valid streams than brute force should list."""


def allowed_contacts(world: World, customer: str) -> tuple[Contact, ...]:
    """Every contact that the customer may have by itself, by day."""
    return tuple(
        contact
        for day in range(world.days)
        for name, campaign in world.plan["campaigns"].items()
        for channel in campaign["channels"]
        if allowed(world, customer, contact := Contact(day, channel, name))
    )


def streams_of(world: World, customer: str, most: int = 20_000) -> list[Stream]:
    """All valid streams of the customer, the empty one among them.

    Contacts are added in the order of days; what a stream breaks, no later contact can mend
    (`only_after` looks back only), so a broken beginning is not continued.
    """
    by_day = defaultdict(list)
    for contact in allowed_contacts(world, customer):
        by_day[contact.day].append(contact)
    days = sorted(by_day)
    found: list[Stream] = []

    def extend(stream: Stream, position: int) -> None:
        found.append(stream)
        if len(found) > most:
            raise TooManyStreams(f"customer {customer} has more than {most} streams")
        for later in range(position, len(days)):
            for contact in by_day[days[later]]:
                longer = (*stream, contact)
                if not series_breaches(world, customer, longer):
                    extend(longer, later + 1)

    extend((), 0)
    return found


def groups_of(world: World) -> list[list[str]]:
    """Customers whom no rule can tell apart: same segment, same contacts allowed, same contacts had."""
    groups = defaultdict(list)
    for customer in world.customers:
        had = frozenset(world.existing.get(customer, {}).items())
        groups[world.segments[customer], allowed_contacts(world, customer), had].append(customer)
    return list(groups.values())


def optimum(
    plan: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    segments: Mapping[Any, Any],
    rates: pd.DataFrame | Mapping[tuple[Any, str, str], float],
    most: int = 20_000,
) -> Oracle:
    """Solve max Σ value·z, Σ z = customers of each group, limits, first in fractions, then in integers."""
    world = read_world(plan, tables, segments, rates)
    groups = groups_of(world)
    columns = [(g, stream) for g, group in enumerate(groups) for stream in streams_of(world, group[0], most)]
    values = np.array([stream_value(world, groups[g][0], stream) for g, stream in columns])
    sizes = np.array([len(group) for group in groups], dtype=float)
    owner = np.array([g for g, _ in columns])
    every = csr_array((np.ones(len(columns)), (owner, np.arange(len(columns)))))
    constraints = [LinearConstraint(every, sizes, sizes)]
    limits = limits_of(world)
    if limits:
        use = [[limit.use(world.segments[groups[g][0]], stream) for g, stream in columns] for limit in limits]
        lower, upper = ([getattr(limit, side) for limit in limits] for side in ("lower", "upper"))
        constraints.append(LinearConstraint(csr_array(np.array(use)), lower, upper))

    def solve(whole: int) -> Any:
        result = milp(
            -values,
            integrality=np.full(len(columns), whole),
            bounds=Bounds(0, sizes[owner]),
            constraints=constraints,
            options={"mip_rel_gap": 0.0},
        )
        if result.status not in (0, INFEASIBLE):
            raise RuntimeError(result.message)
        return result

    fractions, integers = solve(0), solve(1)
    lp_value = float(-fractions.fun) if fractions.status == 0 else None
    if integers.status != 0:
        return Oracle(lp_value, None, {}, len(columns))
    counts = np.rint(integers.x).astype(int)
    queue = {g: list(group) for g, group in enumerate(groups)}
    chosen = {
        queue[g].pop(): stream
        for (g, stream), count in zip(columns, counts, strict=True)
        for _ in range(count)
    }
    return Oracle(lp_value, float(values @ counts), chosen, len(columns))


def calendar_of(world: World, streams: Mapping[str, Stream], integer_ids: bool = False) -> pd.DataFrame:
    """A calendar in the contract's columns for the chosen streams (for tests of the judges)."""
    start = pd.Timestamp(str(world.plan["period"]["start"]))
    rows = [
        {
            "contact_id": f"{customer}/{contact.day}",
            "customer_id": int(customer) if integer_ids else customer,
            "contact_on": (start + pd.Timedelta(days=contact.day)).date(),
            "channel": contact.channel,
            "campaign": contact.campaign,
            "segment": world.segments[customer],
            "stream": repr(stream),
            "final": contact.day < world.commit_days,
            "response_rate": response_rate(world, customer, contact, stream),
            "expected_value": contact_value(world, customer, contact, stream),
            "cost": stream_cost(world, (contact,)),
        }
        for customer, stream in streams.items()
        for contact in stream
    ]
    rows.sort(key=lambda row: (row["contact_on"], row["customer_id"]))
    return pd.DataFrame(rows, columns=list(COLUMNS))
