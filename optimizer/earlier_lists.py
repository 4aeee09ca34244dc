"""The customers' earlier contacts as lists of codes, at any resolution."""

from __future__ import annotations

from dataclasses import dataclass

import ibis.expr.types as ir
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from optimizer.customer_lists import Lists, marks, read_codes, read_lists, summed
from optimizer.earlier_contacts import EarlierContact, EarlierEffects, earlier_rows
from optimizer.frames import frame_of, table_of
from optimizer.plan_file import Plan
from optimizer.rules import ContactRules
from optimizer.tables import Tables
from optimizer.timetable import Timetable

UNTOLD = ""


@dataclass(frozen=True)
class EarlierLists:
    """`rows` has customer_id and `told`, a row for each contact; contact n is that of effects.code[n].

    A resolution gives each code a class; its lists are lists of classes, told by sums of marks.
    """

    rows: ir.Table
    effects: EarlierEffects

    def told(self) -> ir.Table:
        """customer_id with `earlier`, `tired` and `earlier_contacts`.

        `earlier` tells the list of codes, `tired` that of the classes `tired_classes`; the contacts counted
        are those that something feels.
        """
        codes = len(self.effects.by_code)
        return self._summed(
            {"earlier": marks(codes), "tired": self.marks(self.tired_classes()),
             "earlier_contacts": np.ones(codes, dtype=np.int64)}
        )  # fmt: skip

    def told_at(self, resolutions: dict[str, NDArray[np.int64]]) -> ir.Table:
        """customer_id and, for each resolution by name, what tells the customer's list of classes."""
        return self._summed({name: self.marks(classes) for name, classes in resolutions.items()})

    def tired_classes(self) -> NDArray[np.int64]:
        """Codes that tire the same send days are one class; the effects of class c are tiring()[c]."""
        return self._tired()[1]

    def tiring(self) -> NDArray[np.bool_]:
        """By class of `tired_classes` and send day: whether such a contact tires one there."""
        return self._tired()[0]

    def tiring_contacts(self, customers: ir.Table) -> pd.DataFrame:
        """tired, send_day and before: how many contacts tire those whose list `tired` tells, if any do."""
        effects, classes = self._tired()
        found = read_codes(customers, "tired", self._of_some(customers, "tired", classes))
        told, place = np.unique(found.tired.to_numpy(dtype=np.int64), return_inverse=True)
        tires = effects[found.code.to_numpy(dtype=np.int64)].T
        counts = [np.bincount(place[own], minlength=len(told)) for own in tires]
        before = np.array(counts, dtype=np.int64).reshape(len(tires), len(told))
        where, day = np.nonzero(before.T)
        return pd.DataFrame({"tired": told[where], "send_day": day, "before": before[day, where]})

    def lists(self, customers: ir.Table, column: str, classes: NDArray[np.int64] | None = None) -> Lists:
        """The lists (of classes, or else of codes) behind the sums in a column of the customers."""
        return read_lists(customers, column, self._of_some(customers, column, classes))

    def _of_some(self, customers: ir.Table, column: str, classes: NDArray[np.int64] | None) -> ir.Table:
        """The codes (or classes) of one customer for each value of the column."""
        one = customers.group_by(column).agg(customer_id=customers.customer_id.min())
        return self._coded(self.rows.semi_join(one, "customer_id"), classes)

    def _tired(self) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        tired = self.effects.by_code.tired
        distinct, number = np.unique(tired, axis=0, return_inverse=True)
        return distinct, number.reshape(-1).astype(np.int64)

    def marks(self, classes: NDArray[np.int64]) -> NDArray[np.int64]:
        """By code: the mark of its class; 0 for codes without (-1)."""
        return np.append(marks(int(classes.max(initial=-1)) + 1), 0)[classes]

    def coded(self) -> ir.Table:
        """customer_id and code, a row for each contact that something feels."""
        return self._coded(self.rows, None)

    def _summed(self, by_code: dict[str, NDArray[np.int64]]) -> ir.Table:
        return summed(self._coded(self.rows, None), by_code)

    def _coded(self, rows: ir.Table, classes: NDArray[np.int64] | None) -> ir.Table:
        """customer_id and code (or class), a row for each contact that something feels."""
        once = _once(rows)
        code = self.effects.code
        felt = np.flatnonzero(code >= 0)
        told = code[felt] if classes is None else classes[code[felt]]
        felt, told = felt[told >= 0], told[told >= 0]
        book = table_of(pd.DataFrame({"told": felt, "code": told}), {"told": "int64", "code": "int64"})
        return once.join(book, "told").select("customer_id", "code")


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
    kinds = {**dict(rows.select(columns).schema()), "place": "int64", "told": "int64"}
    book = table_of(seen.assign(place=place, told=range(len(seen))), kinds)
    told = rows.join(book, columns).select("customer_id", "place", "told")
    return EarlierLists(told, EarlierEffects(contacts, timetable, rules))


def _once(rows: ir.Table) -> ir.Table:
    """One row for each contact: of several types told of it the first in alphabetical order counts."""
    return rows.group_by("customer_id", "place").agg(told=rows.told.min())


def _planned_type(plan: Plan, campaign: str) -> str | None:
    return plan.campaigns[campaign].type if campaign in plan.campaigns else None
