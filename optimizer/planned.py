"""A solved program and where the customers stand in it: all that the calendar is made of."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from optimizer.cells import AllCells
from optimizer.solution import Solution


@dataclass(frozen=True)
class BoundEstimate:
    """What the bound would be with every customer apart, and its standard error; in the objective's unit.

    It proves nothing: it was estimated from so many `customers`, and errs upwards by what the search for
    their best streams leaves open (a ten-thousandth of a customer's mean value, rarely more). The error is
    that of as many drawn at random.
    """

    bound: float
    error: float
    customers: int


@dataclass(frozen=True)
class Planned:
    """`cells` are those that the solution's whole plan speaks of; `control` is what held-out customers would
    have had: cell (the twin), stream and count of customers. There is an estimate where the bound is loose.
    """

    solution: Solution
    cells: AllCells
    control: pd.DataFrame
    estimate: BoundEstimate | None = None
