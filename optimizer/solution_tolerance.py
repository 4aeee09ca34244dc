"""How near the linear program's value must come to its bound."""

from __future__ import annotations

from optimizer.streams import Pricing

# How near the program's value must come to its bound, by the most cells for which it may take the time.
TOLERANCES = ((1_000, 1e-9), (8_000, 1e-5), (30_000, 5e-5))
ROUGHEST = 1e-2


def tolerance_of(pricing: Pricing) -> float:
    """How near value and bound of the linear program must come, as a share of the value."""
    live = int((pricing.cells.customers > 0).sum())
    return next((tolerance for most, tolerance in TOLERANCES if live <= most), ROUGHEST)
