"""The tables of the report, shaped from the tables of a run: rows as dictionaries, in the order shown."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd

from optimizer import wording

if TYPE_CHECKING:
    from optimizer.plan_file import Plan

MOST_USED = 20
IDENTITY = ("segment", "name", "customers", "share")
TOTALS = ["contacts", "expected_responses", "expected_value", "cost"]


def profile(segments: pd.DataFrame) -> list[tuple[str, list[Any]]]:
    """Features and value figures as rows, so that the page stays as narrow as there are segments."""
    return [(str(column), segments[column].tolist()) for column in segments.columns if column not in IDENTITY]


def totals(allocation: pd.DataFrame, column: str) -> list[dict[str, Any]]:
    """What each channel or campaign comes to, the largest first."""
    sums = allocation.groupby(column, observed=True)[TOTALS].sum()
    sums = sums.sort_values("contacts", ascending=False, kind="stable")
    return records(sums.reset_index(names="name"))


def channel_weeks(allocation: pd.DataFrame, plan: Plan) -> list[dict[str, Any]]:
    """Contacts a week and channel, a row a week."""
    start = pd.Timestamp(plan.period.start)
    week = (pd.to_datetime(allocation["date"]) - start).dt.days // 7
    sums = allocation["contacts"].groupby([week, allocation["channel"]]).sum()
    return [
        {"first": first, "last": last, "contacts": {name: sums.get((i, name), 0) for name in plan.channels}}
        for i, (first, last) in enumerate(wording.weeks(plan.period.start, plan.period.days))
    ]


def channel_days(allocation: pd.DataFrame, plan: Plan) -> list[dict[str, Any]]:
    """Contacts a day and channel, a row a day; None where the channel does not send."""
    sums = allocation["contacts"].groupby([pd.to_datetime(allocation["date"]), allocation["channel"]]).sum()
    closed = closed_days(allocation, plan)["channel"]
    rows = []
    for offset in range(plan.period.days):
        when = plan.period.start + timedelta(offset)
        contacts = {name: sums.get((pd.Timestamp(when), name), 0) for name in plan.channels}
        shut = {name: closed[name].get(when) for name in plan.channels}
        rows.append({"day": when, "weekend": when.weekday() >= 5, "contacts": contacts, "closed": shut})
    return rows


def closed_days(allocation: pd.DataFrame, plan: Plan) -> dict[str, dict[str, dict[date, str]]]:
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


def most_used(streams: pd.DataFrame, segments: pd.DataFrame) -> list[dict[str, Any]]:
    """The streams with the most customers, with their share of the segment."""
    used = streams[streams["contacts"] > 0]
    used = used.sort_values("customers", ascending=False, kind="stable").head(MOST_USED)
    size = segments.set_index("segment")["customers"]
    return [row | {"share": row["customers"] / size[row["segment"]]} for row in records(used)]


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table, by column."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
