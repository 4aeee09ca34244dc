"""What contacts, streams and campaigns in use are worth and cost, under each objective."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .contract_rules import Stream, counted
from .existing import contacts_had
from .world import Contact, World, contact_cost


def goal_of(plan: Mapping[str, Any]) -> str:
    """The objective's word; `cost` is minimised, all others maximised."""
    objective = plan.get("objective") or {"maximize": "expected_margin"}
    return str(objective["maximize"] if "maximize" in objective else objective["minimize"])


def response_rate(world: World, customer: str, contact: Contact, stream: Stream) -> float:
    """Rate × keep^k, k = the customer's contacts with 1 ≤ Δ ≤ fatigue.days before; an unknown rate is 0."""
    fatigue = world.plan.get("fatigue", {})
    rate = world.rates.get((world.segments[customer], contact.campaign, contact.channel), 0.0)
    before = [contact.day - other.day for other in counted(world, customer, stream)]
    k = sum(1 for apart in before if 1 <= apart <= fatigue.get("days", 28))
    return rate * float(fatigue.get("keep", 1.0)) ** k


def contact_return(world: World, customer: str, contact: Contact, stream: Stream) -> float:
    """Rate × keep^k × margin_per_response + value_per_contact."""
    campaign = world.plan["campaigns"][contact.campaign]
    rate = response_rate(world, customer, contact, stream)
    return float(rate * campaign.get("margin_per_response", 0) + campaign.get("value_per_contact", 0))


def contact_margin(world: World, customer: str, contact: Contact, stream: Stream) -> float:
    """What the contact returns less what it costs."""
    cost = contact_cost(world.plan, contact.channel, contact.campaign)
    return contact_return(world, customer, contact, stream) - cost


def contact_value(world: World, customer: str, contact: Contact, stream: Stream) -> float:
    """What the contact adds to the objective; under `reach` its share of the one customer reached."""
    match goal_of(world.plan):
        case "expected_margin":
            return contact_margin(world, customer, contact, stream)
        case "expected_revenue":
            revenue = world.plan["campaigns"][contact.campaign].get("revenue_per_response", 0)
            return float(response_rate(world, customer, contact, stream) * revenue)
        case "expected_responses":
            return response_rate(world, customer, contact, stream)
        case "reach":
            return 1.0 / len(stream)
        case "cost":
            return -contact_cost(world.plan, contact.channel, contact.campaign)
    raise ValueError(f"no such objective: {goal_of(world.plan)}")


def stream_value(world: World, customer: str, stream: Stream) -> float:
    """What the planned contacts add to the objective, fatigue by history and commitments included."""
    if goal_of(world.plan) == "reach":
        return 1.0 if stream else 0.0
    return sum(contact_value(world, customer, contact, stream) for contact in stream)


def stream_cost(world: World, stream: Stream) -> float:
    """What the planned contacts cost: unit cost and cost per contact of each."""
    return sum(contact_cost(world.plan, contact.channel, contact.campaign) for contact in stream)


def setup_cost(world: World, campaign: str) -> float:
    """What using the campaign costs now: nothing again where it had contacts since its `from`."""
    if contacts_had(world, campaign):
        return 0.0
    return float(world.plan["campaigns"][campaign].get("setup_cost", 0))


def setup_value(world: World, campaign: str) -> float:
    """What the setup cost takes off the objective: it is part of expected margin and of cost only."""
    return setup_cost(world, campaign) if goal_of(world.plan) in ("expected_margin", "cost") else 0.0
