"""The contract's rules for one customer, read plainly; slow and meant to be checked by eye."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from .world import HELD_OUT_TYPES, Cap, Contact, World

Stream = tuple[Contact, ...]


class Counted(NamedTuple):
    """One of the customer's contacts: existing or planned.

    `counts` and `ignores` are `counts_towards_caps` and `ignores_caps` of its campaign.
    """

    day: int
    channel: str
    campaign: str
    type: str | None
    planned: bool
    counts: bool = True
    ignores: bool = False


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

    def one(contact: Contact, kind: str | None, is_planned: bool) -> Counted:
        row = campaigns.get(contact.campaign, {})
        flags = row.get("counts_towards_caps", True), row.get("ignores_caps", False)
        return Counted(*contact, kind, is_planned, *flags)

    return [one(contact, old[contact].type, False) for contact in old if contact not in planned] + [
        one(contact, campaigns[contact.campaign]["type"], True) for contact in planned
    ]


def names(cap: Cap, contact: Counted) -> bool:
    """Does the cap name and count this contact? An unknown type counts as every type."""
    return (
        (cap.campaigns is None or contact.campaign in cap.campaigns)
        and (cap.channels is None or contact.channel in cap.channels)
        and (cap.types is None or contact.type is None or contact.type in cap.types)
        and (contact.counts or not cap.flags)
    )


def breaks_cap(cap: Cap, contacts: Iterable[Counted]) -> bool:
    """Is there a stretch of `cap.days` days with more than `cap.contacts` named, one of them at fault?

    At fault are planned contacts, of policy and channel caps those that do not ignore caps.
    A stretch may be moved to begin with its first contact without losing any, so those are all there are.
    """
    named = [contact for contact in contacts if names(cap, contact)]
    if len(named) <= cap.contacts:
        return False
    for begin in {contact.day for contact in named}:
        inside = [contact for contact in named if begin <= contact.day <= begin + cap.days - 1]
        at_fault = any(contact.planned and not (cap.flags and contact.ignores) for contact in inside)
        if len(inside) > cap.contacts and at_fault:
            return True
    return False


def caps_of(world: World, customer: str) -> tuple[Cap, ...]:
    """The plan's caps and the customer's own, which holds in every `period.days` consecutive days."""
    if customer not in world.max_contacts:
        return world.caps
    most = world.max_contacts[customer]
    return (*world.caps, Cap("customers.max_contacts", most, world.days, None, None, None))


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
    found = [cap.path for cap in caps_of(world, customer) if breaks_cap(cap, contacts)]
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
