"""A workspace as the judges see it: what a contact, a cap and everything the rules ask for are.

Days are whole numbers counted from `period.start` = 0; ids, segments and names are text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pandas as pd

TYPES = ("promotional", "service", "recognition", "research", "brand", "functional")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HELD_OUT_TYPES = ("promotional", "research", "recognition", "brand")
# The columns of calendar.parquet.
COLUMNS = (
    "contact_id",
    "customer_id",
    "contact_on",
    "channel",
    "campaign",
    "segment",
    "stream",
    "final",
    "response_rate",
    "expected_value",
    "cost",
)


class Contact(NamedTuple):
    """What makes a contact of one customer the same contact wherever it stands."""

    day: int
    channel: str
    campaign: str


class Facts(NamedTuple):
    """What else is known of a contact that exists already (history or commitment)."""

    type: str | None
    business_unit: str | None
    cost: float


class Cap(NamedTuple):
    """At most `contacts` of those named in any `days` consecutive days; None names all.

    `flags` says that campaigns may be left out of it or ignore it: so it is with policy and channel caps.
    """

    path: str
    contacts: int
    days: int
    types: frozenset[str] | None
    channels: frozenset[str] | None
    campaigns: frozenset[str] | None
    flags: bool = False


@dataclass(frozen=True)
class World:
    """Everything the rules ask for; dictionaries by customer hold no entry where there is nothing."""

    plan: Mapping[str, Any]
    days: int
    commit_days: int
    customers: tuple[str, ...]
    segments: dict[str, str]
    rates: dict[tuple[str, str, str], float]
    caps: tuple[Cap, ...]
    windows: dict[str, tuple[int, int]]
    open_days: dict[str, frozenset[int]]
    existing: dict[str, dict[Contact, Facts]]
    commitments: dict[str, frozenset[Contact]]
    permissions: dict[tuple[str, str], list[tuple[str, float, float, str | None]]]
    restrictions: dict[str, list[tuple[float, float, frozenset[str]]]]
    held_out: frozenset[str]
    audiences: dict[str, frozenset[str]]
    max_contacts: dict[str, int]
    scores: dict[tuple[str, str, str | None], dict[str, float]] = field(default_factory=dict)


def text(value: object) -> str:
    """Ids and segments are matched as text; a whole number read as a float is still that number."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def day_number(value: object, start: pd.Timestamp) -> int:
    return int((pd.Timestamp(str(value)) - start).days)


def contact_cost(plan: Mapping[str, Any], channel: str, campaign: str) -> float:
    """Unit cost of the channel plus the campaign's cost on top; what the plan does not know costs nothing."""
    unit = plan["channels"].get(channel, {}).get("unit_cost", 0)
    return float(unit) + float(plan["campaigns"].get(campaign, {}).get("cost_per_contact", 0))
