"""The strategy in words: who a segment's customers are, what they receive, when, and what it brings."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from optimizer.goal_wording import goal_in_money, goal_words
from optimizer.wording import WEEKDAYS, counted, day, enumeration, money, number, share, span, weeks

if TYPE_CHECKING:
    from optimizer.plan_file import Plan

_NAMED = 3  # how many features, campaigns, weekdays a sentence names before it says "others"


def dated_contacts_in_words(contacts: Iterable[tuple[date, str, str]]) -> str:
    """A stream in words, from its (date, campaign, channel) contacts in any order.

    For instance `Mon 30 Nov: winter_sale by email; Thu 10 Dec: reminder by sms`;
    the empty stream is `no contact`.
    """
    parts = [f"{day(when)}: {campaign} by {channel}" for when, campaign, channel in sorted(contacts)]
    return "; ".join(parts) or "no contact"


def segment_strategy(
    segments: pd.DataFrame,
    streams: pd.DataFrame,
    allocation: pd.DataFrame,
    plan: Plan,
) -> dict[Hashable, list[str]]:
    """A few plain sentences a segment, in the order of `segments`.

    `segments`: segment, name, customers, share, then features' means and value figures;
    `streams`: segment, stream, dated_contacts (words), customers, contacts (of all its customers),
    expected_value, cost; `allocation`: segment, campaign, channel, date, contacts,
    expected_responses, expected_value, cost. Figures are in the units of the plan's objective.
    """
    start, days = plan.period.start, plan.period.days
    features = _compared_features(segments)
    strategy: dict[Hashable, list[str]] = {}
    for index, (segment, customers) in enumerate(
        zip(segments["segment"], segments["customers"], strict=True)
    ):
        own_streams = streams[(streams["segment"] == segment) & (streams["contacts"] > 0)]
        own = allocation[(allocation["segment"] == segment) & (allocation["contacts"] > 0)]
        sentences = _who(segments.iloc[index], features)
        if own.empty or own_streams.empty:
            strategy[segment] = [*sentences, "Nobody in this segment is contacted in this period."]
            continue
        strategy[segment] = [
            *sentences,
            _how_often(own_streams, int(customers), days),
            _what(own),
            _when(own, start, days),
            _common_series(own_streams),
            _what_it_brings(own, own_streams, plan),
        ]
    return strategy


def _compared_features(segments: pd.DataFrame) -> pd.DataFrame:
    """Each numeric feature's mean over all customers and its spread between segments."""
    # Totals and shares of the whole grow with the segment: they say nothing of its customers.
    apart = ["segment", "name", "customers", "share", "value_mean", "value_total", "value_share"]
    values = segments.drop(columns=apart, errors="ignore")
    values = values.select_dtypes("number").astype("float64")
    weights = segments["customers"].astype("float64")
    known = values.notna().mul(weights, axis=0).sum()
    overall = values.mul(weights, axis=0).sum() / known.where(known > 0)
    spread = ((values - overall) ** 2).mul(weights, axis=0).sum() / known.where(known > 0)
    return pd.DataFrame({"overall": overall, "spread": spread**0.5})


def _who(row: pd.Series, features: pd.DataFrame) -> list[str]:
    sentences = [f"{counted(row['customers'], 'customer')}, {share(row['share'])} of all."]
    own = row.reindex(features.index).astype("float64")
    distance = ((own - features["overall"]) / features["spread"]).where(features["spread"] > 1e-12)
    distance = distance[distance.abs() > 0.5]
    order = distance.abs().sort_values(ascending=False, kind="stable").index[:_NAMED]
    if len(order):
        parts = [
            f"{'higher' if distance[name] > 0 else 'lower'} {name} "
            f"({number(own[name])} against {number(features.loc[name, 'overall'])})"
            for name in order
        ]
        sentences.append(f"Set apart from the average customer by {enumeration(parts)}.")
    return sentences


def _how_often(streams: pd.DataFrame, customers: int, days: int) -> str:
    reached = int(streams["customers"].sum())
    rate = float(streams["contacts"].sum()) / reached
    text = f"{number(reached, 0)} of them ({share(reached / customers)}) are contacted in the {days} days"
    text += f", {number(rate, 1)} times each on average"
    rest = customers - reached
    return f"{text}; {number(rest, 0)} are left in peace." if rest > 0 else f"{text}."


def _what(allocation: pd.DataFrame) -> str:
    total = float(allocation["contacts"].sum())
    by_campaign = _ranked(allocation, "campaign")
    parts = []
    for campaign, contacts in by_campaign.iloc[:_NAMED].items():
        channels = _ranked(allocation[allocation["campaign"] == campaign], "channel")
        parts.append(
            f"{campaign} by {enumeration([str(c) for c in channels.index])} ({share(contacts / total)})"
        )
    others = len(by_campaign) - _NAMED
    if others > 0:
        rest = share(float(by_campaign.iloc[_NAMED:].sum()) / total)
        parts.append(f"{counted(others, 'other campaign')} ({rest})")
    return f"They receive {enumeration(parts)} of {counted(total, 'contact')}."


def _when(allocation: pd.DataFrame, start: date, days: int) -> str:
    on = pd.to_datetime(allocation["date"])
    total = float(allocation["contacts"].sum())
    by_weekday = allocation["contacts"].groupby(on.dt.day_of_week.to_numpy()).sum()
    top = by_weekday.sort_values(ascending=False, kind="stable").iloc[:_NAMED]
    names = enumeration([WEEKDAYS[int(index)] for index in sorted(top.index)])
    weekdays = f"{'Only' if len(by_weekday) <= _NAMED else 'Mostly'} on {names}"
    if len(by_weekday) > _NAMED:
        weekdays += f" ({share(float(top.sum()) / total)})"
    week = (on - pd.Timestamp(start)).dt.days.to_numpy() // 7
    by_week = allocation["contacts"].groupby(week).sum()
    fullest = int(by_week.index[int(by_week.to_numpy().argmax())])
    first, last = weeks(start, days)[fullest]
    name = f"week {fullest + 1} ({span(first, last)})"
    if len(by_week) == 1:
        return f"{weekdays}, all in {name}."
    return f"{weekdays}; the fullest week is {name} with {share(by_week.max() / total)}."


def _common_series(streams: pd.DataFrame) -> str:
    ranked = streams.sort_values(["customers", "stream"], ascending=[False, True], kind="stable")
    first = ranked.iloc[0]
    how_many = "One series of contacts is" if len(ranked) == 1 else f"{len(ranked)} series of contacts are"
    customers = counted(first["customers"], "customer")
    return f"{how_many} in use; the most common, for {customers}: {first['dated_contacts']}."


def _what_it_brings(allocation: pd.DataFrame, streams: pd.DataFrame, plan: Plan) -> str:
    value, cost = float(allocation["expected_value"].sum()), float(allocation["cost"].sum())
    responses, reached = float(allocation["expected_responses"].sum()), float(streams["customers"].sum())
    responding = f"{number(responses)} expected responses" if responses else "No response is expected"
    spent, words = money(cost, plan.currency), goal_words(plan)
    if not goal_in_money(plan):
        each = money(cost / reached, plan.currency)
        return f"{responding} for contact costs of {spent}, that is {each} for each customer contacted."
    costs = "after" if plan.objective.goal == "expected_margin" else "for"
    return (
        f"{responding}; {money(value, plan.currency)} of {words.name} {costs} contact costs of {spent}, "
        f"that is {money(value / reached, plan.currency)} for each customer contacted."
    )


def _ranked(allocation: pd.DataFrame, column: str) -> pd.Series:
    totals = allocation.groupby(column, sort=True, observed=True)["contacts"].sum()
    return totals.sort_values(ascending=False, kind="stable")
