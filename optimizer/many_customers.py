"""Planning for customers whom too much tells apart: a part of them makes the menu, all choose from it.

The program over the menu is Dantzig and Wolfe's once more: at every round's prices each customer has a best
stream, and a block of customers with their best streams of a round is a column. The prices of the part come
first; they are then drawn towards those of the best bound (P. Wentges, International Transactions in
Operational Research 4, 1997).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from optimizer.branching import decide
from optimizer.choice import Choice, MenuChoice
from optimizer.linear_plan import LinearPlan, Shortage
from optimizer.opening import generation_of
from optimizer.program import Master
from optimizer.rows import Rows
from optimizer.stream_choice import MenuWorth
from optimizer.streams import Pricing

ROUGH = 1e-3
"""How near value and bound of the part's program must come, which makes the menu and the first prices."""
NEAR, MOST_ROUNDS = 5e-4, 40
"""How near those of the menu's program must come, and in how many rounds."""
PULL = 0.5
MUST = 100.0
"""What a unit missed of a minimum costs, in worths of the best stream: more than any price that it has."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ChosenPlan:
    """The linear program over the menu: `choices` of all customers, and weight[b, c] of choice c in block b.

    `bound` is that of all plans made of the menu, `prices` the limits' shadow prices.
    """

    choices: tuple[Choice, ...]
    weight: Floats
    value: float
    bound: float
    prices: Floats
    worth: MenuWorth
    plain: MenuWorth


def part_plan(pricing: Pricing, max_cells: int, progress: Callable[[str], None]) -> LinearPlan:
    """The linear program of the part of the customers, with the campaigns to use decided on.

    Raises Shortage and OnlyWholeNumbers as `decide` does.
    """

    generation = generation_of(pricing, max_cells, ROUGH, progress)
    if pricing.switches:
        return decide(pricing, generation).linear
    return generation.run()


def chosen_plan(choice: MenuChoice, start: LinearPlan, progress: Callable[[str], None]) -> ChosenPlan:
    """Solve the program in which all customers choose from the menu, the campaigns used as in `start`.

    Raises Shortage where the menu cannot keep a minimum; all streams perhaps can.
    """
    pricing, used = choice.pricing, np.rint(start.used)
    plain = choice.worth(np.zeros(len(pricing.limits)), used)
    rows = _fixed(pricing.rows, used, MUST * max(1.0, float(plain.most.max(initial=1.0))))
    master = _Program(choice, rows)
    best, prices, bound = start.prices, start.prices, np.inf
    found: Choice | None = None
    for turn in range(MOST_ROUNDS):
        worth = choice.worth(prices, used)
        found = choice.choose(worth, plain, found)
        proved = float(found.worth.sum()) + float(prices @ rows.bound)
        if proved < bound:
            best, bound = prices, proved
        value, duals = master.solved_with(found)
        gap = bound - value
        progress(f"menu: round {turn + 1}, gap {100 * gap / max(abs(bound), 1e-9):.3f} %")
        if gap <= NEAR * abs(bound):
            break
        prices = PULL * best + (1 - PULL) * duals
    short = rows.missed(master.use(), np.zeros(0)) * np.isinf(pricing.rows.soft)
    if (short > 1e-6 * np.maximum(1.0, np.abs(rows.bound))).any():
        raise Shortage(best)
    setup = float(pricing.rows.setup @ used)
    return ChosenPlan(
        tuple(master.choices), master.weight(), value - setup, bound - setup, best,
        choice.worth(best, used), plain,
    )  # fmt: skip


def _fixed(rows: Rows, used: Floats, must: float) -> Rows:
    """The limits on contacts alone with the campaigns' use fixed; missing a minimum costs `must` a unit."""
    soft = np.where(rows.at_least & np.isinf(rows.soft), must, rows.soft)
    nothing = np.zeros((len(rows.bound), 0))
    return Rows(rows.left(used), rows.at_least, soft, nothing, np.zeros(0))


class _Program:
    """The master program of blocks and choices."""

    def __init__(self, choice: MenuChoice, rows: Rows) -> None:
        self._sizes, self._rows = choice.sizes, rows
        blocks = len(self._sizes)
        self._master = Master(self._sizes, rows, np.zeros((blocks, 0)), np.ones(len(rows.bound)))
        self.choices: list[Choice] = []

    def solved_with(self, found: Choice) -> tuple[float, Floats]:
        """The value and the limits' prices with one more choice of all customers."""
        self.choices.append(found)
        each = np.arange(len(self._sizes))
        use = sparse.csr_array(found.use / self._sizes[:, None])
        self._master.add(each, found.value / self._sizes, use, np.zeros((len(each), 0)))
        duals = self._master.solve(shortage=False)
        return duals.objective, duals.limit

    def weight(self) -> Floats:
        """By block and choice: the share of the block's customers; what is missing to 1 has no contact."""
        customers = self._master.weights().reshape(-1, len(self._sizes))[1:]
        return np.asarray(customers / self._sizes).T

    def use(self) -> Floats:
        """What the solution uses of every limit."""
        use = np.array([choice.use for choice in self.choices])
        return np.asarray(np.einsum("bc,cbr->r", self.weight(), use))
