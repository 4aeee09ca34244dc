"""Bands of customers inside segments, fitted to the history: the plan's `response.customer_level`.

The model is told what was known before the responses that it explains: features and segments as of the first
day of the outcome window (the later half of the history, at most half a year), responses of that window.
(Why stands in `optimizer.past_segments`.) Customers then get their bands by their features as of the period's
start. Each date's features are scaled by that date's means and standard deviations, since a longer history
makes all counts larger.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

import ibis.expr.types as ir
import numpy as np
import pandas as pd

from models.contact_counts import RATE_UNITS, customer_outcomes, outcome_days
from models.customer_response import COLUMNS, UNIT, CustomerBands, SegmentBands, bands_of, fit_bands
from models.features import feature_names
from models.response import Rates, estimate
from optimizer.frames import frame_of
from optimizer.kinds import segment_order
from optimizer.past_segments import OUTCOME_DAYS, features_as_of, segments_then
from optimizer.plan_file import Plan
from optimizer.segmenting import Segments
from optimizer.tables import Tables
from segments.clustering import Segmentation, sample_for_fit
from segments.scaling import scaled, scaled_column

SAMPLE = 200_000
"""So many customers, those of lowest md5, are what the model is fitted to."""

_NO_HISTORY = (
    "response.customer_level: the history is too short to tell customers of a segment apart; all have their "
    "segment's response rates"
)
_ALIKE = (
    "response.customer_level: no feature tells surely which customers of a segment respond more (judged on "
    "customers held out); all have their segment's response rates"
)


@dataclass(frozen=True)
class _Scaling:
    """Centre (in the feature's units) and spread (of its logarithm) of every feature at one date."""

    names: tuple[str, ...]
    centres: tuple[float, ...]
    spreads: tuple[float, ...]

    @classmethod
    def of(cls, sample: pd.DataFrame, names: tuple[str, ...]) -> _Scaling:
        raw = sample[list(names)].to_numpy(dtype=np.float64, na_value=np.nan)
        logs = np.sign(raw) * np.log(np.abs(raw) + 1.0)
        known = [column[~np.isnan(column)] for column in logs.T]
        means = np.array([column.mean() if len(column) else 0.0 for column in known])
        spreads = [float(column.std()) if len(column) else 0.0 for column in known]
        centres = np.sign(means) * (np.exp(np.abs(means)) - 1.0)
        return cls(names, tuple(centres.tolist()), tuple(s if s >= 1e-6 else 1.0 for s in spreads))

    def points(self, sample: pd.DataFrame) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
        raw = sample[list(self.names)].to_numpy(dtype=np.float64, na_value=np.nan)
        centres, spreads = np.array(self.centres), np.array(self.spreads)
        points = scaled(raw, centres, spreads, np.ones(len(self.names)))
        return np.asarray(np.rint(points * UNIT), dtype=np.int64)

    def columns(self, table: ir.Table) -> dict[str, ir.Value]:
        """The same as columns p0, p1, … of a table that has the features."""
        told = {}
        for i, (name, centre, spread) in enumerate(zip(self.names, self.centres, self.spreads, strict=True)):
            point = scaled_column(table[name], centre, spread, 1.0)
            told[f"p{i}"] = (point * float(UNIT) + 0.5).floor().cast("int64")
        return told


@dataclass(frozen=True)
class _Past:
    """What the model is fitted to: `days` of the outcome window, counted from the period's start."""

    plan: Plan
    tables: Tables
    known: ir.Table
    segmentation: Segmentation | None
    names: tuple[str, ...]
    days: tuple[int, int]

    def sample(self, rates: pd.DataFrame) -> pd.DataFrame:
        """Customers with a contact in the window: features before it, segment then, responses, expected."""
        engine, plan, tables = self.tables.engine, self.plan, self.tables
        wanted = tuple(dict.fromkeys([*self.names, *self._segmentation_features()]))
        as_of = plan.period.start + timedelta(days=self.days[0])
        before = engine.keep("features before", features_as_of(plan, tables, as_of, wanted))
        before = before.semi_join(self.known, "customer_id")
        labels = engine.keep("segments before", self._segments(before))
        outcomes = customer_outcomes(
            tables.contact_history,
            labels,
            rates,
            plan.response.window_days,
            (plan.fatigue.keep, plan.fatigue.days),
            plan.period.start,
            self.days,
        )
        outcomes = engine.keep("outcomes", outcomes.filter(outcomes.expected > 0))
        told = outcomes.join(labels.select("customer_id", label=labels.segment.cast("string")), "customer_id")
        both = engine.keep("features and outcomes", before.join(told, "customer_id"))
        sample = sample_for_fit(both, plan.seed, SAMPLE)
        for name in ("features before", "segments before", "outcomes", "features and outcomes"):
            engine.drop(name)
        return sample

    def _segmentation_features(self) -> tuple[str, ...]:
        return () if self.segmentation is None else self.segmentation.features

    def _segments(self, before: ir.Table) -> ir.Table:
        """The segments as they were; those of an own column are taken as they are."""
        if self.segmentation is None:
            return self.known.select("customer_id", "segment")
        return segments_then(self.segmentation, before, self.plan.seed)


def with_bands(
    plan: Plan, tables: Tables, segments: Segments, known: ir.Table, counts: pd.DataFrame, rates: Rates
) -> Rates:
    """The rates with the customers' bands, or with a warning where there are none.

    `known` has customer_id and segment of those whose responses and features may be used, `counts` is
    contact_counts.
    """
    window, start = plan.response.window_days, plan.period.start
    days = outcome_days(tables.contact_history, window, start, OUTCOME_DAYS)
    if days is None:
        return replace(rates, warnings=(*rates.warnings, _NO_HISTORY))
    names = _names(plan, tables)
    past = _Past(plan, tables, known, segments.segmentation, names, days)
    models = _fitted(past.sample(_rates_of_all(plan, counts)), names) if names else {}
    if not any(model.cuts for model in models.values()):
        return replace(rates, warnings=(*rates.warnings, _ALIKE))
    table = _bands_today(plan, tables, known, names, models)
    return replace(rates, bands=CustomerBands(table, _frame(models, segments.table, table)))


def _bands_today(
    plan: Plan, tables: Tables, known: ir.Table, names: tuple[str, ...], models: dict[str, SegmentBands]
) -> ir.Table:
    """customer_id and band by the features as of the period's start."""
    engine = tables.engine
    features = features_as_of(plan, tables, plan.period.start, names).semi_join(known, "customer_id")
    features = engine.keep("features for bands", features)
    today = _Scaling.of(sample_for_fit(features, plan.seed), names)
    points = features.select("customer_id", **today.columns(features))
    own = known.select("customer_id", segment=known.segment.cast("string"))
    points = engine.keep("points for bands", own.join(points, "customer_id"))
    table = engine.keep("customer bands", bands_of(points, models))
    for name in ("features for bands", "points for bands"):
        engine.drop(name)
    return table


def _fitted(sample: pd.DataFrame, names: tuple[str, ...]) -> dict[str, SegmentBands]:
    """By segment its model."""
    then = _Scaling.of(sample, names)
    models = {}
    for label, rows in sample.groupby("label", sort=True):
        responses = rows.responses.to_numpy(dtype=np.int64)
        expected = rows.expected.to_numpy(dtype=np.float64) / RATE_UNITS
        models[str(label)] = fit_bands(then.points(rows), responses, expected)
    return models


def _names(plan: Plan, tables: Tables) -> tuple[str, ...]:
    """The features: those named for the segments, else the derived ones that vary."""
    channels, named = list(plan.channels), plan.segments.features
    if named is not None:
        return tuple(dict.fromkeys(named))
    features = features_as_of(plan, tables, plan.period.start, None)
    return feature_names(features, tables.customers, channels)


def _rates_of_all(plan: Plan, counts: pd.DataFrame) -> pd.DataFrame:
    """The rates of every campaign and channel of the history, those that the plan does not have too."""
    types = {str(name): str(kind) for name, kind in counts.groupby("campaign").type.max().items()}
    types |= {name: campaign.type for name, campaign in plan.campaigns.items()}
    keys = counts[["segment", "campaign", "channel"]].drop_duplicates()
    return estimate(counts, keys.assign(type=keys.campaign.map(types))).frame


def _frame(models: dict[str, SegmentBands], segments: ir.Table, bands: ir.Table) -> pd.DataFrame:
    """response_bands.csv: a row a segment and band; band 0 are those of whom nothing may be, or is, known."""
    every = segments.select("customer_id", segment=segments.segment.cast("string"))
    every = every.left_join(bands, "customer_id")
    every = every.select("segment", band=every.band.fill_null(0))
    sizes = frame_of(every.group_by("segment", "band").agg(customers=every.count()))
    size = {
        (str(s), int(b)): int(n)
        for s, b, n in sizes[["segment", "band", "customers"]].itertuples(index=False)
    }
    rows = [(s, 0, 1.0, n, 0.0, 0) for (s, b), n in size.items() if b == 0]
    for label, model in models.items():
        told = zip(model.multipliers, model.expected, model.responses, strict=True)
        for band, (multiplier, expected, responses) in enumerate(told, start=1):
            row = label, band, multiplier, size.get((label, band), 0), round(expected, 6), responses
            rows.append(row)
    rows.sort(key=lambda row: (segment_order(row[0]), row[1]))
    return pd.DataFrame(rows, columns=COLUMNS)
