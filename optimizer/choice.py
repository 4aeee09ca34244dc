"""All customers choosing from a menu: every fine cell's best stream at the limits' prices."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer import stream_choice
from optimizer.choosers import choosers_of, rows_of
from optimizer.customer_keys import CustomerKeys
from optimizer.figures_worth import FiguresWorth, OwnWorth
from optimizer.fine_cells import FineCells
from optimizer.generation import SHUT
from optimizer.menu import BITS, Menu
from optimizer.menu_fit import MenuFit
from optimizer.prices import fixed_tolls
from optimizer.stream_choice import EMPTY, MenuWorth
from optimizer.timetable import Timetable

BLOCKS = 400
"""How many blocks of cells have rows of their own in the program."""

NEVER = 1e300
"""The fee of a place on the menu that holds no stream."""

Floats = NDArray[np.float64]
Places = NDArray[np.int16]


@dataclass(frozen=True)
class Choice:
    """`which[n]` is the place of cell n's stream on its segment's menu (EMPTY: none).

    By block: `worth` at the prices that were asked, `value` without any, and `use` of every limit.
    """

    which: Places
    worth: Floats
    value: Floats
    use: Floats

    def with_blocks(self, blocks: NDArray[np.int64], cells: NDArray[np.int64], own: Choice) -> Choice:
        """The same but for some blocks, which hold these cells and choose as `own` has it."""
        which, worth = self.which.copy(), self.worth.copy()
        value, use = self.value.copy(), self.use.copy()
        which[cells], worth[blocks], value[blocks], use[blocks] = own.which, own.worth, own.value, own.use
        return Choice(which, worth, value, use)


class MenuChoice:
    """Fine cells and a menu; `blocks[b]` to `blocks[b + 1]` are the cells of block b, all of one segment."""

    def __init__(
        self,
        fine: FineCells,
        menu: Menu,
        fit: MenuFit,
        keys: CustomerKeys,
        timetable: Timetable,
        figures: FiguresWorth,
    ) -> None:
        self.fine, self.menu, self.pricing = fine, menu, menu.pricing
        self._choosers, self._free = choosers_of(fine, menu, fit, keys, timetable, figures.dearer), fit.free
        self._figures = figures
        self._shape = len(menu.streams), max(1, *(len(own) for own in menu.streams))
        self._stream_of_contact = np.repeat(
            np.arange(self._shape[0] * self._shape[1]), np.diff(self._choosers.first, axis=1).reshape(-1)
        )
        self._reached, self._never = self._reaches(), self._nowhere()
        self._stream_use, self._tiring = self._uses(), self._tires()
        self._place()

    def of_part(self, customers: int) -> MenuChoice:
        """The choice of about so many customers, in whose place all others stand."""
        part = copy(self)
        part.fine = self.fine.drawn(customers)
        part._place()
        return part

    def of_blocks(self, blocks: NDArray[np.int64]) -> MenuChoice:
        """The choice of the customers in some of the blocks."""
        part, cells = copy(self), self.cells_of(blocks)
        part.fine = self.fine.some(cells, self.fine.customers[cells])
        part._place(np.concatenate([[0], np.cumsum(np.diff(self.blocks)[blocks])]))
        return part

    def cells_of(self, blocks: NDArray[np.int64]) -> NDArray[np.int64]:
        """The cells of some blocks."""
        inside = np.zeros(len(self.segment), dtype=bool)
        inside[blocks] = True
        return np.flatnonzero(np.repeat(inside, np.diff(self.blocks)))

    def nothing(self) -> Choice:
        """No stream for anybody."""
        zero = np.zeros(len(self.segment))
        which = np.full(len(self.fine), EMPTY, dtype=np.int16)
        return Choice(which, zero, zero, np.zeros((len(zero), len(self.pricing.limits))))

    def _place(self, blocks: NDArray[np.int64] | None = None) -> None:
        fine = self.fine
        self.blocks = _blocks(fine) if blocks is None else blocks
        self.segment = fine.segment_of_kind[fine.kind[self.blocks[:-1]]]
        self._choosers = self._choosers._replace(
            figures=rows_of(fine), kind=fine.kind, listed=fine.listed, customers=fine.customers
        )

    @property
    def menu_size(self) -> int:
        """The most streams that a segment's menu holds."""
        return self._shape[1]

    @property
    def sizes(self) -> Floats:
        """The customers of each block."""
        return np.add.reduceat(self.fine.customers, self.blocks[:-1]).astype(np.float64)

    def worth(self, prices: Floats, used: Floats, thrifty: bool = True) -> MenuWorth:
        """What the menu is worth at the prices, campaigns that are not `used` being closed.

        Where costs are no part of the objective, `thrifty` makes a contact cost next to nothing, so that of
        streams worth the same the cheapest is chosen.
        """
        pricing = self.pricing
        worth = pricing.worth(prices, fixed_tolls(used, len(pricing.cells)))
        unit, contact = pricing.objective.thrift() if thrifty else (0.0, 0.0)
        thrift = unit * pricing.objective.cost + contact
        chosen, stream = self._choosers, self._stream_of_contact
        at = chosen.segment_of_contact, chosen.day, chosen.option
        each = worth.charge[at] + worth.toll[0, chosen.option] + thrift[at[0], at[2]]
        fee = np.bincount(stream, each, self._never.size).reshape(self._shape) + self._never
        fee -= np.einsum("gsk,gk->gs", self._reached, worth.bonus)
        own = self._figures.at(prices)
        return self._measure(own._replace(money=own.money + unit), fee, float(worth.stay))

    def choose(self, worth: MenuWorth, plain: MenuWorth, former: Choice | None = None) -> Choice:
        """Every cell's best stream at the prices of `worth`; `plain` is the worth without any price."""
        nothing = np.full(len(self.fine), EMPTY, dtype=np.int16)
        which = nothing if former is None else former.which.copy()
        total, count = np.zeros(len(self.segment)), np.zeros((len(self.segment), self._shape[1]))
        apart = self.fine.own_figures is not None
        chosen = stream_choice.choose_offered if apart else stream_choice.choose
        chosen(self._choosers, worth, self.blocks, which, total, count)
        use = np.zeros((len(count), self._stream_use.shape[2]))
        for g, own in enumerate(self._stream_use):
            use[self.segment == g] = count[self.segment == g] @ own[:-1]
        for r, tiring in self._tiring:
            use[:, r] += self._total(tiring, which)
        return Choice(which, total, self._total(plain, which), use)

    def value_of(self, cells: NDArray[np.int64], which: Places, worth: MenuWorth) -> Floats:
        """What streams are worth to cells, pair by pair."""
        value = np.empty(len(cells))
        stream_choice.worth_of_pairs(self._choosers, worth, cells, which, value)
        return value

    def use_of(self, cells: NDArray[np.int64], which: Places) -> Floats:
        """What one customer of a cell uses of every limit with a stream, pair by pair."""
        use = self._stream_use[self.fine.segment_of_kind[self.fine.kind[cells]], which]
        for r, tiring in self._tiring:
            use[:, r] += self.value_of(cells, which, tiring)
        return use

    def totals(
        self, cells: NDArray[np.int64], which: Places, customers: NDArray[np.int64], worth: MenuWorth
    ) -> tuple[Floats, float]:
        """What so many customers of the cells use of every limit with these streams, and their worth."""
        segment = self.fine.segment_of_kind[self.fine.kind[cells]]
        count = np.zeros(self._stream_use.shape[:2])
        np.add.at(count, (segment, which), customers)
        use = np.einsum("gs,gsr->r", count, self._stream_use)
        for r, tiring in self._tiring:
            use[r] += self.value_of(cells, which, tiring) @ customers
        return use, float(self.value_of(cells, which, worth) @ customers)

    def staying(self, cells: NDArray[np.int64], which: Places, customers: NDArray[np.int64]) -> int:
        """How many contacts stay as an earlier run had planned them, of so many customers of the cells."""
        if (self._choosers.planned < 0).all():
            return 0
        nothing = np.zeros(self._shape)
        staying = self._measure(self._figures.at(np.zeros(len(self.pricing.limits)), False), nothing, 1.0)
        return round(float(self.value_of(cells, which, staying) @ customers))

    def best_few(self, cells: NDArray[np.int64], worth: MenuWorth, most: int) -> Places:
        """The places of the cells' best streams at the prices, EMPTY beyond those that fit."""
        few = np.empty((len(cells), most), dtype=np.int16)
        stream_choice.best_few(self._choosers, worth, cells, few)
        return few

    def best_if_not_held_out(self, cells: NDArray[np.int64], worth: MenuWorth) -> Places:
        """The best stream that customers of the cells might have, were they not held out."""
        few = np.empty((len(cells), 1), dtype=np.int16)
        stream_choice.best_few(self._choosers._replace(by_kind=self._free), worth, cells, few)
        return np.where(self.value_of(cells, few[:, 0], worth) > 0, few[:, 0], EMPTY).astype(np.int16)

    def numbers(self, cells: NDArray[np.int64], which: Places) -> NDArray[np.int64]:
        """The streams' numbers in the book, 0 for the empty one."""
        book = np.array([np.pad(own, (0, self._shape[1] - len(own) + 1)) for own in self.menu.streams])
        return book[self.fine.segment_of_kind[self.fine.kind[cells]], which].astype(np.int64)

    def _uses(self) -> Floats:
        """By segment and stream the use of every limit, fatigue apart; the last stream is the empty one."""
        use = np.zeros((self._shape[0], self._shape[1] + 1, len(self.pricing.limits)))
        for g, own in enumerate(self.menu.streams):
            use[g, : len(own)] = self.pricing.stream_uses(g, own)
        return use

    def _reaches(self) -> NDArray[np.bool_]:
        """By segment, stream and reach: whether customers with the stream count."""
        own = [self.pricing.reaches(streams) for streams in self.menu.streams]
        return np.array([np.pad(one, ((0, self._shape[1] - len(one)), (0, 0))) for one in own])

    def _nowhere(self) -> Floats:
        """By segment and place on the menu: NEVER where it holds no stream, else nothing."""
        places = np.arange(self._shape[1])
        return np.array([np.where(places < len(own), 0.0, NEVER) for own in self.menu.streams])

    def _tires(self) -> list[tuple[int, MenuWorth]]:
        """The limits whose use fatigue or own figures touch, and what they touch of it as a worth."""
        own, nothing = self._figures, np.zeros(self._shape)
        return [(r, self._measure(own.use(r), nothing, 0.0)) for r in own.touched()]

    def scale(self, plain: MenuWorth) -> float:
        """What the best stream is worth or the dearest costs, whichever is more; at least 1.

        Where customers' figures differ that is to customers of a segment's mean figures.
        """
        most = plain.most
        if self.fine.own_figures is not None:
            most = self._most(self._figures.mean_gain(), plain.fee, plain.stay)
        dearest = np.abs(plain.fee)
        dearest = np.where(dearest < SHUT / 2, dearest, 0.0)  # neither shut campaigns nor empty places
        return max(1.0, float(most.max(initial=0.0)), float(dearest.max(initial=0.0)))

    def _most(self, gain: Floats, fee: Floats, stay: float) -> Floats:
        """What streams are worth to customers whom no earlier contact tires, by segment's gain[g, i]."""
        chosen = self._choosers
        untired = gain[chosen.segment_of_contact, chosen.option] * chosen.power[chosen.tired_by_own]
        running = np.concatenate([[0.0], np.cumsum(np.maximum(untired, 0.0) + stay)])
        return np.asarray(running[chosen.first[:, 1:]] - running[chosen.first[:, :-1]] - fee)

    def _measure(self, own: OwnWorth, fee: Floats, stay: float) -> MenuWorth:
        most = np.full(self._shape, np.inf)
        if self.fine.own_figures is None:
            most = self._most(own.gain, fee, stay)
            most += 1e-9 * np.abs(most)  # rounding must not leave out the best stream
        return MenuWorth(own.gain, own.beyond, own.money, fee, most, self._rest(most), stay)

    def _rest(self, most: Floats) -> Floats:
        """By segment and word of streams: the most that those in it or after it are worth."""
        begins = np.arange(0, most.shape[1], BITS)
        by_word = np.maximum.reduceat(most, begins, axis=1)
        return np.ascontiguousarray(np.maximum.accumulate(by_word[:, ::-1], axis=1)[:, ::-1])

    def _total(self, worth: MenuWorth, which: Places) -> Floats:
        total = np.zeros(len(self.segment))
        stream_choice.worth_of_chosen(self._choosers, worth, self.blocks, which, total)
        return total


def _blocks(fine: FineCells) -> NDArray[np.int64]:
    """Where the blocks begin, and the end: runs of about as many customers, none over two segments."""
    segment = fine.segment_of_kind[fine.kind]
    before = np.cumsum(fine.customers) - fine.customers
    run = before * BLOCKS // max(1, int(fine.customers.sum()))
    begins = np.flatnonzero(np.diff(run, prepend=-1) | np.diff(segment, prepend=-1))
    return np.append(begins, len(fine)).astype(np.int64)
