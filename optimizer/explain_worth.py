"""Value and price of one more contact for one customer, as differences between whole streams.

All of it is asked of Pricing, at no prices, at all of them and at each alone, so fatigue, reach and
whatever else a stream feels are counted as the program counted them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from optimizer.stream_book import Stream
from optimizer.stream_ground import Worth
from optimizer.streams import Pricing

TOLERANCE = 1e-6
MOST_SWAPPED = 2
Contact = tuple[int, int]


@dataclass(frozen=True)
class Offer:
    """What it would come to if the customer got one more contact, in the objective's unit.

    `gone` are the contacts of the own stream that would have to go. Beside the rest of the stream the
    contact is worth `value`, its cost taken off, and costs `prices` (a limit's path: its price; below 0
    where a minimum pays for it). `change` is what the whole stream gains at the prices; -inf where no
    stream of the customer can hold the contact.
    """

    contact: Contact
    gone: tuple[Contact, ...]
    value: float
    prices: Mapping[str, float]
    change: float

    @property
    def price(self) -> float:
        """What all limits together ask for the contact."""
        return sum(self.prices.values())

    @property
    def worthwhile(self) -> bool:
        """Whether it is worth more than its price beside the rest of the stream."""
        return self.value > self.price + _slack(self.value)

    @property
    def equal(self) -> bool:
        """Whether the customer would be as well off with it at the prices."""
        return self.change >= -_slack(self.value)


class CustomerWorth:
    """A customer's streams in cell `cell` of `pricing`, at the limits' prices (by path)."""

    def __init__(self, pricing: Pricing, cell: int, prices: Mapping[str, float], own: Stream) -> None:
        self._pricing, self._cell, self.own = pricing, cell, own
        vector = np.array([prices.get(limit.path, 0.0) for limit in pricing.limits])
        nothing = np.zeros(len(vector))
        self._free, self._priced = pricing.worth(nothing), pricing.worth(vector)
        self._single: dict[str, Worth] = {}
        for r in np.flatnonzero(vector):
            alone = nothing.copy()
            alone[r] = vector[r]
            self._single[pricing.limits[r].path] = pricing.worth(alone)
        if self._values([own], self._priced)[0] == -np.inf:  # the plan is another one by now
            self.own = ()

    def offers(self, contacts: Mapping[Contact, Sequence[Contact]]) -> dict[Contact, Offer]:
        """For each contact, with those of the own stream that stand in its way, the best that can be had."""
        bases = {
            (contact, rest): _with(rest, contact)
            for contact, way in contacts.items()
            for rest in self._rests(contact, way)
        }
        before = self._values([self.own], self._priced)[0]
        after = self._values(list(bases.values()), self._priced)
        best: dict[Contact, tuple[float, Stream]] = {}
        for (contact, rest), worth in zip(bases, after, strict=True):
            if contact not in best or worth > best[contact][0]:
                best[contact] = (float(worth), rest)
        return {
            contact: self._offer(contact, rest, float(worth - before))
            for contact, (worth, rest) in best.items()
        }

    def _rests(self, contact: Contact, way: Sequence[Contact]) -> list[Stream]:
        """The own stream, and what is left of it without one, two or all of the contacts in the way."""
        swaps = [gone for n in range(1, MOST_SWAPPED + 1) for gone in combinations(way, n)]
        out = [(), *swaps, tuple(way)]
        rests = [tuple(c for c in self.own if c not in gone) for gone in out]
        return [rest for rest in dict.fromkeys([*rests, ()]) if all(t != contact[0] for t, _ in rest)]

    def _offer(self, contact: Contact, rest: Stream, change: float) -> Offer:
        if change == -np.inf:
            return Offer(contact, (), -np.inf, {}, change)
        pair = [rest, _with(rest, contact)]
        without, with_it = self._values(pair, self._free)
        value = float(with_it - without)
        prices = {}
        for path, worth in self._single.items():
            left, more = self._values(pair, worth)
            price = value - float(more - left)
            if abs(price) > TOLERANCE * TOLERANCE:
                prices[path] = price
        gone = tuple(c for c in self.own if c not in rest)
        return Offer(contact, gone, value, prices, change)

    def _values(self, streams: list[Stream], worth: Worth) -> NDArray[np.float64]:
        numbers = np.array([self._pricing.book.add(stream) for stream in streams], dtype=np.int64)
        return self._pricing.value(np.full(len(numbers), self._cell, dtype=np.int64), numbers, worth)


def _with(stream: Stream, contact: Contact) -> Stream:
    return tuple(sorted((*stream, contact)))


def _slack(value: float) -> float:
    return TOLERANCE * max(1.0, abs(value))
