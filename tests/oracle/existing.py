"""What was there before the plan: contacts of the history and commitments, all customers together."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from .world import Contact, Facts, World, day_number


def start_of(world: World) -> pd.Timestamp:
    return pd.Timestamp(str(world.plan["period"]["start"]))


def all_existing(world: World) -> Iterator[tuple[Contact, Facts]]:
    for contacts in world.existing.values():
        yield from contacts.items()


def campaign_begin(world: World, campaign: str) -> int:
    """The campaign's `from` as a day, which may lie before the period."""
    row = world.plan["campaigns"][campaign]
    return day_number(row["from"], start_of(world)) if "from" in row else 0


def contacts_had(world: World, campaign: str) -> int:
    """The campaign's contacts since its `from`, in history and commitments."""
    begin = campaign_begin(world, campaign)
    return sum(
        1 for contact, _ in all_existing(world) if contact.campaign == campaign and contact.day >= begin
    )


def needs_choice(world: World, campaign: str) -> bool:
    """Is it open whether the campaign is used, and does that matter? Not where it is in use already."""
    row = world.plan["campaigns"][campaign]
    asks = row.get("setup_cost", 0) > 0 or row.get("contacts", {}).get("min_if_used") is not None
    return asks and contacts_had(world, campaign) == 0
