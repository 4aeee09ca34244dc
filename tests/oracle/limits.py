"""The contract's limits on all customers together, each with what is left for planned contacts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import inf
from typing import Any

from .existing import all_existing, campaign_begin, contacts_had, needs_choice, start_of
from .limit import Limit, stretches
from .values import contact_return, own_cost, setup_cost
from .world import Contact, World, day_number


def budget_limits(world: World) -> Iterator[Limit]:
    """Budgets by stretch; a campaign's own budget for the period counts its contacts since its `from`.

    Setup costs count in the whole plan's budget for the period alone.
    """
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

            def spent_on(
                customer: str,
                stream: tuple[Contact, ...],
                first: int = first,
                last: int = last,
                unit: Any = unit,
                campaign: Any = campaign,
            ) -> float:
                return sum(
                    own_cost(world, customer, contact)
                    for contact in stream
                    if first <= contact.day <= last
                    and campaign in (None, contact.campaign)
                    and unit in (None, world.plan["campaigns"][contact.campaign].get("business_unit"))
                )

            whole = row["per"] == "period" and unit is None and campaign is None
            yield Limit(
                f"budget[{i}]{name}",
                lambda contact: 0.0,
                by_customer=spent_on,
                upper=max(0.0, row["amount"] - spent),
                by_campaign=setups(world) if whole else {},
                if_used=str(campaign) if own and needs_choice(world, campaign) else None,
                soft=row.get("soft"),
            )


def setups(world: World, times: float = 1.0) -> dict[str, float]:
    """The setup cost of each campaign that has one to pay, so many times."""
    costs = {name: setup_cost(world, name) for name in world.plan["campaigns"]}
    return {name: times * cost for name, cost in costs.items() if cost}


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
                yield Limit(path, weight, upper=max(0.0, row[unit] - used), soft=row.get("soft"))


def campaign_limits(world: World) -> Iterator[Limit]:
    """Fewest and most contacts of a campaign, counting those since its `from` in history and commitments."""
    for name, campaign in world.plan["campaigns"].items():
        limits = campaign.get("contacts", {})
        path, had, soft = f"campaigns.{name}.contacts", contacts_had(world, name), limits.get("soft")

        def weight(contact: Contact, name: str = name) -> float:
            return 1.0 if contact.campaign == name else 0.0

        if limits.get("min") is not None:
            yield Limit(f"{path}.min", weight, lower=limits["min"] - had, soft=soft)
        if limits.get("max") is not None:
            yield Limit(f"{path}.max", weight, upper=max(0, limits["max"] - had), soft=soft)
        if limits.get("min_if_used") is not None:
            lower = limits["min_if_used"] - had
            # With contacts already it is in use, and its minimum a must.
            yield Limit(f"{path}.min_if_used", weight, lower=lower, if_used=None if had else name, soft=soft)


def segments_of(row: Mapping[str, Any]) -> frozenset[str] | None:
    return frozenset(map(str, row["segments"])) if row.get("segments") is not None else None


def is_kind(world: World, row: Mapping[str, Any], contact: Contact) -> bool:
    """Is the contact of the channel, campaign, type and business unit that the row names?"""
    campaign = world.plan["campaigns"][contact.campaign]
    kind = {
        "channel": contact.channel,
        "campaign": contact.campaign,
        "type": campaign["type"],
        "business_unit": campaign.get("business_unit"),
    }
    return all(row[key] == kind[key] for key in kind if row.get(key) is not None)


def reach_limits(world: World) -> Iterator[Limit]:
    """Customers with a planned contact of the kind, as a share of all in those segments or as a number."""
    for i, row in enumerate(world.plan.get("reach", [])):
        segments = segments_of(row)
        size = sum(1 for c in world.customers if segments is None or world.segments[c] in segments)

        def weight(contact: Contact, row: Mapping[str, Any] = row) -> float:
            return 1.0 if is_kind(world, row, contact) else 0.0

        # Rounded, for 0.1 × 30 is a little more than 3.
        lower = round(row["share"] * size, 9) if "share" in row else row["customers"]
        yield Limit(f"reach[{i}]", weight, lower=lower, once=True, segments=segments, soft=row.get("soft"))


def volume_limits(world: World) -> Iterator[Limit]:
    """Planned contacts of the kind in the segments named, as a number or as a share of all planned there."""
    for i, row in enumerate(world.plan.get("volume", [])):
        for bound in ("min", "max", "min_share", "max_share"):
            if row.get(bound) is None:
                continue
            share = float(row[bound]) if bound.endswith("share") else 0.0
            side = 0.0 if bound.endswith("share") else float(row[bound])

            def weight(contact: Contact, row: Mapping[str, Any] = row, share: float = share) -> float:
                return (1.0 if is_kind(world, row, contact) else 0.0) - share

            yield Limit(
                f"volume[{i}].{bound}",
                weight,
                lower=side if bound.startswith("min") else -inf,
                upper=side if bound.startswith("max") else inf,
                segments=segments_of(row),
                soft=row.get("soft"),
            )


def return_limits(world: World) -> Iterator[Limit]:
    """Planned contacts must return (1 + min) times what they and the campaigns in use cost."""
    row = world.plan.get("return_on_cost")
    if row is None:
        return
    times = 1.0 + float(row["min"])

    def surplus(customer: str, stream: tuple[Contact, ...]) -> float:
        return sum(
            contact_return(world, customer, contact, stream) - times * own_cost(world, customer, contact)
            for contact in stream
        )

    yield Limit(
        "return_on_cost.min",
        lambda contact: 0.0,
        lower=0.0,
        by_customer=surplus,
        by_campaign=setups(world, -times),
        soft=row.get("soft"),
    )


def limits_of(world: World) -> list[Limit]:
    """All limits of the plan, by their paths."""
    kinds: Iterable[Iterator[Limit]] = (
        budget_limits(world),
        capacity_limits(world),
        campaign_limits(world),
        volume_limits(world),
        reach_limits(world),
        return_limits(world),
    )
    return [limit for kind in kinds for limit in kind]
