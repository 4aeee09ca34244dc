"""An offer in words: value and price side by side, or what stands in its way."""

from __future__ import annotations

from collections.abc import Sequence

from optimizer.earlier_contacts import EarlierContact
from optimizer.explain_rules import Obstacle, contacts_in_words
from optimizer.explain_worth import TOLERANCE, Offer
from optimizer.plan_file import Plan
from optimizer.wording import enumeration, number

COSTS_COUNT = ("expected_margin", "cost")
DRAWN = "who of its cell gets what is drawn by hash"


def offer_in_words(
    plan: Plan,
    offer: Offer,
    cost: float,
    in_the_way: Sequence[Obstacle],
    gone: Sequence[EarlierContact],
) -> tuple[str, str]:
    """The code and words of the reason why the offer was not taken.

    `cost` is what the contact costs, `in_the_way` are the rules that it would break beside the whole own
    stream, `gone` the contacts that it would replace.
    """
    start = plan.period.start
    instead = f" in place of {contacts_in_words(gone, start)}" if gone else ""
    idle = abs(offer.price) <= TOLERANCE and offer.value <= TOLERANCE
    if offer.equal and not (idle and not gone):
        return "equally_good", _as_good(offer, instead)
    if not offer.worthwhile and offer.value > TOLERANCE:
        return "priced_out", _price(offer) + (f",{instead}" if instead else "")
    if not offer.worthwhile:
        return "not_worth_its_cost", _loss(plan, offer, cost)
    return "own_stream", _stands_in_the_way(offer, in_the_way, gone, plan)


def _as_good(offer: Offer, instead: str) -> str:
    if not instead and offer.prices:
        return f"as good for this customer with it as without: {_price(offer)}; others get it, {DRAWN}"
    if offer.change > TOLERANCE * max(1.0, abs(offer.value)):
        more = figures(offer.change)[0]
        return f"worth {more} more{instead}, but limits leave room for whole customers only; {DRAWN}"
    return f"as good for this customer{instead} as what it gets; {DRAWN}"


def _price(offer: Offer) -> str:
    """Such as `worth 3.20, but costs 4.10 at the prices of budget[0] (4.00) and budget[1] (0.10)`."""
    asked = {path: price for path, price in offer.prices.items() if price > 0}
    paid = {path: -price for path, price in offer.prices.items() if price < 0}
    value, total = figures(offer.value, sum(asked.values()))
    words = f"worth {value}, but costs {total} at the prices of {_listed(asked)}"
    return words + (f"; of which {_listed(paid)} would pay a part" if paid else "")


def _loss(plan: Plan, offer: Offer, cost: float) -> str:
    counts = plan.objective.goal in COSTS_COUNT
    brought, spent = figures(offer.value + cost if counts else offer.value, cost)
    words = f"brings {brought}, costs {spent}" if counts else f"brings {brought} ({plan.objective.goal})"
    if plan.fatigue.keep < 1:
        words += ", fatigue counted"
    paid = {path: -price for path, price in offer.prices.items() if price < 0}
    asked = {path: price for path, price in offer.prices.items() if price > 0}
    if paid:
        words += f"; {_listed(paid)} would pay for a part"
    return words + (f"; asked on top: {_listed(asked)}" if asked else "")


def _stands_in_the_way(
    offer: Offer, in_the_way: Sequence[Obstacle], gone: Sequence[EarlierContact], plan: Plan
) -> str:
    told = [obstacle for obstacle in in_the_way if set(obstacle.contacts) & set(gone)] or list(in_the_way)
    if not told:
        return "beside its other contacts the rules leave no room"
    words = f"{told[0].rule} {told[0].verb} {contacts_in_words(told[0].contacts, plan.period.start)}"
    if not gone:
        return words
    less = figures(-offer.change)[0]
    return f"{words}; in place of {contacts_in_words(gone, plan.period.start)} it would be worth {less} less"


def _listed(prices: dict[str, float]) -> str:
    first = sorted(prices.items(), key=lambda item: (-item[1], item[0]))
    return enumeration([f"{path} ({figures(price)[0]})" for path, price in first])


def figures(*values: float) -> list[str]:
    """The figures with so many places, at least two, that different ones look different and none looks 0."""
    places = 2
    while places < 6 and any(
        round(one, places) == round(other, places) and abs(one - other) > TOLERANCE
        for one in (*values, 0.0)
        for other in (*values, 0.0)
    ):
        places += 1
    return [number(value, places) for value in values]
