"""The plan's limits as arrays of the program: bounds, penalties, and what a campaign in use adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.limits import Limit
from optimizer.switches import Switch


@dataclass(frozen=True)
class Rows:
    """R limits over C switches (campaigns that are used or not, y in {0, 1}).

    A row reads use + switched[r] · y ≤ bound[r], or ≥ where `at_least`. `soft[r]` is the penalty for a
    unit missed (infinite: a must); `setup[c]` is what using campaign c takes off the objective.
    """

    bound: NDArray[np.float64]
    at_least: NDArray[np.bool_]
    soft: NDArray[np.float64]
    switched: NDArray[np.float64]
    setup: NDArray[np.float64]

    @classmethod
    def of(cls, limits: Sequence[Limit], switches: Sequence[Switch], pays_setup: bool) -> Rows:
        """The rows of limits; `pays_setup` tells whether setup costs count in the objective."""
        names = [switch.campaign for switch in switches]
        bound = np.array([0.0 if limit.if_used in names else limit.remainder for limit in limits])
        switched = np.array(
            [
                [
                    limit.setup.get(name, 0.0) - (limit.remainder if limit.if_used == name else 0.0)
                    for name in names
                ]
                for limit in limits
            ]
        )
        return cls(
            bound,
            np.array([limit.at_least for limit in limits], dtype=bool),
            np.array([np.inf if limit.soft is None else limit.soft for limit in limits]),
            switched.reshape(len(limits), len(names)),
            np.array([switch.setup_cost if pays_setup else 0.0 for switch in switches]),
        )

    def left(self, used: NDArray[np.float64]) -> NDArray[np.float64]:
        """The bounds on contacts alone, when the campaigns are used as `used` says."""
        return self.bound - self.switched @ used

    def missed(self, use: NDArray[np.float64], used: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far contacts that use so much of each limit miss it, at least 0."""
        beyond = use - self.left(used)
        return np.maximum(np.where(self.at_least, -beyond, beyond), 0.0)

    def penalty(self, use: NDArray[np.float64], used: NDArray[np.float64]) -> float:
        """What the misses of soft limits cost."""
        soft = np.isfinite(self.soft)
        return float(self.missed(use, used)[soft] @ self.soft[soft])

    def beside(
        self,
        prices: NDArray[np.float64],
        gain: NDArray[np.float64],
        low: NDArray[np.float64],
        high: NDArray[np.float64],
    ) -> float:
        """What a bound at these prices holds beside the cells' best streams: limits and switches.

        `gain[c]` is what using campaign c brings by itself, the limits' prices apart; each is used from
        `low` to `high` as is best.
        """
        use = gain - prices @ self.switched
        return float(prices @ self.bound + np.maximum(low * use, high * use).sum())

    def fair(self, prices: NDArray[np.float64], ceiling: NDArray[np.float64]) -> NDArray[np.float64]:
        """The prices with the signs that a bound needs, and never above what a unit missed costs."""
        signed = np.where(self.at_least, np.minimum(prices, 0.0), np.maximum(prices, 0.0))
        return np.clip(signed, -ceiling, ceiling)
