"""Patterns: the options that permissions, restrictions, audiences and hold-out leave on each send day."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from optimizer.customer_keys import CustomerKeys
from optimizer.plan_file import Plan
from optimizer.timetable import Timetable

Bits = NDArray[np.uint8]


class Patterns:
    """Numbers the distinct tables of allowed options; a table is kept as a row of bits."""

    def __init__(self, plan: Plan, keys: CustomerKeys, timetable: Timetable) -> None:
        self._plan, self._keys, self._timetable = plan, keys, timetable
        self._number: dict[bytes, int] = {}
        self._rows: list[bytes] = []

    def number(self, kinds: pd.DataFrame, held: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The pattern of each kind of customer (columns as KIND), as if held out where `held` says so."""
        aimed, aim = pd.factorize(pd.MultiIndex.from_arrays([kinds.segment, kinds.audiences, held]))
        permitted, permission = pd.factorize(kinds.permissions, sort=True)
        restricted, restriction = pd.factorize(kinds.restrictions, sort=True)
        may = self._bits([self._targeted(*key) for key in aim])
        granted = self._bits([self._permission(int(number)) for number in permission])
        blocked = self._bits([self._restriction(int(number)) for number in restriction])
        return self.numbers(may[aimed] & granted[permitted] & ~blocked[restricted])

    def numbers(self, rows: Bits) -> NDArray[np.int64]:
        """The numbers of patterns given as rows of bits; new ones are added."""
        # Looking rows up takes a fraction of sorting them.
        marks = [row.tobytes() for row in rows]
        fresh = sorted(set(marks).difference(self._number))
        self._number.update(zip(fresh, range(len(self._rows), len(self._rows) + len(fresh)), strict=True))
        self._rows += fresh
        return np.array([self._number[mark] for mark in marks], dtype=np.int64)

    def bits(self, numbers: NDArray[np.int64]) -> Bits:
        """The patterns as rows of bits, send day by send day."""
        every = np.frombuffer(b"".join(self._rows), dtype=np.uint8).reshape(len(self._rows), -1)
        return np.asarray(every[numbers])

    def allowed(self, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """By pattern (in the order given), send day and option: whether it is allowed."""
        shape = self._timetable.sendable.shape
        flat = np.unpackbits(self.bits(numbers), axis=1)[:, : self._timetable.sendable.size]
        return flat.astype(bool).reshape(len(numbers), *shape)

    def campaigns(self, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """By pattern (in the order given) and campaign of the timetable: whether it may be sent at all."""
        used, place = np.unique(numbers, return_inverse=True)
        names = list(dict.fromkeys(option.campaign for option in self._timetable.options))
        of_option = np.array([names.index(option.campaign) for option in self._timetable.options])
        may = np.zeros((len(used), len(names)), dtype=bool)
        rows, options = np.nonzero(self.allowed(used).any(axis=1))
        may[rows, of_option[options]] = True
        return np.asarray(may[place.reshape(-1)])

    def _bits(self, tables: list[NDArray[np.bool_]]) -> Bits:
        whole = np.array(tables, dtype=bool).reshape(len(tables), self._timetable.sendable.size)
        # A byte more, so that there is a row of bits even without send days.
        return np.packbits(np.hstack([whole, np.zeros((len(tables), 8), dtype=bool)]), axis=1)

    def _targeted(self, segment: str, audiences: str, held: bool) -> NDArray[np.bool_]:
        """Options whose campaign addresses the customer at all, on their send days."""
        outside = {
            name for name, bit in zip(self._keys.audience_campaigns, audiences, strict=True) if bit == "0"
        }
        aimed = [
            option.campaign not in outside
            and segment in (self._plan.campaigns[option.campaign].segments or (segment,))
            and not (held and option.type in self._plan.hold_out.types)
            for option in self._timetable.options
        ]
        return np.asarray(self._timetable.sendable & np.array(aimed, dtype=bool))

    def _permission(self, number: int) -> NDArray[np.bool_]:
        codes = list(self._keys.permission_lists[number])
        granted, denied, spoken = (table[codes].any(axis=0) for table in self._rows_say)
        return np.asarray((granted | (self._open & ~spoken)) & ~denied)

    @cached_property
    def _open(self) -> NDArray[np.bool_]:
        """By option: whether its channel needs no permission."""
        default = {name: channel.default_permission for name, channel in self._plan.channels.items()}
        return np.array([default[o.channel] == "granted" for o in self._timetable.options], dtype=bool)

    @cached_property
    def _rows_say(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
        """By permission code, send day and option: granted, denied, and (by option) spoken of by a grant."""
        shape = (len(self._keys.permissions), *self._timetable.sendable.shape)
        granted, denied = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
        spoken = np.zeros((shape[0], 1, shape[2]), dtype=bool)
        for code, row in enumerate(self._keys.permissions):
            named = [
                row.channel == option.channel and row.topic in (None, option.type)
                for option in self._timetable.options
            ]
            said = row.covers[:, None] & np.array(named, dtype=bool)
            if row.granted:
                granted[code], spoken[code] = said, np.array(named, dtype=bool)
            else:
                denied[code] = said
        return granted, denied, spoken

    def _restriction(self, number: int) -> NDArray[np.bool_]:
        table: NDArray[np.bool_] = np.zeros(self._timetable.sendable.shape, dtype=bool)
        for code in self._keys.restriction_lists[number]:
            row = self._keys.restrictions[code]
            blocked = np.array([option.type in row.types for option in self._timetable.options], dtype=bool)
            table |= row.covers[:, None] & blocked
        return table
