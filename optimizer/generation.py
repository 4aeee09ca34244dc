"""Generating streams until the linear program is solved: prices from the program, streams from the search.

Dantzig and Wolfe's decomposition (Operations Research 8, 1960). At any prices, Σ customers · best
stream + Σ price · bound is an upper bound on every plan; it meets the program's value at the optimum.

Cells share rows of the program when there are many: a row's columns give every one of its cells a
stream of its own, so the optimum stays that of the cells, however few the rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from optimizer.columns import Columns
from optimizer.linear_plan import Effort, LinearPlan, Shortage
from optimizer.program import Duals, Master
from optimizer.row_sharing import share_rows
from optimizer.stream_ground import Worth
from optimizer.streams import Pricing, Tolls

MOST_ROUNDS = 500
MOST_MENU = 100
MOST_FOUND = 6
FIRST_SAMPLE = 64
FIRST_LABELS, MOST_LABELS = 1 << 12, 1 << 24
MOST_PULL_LEFT = 0.2
FINEST = 1e-9
SHUT = 1e12
UNUSED = 1e-2


class Generation:
    """Column generation over cells of a pricing problem; `customers` weighs each of the live cells.

    The cells share at most `most_rows` rows. `start` is the solution of a part of them, to begin from. It
    stops as soon as no plan is proved worth more than `hopeless`.
    """

    def __init__(
        self,
        pricing: Pricing,
        live: NDArray[np.int64],
        customers: NDArray[np.float64],
        most_rows: int,
        tolerance: float,
        progress: Callable[[str], None],
        start: LinearPlan | None = None,
        hopeless: float = -np.inf,
    ) -> None:
        self._hopeless = hopeless
        self.pricing, self._tolerance, self._progress = pricing, tolerance, progress
        self._live, self._customers, self._start = live, customers, start
        self._block = share_rows(pricing, self._live, most_rows)
        self._sizes = np.bincount(self._block, weights=self._customers).astype(np.float64)
        self._rows = pricing.rows
        self._must = np.isinf(self._rows.soft)
        self._most = self._most_contacts()
        self._low, self._high = np.zeros(len(pricing.switches)), np.ones(len(pricing.switches))
        # What sending nothing keeps, no plan has to miss.
        self._weights = np.where(self._rows.at_least | self._rows.switched.any(axis=1), 1.0, np.inf)
        self._master = Master(self._sizes, self._rows, self._most, self._weights)
        self._columns = Columns(live, customers, self._block)
        self.popular: NDArray[np.float64] = np.zeros(1)
        self._bound, self._begun = np.inf, False
        self._found: list[NDArray[np.int64]] = []
        self.effort = Effort()

    def _most_contacts(self) -> NDArray[np.float64]:
        """By block and switch: the most contacts that any of its customers may have."""
        most = np.zeros((len(self._sizes), len(self.pricing.switches)))
        np.maximum.at(most, self._block, self.pricing.most_contacts(self._live))
        return most

    def run(
        self, low: NDArray[np.float64] | None = None, high: NDArray[np.float64] | None = None
    ) -> LinearPlan:
        """Solves the linear program over all streams, switches used from `low` to `high` (0 to 1).

        Raises Shortage where limits cannot all hold.
        """
        if low is not None and high is not None:
            self._low, self._high = low, high
            self._master.set_switches(low, high)
        if self._start is not None and not self._begun:
            self._open(self._start)
        self._begun = True
        if self._may_be_short():
            self._refuse_shortage()
        duals, bound = self._generate(shortage=False)
        self._bound = np.inf
        return self._solution(duals, bound)

    def _refuse_shortage(self) -> None:
        duals, bound = self._generate(shortage=True)
        if self._short(bound):
            raise Shortage(duals.limit)

    def shortage(self, kept: NDArray[np.bool_]) -> Shortage | None:
        """Whether the limits kept, and no others, cannot hold together, proved over all streams."""
        self._rows = replace(self._rows, soft=np.where(kept, self.pricing.rows.soft, 0.0))
        self._must = np.isinf(self._rows.soft)
        self._master.relax(self._rows)
        try:
            self._refuse_shortage()
        except Shortage as shortage:
            return shortage
        return None

    def _may_be_short(self) -> bool:
        """Whether sending nothing might not do."""
        asked = self._must & self._rows.at_least & (self._rows.left(self._low) > 0)
        asked |= self._must & (self._rows.switched.any(axis=1) if self._low.any() else False)
        return bool(asked.any())

    def _short(self, bound: float) -> bool:
        """Whether a bound on what is missing (at most 0) proves that something is."""
        asked = np.abs(self._rows.bound[self._must & self._rows.at_least]).max(initial=1.0)
        return bool(bound < -FINEST * asked)

    def _open(self, start: LinearPlan) -> None:
        """Begins with every cell's best stream at the prices of the start, and the bound they prove.

        Campaigns that the start does not use are left out of these streams; they prove no bound then.
        """
        unused = (start.used < UNUSED) & (self._high > 0)
        link = np.where(unused, SHUT, np.zeros_like(self._most))
        worth = self.pricing.worth(start.prices, self._tolls(link))
        value, stream = self._known(worth)
        hoped = abs(float(self._customers @ value)) + 1.0
        every = np.arange(len(self._live))
        most = self._search(worth, value, stream, every, hoped * self._tolerance, FIRST_LABELS)
        if not unused.any():
            beside = self._beside(start.prices, link, shortage=False)
            self._bound = float(self._customers @ most) + beside
        self._add(stream, np.ones(len(self._sizes)))

    def _tolls(self, link: NDArray[np.float64]) -> Tolls:
        """What campaigns' use costs each cell: the links' prices, or too much where it is ruled out."""
        fee = np.vstack([link, np.zeros((1, link.shape[1]))])
        row = np.full(len(self.pricing.cells), len(link), dtype=np.int64)
        row[self._live] = self._block
        return Tolls(row, np.where(self._high == 0, SHUT, fee))

    def _beside(self, prices: NDArray[np.float64], link: NDArray[np.float64], shortage: bool) -> float:
        """What the bound at these prices holds beside the cells' best streams: limits and switches."""
        pays = 0.0 if shortage else self._rows.setup
        links = (self._sizes[:, None] * self._most * link).sum(axis=0)
        return self._rows.beside(prices, links - pays, self._low, self._high)

    def _generate(self, shortage: bool) -> tuple[Duals, float]:
        """Rounds until value and bound meet: known streams first, the search where these bring little.

        A bound that proves a shortage ends them.
        The search looks at a few cells while prices are rough, and at ever more as its streams bring
        less; only a search of all cells gives a bound.
        """
        bound = np.inf if shortage else self._bound
        thorough = self._start is not None or bool(self.pricing.switches)
        searched = len(self._live) if thorough else FIRST_SAMPLE
        pull = 0.0 if self._start is None or shortage or self.pricing.switches else 0.5
        labels, tolerance = FIRST_LABELS, FINEST if shortage else self._tolerance
        proof = np.zeros(len(self._rows.bound))
        for turn in range(MOST_ROUNDS):
            duals = self._solve(shortage)
            if shortage and (duals.objective > -1e-9 or self._short(bound)):
                break
            slack = tolerance * max(1.0, abs(duals.objective))
            if bound - duals.objective <= slack or (bound <= self._hopeless and not shortage):
                break
            began = time.perf_counter()
            prices = duals.limit
            if self._start is not None and pull > 0.0:
                prices = (1 - pull) * prices + pull * self._start.prices
            worth = self.pricing.worth(prices, self._tolls(duals.link), shortage)
            value, stream = self._known(worth)
            open_gap = min(bound - duals.objective, abs(duals.objective))
            gain = self._gain(value, stream, prices, duals)
            if gain.sum() <= max(slack, 0.02 * open_gap):
                some = self._sample(turn, searched)
                most = self._search(worth, value, stream, some, slack, labels)
                gain = self._gain(value, stream, prices, duals)
                if len(some) == len(self._live):
                    proved = float(self._customers @ most) + self._beside(prices, duals.link, shortage)
                    bound, proof = (proved, prices) if proved < bound else (bound, proof)
                    if self._customers @ (most - value) > max(0.5 * slack, 0.3 * gain.sum()):
                        labels = min(4 * labels, MOST_LABELS)
                elif gain.sum() <= 0.05 * abs(duals.objective):
                    searched *= 4
            pull = pull / 2 if pull > MOST_PULL_LEFT else 0.0
            self._add(stream, np.where(gain > 1e-10 * max(1.0, abs(duals.objective)), gain, 0.0))
            self.effort.seconds_pricing += time.perf_counter() - began
            self._report(duals.objective, bound, shortage)
        if shortage:  # what proves it are the prices of the bound, not those found since
            duals = replace(duals, limit=proof)
        return duals, max(bound, duals.objective)

    def _solve(self, shortage: bool) -> Duals:
        began = time.perf_counter()
        duals = self._master.solve(shortage)
        self.effort.seconds_master += time.perf_counter() - began
        self.effort.rounds += 1
        return duals

    def _search(
        self,
        worth: Worth,
        value: NDArray[np.float64],
        stream: NDArray[np.int64],
        some: NDArray[np.int64],
        slack: float,
        labels: int,
    ) -> NDArray[np.float64]:
        """Searches some of the live cells and puts what is better into `value` and `stream`; their bounds.

        All cells together may stay three tenths of `slack` below their bounds.
        """
        each = 0.3 * slack / float(self._customers.sum())
        found, number, most = self.pricing.search(worth, self._live[some], value[some], each, labels)
        value[some] = np.maximum(found, value[some])
        stream[some] = np.where(number >= 0, number, stream[some])
        self.effort.searches += 1
        if len(some) == len(self._live):
            self._found = [*self._found[1 - MOST_FOUND :], stream.copy()]
        return most

    def _sample(self, turn: int, searched: int) -> NDArray[np.int64]:
        """The live cells searched this time: every so many-th, beginning at another one each turn."""
        step = max(1, len(self._live) // searched)
        return np.arange(turn % step, len(self._live), step)

    def _known(self, worth: Worth) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """The best known stream of each live cell: of the menu, and of those that searches found for it."""
        value, stream = self.pricing.best_known(worth, self._live, self._menu())
        for own in self._found:
            again = self.pricing.value(self._live, own, worth)
            better = again > value
            value[better], stream[better] = again[better], own[better]
        return value, stream

    def _menu(self) -> NDArray[np.int64]:
        """The streams tried on every cell: all while few, then the most used and the newest."""
        count = len(self.pricing.book)
        if count <= MOST_MENU:
            return np.arange(count)
        use = np.zeros(count)
        use[: len(self.popular)] = self.popular
        use[0] = np.inf
        return np.sort(np.argsort(-use, kind="stable")[:MOST_MENU])

    def _gain(
        self,
        value: NDArray[np.float64],
        stream: NDArray[np.int64],
        prices: NDArray[np.float64],
        duals: Duals,
    ) -> NDArray[np.float64]:
        """By block: what the column of these streams would add to the objective, at least 0.

        `value` is the streams' worth at `prices`; what counts is that at the program's own duals.
        """
        worth = self._customers * value
        if prices is not duals.limit:
            worth = worth + self._customers * (self.pricing.use(self._live, stream) @ (prices - duals.limit))
        return np.maximum(np.bincount(self._block, weights=worth) - self._sizes * duals.block, 0.0)

    def _add(self, stream: NDArray[np.int64], gain: NDArray[np.float64]) -> None:
        """Adds a column for every block that gains by its streams."""
        chosen = np.flatnonzero(gain)
        if not len(chosen):
            return
        share = self._customers / self._sizes[self._block]
        worth, use = self.pricing.value(self._live, stream), self.pricing.use(self._live, stream)
        spread = sparse.csr_array(
            (share, (self._block, np.arange(len(self._live)))), shape=(len(self._sizes), len(self._live))
        )
        contacts = spread @ self.pricing.contacts(stream)
        self._master.add(chosen, (spread @ worth)[chosen], (spread @ use).tocsr()[chosen], contacts[chosen])
        self._columns.add(chosen, stream)
        self.effort.columns += len(chosen)
        count = len(self.pricing.book)
        used = np.bincount(stream, weights=self._customers, minlength=count).astype(np.float64)
        self.popular = used + np.pad(0.5 * self.popular, (0, count - len(self.popular)))

    def _report(self, value: float, bound: float, shortage: bool) -> None:
        gap = "" if np.isinf(bound) else f", gap {100 * (bound - value) / max(abs(bound), 1e-9):.3f} %"
        what = "minimums" if shortage else "value"
        self._progress(f"{what}: round {self.effort.rounds}{gap}, {len(self.pricing.book):,} streams")

    def _solution(self, duals: Duals, bound: float) -> LinearPlan:
        cell, stream, amount = self._columns.pairs(self._master.weights())
        tolls, used = self._tolls(duals.link), self._master.used()
        return LinearPlan(
            duals.objective, bound, duals.limit, tolls, used, cell, stream, amount, self._block, self.effort
        )
