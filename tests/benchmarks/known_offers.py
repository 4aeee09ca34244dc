"""The published targeted-offers instances and what is known of them.

The folder named by CONTACTPLAN_TARGETED_OFFERS holds `known_values.csv` and an `<instance>.txt.gz` for each;
the instances are no part of the project.
"""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
from targeted_offers_program import Offers, read_offers

FOLDER = os.environ.get("CONTACTPLAN_TARGETED_OFFERS", "")
CUT = 1.0  # the known optima are cut to whole numbers


def _known_values() -> pd.DataFrame:
    if not FOLDER:
        return pd.DataFrame({"clients": [], "products": [], "optimum": []})
    table = pd.read_csv(Path(FOLDER) / "known_values.csv", index_col="instance")
    return table.assign(size=table.clients * table.products).sort_values("size", kind="stable")


KNOWN = _known_values()
"""Instance by instance clients, products, the optimum and the published heuristics; the smallest first."""


def instance(name: str) -> Offers:
    """The offers of an instance."""
    return read_offers(Path(FOLDER) / f"{name}.txt.gz")
