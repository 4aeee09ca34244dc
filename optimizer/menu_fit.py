"""Which streams of a menu fit whom, apart: by kind, by earlier contact, by cap that several of them fill."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from optimizer.cells import leeway_of
from optimizer.customer_lists import CodeLists, marks_of
from optimizer.fine_cells import FineCells
from optimizer.leeway import Effects
from optimizer.menu import Menu
from optimizer.rules import FrequencyCap


@dataclass(frozen=True)
class Room:
    """What several earlier contacts leave of one cap.

    List l fills it in the way filled[l], kind k has the own limit own[k] of `owns` different ones, and
    words[filled · owns + own, g] are the bits of the streams of segment g that keep the cap.
    """

    filled: NDArray[np.int32]
    own: NDArray[np.int32]
    owns: int
    words: NDArray[np.int64]


@dataclass(frozen=True)
class MenuFit:
    """Bits of streams, words last: by_kind[k] what kind k may be sent, free[k] what it might if not held out,
    by_code[code, g] what fits beside a contact of the code.
    """

    by_kind: NDArray[np.int64]
    free: NDArray[np.int64]
    by_code: NDArray[np.int64]
    rooms: tuple[Room, ...]


def menu_fit(menu: Menu, fine: FineCells, effects: Effects, shared: tuple[FrequencyCap, ...]) -> MenuFit:
    """The bits of all kinds, codes and caps."""
    alone = CodeLists.of([(code,) for code in range(len(effects))])
    unlimited = np.full(len(effects), -1, dtype=np.int64)
    kinds = fine.kinds
    return MenuFit(
        _allowed(menu, fine, kinds.pattern),
        _allowed(menu, fine, np.where(kinds.free >= 0, kinds.free, kinds.pattern)),
        menu.fitting(leeway_of(effects, alone, shared, unlimited)),
        tuple(_room(menu, fine, effects, shared, c, own) for c, own in _crowded(effects).items()),
    )


def _allowed(menu: Menu, fine: FineCells, pattern: NDArray[np.int64]) -> NDArray[np.int64]:
    told = np.column_stack([pattern, fine.segment_of_kind])
    distinct, place = np.unique(told, axis=0, return_inverse=True)
    return menu.allowed(fine.patterns.allowed(distinct[:, 0]), distinct[:, 1])[place.reshape(-1)]


def _crowded(effects: Effects) -> dict[int, NDArray[np.int64]]:
    """By number of each cap that several earlier contacts may fill: classes of codes (-1: not named)."""
    day = effects.day
    # Besides send days a stretch may hold contacts ahead: those that an earlier one shares one with.
    marks = np.unique(np.append(effects.timetable.day_of, day[day >= 0]))[None, :] - day[:, None]
    classes = {}
    for c, cap in enumerate(effects.rules.caps):
        named = effects.named[c]
        if cap.own or (cap.contacts > 1 and named.any()):
            felt = np.column_stack([marks <= cap.reach, np.maximum(day, -1)])
            _, number = np.unique(felt, axis=0, return_inverse=True)
            classes[c] = np.where(named, number.reshape(-1), -1).astype(np.int64)
    return classes


def _room(
    menu: Menu,
    fine: FineCells,
    effects: Effects,
    shared: tuple[FrequencyCap, ...],
    c: int,
    classes: NDArray[np.int64],
) -> Room:
    lists, told = fine.lists.classed(classes), fine.lists.told_by(marks_of(classes))
    # Any code of a class does for all of them.
    code = np.zeros(int(classes.max(initial=-1)) + 1, dtype=np.int32)
    code[classes[classes >= 0]] = np.flatnonzero(classes >= 0)
    limit = fine.kinds.rows.max_contacts.to_numpy(dtype=np.int64)
    limits, own = np.unique(
        limit if effects.rules.caps[c].own else np.full_like(limit, -1), return_inverse=True
    )
    every = np.repeat(np.arange(len(lists)), len(limits))
    same = CodeLists(lists.sums, lists.begin, code[lists.codes]).some(every)
    leeway = leeway_of(_only_cap(effects, c), same, shared, np.tile(limits, len(lists)))
    return Room(
        lists.number(told).astype(np.int32),
        own.reshape(-1).astype(np.int32),
        len(limits),
        menu.fitting(leeway),
    )


def _only_cap(effects: Effects, cap: int) -> Effects:
    """The effects as cap number `cap` alone sees them."""
    named = tuple(held if n == cap else np.zeros_like(held) for n, held in enumerate(effects.named))
    return replace(
        effects,
        named=named,
        near=tuple({name: np.zeros_like(table) for name, table in rule.items()} for rule in effects.near),
        same=np.zeros_like(effects.same),
    )
