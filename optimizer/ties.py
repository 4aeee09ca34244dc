"""Among plans of equal value the cheapest, and of those the one with the fewest contacts.

Every plan worth as much as one whose value is proved best is made of streams of reduced cost 0: where
these can be listed, one more program in whole numbers picks among them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from optimizer.linear_plan import LinearPlan
from optimizer.program import solve_whole
from optimizer.rows import Rows
from optimizer.streams import Pricing
from optimizer.whole_numbers import WholePlan

MOST_CELLS = 1_000
MOST_STREAMS = 5_000
MOST_STEPS = 5_000_000
MOST_NODES = 200
EQUAL = 1e-9
A_CONTACT = 1e-6
"""What a contact less is worth, as a share of the dearest one: less than any difference in cost."""


def cheapest_of_equals(pricing: Pricing, linear: LinearPlan, whole: WholePlan) -> WholePlan:
    """The plan, or one of the same value that costs less; unchanged where the equals are too many to list."""
    tolerance = EQUAL * max(1.0, abs(whole.value))
    gap = whole.bound - whole.value
    live = np.flatnonzero(pricing.cells.customers > 0)
    if gap > 1e3 * tolerance or not 0 < len(live) <= MOST_CELLS:
        return whole
    pairs = _equals(pricing, linear, live, linear.bound - whole.value + tolerance)
    if pairs is None:
        return whole
    cell, stream = np.unique(np.vstack([pairs, np.column_stack([whole.cell, whole.stream])]), axis=0).T
    counts = _cheapest(pricing, whole, live, cell, stream, tolerance)
    if counts is None:
        return whole
    value = float(pricing.value(cell, stream) @ counts) - _beside(pricing, whole, cell, stream, counts)
    saved = float(_spent(pricing, whole.cell, whole.stream) @ whole.customers)
    saved -= float(_spent(pricing, cell, stream) @ counts)
    if saved <= tolerance * A_CONTACT or value < whole.value - tolerance:
        return whole
    used = counts > 0
    return replace(whole, value=value, cell=cell[used], stream=stream[used], customers=counts[used])


def _equals(
    pricing: Pricing, linear: LinearPlan, live: NDArray[np.int64], gap: float
) -> NDArray[np.int64] | None:
    """The (cell, stream) pairs that a plan of equal value can hold; None where they are too many."""
    worth = pricing.worth(linear.prices, linear.tolls)
    top, _ = pricing.best_known(worth, live, np.arange(len(pricing.book)))
    found, room, steps = [], MOST_STREAMS, MOST_STEPS
    for n, cell in enumerate(live.tolist()):
        more, taken = pricing.above(worth, cell, top[n] - gap, room, steps)
        if more is None:
            return None
        room, steps = room - len(more), steps - taken
        found.append(np.column_stack([np.full(len(more), cell), more]))
    return np.vstack(found)


def _cheapest(
    pricing: Pricing,
    whole: WholePlan,
    live: NDArray[np.int64],
    cell: NDArray[np.int64],
    stream: NDArray[np.int64],
    tolerance: float,
) -> NDArray[np.int64] | None:
    """How many customers get each pair in the cheapest plan that is worth no less and misses no more."""
    return cheapest_counts(
        pricing.rows,
        np.searchsorted(live, cell),
        pricing.cells.customers[live],
        _spent(pricing, cell, stream),
        pricing.value(cell, stream),
        float(pricing.value(whole.cell, whole.stream) @ whole.customers) - tolerance,
        pricing.use(cell, stream),
        pricing.rows.left(whole.used),
        pricing.use(whole.cell, whole.stream).T @ whole.customers,
    )


def cheapest_counts(
    rows: Rows,
    group: NDArray[np.int64],
    sizes: NDArray[np.int64],
    spent: NDArray[np.float64],
    value: NDArray[np.float64],
    least: float,
    use: sparse.csr_array,
    left: NDArray[np.float64],
    now: NDArray[np.float64],
) -> NDArray[np.int64] | None:
    """How many customers get each column where that costs the least, worth at least `least` in all.

    Columns are as in `solve_whole`; `spent` is what each costs a customer. Limits of which `left` is left are
    missed no more than by the use `now`. None where that was not found.
    """
    allowed = np.where(rows.at_least, np.minimum(left, now), np.maximum(left, now))
    left = np.append(allowed, least)
    with_value = replace(
        rows,
        bound=left,
        at_least=np.append(rows.at_least, True),
        soft=np.full(len(left), np.inf),
    )
    solved = solve_whole(
        group,
        sizes,
        -spent,
        sparse.hstack([use, sparse.csr_array(value[:, None])], format="csr"),
        left,
        with_value,
        gap=0.0,
        target=np.inf,
        most_nodes=MOST_NODES,
    )
    return solved.counts


def _spent(pricing: Pricing, cells: NDArray[np.int64], streams: NDArray[np.int64]) -> NDArray[np.float64]:
    """What each stream costs, its number of contacts added as next to nothing."""
    return pricing.cost(cells, streams, A_CONTACT * float(pricing.objective.cost.max(initial=1.0)))


def _beside(
    pricing: Pricing,
    whole: WholePlan,
    cell: NDArray[np.int64],
    stream: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> float:
    """Setup costs and penalties of a plan."""
    rows, use = pricing.rows, pricing.use(cell, stream).T @ counts
    return float(rows.setup @ whole.used) + rows.penalty(use, whole.used)
