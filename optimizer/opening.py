"""Where generation begins: with a part of the customers, whose prices are nearly right for all."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from optimizer.even_draw import even_draw
from optimizer.generation import Generation
from optimizer.linear_plan import Effort, LinearPlan, Shortage
from optimizer.streams import Pricing

MOST_ROWS = 200
MOST_LINKED_ROWS = 600
FIRST_PART, GROWTH = 64, 4
ROUGH = 1e-3


def generation_of(
    pricing: Pricing,
    max_cells: int,
    tolerance: float,
    progress: Callable[[str], None],
    linked_rows: int = MOST_LINKED_ROWS,
) -> Generation:
    """The generation over all cells with customers.

    Where these are many more than the program's rows, or campaigns may be used or not, an evenly drawn
    part of the customers is solved first. With switches at most `linked_rows` rows are shared by the
    cells: the more rows, the tighter uses are linked to the switches, and the slower the program.
    """
    live = np.flatnonzero(pricing.cells.customers > 0)
    customers = pricing.cells.customers[live].astype(float)
    rows = linked_rows if pricing.switches else MOST_ROWS
    start: LinearPlan | None = None
    effort, popular = Effort(), np.zeros(1)
    for count in _parts(len(live), max_cells, bool(pricing.switches)):
        drawn, weight = even_draw(customers, count)
        part = Generation(pricing, live[drawn], weight, min(rows, max_cells), ROUGH, progress, start)
        try:
            start = part.run()
        except Shortage:
            start = None  # what a part of the customers cannot do, all of them may
        effort, popular = effort.plus(part.effort), part.popular
    many = start is not None and not pricing.switches
    rows = max_cells if many else min(rows, max_cells)
    whole = Generation(pricing, live, customers, rows, tolerance, progress, start)
    whole.popular, whole.effort = popular, effort
    return whole


def _parts(cells: int, max_cells: int, switches: bool) -> list[int]:
    """How many cells to draw for each part, the smallest first."""
    if not switches:
        return [max_cells] if cells > 2 * max_cells else []
    sizes = [FIRST_PART]
    while sizes[-1] * GROWTH < cells:
        sizes.append(sizes[-1] * GROWTH)
    return [size for size in sizes if 2 * size <= cells]
