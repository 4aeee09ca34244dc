"""Those who choose from a menu, and the menu, as plain arrays for the compiled choice."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from optimizer.cells import provisional_plans
from optimizer.customer_keys import CustomerKeys
from optimizer.fine_cells import FineCells
from optimizer.menu import Menu
from optimizer.menu_fit import MenuFit
from optimizer.timetable import Timetable

BEGIN, END, TIRED, FILLED = range(4)
"""What stands where in Choosers.lists."""

Floats = NDArray[np.float64]


class Choosers(NamedTuple):
    """What no price changes, as plain arrays: fine cells n, kinds k, segments g, lists l, codes, caps c.

    Cell n has the figures in row figures[n], kind[n], and list listed[n]. lists[l] tells what a cell asks of
    a list, side by side, since that is what takes time: where in `codes` it begins (BEGIN) and ends (END), as
    whom its customers are tired (TIRED) and, from FILLED on, how they fill each cap. Bits are those of
    MenuFit. fatigue[tired, t] contacts tire one on send day t; `planned[kept[k], t]` is the option that an
    earlier run has provisionally planned. Stream s of segment g has the contacts first[g, s] to
    first[g, s + 1]: of segment_of_contact[c] = g, on send day day[c], of option option[c], tired by
    tired_by_own[c] others of its stream, so that rested[c] is left of its gain. Contacts of the same day
    and option of a segment are one offer: at[c] is its number among those of the segment, which are
    offer_day[o] and offer_option[o] from offers[g] to offers[g + 1]. In row f option i costs dearer[f, i]
    more than in its segment's; where there is no such row, nothing costs anybody more.
    """

    figures: Any
    kind: Any
    listed: Any
    customers: Any
    segment: Any
    kept: Any
    planned: Any
    lists: Any
    codes: Any
    by_kind: Any
    by_code: Any
    fatigue: Any
    own: Any
    owns: Any
    room_begin: Any
    room: Any
    first: Any
    segment_of_contact: Any
    day: Any
    option: Any
    tired_by_own: Any
    power: Any
    rested: Any
    at: Any
    offers: Any
    offer_day: Any
    offer_option: Any
    dearer: Any


def rows_of(fine: FineCells) -> NDArray[np.int32]:
    """By cell the row of its figures."""
    return fine.figures.astype(np.int32) if fine.own_figures is None else fine.own_figures


def choosers_of(
    fine: FineCells, menu: Menu, fit: MenuFit, keys: CustomerKeys, timetable: Timetable, dearer: Floats
) -> Choosers:
    """The arrays of fine cells that choose from a menu; `dearer` as in Choosers."""
    effects, rooms = keys.earlier.effects.by_code, fit.rooms
    first, contacts = _contacts(menu)
    days, reach = timetable.day_of, effects.rules.fatigue_days if effects.rules.fatigue_keep < 1 else 0
    tired_by_own = [
        sum(1 <= days[t] - days[u] <= reach for u, _ in stream) for stream in contacts for t, _ in stream
    ]
    flat = np.array([pair for stream in contacts for pair in stream], dtype=np.int64).reshape(-1, 2)
    segment = np.repeat(np.arange(len(first)), first[:, -1] - first[:, 0])
    offers, at = np.unique(np.column_stack([segment, flat]), axis=0, return_inverse=True)
    begins = np.searchsorted(offers[:, 0], np.arange(len(first) + 1))
    longest = int(np.diff(fine.lists.begin).max(initial=0)) + max(map(len, contacts), default=0)
    power, tired = menu.pricing.power(longest), np.array(tired_by_own, dtype=np.int64)
    told = fine.kinds.rows.provisional.to_numpy(dtype=np.int64)
    kept, planned = provisional_plans(told, keys.provisional_lists, timetable)
    shape = (len(menu.streams), menu.words)
    ends, filled = fine.lists.begin.astype(np.int32), [room.filled for room in rooms]
    lists = np.column_stack([ends[:-1], ends[1:], fine.tired, *filled])
    arrays = (
        rows_of(fine), fine.kind, fine.listed, fine.customers, fine.segment_of_kind, kept, planned,
        lists, fine.lists.codes, fit.by_kind, fit.by_code.reshape(-1, *shape), fine.fatigue.astype(np.int16),
        np.array([room.own for room in rooms], dtype=np.int32).reshape(len(rooms), len(fine.kinds)),
        np.array([room.owns for room in rooms], dtype=np.int64),
        np.cumsum([0, *(len(room.words) for room in rooms)], dtype=np.int64)[:-1],
        np.concatenate([np.zeros((0, *shape), dtype=np.int64), *(room.words for room in rooms)]),
        first, segment, flat[:, 0], flat[:, 1], tired, power, power[tired],
        at.reshape(-1) - begins[segment], begins, offers[:, 1], offers[:, 2], dearer,
    )  # fmt: skip
    return Choosers._make(np.ascontiguousarray(array) for array in arrays)


def _contacts(menu: Menu) -> tuple[NDArray[np.int64], list[tuple[tuple[int, int], ...]]]:
    """Where each segment's streams begin among all contacts, and the streams in that order."""
    width = max(1, *(len(own) for own in menu.streams))
    contacts = [menu.pricing.book.streams[number] for own in menu.streams for number in own.tolist()]
    sizes = np.zeros((len(menu.streams), width), dtype=np.int64)
    for g, own in enumerate(menu.streams):
        sizes[g, : len(own)] = [len(menu.pricing.book.streams[number]) for number in own.tolist()]
    ends = np.cumsum(sizes.reshape(-1)).reshape(sizes.shape)
    return np.hstack([(ends - sizes)[:, :1], ends]), contacts
