"""Rates in a tree of groups, each shrunk towards its parent: empirical Bayes for nested counts.

A group's rate has a Beta distribution about its parent's rate; the level's strength s says how narrow, in
contacts. With n of exposure and y responses the group's estimate is (s × parent's + y) / (s + n), between
the parent's rate and its own y / n. The strength of a level is Paule and Mandel's moment estimate (Journal of
Research of the National Bureau of Standards 87, 1982, 377-385) with the beta-binomial variance of Kleinman
(Journal of the American Statistical Association 68, 1973, 46-54).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import betaincinv

# A level's strength is what its groups say, plus one made-up group that says 50: few groups say little.
USUAL_STRENGTH = 50.0
STRENGTH_RANGE = (1.0, 1e6)

SUMS = ["contacts", "responses", "n", "y"]

Floats = NDArray[np.float64]


def shrink(counts: pd.DataFrame, path: Sequence[str], default: float) -> pd.DataFrame:
    """Estimate the rate of every leaf of a tree of groups.

    `counts` has the columns of `path` (text; a group is named by its values of the first few of them, the
    coarsest first), `contacts` and `responses` (whole numbers) and `exposure` (contacts, discounted). Rows
    without contacts ask for the rate of a leaf never seen: it is that of its finest seen parent.

    A parent sees its children's raw rates weighted by precision, not by size: a child with very many
    contacts is still one child. Without any response the overall rate is half a response in all contacts,
    and without exposure `default`.

    Returns a row for each leaf, sorted by `path`: `contacts`, `responses`, `rate` (may exceed 1 where the
    discount is steep), `variance` (with the parent's own, and for a leaf never seen that between leaves) and
    `seen`, the depth of the finest group with contacts (0 = all, `len(path)` = the leaf itself).
    """
    names = ["all", *path]
    rows = counts.assign(all="", n=counts["exposure"], y=counts["responses"].astype("float64"))
    # Sorted first: floating sums depend on their order.
    rows = rows[[*names, *SUMS]].sort_values([*names, *SUMS])
    total, responses = float(rows["n"].sum()), float(rows["y"].sum())
    observed = responses > 0 < total
    overall = responses / total if observed else 0.5 / (total + 0.5 / default)
    levels, strengths = _gather(rows, names, overall)
    root = levels[0]
    levels[0] = root.assign(rate=root["y"] / root["n"] if observed else overall)
    leaves = levels[-1][[*path, "contacts", "responses"]]
    return leaves.assign(**_spread(levels, strengths))


def _gather(rows: pd.DataFrame, names: list[str], overall: float) -> tuple[list[pd.DataFrame], list[float]]:
    """From the leaves up: every level's groups (n, rate, parent's number) and strength, coarsest first."""
    levels, strengths = [], []
    level = pd.DataFrame(rows.groupby(names, as_index=False)[SUMS].sum())
    for depth in range(len(names) - 1, 0, -1):
        n = level["n"].to_numpy()
        level["rate"] = np.divide(level["y"].to_numpy(), n, out=np.zeros(len(level)), where=n > 0)
        level["parent"] = level.groupby(names[:depth]).ngroup()
        strength = _strength(level[level["n"] > 0], overall)
        levels.append(level)
        strengths.append(strength)
        weight = _precision(n, strength)
        up = level.assign(n=weight, y=weight * level["rate"])
        level = pd.DataFrame(up.groupby(names[:depth], as_index=False)[SUMS].sum())
    levels.append(level)
    return levels[::-1], strengths[::-1]


def _precision(n: Floats, strength: float) -> Floats:
    """How many contacts a raw rate from n contacts is worth as a witness of the parent's rate.

    Beta-binomial: its variance about the parent's m is m (1 − m) (n + s) / (n (s + 1)).
    """
    return n * (strength + 1) / (n + strength)


def _strength(seen: pd.DataFrame, overall: float) -> float:
    """The strength at which groups differ from their parents just as much as they should.

    Paule and Mandel: Σ (rate − parent's)² / variance equals its degrees of freedom. It grows with the
    strength, so that halving the interval of its logarithm finds it. One more group of unlimited size, as
    far from its parent as `USUAL_STRENGTH` expects, guards against few groups.
    """
    n, rate = seen["n"].to_numpy(), seen["rate"].to_numpy()
    parents, parent = np.unique(seen["parent"].to_numpy(), return_inverse=True)
    freedom = len(seen) - len(parents)

    def excess(strength: float) -> float:
        weight = _precision(n, strength)
        total = np.bincount(parent, weight)
        responses = np.bincount(parent, weight * rate)
        # Half a response more, and half a refusal: a variance of 0 would be proof of nothing.
        centre = np.clip((responses + 0.5) / (total + 0.5 / overall), 1e-12, 1 - 0.5 / (total + 1))
        distance = (rate - (responses / total)[parent]) ** 2 / (centre * (1 - centre))[parent]
        guard = (strength + 1) / (USUAL_STRENGTH + 1) - 1
        return float(np.sum(weight * distance)) - freedom + guard

    low, high = np.log(STRENGTH_RANGE)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if excess(float(np.exp(middle))) > 0 else (middle, high)
    return float(np.exp(low))


def _spread(levels: list[pd.DataFrame], strengths: list[float]) -> dict[str, Floats | NDArray[np.int64]]:
    """From the root down: rate, variance and depth seen of the leaves."""
    rate, n = levels[0]["rate"].to_numpy(), levels[0]["n"].to_numpy()
    variance, seen = bernoulli_variance(rate) / (n + 1), np.zeros(1, dtype=np.int64)
    for depth, (level, strength) in enumerate(zip(levels[1:], strengths, strict=True), start=1):
        parent, n = level["parent"].to_numpy(), level["n"].to_numpy()
        own = strength + n
        rate = (strength * rate[parent] + n * level["rate"].to_numpy()) / own
        variance = bernoulli_variance(rate) / (own + 1) + (strength / own) ** 2 * variance[parent]
        seen = np.where(level["contacts"] > 0, depth, seen[parent])
    return {"rate": rate, "variance": variance, "seen": seen}


def bernoulli_variance(rate: Floats) -> Floats:
    """Variance of one response, rate × (1 − rate), with the rate cut to [0, 1]."""
    inside = np.clip(rate, 0.0, 1.0)
    return inside * (1 - inside)


def beta_interval(mean: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """Low and high end of 95 % of the Beta distribution of that mean and variance; they hold the mean.

    Where that distribution is worth less than half a response its high end is that of half a response, as
    Jeffreys' prior has it: no response in many contacts does not prove a rate of 0.
    """
    inside = np.clip(mean, 1e-12, 1 - 1e-12)
    contacts = np.maximum(inside * (1 - inside) / np.maximum(variance, 1e-18) - 1, 0.05)
    responses, refusals = inside * contacts, (1 - inside) * contacts
    low = betaincinv(responses, refusals, 0.025)
    high = betaincinv(np.maximum(responses, 0.5), refusals, 0.975)
    return np.minimum(low, inside), np.maximum(high, inside)
