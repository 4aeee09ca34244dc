"""In which figures a customer differs from the segment, in words."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from optimizer.contact_figures import ContactFigures
from optimizer.own_figures import PLACES
from optimizer.problem import Problem

_WORDS = {
    "rate": "response rate", "margin": "margin", "revenue": "revenue", "value": "value of the contact",
    "cost": "cost",
}  # fmt: skip

ROUNDING = 1e-8
"""Rates count to 9 places."""


def own_figures_in_words(problem: Problem, cell: int) -> Iterator[str]:
    """A text for each option for which the cell's figures are not the segment's.

    Where just all response rates are a multiple of the segment's, one text says so.
    """
    own, segment = int(problem.cells.figures[cell]), int(problem.cells.segment[cell])
    figures, options = problem.figures, problem.timetable.options
    differ = {name: _differ(figures, name, own, segment) for name in PLACES.values()}
    mine, theirs = figures.rate[own], figures.rate[segment]
    known = theirs > 0
    others = any(differ[name].any() for name in differ if name != "rate")
    if differ["rate"][known].all() and known.sum() > 1 and not others and not mine[~known].any():
        times = float((mine[known] / theirs[known]).mean())
        if np.abs(times * theirs - mine).max() < ROUNDING:
            yield f"response rates {times:.6g} times the segment's"
            return
    for i, option in enumerate(options):
        told = [
            f"{_WORDS[name]} {_told(figures, name, own, i)} (segment {_told(figures, name, segment, i)})"
            for name in differ
            if differ[name][i]
        ]
        if told:
            yield f"{option.campaign} by {option.channel}: {', '.join(told)}"


def _differ(figures: ContactFigures, name: str, own: int, segment: int) -> NDArray[np.bool_]:
    mine, theirs = getattr(figures, name)[own], getattr(figures, name)[segment]
    return np.asarray(np.abs(mine - theirs) > 1e-9 * np.maximum(1.0, np.abs(theirs)))


def _told(figures: ContactFigures, name: str, row: int, option: int) -> str:
    value = float(getattr(figures, name)[row, option])
    return f"{100 * value:.9g} %" if name == "rate" else f"{value:,.10g}"
