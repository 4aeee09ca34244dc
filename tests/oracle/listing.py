"""All contacts and all streams that customers may have, and which customers are alike."""

from __future__ import annotations

from collections import defaultdict

from .contract_rules import Stream, allowed, series_breaches
from .world import Contact, World


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
    """Customers whom nothing tells apart: alike in segment, contacts allowed and had, own limit, figures."""
    groups = defaultdict(list)
    for customer in world.customers:
        had = frozenset(world.existing.get(customer, {}).items())
        own = world.max_contacts.get(customer)
        figures = frozenset(
            (campaign, channel, *sorted(row.items()))
            for (owner, campaign, channel), row in world.scores.items()
            if owner == customer
        )
        key = (world.segments[customer], allowed_contacts(world, customer), had, own, figures)
        groups[key].append(customer)
    return list(groups.values())
