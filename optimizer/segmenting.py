"""Every customer's segment: from the customers' own column, or by value segments kept from run to run."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import ibis
import ibis.expr.types as ir
import pandas as pd

from models.features import customer_features, feature_names
from optimizer.faults import BadInput, Fault
from optimizer.frames import frame_of
from optimizer.plan_file import Plan
from optimizer.tables import Tables
from segments.clustering import Segmentation, fit, sample_for_fit
from segments.profiles import profile

VALUE_FEATURES = ("margin_12m", "amount_12m")


@dataclass(frozen=True)
class Segments:
    """`table` has customer_id and segment (whole number or text); `profile` is segments.csv with text labels.

    `model` is what to keep in segments/model.json, None where it is there already or not needed;
    `segmentation` is None for segments of the customers' own column.
    """

    table: ir.Table
    profile: pd.DataFrame
    warnings: tuple[str, ...]
    model: str | None = None
    segmentation: Segmentation | None = None


def find_segments(plan: Plan, tables: Tables, refit: bool) -> Segments:
    """The customers' segments. Raises BadInput where a named feature cannot be one."""
    channels, named = list(plan.channels), plan.segments.features
    sources = (tables.customers, tables.transactions, tables.contact_history, plan.period.start, channels)
    features = customer_features(*sources)
    if named is None:
        features = tables.engine.keep("customer_features", features)
    try:
        names = feature_names(features, tables.customers, channels, named)
    except ValueError as error:
        raise BadInput(
            [Fault("segments.features", "", str(error), "Name numeric columns or derived features.")]
        ) from error
    if named is not None:
        # What is not asked for is not worked out.
        asked = dict.fromkeys([*names, *(name for name in VALUE_FEATURES if name in features.columns)])
        features = tables.engine.keep("customer_features", customer_features(*sources, wanted=asked))
    if plan.segments.column is not None:
        found = _own_segments(plan, tables, features, names)
    else:
        found = _value_segments(plan, tables, features, names, refit)
    tables.engine.drop("customer_features")
    return found


def _own_segments(plan: Plan, tables: Tables, features: ir.Table, names: tuple[str, ...]) -> Segments:
    table = tables.customers.select("customer_id", "segment")
    table = tables.engine.keep("customer_segments", table)
    labels = sorted(frame_of(table.select("segment").distinct()).segment)
    worth = next((name for name in VALUE_FEATURES if name in names), "")
    found = profile(
        features.inner_join(table, "customer_id"),
        {label: label for label in labels},
        names,
        worth or (names[0] if names else features.columns[1]),
        excluded(plan, tables, "segments"),
    )
    return Segments(table, found, ())


def _value_segments(
    plan: Plan, tables: Tables, features: ir.Table, names: tuple[str, ...], refit: bool
) -> Segments:
    barred = excluded(plan, tables, "segments")
    asked = _asked(plan)
    model = None if refit else _kept(model_file(plan), asked, features)
    fresh = model is None
    if model is None:
        sample = sample_for_fit(features, plan.seed, excluded=barred)
        names = names or (features.columns[1],)
        model = fit(sample, names, plan.segments.count, plan.seed)
    assigned = model.assign(features, barred)
    table = tables.engine.keep("customer_segments", assigned.mutate(segment=assigned.segment.cast("int32")))
    found = model.profile(features.inner_join(table, "customer_id"), barred)
    kept = json.dumps({"asked": asked, "model": json.loads(model.to_json())}, indent=1, ensure_ascii=False)
    return Segments(
        table,
        found.assign(segment=found.segment.astype(str)),
        model.warnings,
        kept if fresh else None,
        model,
    )


def model_file(plan: Plan) -> Path:
    """Where the fitted segmentation is kept."""
    return plan.folder / "segments" / "model.json"


def kept_segmentation(plan: Plan) -> Segmentation | None:
    """The segmentation of segments/model.json, if it is the one that the plan asks for."""
    return None if plan.segments.column is not None else _kept(model_file(plan), _asked(plan), None)


def _asked(plan: Plan) -> str:
    """A mark of the plan's `segments` block: another block means another segmentation."""
    block = plan.segments.model_dump(mode="json")
    return hashlib.sha256(json.dumps(block, sort_keys=True).encode()).hexdigest()


def _kept(file: Path, asked: str, features: ir.Table | None) -> Segmentation | None:
    """The kept segmentation, unless there is none, it was asked for differently, or a feature is gone."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        model = Segmentation.from_json(json.dumps(found["model"])) if found["asked"] == asked else None
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(
            [Fault("segments/model.json", "", f"cannot be read ({error})", "Run with --refit-segments.")]
        ) from error
    if model is None or features is None:
        return model
    return model if set(model.features) <= set(features.columns) else None


def excluded(plan: Plan, tables: Tables, use: str) -> ir.Table | None:
    """Customers whom an open restriction keeps out of `use` ("segments" or "response"); None without any."""
    reasons = [name for name, rule in plan.policy.restrictions.items() if use in rule.excludes_from]
    if not reasons:
        return None
    rows, start = tables.restrictions, ibis.date(plan.period.start)
    open_then = (rows.starts_on <= start) & (rows.ends_on.isnull() | (rows.ends_on >= start))
    return rows.filter(rows.reason.isin(reasons) & open_then).select("customer_id").distinct()
