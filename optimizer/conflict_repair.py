"""What a plan of whole customers that misses some limits says about them: how far they have to move."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from math import ceil

import numpy as np
from numpy.typing import NDArray

from optimizer.conflict import NEGLIGIBLE, Change
from optimizer.limits import Limit
from optimizer.streams import Pricing
from optimizer.whole_numbers import WholePlan

CENT = 0.01
FINEST_SHARE = 1e-4


def changes(pricing: Pricing, whole: WholePlan, free: Collection[str]) -> Iterator[Change]:
    """The changes with which the plan keeps the limits that it misses, of those whose path is `free`."""
    use = pricing.use(whole.cell, whole.stream).T @ whole.customers
    missed = pricing.rows.missed(use, whole.used)
    contacts = _contacts(pricing, whole)
    setup = sum(
        switch.setup_cost for switch, used in zip(pricing.switches, whole.used, strict=True) if used > 0.5
    )
    for limit, amount in zip(pricing.limits, missed.tolist(), strict=True):
        if limit.path not in free or amount <= NEGLIGIBLE:
            continue
        if limit.tiring is not None:
            spent = float(pricing.cost(whole.cell, whole.stream) @ whole.customers) + setup
            yield _ratio(limit, amount, spent)
        elif limit.path.endswith("_share"):
            yield _ratio(limit, amount, float(contacts[limit.segments].sum()))
        else:
            yield Change(limit, _new_bound(limit, amount) - limit.bound)


def _contacts(pricing: Pricing, whole: WholePlan) -> NDArray[np.int64]:
    """The plan's contacts by segment and option."""
    contacts = np.zeros((len(pricing.cells.segments), pricing.options), dtype=np.int64)
    for cell, stream, customers in zip(
        whole.cell.tolist(), whole.stream.tolist(), whole.customers.tolist(), strict=True
    ):
        for _, option in pricing.book.streams[stream]:
            contacts[pricing.cells.segment[cell], option] += customers
    return contacts


def _ratio(limit: Limit, missed: float, base: float) -> Change:
    """The change of a ratio that the row states as use − ratio · base."""
    if base <= NEGLIGIBLE:
        return Change(limit, None)
    by = ceil(missed / base / FINEST_SHARE - NEGLIGIBLE) * FINEST_SHARE
    return Change(limit, -by if limit.at_least else by)


def _new_bound(limit: Limit, missed: float) -> float:
    """The bound that the plan keeps, rounded to what a planner would write."""
    unit = _unit(limit)
    if limit.at_least:
        return max(0.0, float(np.floor((limit.bound - missed) / unit + NEGLIGIBLE)) * unit)
    return ceil((max(limit.bound, limit.committed) + missed) / unit - NEGLIGIBLE) * unit


def _unit(limit: Limit) -> float:
    """What the limit is counted in: whole contacts and customers, hundredths of hours and money."""
    money = limit.spend is not None or limit.tiring is not None
    whole = limit.customers or (not money and bool(np.isin(limit.use, (0.0, 1.0)).all()))
    return 1.0 if whole else CENT
