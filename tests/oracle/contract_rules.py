"""The contract's rules for one customer, read plainly; slow and meant to be checked by eye."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from .world import HELD_OUT_TYPES, Cap, Contact, World, contact_cost

Stream = tuple[Contact, ...]


class Counted(NamedTuple):
    """One of the customer's contacts: existing or planned."""

    day: int
    channel: str
    campaign: str
    type: str | None
    planned: bool


def permitted(world: World, customer: str, channel: str, kind: str, day: int) -> bool:
    """The contract's four steps: denied row, granted row, lapsed or future consent, the channel's default."""
    rows = [
        (status, first <= day <= last)
        for status, first, last, topic in world.permissions.get((customer, channel), [])
        if topic is None or topic == kind
    ]
    if ("denied", True) in rows:
        return False
    if ("granted", True) in rows:
        return True
    if ("granted", False) in rows:
        return False
    return bool(world.plan["channels"][channel].get("default_permission") == "granted")


def why_not(world: World, customer: str, contact: Contact) -> str:
    """The rule that keeps this one contact from the customer whatever else is planned; empty if none does."""
    campaign = world.plan["campaigns"].get(contact.campaign)
    if campaign is None or contact.channel not in campaign["channels"]:
        return "campaign or channel"
    first, last = world.windows[contact.campaign]
    if not first <= contact.day <= last:
        return "window"
    if contact.day not in world.open_days[contact.channel]:
        return "send day"
    if "segments" in campaign and world.segments[customer] not in {str(s) for s in campaign["segments"]}:
        return "segments"
    if "audience" in campaign and customer not in world.audiences[contact.campaign]:
        return "audience"
    kind = campaign["type"]
    if customer in world.held_out and kind in world.plan["hold_out"].get("types", HELD_OUT_TYPES):
        return "hold-out"
    spans = world.restrictions.get(customer, [])
    if any(begin <= contact.day <= end and kind in blocked for begin, end, blocked in spans):
        return "restriction"
    if not permitted(world, customer, contact.channel, kind, contact.day):
        return "permission"
    # Commitments are no part of the calendar: what is promised already cannot be planned again.
    if contact in world.commitments.get(customer, ()):
        return "promised already"
    return ""


def allowed(world: World, customer: str, contact: Contact) -> bool:
    """May the customer have this contact at all: every rule that looks at one contact alone."""
    return not why_not(world, customer, contact)


def counted(world: World, customer: str, stream: Iterable[Contact]) -> list[Counted]:
    """The customer's contacts, each once: existing ones and those planned (which stay planned)."""
    planned = set(stream)
    old = world.existing.get(customer, {})
    campaigns = world.plan["campaigns"]
    return [Counted(*contact, old[contact].type, False) for contact in old if contact not in planned] + [
        Counted(*contact, campaigns[contact.campaign]["type"], True) for contact in planned
    ]


def names(cap: Cap, contact: Counted) -> bool:
    """Does the cap name this contact? An unknown type counts as every type."""
    return (
        (cap.campaigns is None or contact.campaign in cap.campaigns)
        and (cap.channels is None or contact.channel in cap.channels)
        and (cap.types is None or contact.type is None or contact.type in cap.types)
    )


def breaks_cap(cap: Cap, contacts: Iterable[Counted]) -> bool:
    """Is there a stretch of `cap.days` days with more than `cap.contacts` named, one of them planned?

    A stretch may be moved to begin with its first contact without losing any, so those are all there are.
    """
    named = [contact for contact in contacts if names(cap, contact)]
    if len(named) <= cap.contacts:
        return False
    for begin in {contact.day for contact in named}:
        inside = [contact for contact in named if begin <= contact.day <= begin + cap.days - 1]
        if len(inside) > cap.contacts and any(contact.planned for contact in inside):
            return True
    return False


def pairs(contacts: Sequence[Counted]) -> Iterator[tuple[Counted, Counted, int]]:
    """Every two contacts of which at least one is planned, and the days between them."""
    for i, one in enumerate(contacts):
        for other in contacts[:i]:
            if one.planned or other.planned:
                yield one, other, abs(one.day - other.day)


def series_breaches(world: World, customer: str, stream: Stream) -> list[str]:
    """Every rule about several contacts that the stream breaks, by its path in the plan."""
    if not stream:
        return []
    policy = world.plan.get("policy", {})
    contacts = counted(world, customer, stream)
    found = [cap.path for cap in world.caps if breaks_cap(cap, contacts)]
    days = [contact.day for contact in stream]
    if len(set(days)) < len(days):
        found.append("one planned contact a day")
    two = list(pairs(contacts))
    if any(apart < policy.get("min_days_between", 0) for _, _, apart in two):
        found.append("policy.min_days_between")
    for i, rule in enumerate(policy.get("never_together", [])):
        if any(
            one.campaign != other.campaign
            and one.campaign in rule["campaigns"]
            and other.campaign in rule["campaigns"]
            and apart <= rule["days"]
            for one, other, apart in two
        ):
            found.append(f"policy.never_together[{i}]")
    for i, rule in enumerate(policy.get("only_after", [])):
        first, last = rule["days"]
        before = [contact.day for contact in contacts if contact.campaign == rule["after"]]
        asking = [contact.day for contact in stream if contact.campaign == rule["campaign"]]
        if not all(any(first <= day - earlier <= last for earlier in before) for day in asking):
            found.append(f"policy.only_after[{i}]")
    return found


def stream_breaches(world: World, customer: str, stream: Stream) -> list[str]:
    """Every per-customer rule that the planned contacts break, with the day where one contact is at fault."""
    single = [(contact, why_not(world, customer, contact)) for contact in stream]
    found = [f"{reason} on day {contact.day}: {contact}" for contact, reason in single if reason]
    known = tuple(contact for contact in stream if contact.campaign in world.plan["campaigns"])
    return found + series_breaches(world, customer, known)


def stream_is_valid(world: World, customer: str, stream: Stream) -> bool:
    """Does the customer's planned stream keep every per-customer rule?"""
    return not stream_breaches(world, customer, stream)


def response_rate(world: World, customer: str, contact: Contact, stream: Stream) -> float:
    """Rate × keep^k, k = the customer's contacts with 1 ≤ Δ ≤ fatigue.days before; an unknown rate is 0."""
    fatigue = world.plan.get("fatigue", {})
    rate = world.rates.get((world.segments[customer], contact.campaign, contact.channel), 0.0)
    before = [contact.day - other.day for other in counted(world, customer, stream)]
    k = sum(1 for apart in before if 1 <= apart <= fatigue.get("days", 28))
    return rate * float(fatigue.get("keep", 1.0)) ** k


def contact_value(world: World, customer: str, contact: Contact, stream: Stream) -> float:
    """Rate × keep^k × margin_per_response + value_per_contact − unit_cost − cost_per_contact."""
    campaign = world.plan["campaigns"][contact.campaign]
    margin = response_rate(world, customer, contact, stream) * campaign.get("margin_per_response", 0)
    cost = contact_cost(world.plan, contact.channel, contact.campaign)
    return float(margin + campaign.get("value_per_contact", 0) - cost)


def stream_value(world: World, customer: str, stream: Stream) -> float:
    """Expected margin of the planned contacts, fatigue by history and commitments included."""
    return sum(contact_value(world, customer, contact, stream) for contact in stream)


def stream_cost(world: World, stream: Stream) -> float:
    """What the planned contacts cost: unit cost and cost per contact of each."""
    return sum(contact_cost(world.plan, contact.channel, contact.campaign) for contact in stream)
