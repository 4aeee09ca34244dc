"""The audit: each rule kept and broken in cases worked out by hand, and against the tests' own judges."""

from __future__ import annotations

import tempfile
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import ibis
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from oracle.checker import limit_breaches, rows_of
from oracle.contract_rules import series_breaches, why_not
from oracle.random_plans import small_workspaces
from oracle.reading import read_world
from oracle.workspace_files import write_workspace
from oracle.world import Contact

from optimizer.audit import COLUMNS, RULES, AuditFailed, audit_calendar, refuse_breaches
from optimizer.committed import committed_contacts
from optimizer.limits import make_limits
from optimizer.plan_file import load_plan
from optimizer.tables import open_tables
from optimizer.timetable import Timetable

START = date(2026, 11, 30)  # a Monday
OFTEN = [{"contacts": 99, "days": 1}]
CUSTOMERS = pd.DataFrame({"customer_id": ["a", "b"], "segment": ["1", "2"], "x": [4, 6]})
Planned = tuple[str, int, str, str]
CASES = Path(__file__).parent


def on(day: int) -> date:
    return START + timedelta(days=day)


def sale(*days: int, customer: str = "a", channel: str = "email") -> list[Planned]:
    return [(customer, day, channel, "sale") for day in days]


def news(*days: int, customer: str = "a") -> list[Planned]:
    return [(customer, day, "email", "news") for day in days]


def rows(columns: str, *values: tuple[Any, ...]) -> pd.DataFrame:
    """A table of the named columns; whole numbers in columns of dates are days from the start."""
    frame = pd.DataFrame(list(values), columns=columns.split())
    for name in frame.columns.intersection(
        ["contacted_on", "contact_on", "starts_on", "ends_on", "valid_from", "valid_to"]
    ):
        frame[name] = [None if pd.isna(day) else on(int(day)) for day in frame[name]]
    return frame


def history(*days: int, campaign: str = "sale", **more: Any) -> dict[str, pd.DataFrame]:
    told = rows("customer_id contacted_on channel campaign", *(("a", d, "email", campaign) for d in days))
    return {"contact_history": told.assign(**more)}


def promises(*days: int, campaign: str = "bill", **more: Any) -> dict[str, pd.DataFrame]:
    told = rows("customer_id contact_on channel campaign", *(("a", d, "email", campaign) for d in days))
    return {"commitments": told.assign(**more)}


def permit(*values: tuple[Any, ...]) -> dict[str, pd.DataFrame]:
    """Rows of status, valid_from, valid_to and topic, for customer a and e-mail."""
    given_rows = [("a", "email", *value) for value in values]
    return {"permissions": rows("customer_id channel status valid_from valid_to topic", *given_rows)}


def restrict(reason: str, first: int, last: int | None) -> dict[str, pd.DataFrame]:
    return {"restrictions": rows("customer_id reason starts_on ends_on", ("a", reason, first, last))}


def the_plan(**patch: Any) -> dict[str, Any]:
    """Two weeks, two campaigns that may repeat daily, two channels open to all."""
    campaigns = {
        "sale": {
            "type": "promotional", "channels": ["email", "mail"], "business_unit": "retail",
            "max_per_customer": OFTEN, **patch.pop("sale", {}),
        },
        "news": {"type": "service", "channels": ["email"], "max_per_customer": OFTEN, **patch.pop("news", {})},
    }  # fmt: skip
    open_to_all = {"default_permission": "granted"}
    channels = {
        "email": {"unit_cost": 0.5, **open_to_all, **patch.pop("email", {})},
        "mail": {"unit_cost": 1.0, **open_to_all},
    }
    restrictions = {"complaint": {"blocks": ["promotional"], "days_after": 2}, "quiet": {"blocks": []}}
    return {
        "name": "tiny", "currency": "EUR", "period": {"start": START, "days": 14},
        "segments": {"column": "segment"}, "response": {"from": "table"},
        "channels": channels, "campaigns": campaigns,
        "policy": {"restrictions": restrictions, **patch.pop("policy", {})}, **patch,
    }  # fmt: skip


def audit(
    plan: dict[str, Any],
    tables: dict[str, pd.DataFrame],
    planned: list[Planned],
    labels: dict[str, str] | None = None,
) -> pd.DataFrame:
    """The breaches of planned contacts; `labels` are the customers' segments, by default their column."""
    people = tables.get("customers", CUSTOMERS)
    labels = labels or dict(zip(people.customer_id.astype(str), people.segment.astype(str), strict=True))
    no_rows = rows("customer_id channel status", ("b", "mail", "granted"))
    no_rates = rows("segment campaign channel response_rate", ("1", "sale", "email", 0.1))
    whole = {"customers": people, "permissions": no_rows, "response_rates": no_rates, **tables}
    with tempfile.TemporaryDirectory() as folder:
        loaded = load_plan(write_workspace(Path(folder), plan, whole))
        opened = open_tables(loaded)
        timetable = Timetable.of(loaded)
        names = sorted(set(labels.values()))
        size = pd.Series(labels).value_counts().reindex(names).to_numpy()
        earlier = opened.as_of(loaded.period.start)
        limits = make_limits(loaded, timetable, names, size, committed_contacts(loaded, earlier))
        calendar = pd.DataFrame(
            [
                (c, loaded.period.start + timedelta(days=d), ch, ca, labels.get(c, "?"))
                for c, d, ch, ca in planned
            ],
            columns=["customer_id", "contact_on", "channel", "campaign", "segment"],
        )
        kinds = {**dict.fromkeys(calendar.columns, "string"), "contact_on": "date"}
        found = audit_calendar(
            loaded, opened, ibis.memtable(calendar, schema=kinds), limits, timetable, segments=names
        )
        opened.connection.disconnect()
    return found


def told(found: pd.DataFrame) -> list[tuple[str, int | None]]:
    """Rule and day of each breach."""
    days = [None if pd.isna(day) else (day.date() - START).days for day in found.contact_on]
    return list(zip(found.rule, days, strict=True))


def case(
    name: str, planned: list[Planned], broken: list[tuple[str, int | None]], tables: Any = None, **patch: Any
) -> Any:
    return pytest.param(patch, tables or {}, planned, broken, id=name)


THREE_IN_SEVEN = {"max_per_customer": [{"contacts": 3, "days": 7}]}
APART = {"never_together": [{"campaigns": ["sale", "news"], "days": 3}]}
AFTER = {"only_after": [{"campaign": "sale", "after": "news", "days": [2, 4]}]}


@pytest.mark.parametrize(
    ("patch", "tables", "planned", "broken"),
    [
        case("nothing planned", [], []),
        case("an open plan", sale(0, 1, 13), []),
        # Permission
        case("granted", sale(3), [], permit(("granted", None, None, None))),
        case("denied", sale(3), [("permission", 3)], permit(("granted", 0, 9, None), ("denied", 3, 3, None))),
        case("denied on another day", sale(4), [], permit(("granted", 0, 9, None), ("denied", 3, 3, None))),
        case("denied for another type", sale(3), [], permit(("denied", None, None, "service"))),
        case("consent lapsed", sale(5, 6), [("permission", 6)], permit(("granted", None, 5, None))),
        case("consent not begun", sale(4, 5), [("permission", 4)], permit(("granted", 5, None, "promotional"))),
        case("consent for another type lapsed", sale(9), [], permit(("granted", None, 5, "service"))),
        case("denied by default", sale(3), [("permission", 3)], email={"default_permission": "denied"}),
        case("default does not matter", sale(3), [], permit(("granted", None, None, None)),
             email={"default_permission": "denied"}),
        # Restrictions: complaint blocks promotions until two days after its end
        case("restricted", [*sale(2, 4, 7, 8), *news(5)], [("restriction", 4), ("restriction", 7)],
             restrict(" Complaint", 3, 5)),
        case("still open", sale(2, 13), [("restriction", 13)], restrict("complaint", 3, None)),
        case("blocks nothing", sale(4), [], restrict("quiet", 3, 5)),
        # Caps
        case("three in seven days", sale(0, 1, 6, 8), [], policy=THREE_IN_SEVEN),
        case("four in seven days", sale(0, 1, 6, 7, 8), [(f"frequency_cap", d) for d in (1, 6, 7, 8)],
             policy=THREE_IN_SEVEN),
        case("with history", sale(3, 4), [("frequency_cap", 3)], history(-3, -2, -1), policy=THREE_IN_SEVEN),
        case("with a commitment ahead", sale(3), [("frequency_cap", 3)], promises(4, 5, 9), policy=THREE_IN_SEVEN),
        case("full without a planned one", sale(9), [], promises(1, 2, 3, 4), policy=THREE_IN_SEVEN),
        case("undelivered", sale(3), [], history(-3, -2, -1, delivered=0), policy=THREE_IN_SEVEN),
        case("held back", sale(3), [], history(-3, -2, -1, control=1), policy=THREE_IN_SEVEN),
        case("history since the start", sale(3), [], history(0, 1, 2), policy=THREE_IN_SEVEN),
        case("told twice", sale(3), [], history(-3, -3, -1), policy=THREE_IN_SEVEN),
        case("no contacts at all", sale(3), [("frequency_cap", 3)], email={"max_per_customer": [
             {"contacts": 0, "days": 1}]}),
        case("another channel", sale(3, 4, channel="mail"), [], email={"max_per_customer": [
             {"contacts": 1, "days": 7}]}),
        case("another type", [*sale(3), *news(4)], [], policy={"max_per_customer": [
             {"contacts": 1, "days": 7, "types": ["promotional"]}]}),
        case("unknown type", sale(3), [("frequency_cap", 3)], promises(4), policy={"max_per_customer": [
             {"contacts": 1, "days": 7, "types": ["promotional"]}]}),
        case("known type", sale(3), [], promises(4, type="functional"), policy={"max_per_customer": [
             {"contacts": 1, "days": 7, "types": ["promotional"]}]}),
        # Spacing
        case("two days between", sale(3, 5), [], history(-1), policy={"min_days_between": 2}),
        case("one day between", sale(3, 4), [("spacing", 3), ("spacing", 4)], policy={"min_days_between": 2}),
        case("the day after history", sale(0), [("spacing", 0)], history(-1), policy={"min_days_between": 2}),
        # Campaigns far enough apart
        case("four days apart", [*sale(3, 4), *news(8)], [], policy=APART),
        case("three days apart", [*sale(3, 5), *news(8)], [("never_together", 5), ("never_together", 8)],
             policy=APART),
        case("too near to history", sale(2, 3), [("never_together", 2)], history(-1, campaign="news"),
             policy=APART),
        # One campaign after the other
        case("after two and four days", [*news(3), *sale(5, 7)], [], policy=AFTER),
        case("too early and too late", [*news(3), *sale(4, 8)], [("only_after", 4), ("only_after", 8)],
             policy=AFTER),
        case("after history", sale(2, 4), [("only_after", 4)], history(-1, campaign="news"), policy=AFTER),
        case("after another customer's", [*news(3, customer="b"), *sale(5)], [("only_after", 5)], policy=AFTER),
        # More of one campaign than its own cap allows, or one that is promised already
        case("once in 14 days", sale(0), [], history(-14), sale={"max_per_customer": [
             {"contacts": 1, "days": 14}]}),
        case("twice in 14 days", sale(0, 13), [("duplicate", 0), ("duplicate", 13)], sale={"max_per_customer": [
             {"contacts": 1, "days": 14}]}),
        case("promised already", sale(3, 4), [("duplicate", 3)], promises(3, campaign="sale")),
        # Audience
        case("audience", sale(3, customer="b"), [], sale={"audience": "x > 5"}),
        case("outside the audience", [*sale(3), *news(4)], [("audience", 3)], sale={"audience": "x > 5"}),
        case("segments", sale(3), [], sale={"segments": [1]}),
        case("another segment", sale(3, customer="b"), [("audience", 3)], sale={"segments": [1]}),
        case("nobody known", sale(3, customer="c"), [("audience", 3)]),
        # Window
        case("inside the window", sale(2, 4), [], sale={"from": on(2), "to": on(4)}),
        case("outside the window", sale(1, 5), [("window", 1), ("window", 5)], sale={"from": on(2), "to": on(4)}),
        case("outside the period", sale(-1, 14), [("window", -1), ("window", 14)]),
        case("no send day", sale(0, 1), [("window", 1)], email={"send_days": ["mon"]}),
        case("blackout", sale(0, 1), [("window", 1)], email={"blackout": [on(1)]}),
        case("not on this channel", [("a", 2, "mail", "news")], [("window", 2)]),
        case("no such channel", [("a", 2, "fax", "news")], [("permission", 2), ("window", 2)]),
        case("no such campaign", [("a", 2, "email", "unheard")], [("window", 2)]),
        # Hold-out
        case("held out", [*sale(3), *news(4)], [("hold_out", 3)], hold_out={"share": 1}),
        case("none held out", sale(3), [], hold_out={"share": 0}),
        case("of another type", sale(3), [], hold_out={"share": 1, "types": ["service"]}),
        # One a day
        case("one each", [*sale(3), *sale(3, customer="b")], []),
        case("two a day", [*sale(3), *news(3)], [("one_a_day", 3), ("one_a_day", 3)]),
        case("the same twice", sale(3, 3), [("one_a_day", 3)]),
        # Limits: 0.5 an e-mail, 1 a letter
        case("within the budget", sale(1, 3), [], budget=[{"amount": 1}]),
        case("beyond the budget", sale(1, 3, 5), [("limit", None)], budget=[{"amount": 1}]),
        case("beyond a week's", sale(1, 3, 8), [("limit", None)], budget=[{"amount": 0.5, "per": "week"}]),
        case("beyond what is left", sale(1, 3), [("limit", None)], promises(5, cost=0.25), budget=[{"amount": 1}]),
        case("within capacity", [*sale(1, 2), *sale(1, channel="mail", customer="b")], [],
             email={"capacity": [{"contacts": 1, "per": "day"}]}),
        case("beyond capacity", [*sale(1), *sale(1, customer="b")], [("limit", None)],
             email={"capacity": [{"contacts": 1, "per": "day"}]}),
        case("fewest contacts", sale(1, 2), [], sale={"contacts": {"min": 2}}),
        case("too few contacts", sale(1), [("limit", None)], sale={"contacts": {"min": 2}}),
        case("half reached", sale(1), [], reach=[{"share": 0.5}]),
        case("twice is one customer", sale(1, 2), [("limit", None)], reach=[{"customers": 2}]),
        case("reach of a segment", sale(1), [("limit", None)], reach=[{"share": 0.5, "segments": [2]}]),
    ],
)  # fmt: skip
def test_by_eye(
    patch: dict[str, Any],
    tables: dict[str, pd.DataFrame],
    planned: list[Planned],
    broken: list[tuple[str, int | None]],
) -> None:
    assert told(audit(the_plan(**patch), tables, planned)) == broken


def test_a_breach_says_who_when_what_and_why() -> None:
    people = CUSTOMERS.assign(customer_id=[20, 3])
    planned = [*sale(1, 2, customer="20"), *sale(1, 2, customer="3")]
    caps = {"max_per_customer": [{"contacts": 1, "days": 2}, {"contacts": 1, "days": 3}]}
    permissions = rows("customer_id channel status", (3, "mail", "granted"))
    found = audit(the_plan(policy=caps), {"customers": people, "permissions": permissions}, planned)
    assert found.columns.tolist() == COLUMNS
    # By customer, and 3 comes before 20; both caps in one row.
    assert found.customer_id.tolist() == [3, 3, 20, 20]
    assert found.contact_on.dt.date.tolist() == [on(1), on(2)] * 2
    assert found.iloc[0, 3:6].tolist() == ["email", "sale", "retail"]
    assert found.detail[0] == (
        "policy.max_per_customer[0]: 2 contacts in 2 days, at most 1; "
        "policy.max_per_customer[1]: 2 contacts in 3 days, at most 1"
    )


def test_breaches_are_refused() -> None:
    found = audit(the_plan(budget=[{"amount": 0.5}]), {}, [*sale(1), *news(1)])
    with pytest.raises(AuditFailed, match=r"found 3 breaches \(one_a_day 2, limit 1\)\. Nothing is written"):
        refuse_breaches(found)
    refuse_breaches(found[:0])


def test_every_rule_has_a_case_that_breaks_it() -> None:
    cases = next(mark for mark in test_by_eye.pytestmark if mark.name == "parametrize").args[1]  # type: ignore[attr-defined]
    assert {rule for one in cases for rule, _ in one.values[3]} == set(RULES)


PATHS = {"policy.min_days_between": "spacing"}


def draw_calendar(
    draw: Any, plan: dict[str, Any], tables: dict[str, pd.DataFrame], valid: Any
) -> list[Planned]:
    """Contacts at random among those that `valid` takes."""
    some = [
        (str(customer), day, channel, campaign)
        for customer in tables["customers"].customer_id
        for day in range(plan["period"]["days"] + 1)
        for channel in plan["channels"]
        for campaign in plan["campaigns"]
        if valid(str(customer), Contact(day, channel, campaign))
    ]
    return draw(st.lists(st.sampled_from(some), max_size=3 * len(tables["customers"]))) if some else []


def by_customer(planned: list[Planned]) -> dict[str, tuple[Contact, ...]]:
    return {
        customer: tuple(Contact(*contact) for who, *contact in planned if who == customer)
        for customer in sorted({row[0] for row in planned})
    }


SEEN = {"contacts": 0, "at fault alone": 0, "rules broken": 0, "limits broken": 0}


@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(small_workspaces(), st.data())
def test_rules_about_customers_agree_with_the_judges(workspace: Any, data: Any) -> None:
    plan, tables = workspace
    segments = dict(zip(tables["customers"].customer_id, tables["customers"].segment, strict=True))
    world = read_world(plan, tables, segments, tables["response_rates"])
    planned = draw_calendar(data.draw, plan, tables, lambda *_: True)
    # About half of the contacts are to be such as may be sent: most of those at random may not.
    planned += draw_calendar(data.draw, plan, tables, lambda *one: not why_not(world, *one))
    found = audit(plan, tables, planned, world.segments)
    found = found[found.rule != "limit"]
    days = (found.contact_on.dt.date - plan["period"]["start"]).map(lambda gap: gap.days)
    alone = found.rule.isin(["permission", "restriction", "audience", "window", "hold_out"])
    alone |= found.detail.str.contains("promised already")
    at_fault = set(zip(*(column[alone] for column in (found.customer_id.astype(str), days)), strict=True))
    named = set(zip(found.channel[alone], found.campaign[alone], strict=True))
    expected = {
        (c, *one) for c, stream in by_customer(planned).items() for one in stream if why_not(world, c, one)
    }
    assert at_fault == {row[:2] for row in expected}
    assert named == {row[2:] for row in expected}
    paths = {
        (str(customer), "one planned contact a day" if rule == "one_a_day" else detail.split(": ")[0])
        for customer, rule, details in zip(found.customer_id, found.rule, found.detail, strict=True)
        for detail in details.split("; ")
        if ": " in detail or rule == "one_a_day"
    }
    series = {
        (customer, path)
        for customer, stream in by_customer(planned).items()
        for path in series_breaches(world, customer, stream)
    }
    assert paths == series
    SEEN["contacts"] += len(planned)
    SEEN["at fault alone"] += len(expected)
    SEEN["rules broken"] += len(series)


@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(small_workspaces(), st.data())
def test_limits_agree_with_the_judges(workspace: Any, data: Any) -> None:
    plan, tables = workspace
    segments = dict(zip(tables["customers"].customer_id, tables["customers"].segment, strict=True))
    world = read_world(plan, tables, segments, tables["response_rates"])
    off_timetable = ("window", "send day", "campaign or channel")
    planned = draw_calendar(data.draw, plan, tables, lambda *one: why_not(world, *one) not in off_timetable)
    planned = list(dict.fromkeys(planned))
    found = audit(plan, tables, planned, world.segments)
    calendar = pd.DataFrame(planned, columns=["customer_id", "day", "channel", "campaign"])
    start = pd.Timestamp(plan["period"]["start"])
    calendar["contact_on"] = start + pd.to_timedelta(calendar.pop("day").astype(int), unit="D")
    calendar = calendar.assign(
        segment="", stream="", final=True, response_rate=0.0, expected_value=0.0, cost=0.0
    )
    rows_by: dict[str, list[Any]] = {}
    for row in rows_of(calendar, start):
        rows_by.setdefault(row.customer, []).append(row)
    expected = sorted(words.split(" ")[0].rstrip(":") for words in limit_breaches(world, rows_by))
    limits = found[found.rule == "limit"]
    assert sorted(detail.split(" ")[0].rstrip(":") for detail in limits.detail) == expected
    SEEN["limits broken"] += len(expected)


def test_the_judges_found_enough() -> None:
    assert SEEN["contacts"] > 100
    assert min(SEEN.values()) >= 10
