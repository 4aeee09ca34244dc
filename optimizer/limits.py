"""The plan's limits as rows of the program: what each counts, and how much of it there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from optimizer.timetable import Timetable

if TYPE_CHECKING:
    from optimizer.contact_figures import ContactFigures
    from optimizer.plan_file import Plan


@dataclass(frozen=True)
class Limit:
    """One limit of the plan over the timetable's send days (T), options (I) and segments (G).

    `path` is its place in the plan file. `use[t, i]` is what one contact uses of it; for a reach row,
    1 where a contact makes its customer count (`customers`: each once). `tiring[f, i]`, where given, is
    used besides in row f of the figures, times the contact's fatigue factor. `use` is stated for the
    campaigns' own figures: a customer for whom a contact costs more money uses `spend[t, i]` for each unit
    of it, one for whom it is worth more in itself `earn`. Only customers of `segments` count. `bound` is as
    the plan states it, `committed` what earlier and promised contacts already use; `remainder` is what
    they leave. `setup[c]` is what campaign c uses by being used at all; with `if_used` the limit speaks
    of that campaign only if it is used, else there is nothing to use and nothing to reach. `soft` is the
    penalty for a unit missed (None: a must).
    """

    path: str
    at_least: bool
    bound: float
    use: NDArray[np.float64]
    segments: NDArray[np.bool_]
    committed: float = 0.0
    customers: bool = False
    tiring: NDArray[np.float64] | None = None
    spend: NDArray[np.float64] | None = None
    earn: float = 0.0
    setup: Mapping[str, float] = field(default_factory=dict)
    if_used: str | None = None
    soft: float | None = None

    @property
    def remainder(self) -> float:
        """The bound on planned contacts alone, never below 0."""
        return max(0.0, self.bound - self.committed)

    @property
    def overdrawn(self) -> bool:
        """Whether earlier and promised contacts alone exceed the limit."""
        return not self.at_least and self.committed > self.bound


def make_limits(
    plan: Plan,
    timetable: Timetable,
    segments: Sequence[str],
    segment_size: NDArray[np.int64],
    committed: pd.DataFrame,
    figures: ContactFigures,
    switched: Sequence[str] = (),
) -> tuple[Limit, ...]:
    """Every limit of the plan, in the order of the plan file.

    `committed` counts earlier contacts: columns day, channel, campaign, business_unit, cost (money a
    contact) and contacts, a row for each distinct combination (see committed_contacts). `switched` are
    the campaigns whose use is still to be decided (see make_switches).
    """
    from optimizer.limit_maker import LimitMaker  # noqa: PLC0415 - it makes what is defined here

    maker = LimitMaker(plan, timetable, list(segments), segment_size, committed, figures, tuple(switched))
    return (
        *maker.capacities(),
        *maker.campaign_contacts(),
        *maker.budgets(),
        *maker.volumes(),
        *maker.reaches(),
        *maker.return_on_cost(),
    )
