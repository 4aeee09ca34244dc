"""The audit against the tests' own judges, on random plans and calendars of which much is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import pandas as pd
from audit_cases import Planned, audited
from hypothesis import HealthCheck, Phase, given, settings
from oracle.checker import limit_breaches, rows_of
from oracle.contract_rules import series_breaches, why_not
from oracle.random_plans import small_workspaces
from oracle.reading import read_world
from oracle.world import Contact, World

Tables = dict[str, pd.DataFrame]
OFF_TIMETABLE = ("window", "send day", "campaign or channel")
ALONE = ("permission", "restriction", "audience", "window", "hold_out")
# Without shrinking: a case takes about a second.
THOROUGH = settings(
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
SEEN = {"contacts at fault": 0, "contacts right": 0, "rules broken": 0, "limits broken": 0}


def world_of(plan: dict[str, Any], tables: Tables) -> World:
    segments = dict(zip(tables["customers"].customer_id, tables["customers"].segment, strict=True))
    return read_world(plan, tables, segments, tables["response_rates"])


def draw_calendar(draw: Any, world: World, wanted: Callable[[str], bool]) -> list[Planned]:
    """Contacts at random of which the judge says something that is wanted."""
    choice = [
        (customer, day, channel, campaign)
        for customer in world.customers
        for day in range(world.days + 1)
        for channel in world.plan["channels"]
        for campaign in world.plan["campaigns"]
        if wanted(why_not(world, customer, Contact(day, channel, campaign)))
    ]
    return draw(st.lists(st.sampled_from(choice), max_size=2 * len(world.customers))) if choice else []


def of_customers(planned: list[Planned]) -> dict[str, tuple[Contact, ...]]:
    return {
        customer: tuple(Contact(*contact) for who, *contact in planned if who == customer)
        for customer in sorted({row[0] for row in planned})
    }


@settings(THOROUGH, max_examples=6)
@given(small_workspaces(), st.data())
def test_rules_about_customers(workspace: tuple[dict[str, Any], Tables], data: st.DataObject) -> None:
    plan, tables = workspace
    world = world_of(plan, tables)
    planned = draw_calendar(data.draw, world, bool) + draw_calendar(data.draw, world, lambda why: not why)
    found = audited(plan, tables, planned, world.segments)
    found = found[found.rule != "limit"]
    alone = found.rule.isin(ALONE) | found.detail.str.contains("promised already")
    days = [(day.date() - plan["period"]["start"]).days for day in found.contact_on]
    named = zip(found.customer_id.astype(str), days, found.channel, found.campaign, alone, strict=True)
    wrong = {row for row in planned if why_not(world, row[0], Contact(*row[1:]))}
    assert {row[:4] for row in named if row[4]} == wrong
    series = {
        (customer, path)
        for customer, stream in of_customers(planned).items()
        for path in series_breaches(world, customer, stream)
    }
    assert broken_series(found) == series
    SEEN["contacts at fault"] += len(wrong)
    SEEN["contacts right"] += len(set(planned) - wrong)
    SEEN["rules broken"] += len(series)


def broken_series(found: pd.DataFrame) -> set[tuple[str, str]]:
    """Customers and the paths of the rules about several contacts that they break."""
    return {
        (str(customer), "one planned contact a day" if rule == "one_a_day" else detail.split(": ")[0])
        for customer, rule, details in zip(found.customer_id, found.rule, found.detail, strict=True)
        for detail in details.split("; ")
        if ": " in detail or rule == "one_a_day"
    }


@settings(THOROUGH, max_examples=9)
@given(small_workspaces(), st.data())
def test_limits(workspace: tuple[dict[str, Any], Tables], data: st.DataObject) -> None:
    plan, tables = workspace
    world = world_of(plan, tables)
    planned = draw_calendar(data.draw, world, lambda why: why not in OFF_TIMETABLE)
    found = audited(plan, tables, planned, world.segments)
    told = sorted(path_of(detail) for detail in found.detail[found.rule == "limit"])
    start = pd.Timestamp(plan["period"]["start"])
    calendar = pd.DataFrame(planned, columns=["customer_id", "day", "channel", "campaign"])
    calendar["contact_on"] = start + pd.to_timedelta(calendar.day.astype(int), unit="D")
    figures = {"response_rate": 0.0, "expected_value": 0.0, "cost": 0.0}
    by_customer: dict[str, list[Any]] = {}
    for row in rows_of(calendar.assign(segment="", stream="", final=True, **figures), start):
        by_customer.setdefault(row.customer, []).append(row)
    expected = sorted(path_of(words) for words in limit_breaches(world, by_customer))
    assert told == expected
    SEEN["limits broken"] += len(expected)


def path_of(words: str) -> str:
    """The limit's path, without the stretch that each judge names in its own way."""
    return words.split(" ", maxsplit=1)[0].rstrip(":")


def test_enough_was_right_and_wrong() -> None:
    assert min(SEEN.values()) >= 5
