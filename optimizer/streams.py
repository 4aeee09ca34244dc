"""Streams: dated series of contacts one customer may have, what they bring, and what they use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import get_num_threads
from numpy.typing import NDArray
from scipy import sparse

from optimizer import stream_walk
from optimizer.cells import Cells
from optimizer.contact_figures import Objective
from optimizer.limits import Limit
from optimizer.rows import Rows
from optimizer.rules import ContactRules
from optimizer.stream_book import Stream, StreamBook
from optimizer.stream_graph import StreamGraph
from optimizer.stream_ground import NOTHING, Worth, ground_of, plain
from optimizer.stream_listing import streams_above
from optimizer.stream_search import search
from optimizer.switches import Switch
from optimizer.timetable import Timetable


@dataclass(frozen=True)
class Tolls:
    """What a contact costs besides for the use of its campaign: fee[row[cell], c] for switch c."""

    row: NDArray[np.int64]
    fee: NDArray[np.float64]


class Pricing:
    """Finds the best streams of cells at the limits' prices."""

    def __init__(
        self,
        timetable: Timetable,
        rules: ContactRules,
        graph: StreamGraph,
        cells: Cells,
        limits: Sequence[Limit],
        switches: Sequence[Switch],
        objective: Objective,
        book: StreamBook | None = None,
    ) -> None:
        self._timetable, self._rules, self._graph = timetable, rules, graph
        self.cells, self.limits, self.objective = cells, tuple(limits), objective
        self.switches, self.book = tuple(switches), book or StreamBook()
        self.rows = Rows.of(self.limits, self.switches, objective.pays_setup)
        self.days, self.options = timetable.sendable.shape
        self._reach = [r for r, limit in enumerate(self.limits) if limit.customers]
        self._additive = [r for r, limit in enumerate(self.limits) if not limit.customers]
        self.tiring = [r for r, limit in enumerate(self.limits) if limit.tiring is not None]
        self._use = np.array([self.limits[r].use for r in self._additive]).reshape(
            len(self._additive), self.days, self.options
        )
        self._spend = np.array([self._spent(self.limits[r]) for r in self._additive]).reshape(self._use.shape)
        self._earn = np.array([self.limits[r].earn for r in self._additive])
        self._counts = np.array([limit.segments for limit in self.limits], dtype=bool).reshape(
            len(self.limits), len(cells.segments)
        )
        self._switched = np.array([switch.options for switch in self.switches], dtype=float).reshape(
            len(self.switches), self.options
        )
        self._segment_of_row, self._dearer, self._better = self._own_figures()
        bonuses = self._bonuses()
        self._ground = ground_of(graph, rules, timetable, cells, self._dearer, bonuses)
        self._penalty = np.zeros((len(cells), graph.once_count + len(bonuses)))

    def under(self, limits: Sequence[Limit], objective: Objective) -> Pricing:
        """The same cells and known streams under other limits and another objective."""
        parts = (self._timetable, self._rules, self._graph, self.cells)
        return Pricing(*parts, limits, self.switches, objective, self.book)

    def without_switches(self, cells: Cells) -> Pricing:
        """The same limits for other cells, the campaigns in use taken as decided."""
        parts = (self._timetable, self._rules, self._graph)
        return Pricing(*parts, cells, self.limits, (), self.objective, self.book)

    def over(self, cells: Cells) -> Pricing:
        """The same limits, objective and known streams for other cells of the same segments."""
        parts = (self._timetable, self._rules, self._graph)
        return Pricing(*parts, cells, self.limits, self.switches, self.objective, self.book)

    def fits(self, cells: Cells, numbers: NDArray[np.int64], streams: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether each cell of other cells (numbers) may have a stream, pair by pair; no worth is asked."""
        nothing = np.zeros((len(cells.segments), self.options))
        parts = (self._timetable, self._rules, self._graph)
        bare = Pricing(*parts, cells, (), (), Objective(nothing, nothing, nothing, nothing), self.book)
        return np.asarray(np.isfinite(bare.value(numbers, streams)))

    def _own_figures(self) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """By row of figures its segment; by own row how much more a contact costs, and is worth in itself.

        More than in the row of its segment: what limits count of money is stated for that one.
        """
        cells, goal = self.cells, self.objective
        segments = len(cells.segments)
        segment = np.minimum(np.arange(len(goal.gain)), segments - 1)
        segment[cells.figures] = cells.segment
        like = segment[segments:]
        return segment, goal.cost[segments:] - goal.cost[like], goal.value[segments:] - goal.value[like]

    def _spent(self, limit: Limit) -> NDArray[np.float64]:
        return np.zeros((self.days, self.options)) if limit.spend is None else limit.spend

    def begin_like(self, other: Pricing) -> None:
        """Let the searches of all cells begin with the mean penalties of another's cells of their segment."""
        weight = np.zeros((len(self.cells.segments), len(other.cells)))
        weight[other.cells.segment, np.arange(len(other.cells))] = other.cells.customers
        mean = (weight @ other._penalty) / np.maximum(1.0, weight.sum(axis=1))[:, None]
        self._penalty[:] = mean[self.cells.segment]

    def _bonuses(self) -> NDArray[np.bool_]:
        """By option, what earns a bonus once: a row for each reach limit, and for the objective's own."""
        bonuses = [self.limits[r].use.any(axis=0) for r in self._reach]
        if self.objective.reached:
            bonuses.append(np.ones(self.options, dtype=bool))
        return np.array(bonuses, dtype=bool).reshape(len(bonuses), self.options)

    def worth(self, prices: NDArray[np.float64], tolls: Tolls | None = None, shortage: bool = False) -> Worth:
        """What contacts are worth at the prices; with `shortage` only towards what is missing."""
        segments, goal = len(self.cells.segments), self.objective
        priced = prices[:, None] * self._counts
        charge = np.einsum("rg,rti->gti", priced[self._additive], self._use)
        gain = np.zeros_like(goal.gain)
        if not shortage:
            gain, charge = gain + goal.gain, charge + goal.charge[:segments, None, :]
        for r in self.tiring:
            gain = gain - priced[r][self._segment_of_row, None] * self.limits[r].tiring
        beyond, money = self._beyond(priced[self._additive], shortage)
        bonus = -priced[self._reach].T
        if goal.reached:
            bonus = np.hstack([bonus, np.full((segments, 1), 0.0 if shortage else goal.reached)])
        row, toll = np.zeros(len(self.cells), dtype=np.int64), np.zeros((1, self.options))
        if tolls is not None:
            row, toll = tolls.row, tolls.fee @ self._switched
        stay = 0.0 if shortage else goal.stay
        return Worth(
            plain(gain), plain(charge), plain(beyond), plain(money), plain(bonus), plain(row),
            plain(toll), stay,
        )  # fmt: skip

    def _beyond(
        self, priced: NDArray[np.float64], shortage: bool
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Worth.beyond and Worth.money; `priced` holds the prices of the additive limits by segment."""
        goal, segments = self.objective, len(self.cells.segments)
        like = self._segment_of_row[segments:]
        if not len(like):
            return np.zeros((0, self.options)), np.zeros((0, self.days, self.options))
        beyond = (self._earn @ priced)[like, None] * self._better
        if not shortage:
            beyond = beyond + goal.charge[segments:] - goal.charge[like]
        return beyond, np.einsum("rg,rti->gti", priced, self._spend)

    def best_known(
        self, worth: Worth, cells: NDArray[np.int64], menu: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """For each cell the best stream of the menu (numbers) at the prices: worth and number."""
        rows, begin = self.book.arrays(menu)
        value, which = np.empty(len(cells)), np.empty(len(cells), dtype=np.int64)
        stream_walk.best_known(self._ground, worth, plain(cells), rows, begin, value, which)
        return value, menu[which]

    def search(
        self,
        worth: Worth,
        cells: NDArray[np.int64],
        floor: NDArray[np.float64],
        slack: float,
        most_labels: int,
    ) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
        """For each cell its best stream of all at the prices: worth, number, and a bound on its streams.

        Where no stream better than `floor` is found the answer is the floor and -1. Worth and bound are
        within `slack` of each other, unless a cell's search would take more than `most_labels` labels.
        """
        if not self.options:  # without campaigns there is the empty stream only
            return floor, np.full(len(cells), -1, dtype=np.int64), np.maximum(floor, 0.0)
        value, path = np.empty(len(cells)), np.full((len(cells), self.days), NOTHING, dtype=np.int32)
        bound, penalty = np.empty(len(cells)), self._penalty[cells]
        search(
            self._ground, worth, plain(cells), plain(floor), slack, most_labels, penalty, value, bound,
            path, get_num_threads(),
        )  # fmt: skip
        self._penalty[cells] = penalty
        better = value > floor
        number = np.full(len(cells), -1, dtype=np.int64)
        number[better] = self.book.add_paths(path[better])
        return value, number, bound

    def known_above(
        self, worth: Worth, cells: NDArray[np.int64], floor: NDArray[np.float64], most: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
        """Cells and known streams, pair by pair, worth at least the cell's floor; None beyond `most`."""
        rows, begin = self.book.arrays(range(len(self.book)))
        pairs = np.empty((most, 2), dtype=np.int64)
        found = stream_walk.known_above(self._ground, worth, plain(cells), rows, begin, plain(floor), pairs)
        return (cells[pairs[:found, 0]], pairs[:found, 1]) if found <= most else None

    def above(
        self, worth: Worth, cell: int, floor: float, most: int, most_steps: int
    ) -> tuple[NDArray[np.int64] | None, int]:
        """The numbers of all streams of a cell worth at least `floor`, and the steps taken to find them.

        None if there are more than `most`, or if finding them takes more than `most_steps`.
        """
        if not self.options:
            return np.zeros(int(floor <= 0), dtype=np.int64), 1
        found, paths, steps = streams_above(
            self._ground, worth, cell, floor, self._penalty[cell], most, most_steps
        )
        return (None if found < 0 else self.book.add_paths(paths[:found])), steps

    def value(
        self, cells: NDArray[np.int64], streams: NDArray[np.int64], worth: Worth | None = None
    ) -> NDArray[np.float64]:
        """The objective's value of a stream in a cell (-inf where it may not have it), pair by pair."""
        worth = self.worth(np.zeros(len(self.limits))) if worth is None else worth
        numbers, place = np.unique(streams, return_inverse=True)
        rows, begin = self.book.arrays(numbers)
        value = np.empty(len(cells))
        stream_walk.worth_of(self._ground, worth, plain(cells), place.reshape(-1), rows, begin, value)
        return value

    def use(self, cells: NDArray[np.int64], streams: NDArray[np.int64]) -> sparse.csr_array:
        """What one customer of a cell with a stream uses of every limit, pair by pair."""
        numbers, place = np.unique(streams, return_inverse=True)
        by_stream = np.array([self._stream_use(self.book.streams[number]) for number in numbers])
        by_stream = by_stream.reshape(len(numbers), len(self.limits))
        use = by_stream[place.reshape(-1)]
        use[:, self._additive] += self._own_use(cells, streams)
        use *= self._counts.T[self.cells.segment[cells]]
        for r in self.tiring:
            price = np.zeros(len(self.limits))
            price[r] = -1.0
            use[:, r] = self.value(cells, streams, self.worth(price, shortage=True))
        return sparse.csr_array(use)

    def total_use(
        self, cells: NDArray[np.int64], streams: NDArray[np.int64], customers: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """What so many customers of the cells use of every limit with these streams, all together."""
        total = np.zeros(len(self.limits))
        segment = self.cells.segment[cells]
        for g in np.unique(segment).tolist():
            own = segment == g
            used, place = np.unique(streams[own], return_inverse=True)
            count = np.bincount(place.reshape(-1), weights=customers[own])
            total += count @ self.stream_uses(g, used)
        own = np.flatnonzero(self.cells.figures[cells] >= len(self.cells.segments))
        if len(own):
            counts = self._counts[self._additive][:, segment[own]].T
            total[self._additive] += customers[own] @ (self._own_use(cells[own], streams[own]) * counts)
        for r in self.tiring:
            price = np.zeros(len(self.limits))
            price[r] = -1.0
            total[r] = self.value(cells, streams, self.worth(price, shortage=True)) @ customers
        return total

    def stream_uses(self, segment: int, streams: NDArray[np.int64]) -> NDArray[np.float64]:
        """What a customer of a segment uses of every limit with each stream, but for what fatigue touches."""
        use = np.array([self._stream_use(self.book.streams[number]) for number in streams.tolist()])
        return np.asarray(use.reshape(len(streams), len(self.limits)) * self._counts[:, segment])

    def reaches(self, streams: NDArray[np.int64]) -> NDArray[np.bool_]:
        """By stream and reach: whether a customer with it counts, and so earns Worth.bonus."""
        named = [[i for _, i in self.book.streams[number]] for number in streams.tolist()]
        counts = [self._ground.reach_names[:, options].any(axis=1) for options in named]
        return np.array(counts, dtype=bool).reshape(len(streams), len(self._ground.reach_names))

    def power(self, most: int) -> NDArray[np.float64]:
        """The fatigue factors of up to `most` contacts before."""
        return np.asarray(self._rules.fatigue_keep ** np.arange(most + 1))

    def contacts(self, streams: NDArray[np.int64]) -> NDArray[np.float64]:
        """The contacts of each switch (second axis) in the streams."""
        numbers, place = np.unique(streams, return_inverse=True)
        counts = [
            self._switched[:, [i for _, i in self.book.streams[number]]].sum(axis=1) for number in numbers
        ]
        return np.array(counts).reshape(len(numbers), len(self.switches))[place.reshape(-1)]

    def cost(
        self, cells: NDArray[np.int64], streams: NDArray[np.int64], extra: float = 0.0
    ) -> NDArray[np.float64]:
        """The money that each stream costs in its cell, `extra` added for every contact."""
        each = self.objective.cost + extra
        pairs = zip(self.cells.figures[cells].tolist(), streams.tolist(), strict=True)
        return np.array([sum(float(each[f, i]) for _, i in self.book.streams[s]) for f, s in pairs])

    def _own_use(self, cells: NDArray[np.int64], streams: NDArray[np.int64]) -> NDArray[np.float64]:
        """What own figures make a customer use of the additive limits beyond what the segment's do."""
        use, segments = np.zeros((len(cells), len(self._additive))), len(self.cells.segments)
        row = self.cells.figures[cells] - segments
        pairs = np.flatnonzero(row >= 0)
        money = np.flatnonzero((self._earn != 0) | self._spend.any(axis=(1, 2)))
        if not len(pairs) or not len(money):
            return use
        sent = [self.book.streams[s] for s in streams[pairs].tolist()]
        pair = np.repeat(pairs, [len(stream) for stream in sent])
        t, i = np.array([contact for stream in sent for contact in stream], dtype=np.int64).reshape(-1, 2).T
        dearer, better = self._dearer[row[pair], i], self._better[row[pair], i]
        for r in money.tolist():
            more = self._spend[r, t, i] * dearer + self._earn[r] * better
            use[:, r] = np.bincount(pair, weights=more, minlength=len(cells))
        return use

    def kept(self, cells: NDArray[np.int64], streams: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many provisional contacts of an earlier run each cell keeps with its stream, pair by pair."""
        number, planned = self._ground.provisional[cells], self._ground.planned
        return np.array(
            [
                sum(planned[n, t] == i for t, i in self.book.streams[s])
                for n, s in zip(number.tolist(), streams.tolist(), strict=True)
            ],
            dtype=np.int64,
        )

    def most_contacts(self, cells: NDArray[np.int64]) -> NDArray[np.float64]:
        """The most contacts of each switch (second axis) that a customer of the cells may have."""
        if not self.switches:
            return np.zeros((len(cells), 0))
        here = self.cells
        may = here.allowed[here.pattern[cells]] & here.leeway.open[here.profile[cells]]
        most = [switch.most * may[:, :, switch.options].any(axis=(1, 2)) for switch in self.switches]
        return np.array(most, dtype=float).T

    def _stream_use(self, stream: Stream) -> NDArray[np.float64]:
        use = np.zeros(len(self.limits))
        for t, i in stream:
            use[self._additive] += self._use[:, t, i]
            use[self._reach] = np.maximum(use[self._reach], [self.limits[r].use[t, i] for r in self._reach])
        return use
