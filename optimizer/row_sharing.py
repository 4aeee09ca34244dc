"""Cells that share rows of the program."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from optimizer.streams import Pricing


def share_rows(pricing: Pricing, live: NDArray[np.int64], max_cells: int) -> NDArray[np.int64]:
    """The program's row of each live cell: its own while there are few, else shared by like cells.

    The largest cells keep rows of their own (half of `max_cells`); the rest, in order of segment,
    pattern and profile, are cut into runs of about equally many customers.
    """
    cells, count = pricing.cells, len(live)
    if count <= max_cells:
        return np.arange(count)
    order = np.argsort(-cells.customers[live], kind="stable")
    alone, rest = np.sort(order[: max_cells // 2]), np.sort(order[max_cells // 2 :])
    block = np.empty(count, dtype=np.int64)
    block[alone] = np.arange(len(alone))
    rest = rest[np.lexsort((cells.profile[live][rest], cells.pattern[live][rest], cells.segment[live][rest]))]
    runs = max_cells - len(alone)
    before = np.cumsum(cells.customers[live][rest]) - cells.customers[live][rest]
    run = before * runs // max(1, int(cells.customers[live][rest].sum()))
    block[rest] = len(alone) + np.unique(run, return_inverse=True)[1]
    return block
