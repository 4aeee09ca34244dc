"""The customers' own figures as rows beside those of the segments (contract, "Value").

Field by field: the customer's row for the channel, then the one for every channel, then the segment's rate or
the campaign's figure.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from optimizer.contact_figures import ContactFigures
from optimizer.customer_keys import CustomerKeys
from optimizer.faults import BadInput, Fault
from optimizer.fine_cells import FineCells
from optimizer.own_scores import EVERY_CHANNEL, FIELDS
from optimizer.plan_file import Plan
from optimizer.timetable import Timetable

Figures = NDArray[np.float64]


def own_figures(
    plan: Plan, timetable: Timetable, plain: ContactFigures, fine: FineCells, keys: CustomerKeys
) -> tuple[ContactFigures, NDArray[np.int64]]:
    """The segments' figures with a row more for each own ones, and the row of every kind of customers.

    Equal figures in a segment share a row, and those that equal the segment's are the segment's. Raises
    BadInput where the customers are too many to tell apart.
    """
    if keys.scores is None:
        return plain, fine.segment_of_kind
    if len(fine) > plan.merge_above:
        raise BadInput([_too_many(len(fine), plan.merge_above)])
    told = fine.kinds.rows.scores.to_numpy(dtype=np.int64)
    has = np.flatnonzero(told != 0)
    if not len(has):
        return plain, fine.segment_of_kind
    numbers, rows = keys.scores.read(keys.table)
    own = _by_option(timetable, rows, len(numbers))
    pairs, place = np.unique(
        np.column_stack([fine.segment_of_kind[has], np.searchsorted(numbers, told[has])]),
        axis=0,
        return_inverse=True,
    )
    unit_cost = np.array([plan.channels[option.channel].unit_cost for option in timetable.options])
    whole = _replaced(unit_cost, plain, own, pairs)
    first, row = _distinct(plain, pairs[:, 0], whole)
    of_kind = fine.segment_of_kind.copy()
    of_kind[has] = row[place.reshape(-1)]
    return _with_rows(plain, whole, first), of_kind


def _too_many(cells: int, most: int) -> Fault:
    rule = f"own figures tell customers apart as {cells:,} cells, more than merge_above ({most:,}): "
    remedy = "Raise merge_above as far as memory and patience allow, or round the figures."
    return Fault("data.scores", "", rule + "not supported yet", remedy)


def _by_option(timetable: Timetable, rows: pd.DataFrame, count: int) -> dict[str, Figures]:
    """By field: [number, option], NaN where the rows say nothing."""
    options = pd.DataFrame(
        [(option.campaign, option.channel, i) for i, option in enumerate(timetable.options)],
        columns=["campaign", "channel", "option"],
    )
    general = rows[rows.channel == EVERY_CHANNEL].drop(columns="channel").merge(options, on="campaign")
    exact = rows[rows.channel != EVERY_CHANNEL].merge(options, on=["campaign", "channel"])
    own = {}
    for name in FIELDS:
        figure = np.full((count, len(options)), np.nan)
        for part in (general, exact):
            said = part[part[name].notna()]
            figure[said.number, said.option] = said[name]
        own[name] = figure
    return own


def _replaced(
    unit_cost: Figures, plain: ContactFigures, own: dict[str, Figures], pairs: NDArray[np.int64]
) -> dict[str, Figures]:
    """The figures of each pair of segment and number, by field as in the table `scores`; cost the whole."""
    g, number = pairs.T
    segments = {
        "response_rate": plain.rate,
        "margin_per_response": plain.margin,
        "revenue_per_response": plain.revenue,
        "value_per_contact": plain.value,
        "cost_per_contact": plain.cost,
    }
    whole = {}
    for name, figure in segments.items():
        said = own[name][number]
        if name == "cost_per_contact":
            said = said + unit_cost
        # The segment's figure stays to the last digit where the customer's own is the same.
        places = FIELDS[name]
        new = ~np.isnan(said) & (np.round(said, places) != np.round(figure[g], places))
        whole[name] = np.where(new, said, figure[g])
    return whole


def _distinct(
    plain: ContactFigures, segment: NDArray[np.int64], whole: dict[str, Figures]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which pairs bring a new row of figures, and the row of every pair."""
    parts = (plain.rate, plain.margin, plain.revenue, plain.value, plain.cost)
    count = len(plain)
    figures = np.hstack([np.vstack(both) for both in zip(parts, whole.values(), strict=True)])
    marks = np.column_stack([np.append(np.arange(count), segment).astype(float), figures]) + 0.0
    raw = np.ascontiguousarray(marks).view(np.dtype((np.void, 8 * marks.shape[1]))).reshape(-1)
    _, first, number = np.unique(raw, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first))  # the segments' own come first
    return np.sort(first)[count:] - count, rank[number.reshape(-1)][count:]


def _with_rows(plain: ContactFigures, whole: dict[str, Figures], rows: NDArray[np.int64]) -> ContactFigures:
    parts = (plain.rate, plain.margin, plain.revenue, plain.value, plain.cost)
    return ContactFigures(
        *(np.vstack([part, own[rows]]) for part, own in zip(parts, whole.values(), strict=True))
    )
