"""The response rates that a plan asks for: from its history, or from the user's table."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import ibis.expr.types as ir
import pandas as pd

from models.contact_counts import contact_counts, outcome_days
from models.response import Rates, estimate, from_table
from optimizer.frames import frame_of
from optimizer.past_segments import OUTCOME_DAYS, features_as_of, segments_then
from optimizer.plan_file import Plan
from optimizer.response_bands import with_bands
from optimizer.segmenting import Segments, excluded
from optimizer.tables import Tables
from segments.clustering import Segmentation

_OWN_RESPONSES = (
    "segments.features: the segments are told apart by the same responses that their response rates are "
    "estimated from, since the history is too short to tell them apart by what was known before; rates come "
    "out too high where these were many and too low elsewhere. Leave response rates out of "
    "segments.features, or give the table response_rates."
)


def response_rates(plan: Plan, tables: Tables, segments: Segments) -> Rates:
    """The rates of every segment, campaign and channel, as the plan says."""
    wanted = pd.DataFrame(
        [
            (segment, name, campaign.type, channel)
            for segment in segments.profile.segment.astype(str)
            for name, campaign in plan.campaigns.items()
            for channel in dict.fromkeys(campaign.channels)
        ],
        columns=["segment", "campaign", "type", "channel"],
    )
    if plan.response.from_ == "table":
        return from_table(frame_of(tables.response_rates), wanted)
    counts, warnings = _counts(plan, tables, segments)
    rates = estimate(counts, wanted)
    rates = replace(rates, warnings=(*rates.warnings, *warnings))
    if not plan.response.customer_level:
        return rates
    shown = _without(segments.table, plan, tables, "response", "segments")
    return with_bands(plan, tables, segments, shown, counts, rates)


def _counts(plan: Plan, tables: Tables, segments: Segments) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Contacts and responses by segment, and warnings.

    Where responses make the segments, those of the later half of the history are counted, by the segments as
    they were before it.
    """
    model = segments.segmentation
    if model is None or not any(name.endswith("response_rate") for name in model.features):
        return _counted(plan, tables, segments.table), ()
    days = outcome_days(tables.contact_history, plan.response.window_days, plan.period.start, OUTCOME_DAYS)
    if days is not None:
        counts = _counted(plan, tables, _segments_before(plan, tables, model, days[0]), days[0])
        tables.engine.drop("segments before")
        if counts.complete.any():
            return counts, ()
    counts = _counted(plan, tables, segments.table)
    return counts, (_OWN_RESPONSES,) if counts.contacts.any() else ()


def _segments_before(plan: Plan, tables: Tables, model: Segmentation, day: int) -> ir.Table:
    """customer_id and segment as of a day counted from the period's start."""
    engine, as_of = tables.engine, plan.period.start + timedelta(days=day)
    features = engine.keep("features before", features_as_of(plan, tables, as_of, model.features))
    then = segments_then(model, features, plan.seed, excluded(plan, tables, "segments"))
    then = engine.keep("segments before", then)
    engine.drop("features before")
    return then


def _counted(plan: Plan, tables: Tables, segments: ir.Table, since: int | None = None) -> pd.DataFrame:
    return contact_counts(
        tables.contact_history,
        _without(segments, plan, tables, "response").select("customer_id", "segment"),
        plan.response.window_days,
        (plan.fatigue.keep, plan.fatigue.days),
        plan.period.start,
        since,
    )


def _without(customers: ir.Table, plan: Plan, tables: Tables, *uses: str) -> ir.Table:
    """The customers whom no open restriction keeps out of these uses."""
    for use in uses:
        barred = excluded(plan, tables, use)
        customers = customers if barred is None else customers.anti_join(barred, "customer_id")
    return customers
