"""How much more or less than others of the segment a customer responds, in bands.

A customer's responses O over the responses E that the segment's rates expect are a Poisson count with
exposure, whose mean is E × exp(score), the score linear in the customer's features: a generalised linear
model with log link (McCullagh and Nelder, Generalized Linear Models, 2nd ed. 1989, chapter 6). Customers of
a segment are put into bands of the score. A band's multiplier is its O / E shrunk towards 1 by the
gamma-Poisson model of Clayton and Kaldor (Biometrics 43, 1987, 671-681).

Scores are whole numbers, features and coefficients being whole numbers of 1 / UNIT: every engine puts every
customer into the same band.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import PoissonRegressor
from threadpoolctl import threadpool_limits

UNIT = 1_000_000
NUMBERS_OF_BANDS = (2, 3, 5, 8, 12)
PRIORS = (1.0, 10.0, 100.0, 1000.0)
"""Penalties tried: 1 / the variance that a coefficient has before the data, in expected responses."""
FOLDS = 5
LEAST_RESPONSES = 50
"""A segment with fewer responses tells nothing of its customers."""
SURE = 1.645
"""So many standard errors must bands be better than none on customers held out: one-sided, at 5 %.

Without an effect bands are on average worse than none, so they pass more seldom than that.
"""
COLUMNS = ["segment", "band", "multiplier", "customers", "expected", "responses"]
_LOWEST = -(1 << 62)

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True)
class CustomerBands:
    """`table` has customer_id and band (int32; who is not in it has the segment's rates), `frame` COLUMNS.

    Segments are texts there, band 1 responds most. `responses` and `expected` (if all of the segment were
    alike) are those that the multiplier was found from, of customers whose band was found without them.
    """

    table: ir.Table
    frame: pd.DataFrame

    def multiplier(self) -> dict[tuple[str, int], float]:
        """By segment and band."""
        rows = self.frame[["segment", "band", "multiplier"]].itertuples(index=False)
        return {(str(segment), int(band)): float(factor) for segment, band, factor in rows}


@dataclass(frozen=True)
class SegmentBands:
    """A segment's model: a customer whose score is below n of the cuts is in band n + 1.

    The score is Σ coefficient × point, `cuts` ascend; band by band there are the multiplier and behind it
    the responses, and those to be expected of customers like all others of the segment.
    """

    coefficients: tuple[int, ...]
    cuts: tuple[int, ...]
    multipliers: tuple[float, ...]
    expected: tuple[float, ...]
    responses: tuple[int, ...]


def fit_bands(points: Whole, responses: Whole, expected: Floats) -> SegmentBands:
    """Fit a segment's bands: customers × features in units, responses and expected responses (above 0).

    Customers come in an order that has nothing to do with them (that of a hash of their ids), which deals
    them out to folds. Penalty and number of bands are those of least deviance on customers held out, of
    about equal numbers of bands (within one standard error) the least; there is one band unless more are
    surely better. Multipliers are worked out from customers whose score was fitted without them, and have
    the mean 1 over the segment's expected responses.
    """
    whole = float(responses.sum()), float(expected.sum())
    none = SegmentBands((0,) * points.shape[1], (), (1.0,), (whole[0],), (int(whole[0]),))
    if whole[0] < LEAST_RESPONSES or not (points != points[:1]).any():
        return none
    exposure = expected * (whole[0] / whole[1])
    fold = np.arange(len(points)) % FOLDS
    with threadpool_limits(limits=1):
        prior, scores = _cross_fitted(points, responses, exposure, fold)
        coefficients = _coefficients(points, responses, exposure, prior)
    final = points @ coefficients
    judged = {}
    for count in NUMBERS_OF_BANDS:
        cuts = _cuts(final, exposure, count)
        found = _judged(scores, responses, exposure, fold, count)
        # Where many customers have the same score, parts of them may be cut another way: no comparison.
        if found is not None and len(cuts) and len(cuts) == found[2]:
            judged[count] = (cuts, *found[:2])
    chosen = _chosen({count: gain for count, (_, _, gain) in judged.items()})
    if chosen is None:
        return none
    cuts, band, _ = judged[chosen]
    own, seen, told = _by_band(band, len(cuts) + 1, responses, exposure)
    if (own == 1.0).all():
        return none
    return SegmentBands(*(tuple(part.tolist()) for part in (coefficients, cuts, own, told, seen)))


def _coefficients(points: Whole, responses: Whole, exposure: Floats, prior: float) -> Whole:
    model = PoissonRegressor(alpha=prior / float(exposure.sum()), solver="newton-cholesky", tol=1e-7)
    with warnings.catch_warnings():
        # Its best is good enough: what is made of it is judged on customers held out.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(points / UNIT, responses / exposure, sample_weight=exposure)
    return np.asarray(np.rint(model.coef_ * UNIT), dtype=np.int64)


def _cross_fitted(
    points: Whole, responses: Whole, exposure: Floats, fold: Whole
) -> tuple[float, list[Whole]]:
    """The penalty of least deviance on customers held out, and by fold all scores of the model without it."""
    best: tuple[float, float, list[Whole]] = (np.inf, 0.0, [])
    for prior in sorted(PRIORS, reverse=True):
        scores, deviance = [], 0.0
        for out in (fold == f for f in range(FOLDS)):
            coefficients = _coefficients(points[~out], responses[~out], exposure[~out], prior)
            scores.append(points @ coefficients)
            factor = np.exp(scores[-1] / UNIT**2)
            mean = factor * (float(responses[~out].sum()) / float((exposure * factor)[~out].sum()))
            deviance -= float(_gain(responses[out], exposure[out], mean[out]).sum())
        if deviance < best[0]:
            best = deviance, prior, scores
    return best[1:]


def _gain(responses: Whole, exposure: Floats, factor: Floats) -> Floats:
    """By how much the Poisson deviance is less with the factor of the mean than without."""
    return np.asarray(2.0 * (responses * np.log(factor) - exposure * (factor - 1.0)))


def _cuts(score: Whole, exposure: Floats, count: int) -> Whole:
    """Scores at which new bands begin, of about equal exposure; equal scores stay together."""
    order = np.argsort(score, kind="stable")
    ahead = np.cumsum(exposure[order])
    place = np.searchsorted(ahead, ahead[-1] * np.arange(1, count) / count)
    cuts = np.unique(score[order][place])
    return np.asarray(cuts[cuts > score.min()], dtype=np.int64)


def _band(score: Whole, cuts: Whole) -> Whole:
    return np.asarray(len(cuts) - np.searchsorted(cuts, score, side="right"), dtype=np.int64)


def _judged(
    scores: list[Whole], responses: Whole, exposure: Floats, fold: Whole, count: int
) -> tuple[Whole, Floats, int] | None:
    """Band (from 0) and gain of customers held out, and the number of cuts; None unless always the same."""
    band, gain = np.zeros(len(fold), dtype=np.int64), np.zeros(len(fold))
    numbers = set()
    for f, score in enumerate(scores):
        out = fold == f
        cuts = _cuts(score[~out], exposure[~out], count)
        numbers.add(len(cuts))
        all_bands = _band(score, cuts)
        ratio = float(responses[~out].sum()) / float(exposure[~out].sum())
        own, *_ = _by_band(all_bands[~out], len(cuts) + 1, responses[~out], exposure[~out] * ratio)
        band[out] = all_bands[out]
        gain[out] = _gain(responses[out], exposure[out] * ratio, own[band[out]])
    return (band, gain, numbers.pop()) if len(numbers) == 1 else None


def _by_band(band: Whole, count: int, responses: Whole, exposure: Floats) -> tuple[Floats, Whole, Floats]:
    """Multipliers, responses and exposure of bands; the mean multiplier over the exposure is 1.

    The multipliers' variance is the moment estimate of DerSimonian and Laird (Controlled Clinical Trials 7,
    1986, 177-188); 1 / variance is how many expected responses at multiplier 1 are added to a band.
    """
    seen = np.bincount(band, weights=responses, minlength=count)
    told: Floats = np.bincount(band, weights=exposure, minlength=count).astype(np.float64)
    whole = told.sum()
    some = told > 0
    excess = float(((seen - told)[some] ** 2 / told[some]).sum()) - (some.sum() - 1)
    spread = float(whole - (told**2).sum() / whole)
    variance = excess / spread if spread > 0 else 0.0
    own = np.ones(count)
    if variance > 0:
        own = (seen + 1.0 / variance) / (told + 1.0 / variance)
        own = own * (whole / float((told * own).sum()))
    return own.round(6), seen.astype(np.int64), told


def _chosen(gains: Mapping[int, Floats]) -> int | None:
    """The least number of bands within a standard error of the best, if that surely gains; else None."""
    if not gains:
        return None
    best = max(gains, key=lambda count: (round(float(gains[count].sum()), 9), -count))
    if float(gains[best].sum()) <= SURE * _error(gains[best]):
        return None
    for count in sorted(gains):
        short = gains[best] - gains[count]
        if float(short.sum()) <= _error(short) and float(gains[count].sum()) > SURE * _error(gains[count]):
            return count
    return best


def _error(gain: Floats) -> float:
    """Standard error of a sum over customers."""
    return float(np.sqrt(len(gain)) * gain.std())


def bands_of(points: ir.Table, models: Mapping[str, SegmentBands]) -> ir.Table:
    """Every customer's band, as an expression: customer_id and band (int32).

    `points` has customer_id, segment (text) and the points p0, p1, … (int64). Customers of segments without
    a model are left out.
    """
    width = max(len(model.coefficients) for model in models.values())
    most = max(len(model.cuts) for model in models.values())
    rows = [
        (name, *model.coefficients, *(_LOWEST,) * (most - len(model.cuts)), *model.cuts)
        for name, model in sorted(models.items())
    ]
    names = ["segment", *(f"c{i}" for i in range(width)), *(f"k{j}" for j in range(most))]
    columns = ibis.schema({"segment": "string", **dict.fromkeys(names[1:], "int64")})
    frame = pd.DataFrame(rows, columns=names)
    book = ibis.memtable(pa.Table.from_pandas(frame, schema=columns.to_pyarrow(), preserve_index=False))
    found = points.join(book, "segment")
    score: ir.IntegerValue = ibis.literal(0, "int64")
    for i in range(width):
        score = score + found[f"p{i}"] * found[f"c{i}"]
    scored = found.mutate(score=score)
    band: ir.IntegerValue = ibis.literal(1, "int32")
    for j in range(most):
        band = band + (scored[f"k{j}"] > scored.score).ifelse(1, 0)
    return scored.select("customer_id", band=band.cast("int32"))
