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
    barred = excluded(plan, tables, "response")
    known = segments.table if barred is None else segments.table.anti_join(barred, "customer_id")
    counts, warnings = _counts(plan, tables, segments, known)
    rates = estimate(counts, wanted)
    rates = replace(rates, warnings=(*rates.warnings, *warnings))
    if not plan.response.customer_level:
        return rates
    return with_bands(plan, tables, segments, _shown(plan, tables, known), counts, rates)


def _counts(
    plan: Plan, tables: Tables, segments: Segments, known: ir.Table
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Contacts and responses by segment, and warnings.

    Where responses make the segments, those of the later half of the history are counted, by the segments as
    they were before it.
    """
    if not _made_of_responses(segments):
        return _counted(plan, tables, known), ()
    days = outcome_days(tables.contact_history, plan.response.window_days, plan.period.start, OUTCOME_DAYS)
    if days is not None:
        counts = _counted(plan, tables, _segments_before(plan, tables, segments, known, days[0]), days[0])
        tables.engine.drop("segments before")
        if counts.complete.any():
            return counts, ()
    return _counted(plan, tables, known), (_OWN_RESPONSES,)


def _made_of_responses(segments: Segments) -> bool:
    """Whether the segments were told apart by response rates."""
    model = segments.segmentation
    return model is not None and any(name.endswith("response_rate") for name in model.features)


def _segments_before(plan: Plan, tables: Tables, segments: Segments, known: ir.Table, day: int) -> ir.Table:
    """customer_id and segment of the `known` customers as of a day counted from the period's start."""
    assert segments.segmentation is not None
    engine, as_of = tables.engine, plan.period.start + timedelta(days=day)
    features = features_as_of(plan, tables, as_of, segments.segmentation.features)
    features = engine.keep("features before", features)
    barred = excluded(plan, tables, "segments")
    then = segments_then(segments.segmentation, features, plan.seed, barred)
    then = engine.keep("segments before", then.semi_join(known, "customer_id"))
    engine.drop("features before")
    return then


def _counted(plan: Plan, tables: Tables, segments: ir.Table, since: int | None = None) -> pd.DataFrame:
    return contact_counts(
        tables.contact_history,
        segments.select("customer_id", "segment"),
        plan.response.window_days,
        (plan.fatigue.keep, plan.fatigue.days),
        plan.period.start,
        since,
    )


def _shown(plan: Plan, tables: Tables, known: ir.Table) -> ir.Table:
    """Of those whose responses may be used the customers whose features may be, too."""
    barred = excluded(plan, tables, "segments")
    return known if barred is None else known.anti_join(barred, "customer_id")
