"""What customers' own figures change of the money that limits count, worked out anew from their tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.customer_response import CustomerBands
from models.portable import half_up
from optimizer.audit_contacts import AuditedContacts
from optimizer.audit_series import days_around
from optimizer.contact_figures import ContactFigures
from optimizer.frames import frame_of, table_of
from optimizer.limits import Limit
from optimizer.plan_file import Plan
from optimizer.rules import ContactRules
from optimizer.tables import Tables
from optimizer.timetable import Timetable

_USED = {"response_rate": 9, "margin_per_response": 6, "value_per_contact": 6, "cost_per_contact": 6}
"""The figures that limits may count, and to how many places."""


@dataclass(frozen=True)
class OwnMoney:
    """By segment, send day and option: how much more all planned contacts cost, are worth in themselves, and
    return (rate x keep^k x margin), than by the figures of the segment and the campaign.
    """

    cost: NDArray[np.float64]
    value: NDArray[np.float64]
    returned: NDArray[np.float64]

    def use(self, limit: Limit) -> float:
        """What the limit's use changes by."""
        inside, more = limit.segments, 0.0
        if limit.spend is not None:
            more += float((self.cost[inside].sum(axis=0) * limit.spend).sum())
        if limit.earn:
            more += limit.earn * float(self.value[inside].sum())
        if limit.tiring is not None:
            more += float(self.returned[inside].sum())
        return more


def own_money(
    plan: Plan,
    tables: Tables,
    contacts: AuditedContacts,
    rules: ContactRules,
    timetable: Timetable,
    segments: Sequence[str],
    figures: ContactFigures | None,
    bands: CustomerBands | None = None,
) -> OwnMoney | None:
    """The sums over planned contacts of customers with figures of their own; None where there are none."""
    if figures is None or not has_own_money(plan, bands):
        return None
    rows = _with_figures(tables, contacts, rules)
    if bands is not None:
        rows = _with_bands(rows, bands, _band_rates(bands, contacts, timetable, segments, figures))
    sums = frame_of(_sums(rows))
    sums = sums.sort_values(["segment", "day", "kind", "k"], ignore_index=True)
    option = {(o.channel, o.campaign): i for i, o in enumerate(timetable.options)}
    places = [option.get((kind.channel, kind.campaign), -1) for kind in contacts.kinds]
    option_of = np.array(places, dtype=np.int64)
    place = {contacts.labels.index(label): n for n, label in enumerate(segments)}
    g = sums.segment.map(place).fillna(-1).to_numpy(dtype=np.int64)
    t = sums.day.map({day: n for n, day in enumerate(timetable.days)}).fillna(-1).to_numpy(dtype=np.int64)
    i = option_of[sums.kind.to_numpy(dtype=np.int64)]
    known = (g >= 0) & (t >= 0) & (i >= 0)
    g, t, i = g[known], t[known], i[known]
    told = {name: sums[name].to_numpy(dtype=np.float64)[known] for name in sums.columns[3:]}
    campaigns = [plan.campaigns[o.campaign] for o in timetable.options]
    cost = np.array([campaign.cost_per_contact for campaign in campaigns])[i]
    value = np.array([campaign.value_per_contact for campaign in campaigns])[i]
    margin, rate = np.array([campaign.margin_per_response for campaign in campaigns])[i], figures.rate[g, i]
    own = told["both"] + told["rate"] * margin + told["margin"] * rate
    returned = (own - (told["contacts"] - told["neither"]) * rate * margin) * rules.fatigue_keep ** told["k"]

    def by_place(amounts: NDArray[np.float64]) -> NDArray[np.float64]:
        total = np.zeros((len(segments), *timetable.sendable.shape))
        np.add.at(total, (g, t, i), amounts)
        return total

    return OwnMoney(
        by_place(told["cost"] - told["costs"] * cost),
        by_place(told["value"] - told["values"] * value),
        by_place(returned),
    )


def has_own_money(plan: Plan, bands: CustomerBands | None) -> bool:
    """Whether any customers may have figures of their own."""
    return plan.data.source("scores") is not None or bands is not None


def _band_rates(
    bands: CustomerBands,
    contacts: AuditedContacts,
    timetable: Timetable,
    segments: Sequence[str],
    figures: ContactFigures,
) -> ir.Table:
    """A book of response rates: segment (its code), band, kind and `banded`."""
    option = {(o.channel, o.campaign): i for i, o in enumerate(timetable.options)}
    places = [(n, option.get((kind.channel, kind.campaign))) for n, kind in enumerate(contacts.kinds)]
    rows = []
    for label, band, factor in bands.frame[["segment", "band", "multiplier"]].itertuples(index=False):
        if label in segments and label in contacts.labels and band > 0:
            code, own = contacts.labels.index(label), figures.rate[list(segments).index(label)]
            for n, i in places:
                if i is not None:
                    rows.append((code, band, n, round(min(1.0, float(own[i]) * factor), 9)))
    book = pd.DataFrame(rows, columns=["segment", "band", "kind", "banded"])
    return table_of(book, {"segment": "int32", "band": "int32", "kind": "int32", "banded": "float64"})


def _with_bands(rows: ir.Table, bands: CustomerBands, book: ir.Table) -> ir.Table:
    """The same contacts, those without a response rate of their own with that of the customer's band."""
    rows = rows.left_join(bands.table, "customer_id", rname="{name}_b")
    rows = rows.left_join(book, ["segment", "band", "kind"], rname="{name}_r")
    return rows.mutate(response_rate=rows.response_rate.coalesce(rows.banded))


def _with_figures(tables: Tables, contacts: AuditedContacts, rules: ContactRules) -> ir.Table:
    """The planned contacts with the contacts before them that tire (k) and the customer's own figures."""
    names = pd.DataFrame(
        [(n, kind.channel, kind.campaign) for n, kind in enumerate(contacts.kinds)],
        columns=["kind", "channel", "campaign"],
    )
    book = table_of(names, {"kind": "int32", "channel": "string", "campaign": "string"})
    every = contacts.once()
    tired = every.mutate(k=every.count().over(days_around(every, rules.fatigue_days, -1)).fill_null(0))
    rows = tired.filter(tired.planned).join(book, "kind")
    scores = tables.scores
    told = {name: half_up(scores[name], places) for name, places in _USED.items()}
    scores = scores.select("customer_id", "campaign", "channel", **told)
    exact = scores.filter(scores.channel.notnull()).rename({f"{name}_1": name for name in _USED})
    general = scores.filter(scores.channel.isnull()).drop("channel")
    general = general.rename({f"{name}_2": name for name in _USED})
    rows = rows.left_join(exact, ["customer_id", "campaign", "channel"], rname="{name}_x")
    rows = rows.left_join(general, ["customer_id", "campaign"], rname="{name}_y")
    own = {name: rows[f"{name}_1"].coalesce(rows[f"{name}_2"]) for name in _USED}
    return rows.select("customer_id", "segment", "day", "kind", "k", **own)


def _sums(rows: ir.Table) -> ir.Table:
    """By segment, day, kind and k: sums of the figures, and how many contacts have them."""
    rate, margin = rows.response_rate, rows.margin_per_response
    nothing = ibis.literal(0.0)

    def total(values: ir.FloatingValue, where: ir.BooleanValue) -> ir.FloatingScalar:
        return where.ifelse(values, nothing).sum()

    return rows.group_by("segment", "day", "kind", "k").agg(
        contacts=rows.count(),
        cost=rows.cost_per_contact.fill_null(0.0).sum(),
        costs=rows.cost_per_contact.count(),
        value=rows.value_per_contact.fill_null(0.0).sum(),
        values=rows.value_per_contact.count(),
        both=total(rate * margin, rate.notnull() & margin.notnull()),
        rate=total(rate, margin.isnull() & rate.notnull()),
        margin=total(margin, rate.isnull() & margin.notnull()),
        neither=(rate.isnull() & margin.isnull()).cast("int64").sum(),
    )
