"""Cells: the sets of customers whom no rule and no rate can tell apart."""

from __future__ import annotations

from dataclasses import dataclass

import ibis.expr.types as ir
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from optimizer.customer_keys import KEY, CustomerKeys
from optimizer.earlier_contacts import Leeway, lists_of
from optimizer.frames import frame_of, table_of
from optimizer.plan_file import Plan
from optimizer.rules import FrequencyCap
from optimizer.timetable import Timetable


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
    `keys` holds the customer keys with their `cell` and, for held-out ones, their `twin` (else -1).
    `provisional` is None where nothing is paid for keeping what an earlier run had planned.
    """

    segments: tuple[str, ...]
    segment_size: NDArray[np.int64]
    segment: NDArray[np.int64]
    pattern: NDArray[np.int64]
    profile: NDArray[np.int64]
    customers: NDArray[np.int64]
    allowed: NDArray[np.bool_]
    leeway: Leeway
    keys: pd.DataFrame
    provisional: Provisional | None = None

    def __len__(self) -> int:
        return len(self.customers)

    def of_customers(self, keys: CustomerKeys) -> ir.Table:
        """customer_id, segment, held_out, cell and twin of every customer."""
        kinds = {**dict(keys.table.select(KEY).schema()), "cell": "int64", "twin": "int64"}
        book = table_of(self.keys, kinds)
        return keys.table.join(book, KEY).select("customer_id", "segment", "held_out", "cell", "twin")


def make_cells(
    plan: Plan, keys: CustomerKeys, timetable: Timetable, shared_caps: tuple[FrequencyCap, ...]
) -> Cells:
    """Counts the customers by key and merges the keys that come to the same thing."""
    counted = frame_of(keys.table.group_by(KEY).agg(customers=keys.table.count()))
    counted = counted.sort_values(KEY, ignore_index=True)
    segments = tuple(sorted(counted.segment.unique(), key=segment_order))
    size = counted.groupby("segment").customers.sum().reindex(list(segments)).to_numpy(dtype=np.int64)
    number = counted.segment.map({name: n for n, name in enumerate(segments)}).to_numpy(dtype=np.int64)

    profile, profiles = _factorised(counted[["earlier", "max_contacts"]])
    own = profiles.max_contacts.to_numpy(dtype=np.int64)
    leeway, profile_of = _distinct_leeway(keys.earlier.leeway(lists_of(profiles.earlier), shared_caps, own))
    patterns = Patterns(plan, keys, timetable)
    held = counted.held_out.to_numpy(dtype=bool)
    fitting = patterns.number(counted, held)
    free = patterns.number(counted[held], np.zeros(int(held.sum()), dtype=bool))

    kept, plans = _factorised(counted[["provisional"]])
    triple = np.column_stack([number, fitting, profile_of[profile], kept])
    twins = np.column_stack([number[held], free, profile_of[profile[held]], kept[held]])
    distinct, cell = np.unique(np.vstack([triple, twins]), axis=0, return_inverse=True)
    cell = cell.reshape(-1)
    twin = np.full(len(counted), -1, dtype=np.int64)
    twin[held] = cell[len(counted) :]
    customers = np.bincount(
        cell[: len(counted)], weights=counted.customers.to_numpy(), minlength=len(distinct)
    )
    return Cells(
        segments,
        size,
        distinct[:, 0],
        distinct[:, 1],
        distinct[:, 2],
        customers.astype(np.int64),
        patterns.allowed(),
        leeway,
        counted.assign(cell=cell[: len(counted)], twin=twin),
        _provisional(distinct[:, 3], plans.provisional, timetable),
    )


def _provisional(number: NDArray[np.int64], lists: pd.Series, timetable: Timetable) -> Provisional | None:
    """Reads the lists of provisional contacts; None where all are empty."""
    if not lists.any():
        return None
    days, options = timetable.sendable.shape
    planned = np.full((len(lists), days), -1, dtype=np.int32)
    for n, codes in enumerate(lists_of(lists)):
        for code in codes:
            planned[n, code // options] = code % options
    return Provisional(number, planned)


def segment_order(label: object) -> tuple[int, int, str]:
    """Whole numbers by value, then texts."""
    text = str(label)
    return (0, int(text), "") if text.lstrip("-").isdecimal() else (1, 0, text)


def _factorised(columns: pd.DataFrame) -> tuple[NDArray[np.int64], pd.DataFrame]:
    """The number of each row's values, and the distinct values in order."""
    groups = columns.groupby(columns.columns.tolist())
    return groups.ngroup().to_numpy().astype(np.int64), groups.size().index.to_frame(index=False)


def _distinct_leeway(leeway: Leeway) -> tuple[Leeway, NDArray[np.int64]]:
    """Merges profiles that leave the same things open; also gives each old profile's new number."""
    count = len(leeway.open)
    marks = np.hstack(
        [
            np.zeros((count, 1), dtype=np.uint8),  # so that there is a mark even without send days
            np.packbits(leeway.open.reshape(count, -1), axis=1),
            np.packbits(leeway.ready.reshape(count, -1), axis=1),
            leeway.used.reshape(count, -1).view(np.uint8),
            leeway.fatigue.reshape(count, -1).view(np.uint8),
        ]
    )
    rows = np.ascontiguousarray(marks).view(np.dtype((np.void, marks.shape[1]))).reshape(-1)
    _, first, number = np.unique(rows, return_index=True, return_inverse=True)
    kept = Leeway(leeway.open[first], leeway.used[first], leeway.fatigue[first], leeway.ready[first])
    return kept, number.reshape(-1).astype(np.int64)


class Patterns:
    """Numbers the distinct tables of allowed options."""

    def __init__(self, plan: Plan, keys: CustomerKeys, timetable: Timetable) -> None:
        self._plan, self._keys, self._timetable = plan, keys, timetable
        self._number: dict[bytes, int] = {}
        self._tables: list[NDArray[np.bool_]] = []
        self._permitted: dict[str, NDArray[np.bool_]] = {}
        self._restricted: dict[str, NDArray[np.bool_]] = {}

    def allowed(self) -> NDArray[np.bool_]:
        """By pattern, send day and option: whether it is allowed."""
        shape = self._timetable.sendable.shape
        return np.array(self._tables, dtype=bool).reshape(len(self._tables), *shape)

    def number(self, keys: pd.DataFrame, held: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The pattern of each key, as if held out where `held` says so."""
        columns = ["segment", "audiences", "permissions", "restrictions"]
        seen: dict[tuple[object, ...], int] = {}
        numbers = np.zeros(len(keys), dtype=np.int64)
        rows = zip(*(keys[name].tolist() for name in columns), held.tolist(), strict=True)
        for n, row in enumerate(rows):
            if row not in seen:
                seen[row] = self._table(*row)
            numbers[n] = seen[row]
        return numbers

    def _table(self, segment: str, audiences: str, permissions: str, restrictions: str, held: bool) -> int:
        table = self._timetable.sendable & self._targeted(segment, audiences, held)
        table = table & self._permission(permissions) & ~self._restriction(restrictions)
        mark = table.tobytes()
        if mark not in self._number:
            self._number[mark] = len(self._tables)
            self._tables.append(table)
        return self._number[mark]

    def _targeted(self, segment: str, audiences: str, held: bool) -> NDArray[np.bool_]:
        """Options whose campaign addresses the customer at all."""
        outside = {
            name for name, bit in zip(self._keys.audience_campaigns, audiences, strict=True) if bit == "0"
        }
        return np.array(
            [
                option.campaign not in outside
                and segment in (self._plan.campaigns[option.campaign].segments or (segment,))
                and not (held and option.type in self._plan.hold_out.types)
                for option in self._timetable.options
            ],
            dtype=bool,
        )

    def _permission(self, codes: str) -> NDArray[np.bool_]:
        if codes not in self._permitted:
            rows = [self._keys.permissions[code] for code in lists_of(pd.Series([codes]))[0]]
            kinds = {(option.channel, option.type) for option in self._timetable.options}
            by_kind = {}
            for channel, kind in kinds:
                named = [row for row in rows if row.channel == channel and row.topic in (None, kind)]
                denied = [row.covers for row in named if not row.granted]
                granted = [row.covers for row in named if row.granted]
                default = not granted and self._plan.channels[channel].default_permission == "granted"
                none = np.full(len(self._timetable.days), fill_value=default)
                by_kind[channel, kind] = np.logical_or.reduce([none, *granted]) & ~np.logical_or.reduce(
                    [np.zeros_like(none), *denied]
                )
            self._permitted[codes] = np.array(
                [by_kind[option.channel, option.type] for option in self._timetable.options], dtype=bool
            ).T.reshape(self._timetable.sendable.shape)
        return self._permitted[codes]

    def _restriction(self, codes: str) -> NDArray[np.bool_]:
        if codes not in self._restricted:
            table = np.zeros(self._timetable.sendable.shape, dtype=bool)
            for code in lists_of(pd.Series([codes]))[0]:
                row = self._keys.restrictions[code]
                blocked = np.array(
                    [option.type in row.types for option in self._timetable.options], dtype=bool
                )
                table |= row.covers[:, None] & blocked
            self._restricted[codes] = table
        return self._restricted[codes]
