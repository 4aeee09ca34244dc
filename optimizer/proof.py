"""The bound on every plan where customers chose from a menu.

At any prices Σ customers · best stream + Σ price · bound is at least what any plan is worth (Lagrangean
relaxation: A. M. Geoffrion, Mathematical Programming Study 2, 1974). Like customers are put together, each
with the most that any of them may have.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimizer.cells import Cells
from optimizer.stream_book import most_used
from optimizer.streams import Pricing
from optimizer.whole_numbers import WholePlan

NEAR = 1e-4
"""How near the search comes to a cell's best stream, as a share of a customer's mean value."""
MOST_MENU, MOST_LABELS = 100, 1 << 12


def generous_bound(pricing: Pricing, cells: Cells, prices: NDArray[np.float64], whole: WholePlan) -> float:
    """A bound on every plan for customers of whom each may have what its one of the `cells` may.

    Campaigns may be used or not as is best at the prices.
    """
    wide = pricing.over(cells)
    live = np.flatnonzero(cells.customers > 0)
    customers = cells.customers[live].astype(float)
    menu = np.union1d(most_used(whole.stream, whole.customers, MOST_MENU), [0])
    worth = wide.worth(prices)
    floor, _ = wide.best_known(worth, live, menu)
    slack = NEAR * abs(float(customers @ floor)) / max(1.0, float(customers.sum()))
    _, _, most = wide.search(worth, live, floor, slack, MOST_LABELS)
    none, every = np.zeros(len(pricing.switches)), np.ones(len(pricing.switches))
    return float(customers @ most) + pricing.rows.beside(prices, -pricing.rows.setup, none, every)
