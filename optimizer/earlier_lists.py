"""The customers' earlier contacts as lists of codes, at any resolution."""

from __future__ import annotations

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
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
CONTACTS, LISTS = "earlier contacts", "lists of earlier contacts"
"""The names under which the engine keeps what EarlierLists are made of."""
SLOTS = 41, 37
"""Bits over which contacts are spread, twice: primes, so that the same ones do not meet every few days."""
MOST = 1 << 14
"""Of more contacts of a customer no marks are summed up: they would overflow, and most are told twice."""


@dataclass(frozen=True)
class EarlierLists:
    """`rows` has customer_id and code, a row for each contact that something feels; see EarlierEffects.

    `told` has customer_id and `earlier`, which tells the list of codes.
    """

    rows: ir.Table
    told: ir.Table
    effects: EarlierEffects

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
        number, distinct = pd.factorize(told, sort=True)
        first = np.empty(len(distinct), dtype=np.int64)
        first[number[::-1]] = np.arange(len(told))[::-1]
        some = lists.some(first)
        nothing = np.zeros((1, tires.shape[1]), dtype=np.int64)
        running = np.concatenate([nothing, np.cumsum(tires[classes.reshape(-1)[some.codes]], axis=0)])
        return number.astype(np.int32), running[some.begin[1:]] - running[some.begin[:-1]]


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
    effects = EarlierEffects(contacts, timetable, rules)
    told = rows.join(book, columns).select("customer_id", "told")
    told, sums = told_once(tables.engine, told, place, effects.code)
    felt = np.flatnonzero(effects.code >= 0)
    codes = pd.DataFrame({"told": felt, "code": effects.code[felt]})
    coded = told.join(table_of(codes, {"told": "int32", "code": "int32"}), "told")
    return EarlierLists(coded.select("customer_id", "code"), sums, effects)


def told_once(
    engine: Engine, rows: ir.Table, place: pd.Series[int], code: NDArray[np.int64]
) -> tuple[ir.Table, ir.Table]:
    """The rows (customer_id, told), each contact once, and customer_id with `earlier`; both kept.

    place[told] says which contact of a customer a row tells of, code[told] is its code.

    As a rule no contact is told twice. Each sets a bit, in two ways: where the bits of a customer sum up to
    what they are or-ed, none is set twice. Few others are left to be looked at row by row.
    """
    columns = {"told": range(len(place)), "place": place, "mark": marks_of(code)}
    columns |= {f"bit_{n}": 2 ** (place % n) for n in SLOTS}
    kinds = {name: "int32" if name in ("told", "place") else "int64" for name in columns}
    book = table_of(pd.DataFrame(columns), kinds)
    rows = engine.keep(CONTACTS, rows)
    sums = engine.keep(LISTS, _sums(rows, book))
    unsure = sums.filter(sums.unsure)
    placed = rows.semi_join(unsure, "customer_id").join(book, "told")
    by_place = placed.group_by("customer_id", "place").agg(rows=placed.count(), told=placed.told.min())
    if (by_place.rows > 1).any().fill_null(ibis.literal(False)).to_pyarrow().as_py():
        # Of several types told of a contact the first in alphabetical order counts.
        others = rows.anti_join(unsure, "customer_id")
        rows = engine.keep(CONTACTS, others.union(by_place.select("customer_id", "told")))
        sums = engine.keep(LISTS, _sums(rows, book))
    return rows, sums.select("customer_id", "earlier")


def _sums(rows: ir.Table, book: ir.Table) -> ir.Table:
    """By customer the sum of the contacts' marks, and whether two of them may be one."""
    told = rows.join(book, "told")
    meet = [told[f"bit_{n}"].sum().cast("int64") != bit_or(told[f"bit_{n}"]) for n in SLOTS]
    return told.group_by("customer_id").agg(
        earlier=(told.count() > MOST).ifelse(0, told.mark.sum()).cast("int64"),
        unsure=meet[0] & meet[1],
    )


def _planned_type(plan: Plan, campaign: str) -> str | None:
    return plan.campaigns[campaign].type if campaign in plan.campaigns else None
