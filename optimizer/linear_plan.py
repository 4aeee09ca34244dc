"""What the linear program comes to: its optimum with prices and bound, or the proof that there is none."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.streams import Tolls


@dataclass
class Effort:
    """How much work a solution took."""

    rounds: int = 0
    searches: int = 0
    columns: int = 0
    seconds_master: float = 0.0
    seconds_pricing: float = 0.0

    def plus(self, other: Effort) -> Effort:
        """Both together."""
        return Effort(*(one + more for one, more in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True)
class LinearPlan:
    """The linear program's optimum: `amount[n]` customers of `cell[n]` get `stream[n]`.

    `bound` is proved for every plan; `value` is what the program reached, setup costs and penalties
    taken off. `prices` are the limits' shadow prices, `tolls` those of using a campaign at all, `used`
    says how far each switch is used. `block` gives the row that each live cell shares.
    """

    value: float
    bound: float
    prices: NDArray[np.float64]
    tolls: Tolls
    used: NDArray[np.float64]
    cell: NDArray[np.int64]
    stream: NDArray[np.int64]
    amount: NDArray[np.float64]
    block: NDArray[np.int64]
    effort: Effort


class Shortage(Exception):  # noqa: N818 - it is what was found
    """The plan's limits cannot all hold; `prices` prove it."""

    def __init__(self, prices: NDArray[np.float64]) -> None:
        super().__init__("the plan's limits cannot all hold")
        self.prices = prices
