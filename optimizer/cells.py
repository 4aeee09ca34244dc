"""Cells: the sets of customers whom no rule and no rate can tell apart.

Where histories and audiences cut the customers into too many of them, like ones are put together: the plan
is made for the least that all customers of such a cell may have, the bound is proved for the most.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.portable import keyed_md5
from optimizer.customer_keys import CustomerKeys
from optimizer.engine import Engine
from optimizer.frames import table_of
from optimizer.grouping import Grouped
from optimizer.kinds import Kinds, kinds_of, merged
from optimizer.leeway import Leeway
from optimizer.patterns import Patterns
from optimizer.plan_file import Plan
from optimizer.rules import FrequencyCap
from optimizer.timetable import Timetable

KINDS_A_CELL = 10
"""Kinds are merged until there is one for so many cells: the rest is for their earlier contacts."""
DRAWN = 40_000
"""How many customers make the menu where all are too many to plan for one by one."""


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
    `provisional` is None where nothing is paid for keeping what an earlier run had planned.
    `kinds` has the columns of customer_keys.KIND and `customers`, a row for each kind of customers;
    `groups` counts `customers` by `kind` and `cell`, with the `twin` of held-out ones (else -1).
    `members` has customer_id, held_out, tired, cell and twin of every customer.
    `generous`, where customers were put together: the same cells with the most that any of them may have.
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
    members: ir.Table | None = None
    generous: Cells | None = None

    def __len__(self) -> int:
        return len(self.customers)


@dataclass(frozen=True)
class ManyCustomers:
    """Customers whom too much tells apart: their kinds, and the cells of a part of them, drawn by md5.

    Each cell of `drawn` counts the customers for whom the drawn ones stand.
    """

    kinds: Kinds
    patterns: Patterns
    drawn: Cells


def make_cells(
    plan: Plan,
    engine: Engine,
    keys: CustomerKeys,
    timetable: Timetable,
    shared_caps: tuple[FrequencyCap, ...],
) -> tuple[Cells, ManyCustomers | None]:
    """Counts the customers by key and merges the keys that come to the same thing.

    Beyond `plan.merge_above` of them like ones are put together, and a part of the customers is drawn.
    """
    patterns = Patterns(plan, keys, timetable)
    every = kinds_of(keys, patterns)
    fine = Grouped.finest(plan.merge_above, engine, keys, every)
    if fine is not None:
        return _cells(engine, keys, timetable, patterns, every, fine, shared_caps), None
    kinds = merged(every, patterns, max(1, plan.merge_above // KINDS_A_CELL))
    coarse = Grouped.within(plan.merge_above, engine, keys, kinds, _loses_by_fatigue(plan))
    cells = _cells(engine, keys, timetable, patterns, kinds, coarse, shared_caps)
    drawn = _drawn(plan, engine, keys, timetable, shared_caps, cells)
    return cells, ManyCustomers(every, patterns, drawn)


def _drawn(
    plan: Plan,
    engine: Engine,
    keys: CustomerKeys,
    timetable: Timetable,
    shared_caps: tuple[FrequencyCap, ...],
    whole: Cells,
) -> Cells:
    """The cells of about DRAWN customers, those of lowest md5, weighed so that segments keep their size."""
    share = min(1.0, DRAWN / int(whole.segment_size.sum()))
    digest = keyed_md5(f"{plan.seed}:drawn", keys.table.customer_id)
    some = keys.table.filter(digest.substr(0, 8) <= ibis.literal(f"{int(share * (16**8 - 1)):08x}"))
    part = replace(keys, table=engine.keep("drawn_customers", some))
    patterns = Patterns(plan, part, timetable)
    kinds = kinds_of(part, patterns)
    fine = Grouped.finest(len(kinds) + 2 * DRAWN, engine, part, kinds)
    assert fine is not None
    cells = _cells(engine, part, timetable, patterns, kinds, fine, shared_caps, whole)
    drawn = np.bincount(cells.segment, weights=cells.customers, minlength=len(whole.segments))
    weight = whole.segment_size / np.maximum(1.0, drawn)
    return replace(cells, customers=np.rint(cells.customers * weight[cells.segment]).astype(np.int64))


def _loses_by_fatigue(plan: Plan) -> bool:
    """Whether a contact may be worth more when it tires: then no fatigue but the customer's own will do."""
    return any(campaign.margin_per_response < 0 for campaign in plan.campaigns.values())


def _cells(
    engine: Engine,
    keys: CustomerKeys,
    timetable: Timetable,
    patterns: Patterns,
    kinds: Kinds,
    grouped: Grouped,
    shared_caps: tuple[FrequencyCap, ...],
    part_of: Cells | None = None,
) -> Cells:
    profile, tight, generous = grouped.profiles(keys, kinds, shared_caps)
    table, counted = kinds.table, grouped.counted
    segments = part_of.segments if part_of else tuple(sorted(table.segment.unique(), key=segment_order))
    size = table.groupby("segment").customers.sum().reindex(list(segments)).fillna(0)
    number = table.segment.map({name: n for n, name in enumerate(segments)}).to_numpy(dtype=np.int64)
    kept, plans = _factorised(table.provisional)
    kind = counted.kind.to_numpy(dtype=np.int64)
    held = kinds.free[kind] >= 0
    own = np.column_stack([number[kind], kinds.pattern[kind], kinds.widest[kind], profile, kept[kind]])
    twins = own[held]
    twins[:, 1] = twins[:, 2] = kinds.free[kind[held]]
    distinct, cell = np.unique(np.vstack([own, twins]), axis=0, return_inverse=True)
    cell = cell.reshape(-1)
    twin = np.full(len(kind), -1, dtype=np.int64)
    twin[held] = cell[len(kind) :]
    customers = np.bincount(cell[: len(kind)], weights=counted.customers, minlength=len(distinct))
    used, pattern = np.unique(distinct[:, 1:3], return_inverse=True)
    pattern = pattern.reshape(-1, 2).astype(np.int64)
    groups = counted.assign(cell=cell[: len(kind)], twin=twin)
    cells = Cells(
        segments,
        size.to_numpy(dtype=np.int64),
        distinct[:, 0],
        pattern[:, 0],
        distinct[:, 3],
        customers.astype(np.int64),
        patterns.allowed(used),
        tight,
        table,
        groups.groupby(["kind", "cell", "twin"], as_index=False)[["customers"]].sum(),
        _provisional(distinct[:, 4], [keys.provisional_lists[n] for n in plans.tolist()], timetable),
        _members(engine, grouped.members, groups),
    )
    if generous is None and (pattern[:, 0] == pattern[:, 1]).all():
        return cells
    return replace(cells, generous=replace(cells, pattern=pattern[:, 1], leeway=generous or tight))


def _members(engine: Engine, members: ir.Table, groups: pd.DataFrame) -> ir.Table:
    """Every customer's cell and, for held-out ones, its twin."""
    key = ["kind", "list"]
    book = table_of(groups, dict.fromkeys([*key, "cell", "twin"], "int64"))
    found = members.join(book, key).select("customer_id", "held_out", "tired", "cell", "twin")
    return engine.keep("customer_cells", found)


def _provisional(
    number: NDArray[np.int64], lists: list[tuple[int, ...]], timetable: Timetable
) -> Provisional | None:
    """Reads the lists of provisional contacts; None where all are empty."""
    if not any(lists):
        return None
    days, options = timetable.sendable.shape
    planned = np.full((len(lists), days), -1, dtype=np.int32)
    for n, codes in enumerate(lists):
        for code in codes:
            planned[n, code // options] = code % options
    return Provisional(number, planned)


def segment_order(label: object) -> tuple[int, int, str]:
    """Whole numbers by value, then texts."""
    text = str(label)
    return (0, int(text), "") if text.lstrip("-").isdecimal() else (1, 0, text)


def _factorised(column: pd.Series) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The number of each value, and the distinct values in order."""
    values, number = np.unique(column.to_numpy(dtype=np.int64), return_inverse=True)
    return number.reshape(-1).astype(np.int64), values
