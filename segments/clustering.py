"""Value segments: fitted on a sample, numbered by value, assigned where the customers are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from models.portable import keyed_md5, rounded
from segments.naming import segment_names
from segments.profiles import flag_excluded, profile
from segments.scaling import feature_weights, scaled, scaled_column, scales
from segments.selection import SMALLEST_SHARE, Candidate, choose_centres, nearest

FORMAT = 1

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Segmentation:
    """Segments 1, 2, …, the first of the highest mean value; a customer belongs to the nearest centre.

    A feature x, a missing one taken as the median, is scaled as (L(x) − L(median)) / spread with
    L(x) = sign(x) ln(1 + |x|), rounded to 6 places, cut at ±3 and multiplied by its weight. `medians` are in
    the features' own units, `spreads` in those of L (interquartile range / 1.349, or the standard deviation
    where that range is 0), `centres` (a row a segment) in scaled units. `candidates` are the numbers of
    segments that were judged.
    """

    features: tuple[str, ...]
    medians: tuple[float, ...]
    spreads: tuple[float, ...]
    weights: tuple[float, ...]
    centres: tuple[tuple[float, ...], ...]
    names: tuple[str, ...]
    value_feature: str
    candidates: tuple[Candidate, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def default_segment(self) -> int:
        """The segment nearest to the medians: that of customers of whom nothing may be known."""
        return int(nearest(np.zeros((1, len(self.features))), _matrix(self.centres, self.features))[0]) + 1

    def predict(self, table: pd.DataFrame) -> NDArray[np.intp]:
        """Segment of each row of a DataFrame that has the features."""
        raw = table[list(self.features)].to_numpy(dtype=np.float64, na_value=np.nan)
        points = scaled(raw, np.array(self.medians), np.array(self.spreads), np.array(self.weights))
        return nearest(points, _matrix(self.centres, self.features)) + 1

    def assign(self, table: ir.Table, excluded: ir.Table | None = None) -> ir.Table:
        """Return `customer_id` and `segment` (int64), as an expression.

        `table` has `customer_id` and the features: numbers, finite or missing. Customers in
        `excluded` (its column `customer_id`) get the default segment, whatever their features. Raises
        ValueError where the table lacks a feature.
        """
        missing = [name for name in self.features if name not in table.columns]
        if missing:
            raise ValueError(
                f"the segmentation needs the features {', '.join(missing)}: fit the segments again"
            )
        scaling = zip(self.features, self.medians, self.spreads, self.weights, strict=True)
        columns = [
            scaled_column(table[name], median, spread, weight).name(f"x{i}")
            for i, (name, median, spread, weight) in enumerate(scaling)
        ]
        points = table.select("customer_id", *columns)
        # squared distance, less the part that all centres share
        scores = [_score(points, centre).name(f"d{j}") for j, centre in enumerate(self.centres)]
        assigned = _lowest(points.select("customer_id", *scores), len(scores))
        if excluded is None:
            return assigned
        flagged = flag_excluded(assigned, excluded)
        default = ibis.literal(self.default_segment, "int64")
        return flagged.select("customer_id", segment=flagged.excluded.ifelse(default, flagged.segment))

    def profile(self, table: ir.Table, excluded: ir.Table | None = None) -> pd.DataFrame:
        """Return the rows of segments.csv from a table with `customer_id`, `segment` and the features.

        As `segments.profiles.profile`, for all segments, those without customers too.
        """
        names = dict(enumerate(self.names, start=1))
        return profile(table, names, self.features, self.value_feature, excluded)

    def to_json(self) -> str:
        """Write the model as a JSON object; no customer is in it."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Segmentation:
        """Read what `to_json` wrote; raises ValueError where it is something else."""
        try:
            found = json.loads(text)
            if found.pop("format") != FORMAT:
                raise ValueError("another format")
            found["candidates"] = [Candidate(**row) for row in found["candidates"]]
            found["centres"] = [tuple(row) for row in found["centres"]]
            fields: dict[str, Any] = {
                key: tuple(part) if isinstance(part, list) else part for key, part in found.items()
            }
            return cls(**fields)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not a segmentation that can be read: {error}") from error


def sample_for_fit(
    features: ir.Table, seed: int, size: int = 50_000, excluded: ir.Table | None = None
) -> pd.DataFrame:
    """Return the `size` customers of lowest md5 of `seed:customer_id`, in that order, figures to 6 places.

    Customers in `excluded` are left out: whoever objects to profiling shapes no segment.
    """
    table = features
    if excluded is not None:
        table = table.anti_join(excluded.select("customer_id"), "customer_id")
    mark = keyed_md5(str(seed), table.customer_id)
    figures = {name: rounded(table[name], 6) for name, kind in table.schema().items() if kind.is_floating()}
    marked = table.mutate(md5_mark=mark, **figures)
    # Few marks are low: nearly all customers need no sorting.
    low = _mark_below(1.2 * size / max(1, int(table.count().to_pyarrow().as_py())))
    rows = _lowest_marks(marked.filter(marked.md5_mark < low) if low else marked, size)
    if low and len(rows) < size:
        rows = _lowest_marks(marked, size)
    return rows.drop(columns="md5_mark")


def _lowest_marks(marked: ir.Table, size: int) -> pd.DataFrame:
    order = ["md5_mark", "customer_id"]
    rows: pd.DataFrame = marked.order_by(order).limit(size).to_pyarrow().to_pandas()
    return rows.sort_values(order, ignore_index=True)


def _mark_below(share: float) -> str:
    """The mark that about this share of md5 marks lie below; none ("") for a share of 1 or more."""
    return f"{int(share * 16**8):08x}" if share < 1.0 else ""


def fit(
    sample: pd.DataFrame,
    features: Sequence[str],
    count: tuple[int, int],
    seed: int,
    value_feature: str | None = None,
) -> Segmentation:
    """Find the segments of a sample (`customer_id`, the features, the value feature), whatever its row order.

    The number of segments is chosen in `count`, both ends included, as `choose_centres` says; fewer, with a
    warning, where the customers do not make so many. The value feature that numbers them is `margin_12m`, or
    else `amount_12m`, where the sample has it and it varies, or else the first feature. Raises ValueError for
    a missing column or a range that is none.
    """
    lost = [name for name in (*features, "customer_id", value_feature) if name and name not in sample.columns]
    if lost:
        raise ValueError(f"the sample lacks {', '.join(lost)}")
    if not 1 <= count[0] <= count[1]:
        raise ValueError(f"no range of segments: {count[0]} to {count[1]}")
    rows = sample.sort_values("customer_id", ignore_index=True, key=lambda ids: ids.astype(str))
    raw = rows[list(features)].to_numpy(dtype=np.float64, na_value=np.nan)
    medians, spreads = scales(raw)
    weights = feature_weights(features)
    points = scaled(raw, medians, spreads, weights)
    with threadpool_limits(limits=1):
        # last bits depend on the number of threads
        centres, candidates = choose_centres(points, count, seed)
    value = value_feature or _value_feature(rows, features)
    worth = rows[value].to_numpy(dtype=np.float64, na_value=np.nan) if value else np.zeros(len(rows))
    centres = centres[_value_order(centres, nearest(points, centres), worth)]
    mean = points.mean(axis=0) if len(points) else np.zeros(len(features))
    return Segmentation(
        features=tuple(features),
        medians=tuple(medians.tolist()),
        spreads=tuple(spreads.tolist()),
        weights=tuple(weights.tolist()),
        centres=tuple(tuple(row) for row in centres.tolist()),
        names=segment_names((centres - mean) / weights, features),
        value_feature=value,
        candidates=candidates,
        warnings=_warnings(len(centres), count),
    )


def _score(points: ir.Table, centre: tuple[float, ...]) -> ir.Value:
    total = ibis.literal(sum(part * part for part in centre), "float64")
    for i, part in enumerate(centre):
        if part != 0.0:
            total = total + points[f"x{i}"] * (-2.0 * part)
    # compared to 9 places, as by `nearest`: as whole numbers, which need not be divided again
    return (total * 1e9 + 0.5).floor()


def _lowest(scores: ir.Table, count: int) -> ir.Table:
    """The number of the lowest score, the lower number among equals."""
    if count == 1:
        return scores.select("customer_id", segment=ibis.literal(1, "int64"))
    best = scores.mutate(best=ibis.least(*[scores[f"d{j}"] for j in range(count)]))
    branches = [(best[f"d{j}"] == best.best, ibis.literal(j + 1, "int64")) for j in range(count)]
    return best.select("customer_id", segment=ibis.cases(*branches))


def _value_feature(rows: pd.DataFrame, features: Sequence[str]) -> str:
    money = [name for name in ("margin_12m", "amount_12m") if name in rows and rows[name].nunique() > 1]
    return [*money, *features, ""][0]


def _value_order(centres: Floats, labels: NDArray[np.intp], worth: Floats) -> list[int]:
    """Segments by mean value, the highest first; equal ones by their centres."""
    means = []
    for j in range(len(centres)):
        known = worth[(labels == j) & ~np.isnan(worth)]
        means.append(round(float(known.mean()), 6) if len(known) else -np.inf)
    return sorted(range(len(centres)), key=lambda j: (-means[j], tuple(centres[j])))


def _warnings(found: int, count: tuple[int, int]) -> tuple[str, ...]:
    if found >= count[0]:
        return ()
    number = f"{found} segment{'s' if found != 1 else ''}"
    return (
        f"{number} instead of at least {count[0]}: the customers differ too little, or are too few, for more "
        f"segments of two customers and {SMALLEST_SHARE:.0%} of all each",
    )


def _matrix(centres: Sequence[Sequence[float]], features: Sequence[str]) -> Floats:
    return np.array(centres, dtype=np.float64).reshape(len(centres), len(features))
