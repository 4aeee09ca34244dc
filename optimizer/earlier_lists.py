"""The customers' earlier contacts as lists of codes, at any resolution."""

from __future__ import annotations

from dataclasses import dataclass

import ibis.expr.types as ir
import numpy as np
from numpy.typing import NDArray

from models.portable import bit_or
from optimizer.customer_lists import CodeLists, marks_of, read_code_lists
from optimizer.earlier_contacts import EarlierContact, EarlierEffects, earlier_rows
from optimizer.engine import Engine
from optimizer.frames import frame_of, table_of
from optimizer.plan_file import Plan
from optimizer.rules import ContactRules
from optimizer.tables import Tables
from optimizer.timetable import Timetable

UNTOLD = ""
SLOTS = 40
"""Contacts are spread over so many bits: the bits of eight million of them add up to less than 2^63."""
SUMS = ["earlier", "earlier_contacts"]


@dataclass(frozen=True)
class EarlierLists:
    """`rows` has customer_id and code, a row for each contact that something feels; see EarlierEffects.

    `told` has customer_id with `earlier`, which tells the list of codes, and `earlier_contacts`, its length.
    """

    rows: ir.Table
    told: ir.Table
    effects: EarlierEffects

    def lists(self, customers: ir.Table) -> CodeLists:
        """The lists of codes behind the column `earlier` of the customers."""
        return read_code_lists(customers, "earlier", self.rows)

    def fatigue(self, lists: CodeLists) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """By list the number of its fatigue, and by that and send day the contacts that tire one there."""
        tires, classes = np.unique(self.effects.by_code.tired, axis=0, return_inverse=True)
        told = lists.told_by(marks_of(classes.reshape(-1)))
        _, first, number = np.unique(told, return_index=True, return_inverse=True)
        some = lists.some(first)
        nothing = np.zeros((1, tires.shape[1]), dtype=np.int64)
        running = np.concatenate([nothing, np.cumsum(tires[classes.reshape(-1)[some.codes]], axis=0)])
        return number.reshape(-1).astype(np.int32), running[some.begin[1:]] - running[some.begin[:-1]]


def earlier_lists(plan: Plan, tables: Tables, timetable: Timetable, rules: ContactRules) -> EarlierLists:
    """History and commitments that some send day can still feel; one contact told twice counts once."""
    rows = earlier_rows(plan, tables, timetable, rules.lookback)
    columns = ["day", "channel", "campaign", "type"]
    rows = rows.select("customer_id", *columns[:-1], type=rows.type.fill_null(UNTOLD))
    seen = frame_of(rows.select(columns).distinct()).sort_values(columns, ignore_index=True)
    contacts = [
        EarlierContact(int(day), campaign, channel, kind or _planned_type(plan, campaign))
        for day, channel, campaign, kind in seen[columns].itertuples(index=False)
    ]
    effects = EarlierEffects(contacts, timetable, rules)
    place = seen.groupby(columns[:-1]).ngroup().to_numpy(dtype=np.int64)
    seen = seen.assign(
        place=place,
        told=range(len(seen)),
        code=effects.code,
        slot=1 << place % SLOTS,
        earlier=marks_of(effects.code),
        earlier_contacts=(effects.code >= 0).astype(np.int64),
    )
    numbers = {**dict.fromkeys(["place", "told", "code"], "int32"), **dict.fromkeys(["slot", *SUMS], "int64")}
    book = table_of(seen, {**dict(rows.select(columns).schema()), **numbers})
    meant = table_of(seen, {name: numbers[name] for name in ("told", "code", *SUMS)})
    return EarlierLists(*one_by_one(tables.engine, rows.join(book, columns).drop(*columns), meant), effects)


def one_by_one(engine: Engine, rows: ir.Table, meant: ir.Table) -> tuple[ir.Table, ir.Table]:
    """EarlierLists.rows and told; `rows` has a row for each time that a contact is told, `meant` what for.

    A contact told twice falls into one slot twice, and few others do: contacts are taken one by one only of
    customers with such a slot. Of several types told of a contact the first in alphabetical order counts.
    """
    every = engine.keep(
        "earlier sums", _summed(rows, apart=rows.slot.sum().cast("int64") == bit_or(rows.slot))
    )
    doubtful = every.filter(~every.apart).select("customer_id")
    told = rows.semi_join(doubtful, "customer_id").group_by("customer_id", "place").agg(told=rows.told.min())
    once = told.join(meant, "told").select("customer_id", "code", *SUMS)
    once = engine.keep("earlier contacts told apart", once)
    surely = rows.anti_join(doubtful, "customer_id").select("customer_id", "code")
    felt = surely.union(once.select("customer_id", "code"))
    sums = every.filter(every.apart).drop("apart").union(_summed(once))
    return felt.filter(felt.code >= 0), sums.filter(sums.earlier_contacts > 0)


def _summed(rows: ir.Table, **more: ir.Value) -> ir.Table:
    """customer_id, SUMS and more."""
    sums = {name: rows[name].sum().cast("int64") for name in SUMS}
    return rows.group_by("customer_id").agg(**sums, **more)


def _planned_type(plan: Plan, campaign: str) -> str | None:
    return plan.campaigns[campaign].type if campaign in plan.campaigns else None
