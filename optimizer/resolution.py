"""How finely customers' earlier contacts are told apart where they differ in too many ways.

Codes of earlier contacts are put into classes, step by step fewer, by what they hinder (complete
linkage: S. C. Johnson, Psychometrika 32, 1967). Each kind of customers gets the finest step that the
number of cells allows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist

from optimizer.leeway import Effects

STEPS = (256, 96, 40, 16, 6, 2, 1)


@dataclass(frozen=True)
class Resolution:
    """`classes[code]`; `loss` is what a contact hinders more than it must, in send days' worth."""

    classes: NDArray[np.int64]
    loss: float


def resolutions(effects: Effects, same_fatigue: bool) -> list[Resolution]:
    """From all codes apart to all contacts of the past alike; contacts ahead always stay apart.

    With `same_fatigue` only contacts that tire the same send days are put together.
    """
    past = effects.day < 0
    steps = [Resolution(np.arange(len(effects)), 0.0)]
    if past.sum() < 2:
        return steps
    hindrance = effects.hindrance()
    tree = linkage(pdist(hindrance[past], "cityblock"), method="complete")
    for size in STEPS:
        if size < past.sum():
            classes = np.arange(len(effects), dtype=np.int64) + len(effects)
            classes[past] = fcluster(tree, size, "maxclust")
            key = np.column_stack([classes, effects.tired if same_fatigue else classes])
            _, number = np.unique(key, axis=0, return_inverse=True)
            steps.append(_resolution(number.reshape(-1).astype(np.int64), hindrance))
    return steps


def _resolution(classes: NDArray[np.int64], hindrance: NDArray[np.float64]) -> Resolution:
    worst = np.zeros((int(classes.max()) + 1, hindrance.shape[1]))
    np.maximum.at(worst, classes, hindrance)
    return Resolution(classes, float((worst[classes] - hindrance).sum(axis=1).mean()))


def chosen_steps(
    cells: NDArray[np.int64], customers: NDArray[np.int64], loss: NDArray[np.float64], most: int
) -> NDArray[np.int64]:
    """The step of each kind: least loss, with at most `most` cells if any choice has so few.

    `cells[k, s]` is the number of cells that kind k has at step s, `loss[s]` a customer's loss there. A
    price on cells is raised until few enough are left (Everett, Operations Research 11, 1963).
    """
    lost = customers[:, None] * loss[None, :]
    low, high = 0.0, float(lost.max(initial=1.0)) + 1.0
    for _ in range(60):
        price = (low + high) / 2
        step = (lost + price * cells).argmin(axis=1)
        if cells[np.arange(len(cells)), step].sum() <= most:
            high = price
        else:
            low = price
    return np.asarray((lost + high * cells).argmin(axis=1), dtype=np.int64)
