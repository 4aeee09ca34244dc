"""Customers grouped by kind and earlier contacts, as finely as the number of cells allows."""

from __future__ import annotations

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from optimizer.customer_keys import CustomerKeys
from optimizer.customer_lists import Lists
from optimizer.engine import Engine
from optimizer.frames import frame_of, table_of
from optimizer.kinds import Kinds
from optimizer.leeway import Effects, Leeway, joined
from optimizer.resolution import Resolution, chosen_steps, resolutions
from optimizer.rules import FrequencyCap

CHUNK = 20_000
"""Lists of earlier contacts whose leeway is worked out at a time."""


@dataclass(frozen=True)
class Grouped:
    """Customers by kind and list of earlier contacts, each kind at its own resolution.

    `members` has customer_id, held_out, tired, kind, step and list; `counted` is `customers` by kind, step
    and list, in this order.
    """

    members: ir.Table
    counted: pd.DataFrame
    steps: list[Resolution]

    @classmethod
    def finest(cls, most: int, engine: Engine, keys: CustomerKeys, kinds: Kinds) -> Grouped | None:
        """Everything that the keys tell apart; None where that is too much."""
        if len(kinds) > most:
            return None
        rows = kinds.of_customers(keys).mutate(step=ibis.literal(0, "int64")).rename(list="earlier")
        members = engine.keep("customer_kinds", rows)
        if _lists(members).count().to_pyarrow().as_py() > most:
            return None
        codes = len(keys.earlier.effects.by_code)
        return cls(members, _counted(members), [Resolution(np.arange(codes), 0.0)])

    @classmethod
    def within(
        cls, most: int, engine: Engine, keys: CustomerKeys, kinds: Kinds, same_fatigue: bool
    ) -> Grouped:
        """At the finest resolution that makes at most about `most` groups."""
        steps = resolutions(keys.earlier.effects.by_code, same_fatigue)
        names = {f"list{n}": step.classes for n, step in enumerate(steps) if n}
        told = kinds.of_customers(keys).rename(list0="earlier")
        if names:
            told = told.left_join(keys.earlier.told_at(names), "customer_id").drop("customer_id_right")
            told = told.mutate(**{name: told[name].fill_null(0) for name in names})
        told = engine.keep("customer_lists", told)
        counts = np.zeros((len(kinds), len(steps)), dtype=np.int64)
        for n in range(len(steps)):
            found = told.select("kind", f"list{n}").distinct().group_by("kind").agg(lists=lambda t: t.count())
            frame = frame_of(found)
            counts[frame.kind.to_numpy(dtype=np.int64), n] = frame.lists
        loss = np.array([step.loss for step in steps])
        step = chosen_steps(counts, kinds.table.customers.to_numpy(), loss, most)
        book = pd.DataFrame({"kind": np.arange(len(kinds)), "step": step})
        told = told.join(table_of(book, {"kind": "int64", "step": "int64"}), "kind")
        own = told.step.cases(*((n, told[f"list{n}"]) for n in range(len(steps))), else_=told.list0)
        members = told.select("customer_id", "held_out", "tired", "kind", "step", list=own)
        members = engine.keep("customer_kinds", members)
        return cls(members, _counted(members), steps)

    def profiles(
        self, keys: CustomerKeys, kinds: Kinds, shared: tuple[FrequencyCap, ...]
    ) -> tuple[NDArray[np.int64], Leeway, Leeway | None]:
        """The profile of each group, what the profiles leave open at least, and, where less, at most."""
        own = kinds.table.max_contacts.to_numpy(dtype=np.int64)
        groups = self.counted[["step", "list"]].assign(own=own[self.counted.kind])
        lists = groups.drop_duplicates().sort_values(["step", "list", "own"], ignore_index=True)
        tight: list[Leeway] = []
        wide: list[Leeway] = []
        for n, part in lists.groupby("step"):
            classes = None if n == 0 else self.steps[int(str(n))].classes
            members = self.members.filter(self.members.step == int(str(n)))
            found = keys.earlier.lists(members, "list", classes)
            effects = keys.earlier.effects.by_code
            if classes is None:
                alike = _leeways(effects, found, part, shared)
                tight, wide = [*tight, *alike], [*wide, *alike]
            else:
                tight.extend(_leeways(effects.merged(classes, generous=False), found, part, shared))
                wide.extend(_leeways(effects.merged(classes, generous=True), found, part, shared))
        both = (joined(tight), joined(wide))
        number = groups.merge(lists.assign(profile=range(len(lists))), on=["step", "list", "own"], how="left")
        kept, profile = _distinct(both)
        profile = profile[number.profile.to_numpy(dtype=np.int64)]
        exact = bool((self.counted.step == 0).all())
        return profile, both[0].of(kept), None if exact else both[1].of(kept)


def _lists(members: ir.Table) -> ir.Table:
    return members.group_by("kind", "step", "list").agg(customers=members.count())


def _counted(members: ir.Table) -> pd.DataFrame:
    return frame_of(_lists(members)).sort_values(["kind", "step", "list"], ignore_index=True)


def _leeways(
    effects: Effects, lists: Lists, part: pd.DataFrame, shared: tuple[FrequencyCap, ...]
) -> list[Leeway]:
    """The leeway of the lists in their order, some at a time."""
    own = part.own.to_numpy(dtype=np.int64)
    codes = [lists[number] for number in part["list"].tolist()]
    return [
        effects.leeway(codes[n : n + CHUNK], shared, own[n : n + CHUNK]) for n in range(0, len(part), CHUNK)
    ]


def _distinct(both: tuple[Leeway, Leeway]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The first of the profiles that leave the same things open, and the number of each profile's."""
    marks = np.hstack([leeway.marks() for leeway in both])
    rows = np.ascontiguousarray(marks).view(np.dtype((np.void, marks.shape[1]))).reshape(-1)
    _, first, number = np.unique(rows, return_index=True, return_inverse=True)
    return first, number.reshape(-1).astype(np.int64)
