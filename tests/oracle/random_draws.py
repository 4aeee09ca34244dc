"""What all draws of plans are made of."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Draw = Any


def maybe(draw: Draw, share: float) -> bool:
    """True in about that share of the draws; shrinks to False."""
    return bool(draw(st.integers(1, 100)) > 100 * (1 - share))


def decimal(draw: Draw, low: int, high: int) -> float:
    """A number of hundredths."""
    return float(draw(st.integers(low, high)) / 100)


def some(draw: Draw, items: list[Any], fewest: int = 1, most: int | None = None) -> list[Any]:
    """Some of the items, in their order."""
    size = draw(st.integers(fewest, min(most or len(items), len(items))))
    taken = draw(st.permutations(items))[:size]
    return [item for item in items if item in taken]
