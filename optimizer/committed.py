"""Contacts of the history and commitments, counted as the plan's limits count them."""

from __future__ import annotations

from datetime import date

import ibis
import ibis.expr.types as ir
import pandas as pd

from optimizer.frames import frame_of
from optimizer.plan_file import Plan
from optimizer.tables import Tables

COLUMNS = ["day", "channel", "campaign", "business_unit", "cost", "contacts"]


def committed_contacts(plan: Plan, tables: Tables) -> pd.DataFrame:
    """Contacts by day from the period's start, channel, campaign, business unit and money each.

    Of the history those of the plan's campaigns since their `from`, of the commitments also all inside
    the period. A contact told in both counts once, at the commitment's cost.
    """
    start = ibis.date(plan.period.start)
    begun = {name: c.from_ for name, c in plan.campaigns.items() if c.from_ < plan.period.start}
    history, promised = tables.contact_history, tables.commitments
    history = history.filter(
        (history.delivered == 1)
        & (history.control == 0)
        & ibis.or_(ibis.literal(False), *(_since(history, name, first) for name, first in begun.items()))
    )
    earliest = min([plan.period.start, *begun.values()])
    promised = promised.filter(promised.contact_on >= ibis.date(earliest))
    rows = ibis.union(
        _columns(history, history.contacted_on.delta(start, unit="day"), ibis.null("float64")),
        _columns(promised, promised.contact_on.delta(start, unit="day"), promised.cost.round(6)),
    )
    once = rows.group_by("customer_id", "day", "channel", "campaign").agg(
        business_unit=rows.business_unit.min(), cost=rows.cost.max()
    )
    counted = once.group_by("day", "channel", "campaign", "business_unit", "cost").agg(contacts=once.count())
    return _completed(plan, frame_of(counted))


def _since(history: ir.Table, campaign: str, first: date) -> ir.BooleanValue:
    return (history.campaign == campaign) & (history.contacted_on >= ibis.date(first))


def _columns(rows: ir.Table, day: ir.IntegerValue, cost: ir.FloatingValue) -> ir.Table:
    return rows.select("customer_id", "channel", "campaign", "business_unit", day=day, cost=cost)


def _completed(plan: Plan, rows: pd.DataFrame) -> pd.DataFrame:
    """Fills in what the rows leave out: business unit and cost as the plan has them."""
    units = {name: campaign.business_unit for name, campaign in plan.campaigns.items()}
    extra = {name: campaign.cost_per_contact for name, campaign in plan.campaigns.items()}
    each = {name: channel.unit_cost for name, channel in plan.channels.items()}
    cost = rows.channel.map(each).fillna(0.0).astype(float) + rows.campaign.map(extra).fillna(0.0).astype(
        float
    )
    unit = [
        units.get(name) if pd.isna(own) else own
        for own, name in zip(rows.business_unit, rows.campaign, strict=True)
    ]
    filled = rows.assign(
        business_unit=pd.Series(unit, index=rows.index, dtype=object),
        cost=rows.cost.astype(float).fillna(cost),
    )
    return filled[COLUMNS].sort_values(COLUMNS, ignore_index=True)
