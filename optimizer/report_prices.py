"""The report's prices: how full each limit is and what more of it brings, looser rules, more permissions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from optimizer.goal_wording import goal_unit, goal_words
from optimizer.limit_wording import LimitWords, in_goal, path_of, unit_of
from optimizer.price_figures import Bar, gain_bars, limit_bars, permission_map
from optimizer.report_tables import records
from optimizer.wording import number

if TYPE_CHECKING:
    from optimizer.plan_file import Plan

MOST_BARS = 30
_NEGLIGIBLE = 1e-9


def limits_figure(limits: pd.DataFrame, shown: Sequence[LimitWords], plan: Plan) -> go.Figure | None:
    """Bars of the limits `shown`; those whose bound matters most stand first. None where there are none.

    They are sorted by what one more percent of the bound would bring, so that euros, hours and contacts
    can be compared; those without a price follow, the fullest first.
    """
    rows = {str(row["limit"]): row for row in records(limits)}
    drawn = [
        (not bar.priced, -abs(price * rows[words.limit]["bound"]), -bar.size, bar)
        for words in shown
        for price in [_price(rows[words.limit])]
        for bar in [_bar(words, price, plan)]
        if bar.priced or (words.fill is not None and has_fill(words))
    ]
    drawn.sort(key=lambda entry: entry[:3])
    return limit_bars([bar for *_, bar in drawn[:MOST_BARS]]) if drawn else None


def has_fill(words: LimitWords) -> bool:
    """Whether the limit has a part used; shares and returns compare two things that both change."""
    return not path_of(words.limit).endswith("_share") and not words.limit.startswith("return_on_cost")


def rules_figure(prices: pd.DataFrame, plan: Plan) -> go.Figure | None:
    """What each rule would bring if it were a step looser; None where no rule would bring anything."""
    worth = _sorted(prices)
    worth = worth[worth["brings"] > _NEGLIGIBLE].head(MOST_BARS)
    twice = set(prices["rule"][prices["rule"].duplicated()])
    bars = [
        Bar(f"{rule}: {change}" if rule in twice else rule, brings, in_goal(brings, plan))
        for rule, change, brings in worth[["rule", "change", "brings"]].itertuples(index=False)
    ]
    return gain_bars(bars, _axis(plan)) if bars else None


def rules_table(prices: pd.DataFrame, plan: Plan) -> list[dict[str, Any]]:
    """A row a rule: what it brings if looser, in words; the dearest first."""
    rows = []
    for row in records(_sorted(prices)):
        brings, precise = row["brings"], row.get("precision", 0.0)
        words = "not known: its streams are too many" if np.isnan(brings) else in_goal(brings, plan)
        if np.isfinite(brings) and precise > max(1e-6, 0.005 * brings):
            words += f", to within {in_goal(precise, plan)}"
        rows.append({"rule": row["rule"], "change": row["change"], "brings": words})
    return rows


def permissions_figure(worth: pd.DataFrame, plan: Plan) -> go.Figure | None:
    """Segments by channels: what one more granted permission brings on average; None without any."""
    if not len(worth) or not worth["mean"].notna().any():
        return None
    means = _by_channel(worth, plan)
    words = means.map(lambda value: "" if np.isnan(value) else _short(value))
    means.index = [f"segment {segment}" for segment in means.index]
    return permission_map(means, words, goal_unit(plan))


def permissions_table(worth: pd.DataFrame, plan: Plan) -> dict[str, Any]:
    """The same in words: `channels`, and a row a segment; a field is None where nobody lacks a permission."""
    means = _by_channel(worth, plan)
    fields = {(row["segment"], row["channel"]): row for row in records(worth)}
    rows = [
        {
            "segment": segment,
            "fields": [_field(fields.get((segment, channel))) for channel in means.columns],
        }
        for segment in means.index
    ]
    return {"channels": list(means.columns), "rows": rows}


def _field(row: dict[str, Any] | None) -> dict[str, str] | None:
    if row is None:
        return None
    known = np.isfinite(row["mean"])
    return {
        "mean": _short(row["mean"]) if known else "not known",
        "most": _short(row["most"]) if known and row["most"] > 0 else "",
        "customers": number(row["customers"], 0),
    }


def _by_channel(worth: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """The means as a table of segments by channels, segments in their own order, channels in the plan's."""
    table = worth.pivot(index="segment", columns="channel", values="mean")
    channels = [name for name in plan.channels if name in table.columns]
    return table.loc[list(dict.fromkeys(worth["segment"])), channels].astype("float64")


def _bar(words: LimitWords, price: float, plan: Plan) -> Bar:
    unit = unit_of(words.limit, plan)
    per = f"{unit} 1" if unit == plan.currency else unit
    priced = abs(price) > _NEGLIGIBLE
    said = f"{in_goal(price, plan)} per {per}" if priced else ""
    return Bar(words.limit, 100 * (words.fill or 0.0), said, priced, words.minimum)


def _price(row: dict[str, Any]) -> float:
    price = float(row["shadow_price"])
    return 0.0 if np.isnan(price) else price


def _sorted(prices: pd.DataFrame) -> pd.DataFrame:
    return prices.sort_values("brings", ascending=False, kind="stable", na_position="last")


def _axis(plan: Plan) -> str:
    saved = "cost saved" if plan.objective.goal == "cost" else f"more {goal_words(plan).name}"
    return f"{saved}, {goal_unit(plan)}"


def _short(value: float) -> str:
    """A figure of a narrow field: no unit, three figures at most, a sign for the smallest."""
    return "<0.001" if 0 < value < 0.001 else number(value)
