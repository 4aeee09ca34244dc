"""Scaling features with heavy tails: signed logarithm, median, interquartile range, cut ends."""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir
import numpy as np
from numpy.typing import NDArray

from models.portable import half_up

REACH = 3.0
"""Scaled features end this many robust standard deviations from the median: outliers are no segment."""
IQR_OF_NORMAL = 1.349
CHANNEL_FEATURES = ("response_rate", "contact_share")
"""Ends of the names of features that come by channel; all of one kind weigh as much as one feature."""

Floats = NDArray[np.float64]


def feature_weights(features: Sequence[str]) -> Floats:
    """Factors of the scaled features: 1, and 1/√n for each of n of a kind that comes by channel.

    Else a base with many channels would be segmented by the channels it was sent, and not by value.
    """
    kinds = [next((end for end in CHANNEL_FEATURES if name.endswith(end)), name) for name in features]
    return np.array([1.0 / np.sqrt(kinds.count(kind)) for kind in kinds])


def scales(raw: Floats) -> tuple[Floats, Floats]:
    """Medians in the features' units and spreads of their logarithms; 0 and 1 where nothing is known."""
    known = [column[~np.isnan(column)] for column in raw.T]
    medians = np.array([np.median(column) if len(column) else 0.0 for column in known])
    spreads = np.array([_spread(_log(column)) for column in known])
    return medians, spreads


def _spread(logs: Floats) -> float:
    if len(logs) == 0:
        return 1.0
    low, high = np.quantile(logs, [0.25, 0.75])
    spread = float(high - low) / IQR_OF_NORMAL
    if spread < 1e-6:
        # most customers alike: the others show in the standard deviation
        spread = float(logs.std())
    return spread if spread >= 1e-6 else 1.0


def _log(raw: Floats) -> Floats:
    return np.sign(raw) * np.log(np.abs(raw) + 1.0)


def scaled(raw: Floats, medians: Floats, spreads: Floats, weights: Floats) -> Floats:
    """Scale customers × features by the formula that `segments.clustering.Segmentation` states."""
    filled = np.where(np.isnan(raw), medians, raw)
    return ((_log(filled) - _log(medians)) / spreads).round(6).clip(-REACH, REACH) * weights


def scaled_column(column: ir.NumericColumn, median: float, spread: float, weight: float) -> ir.Value:
    """As `scaled`, for one column of a table (finite or missing)."""
    filled = column.cast("float64").fill_null(median)
    logs = filled.sign() * (filled.abs() + 1.0).ln()
    points = half_up((logs - float(_log(np.array(median)))) / spread, 6)
    return ibis.greatest(ibis.least(points, REACH), -REACH) * weight
