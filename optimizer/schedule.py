"""Cells' streams to customers' dated contacts: who gets which stream, and what is sent when."""

from __future__ import annotations

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from optimizer.contact_figures import ContactFigures
from optimizer.frames import table_of
from optimizer.plan_file import Plan
from optimizer.rules import ContactRules
from optimizer.streams import Pricing
from optimizer.timetable import Timetable
from optimizer.whole_numbers import WholePlan

DIGITS = 8
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
    """Draws the customers of each cell for its streams, in order of md5 of seed and id."""

    def __init__(
        self,
        plan: Plan,
        timetable: Timetable,
        rules: ContactRules,
        pricing: Pricing,
        figures: ContactFigures,
    ) -> None:
        self._plan, self._timetable, self._rules = plan, timetable, rules
        self._pricing, self._cells, self._figures = pricing, pricing.cells, figures

    def schedule(self, whole: WholePlan, customers: ir.Table, prices: NDArray[np.float64]) -> Schedule:
        """The calendar and its kin.

        `customers` is Cells.of_customers; `prices` choose the stream of held-out customers whose cell
        has no one else.
        """
        planned = self._draw_by_rank(customers, whole)
        withheld = self._withheld(whole, prices)
        pairs = _pairs(np.append(whole.cell, withheld.cell), np.append(whole.stream, withheld.stream))
        labels = self._labels(whole, pairs)
        contacts = self._contacts(pairs, labels)
        held = self._draw_by_share(customers, withheld)
        return Schedule(
            self._dated(planned, contacts),
            self._dated(held, contacts),
            self._labelled(planned, pairs, labels),
            labels,
        )

    def _draw_by_rank(self, customers: ir.Table, whole: WholePlan) -> ir.Table:
        """customer_id, cell, hold_out and stream: the first customers of a cell get its first stream."""
        order = np.lexsort((whole.stream, whole.cell))
        cell, count = whole.cell[order], whole.customers[order]
        ends = pd.Series(count).groupby(cell).cumsum().to_numpy()
        book = pd.DataFrame({"cell": cell, "stream": whole.stream[order], "low": ends - count, "high": ends})
        digest = (ibis.literal(f"{self._plan.seed}:") + customers.customer_id).hexdigest("md5")
        ranked = customers.mutate(digest=digest)
        window = ibis.window(group_by=ranked.cell, order_by=[ranked.digest, ranked.customer_id])
        ranked = ranked.mutate(rank=ibis.row_number().over(window))
        kinds = dict.fromkeys(book.columns, "int64")
        ranges = table_of(book, kinds)
        found = ranked.join(
            ranges,
            [ranked.cell == ranges.cell, ranked["rank"] >= ranges.low, ranked["rank"] < ranges.high],
        )
        return found.select("customer_id", "cell", "stream", hold_out=ranked.held_out == 1)

    def _withheld(self, whole: WholePlan, prices: NDArray[np.float64]) -> pd.DataFrame:
        """The streams that twins of held-out customers have, with their shares (columns low, high)."""
        twins = np.unique(self._cells.keys.twin[self._cells.keys.twin >= 0]).astype(np.int64)
        own = pd.DataFrame({"cell": whole.cell, "stream": whole.stream, "count": whole.customers})
        own = own[own.cell.isin(twins)]
        lone = twins[~np.isin(twins, own.cell)]
        if len(lone):
            menu = np.unique(np.append(whole.stream, 0))
            _, stream = self._pricing.best_known(self._pricing.worth(prices), lone, menu)
            own = pd.concat([own, pd.DataFrame({"cell": lone, "stream": stream, "count": 1})])
        own = own.sort_values(["cell", "stream"], ignore_index=True)
        high = own.groupby("cell")["count"].cumsum()
        total = own.groupby("cell")["count"].transform("sum")
        return own.assign(low=_digits((high - own["count"]) / total), high=_digits(high / total))

    def _draw_by_share(self, customers: ir.Table, withheld: pd.DataFrame) -> ir.Table:
        """customer_id, cell and stream of held-out customers, drawn by md5 of seed and id."""
        held = customers.filter(customers.held_out == 1)
        digest = (ibis.literal(f"{self._plan.seed}:control:") + held.customer_id).hexdigest("md5")
        held = held.mutate(digest=digest.substr(0, DIGITS))
        kinds = {"cell": "int64", "stream": "int64", "low": "string", "high": "string"}
        shares = table_of(withheld, kinds)
        found = held.join(
            shares, [held.twin == shares.cell, held.digest >= shares.low, held.digest < shares.high]
        )
        return found.select("customer_id", "cell_right", "stream").rename(cell="cell_right")

    def _labels(self, whole: WholePlan, pairs: pd.DataFrame) -> dict[tuple[int, int], str]:
        """Names such as "2-07": the most used stream of segment 2 is 2-01; the empty stream has none."""
        segment, book = self._cells.segment, self._pricing.book.streams
        used = pd.DataFrame({"g": segment[whole.cell], "s": whole.stream, "n": whole.customers})
        seen = pd.DataFrame({"g": segment[pairs.cell.to_numpy()], "s": pairs.stream, "n": 0})
        totals: pd.DataFrame = pd.concat([used, seen]).groupby(["g", "s"], as_index=False)[["n"]].sum()
        totals["contacts"] = [book[s] for s in totals.s]
        totals = totals.sort_values(["g", "n", "contacts"], ascending=[True, False, True])
        rank = (totals.s > 0).groupby(totals.g).cumsum()
        return {
            (int(g), int(s)): f"{self._cells.segments[int(g)]}-{n:02d}" if s else ""
            for g, s, n in zip(totals.g, totals.s, rank, strict=True)
        }

    def _contacts(self, pairs: pd.DataFrame, labels: dict[tuple[int, int], str]) -> pd.DataFrame:
        """A row for each contact of each (cell, stream) in use, with its figures."""
        streams = [self._pricing.book.streams[number] for number in pairs.stream]
        sizes = [len(stream) for stream in streams]
        rows = pairs.loc[pairs.index.repeat(sizes)].reset_index(drop=True)
        flat = np.array([pair for stream in streams for pair in stream], dtype=np.int64).reshape(-1, 2)
        t, i = flat[:, 0], flat[:, 1]
        cell = rows.cell.to_numpy()
        g = self._cells.segment[cell]
        tired = self._cells.leeway.fatigue[self._cells.profile[cell], t] + self._tired(streams)
        factor, goal = self._rules.fatigue_keep**tired, self._pricing.objective
        first = np.array([n == 0 for size in sizes for n in range(size)], dtype=bool)
        worth = goal.gain[g, i] * factor - goal.charge[g, i] + np.where(first, goal.reached, 0.0)
        options = self._timetable.options
        dates = [self._timetable.date_of(day) for day in range(len(self._timetable.days))]
        return rows.assign(
            contact_on=[dates[day] for day in t],
            channel=[options[n].channel for n in i],
            campaign=[options[n].campaign for n in i],
            segment=[self._cells.segments[n] for n in g],
            label=[labels[pair] for pair in zip(g.tolist(), rows.stream.tolist(), strict=True)],
            final=self._timetable.day_of[t] < self._plan.period.commit_days,
            response_rate=self._figures.rate[g, i] * factor,
            expected_value=worth,
            cost=self._figures.cost[i],
        )

    def _tired(self, streams: list[tuple[tuple[int, int], ...]]) -> NDArray[np.int64]:
        """For each contact, in order, the contacts of its own stream that tire it."""
        days = self._timetable.days
        reach = self._rules.fatigue_days
        return np.array(
            [
                sum(1 <= days[t] - days[u] <= reach for u, _ in stream)
                for stream in streams
                for t, _ in stream
            ],
            dtype=np.int64,
        )

    def _dated(self, drawn: ir.Table, contacts: pd.DataFrame) -> ir.Table:
        kinds = {
            "cell": "int64", "stream": "int64", "contact_on": "date", "channel": "string",
            "campaign": "string", "segment": "string", "label": "string", "final": "boolean",
            "response_rate": "float64", "expected_value": "float64", "cost": "float64",
        }  # fmt: skip
        rows = drawn.join(table_of(contacts, kinds), ["cell", "stream"])
        identity = (
            rows.customer_id + "|" + rows.contact_on.cast("string") + "|" + rows.channel + "|" + rows.campaign
        )
        return rows.mutate(contact_id=identity.hexdigest("md5"), stream=rows.label).select(CONTACT_COLUMNS)

    def _labelled(self, drawn: ir.Table, pairs: pd.DataFrame, labels: dict[tuple[int, int], str]) -> ir.Table:
        """customer_id, segment, stream (label) and hold_out."""
        g = self._cells.segment[pairs.cell.to_numpy()]
        book = pairs.assign(
            segment=[self._cells.segments[n] for n in g],
            label=[labels[pair] for pair in zip(g.tolist(), pairs.stream.tolist(), strict=True)],
        )
        kinds = {"cell": "int64", "stream": "int64", "segment": "string", "label": "string"}
        rows = drawn.join(table_of(book, kinds), ["cell", "stream"])
        return rows.select("customer_id", "segment", "hold_out", stream=rows.label).select(
            "customer_id", "segment", "stream", "hold_out"
        )


def _pairs(cell: NDArray[np.int64], stream: NDArray[np.int64]) -> pd.DataFrame:
    distinct = np.unique(np.column_stack([cell, stream]).astype(np.int64), axis=0)
    return pd.DataFrame({"cell": distinct[:, 0], "stream": distinct[:, 1]})


def _digits(share: pd.Series) -> list[str]:
    """Shares as hexadecimal digits that compare as the shares do; 1 comes after every digit string."""
    most = 16**DIGITS
    return [f"{round(part * most):0{DIGITS}x}" if part < 1 else "g" for part in share]
