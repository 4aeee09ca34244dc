"""Segments as they were on an earlier day: by what was known then.

Among customers whose segment is known only after their responses, high responses before a day would go with
low ones after it: the segment has seen their sum. What customers of a segment will do is therefore learned
from segments as they were before they did it. Features are scaled by the medians and spreads of their own
day, since a longer history makes all counts larger.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

import ibis.expr.types as ir
import numpy as np

from models.features import customer_features
from optimizer.plan_file import Plan
from optimizer.tables import Tables
from segments.clustering import Segmentation, sample_for_fit
from segments.scaling import scales

OUTCOME_DAYS = 182
"""What customers did is learned from at most so many days."""


def features_as_of(plan: Plan, tables: Tables, as_of: date, names: Iterable[str] | None) -> ir.Table:
    """The customers' features `names` as of a day, with customer_id; None stands for all."""
    sources = (tables.customers, tables.transactions, tables.contact_history)
    wanted = None if names is None else tuple(names)
    return customer_features(*sources, as_of, list(plan.channels), wanted=wanted)


def segments_then(
    segmentation: Segmentation, features: ir.Table, seed: int, excluded: ir.Table | None = None
) -> ir.Table:
    """customer_id and segment (int64) by `features` as of an earlier day, which hold the segmentation's.

    Customers in `excluded` (customer_id) shape no scale and get the default segment, as they do today.
    """
    sample = sample_for_fit(features, seed, excluded=excluded)
    raw = sample[list(segmentation.features)].to_numpy(dtype=np.float64, na_value=np.nan)
    medians, spreads = (tuple(part.tolist()) for part in scales(raw))
    return replace(segmentation, medians=medians, spreads=spreads).assign(features, excluded)
