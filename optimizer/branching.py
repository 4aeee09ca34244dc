"""Which campaigns to use at all: branch and bound over those with a setup cost or a minimum if used.

A node fixes some switches; its linear program, with every use linked to the others, bounds every plan
that agrees with it (Land and Doig, Econometrica 28, 1960). Only switches are branched on: with all of
them fixed, whole_numbers finishes the job.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from heapq import heappop, heappush

import numpy as np
from numpy.typing import NDArray

from optimizer.generation import Generation
from optimizer.linear_plan import LinearPlan, Shortage
from optimizer.streams import Pricing
from optimizer.whole_numbers import CLOSE, OnlyWholeNumbers, WholePlan, whole_plan

MOST_NODES = 400


@dataclass(frozen=True)
class Decided:
    """The best choice found: its linear program (switches fixed), its whole plan, and the root's bound."""

    linear: LinearPlan
    whole: WholePlan
    root_bound: float
    nodes: int


@dataclass(frozen=True)
class _Node:
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    linear: LinearPlan

    @property
    def fixed(self) -> bool:
        return bool((self.low == self.high).all())

    def branch_on(self) -> int:
        """The free switch whose use is the most fractional."""
        used = self.linear.used
        return int(np.where(self.low < self.high, np.abs(used - np.rint(used)), -1.0).argmax())


def decide(pricing: Pricing, generation: Generation) -> Decided:
    """The best use of the switches and the best whole plan under it, with a bound on all of them.

    Raises Shortage where the limits cannot hold, OnlyWholeNumbers where only fractions could hold them.
    """
    return _Search(pricing, generation).run()


class _Search:
    def __init__(self, pricing: Pricing, generation: Generation) -> None:
        self._pricing, self._generation = pricing, generation
        self._best: tuple[LinearPlan, WholePlan] | None = None
        self._closed = -np.inf
        self._proved = True
        self._tried: set[bytes] = set()
        self._open: list[tuple[float, int, _Node]] = []
        self._nodes = 0

    def run(self) -> Decided:
        none, every = np.zeros(len(self._pricing.switches)), np.ones(len(self._pricing.switches))
        root = self._generation.run(none, every)
        self._push(_Node(none, every, root))
        while self._open and self._nodes < MOST_NODES and not self._close_enough(-self._open[0][0]):
            node = heappop(self._open)[2]
            self._try(node)
            if not node.fixed:
                self._branch(node)
        if self._best is None:
            raise OnlyWholeNumbers(self._proved and not self._open)
        linear, whole = self._best
        bound = max(self._closed, *(-least for least, _, _ in self._open), whole.value)
        bound = min(bound, max(root.bound, whole.value))
        return Decided(linear, replace(whole, bound=bound), root.bound, self._nodes)

    def _close_enough(self, bound: float) -> bool:
        return self._best is not None and bound - self._best[1].value <= 0.3 * CLOSE * abs(bound)

    def _push(self, node: _Node) -> None:
        heappush(self._open, (-node.linear.bound, self._nodes, node))
        self._nodes += 1

    def _branch(self, node: _Node) -> None:
        """Opens a node without the campaign, and one with it."""
        c = node.branch_on()
        for use in (0.0, 1.0):
            low, high = node.low.copy(), node.high.copy()
            low[c] = high[c] = use
            try:
                linear = self._generation.run(low, high)
            except Shortage:
                continue
            bound = min(linear.bound, node.linear.bound)
            self._push(_Node(low, high, replace(linear, bound=bound)))

    def _try(self, node: _Node) -> None:
        """The best whole plan with the switches used as the node's program comes nearest to."""
        used = np.rint(node.linear.used) + 0.0
        if used.tobytes() in self._tried:
            return
        self._tried.add(used.tobytes())
        try:
            linear = node.linear if node.fixed else self._generation.run(used, used)
            self._finish(replace(linear, used=used))
        except Shortage:
            return

    def _finish(self, linear: LinearPlan) -> None:
        """Makes whole numbers of a program whose switches are fixed."""
        if self._close_enough(linear.bound):
            self._closed = max(self._closed, linear.bound)
            return
        try:
            whole = self._truly_used(whole_plan(self._pricing, self._without_unused(linear)))
        except OnlyWholeNumbers as unknown:
            self._proved &= unknown.proved
            self._closed = self._closed if unknown.proved else max(self._closed, linear.bound)
            return
        self._closed = max(self._closed, whole.bound)
        if self._best is None or whole.value > self._best[1].value:
            self._best = linear, whole

    def _without_unused(self, linear: LinearPlan) -> LinearPlan:
        """Leaves out what rounding left of campaigns that are not used."""
        stays = ~(self._pricing.contacts(linear.stream) @ (linear.used == 0) > 0)
        return replace(
            linear, cell=linear.cell[stays], stream=linear.stream[stays], amount=linear.amount[stays]
        )

    def _truly_used(self, whole: WholePlan) -> WholePlan:
        """Takes a campaign as used only if it has contacts; without any it was used for nothing."""
        used = np.zeros(len(whole.used))
        used[self._pricing.contacts(whole.stream).T @ whole.customers > 0] = 1.0
        if (used > whole.used).any():
            raise AssertionError("the plan has contacts of a campaign that it does not use")
        value = whole.value + float(self._pricing.rows.setup @ (whole.used - used))
        return replace(whole, used=used, value=value, bound=max(whole.bound, value))
