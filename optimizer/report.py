"""The report: one self-contained HTML page for people, readable on screen and on paper."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd
import plotly.graph_objects as go
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from optimizer import figures, wording
from optimizer.limit_wording import headline_limits, limits_in_words
from optimizer.strategy import segment_strategy

if TYPE_CHECKING:
    from optimizer.plan_file import Plan

MOST_USED = 20
_IDENTITY = ("segment", "name", "customers", "share")
_SHARES = ("rate", "response_rate", "low", "high", "standard_error")
_TOTALS = ["contacts", "expected_responses", "expected_value", "cost"]


class PlannedResult(Protocol):
    """What the page needs of a solved plan: the contract's tables as DataFrames, and the plan."""

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
    def warnings(self) -> tuple[str, ...]: ...  # noqa: D102


def render(result: PlannedResult) -> str:
    """The page as HTML. Nothing is loaded from elsewhere; every name in it is escaped.

    Figures need JavaScript, which is inlined; beside each stands a table with the same numbers.
    """
    plan = result.plan
    allocation = result.allocation[result.allocation["contacts"] > 0]
    start, days = plan.period.start, plan.period.days
    limits = limits_in_words(result.limits, plan)
    drawn = _figures(allocation, plan) if len(allocation) else {}
    return (
        _environment(plan.currency)
        .get_template("report.html")
        .render(
            plan=plan,
            period_end=start + timedelta(days - 1),
            commit_end=start + timedelta(plan.period.commit_days - 1),
            summary=result.summary,
            headline=_headline(result.summary),
            warnings=result.warnings,
            profile=_profile(result.segments),
            strategy=_strategy(result, allocation),
            weeks=_channel_weeks(allocation, plan),
            channel_totals=_totals(allocation, "channel"),
            campaign_totals=_totals(allocation, "campaign"),
            overall=allocation[_TOTALS].sum().to_dict(),
            days=_channel_days(allocation, plan),
            limits=headline_limits(limits),
            all_limits=limits,
            exhausted=[row for row in limits if row.fill == 1.0 and not row.minimum],
            streams=_most_used(result.streams, result.segments),
            streams_in_use=int((result.streams["contacts"] > 0).sum()),
            response_rates=_records(result.response_rates),
            shares=_SHARES,
            grounds=figures.GROUNDS,
            figures=drawn,
            plotly_js=Markup(get_plotlyjs()) if drawn else "",  # the library's own text
        )
    )


def _environment(currency: str) -> Environment:
    environment = Environment(
        loader=PackageLoader("optimizer", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "money": lambda value: wording.money(value, currency),
        "number": wording.number,
        "whole": lambda value: wording.number(value, 0),
        "share": wording.share,
        "day": wording.day,
    }
    environment.globals["span"] = wording.span
    return environment


def _headline(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The summary's figures that a sentence is made of; a bound that is missing is no bound."""
    bound, gap = (
        math.nan if summary[name] is None else float(summary[name]) for name in ("upper_bound", "gap")
    )
    proved = math.isfinite(bound) and math.isfinite(gap)
    customers = summary["customers"]
    return {
        "proved": proved,
        "optimal": summary["status"] == "optimal",
        "left": max(0.0, bound - float(summary["expected_value"])) if proved else None,
        "gap": max(0.0, gap) if proved else None,
        "reached_share": summary["reached"] / customers if customers else 0.0,
    }


def _profile(segments: pd.DataFrame) -> list[tuple[str, list[Any]]]:
    """Features and value figures as rows, so that the page stays as narrow as there are segments."""
    return [
        (str(column), segments[column].tolist()) for column in segments.columns if column not in _IDENTITY
    ]


def _strategy(result: PlannedResult, allocation: pd.DataFrame) -> list[dict[str, Any]]:
    period = result.plan.period
    words = segment_strategy(
        result.segments,
        result.streams,
        allocation,
        start=period.start,
        days=period.days,
        currency=result.plan.currency,
    )
    return [row | {"words": words[row["segment"]]} for row in _records(result.segments[list(_IDENTITY)])]


def _figures(allocation: pd.DataFrame, plan: Plan) -> dict[str, dict[str, Any]]:
    """Each figure as Plotly's own JSON, by the id of its place on the page."""
    start, days = plan.period.start, plan.period.days
    channels = [name for name in plan.channels if (allocation["channel"] == name).any()]
    drawn: dict[str, go.Figure] = {
        "channel-weeks": figures.channel_weeks(allocation, channels, start, days),
        "campaigns": figures.campaign_bars(allocation, channels),
        "calendar": figures.calendar_map(allocation, _closed_days(allocation, plan), start, days),
    }
    return {place: json.loads(figure.to_json()) for place, figure in drawn.items()}


def _closed_days(allocation: pd.DataFrame, plan: Plan) -> dict[str, dict[str, dict[date, str]]]:
    """For every channel, and every campaign in use, the days on which the plan forbids it."""
    days = [plan.period.start + timedelta(offset) for offset in range(plan.period.days)]
    channels: dict[str, dict[date, str]] = {}
    for name, channel in plan.channels.items():
        shut = {day: "closed" for day in days if day.weekday() not in channel.send_days}
        channels[name] = shut | dict.fromkeys(channel.blackout, "blackout")
    campaigns = {
        name: {day: "closed" for day in days if not campaign.from_ <= day <= campaign.to}
        for name, campaign in plan.campaigns.items()
        if (allocation["campaign"] == name).any()
    }
    return {"channel": channels, "campaign": campaigns}


def _totals(allocation: pd.DataFrame, column: str) -> list[dict[str, Any]]:
    totals = allocation.groupby(column, observed=True)[_TOTALS].sum()
    totals = totals.sort_values("contacts", ascending=False, kind="stable")
    return _records(totals.reset_index(names="name"))


def _channel_weeks(allocation: pd.DataFrame, plan: Plan) -> list[dict[str, Any]]:
    """Contacts a week and channel, a row a week."""
    start = pd.Timestamp(plan.period.start)
    week = (pd.to_datetime(allocation["date"]) - start).dt.days // 7
    totals = allocation["contacts"].groupby([week, allocation["channel"]]).sum()
    return [
        {"first": first, "last": last, "contacts": {name: totals.get((i, name), 0) for name in plan.channels}}
        for i, (first, last) in enumerate(wording.weeks(plan.period.start, plan.period.days))
    ]


def _channel_days(allocation: pd.DataFrame, plan: Plan) -> list[dict[str, Any]]:
    """Contacts a day and channel, a row a day; None where the channel does not send."""
    totals = allocation["contacts"].groupby([pd.to_datetime(allocation["date"]), allocation["channel"]]).sum()
    closed = _closed_days(allocation, plan)["channel"]
    rows = []
    for offset in range(plan.period.days):
        when = plan.period.start + timedelta(offset)
        contacts = {name: totals.get((pd.Timestamp(when), name), 0) for name in plan.channels}
        shut = {name: closed[name].get(when) for name in plan.channels}
        rows.append({"day": when, "weekend": when.weekday() >= 5, "contacts": contacts, "closed": shut})
    return rows


def _most_used(streams: pd.DataFrame, segments: pd.DataFrame) -> list[dict[str, Any]]:
    used = streams[streams["contacts"] > 0]
    used = used.sort_values("customers", ascending=False, kind="stable").head(MOST_USED)
    size = segments.set_index("segment")["customers"]
    return [row | {"share": row["customers"] / size[row["segment"]]} for row in _records(used)]


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
