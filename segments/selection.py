"""How many segments: separation, stability under resampling, and a smallest share."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score, silhouette_score

SMALLEST_SHARE = 0.02
"""No segment holds less than this share of the customers, nor fewer than two of them."""

STARTS = 10
TRIMS = 5
HALVINGS = 5
STABILITY_POINTS = 10_000
SEPARATION_POINTS = 2_000

Floats = NDArray[np.float64]
Labels = NDArray[np.intp]


@dataclass(frozen=True)
class Candidate:
    """A number of segments and how good it is.

    `separation` is the mean silhouette (Rousseeuw 1987), `stability` the mean adjusted Rand index (Hubert and
    Arabie 1985) of segmentations fitted on disjoint halves, `score` the mean of both; `smallest_share` the
    share of customers in the smallest segment.
    """

    segments: int
    separation: float
    stability: float
    smallest_share: float
    score: float


def nearest(points: Floats, centres: Floats) -> Labels:
    """Index of each point's nearest centre, distances compared to 9 places; ties go to the lower index."""
    scores = points @ (-2.0 * centres.T) + (centres**2).sum(axis=1)
    return np.asarray(scores.round(9).argmin(axis=1))


def choose_centres(points: Floats, count: tuple[int, int], seed: int) -> tuple[Floats, tuple[Candidate, ...]]:
    """Return the centres (segments × features, to 6 places) and the candidates they were chosen among.

    `points` are scaled customers × features. Of the numbers in the range `count` for which every segment has
    the smallest share, that of the highest score is chosen, the lower one among equals. If there is none, the
    largest number below the range that has: it is then the only candidate.
    """
    low, high = count
    found: dict[int, Floats] = {}
    for k in range(low, high + 1):
        centres = fit_centres(points, k, seed)
        if centres is not None:
            found[k] = centres
    for k in range(low - 1, 0, -1):
        if found:
            break
        centres = fit_centres(points, k, seed)
        if centres is not None:
            found[k] = centres
    candidates = tuple(_judge(points, centres, seed) for centres in found.values())
    best = max(candidates, key=lambda candidate: (candidate.score, -candidate.segments))
    return found[best.segments], candidates


def fit_centres(points: Floats, k: int, seed: int) -> Floats | None:
    """Centres of `k` clusters of at least the smallest share each, or None where they are not found.

    A cluster that is too small holds outliers: its customers are set aside, the centres fitted again without
    them, and they go to the nearest (trimmed k-means, after Cuesta-Albertos et al. 1997).
    """
    if k == 1:
        return (
            np.zeros((1, points.shape[1]))
            if len(points) == 0
            else points.mean(axis=0, keepdims=True).round(6)
        )
    smallest = max(2, int(np.ceil(SMALLEST_SHARE * len(points))))
    kept = np.ones(len(points), dtype=bool)
    for _ in range(TRIMS):
        if points.shape[1] == 0 or kept.sum() < k * smallest:
            return None
        centres = _k_means(points[kept], k, seed)
        labels = nearest(points, centres)
        small = (np.bincount(labels, minlength=k) < smallest)[labels]
        if len(np.unique(labels)) < k:
            return None
        if not small.any():
            return centres
        if not (kept & small).any():
            return None
        kept &= ~small
    return None


def _k_means(points: Floats, k: int, seed: int) -> Floats:
    model = KMeans(k, n_init=STARTS, max_iter=100, random_state=(seed * 1009 + k) % 2**32)
    with warnings.catch_warnings():
        # fewer distinct points than clusters: an empty cluster is found by the caller
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(points)
    return np.asarray(model.cluster_centers_, dtype=np.float64).round(6)


def _judge(points: Floats, centres: Floats, seed: int) -> Candidate:
    k = len(centres)
    order = np.random.default_rng([seed % 2**32, k]).permutation(len(points))
    shares = np.bincount(nearest(points, centres), minlength=k) / max(1, len(points))
    separation = _separation(points[order[:SEPARATION_POINTS]], centres)
    stability = _stability(points[order[:STABILITY_POINTS]], k, seed)
    score = round((separation + stability) / 2, 6)
    return Candidate(k, separation, stability, round(float(shares.min()), 6), score)


def _separation(points: Floats, centres: Floats) -> float:
    labels = nearest(points, centres)
    if not 1 < len(np.unique(labels)) < len(points):
        return 0.0
    return round(float(silhouette_score(points, labels)), 6)


def _stability(points: Floats, k: int, seed: int) -> float:
    """Mean agreement, over all points, of the segmentations fitted on two halves; 0 where a half has none."""
    if k == 1:
        return 1.0
    agreements = []
    for halving in range(HALVINGS):
        order = np.random.default_rng([seed % 2**32, k, halving]).permutation(len(points))
        middle = len(points) // 2
        halves = [fit_centres(points[part], k, seed + halving) for part in (order[:middle], order[middle:])]
        first, second = (None if centres is None else nearest(points, centres) for centres in halves)
        agree = first is not None and second is not None
        agreements.append(adjusted_rand_score(first, second) if agree else 0.0)
    return round(float(np.mean(agreements)), 6)
