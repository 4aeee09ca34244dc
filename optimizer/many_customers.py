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

ROUGH, ROUGH_APART = 1e-3, 3e-3
"""How near value and bound of the part's program must come, which makes the menu and the first prices; the
second where customers have figures of their own."""
NEAR, MOST_ROUNDS = 5e-4, 40
"""How near those of the menu's program must come, and in how many rounds."""
TUNING, KEPT_PRICES = 100_000, 3
"""On how many customers prices are tuned first, and how many of the last ones all customers begin with."""
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
    rough = ROUGH if pricing.cells.own_figures is None else ROUGH_APART
    generation = generation_of(pricing, max_cells, rough, progress)
    if pricing.switches:
        return decide(pricing, generation).linear
    return generation.run()


def chosen_plan(choice: MenuChoice, start: LinearPlan, progress: Callable[[str], None]) -> ChosenPlan:
    """Solve the program in which all customers choose from the menu, the campaigns used as in `start`.

    Where customers are many, the prices are first tuned on a part of them. Raises Shortage where the menu
    cannot keep a minimum; all streams perhaps can.
    """
    prices = [start.prices]
    if len(choice.fine) > 2 * TUNING:
        prices = _tuned(choice.of_part(TUNING), start, prices, progress).prices[-KEPT_PRICES:]
    tuned = _tuned(choice, start, prices, progress)
    if tuned.short():
        raise Shortage(tuned.best)
    setup, used = float(choice.pricing.rows.setup @ start.used.round()), start.used.round()
    return ChosenPlan(
        tuple(tuned.choices), tuned.weight(), tuned.value - setup, tuned.bound - setup, tuned.best,
        choice.worth(tuned.best, used), tuned.plain,
    )  # fmt: skip


def _tuned(
    choice: MenuChoice, start: LinearPlan, prices: list[Floats], progress: Callable[[str], None]
) -> _Program:
    """Rounds until value and bound are near: at the prices given first, then at those of the program."""
    program = _Program(choice, start.used.round())
    for turn in range(MOST_ROUNDS):
        program.choose(prices[turn] if turn < len(prices) else program.next_prices())
        gap = program.bound - program.value
        progress(f"menu: round {turn + 1}, gap {100 * gap / max(abs(program.bound), 1e-9):.3f} %")
        if gap <= NEAR * abs(program.bound):
            break
    return program


def _fixed(rows: Rows, used: Floats, must: float) -> Rows:
    """The limits on contacts alone with the campaigns' use fixed; missing a minimum costs `must` a unit."""
    soft = np.where(rows.at_least & np.isinf(rows.soft), must, rows.soft)
    nothing = np.zeros((len(rows.bound), 0))
    return Rows(rows.left(used), rows.at_least, soft, nothing, np.zeros(0))


class _Program:
    """The master program of blocks and choices.

    `value` is what it has reached, `bound` the least that was proved of all plans made of the menu, at the
    prices `best`; `prices` are all those at which customers chose.
    """

    def __init__(self, choice: MenuChoice, used: Floats) -> None:
        self._choice, self._sizes, self._used = choice, choice.sizes, used
        self.plain = choice.worth(np.zeros(len(choice.pricing.limits)), used, thrifty=False)
        must = MUST * max(1.0, choice.most_worth(self.plain))
        self._rows = _fixed(choice.pricing.rows, used, must)
        blocks = len(self._sizes)
        self._master = Master(self._sizes, self._rows, np.zeros((blocks, 0)), np.ones(len(self._rows.bound)))
        self.choices: list[Choice] = []
        self.prices: list[Floats] = []
        self.value, self.bound = -np.inf, np.inf
        self.best = self._duals = np.zeros(len(self._rows.bound))

    def next_prices(self) -> Floats:
        """The limits' prices in the program, drawn towards the best ones."""
        return PULL * self.best + (1 - PULL) * self._duals

    def choose(self, prices: Floats) -> None:
        """Let all customers choose at the prices, and solve the program with this choice."""
        worth = self._choice.worth(prices, self._used)
        found = self._choice.choose(worth, self.plain, self.choices[-1] if self.choices else None)
        proved = float(found.worth.sum()) + float(prices @ self._rows.bound)
        if proved < self.bound:
            self.best, self.bound = prices, proved
        self.choices.append(found)
        self.prices.append(prices)
        each = np.arange(len(self._sizes))
        use = sparse.csr_array(found.use / self._sizes[:, None])
        self._master.add(each, found.value / self._sizes, use, np.zeros((len(each), 0)))
        duals = self._master.solve(shortage=False)
        self.value, self._duals = duals.objective, duals.limit

    def weight(self) -> Floats:
        """By block and choice: the share of the block's customers; what is missing to 1 has no contact."""
        customers = self._master.weights().reshape(-1, len(self._sizes))[1:]
        return np.asarray(customers / self._sizes).T

    def short(self) -> bool:
        """Whether the solution misses a limit that is a must."""
        use = np.einsum("bc,cbr->r", self.weight(), np.array([choice.use for choice in self.choices]))
        missed = self._rows.missed(use, np.zeros(0)) * np.isinf(self._choice.pricing.rows.soft)
        return bool((missed > 1e-6 * np.maximum(1.0, np.abs(self._rows.bound))).any())
