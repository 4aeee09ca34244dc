"""All customers as cells of a menu: who may have the same best few streams, and is tired alike, is alike."""

from __future__ import annotations

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from optimizer.cells import Cells
from optimizer.customer_keys import CustomerKeys
from optimizer.engine import Engine
from optimizer.frames import frame_of, table_of
from optimizer.kinds import Kinds
from optimizer.menu import BITS, WORDS, Menu, bare_cells, only_cap, only_tired
from optimizer.patterns import Patterns
from optimizer.rules import FrequencyCap

EVERY = (1 << BITS) - 1
CHOICES = (6, 4, 3, 2, 1)
"""How many of a customer's best streams are told apart, as long as that makes few enough cells."""
TIRED_CLASSES = 12
WORD = [f"word{w}" for w in range(WORDS)]
FREE = [f"free{w}" for w in range(WORDS)]


@dataclass(frozen=True)
class MenuCells:
    """The cells with all their members, and the numbers of the streams that each may choose from."""

    cells: Cells
    chosen: list[NDArray[np.int64]]


class MenuCellMaker:
    """Finds every customer's part of the menu, in the engine, and counts the customers by it."""

    def __init__(
        self,
        engine: Engine,
        keys: CustomerKeys,
        kinds: Kinds,
        patterns: Patterns,
        menu: Menu,
        shared: tuple[FrequencyCap, ...],
    ) -> None:
        self._engine, self._keys, self._kinds, self._patterns = engine, keys, kinds, patterns
        self._menu, self._shared = menu, shared
        self._effects = keys.earlier.effects.by_code
        self._segments = menu.pricing.cells.segments

    def make(self, most: int, like: Cells) -> MenuCells:
        """The cells, at most about `most`; `like` lends the segments' sizes and the generous cells."""
        table = self._engine.keep("customer_options", self._options())
        tired, fatigue = self._tired(table)
        table = table.join(tired, "tired")
        for choices in CHOICES:
            told = self._engine.keep("customer_choices", _cut(table, choices))
            counted = _counted(told)
            if len(counted) <= most:
                break
        return self._cells(told, counted, fatigue, like)

    def _options(self) -> ir.Table:
        """customer_id, held_out, tired, segment (its number), and the words of own and free options."""
        rows = self._kinds.of_customers(self._keys)
        rows = rows.join(self._kind_book(), "kind")
        told = self._codes_say(rows.select("customer_id", "segment"))
        rows = rows.left_join(told, "customer_id").drop("customer_id_right")
        caps = self._crowded()
        full = {f"code{w}": rows[f"code{w}"].fill_null(EVERY) for w in range(WORDS)}
        none = {f"crowd{c}": rows[f"crowd{c}"].fill_null(0) for c in caps}
        rows = self._engine.keep("customer_rules", rows.mutate(**full, **none))
        parts = {w: [rows[f"code{w}"]] for w in range(WORDS)}
        for c in caps:
            rows = rows.join(self._crowd_book(rows, c), [f"crowd{c}", "own", "segment"])
        for w in range(WORDS):
            parts[w] = [rows[f"code{w}"], *(rows[f"room{c}_{w}"] for c in caps)]
        words = {}
        for w in range(WORDS):
            both = parts[w][0]
            for part in parts[w][1:]:
                both = both & part
            words[WORD[w]], words[FREE[w]] = rows[f"may{w}"] & both, rows[f"might{w}"] & both
        return rows.select("customer_id", "held_out", "tired", "segment", **words)

    def _kind_book(self) -> ir.Table:
        """kind, its segment's number, own limit, and the words that permissions and the like leave."""
        table = self._kinds.table
        number = {name: n for n, name in enumerate(self._segments)}
        segment = table.segment.map(number).to_numpy(dtype=np.int64)
        free = np.where(self._kinds.free >= 0, self._kinds.free, self._kinds.pattern)
        columns = {"kind": np.arange(len(table)), "segment": segment, "own": table.max_contacts.to_numpy()}
        for name, pattern in (("may", self._kinds.pattern), ("might", free)):
            used, place = np.unique(np.asarray(pattern, dtype=np.int64), return_inverse=True)
            allowed = self._patterns.allowed(used.astype(np.int64))[place.reshape(-1)]
            words = self._menu.allowed(allowed, segment.astype(np.int64))
            columns |= {f"{name}{w}": words[:, w] for w in range(WORDS)}
        return table_of(pd.DataFrame(columns), dict.fromkeys(columns, "int64"))

    def _codes_say(self, customers: ir.Table) -> ir.Table:
        """customer_id, the words that no earlier contact alone forbids, and what fills which cap."""
        caps, words = self._crowded(), self._code_words()
        codes = len(self._effects)
        frame = {
            "both": np.arange(codes * len(self._segments)),  # code x segments + segment
            **{f"word{w}": words[:, :, w].ravel() for w in range(WORDS)},
            **{f"mark{c}": np.repeat(self._keys.earlier.marks(kept), len(self._segments))
               for c, kept in caps.items()},
        }  # fmt: skip
        book = table_of(pd.DataFrame(frame), dict.fromkeys(frame, "int64"))
        found = self._keys.earlier.coded().join(customers, "customer_id")
        # One number for the two, else engines join the book with all customers of a segment first.
        found = found.mutate(both=found.code * len(self._segments) + found.segment).join(book, "both")
        return found.group_by("customer_id").agg(
            **{f"code{w}": found[f"word{w}"].bit_and() for w in range(WORDS)},
            **{f"crowd{c}": found[f"mark{c}"].sum().cast("int64") for c in caps},
        )

    def _code_words(self) -> NDArray[np.int64]:
        """By code, segment and word: the streams that fit beside a contact of the code."""
        alone = [(code,) for code in range(len(self._effects))]
        return self._menu.fitting(self._effects.leeway(alone, self._shared))

    def _crowded(self) -> dict[int, NDArray[np.int64]]:
        """By number of each cap that several earlier contacts may fill: classes of codes (-1: not named)."""
        caps, classes = self._effects.rules.caps, {}
        day = self._effects.day
        # Besides send days a stretch may hold contacts ahead: those that an earlier one shares one with.
        marks = np.unique(np.append(self._effects.timetable.day_of, day[day >= 0]))[None, :] - day[:, None]
        for c, cap in enumerate(caps):
            named = self._effects.named[c]
            if cap.own or (cap.contacts > 1 and named.any()):
                felt = np.column_stack([marks <= cap.reach, np.maximum(day, -1)])
                _, number = np.unique(felt, axis=0, return_inverse=True)
                classes[c] = np.where(named, number.reshape(-1), -1).astype(np.int64)
        return classes

    def _crowd_book(self, rows: ir.Table, c: int) -> ir.Table:
        """What fills cap c, the own limit, the segment, and the words of the streams that leave it whole."""
        classes = self._crowded()[c]
        lists = self._keys.earlier.lists(rows, f"crowd{c}", classes)
        first = {int(n): int(np.flatnonzero(classes == n)[0]) for n in np.unique(classes[classes >= 0])}
        pairs = frame_of(rows.select(f"crowd{c}", "own").distinct()).sort_values([f"crowd{c}", "own"])
        codes = [tuple(first[n] for n in lists[told]) for told in pairs[f"crowd{c}"].tolist()]
        own = pairs.own.to_numpy(dtype=np.int64)
        leeway = only_cap(self._effects, c).leeway(codes, self._shared, own)
        words = self._menu.fitting(leeway)
        segments = len(self._segments)
        frame = {
            f"crowd{c}": np.repeat(pairs[f"crowd{c}"].to_numpy(dtype=np.int64), segments),
            "own": np.repeat(own, segments),
            "segment": np.tile(np.arange(segments), len(pairs)),
            **{f"room{c}_{w}": words[:, :, w].ravel() for w in range(WORDS)},
        }
        return table_of(pd.DataFrame(frame), dict.fromkeys(frame, "int64"))

    def _tired(self, rows: ir.Table) -> tuple[ir.Table, NDArray[np.int16]]:
        """tired with its class, and by class the most contacts that tire on each send day."""
        lists = self._keys.earlier.lists(rows, "tired", self._keys.earlier.tired_classes())
        tiring = self._keys.earlier.tiring()
        days = len(self._effects.timetable.days)
        before = np.array(
            [tiring[list(own)].sum(axis=0) if own else np.zeros(days) for own in lists.values()]
        )
        before = before.reshape(len(lists), days)
        rest = (self._effects.rules.fatigue_keep**before).sum(axis=1)
        _, order = np.unique(rest.round(9), return_inverse=True)
        # A class of its own for those whom nothing tires: they are many.
        number = order.reshape(-1).astype(np.int64)
        number = number if number.max(initial=0) < TIRED_CLASSES else _quantiles(rest, TIRED_CLASSES)
        fatigue = np.zeros((int(number.max(initial=0)) + 1, days), dtype=np.int16)
        np.maximum.at(fatigue, number, before.astype(np.int16))
        book = pd.DataFrame({"tired": list(lists), "tired_class": number})
        return table_of(book, {"tired": "int64", "tired_class": "int64"}), fatigue

    def _cells(
        self, told: ir.Table, counted: pd.DataFrame, fatigue: NDArray[np.int16], like: Cells
    ) -> MenuCells:
        key = ["segment", *WORD, "tired_class"]
        free = counted[["segment", *FREE, "tired_class"]].set_axis(key, axis=1)
        both = pd.concat([counted[key], free[counted.held_out == 1]])
        distinct = both.drop_duplicates().sort_values(key, ignore_index=True)
        distinct = distinct.assign(cell=range(len(distinct)))
        cell = counted[key].merge(distinct, on=key, how="left").cell.to_numpy(dtype=np.int64)
        twin = free.merge(distinct, on=key, how="left").cell.to_numpy()
        groups = counted.assign(cell=cell, twin=np.where(counted.held_out == 1, twin, -1).astype(np.int64))
        segment = distinct.segment.to_numpy(dtype=np.int64)
        chosen = self._menu.chosen(segment, distinct[WORD].to_numpy(dtype=np.int64))
        bare = bare_cells(self._menu.pricing.cells, only_tired(like.leeway, fatigue))
        cells = Cells(
            self._segments,
            like.segment_size,
            segment,
            np.zeros(len(distinct), dtype=np.int64),
            distinct.tired_class.to_numpy(dtype=np.int64),
            np.bincount(cell, weights=counted.customers, minlength=len(distinct)).astype(np.int64),
            bare.allowed,
            bare.leeway,
            pd.DataFrame(),
            groups.groupby(["cell", "twin"], as_index=False)[["customers"]].sum().assign(kind=-1),
            members=self._members(told, groups),
            generous=like.generous or like,
        )
        return MenuCells(cells, chosen)

    def _members(self, told: ir.Table, groups: pd.DataFrame) -> ir.Table:
        key = ["segment", *WORD, *FREE, "tired_class", "held_out"]
        book = table_of(groups, dict.fromkeys([*key, "cell", "twin"], "int64"))
        found = told.join(book, key).select("customer_id", "held_out", "tired", "cell", "twin")
        return self._engine.keep("menu_cells", found)


def _cut(rows: ir.Table, choices: int) -> ir.Table:
    """The words with so many of their lowest bits left; free ones are own ones where nobody is held out."""
    held = rows.held_out == ibis.literal(1)
    words = {name: _lowest([rows[name] for name in names], choices) for name, names in
             (("own", WORD), ("free", FREE))}  # fmt: skip
    own = dict(zip(WORD, words["own"], strict=True))
    free = {
        name: ibis.ifelse(held, word, own[WORD[w]])
        for w, (name, word) in enumerate(zip(FREE, words["free"], strict=True))
    }
    return rows.select(
        "customer_id", "tired", "segment", "tired_class", held_out=rows.held_out.cast("int64"), **own, **free
    )


def _lowest(words: list[ir.IntegerColumn], choices: int) -> list[ir.IntegerValue]:
    """The lowest bits of the first word that has any; a later word counts where it has fewer than that."""
    left: list[ir.IntegerValue] = []
    full: ir.BooleanValue = ibis.literal(False)
    for word in words:
        rest = word
        for _ in range(choices - 1):
            rest = rest & (rest - 1)
        kept = ibis.ifelse(full, ibis.literal(0, "int64"), word ^ (rest & (rest - 1)))
        left.append(kept)
        full = full | (rest != 0)
    return left


def _counted(told: ir.Table) -> pd.DataFrame:
    key = ["segment", *WORD, *FREE, "tired_class", "held_out"]
    return frame_of(told.group_by(key).agg(customers=told.count())).sort_values(key, ignore_index=True)


def _quantiles(rest: NDArray[np.float64], classes: int) -> NDArray[np.int64]:
    """Classes of about as many values each, by rank; equal values stay together."""
    values, place = np.unique(rest.round(9), return_inverse=True)
    return (place.reshape(-1) * classes // len(values)).astype(np.int64)
