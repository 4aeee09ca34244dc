"""The contract's limits on all customers together, each with what is left for planned contacts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

import pandas as pd

from .contract_rules import Stream
from .world import Contact, Facts, World, contact_cost, day_number


@dataclass(frozen=True)
class Limit:
    """`lower` ≤ use ≤ `upper`, commitments already taken off.

    Use is the sum of `weight` over planned contacts or, with `once`, over customers (a customer counts
    with its heaviest contact), of those whose segment is in `segments` (None: all).
    """

    path: str
    weight: Callable[[Contact], float]
    lower: float = -inf
    upper: float = inf
    once: bool = False
    segments: frozenset[str] | None = None

    def use(self, segment: str, stream: Stream) -> float:
        """What one customer's stream uses of the limit."""
        if not stream or (self.segments is not None and segment not in self.segments):
            return 0.0
        weights = [self.weight(contact) for contact in stream]
        return max(weights) if self.once else sum(weights)


def stretches(per: str, days: int) -> Iterator[tuple[str, int, int]]:
    """Name, first and last day of each stretch; the last week may be shorter."""
    length = {"day": 1, "week": 7, "period": days}[per]
    for number, first in enumerate(range(0, days, length), start=1):
        yield f" {per} {number}" if per != "period" else "", first, min(first + length, days) - 1


def start_of(world: World) -> pd.Timestamp:
    return pd.Timestamp(str(world.plan["period"]["start"]))


def all_existing(world: World) -> Iterator[tuple[Contact, Facts]]:
    for contacts in world.existing.values():
        yield from contacts.items()


def campaign_begin(world: World, campaign: str) -> int:
    """The campaign's `from` as a day, which may lie before the period."""
    row = world.plan["campaigns"][campaign]
    return day_number(row["from"], start_of(world)) if "from" in row else 0


def budget_limits(world: World) -> Iterator[Limit]:
    """Budgets by stretch; a campaign's own budget for the period counts its contacts since its `from`."""
    for i, row in enumerate(world.plan.get("budget", [])):
        unit, campaign = row.get("business_unit"), row.get("campaign")
        for name, first, last in stretches(row["per"], world.days):
            own = campaign is not None and row["per"] == "period"
            begin, end = (campaign_begin(world, campaign), inf) if own else (first, last)
            spent = sum(
                facts.cost
                for contact, facts in all_existing(world)
                if begin <= contact.day <= end
                and campaign in (None, contact.campaign)
                and unit in (None, facts.business_unit)
            )

            def weight(
                contact: Contact,
                first: int = first,
                last: int = last,
                unit: Any = unit,
                campaign: Any = campaign,
            ) -> float:
                counts = (
                    first <= contact.day <= last
                    and campaign in (None, contact.campaign)
                    and unit in (None, world.plan["campaigns"][contact.campaign].get("business_unit"))
                )
                return contact_cost(world.plan, contact.channel, contact.campaign) if counts else 0.0

            yield Limit(f"budget[{i}]{name}", weight, upper=max(0.0, row["amount"] - spent))


def on_days(row: Mapping[Any, Any], world: World) -> set[int] | None:
    """Days of a capacity entry with `on` (which YAML 1.1 reads as the key True), else None."""
    dates = row.get("on", row.get(True))
    return None if dates is None else {day_number(date, start_of(world)) for date in dates}


def capacity_limits(world: World) -> Iterator[Limit]:
    """Capacities by stretch; on its days an entry with `on` replaces the per-day entries of its unit."""
    for name, channel in world.plan["channels"].items():
        rows = channel.get("capacity", [])
        replaced: dict[str, set[int]] = {"contacts": set(), "hours": set()}
        for row in rows:
            replaced["hours" if "hours" in row else "contacts"] |= on_days(row, world) or set()
        for i, row in enumerate(rows):
            unit = "hours" if "hours" in row else "contacts"
            each = float(channel["hours_per_contact"]) if unit == "hours" else 1.0
            days = on_days(row, world)
            per = row["per"] if days is None else "day"
            for suffix, first, last in stretches(per, world.days):
                if days is None and per == "day" and first in replaced[unit]:
                    continue
                if days is not None and first not in days:
                    continue

                def weight(
                    contact: Contact,
                    first: int = first,
                    last: int = last,
                    name: str = name,
                    each: float = each,
                ) -> float:
                    return each if contact.channel == name and first <= contact.day <= last else 0.0

                used = sum(weight(contact) for contact, _ in all_existing(world))
                path = f"channels.{name}.capacity[{i}]{suffix}"
                yield Limit(path, weight, upper=max(0.0, row[unit] - used))


def campaign_limits(world: World) -> Iterator[Limit]:
    """Fewest and most contacts of a campaign, counting those since its `from` in history and commitments."""
    for name, campaign in world.plan["campaigns"].items():
        limits = campaign.get("contacts", {})
        begin = campaign_begin(world, name)
        had = sum(
            1 for contact, _ in all_existing(world) if contact.campaign == name and contact.day >= begin
        )

        def weight(contact: Contact, name: str = name) -> float:
            return 1.0 if contact.campaign == name else 0.0

        if limits.get("min") is not None:
            yield Limit(f"campaigns.{name}.contacts.min", weight, lower=limits["min"] - had)
        if limits.get("max") is not None:
            yield Limit(f"campaigns.{name}.contacts.max", weight, upper=max(0, limits["max"] - had))


def reach_limits(world: World) -> Iterator[Limit]:
    """Customers with a planned contact of the kind, as a share of all in those segments or as a number."""
    for i, row in enumerate(world.plan.get("reach", [])):
        segments = frozenset(map(str, row["segments"])) if "segments" in row else None
        size = sum(1 for c in world.customers if segments is None or world.segments[c] in segments)

        def weight(contact: Contact, row: Mapping[str, Any] = row) -> float:
            campaign = world.plan["campaigns"][contact.campaign]
            kind = {
                "channel": contact.channel,
                "campaign": contact.campaign,
                "type": campaign["type"],
                "business_unit": campaign.get("business_unit"),
            }
            return 1.0 if all(row[key] == kind[key] for key in kind if key in row) else 0.0

        # Rounded, for 0.1 × 30 is a little more than 3.
        lower = round(row["share"] * size, 9) if "share" in row else row["customers"]
        yield Limit(f"reach[{i}]", weight, lower=lower, once=True, segments=segments)


def limits_of(world: World) -> list[Limit]:
    """All limits of the plan, by their paths."""
    kinds: Iterable[Iterator[Limit]] = (
        budget_limits(world),
        capacity_limits(world),
        campaign_limits(world),
        reach_limits(world),
    )
    return [limit for kind in kinds for limit in kind]
