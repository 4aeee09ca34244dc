"""A plan added up: what all customers' streams use of each limit, which campaigns, what is missed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from .contract_rules import Stream
from .limit import Limit
from .limits import limits_of
from .values import setup_value, stream_value
from .world import Contact, World


@dataclass(frozen=True)
class Ledger:
    """The streams of customers who have one, and the same counted by segment."""

    streams: Mapping[str, Stream]
    by_stream: Mapping[tuple[str, Stream], int]
    by_contact: Mapping[tuple[str, Stream], int]
    used: frozenset[str]


def ledger_of(world: World, streams: Mapping[str, Stream]) -> Ledger:
    """Count the streams; `used` are the campaigns with a planned contact."""
    by_segment: dict[str, Counter[Contact]] = defaultdict(Counter)
    for customer, stream in streams.items():
        by_segment[world.segments[customer]].update(stream)
    return Ledger(
        streams,
        Counter((world.segments[customer], stream) for customer, stream in streams.items()),
        {
            (segment, (contact,)): number
            for segment, counts in by_segment.items()
            for contact, number in counts.items()
        },
        frozenset(contact.campaign for counts in by_segment.values() for contact in counts),
    )


def total_use(limit: Limit, ledger: Ledger) -> float:
    """What the plan uses of the limit, campaigns in use included."""
    fixed = sum(amount for name, amount in limit.by_campaign.items() if name in ledger.used)
    if limit.by_customer:
        own = (limit.use_of(customer, "", stream) for customer, stream in ledger.streams.items())
        return fixed + sum(own)
    counts = ledger.by_stream if limit.once else ledger.by_contact
    return fixed + sum(limit.use(segment, stream) * number for (segment, stream), number in counts.items())


def missed_of(world: World, ledger: Ledger) -> dict[str, float]:
    """By how much each soft limit is missed, in its own unit; only those that are."""
    soft = [limit for limit in limits_of(world) if limit.soft is not None]
    missed = {limit.path: limit.missed(total_use(limit, ledger), ledger.used) for limit in soft}
    return {path: amount for path, amount in missed.items() if amount > 1e-9}


def penalties(world: World, ledger: Ledger) -> dict[str, float]:
    """What is paid for each soft limit that is missed, in the objective's unit."""
    missed, prices = missed_of(world, ledger), {limit.path: limit.soft for limit in limits_of(world)}
    return {path: amount * float(prices[path] or 0.0) for path, amount in missed.items()}


def plan_value(world: World, ledger: Ledger) -> float:
    """The objective of the whole plan: streams, setup costs and penalties."""
    streams = sum(stream_value(world, customer, stream) for customer, stream in ledger.streams.items())
    setup = sum(setup_value(world, campaign) for campaign in ledger.used)
    return streams - setup - sum(penalties(world, ledger).values())
