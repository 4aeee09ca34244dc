"""An even draw of customers who stand for all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def even_draw(customers: NDArray[np.float64], count: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Cells drawn at even steps through the customers, and the customers that each stands for."""
    total = customers.sum()
    marks = (np.arange(count) + 0.5) * total / count
    drawn, hits = np.unique(np.searchsorted(np.cumsum(customers), marks), return_counts=True)
    return drawn, hits * total / count
