"""What a plan of fine cells is worth and uses by the customers' own figures, contact by contact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.contact_figures import objective_of, returned
from optimizer.own_figures import CHUNK
from optimizer.plan_file import Plan
from optimizer.problem import Problem
from optimizer.streams import Pricing

NEGLIGIBLE = 1e-6
"""What a limit may be missed by, as a share of its use."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FinePlan:
    """customers[m] customers of fine cell cell[m] get stream[m] of the pricing's book; campaigns `used`."""

    cell: NDArray[np.int64]
    stream: NDArray[np.int64]
    customers: NDArray[np.int64]
    used: Floats


@dataclass(frozen=True)
class Judgement:
    """What a plan is worth, setup costs and penalties taken off; what its contacts are worth by segment; and
    the hard limits that it breaks.
    """

    value: float
    by_segment: Floats
    broken: tuple[str, ...]


@dataclass(frozen=True)
class _Contacts:
    """Contacts of pairs of a cell and a stream: segment, row of figures, send day, option, factor of fatigue,
    and how many customers have it.
    """

    g: NDArray[np.int64]
    f: NDArray[np.int64]
    t: NDArray[np.int64]
    i: NDArray[np.int64]
    factor: Floats
    customers: NDArray[np.int64]


class FineWorth:
    """Judges plans of all customers; `pricing` has their streams and the limits of `problem`."""

    def __init__(self, plan: Plan, problem: Problem, pricing: Pricing) -> None:
        self._plan, self._problem, self._pricing = plan, problem, pricing
        self._fine = problem.everyone.fine
        self._segment = self._fine.segment_of_kind[self._fine.kind]

    def judged(self, found: FinePlan) -> Judgement:
        """What a plan comes to."""
        by_segment, use = np.zeros(len(self._fine.segments)), self._stream_use(found)
        plain = objective_of(self._plan, self._problem.own.plain)
        sent = found.stream > 0
        reached = np.bincount(self._segment[found.cell[sent]], weights=found.customers[sent],
                              minlength=len(by_segment))  # fmt: skip
        by_segment += plain.reached * reached
        for begin in range(0, len(found.cell), CHUNK):
            contacts = self._contacts(found, slice(begin, begin + CHUNK))
            figures = self._problem.own.at(contacts.f, contacts.i)
            goal = objective_of(self._plan, figures)
            value = (goal.gain * contacts.factor - goal.charge) * contacts.customers
            by_segment += np.bincount(contacts.g, weights=value, minlength=len(by_segment))
            self._add_use(use, contacts, returned(figures), figures.cost, figures.value)
        rows = self._pricing.rows
        beside = float(rows.setup @ found.used) + rows.penalty(use, found.used)
        over = rows.missed(use, found.used) > NEGLIGIBLE * np.maximum(1.0, np.abs(use))
        hard = np.isinf(rows.soft)
        broken = [self._problem.limits[r].path for r in np.flatnonzero(over & hard)]
        return Judgement(round(float(by_segment.sum()) - beside, 6), by_segment, tuple(broken))

    def _stream_use(self, found: FinePlan) -> Floats:
        """What the plan uses of every limit, but for what fatigue and own figures touch."""
        use = np.zeros(len(self._pricing.limits))
        segment = self._segment[found.cell]
        for g in np.unique(segment).tolist():
            own = segment == g
            numbers, place = np.unique(found.stream[own], return_inverse=True)
            count = np.bincount(place.reshape(-1), weights=found.customers[own])
            use += count @ self._pricing.stream_uses(g, numbers)
        return use

    def _add_use(self, use: Floats, contacts: _Contacts, back: Floats, cost: Floats, value: Floats) -> None:
        """Add what fatigue and own figures make contacts use of limits."""
        plain, g, t, i = self._problem.own.plain, contacts.g, contacts.t, contacts.i
        dearer, better = cost - plain.cost[g, i], value - plain.value[g, i]
        for r, limit in enumerate(self._problem.limits):
            counted = contacts.customers * limit.segments[g]
            if limit.tiring is not None:
                use[r] += float(back * contacts.factor @ counted)
            if limit.spend is not None:
                use[r] += float(limit.spend[t, i] * dearer @ counted)
            if limit.earn:
                use[r] += limit.earn * float(better @ counted)

    def _contacts(self, found: FinePlan, some: slice) -> _Contacts:
        problem, fine = self._problem, self._fine
        cell, customers = found.cell[some], found.customers[some]
        numbers, place = np.unique(found.stream[some], return_inverse=True)
        streams = [self._pricing.book.streams[s] for s in numbers.tolist()]
        days, reach = problem.timetable.days, problem.rules.fatigue_days
        flat = np.array(
            [
                (t, i, sum(1 <= days[t] - days[u] <= reach for u, _ in stream))
                for stream in streams
                for t, i in stream
            ],
            dtype=np.int64,
        ).reshape(-1, 3)
        size = np.array([len(stream) for stream in streams], dtype=np.int64)
        first, count = np.cumsum(size) - size, size[place.reshape(-1)]
        pair = np.repeat(np.arange(len(cell)), count)
        nth = np.arange(len(pair)) - np.repeat(np.cumsum(count) - count, count)
        t, i, by_own = flat[first[place.reshape(-1)[pair]] + nth].T
        own = cell[pair]
        tired = fine.fatigue[fine.tired[fine.listed[own]], t] + by_own
        factor = problem.rules.fatigue_keep ** tired.astype(np.float64)
        return _Contacts(self._segment[own], fine.figures[own], t, i, factor, customers[pair])
