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

ROUGH = 3e-3
"""How near value and bound of the part's program must come, which makes the menu and the first prices."""
NEAR, MOST_ROUNDS = 5e-4, 40
"""How near those of the menu's program must come, and in how many rounds."""
TUNING, KEPT_PRICES = (100_000, 1_000_000), 3
"""On how many customers prices are tuned first, and how many of the last ones others begin with."""
OPEN = 10
"""Every so many-th block of very many customers chooses at all prices, the others once."""
PULL = 0.5
WHOLE = 1e-6
"""What a block's share may lack to be all of it."""
MUST = (1e2, 1e6)
"""What a unit missed of a minimum costs, in worths of the best stream or costs of the dearest: more than any
price that it has; the second where the first was not."""

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

    Where customers are many, the prices are first tuned on a part of them; where they are very many, most
    blocks then choose once, as the part's plan has it, and the rest keeps the limits. Raises Shortage where
    the menu cannot keep a minimum; all streams perhaps can.
    """
    used, prices, guide = start.used.round(), [start.prices], None
    for customers in TUNING:
        if len(choice.fine) > 2 * customers:
            part = choice.of_part(customers)
            guide = _Guide(part, _tuned(part, used, prices, progress))
            prices = guide.program.prices[-KEPT_PRICES:]
    if guide is not None and len(choice.fine) > 2 * TUNING[-1]:
        found = _mostly_guided(choice, used, guide, progress)
        if found is not None:
            return found
    tuned = _tuned(choice, used, prices, progress)
    if tuned.short():
        raise Shortage(tuned.best)
    return _chosen(choice, used, tuned, tuple(tuned.choices), tuned.weight(), 0.0)


def _chosen(
    choice: MenuChoice,
    used: Floats,
    program: _Program,
    choices: tuple[Choice, ...],
    weight: Floats,
    beside: float,
) -> ChosenPlan:
    """The plan of a program; `beside` is what customers are worth who are no part of it."""
    beside -= float(choice.pricing.rows.setup @ used)
    worth = choice.worth(program.best, used)
    value, bound = program.value + beside, program.bound + beside
    return ChosenPlan(choices, weight, value, bound, program.best, worth, program.plain)


@dataclass(frozen=True)
class _Guide:
    """The plan of a part of the customers, by whose prices all others go."""

    part: MenuChoice
    program: _Program

    def shares(self, choice: MenuChoice) -> Floats:
        """By block of the choice and price: the share of the part's customers in its place who go by it."""
        ends = np.cumsum(self.part.sizes)
        middle = np.cumsum(choice.sizes) - choice.sizes / 2
        return np.asarray(self.program.weight()[np.minimum(np.searchsorted(ends, middle), len(ends) - 1)])


def _mostly_guided(
    choice: MenuChoice, used: Floats, guide: _Guide, progress: Callable[[str], None]
) -> ChosenPlan | None:
    """The plan in which most blocks choose once, at the guide's prices; None where that breaks a limit."""
    shares = guide.shares(choice)
    closed = (shares.max(axis=1) > 1 - WHOLE) & (np.arange(len(shares)) % OPEN > 0)
    first = _once(choice, used, guide, np.where(closed, shares.argmax(axis=1), -1), progress)
    free = np.flatnonzero(~closed)
    part = choice.of_blocks(free)
    tuned = _tuned(part, used, guide.program.prices[-KEPT_PRICES:], progress, first.use.sum(axis=0))
    if tuned.short():
        return None
    weight = np.zeros((len(shares), len(tuned.choices)))
    weight[closed, 0], weight[free] = 1.0, tuned.weight()
    cells = choice.cells_of(free)
    choices = tuple(first.with_blocks(free, cells, own) for own in tuned.choices)
    return _chosen(choice, used, tuned, choices, weight, float(first.value.sum()))


def _once(
    choice: MenuChoice,
    used: Floats,
    guide: _Guide,
    price: NDArray[np.int64],
    progress: Callable[[str], None],
) -> Choice:
    """Every block's choice at the guide's price of that number; none where it is -1."""
    plain = guide.program.plain
    found = choice.nothing()
    for number in np.unique(price[price >= 0]).tolist():
        blocks = np.flatnonzero(price == number)
        own = choice.of_blocks(blocks).choose(choice.worth(guide.program.prices[number], used), plain)
        found = found.with_blocks(blocks, choice.cells_of(blocks), own)
        progress(f"menu: {100 * (price[price >= 0] <= number).mean():.0f} % of the customers")
    return found


def _tuned(
    choice: MenuChoice,
    used: Floats,
    prices: list[Floats],
    progress: Callable[[str], None],
    beside: Floats | float = 0.0,
) -> _Program:
    """Rounds until value and bound are near: at the prices given first, then at those of the program.

    `beside` is what customers use of the limits who are no part of the choice.
    """
    for must in MUST:
        program = _Program(choice, used, beside, must)
        _run(program, prices, progress)
        if not program.short():
            break
    return program


def _run(program: _Program, prices: list[Floats], progress: Callable[[str], None]) -> None:
    for turn in range(MOST_ROUNDS):
        program.choose(prices[turn] if turn < len(prices) else program.next_prices())
        gap = program.bound - program.value
        progress(f"menu: round {turn + 1}, gap {100 * gap / max(abs(program.bound), 1e-9):.3f} %")
        if gap <= NEAR * abs(program.bound):
            break


def _fixed(rows: Rows, used: Floats, must: float, beside: Floats | float) -> Rows:
    """What the limits leave for contacts with the campaigns' use fixed, and `beside` used by others.

    Missing a minimum costs `must` a unit.
    """
    left = rows.left(used) - beside
    # A limit that the others have used up may be missed, too: then they must choose again.
    missable = rows.at_least | (left < 0)
    soft = np.where(missable & np.isinf(rows.soft), must, rows.soft)
    return Rows(left, rows.at_least, soft, np.zeros((len(left), 0)), np.zeros(0))


class _Program:
    """The master program of blocks and choices.

    `value` is what it has reached, `bound` the least that was proved of all plans made of the menu, at the
    prices `best`; `prices` are all those at which customers chose.
    """

    def __init__(self, choice: MenuChoice, used: Floats, beside: Floats | float, must: float) -> None:
        self._choice, self._sizes, self._used = choice, choice.sizes, used
        self.plain = choice.worth(np.zeros(len(choice.pricing.limits)), used, thrifty=False)
        self._rows = _fixed(choice.pricing.rows, used, must * choice.scale(self.plain), beside)
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
