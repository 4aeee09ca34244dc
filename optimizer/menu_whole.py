"""From shares of customers to whole ones, where customers choose from a menu.

The linear program gives nearly every block of customers one choice; the few others are cut so that each part
of a block holds customers of every sort in the same proportion. What rounding then leaves of the limits is
mended by a program in whole numbers over a few thousand customers, for whom the choices differ the least.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from optimizer.choice import MenuChoice, Places
from optimizer.many_customers import ChosenPlan
from optimizer.program import solve_whole
from optimizer.rows import Rows
from optimizer.stream_choice import EMPTY
from optimizer.ties import EQUAL, cheapest_counts
from optimizer.whole_numbers import CLOSE, MOST_NODES, OnlyWholeNumbers, WholePlan

MOST_FREE = (3_000, 12_000)
"""How many cells are free in the first program in whole numbers, and in the second if that has no answer."""
MOST_STREAMS, MOST_PAIRS = 8, 60_000
"""How many of a free cell's best streams are tried; all where the cells are so few."""
GOLDEN = 0.6180339887498949
NO_SHARE = 1e-9


@dataclass(frozen=True)
class _Pairs:
    """customers[m] customers of cell[m] get the stream at which[m] of the menu."""

    cell: NDArray[np.int64]
    which: Places
    customers: NDArray[np.int64]

    def some(self, chosen: NDArray[np.bool_]) -> _Pairs:
        return _Pairs(self.cell[chosen], self.which[chosen], self.customers[chosen])


def whole_choice(
    choice: MenuChoice, plan: ChosenPlan, used: NDArray[np.float64]
) -> tuple[WholePlan, NDArray[np.float64], int]:
    """The whole plan, what it uses of every limit, and how many provisional contacts stay. Raises
    OnlyWholeNumbers where none is found.
    """
    pairs, split = _rounded(choice, plan)
    for most in MOST_FREE:
        free = _free(choice, split, most)
        found = _mended(choice, plan, used, pairs, free)
        if found is not None:
            return found
    raise OnlyWholeNumbers(proved=False)


def _rounded(choice: MenuChoice, plan: ChosenPlan) -> tuple[_Pairs, NDArray[np.int64]]:
    """Whole customers as near to the shares as may be, and the cells for which the block's choices differ."""
    parts, split = [], [np.zeros(0, dtype=np.int64)]
    for b, (first, last) in enumerate(zip(choice.blocks[:-1], choice.blocks[1:], strict=True)):
        here, chosen = np.arange(first, last), np.flatnonzero(plan.weight[b] > NO_SHARE)
        nothing = np.full(len(here), EMPTY, dtype=np.int16)
        options = np.array([nothing, *(plan.choices[c].which[first:last] for c in chosen)])
        shares = np.append(max(0.0, 1 - plan.weight[b][chosen].sum()), plan.weight[b][chosen])
        options, shares = options[shares > NO_SHARE], shares[shares > NO_SHARE]
        if len(shares) == 1:
            parts.append(_Pairs(here, options[0], choice.fine.customers[first:last]))
        else:
            parts.append(_cut(here, choice.fine.customers[first:last], options, shares))
            split.append(here[(options != options[0]).any(axis=0)])
    pairs = [
        np.concatenate([getattr(part, name) for part in parts]) for name in ("cell", "which", "customers")
    ]
    return _Pairs(*pairs), np.concatenate(split)


def _cut(
    cells: NDArray[np.int64],
    customers: NDArray[np.int64],
    options: NDArray[np.int16],
    shares: NDArray[np.float64],
) -> _Pairs:
    """A block's customers cut by shares; options[c] are the cells' streams in the c-th choice."""
    order = np.lexsort(options)
    row = np.repeat(order, customers[order])
    # A sequence of low discrepancy: any run of it is spread evenly over the shares.
    spread = (np.arange(len(row)) + 0.5) * GOLDEN % 1.0
    ends = np.cumsum(shares) / shares.sum()
    chosen = options[np.minimum(np.searchsorted(ends, spread, side="right"), len(shares) - 1), row]
    told, count = np.unique(_key(cells[row], chosen), return_counts=True)
    return _Pairs(*_unkeyed(told), count.astype(np.int64))


def _key(cell: NDArray[np.int64], which: Places) -> NDArray[np.int64]:
    """One number for a cell and a place on the menu."""
    return (cell << 16) + (which.astype(np.int64) - EMPTY)


def _unkeyed(key: NDArray[np.int64]) -> tuple[NDArray[np.int64], Places]:
    return key >> 16, ((key & 0xFFFF) + EMPTY).astype(np.int16)


def _free(choice: MenuChoice, split: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """The cells to choose for anew: all while few, else evenly drawn ones, first where choices differ."""
    count = len(choice.fine)
    if count <= most:
        return np.arange(count)
    even = np.arange(0, count, max(1, count // (most // 4)))
    near = split[:: max(1, len(split) // (most - most // 4))]
    return np.union1d(near, even)


def _mended(
    choice: MenuChoice,
    plan: ChosenPlan,
    used: NDArray[np.float64],
    pairs: _Pairs,
    free: NDArray[np.int64],
) -> tuple[WholePlan, NDArray[np.float64], int] | None:
    rows, fine = choice.pricing.rows, choice.fine
    own = np.isin(pairs.cell, free)
    fixed, mine = pairs.some(~own), pairs.some(own)
    most = max(MOST_STREAMS, min(choice.menu_size, MOST_PAIRS // len(free)))
    few = choice.best_few(free, plan.worth, most)
    cell = np.concatenate([mine.cell, free, np.repeat(free, few.shape[1])])
    which = np.concatenate([mine.which, np.full(len(free), EMPTY), few.reshape(-1)])
    cell, which = _unkeyed(np.unique(_key(cell, which)))
    value, use = choice.value_of(cell, which, plan.plain), choice.use_of(cell, which)
    fixed_use, fixed_value = choice.totals(fixed.cell, fixed.which, fixed.customers, plan.plain)
    left = rows.left_beside(used, fixed_use)
    setup = float(rows.setup @ used)
    group = np.searchsorted(free, cell)
    solved = solve_whole(
        group, fine.customers[free], value, sparse.csr_array(use), left, rows,
        gap=0.1 * CLOSE * abs(plan.bound),
        target=plan.value + setup - 0.5 * CLOSE * abs(plan.bound) - fixed_value,
        most_nodes=MOST_NODES,
    )  # fmt: skip
    if solved.counts is None:
        return None
    counts = solved.counts
    if not choice.pricing.objective.pays_setup:
        spent = value - choice.value_of(cell, which, choice.worth(np.zeros(len(left)), used))
        least = float(value @ counts) - EQUAL * abs(plan.bound)
        counts = _cheaper(rows, group, fine.customers[free], counts, spent, value, least, use, left)
    total = fixed_use + counts @ use
    worth = fixed_value + float(value @ counts) - rows.penalty(total, used) - setup
    has = counts > 0
    cell, which = np.append(fixed.cell, cell[has]), np.append(fixed.which, which[has])
    customers = np.append(fixed.customers, counts[has])
    order = np.lexsort((which, cell))
    cell, which, customers = cell[order], which[order], customers[order]
    whole = WholePlan(worth, np.inf, used, cell, choice.numbers(cell, which), customers)
    return whole, total, choice.staying(cell, which, customers)


def _cheaper(
    rows: Rows,
    group: NDArray[np.int64],
    sizes: NDArray[np.int64],
    counts: NDArray[np.int64],
    spent: NDArray[np.float64],
    value: NDArray[np.float64],
    least: float,
    use: NDArray[np.float64],
    left: NDArray[np.float64],
) -> NDArray[np.int64]:
    """The counts, or cheaper ones of the same value: for where costs are no part of the objective."""
    scale = max(float(spent.max(initial=0.0)), NO_SHARE)
    own = sparse.csr_array(use)
    found = cheapest_counts(rows, group, sizes, spent / scale, value, least, own, left, counts @ use)
    if found is None or found @ value < least or found @ spent > counts @ spent:
        return counts
    return found
