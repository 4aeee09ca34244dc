"""A solved program and where the customers stand in it: all that the calendar is made of."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from optimizer.cells import AllCells
from optimizer.proof import BoundEstimate
from optimizer.solution import Solution


@dataclass(frozen=True)
class Planned:
    """`cells` are those that the solution's whole plan speaks of; `control` is what held-out customers would
    have had: cell (the twin), stream and count of customers. There is an estimate where the bound is loose.
    """

    solution: Solution
    cells: AllCells
    control: pd.DataFrame
    estimate: BoundEstimate | None = None
