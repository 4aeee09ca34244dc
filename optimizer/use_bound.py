"""A bound on all plans, whichever campaigns they use, from the plan for one choice.

At any prices, and any tolls that customers pay for contacts of a campaign and the campaign gets back once
it is used, Σ customers · best stream + limits at their prices + what used campaigns gain is a bound. For a
campaign in use customers share its setup cost by what it adds to their best streams; for another one they
pay all that it would add, so that it gains what it would be worth, less its setup cost.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimizer.generation import SHUT
from optimizer.streams import Pricing, Tolls

MOST_LABELS = 1 << 14
CLOSE = 1e-7
Floats = NDArray[np.float64]


def bound_of_all_uses(pricing: Pricing, live: NDArray[np.int64], prices: Floats, used: Floats) -> float:
    """The bound at these prices, with tolls read off the plan that uses the campaigns `used`."""
    rows, customers = pricing.rows, pricing.cells.customers[live].astype(float)
    free = np.where(used > 0.5, 0.0, SHUT)
    base = _most(pricing, live, prices, np.tile(free, (len(live), 1)))
    most = pricing.most_contacts(live)
    cost = rows.setup + prices @ rows.switched
    fee = np.zeros((len(live), len(used)))
    for c in range(len(used)):
        other = free.copy()
        other[c] = SHUT - other[c]
        adds = np.abs(_most(pricing, live, prices, np.tile(other, (len(live), 1))) - base)
        if used[c] > 0.5:
            adds *= np.clip(cost[c] / max(float(customers @ adds), CLOSE), 0.0, 1.0)
        fee[:, c] = adds / np.maximum(most[:, c], 1.0)
    none, every = np.zeros(len(used)), np.ones(len(used))
    gains = (customers[:, None] * most * fee).sum(axis=0) - rows.setup
    worth = float(customers @ _most(pricing, live, prices, fee))
    return worth + rows.beside(prices, gains, none, every)


def bound_of_use(pricing: Pricing, live: NDArray[np.int64], prices: Floats, used: Floats) -> float:
    """The bound at these prices on all plans that use the campaigns `used`, and no others."""
    customers, fee = pricing.cells.customers[live].astype(float), np.where(used > 0.5, 0.0, SHUT)
    worth = float(customers @ _most(pricing, live, prices, np.tile(fee, (len(live), 1))))
    return worth + float(prices @ pricing.rows.left(used) - pricing.rows.setup @ used)


def _most(pricing: Pricing, live: NDArray[np.int64], prices: Floats, fee: Floats) -> Floats:
    """A bound on each cell's streams at the prices, contacts of switch c costing fee[n, c] besides."""
    row = np.full(len(pricing.cells), len(live), dtype=np.int64)
    row[live] = np.arange(len(live))
    tolls = Tolls(row, np.vstack([fee, np.zeros((1, fee.shape[1]))]))
    worth = pricing.worth(prices, tolls)
    known, _ = pricing.best_known(worth, live, np.arange(min(len(pricing.book), 50)))
    slack = CLOSE * max(1.0, float(np.abs(known).max(initial=0.0)))
    return pricing.search(worth, live, known, slack, MOST_LABELS)[2]
