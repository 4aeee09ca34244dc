"""What contacts, streams and campaigns in use are worth and cost, under each objective."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .contract_rules import Stream, counted
from .existing import contacts_had
from .world import Contact, World


def goal_of(plan: Mapping[str, Any]) -> str:
    """The objective's word; `cost` is minimised, all others maximised."""
    objective = plan.get("objective") or {"maximize": "expected_margin"}
    return str(objective["maximize"] if "maximize" in objective else objective["minimize"])


def own_figure(world: World, customer: str, contact: Contact, name: str, else_: float) -> float:
    """The customer's row for the channel, then the one with empty channel, then what stands for all."""
    for channel in (contact.channel, None):
        figure = world.scores.get((customer, contact.campaign, channel), {}).get(name)
        if figure is not None:
            return figure
    return else_


def campaign_figure(world: World, customer: str, contact: Contact, name: str) -> float:
    """A figure of the campaign, or the customer's own in its place."""
    return own_figure(world, customer, contact, name, world.plan["campaigns"][contact.campaign].get(name, 0))


def own_cost(world: World, customer: str, contact: Contact) -> float:
    """Unit cost of the channel plus the customer's or the campaign's cost on top."""
    unit = world.plan["channels"].get(contact.channel, {}).get("unit_cost", 0)
    return float(unit) + campaign_figure(world, customer, contact, "cost_per_contact")


def response_rate(world: World, customer: str, contact: Contact, stream: Stream) -> float:
    """Rate × keep^k, k = the customer's contacts with 1 ≤ Δ ≤ fatigue.days before; an unknown rate is 0."""
    fatigue = world.plan.get("fatigue", {})
    rate = world.rates.get((world.segments[customer], contact.campaign, contact.channel), 0.0)
    rate = own_figure(world, customer, contact, "response_rate", rate)
    before = [contact.day - other.day for other in counted(world, customer, stream)]
    k = sum(1 for apart in before if 1 <= apart <= fatigue.get("days", 28))
    return rate * float(fatigue.get("keep", 1.0)) ** k


def contact_return(world: World, customer: str, contact: Contact, stream: Stream) -> float:
    """Rate × keep^k × margin_per_response + value_per_contact."""
    margin, value = (
        campaign_figure(world, customer, contact, name)
        for name in ("margin_per_response", "value_per_contact")
    )
    return float(response_rate(world, customer, contact, stream) * margin + value)


def contact_margin(world: World, customer: str, contact: Contact, stream: Stream) -> float:
    """What the contact returns less what it costs."""
    return contact_return(world, customer, contact, stream) - own_cost(world, customer, contact)


def contact_value(world: World, customer: str, contact: Contact, stream: Stream) -> float:
    """What the contact adds to the objective; under `reach` its share of the one customer reached."""
    match goal_of(world.plan):
        case "expected_margin":
            return contact_margin(world, customer, contact, stream)
        case "expected_revenue":
            revenue = campaign_figure(world, customer, contact, "revenue_per_response")
            return float(response_rate(world, customer, contact, stream) * revenue)
        case "expected_responses":
            return response_rate(world, customer, contact, stream)
        case "reach":
            return 1.0 / len(stream)
        case "cost":
            return -own_cost(world, customer, contact)
    raise ValueError(f"no such objective: {goal_of(world.plan)}")


def stream_value(world: World, customer: str, stream: Stream) -> float:
    """What the planned contacts add to the objective, fatigue by history and commitments included."""
    if goal_of(world.plan) == "reach":
        return 1.0 if stream else 0.0
    return sum(contact_value(world, customer, contact, stream) for contact in stream)


def stream_cost(world: World, customer: str, stream: Stream) -> float:
    """What the customer's planned contacts cost: unit cost and cost per contact of each."""
    return sum(own_cost(world, customer, contact) for contact in stream)


def setup_cost(world: World, campaign: str) -> float:
    """What using the campaign costs now: nothing again where it had contacts since its `from`."""
    if contacts_had(world, campaign):
        return 0.0
    return float(world.plan["campaigns"][campaign].get("setup_cost", 0))


def setup_value(world: World, campaign: str) -> float:
    """What the setup cost takes off the objective: it is part of expected margin and of cost only."""
    return setup_cost(world, campaign) if goal_of(world.plan) in ("expected_margin", "cost") else 0.0
