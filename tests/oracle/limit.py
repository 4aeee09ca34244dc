"""What one limit is: how customers use it, within which bounds, and what missing them costs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from math import inf

from .contract_rules import Stream
from .world import Contact


@dataclass(frozen=True)
class Limit:
    """`lower` ≤ use ≤ `upper` (one of them), commitments already taken off.

    Use is the sum of `weight` over planned contacts or, with `once`, over customers (a customer counts
    with its heaviest contact), of those whose segment is in `segments` (None: all). `by_customer` stands
    in for the weights where use depends on the customer and the contacts before.
    `by_campaign` is what each campaign in use adds. With `if_used` the bounds are 0 unless that campaign
    is in use. `soft` is the penalty of each unit missed; None is a must.
    """

    path: str
    weight: Callable[[Contact], float]
    lower: float = -inf
    upper: float = inf
    once: bool = False
    segments: frozenset[str] | None = None
    by_customer: Callable[[str, Stream], float] | None = None
    by_campaign: Mapping[str, float] = field(default_factory=dict)
    if_used: str | None = None
    soft: float | None = None

    def use(self, segment: str, stream: Stream) -> float:
        """What the stream of one customer of the segment uses, if all that matters are its contacts."""
        if not stream or (self.segments is not None and segment not in self.segments):
            return 0.0
        weights = [self.weight(contact) for contact in stream]
        return max(weights) if self.once else sum(weights)

    def use_of(self, customer: str, segment: str, stream: Stream) -> float:
        """What this customer's stream uses of the limit."""
        return self.by_customer(customer, stream) if self.by_customer else self.use(segment, stream)

    def bounds(self, used: Collection[str]) -> tuple[float, float]:
        """Lower and upper bound when those campaigns are in use."""
        if self.if_used is None or self.if_used in used:
            return self.lower, self.upper
        return (0.0 if self.lower > -inf else -inf), (0.0 if self.upper < inf else inf)

    def missed(self, use: float, used: Collection[str]) -> float:
        """By how much the use falls short of the lower bound or exceeds the upper one."""
        lower, upper = self.bounds(used)
        return max(0.0, lower - use, use - upper)


def stretches(per: str, days: int) -> Iterator[tuple[str, int, int]]:
    """Name, first and last day of each stretch; the last week may be shorter."""
    length = {"day": 1, "week": 7, "period": days}[per]
    for number, first in enumerate(range(0, days, length), start=1):
        yield f" {per} {number}" if per != "period" else "", first, min(first + length, days) - 1
