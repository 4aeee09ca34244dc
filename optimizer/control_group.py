"""What held-out customers would have had."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from optimizer.stream_book import most_used
from optimizer.streams import Pricing
from optimizer.whole_numbers import WholePlan

MOST_MENU = 200


def withheld(pricing: Pricing, whole: WholePlan, prices: NDArray[np.float64]) -> pd.DataFrame:
    """The streams that twins of held-out customers have: cell, stream and count of customers.

    A twin that nobody else shares has its best of the most used streams, at the prices.
    """
    told = pricing.cells.groups.twin
    twins = np.unique(told[told >= 0]).astype(np.int64)
    own = pd.DataFrame({"cell": whole.cell, "stream": whole.stream, "count": whole.customers})
    own = own[own.cell.isin(twins)]
    lone = twins[~np.isin(twins, own.cell)]
    if len(lone):
        menu = np.union1d(most_used(whole.stream, whole.customers, MOST_MENU), [0])
        _, stream = pricing.best_known(pricing.worth(prices), lone, menu)
        own = pd.concat([own, pd.DataFrame({"cell": lone, "stream": stream, "count": 1})])
    return own.sort_values(["cell", "stream"], ignore_index=True)
