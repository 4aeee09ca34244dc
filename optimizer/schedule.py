"""Cells' streams to customers' dated contacts: what is sent when, and what it is worth to whom."""

from __future__ import annotations

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.portable import md5
from optimizer.contact_figures import ContactFigures
from optimizer.drawing import drawn_by_rank, drawn_by_share, withheld
from optimizer.earlier_lists import EarlierLists
from optimizer.engine import Engine
from optimizer.frames import table_of
from optimizer.plan_file import Plan
from optimizer.rules import ContactRules
from optimizer.streams import Pricing
from optimizer.timetable import Timetable
from optimizer.whole_numbers import WholePlan

CONTACT_COLUMNS = [
    "contact_id", "customer_id", "contact_on", "channel", "campaign", "segment", "stream", "final",
    "response_rate", "expected_value", "cost",
]  # fmt: skip


@dataclass(frozen=True)
class Schedule:
    """Expressions over the customers: the contract's calendar, control and assignments, not yet sorted.

    `labels` names the streams by (segment number, stream number).
    """

    calendar: ir.Table
    control: ir.Table
    assignments: ir.Table
    labels: dict[tuple[int, int], str]


class Scheduler:
    """Turns the streams of cells into customers' contacts; what is drawn is kept in the engine.

    The menu has an entry for each segment and stream in use: a contact's figures are those of the entry,
    and of the customer's own earlier contacts, which tire.
    """

    def __init__(
        self,
        plan: Plan,
        engine: Engine,
        timetable: Timetable,
        rules: ContactRules,
        pricing: Pricing,
        figures: ContactFigures,
        earlier: EarlierLists,
    ) -> None:
        self._plan, self._engine, self._timetable, self._rules = plan, engine, timetable, rules
        self._pricing, self._cells, self._figures = pricing, pricing.cells, figures
        self._earlier = earlier

    def schedule(self, whole: WholePlan, customers: ir.Table, prices: NDArray[np.float64]) -> Schedule:
        """The calendar and its kin.

        `customers` is Cells.members; `prices` choose the stream of held-out customers whose cell has no
        one else.
        """
        order = np.lexsort((whole.stream, whole.cell))
        shares = pd.DataFrame({"cell": whole.cell, "stream": whole.stream, "count": whole.customers}).iloc[
            order
        ]
        held_back = withheld(self._pricing, whole, prices)
        menu = self._menu(shares, held_back)
        planned = drawn_by_rank(self._plan.seed, customers, self._entered(shares, menu))
        planned = self._engine.keep("customers and streams", planned)
        control = drawn_by_share(self._plan.seed, customers, self._entered(held_back, menu))
        dated = self._contacts(menu)
        contacts = self._engine.keep("streams and contacts", table_of(dated, _CONTACT_KINDS))
        factors = self._factors(customers, int(dated.tired_by_own.max()) if len(dated) else 0)
        factors = self._engine.keep("fatigue factors", factors)
        return Schedule(
            _dated(planned, contacts, factors),
            _dated(control, contacts, factors),
            _assigned(planned, menu),
            {(int(g), int(s)): label for g, s, label in zip(menu.g, menu.stream, menu.label, strict=True)},
        )

    def _entered(self, shares: pd.DataFrame, menu: pd.DataFrame) -> pd.DataFrame:
        """The shares (cell, stream, count) with the menu's entries in the place of streams."""
        g = self._cells.segment[shares.cell.to_numpy(dtype=np.int64)]
        return shares.assign(g=g).merge(menu[["g", "stream", "entry"]], on=["g", "stream"], how="left")

    def _menu(self, shares: pd.DataFrame, held_back: pd.DataFrame) -> pd.DataFrame:
        """A row for each segment and stream in use: g, stream, entry, segment and label.

        Labels are such as "2-07": the most used stream of segment 2 is 2-01; the empty stream has none.
        """
        both = pd.concat([shares, held_back.assign(count=0)])
        both["g"] = self._cells.segment[both.cell.to_numpy(dtype=np.int64)]
        totals: pd.DataFrame = both.groupby(["g", "stream"], as_index=False)[["count"]].sum()
        totals["contacts"] = [self._pricing.book.streams[s] for s in totals.stream]
        totals = totals.sort_values(
            ["g", "count", "contacts"], ascending=[True, False, True], ignore_index=True
        )
        rank = (totals.stream > 0).groupby(totals.g).cumsum()
        names = [self._cells.segments[g] for g in totals.g]
        labels = [
            f"{name}-{n:02d}" if s else "" for name, s, n in zip(names, totals.stream, rank, strict=True)
        ]
        return totals.assign(entry=range(len(totals)), segment=names, label=labels)

    def _contacts(self, menu: pd.DataFrame) -> pd.DataFrame:
        """A row for each contact of each entry of the menu, with its figures before fatigue."""
        streams = [self._pricing.book.streams[number] for number in menu.stream]
        sizes = [len(stream) for stream in streams]
        rows = menu.loc[menu.index.repeat(sizes)].reset_index(drop=True)
        flat = np.array([pair for stream in streams for pair in stream], dtype=np.int64).reshape(-1, 2)
        t, i = flat[:, 0], flat[:, 1]
        g, goal, options = rows.g.to_numpy(dtype=np.int64), self._pricing.objective, self._timetable.options
        first = np.array([n == 0 for size in sizes for n in range(size)], dtype=bool)
        dates = [self._timetable.date_of(day) for day in range(len(self._timetable.days))]
        return rows.assign(
            send_day=t,
            tired_by_own=self._tired(streams),
            contact_on=[dates[day] for day in t],
            channel=[options[n].channel for n in i],
            campaign=[options[n].campaign for n in i],
            final=self._timetable.day_of[t] < self._plan.period.commit_days,
            rate=self._figures.rate[g, i],
            gain=goal.gain[g, i],
            charge=goal.charge[g, i],
            reached=np.where(first, goal.reached, 0.0),
            cost=self._figures.cost[i],
        )

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

    def _factors(self, customers: ir.Table, most: int) -> ir.Table:
        """The fatigue factor by `tired`, send day and the own stream's contacts that tire, up to `most`."""
        classes, tiring = self._earlier.tired_classes(), self._earlier.tiring()
        lists = self._earlier.lists(customers, "tired", classes)
        days = len(self._timetable.days)
        before = np.array(
            [tiring[list(codes)].sum(axis=0) if codes else np.zeros(days) for codes in lists.values()]
        )
        own = np.arange(most + 1)
        tired, t, k = np.meshgrid(np.array(list(lists), dtype=np.int64), np.arange(days), own, indexing="ij")
        factor = self._rules.fatigue_keep ** (before.reshape(len(lists), days)[:, :, None] + own)
        frame = pd.DataFrame(
            {
                "tired": tired.ravel(),
                "send_day": t.ravel(),
                "tired_by_own": k.ravel(),
                "factor": factor.ravel(),
            }
        )
        return table_of(frame, {**dict.fromkeys(["tired", "send_day", "tired_by_own"], "int64"),
                                "factor": "float64"})  # fmt: skip


_CONTACT_KINDS = {
    "entry": "int64", "send_day": "int64", "tired_by_own": "int64", "contact_on": "date",
    "channel": "string", "campaign": "string", "segment": "string", "label": "string", "final": "boolean",
    "rate": "float64", "gain": "float64", "charge": "float64", "reached": "float64", "cost": "float64",
}  # fmt: skip


def _dated(drawn: ir.Table, contacts: ir.Table, factors: ir.Table) -> ir.Table:
    rows = drawn.join(contacts, "entry").join(factors, ["tired", "send_day", "tired_by_own"])
    ids = rows.customer_id.cast("string")
    identity = ids + "|" + rows.contact_on.cast("string") + "|" + rows.channel + "|" + rows.campaign
    return rows.mutate(
        contact_id=md5(identity),
        stream=rows.label,
        response_rate=rows.rate * rows.factor,
        expected_value=rows.gain * rows.factor - rows.charge + rows.reached,
    ).select(CONTACT_COLUMNS)


def _assigned(drawn: ir.Table, menu: pd.DataFrame) -> ir.Table:
    """customer_id, segment, stream (label) and hold_out."""
    book = table_of(menu, {"entry": "int64", "segment": "string", "label": "string"})
    rows = drawn.join(book, "entry")
    return rows.select("customer_id", "segment", stream=rows.label, hold_out=rows.held_out == ibis.literal(1))
