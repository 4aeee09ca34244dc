"""How finely customers' earlier contacts are told apart where they differ in too many ways.

Codes of earlier contacts are put into classes, step by step fewer, by what they hinder (complete
linkage: S. C. Johnson, Psychometrika 32, 1967).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist

from optimizer.leeway import Effects

STEPS = (256, 96, 40, 16, 6, 2, 1)


def resolutions(effects: Effects, same_fatigue: bool) -> list[NDArray[np.int64]]:
    """The class of each code, from all codes apart to all contacts of the past alike.

    Contacts ahead always stay apart. With `same_fatigue` only contacts that tire the same send days are put
    together.
    """
    past = effects.day < 0
    steps = [np.arange(len(effects))]
    if past.sum() < 2:
        return steps
    tree = linkage(pdist(effects.hindrance()[past], "cityblock"), method="complete")
    for size in STEPS:
        if size < past.sum():
            classes = np.arange(len(effects), dtype=np.int64) + len(effects)
            classes[past] = fcluster(tree, size, "maxclust")
            key = np.column_stack([classes, effects.tired if same_fatigue else classes])
            _, number = np.unique(key, axis=0, return_inverse=True)
            steps.append(number.reshape(-1).astype(np.int64))
    return steps
