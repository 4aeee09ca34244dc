"""Which campaigns to use where customers' own figures leave nobody alike: a search instead of a proof.

Linking every customer's contacts to the use of their campaigns makes the linear program slow where each
customer is a cell of its own. With the campaigns in use decided no links are needed, and it is fast. So
choices are compared by such programs, first over an even draw of the customers, one campaign more or less
at a time, then one in the place of another; the best are tried on all customers. With few campaigns all
choices are, which proves the best of them; else the bound on all choices comes from tolls that are read off
the plan (see use_bound.py): proved, but looser.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from optimizer.branching import Decided
from optimizer.even_draw import even_draw
from optimizer.generation import Generation
from optimizer.linear_plan import LinearPlan, Shortage
from optimizer.opening import MOST_ROWS
from optimizer.prices import fixed_tolls
from optimizer.solution_tolerance import tolerance_of
from optimizer.streams import Pricing
from optimizer.use_bound import bound_of_all_uses, bound_of_use
from optimizer.whole_numbers import OnlyWholeNumbers, WholePlan, whole_plan

MOST_LINKS = 8_000
# Customers drawn, and choices tried over them at most: a rough look at many, closer ones at few.
DRAWS = ((100, 130), (300, 50), (1_000, 20))
MOST_SWAPS = 30
FEW = 6
"""So many campaigns of which all choices are tried."""
FINALISTS = 5
ROUGH, NEAR = 1e-3, 0.01
Used = NDArray[np.float64]


def too_many_links(pricing: Pricing) -> bool:
    """Whether deciding by branch and bound would take too long."""
    cells, switches = pricing.cells, len(pricing.switches)
    live = int((cells.customers > 0).sum())
    return cells.own_figures is not None and live * switches**2 > MOST_LINKS


def search_switches(pricing: Pricing, max_cells: int, progress: Callable[[str], None]) -> Decided:
    """The best choice found and its whole plan, with a bound on all choices.

    Raises OnlyWholeNumbers, not proved, where no choice tried keeps the limits.
    """
    return _Search(pricing, max_cells, progress).run()


class _Search:
    def __init__(self, pricing: Pricing, max_cells: int, progress: Callable[[str], None]) -> None:
        self._pricing, self._progress = pricing, progress
        self._rows = min(MOST_ROWS, max_cells)
        self._live = np.flatnonzero(pricing.cells.customers > 0)
        self._customers = pricing.cells.customers[self._live].astype(float)
        self._merit = np.zeros(len(pricing.switches))
        self._tried, self._most_tried = 0, 0

    def run(self) -> Decided:
        """Searches, then settles on the best choice for all customers."""
        switches = len(self._pricing.switches)
        used, few = np.zeros(switches), switches <= FEW
        for drawn, most in DRAWS[: 1 if few else len(DRAWS)]:
            self._drawn, self._weight = even_draw(self._customers, min(drawn, len(self._live)))
            self._known: dict[bytes, LinearPlan | None] = {}
            self._most_tried = most
            used = self._improve(used)
            self._tried += len(self._known)
            if drawn >= len(self._live):
                break
        found = self._all(switches) if few else self._finalists()
        linear, whole = self._whole(found)
        if few:
            others = [plan.bound for plan, other in found if (other != whole.used).any()]
            bound = max([linear.bound, *others])
        else:
            bound = bound_of_all_uses(self._pricing, self._live, self._prices(linear), whole.used)
        bound = max(bound, whole.value)
        return Decided(linear, replace(whole, bound=bound), bound, self._tried)

    def _all(self, switches: int) -> list[tuple[LinearPlan, Used]]:
        """Every choice that can hold, solved for all customers or proved no better, the best first."""
        every = [np.array([n >> c & 1 for c in range(switches)], dtype=float) for n in range(1 << switches)]
        rough = [(self._known.get(used.tobytes()), used) for used in every]
        rough.sort(key=lambda pair: -_value(pair[0]))
        found: list[tuple[LinearPlan, Used]] = []
        best, prices = -np.inf, None
        for start, used in rough:
            if prices is not None and bound_of_use(self._pricing, self._live, prices, used) <= best:
                continue
            plan = self._solve(used, self._live, self._customers, ROUGH, start, hopeless=best)
            self._tried += 1
            self._progress(f"campaigns: {self._tried} choices tried")
            if plan is not None:
                found.append((plan, used))
                if plan.value > best:
                    best, prices = plan.value, self._prices(replace(plan, used=used))
        return sorted(found, key=lambda pair: -pair[0].value)

    def _improve(self, used: Used) -> Used:
        """Tries campaigns more and less, then in each other's place, until nothing is better."""
        best = self._try(used, None)
        better: tuple[Used, LinearPlan | None] | None = (used, best)
        while better is not None:
            used, best = better
            tried = self._tried + len(self._known)
            self._progress(f"campaigns: {int(used.sum())} in use, {tried} choices tried")
            better = self._first_better(self._flips(used), used, best)
            if better is None:
                better = self._first_better(self._swaps(used, best), used, best)
        return used

    def _first_better(
        self, others: Iterator[Used], used: Used, best: LinearPlan | None
    ) -> tuple[Used, LinearPlan | None] | None:
        for other in others:
            if other.tobytes() in self._known or len(self._known) >= self._most_tried:
                continue
            plan = self._try(other, best)
            more = other > used
            if plan is not None and more.any():
                self._merit[more] = (plan.bound if best is None else plan.bound - best.value) / more.sum()
            if _value(plan) > _value(best) + 1e-9:
                return other, plan
        return None

    def _flips(self, used: Used) -> Iterator[Used]:
        """One campaign more, those first that have promised most; then one less."""
        order = np.argsort(-self._merit, kind="stable")
        for c in (*order[used[order] == 0], *order[used[order] > 0][::-1]):
            other = used.copy()
            other[c] = 1 - other[c]
            yield other

    def _swaps(self, used: Used, best: LinearPlan | None) -> Iterator[Used]:
        """One campaign in the place of another, those first that the flips speak for."""
        change = np.full(len(used), -np.inf)
        for other in self._flips(used):
            plan = self._known.get(other.tobytes())
            if plan is not None and best is not None:
                change[np.flatnonzero(other != used)] = plan.bound - best.value
        pairs = [(c, d) for c in np.flatnonzero(used > 0) for d in np.flatnonzero(used == 0)]
        for c, d in sorted(pairs, key=lambda pair: -(change[pair[0]] + change[pair[1]]))[:MOST_SWAPS]:
            other = used.copy()
            other[c], other[d] = 0.0, 1.0
            yield other

    def _try(self, used: Used, best: LinearPlan | None) -> LinearPlan | None:
        live = self._live[self._drawn]
        plan = self._solve(used, live, self._weight, ROUGH, best, hopeless=_value(best))
        self._known[used.tobytes()] = plan
        return plan

    def _finalists(self) -> list[tuple[LinearPlan, Used]]:
        """The best choices of the draw, solved for all customers, the best first."""
        drawn = [(plan, np.frombuffer(key)) for key, plan in self._known.items() if plan is not None]
        drawn.sort(key=lambda pair: -pair[0].value)
        if len(self._drawn) == len(self._live):
            return drawn[:FINALISTS]
        found: list[tuple[LinearPlan, Used]] = []
        for rough, used in drawn[:FINALISTS]:
            if rough.value < drawn[0][0].value - NEAR * abs(drawn[0][0].value):
                break
            best = max((plan.value for plan, _ in found), default=-np.inf)
            plan = self._solve(used, self._live, self._customers, ROUGH, rough, hopeless=best)
            if plan is not None:
                found.append((plan, used))
        return sorted(found, key=lambda pair: -pair[0].value)

    def _solve(
        self,
        used: Used,
        live: NDArray[np.int64],
        customers: NDArray[np.float64],
        tolerance: float,
        start: LinearPlan | None,
        hopeless: float = -np.inf,
    ) -> LinearPlan | None:
        """The linear program with the campaigns decided, setup costs taken off; None where it cannot hold.

        It is left as soon as it is proved worth no more than `hopeless`.
        """
        pricing = decided(self._pricing, used)
        rows = pricing.rows
        if (np.isinf(rows.soft) & ~rows.at_least & (rows.bound < 0)).any():
            return None  # setup costs alone are too dear
        setup = float(self._pricing.rows.setup @ used)
        generation = Generation(
            pricing, live, customers, self._rows, tolerance, self._progress, start, hopeless + setup
        )
        try:
            plan = generation.run()
        except Shortage:
            return None
        return replace(plan, value=plan.value - setup, bound=plan.bound - setup)

    def _whole(self, found: list[tuple[LinearPlan, Used]]) -> tuple[LinearPlan, WholePlan]:
        """The best choice that whole customers can keep, and its plan."""
        for rough, used in found:
            pricing = decided(self._pricing, used)
            linear = self._solve(used, self._live, self._customers, tolerance_of(pricing), rough)
            if linear is None:
                continue
            setup = float(self._pricing.rows.setup @ used)
            try:
                whole = whole_plan(
                    pricing, replace(linear, value=linear.value + setup, bound=linear.bound + setup)
                )
            except OnlyWholeNumbers:
                continue
            whole = replace(whole, used=used, value=whole.value - setup, bound=whole.bound - setup)
            return replace(linear, used=used, tolls=fixed_tolls(used, len(pricing.cells))), whole
        raise OnlyWholeNumbers(proved=False)

    def _prices(self, linear: LinearPlan) -> NDArray[np.float64]:
        """The plan's prices, with those of each campaign not used as if it were used besides."""
        prices, limits = linear.prices.copy(), self._pricing.limits
        for c in np.flatnonzero(linear.used == 0):
            other = linear.used.copy()
            other[c] = 1.0
            plan = self._known.get(other.tobytes())
            own = [r for r, limit in enumerate(limits) if limit.if_used == self._pricing.switches[c].campaign]
            prices[own] = 0.0 if plan is None else plan.prices[own]
        return prices


def _value(plan: LinearPlan | None) -> float:
    return -np.inf if plan is None else plan.value


def decided(pricing: Pricing, used: Used) -> Pricing:
    """The same problem with the campaigns in use decided; what they cost at the start is not taken off."""
    cells = pricing.cells
    unused = np.zeros(pricing.options, dtype=bool)
    for switch, use in zip(pricing.switches, used, strict=True):
        if use < 0.5:
            unused |= switch.options
    fixed = pricing.without_switches(replace(cells, allowed=cells.allowed & ~unused))
    fixed.rows = replace(
        pricing.rows,
        bound=pricing.rows.left(used),
        switched=np.zeros((len(pricing.limits), 0)),
        setup=np.zeros(0),
    )
    return fixed
