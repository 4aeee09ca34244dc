"""The customers' own figures as rows after those of the segments (contract, "Value").

Field by field: the customer's row for the channel, then the one for every channel, then the segment's rate or
the campaign's figure.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from models.customer_response import CustomerBands
from optimizer.cells import Cells
from optimizer.contact_figures import ContactFigures
from optimizer.customer_keys import CustomerKeys
from optimizer.engine import Engine
from optimizer.own_scores import EVERY_CHANNEL, FIELDS, NO_FIGURE, OwnScores
from optimizer.plan_file import Plan
from optimizer.timetable import Timetable

Figures = NDArray[np.float64]
PLACES = {
    "response_rate": "rate",
    "margin_per_response": "margin",
    "revenue_per_response": "revenue",
    "value_per_contact": "value",
    "cost_per_contact": "cost",
}
"""Where each figure of the table `scores` stands in ContactFigures; the cost there is the whole."""
CHUNK = 50_000
"""Rows that are worked on at a time, so that no more of them stand side by side than need be."""


@dataclass(frozen=True)
class OwnFigures:
    """All rows of figures: `plain` of the segments first, then the customers' own, each told once.

    Row f is of segment[f]. Own row n has own[name][n, k] for option columns[name][k] in the place of its
    segment's; figures of which nobody has an own one are left out. `customers` are CustomerKeys.table with
    the row `figures` of every customer; None where all rows are the segments'.
    """

    plain: ContactFigures
    segment: NDArray[np.int32]
    columns: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    own: dict[str, Figures] = field(default_factory=dict)
    customers: ir.Table | None = None

    def __len__(self) -> int:
        return len(self.segment)

    def any_negative(self) -> bool:
        """Whether a response brings anybody less than nothing by own figures."""
        return any(bool((own < 0).any()) for name, own in self.own.items() if name.endswith("per_response"))

    def rows(self, some: NDArray[np.int64]) -> ContactFigures:
        """Some of the rows in full."""
        segment, mine = self.segment[some], np.flatnonzero(some >= len(self.plain))
        row = some[mine] - len(self.plain)
        full = {}
        for name, place in PLACES.items():
            figure = getattr(self.plain, place)[segment]
            if name in self.own:
                figure[np.ix_(mine, self.columns[name])] = self.own[name][row]
            full[place] = figure
        return ContactFigures(**full)

    def at(self, rows: NDArray[np.int64], options: NDArray[np.int64]) -> ContactFigures:
        """The figures of rows and options, pair by pair."""
        segment, mine = self.segment[rows], rows >= len(self.plain)
        told = {}
        for name, place in PLACES.items():
            told[place] = getattr(self.plain, place)[segment, options]
            if name in self.own:
                column = np.full(self.plain.rate.shape[1], -1)
                column[self.columns[name]] = np.arange(len(self.columns[name]))
                here = np.flatnonzero(mine & (column[options] >= 0))
                own = self.own[name][rows[here] - len(self.plain), column[options[here]]]
                told[place][here] = own
        return ContactFigures(**told)

    def of_cells(self, cells: Cells) -> tuple[Cells, ContactFigures]:
        """The cells with their rows numbered anew, none that they lack, and those rows in full."""
        if cells.own_figures is None:
            return cells, self.plain
        count = len(self.plain)
        used = np.union1d(np.arange(count), cells.own_figures)
        return replace(cells, own_figures=np.searchsorted(used, cells.own_figures)), self.rows(used)


def own_figures(
    plan: Plan,
    timetable: Timetable,
    plain: ContactFigures,
    segments: tuple[str, ...],
    keys: CustomerKeys,
    engine: Engine,
    bands: CustomerBands | None = None,
) -> OwnFigures:
    """The rows of figures of all customers.

    Equal figures in a segment share a row, and those that equal the segment's are the segment's.
    """
    nobody = OwnFigures(plain, np.arange(len(plain), dtype=np.int32))
    by = [name for name in ("band", "scores") if name in keys.table.columns]
    if not by:
        return nobody
    by = ["segment", *by]
    pairs = engine.keep(
        "own figures",
        keys.table.group_by(by).agg(customer_id=keys.table.customer_id.min()),
    )
    found = pairs.select(by).to_pyarrow()
    label = found.column("segment").combine_chunks().dictionary_encode()
    told = np.column_stack([found.column(name).to_numpy() for name in by[1:]])
    place = np.array([segments.index(str(name)) for name in label.dictionary.to_pylist()], dtype=np.int64)
    g = place[label.indices.to_numpy()]
    order = np.lexsort((*told.T[::-1], g))
    mine = order[(told[order] != 0).any(axis=1)]
    if not len(mine):
        return nobody
    number = np.full(len(found), -1, dtype=np.int64)
    number[mine] = np.arange(len(mine))
    numbered = ibis.memtable(found.append_column("number", pa.array(number)))
    own = pairs.join(numbered.filter(numbered.number >= 0), by)
    own = engine.keep("own figures numbered", own.select("customer_id", "number"))
    said = {} if keys.scores is None else _said(keys.scores, engine, own, timetable, len(mine))
    if bands is not None:
        _say_bands(said, plain, segments, bands, g[mine], told[mine, 0])
    columns, whole = _replaced(plan, timetable, plain, g[mine], said)
    first, row = _distinct(plain, g[mine], columns, whole)
    rows = g.copy()
    rows[mine] = row
    for name in ("own figures", "own figures numbered"):
        engine.drop(name)
    if not len(first):
        return nobody
    book = ibis.memtable(found.append_column("figures", pa.array(rows.astype(np.int32))))
    # Worked out here: joined with more that has segments, an engine may begin with pairs of the same segment.
    customers = engine.keep("customers and figures", keys.table.join(book, by))
    segment = np.append(np.arange(len(plain)), g[mine][first]).astype(np.int32)
    return OwnFigures(plain, segment, columns, {name: own[first] for name, own in whole.items()}, customers)


def _say_bands(
    said: dict[str, dict[int, Figures]],
    plain: ContactFigures,
    segments: tuple[str, ...],
    bands: CustomerBands,
    segment: NDArray[np.int64],
    band: NDArray[np.int64],
) -> None:
    """Put the band's response rates where a customer has none of the table `scores`."""
    known = bands.multiplier()
    pairs = zip(segment.tolist(), band.tolist(), strict=True)
    factor = np.array([known.get((segments[g], b), 1.0) for g, b in pairs])
    own = said.setdefault("response_rate", {})
    for i in range(plain.rate.shape[1]):
        rate = np.round(np.clip(plain.rate[segment, i] * factor, 0.0, 1.0), FIELDS["response_rate"])
        own[i] = np.where(np.isnan(own[i]), rate, own[i]) if i in own else rate


def _said(
    scores: OwnScores, engine: Engine, numbered: ir.Table, timetable: Timetable, count: int
) -> dict[str, dict[int, Figures]]:
    """By field and option: the figure of each number, NaN where the table says nothing."""
    fields = scores.fields()
    by_place: dict[str, dict[int, Figures]] = {name: {} for name in fields}
    for number, place, *units in scores.read(engine, numbered, fields):
        for p in np.unique(place).tolist():
            here = np.flatnonzero(place == p)
            for name, told in zip(fields, units, strict=True):
                has = here[told[here] != NO_FIGURE]
                if len(has):
                    figure = by_place[name].setdefault(p, np.full(count, np.nan))
                    figure[number[has]] = told[has] / 10.0 ** FIELDS[name]
    at = {key: p for p, key in enumerate(scores.places.itertuples(index=False, name=None))}
    said: dict[str, dict[int, Figures]] = {name: {} for name in fields}
    for i, option in enumerate(timetable.options):
        keys = at[option.campaign, option.channel], at[option.campaign, EVERY_CHANNEL]
        for name, figures in by_place.items():
            exact, general = (figures.get(key) for key in keys)
            if exact is not None and general is not None:
                said[name][i] = np.where(np.isnan(exact), general, exact)
            elif exact is not None or general is not None:
                said[name][i] = exact if exact is not None else general  # type: ignore[assignment]
    return said


def _replaced(
    plan: Plan,
    timetable: Timetable,
    plain: ContactFigures,
    segment: NDArray[np.int64],
    said: dict[str, dict[int, Figures]],
) -> tuple[dict[str, NDArray[np.int64]], dict[str, Figures]]:
    """The options for which there are own figures and the figures of each number, by field."""
    columns, whole = {}, {}
    for name, by_option in said.items():
        if not by_option:
            continue
        columns[name] = np.array(sorted(by_option), dtype=np.int64)
        whole[name] = np.empty((len(segment), len(by_option)))
        for k, i in enumerate(columns[name].tolist()):
            own, like = by_option.pop(i), getattr(plain, PLACES[name])[segment, i]
            if name == "cost_per_contact":
                own = own + plan.channels[timetable.options[i].channel].unit_cost
            # The segment's figure stays to the last digit where the customer's own is the same.
            new = ~np.isnan(own) & (np.round(own, FIELDS[name]) != np.round(like, FIELDS[name]))
            whole[name][:, k] = np.where(new, own, like)
    return columns, whole


def _distinct(
    plain: ContactFigures,
    segment: NDArray[np.int64],
    columns: dict[str, NDArray[np.int64]],
    whole: dict[str, Figures],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which numbers bring a new row of figures, and the row of every number."""
    count = len(plain)
    like = {name: getattr(plain, PLACES[name])[:, own] for name, own in columns.items()}
    marks = np.append(_marks(np.arange(count), like), _marks(segment, whole))
    _, first, number = np.unique(marks, return_index=True, return_inverse=True)
    number, group = number.reshape(-1), np.append(np.arange(count), segment)
    original = first[number]  # of equal marks the first; should figures differ after all, they stay apart
    for name, own in whole.items():
        for begin in range(0, len(segment), CHUNK):
            some = np.arange(begin, min(begin + CHUNK, len(segment)))
            some = some[original[count + some] != count + some]
            other = original[count + some]
            theirs = np.where((other < count)[:, None], like[name][np.minimum(other, count - 1)],
                              own[np.maximum(other - count, 0)])  # fmt: skip
            same = (own[some] == theirs).all(axis=1) & (group[other] == segment[some])
            original[count + some[~same]] = count + some[~same]
    new = np.flatnonzero(original == np.arange(len(original)))  # the segments' own come first
    rank = np.empty(len(original), dtype=np.int64)
    rank[new] = np.arange(len(new))
    return new[count:] - count, rank[original][count:]


def _marks(segment: NDArray[np.int64], figures: dict[str, Figures]) -> NDArray[np.uint64]:
    """A hash of segment and figures."""
    rng = np.random.default_rng(len(figures))
    mark = segment.astype(np.uint64) + np.uint64(1)
    for figure in figures.values():
        for column in figure.T:
            mark = (mark ^ (mark >> np.uint64(29))) * np.uint64(int(rng.integers(1, 1 << 62)) * 2 + 1)
            mark = mark + np.ascontiguousarray(column + 0.0).view(np.uint64)
    return (mark ^ (mark >> np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15)
