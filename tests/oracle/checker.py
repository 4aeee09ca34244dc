"""Every breach in a calendar: rules, limits, figures and form, judged from the contract alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import isfinite
from typing import Any, NamedTuple

import pandas as pd

from .contract_rules import Stream, stream_breaches
from .ledger import Ledger, ledger_of, missed_of, penalties, plan_value, total_use
from .limits import limits_of
from .reading import day_column, read_world
from .values import contact_value, goal_of, own_cost, response_rate
from .world import COLUMNS, Contact, World, text

RELATIVE = 1e-9
MONEY = 1e-6


class Row(NamedTuple):
    """A row of the calendar with its contact in the judges' terms."""

    customer: str
    contact: Contact
    segment: str
    stream: str
    final: bool
    response_rate: float
    expected_value: float
    cost: float


def breaches(
    plan: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    segments: Mapping[Any, Any],
    calendar: pd.DataFrame,
    rates: pd.DataFrame | Mapping[tuple[Any, str, str], float],
    control: bool = False,
) -> list[str]:
    """All that is wrong with a calendar, in words; an empty list if it keeps every rule and limit.

    With `control` the rows are those of `control.parquet`: only held-out customers, judged as if they were
    not held out, and no limit is looked at.
    """
    missing = [name for name in COLUMNS if name not in calendar]
    if missing:
        return [f"column missing: {name}" for name in missing]
    world = read_world(plan, tables, segments, rates)
    start = pd.Timestamp(str(plan["period"]["start"]))
    found = list(form_breaches(calendar, day_column(calendar, "contact_on", start)))
    rows = rows_of(calendar, start)
    known = set(world.customers)
    if control:
        known = set(world.held_out)
        world = replace(world, held_out=frozenset())
    found += [
        f"customer unknown or in the wrong table: {row.customer}" for row in rows if row.customer not in known
    ]
    rows = [row for row in rows if row.customer in known]
    by_customer = defaultdict(list)
    for row in rows:
        by_customer[row.customer].append(row)
    for customer, own in by_customer.items():
        found += customer_breaches(world, customer, own)
    found += list(label_breaches(by_customer))
    return found if control else found + list(limit_breaches(world, by_customer))


def rows_of(calendar: pd.DataFrame, start: pd.Timestamp) -> list[Row]:
    names = ("customer_id", "channel", "campaign", "segment", "stream", "final")
    days = day_column(calendar, "contact_on", start)
    figures = (calendar[name].astype(float) for name in ("response_rate", "expected_value", "cost"))
    return [
        Row(
            text(customer),
            Contact(day, channel, campaign),
            text(segment),
            text(stream),
            bool(final),
            *numbers,
        )
        for day, customer, channel, campaign, segment, stream, final, *numbers in zip(
            days, *(calendar[name] for name in names), *figures, strict=True
        )
    ]


def form_breaches(calendar: pd.DataFrame, days: list[float]) -> Iterator[str]:
    """Empty fields, contact_id not unique, rows not sorted by date, then customer."""
    for name in COLUMNS:
        if calendar[name].isna().any():
            yield f"empty values in {name}"
            return
    if not calendar["contact_id"].is_unique:
        yield "contact_id is not unique"
    # Integers sort by value; text by its UTF-8 bytes, which is the order of Python's strings.
    order = list(zip(days, calendar["customer_id"], strict=True))
    if order != sorted(order):
        yield "rows are not sorted by date, then customer"


def customer_breaches(world: World, customer: str, rows: list[Row]) -> Iterator[str]:
    """What is wrong with one customer's rows: rules, segment, final flag, recomputed figures."""
    stream = tuple(sorted(row.contact for row in rows))
    for breach in stream_breaches(world, customer, stream):
        yield f"customer {customer}: {breach}"
    for row in rows:
        where = f"customer {customer} on day {row.contact.day}"
        if row.segment != world.segments[customer]:
            yield f"{where}: segment {row.segment}, not {world.segments[customer]}"
        if row.final != (row.contact.day < world.commit_days):
            yield f"{where}: final is {row.final}"
        if row.contact.campaign not in world.plan["campaigns"]:
            continue
        yield from (f"{where}: {words}" for words in figure_breaches(world, row, stream))
    if goal_of(world.plan) == "reach" and abs(sum(row.expected_value for row in rows) - 1) > MONEY:
        yield f"customer {customer}: expected_value does not add up to the one customer reached"


def figure_breaches(world: World, row: Row, stream: Stream) -> Iterator[str]:
    """Figures that differ from those recomputed by more than 1e-9 of themselves (money: or 1e-6)."""
    campaigns = {contact.campaign for contact in stream}
    if not campaigns <= set(world.plan["campaigns"]):
        return
    expected = {
        "response_rate": (response_rate(world, row.customer, row.contact, stream), row.response_rate, 1e-15),
        "cost": (own_cost(world, row.customer, row.contact), row.cost, MONEY),
    }
    # How a customer's one is shared among contacts, the contract leaves open.
    if goal_of(world.plan) != "reach":
        value = contact_value(world, row.customer, row.contact, stream)
        expected["expected_value"] = (value, row.expected_value, MONEY)
    for name, (right, told, least) in expected.items():
        if not abs(right - told) <= max(least, RELATIVE * abs(right)):
            yield f"{name} is {told}, should be {right}"


def label_breaches(by_customer: Mapping[str, list[Row]]) -> Iterator[str]:
    """A stream is one dated series: customers of a segment under one label have the same contacts."""
    meaning: dict[tuple[str, str], Stream] = {}
    for customer, rows in by_customer.items():
        labels = {(row.segment, row.stream) for row in rows}
        if len(labels) > 1:
            yield f"customer {customer}: rows of several streams"
            continue
        series = tuple(sorted(row.contact for row in rows))
        if meaning.setdefault(labels.pop(), series) != series:
            yield f"customer {customer}: other contacts than others of the same segment and stream"


def ledger_of_rows(world: World, by_customer: Mapping[str, list[Row]]) -> Ledger:
    """The rows added up; those of campaigns that the plan does not know count nowhere."""
    campaigns = world.plan["campaigns"]
    return ledger_of(
        world,
        {
            customer: tuple(sorted(row.contact for row in rows if row.contact.campaign in campaigns))
            for customer, rows in by_customer.items()
        },
    )


def limit_breaches(world: World, by_customer: Mapping[str, list[Row]]) -> Iterator[str]:
    """Limits exceeded or not reached; soft ones are no breach."""
    return ledger_breaches(world, ledger_of_rows(world, by_customer))


def ledger_breaches(world: World, ledger: Ledger) -> Iterator[str]:
    """Limits that a plan added up exceeds or does not reach."""
    for limit in limits_of(world):
        if limit.soft is not None:
            continue
        used = total_use(limit, ledger)
        lower, upper = limit.bounds(ledger.used)
        slack = max(MONEY, RELATIVE * max(abs(x) for x in (used, lower, upper) if isfinite(x)))
        if used > upper + slack:
            yield f"{limit.path}: {used} used, at most {upper}"
        if used < lower - slack:
            yield f"{limit.path}: {used} used, at least {lower}"


def judged(
    plan: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    segments: Mapping[Any, Any],
    calendar: pd.DataFrame,
    rates: pd.DataFrame | Mapping[tuple[Any, str, str], float],
) -> tuple[World, Ledger]:
    """The calendar's contacts, added up."""
    world = read_world(plan, tables, segments, rates)
    by_customer = defaultdict(list)
    for row in rows_of(calendar, pd.Timestamp(str(plan["period"]["start"]))):
        by_customer[row.customer].append(row)
    return world, ledger_of_rows(world, by_customer)


def penalties_of(
    plan: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    segments: Mapping[Any, Any],
    calendar: pd.DataFrame,
    rates: pd.DataFrame | Mapping[tuple[Any, str, str], float],
) -> dict[str, float]:
    """By how much the calendar misses each soft limit, by path, in the limit's own unit; no zeros."""
    return missed_of(*judged(plan, tables, segments, calendar, rates))


def penalty_costs_of(
    plan: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    segments: Mapping[Any, Any],
    calendar: pd.DataFrame,
    rates: pd.DataFrame | Mapping[tuple[Any, str, str], float],
) -> dict[str, float]:
    """What the calendar pays for the soft limits that it misses, by path, in the objective's unit."""
    return penalties(*judged(plan, tables, segments, calendar, rates))


def objective_of(
    plan: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    segments: Mapping[Any, Any],
    calendar: pd.DataFrame,
    rates: pd.DataFrame | Mapping[tuple[Any, str, str], float],
) -> float:
    """The calendar's value under the plan's objective, less setup costs and penalties, worked out anew."""
    return plan_value(*judged(plan, tables, segments, calendar, rates))
