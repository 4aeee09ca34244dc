"""What contacts are worth by row of figures, for all customers who choose from a menu."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from optimizer.contact_figures import objective_of, returned
from optimizer.limits import Limit
from optimizer.own_figures import CHUNK, OwnFigures
from optimizer.plan_file import Plan

Floats = NDArray[np.float64]


class OwnWorth(NamedTuple):
    """What depends on a customer's own figures at given prices.

    A contact of option i on send day t is worth gain[f, i] times its fatigue to customers of row f, less
    beyond[f, i], less money[g, t, i] for each unit of money that it costs more than in segment g.
    """

    gain: Floats
    beyond: Floats
    money: Floats


class FiguresWorth:
    """The rows' worth; `dearer[f, i]` is how much more money option i costs in row f than in its segment's.

    Where nobody has costs or values of contacts of his own, `dearer` and OwnWorth.beyond have no rows. There
    may be as many rows as customers: what would be the same array twice is one. `send_days` is how many days
    there are.
    """

    def __init__(self, plan: Plan, own: OwnFigures, limits: Sequence[Limit], send_days: int) -> None:
        self._limits, self._segment, self._send_days = tuple(limits), own.segment, send_days
        shape = len(own), own.plain.rate.shape[1]
        self._money = bool({"value_per_contact", "cost_per_contact"} & set(own.own))
        rows = (shape[0] if self._money else 0, shape[1])
        self._gain, self.dearer = np.empty(shape), np.empty(rows)
        self._charge, self._better = np.empty(rows), np.empty(rows)
        self._returned = self._gain
        if plan.objective.goal != "expected_margin" and any(limit.tiring is not None for limit in limits):
            self._returned = np.empty(shape)
        for begin in range(0, shape[0], CHUNK):
            self._fill(plan, own, np.arange(begin, min(begin + CHUNK, shape[0])))

    def _fill(self, plan: Plan, own: OwnFigures, some: NDArray[np.int64]) -> None:
        figures, like = own.rows(some), own.segment[some]
        goal = objective_of(plan, figures)
        self._gain[some] = goal.gain
        if self._returned is not self._gain:
            self._returned[some] = returned(figures)
        if self._money:
            plain = objective_of(plan, own.plain)
            self._charge[some] = goal.charge - plain.charge[like]
            self._better[some] = goal.value - plain.value[like]
            self.dearer[some] = goal.cost - plain.cost[like]

    def mean_gain(self) -> Floats:
        """By segment and option the mean gain of the segment's rows."""
        rows = np.maximum(1, np.bincount(self._segment))
        sums = [np.bincount(self._segment, weights=column) for column in self._gain.T]
        return np.asarray((np.array(sums).reshape(-1, len(rows)) / rows).T)

    def at(self, prices: Floats, objective: bool = True) -> OwnWorth:
        """The worth at the limits' prices, with or without that in the objective."""
        priced = [(limit, price) for limit, price in zip(self._limits, prices.tolist(), strict=True) if price]
        segments = int(self._segment.max()) + 1
        tiring, earned = np.zeros(segments), np.zeros(segments)
        money = np.zeros((segments, self._send_days, self._gain.shape[1]))
        for limit, price in priced:
            earned += price * limit.earn * limit.segments
            if limit.tiring is not None:
                tiring += price * limit.segments
            if limit.spend is not None:
                money += price * limit.segments[:, None, None] * limit.spend
        gain, beyond = self._gain, self._charge
        # Zeros that are never written take no memory.
        if not objective:
            gain, beyond = np.zeros(self._gain.shape), np.zeros(self._charge.shape)
        if tiring.any():
            gain = gain - tiring[self._segment, None] * self._returned
        if self._money and earned.any():
            beyond = beyond + earned[self._segment, None] * self._better
        return OwnWorth(gain, beyond, money)

    def use(self, r: int) -> OwnWorth:
        """What contacts use of limit r, as a worth."""
        prices = np.zeros(len(self._limits))
        prices[r] = -1.0
        return self.at(prices, objective=False)

    def touched(self) -> list[int]:
        """The limits whose use depends on fatigue or on customers' own figures."""
        return [
            r
            for r, limit in enumerate(self._limits)
            if limit.tiring is not None or (self._money and (limit.earn or limit.spend is not None))
        ]
