"""Cells' streams to customers' dated contacts: what is sent when, and what it is worth to whom."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import ibis.expr.types as ir
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from models.portable import md5
from optimizer.cells import AllCells
from optimizer.coded_rows import CODE, CodedRows
from optimizer.contact_figures import objective_of
from optimizer.drawing import drawn_by_rank, drawn_by_share, sole_entries
from optimizer.engine import Engine
from optimizer.frames import frame_of, table_of
from optimizer.own_figures import OwnFigures
from optimizer.plan_file import Plan
from optimizer.planned import Planned
from optimizer.rules import ContactRules
from optimizer.streams import Pricing
from optimizer.timetable import Timetable

_COMMON = {
    "contact_on": "date", "channel": "string", "campaign": "string", "segment": "string", "stream": "string",
    "final": "boolean", "response_rate": "float64", "expected_value": "float64", "cost": "float64",
}  # fmt: skip
_ASSIGNED = {"segment": "string", "stream": "string", "hold_out": "boolean"}
CONTACT = ["contact_id", "customer_id"]
BY_DATE, BY_CUSTOMER = ["contact_on", "customer_id"], ["customer_id"]


def identity_after_customer(contact_on: date, channel: str, campaign: str) -> str:
    """What follows the customer in the text whose md5 names a contact (see contact_id)."""
    return f"|{contact_on:%Y-%m-%d}|{channel}|{campaign}"


@dataclass(frozen=True)
class Schedule:
    """Customers' contacts, those that held-out customers would have had, and all customers' streams.

    The books of `contacts` and `withheld` have the calendar's columns beside contact_id and customer_id,
    `contacts`, the number of a code's rows, and `expected_margin`, whatever the objective; that of `assigned`
    has segment, stream and hold_out. Ids and segments have the types that they came with. `labels` names the
    streams by (segment number, stream number).
    """

    contacts: CodedRows
    withheld: CodedRows
    assigned: CodedRows
    labels: dict[tuple[int, int], str]

    @property
    def calendar(self) -> ir.Table:
        """The contract's calendar, not sorted."""
        return _dated(self.contacts)

    @property
    def control(self) -> ir.Table:
        """The contract's control, not sorted."""
        return _dated(self.withheld)

    @property
    def assignments(self) -> ir.Table:
        """The contract's assignments, not sorted."""
        return self.assigned.table()


def contact_id(
    ids: ir.Value, contact_on: ir.DateValue, channel: ir.StringValue, campaign: ir.StringValue
) -> ir.StringValue:
    """What names a contact: the md5 of customer, date, channel and campaign."""
    identity = ids.cast("string") + "|" + contact_on.cast("string") + "|" + channel + "|" + campaign
    return md5(identity)


class Scheduler:
    """Turns the streams of cells into customers' contacts; what is drawn is kept in the engine.

    The menu has an entry for each row of figures and stream in use. A contact's figures are those of the
    entry's contact and of how many contacts tire it: that makes its code.
    """

    def __init__(
        self,
        plan: Plan,
        engine: Engine,
        timetable: Timetable,
        rules: ContactRules,
        pricing: Pricing,
        cells: AllCells,
        figures: OwnFigures,
        *,
        integer_ids: bool,
    ) -> None:
        self._plan, self._engine, self._timetable, self._rules = plan, engine, timetable, rules
        self._pricing, self._figures = pricing, figures
        self._cells, self._segment, self._row = cells, cells.segment, cells.figures
        self._segments = cells.fine.segments
        self._fatigue, self._integer_ids = cells.fine.fatigue, integer_ids
        self._whole_segments = all(label.lstrip("-").isdigit() for label in self._segments)

    def schedule(self, planned: Planned) -> Schedule:
        """The calendar and its kin."""
        whole, held_back = planned.solution.whole, planned.control
        order = np.lexsort((whole.stream, whole.cell))
        shares = pd.DataFrame({"cell": whole.cell, "stream": whole.stream, "count": whole.customers}).iloc[
            order
        ]
        menu = self._menu(shares, held_back)
        shares = self._entered(shares, menu)
        customers = self._cells.members(self._engine, sole_entries(shares, len(self._segment)))
        drawn = drawn_by_rank(self._plan.seed, customers, shares)
        drawn = self._engine.keep("customers and streams", drawn)
        control = drawn_by_share(self._plan.seed, customers, self._entered(held_back, menu))
        contacts, tiring = self._contacts(menu), self._tiring()
        return Schedule(
            self._coded("contacts", drawn, contacts, tiring),
            self._coded("contacts withheld", control, contacts, tiring),
            self._assigned(drawn, menu),
            {(int(g), int(s)): label for g, s, label in zip(menu.g, menu.stream, menu.label, strict=True)},
        )

    def _entered(self, shares: pd.DataFrame, menu: pd.DataFrame) -> pd.DataFrame:
        """The shares (cell, stream, count) with the menu's entries in the place of streams."""
        row, stream = self._row[shares.cell.to_numpy(dtype=np.int64)], shares.stream.to_numpy(dtype=np.int64)
        span = int(menu.stream.max()) + 1 if len(menu) else 1
        key = menu.row.to_numpy(dtype=np.int64) * span + menu.stream.to_numpy(dtype=np.int64)
        order = np.argsort(key)
        entry = menu.entry.to_numpy(dtype=np.int64)[order[np.searchsorted(key[order], row * span + stream)]]
        return shares.drop(columns="stream").assign(entry=entry)

    def _menu(self, shares: pd.DataFrame, held_back: pd.DataFrame) -> pd.DataFrame:
        """A row for each row of figures and stream in use: row, stream, g, entry, segment and label.

        Labels are such as "2-07": the most used stream of segment 2 is 2-01; the empty stream has none.
        """
        both = pd.concat([self._used(shares), self._used(held_back.assign(count=0))])
        totals: pd.DataFrame = both.groupby(["g", "stream"], as_index=False)[["count"]].sum()
        totals["contacts"] = [self._pricing.book.streams[s] for s in totals.stream]
        totals = totals.sort_values(
            ["g", "count", "contacts"], ascending=[True, False, True], ignore_index=True
        )
        rank = (totals.stream > 0).groupby(totals.g).cumsum()
        names = [self._segments[g] for g in totals.g]
        told = [int(name) for name in names] if self._whole_segments else names
        labels = [
            f"{name}-{n:02d}" if s else "" for name, s, n in zip(names, totals.stream, rank, strict=True)
        ]
        totals = totals.assign(segment=told, label=labels, rank=range(len(totals)))
        rows = both[["g", "row", "stream"]].drop_duplicates().merge(totals, on=["g", "stream"])
        rows = rows.sort_values(["rank", "row"], ignore_index=True)
        return rows.assign(entry=range(len(rows)))

    def _used(self, shares: pd.DataFrame) -> pd.DataFrame:
        """The customers (count) by segment number g, row of figures and stream."""
        cell, stream = shares.cell.to_numpy(dtype=np.int64), shares.stream.to_numpy(dtype=np.int64)
        segment = np.zeros(int(self._row.max(initial=0)) + 1, dtype=np.int64)
        segment[self._row] = self._segment
        # A sparse matrix adds up in linear time.
        shape = len(segment), int(stream.max(initial=0)) + 1
        used = (
            sparse.coo_array((shares["count"].to_numpy(), (self._row[cell], stream)), shape).tocsr().tocoo()
        )
        return pd.DataFrame({"g": segment[used.row], "row": used.row, "stream": used.col, "count": used.data})

    def _contacts(self, menu: pd.DataFrame) -> pd.DataFrame:
        """A row for each contact of each entry of the menu, with its figures before fatigue."""
        streams = [self._pricing.book.streams[number] for number in menu.stream]
        sizes = [len(stream) for stream in streams]
        rows = menu.loc[menu.index.repeat(sizes)].reset_index(drop=True)
        flat = np.array([pair for stream in streams for pair in stream], dtype=np.int64).reshape(-1, 2)
        t, i = flat[:, 0], flat[:, 1]
        figures = self._figures.at(rows.row.to_numpy(dtype=np.int64), i)
        goal, options = objective_of(self._plan, figures), self._timetable.options
        first = np.array([n == 0 for size in sizes for n in range(size)], dtype=bool)
        dates = [self._timetable.date_of(day) for day in range(len(self._timetable.days))]
        return rows.assign(
            send_day=t,
            tired_by_own=self._tired(streams),
            contact_on=[dates[day] for day in t],
            channel=[options[n].channel for n in i],
            campaign=[options[n].campaign for n in i],
            final=self._timetable.day_of[t] < self._plan.period.commit_days,
            rate=figures.rate,
            gain=goal.gain,
            charge=goal.charge,
            earned=figures.margin,
            kept=figures.value - figures.cost,
            reached=np.where(first, goal.reached, 0.0),
            cost=figures.cost,
        )

    def _tiring(self) -> pd.DataFrame:
        """tired, send_day and before: how many earlier contacts tire one there, if any do."""
        tired, day = np.nonzero(self._fatigue)
        return pd.DataFrame({"tired": tired, "send_day": day, "before": self._fatigue[tired, day]})

    def _tired(self, streams: list[tuple[tuple[int, int], ...]]) -> NDArray[np.int64]:
        """For each contact, in order, the contacts of its own stream that tire it."""
        days, reach = self._timetable.days, self._rules.fatigue_days
        return np.array(
            [
                sum(1 <= days[t] - days[u] <= reach for u, _ in stream)
                for stream in streams
                for t, _ in stream
            ],
            dtype=np.int64,
        )

    def _coded(self, name: str, drawn: ir.Table, contacts: pd.DataFrame, tiring: pd.DataFrame) -> CodedRows:
        """The contacts of drawn customers; the code is that of the contact and of how many tire it."""
        span = 1 + sum(int(n.max()) for n in (contacts.tired_by_own, tiring.before) if len(n))
        rested = contacts.assign(rested=np.arange(len(contacts)) * span + contacts.tired_by_own)
        own = table_of(rested, dict.fromkeys(["entry", "send_day", "rested"], "int32"))
        before = table_of(tiring, dict.fromkeys(["tired", "send_day", "before"], "int32"))
        rows = drawn.join(own, "entry").left_join(before, ["tired", "send_day"])
        code = rows.rested + rows.before.fill_null(0)
        rows = self._engine.keep(name, rows.select(customer_id=self._own_id(rows), code=code.cast("int32")))
        counted = frame_of(rows.group_by(CODE).agg(contacts=rows.count())).sort_values(
            CODE, ignore_index=True
        )
        return CodedRows(rows, self._book(counted, contacts, span), self._kinds(_COMMON))

    def _book(self, counted: pd.DataFrame, contacts: pd.DataFrame, span: int) -> pd.DataFrame:
        """What the codes in use mean, with the figures as fatigue leaves them."""
        code = counted.code.to_numpy(dtype=np.int64)
        own = contacts.iloc[code // span].reset_index(drop=True)
        factor = self._rules.fatigue_keep ** (code % span).astype(np.float64)
        return own.assign(
            code=counted.code,
            contacts=counted.contacts,
            stream=own.label,
            response_rate=own.rate * factor,
            expected_value=own.gain * factor - own.charge + own.reached,
            expected_margin=own.rate * factor * own.earned + own.kept,
        )[[CODE, "contacts", "expected_margin", *_COMMON]]

    def _assigned(self, drawn: ir.Table, menu: pd.DataFrame) -> CodedRows:
        """Every customer's segment, stream (label) and hold_out."""
        twice = menu.loc[menu.index.repeat(2)].reset_index(drop=True)
        book = twice.assign(code=range(len(twice)), stream=twice.label, hold_out=twice.index % 2 == 1)
        code = (drawn.entry * 2 + drawn.held_out).cast("int32")
        rows = drawn.select(customer_id=self._own_id(drawn), code=code)
        return CodedRows(rows, book[[CODE, *_ASSIGNED]], self._kinds(_ASSIGNED))

    def _own_id(self, rows: ir.Table) -> ir.Value:
        return rows.customer_id.cast("int64") if self._integer_ids else rows.customer_id

    def _kinds(self, kinds: dict[str, str]) -> dict[str, str]:
        return {**kinds, "segment": "int64"} if self._whole_segments else kinds


def _dated(contacts: CodedRows) -> ir.Table:
    rows = contacts.table()
    named = contact_id(rows.customer_id, rows.contact_on, rows.channel, rows.campaign)
    return rows.mutate(contact_id=named).select(*CONTACT, *_COMMON)
