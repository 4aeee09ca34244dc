"""The report: one self-contained HTML page for people, readable on screen and on paper."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd
import plotly.graph_objects as go
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from optimizer import figures, report_prices, report_tables, wording
from optimizer.goal_wording import goal_in_money, goal_unit, goal_words
from optimizer.headline import campaigns_fixed, headline_figures, penalties_in_words, proof_in_words
from optimizer.limit_wording import LimitWords, headline_limits, in_goal, limits_in_words
from optimizer.strategy import segment_strategy

if TYPE_CHECKING:
    from optimizer.plan_file import Plan

_SHARES = ("rate", "response_rate", "low", "high", "standard_error")


class PlannedResult(Protocol):
    """What the page needs of a solved plan: the contract's tables as DataFrames, and the plan.

    `rule_prices` (rule, change, brings, precision) and `permission_worth` (segment, channel, customers,
    mean, most) are None where they were not worked out.
    """

    @property
    def plan(self) -> Plan: ...  # noqa: D102
    @property
    def summary(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def segments(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def streams(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def allocation(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def response_rates(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def limits(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def rule_prices(self) -> pd.DataFrame | None: ...  # noqa: D102
    @property
    def permission_worth(self) -> pd.DataFrame | None: ...  # noqa: D102
    @property
    def warnings(self) -> tuple[str, ...]: ...  # noqa: D102


def render(result: PlannedResult) -> str:
    """The page as HTML. Nothing is loaded from elsewhere; every name in it is escaped.

    Figures need JavaScript, which is inlined; beside each stands a table with the same numbers.
    """
    plan, summary = result.plan, result.summary
    allocation = result.allocation[result.allocation["contacts"] > 0]
    limits = limits_in_words(result.limits, plan)
    drawn = _figures(result, allocation, limits) if len(allocation) else {}
    return (
        _environment(plan)
        .get_template("report.html")
        .render(
            plan=plan,
            period_end=plan.period.start + timedelta(plan.period.days - 1),
            commit_end=plan.period.start + timedelta(plan.period.commit_days - 1),
            summary=summary,
            goal=goal_words(plan),
            unit=goal_unit(plan),
            in_money=goal_in_money(plan),
            streams_in_goal=goal_in_money(plan) or plan.objective.goal == "expected_responses",
            headline=headline_figures(summary, plan),
            proof=proof_in_words(summary, plan),
            penalties=penalties_in_words(summary, plan),
            warnings=result.warnings,
            grounds=figures.GROUNDS,
            figures=drawn,
            plotly_js=Markup(get_plotlyjs()) if drawn else "",  # the library's own text
            **_tables(result, allocation),
            **_prices(result, limits),
        )
    )


def _environment(plan: Plan) -> Environment:
    environment = Environment(
        loader=PackageLoader("optimizer", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "money": lambda value: wording.money(value, plan.currency),
        "in_goal": lambda value: in_goal(value, plan),
        "number": wording.number,
        "whole": lambda value: wording.number(value, 0),
        "share": wording.share,
        "day": wording.day,
        "sentence": lambda words: f"{words[:1].upper()}{words[1:]}",
    }
    environment.globals["span"] = wording.span
    return environment


def _tables(result: PlannedResult, allocation: pd.DataFrame) -> dict[str, Any]:
    """The tables beside the figures, and those of segments, streams and rates."""
    plan, segments = result.plan, result.segments
    words = segment_strategy(segments, result.streams, allocation, plan)
    rows = report_tables.records(segments[list(report_tables.IDENTITY)])
    return {
        "profile": report_tables.profile(segments),
        "strategy": [row | {"words": words[row["segment"]]} for row in rows],
        "weeks": report_tables.channel_weeks(allocation, plan),
        "days": report_tables.channel_days(allocation, plan),
        "channel_totals": report_tables.totals(allocation, "channel"),
        "campaign_totals": report_tables.totals(allocation, "campaign"),
        "overall": allocation[report_tables.TOTALS].sum().to_dict(),
        "streams": report_tables.most_used(result.streams, segments),
        "streams_in_use": int((result.streams["contacts"] > 0).sum()),
        "response_rates": report_tables.records(result.response_rates),
        "shares": _SHARES,
    }


def _prices(result: PlannedResult, limits: list[LimitWords]) -> dict[str, Any]:
    """Limits, rules and permissions in words, with what more of each would bring."""
    plan, rules, permissions = result.plan, result.rule_prices, result.permission_worth
    filled = {row.limit for row in limits if report_prices.has_fill(row)}
    return {
        "limits": headline_limits(limits),
        "all_limits": limits,
        "filled": filled,
        "priced": set(result.limits.loc[result.limits["shadow_price"].abs() > 0, "limit"]),
        "exhausted": [row for row in limits if row.fill == 1.0 and row.limit in filled and not row.minimum],
        "campaigns_fixed": campaigns_fixed(result.summary, plan),
        "rule_prices": None if rules is None else report_prices.rules_table(rules, plan),
        "permissions": None
        if permissions is None or permissions.empty
        else report_prices.permissions_table(permissions, plan),
    }


def _figures(
    result: PlannedResult, allocation: pd.DataFrame, limits: list[LimitWords]
) -> dict[str, dict[str, Any]]:
    """Each figure as Plotly's own JSON, by the id of its place on the page."""
    plan, rules, permissions = result.plan, result.rule_prices, result.permission_worth
    start, days = plan.period.start, plan.period.days
    channels = [name for name in plan.channels if (allocation["channel"] == name).any()]
    closed = report_tables.closed_days(allocation, plan)
    drawn: dict[str, go.Figure | None] = {
        "channel-weeks": figures.channel_weeks(allocation, channels, start, days),
        "campaigns": figures.campaign_bars(allocation, channels),
        "calendar": figures.calendar_map(allocation, closed, start, days),
        "limit-bars": report_prices.limits_figure(result.limits, headline_limits(limits), plan),
    }
    if rules is not None:
        drawn["rule-bars"] = report_prices.rules_figure(rules, plan)
    if permissions is not None:
        drawn["permission-map"] = report_prices.permissions_figure(permissions, plan)
    return {place: json.loads(figure.to_json()) for place, figure in drawn.items() if figure is not None}
