"""Why a customer may not have a contact at all: window, audience, permission, restriction."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta

import pandas as pd

from optimizer.plan_file import Plan
from optimizer.timetable import ContactOption
from optimizer.wording import WEEKDAYS, counted, day, enumeration, span


def window_in_words(plan: Plan, option: ContactOption) -> tuple[str, str]:
    """The code and words of the reason why an option has no send day."""
    campaign, channel = plan.campaigns[option.campaign], plan.channels[option.channel]
    first, last = plan.period.start, plan.period.start + timedelta(plan.period.days - 1)
    if campaign.to < first or campaign.from_ > last:
        begin = f"from {day(campaign.from_, year=True)}" if campaign.from_ > date.min else ""
        end = f"to {day(campaign.to, year=True)}" if campaign.to < date.max else ""
        window = " ".join(part for part in (begin, end) if part)
        return "window", f"its window ({window}) misses the period ({span(first, last, year=True)})"
    inside = span(max(first, campaign.from_), min(last, campaign.to))
    days = enumeration([WEEKDAYS[n] for n in sorted(channel.send_days)])
    closed = enumeration([day(when) for when in sorted(channel.blackout)])
    words = f"no send day in its window ({inside}): {option.channel} is sent on {days}"
    return "no_send_day", f"{words}, not on {closed}" if closed else words


def audience_in_words(plan: Plan, campaign: str, customer: pd.Series) -> str:
    """The audience, and the customer's own values of the columns it speaks of."""
    text = plan.campaigns[campaign].audience or ""
    own = [
        f"{name} is {'empty' if pd.isna(value) else value}"
        for name, value in customer.items()
        if re.search(rf"(?<!\w){re.escape(str(name))}(?!\w)", text)
    ]
    return f"outside its audience: {text}" + (f" (here {enumeration(own)})" if own else "")


def segment_in_words(plan: Plan, campaign: str) -> str:
    """The segments that the campaign is for."""
    segments = plan.campaigns[campaign].segments or ()
    return f"only for segment{'' if len(segments) == 1 else 's'} {enumeration(segments)}"


def permission_refused(plan: Plan, rows: pd.DataFrame, option: ContactOption, on: date) -> str | None:
    """Why the customer's permission rows do not allow the option on the day; None if they do.

    The contract's four steps (see "Permission"), each with its dates.
    """
    about = rows[(rows.channel == option.channel) & (rows.topic.isna() | (rows.topic == option.type))]
    if about.empty:
        return None if plan.channels[option.channel].default_permission == "granted" else "never given"
    denied = [row for row in _dated(about[about.status == "denied"]) if _covers(row, on)]
    if denied:
        return f"denied{_dates(*denied[0])}"
    granted = list(_dated(about[about.status == "granted"]))
    if any(_covers(row, on) for row in granted):
        return None
    if not granted:
        return None if plan.channels[option.channel].default_permission == "granted" else "never given"
    over = [last for _, last in granted if last is not None and last < on]
    if over:
        return f"lapsed on {day(max(over), year=True)}"
    return f"not before {day(min(first for first, _ in granted if first is not None), year=True)}"


def restricted(plan: Plan, rows: pd.DataFrame, option: ContactOption, on: date) -> str | None:
    """The restriction that blocks the option on the day, in words; None if there is none."""
    for reason, first, last in rows[["reason", "starts_on", "ends_on"]].itertuples(index=False):
        rule = plan.policy.restrictions[reason]
        ends = None if pd.isna(last) else last + timedelta(rule.days_after)
        if option.type in rule.blocks and first <= on and (ends is None or on <= ends):
            if ends is None:
                return f"{reason} since {day(first, year=True)}, still open"
            after = f" ({counted(rule.days_after, 'day')} after its end)" if rule.days_after else ""
            return f"{reason} until {day(ends, year=True)}{after}"
    return None


def _dated(rows: pd.DataFrame) -> Iterator[tuple[date | None, date | None]]:
    for first, last in rows[["valid_from", "valid_to"]].itertuples(index=False):
        yield (None if pd.isna(first) else first), (None if pd.isna(last) else last)


def _covers(row: tuple[date | None, date | None], on: date) -> bool:
    first, last = row
    return (first is None or first <= on) and (last is None or on <= last)


def _dates(first: date | None, last: date | None) -> str:
    begin = f" since {day(first, year=True)}" if first else ""
    return begin + (f" until {day(last, year=True)}" if last else "")
