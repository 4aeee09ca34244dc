"""The plan's limits as arrays of the program: bounds, penalties, and what a campaign in use adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.limits import Limit
from optimizer.switches import Switch

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Rows:
    """R limits over C switches (campaigns that are used or not, y in {0, 1}).

    A row reads use + switched[r] · y ≤ bound[r], or ≥ where `at_least`. `soft[r]` is the penalty for a
    unit missed (infinite: a must); `setup[c]` is what using campaign c takes off the objective.
    """

    bound: Floats
    at_least: NDArray[np.bool_]
    soft: Floats
    switched: Floats
    setup: Floats

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

    def left(self, used: Floats) -> Floats:
        """The bounds on contacts alone, when the campaigns are used as `used` says."""
        return self.bound - self.switched @ used

    def left_beside(self, used: Floats, use: Floats) -> Floats:
        """What a use leaves of the limits. What it takes too much by rounding is no breach."""
        bounds = self.left(used)
        left = bounds - use
        rounding = np.abs(left) <= np.maximum(1e-6, 1e-9 * np.abs(bounds))
        return np.asarray(np.where(self.at_least | ~rounding, left, np.maximum(left, 0.0)))

    def missed(self, use: Floats, used: Floats) -> Floats:
        """How far contacts that use so much of each limit miss it, at least 0."""
        beyond = use - self.left(used)
        return np.maximum(np.where(self.at_least, -beyond, beyond), 0.0)

    def penalty(self, use: Floats, used: Floats) -> float:
        """What the misses of soft limits cost."""
        soft = np.isfinite(self.soft)
        return float(self.missed(use, used)[soft] @ self.soft[soft])

    def beside(
        self,
        prices: Floats,
        gain: Floats,
        low: Floats,
        high: Floats,
    ) -> float:
        """What a bound at these prices holds beside the cells' best streams: limits and switches.

        `gain[c]` is what using campaign c brings by itself, the limits' prices apart; each is used from
        `low` to `high` as is best.
        """
        use = gain - prices @ self.switched
        return float(prices @ self.bound + np.maximum(low * use, high * use).sum())

    def fair(self, prices: Floats, ceiling: Floats) -> Floats:
        """The prices with the signs that a bound needs, and never above what a unit missed costs."""
        signed = np.where(self.at_least, np.minimum(prices, 0.0), np.maximum(prices, 0.0))
        return np.clip(signed, -ceiling, ceiling)
