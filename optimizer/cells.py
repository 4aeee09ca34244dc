"""Cells: the sets of customers whom no rule and no rate can tell apart."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from optimizer.customer_keys import CustomerKeys
from optimizer.customer_lists import CodeLists, Lists
from optimizer.engine import Engine
from optimizer.fine_cells import FineCells
from optimizer.leeway import Effects, Leeway, joined
from optimizer.rules import FrequencyCap
from optimizer.timetable import Timetable

DRAWN, DRAWN_APART = 40_000, 20_000
"""How many customers make the menu where all are too many to plan for one by one; the second where they have
figures of their own: then nobody shares a cell, and each takes its own search."""
CHUNK = 20_000
"""Lists of earlier contacts whose leeway is worked out at a time."""


@dataclass(frozen=True)
class Provisional:
    """What an earlier run had planned: planned[number[cell], t] is the option of send day t, or -1."""

    number: NDArray[np.int64]
    planned: NDArray[np.int32]


@dataclass(frozen=True)
class Cells:
    """C cells over the timetable's send days (T) and options (I).

    `segment`, `pattern`, `profile`, `customers` have a row a cell. `allowed[pattern, t, i]` says where
    permissions, restrictions, audiences and hold-out allow option i; `leeway` is what a profile of
    earlier contacts leaves open. A cell may be empty (customers 0): it is the twin of held-out
    customers, priced but not planned. `segment_size` counts all customers of each of `segments`.
    `provisional` is None where nothing is paid for keeping what an earlier run had planned, `own_figures`
    where all have the figures of their segment: else the row of each cell (see ContactFigures).
    `kinds` has the columns of customer_keys.KIND and `customers`, a row for each kind of customers;
    `groups` counts `customers` by `kind` and `cell`, with the `twin` of held-out ones (else -1).
    """

    segments: tuple[str, ...]
    segment_size: NDArray[np.int64]
    segment: NDArray[np.int64]
    pattern: NDArray[np.int64]
    profile: NDArray[np.int64]
    customers: NDArray[np.int64]
    allowed: NDArray[np.bool_]
    leeway: Leeway
    kinds: pd.DataFrame = field(default_factory=pd.DataFrame)
    groups: pd.DataFrame = field(default_factory=pd.DataFrame)
    provisional: Provisional | None = None
    own_figures: NDArray[np.int64] | None = None

    @property
    def figures(self) -> NDArray[np.int64]:
        """By cell: the row of its figures."""
        return self.segment if self.own_figures is None else self.own_figures

    def __len__(self) -> int:
        return len(self.customers)


@dataclass(frozen=True)
class AllCells:
    """All customers as fine cells, and the cells of the program: of all of them, or of a part drawn.

    `cell` and `twin` give the cell in which each fine one is planned, and its twin (-1 unless held out).
    """

    fine: FineCells
    cells: Cells
    cell: NDArray[np.int64]
    twin: NDArray[np.int64]
    drawn: bool

    @cached_property
    def segment(self) -> NDArray[np.int64]:
        """By cell that a fine one or a twin is placed in: the place of its segment."""
        return self._by_cell(self.fine.segment_of_kind[self.fine.kind])

    @cached_property
    def figures(self) -> NDArray[np.int64]:
        """By cell that a fine one or a twin is placed in: the row of its figures."""
        return self._by_cell(self.fine.figures)

    def _by_cell(self, own: NDArray[np.int64]) -> NDArray[np.int64]:
        found = np.zeros(int(max(self.cell.max(), self.twin.max())) + 1, dtype=np.int64)
        found[self.cell] = own
        found[self.twin[self.twin >= 0]] = own[self.twin >= 0]
        return found

    def placed(self, cell: NDArray[np.int64], twin: NDArray[np.int64]) -> AllCells:
        """The customers placed in other cells than those of the program."""
        return replace(self, cell=cell, twin=twin)

    def members(self, engine: Engine, entries: NDArray[np.int32]) -> ir.Table:
        """Every customer's customer_id, held_out, tired, cell, twin where held out (else -1), and entry.

        `entries` has one for each cell that fine ones are placed in.
        """
        fine = self.fine
        book: dict[str, NDArray[Any]] = {
            "kind": fine.kind,
            "tired": fine.tired[fine.listed],
            "cell": self.cell,
            "twin": self.twin,
            "entry": entries[self.cell],
        }
        key = ["kind", "earlier"]
        if fine.own_figures is not None:
            key.append("figures")
            book["figures"] = fine.own_figures
        # Arrays go over as they are: there are as many rows as cells, and a DataFrame would copy them twice.
        told = {name: pa.array(own.astype(np.int32, copy=False)) for name, own in book.items()}
        rows = ibis.memtable(pa.table({**told, "earlier": pa.array(fine.lists.sums[fine.listed])}))
        return engine.keep("customer_cells", fine.members.join(rows, key).drop(*key))


def make_cells(
    fine: FineCells,
    keys: CustomerKeys,
    timetable: Timetable,
    shared_caps: tuple[FrequencyCap, ...],
    most: int,
) -> AllCells:
    """Merge the fine cells that come to the same thing.

    Beyond `most` fine cells the program is that of a part of the customers.
    """
    drawn = len(fine) > most
    count = DRAWN if fine.own_figures is None else DRAWN_APART
    part = fine.drawn(count) if drawn else fine
    return AllCells(fine, *part_cells(part, keys, timetable, shared_caps), drawn)


def part_cells(
    part: FineCells,
    keys: CustomerKeys,
    timetable: Timetable,
    shared_caps: tuple[FrequencyCap, ...],
) -> tuple[Cells, NDArray[np.int64], NDArray[np.int64]]:
    """The cells of a part of the fine ones: the cell of each, and the twin of each held-out one (else -1)."""
    profile, leeway = _profiles(part, keys.earlier.effects.by_code, shared_caps)
    told = part.kinds.rows.provisional.to_numpy(dtype=np.int64)
    kept, planned = provisional_plans(told, keys.provisional_lists, timetable)
    return _cells(part, profile, leeway, kept, planned)


def _cells(
    part: FineCells,
    profile: NDArray[np.int64],
    leeway: Leeway,
    kept: NDArray[np.int64],
    planned: NDArray[np.int32],
) -> tuple[Cells, NDArray[np.int64], NDArray[np.int64]]:
    kinds, kind, held = part.kinds, part.kind, part.held_out
    own = np.column_stack(
        [part.segment_of_kind[kind], kinds.pattern[kind], profile, kept[kind], part.figures]
    )
    twins = own[held]
    twins[:, 1] = kinds.free[kind[held]]
    distinct, cell = np.unique(np.vstack([own, twins]), axis=0, return_inverse=True)
    cell = cell.reshape(-1)
    twin = np.full(len(kind), -1, dtype=np.int64)
    twin[held], cell = cell[len(kind) :], cell[: len(kind)]
    used, pattern = np.unique(distinct[:, 1], return_inverse=True)
    groups = pd.DataFrame({"kind": kind, "cell": cell, "twin": twin, "customers": part.customers})
    cells = Cells(
        part.segments,
        part.segment_size,
        distinct[:, 0],
        pattern.reshape(-1).astype(np.int64),
        distinct[:, 2],
        np.bincount(cell, weights=part.customers, minlength=len(distinct)).astype(np.int64),
        part.patterns.allowed(used),
        leeway,
        kinds.rows,
        groups.groupby(["kind", "cell", "twin"], as_index=False)[["customers"]].sum(),
        Provisional(distinct[:, 3], planned) if (planned >= 0).any() else None,
        None if part.own_figures is None else distinct[:, 4],
    )
    return cells, cell, twin


def _profiles(
    part: FineCells, effects: Effects, shared: tuple[FrequencyCap, ...]
) -> tuple[NDArray[np.int64], Leeway]:
    """The profile of each fine cell, and what the profiles leave open."""
    own = part.kinds.rows.max_contacts.to_numpy(dtype=np.int64)[part.kind]
    pairs, place = np.unique(np.column_stack([part.listed, own]), axis=0, return_inverse=True)
    leeway = leeway_of(effects, part.lists.some(pairs[:, 0]), shared, pairs[:, 1])
    first, number = leeway.distinct()
    return number[place.reshape(-1)], leeway.of(first)


def leeway_of(
    effects: Effects, lists: CodeLists, shared: tuple[FrequencyCap, ...], own: NDArray[np.int64]
) -> Leeway:
    """What each list leaves open, worked out for some of them at a time."""
    parts = [np.arange(n, min(n + CHUNK, len(lists))) for n in range(0, max(1, len(lists)), CHUNK)]
    return joined([effects.leeway(lists.some(part), shared, own[part]) for part in parts])


def provisional_plans(
    told: NDArray[np.int64], lists: Lists, timetable: Timetable
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The number of each list told of, and by number and send day the option planned, or -1."""
    sums, number = np.unique(told, return_inverse=True)
    days, options = timetable.sendable.shape
    planned = np.full((len(sums), days), -1, dtype=np.int32)
    for n, own in enumerate(sums.tolist()):
        for code in lists[own]:
            planned[n, code // options] = code % options
    return number.reshape(-1).astype(np.int64), planned
