"""The customers' earlier contacts as lists of codes, at any resolution."""

from __future__ import annotations

from dataclasses import dataclass

import ibis.expr.types as ir
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from optimizer.customer_lists import CodeLists, marks, marks_of, read_code_lists, summed
from optimizer.earlier_contacts import EarlierContact, EarlierEffects, earlier_rows
from optimizer.frames import frame_of, table_of
from optimizer.plan_file import Plan
from optimizer.rules import ContactRules
from optimizer.tables import Tables
from optimizer.timetable import Timetable

UNTOLD = ""


@dataclass(frozen=True)
class EarlierLists:
    """`rows` has customer_id and code, a row for each contact that something feels; see EarlierEffects."""

    rows: ir.Table
    effects: EarlierEffects

    def told(self) -> ir.Table:
        """customer_id with `earlier`, which tells the list of codes."""
        return summed(self.rows, {"earlier": marks(len(self.effects.by_code))})

    def contacts(self) -> ir.Table:
        """customer_id with `earlier_contacts`, their number."""
        return self.rows.group_by("customer_id").agg(earlier_contacts=self.rows.count())

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
    place = seen.groupby(columns[:-1]).ngroup()
    contacts = [
        EarlierContact(int(day), campaign, channel, kind or _planned_type(plan, campaign))
        for day, channel, campaign, kind in seen[columns].itertuples(index=False)
    ]
    kinds = {**dict(rows.select(columns).schema()), "place": "int32", "told": "int32"}
    book = table_of(seen.assign(place=place, told=range(len(seen))), kinds)
    told = rows.join(book, columns).select("customer_id", "place", "told")
    effects = EarlierEffects(contacts, timetable, rules)
    return EarlierLists(tables.engine.keep("earlier contacts", _coded(told, effects.code)), effects)


def _coded(rows: ir.Table, code: NDArray[np.int64]) -> ir.Table:
    """customer_id and code, a row for each contact that something feels.

    Of several types told of a contact the first in alphabetical order counts.
    """
    once = rows.group_by("customer_id", "place").agg(told=rows.told.min())
    felt = np.flatnonzero(code >= 0)
    book = table_of(pd.DataFrame({"told": felt, "code": code[felt]}), {"told": "int32", "code": "int32"})
    return once.join(book, "told").select("customer_id", "code")


def _planned_type(plan: Plan, campaign: str) -> str | None:
    return plan.campaigns[campaign].type if campaign in plan.campaigns else None
