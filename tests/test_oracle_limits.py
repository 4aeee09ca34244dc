"""The judges of the tests are judged: limits, the optimum and the checker on cases worked out by hand."""

from __future__ import annotations

import time
from typing import Any

import pandas as pd
import pytest
import yaml
from oracle import (
    Contact,
    TooManyStreams,
    allowed_contacts,
    breaches,
    calendar_of,
    limits_of,
    random_workspace,
    read_world,
    stream_is_valid,
    streams_of,
    write_workspace,
)
from oracle_cases import RATES, best, on, plan_of, tables_of, with_campaign, with_channel


def test_streams_are_listed():
    # Email on days 0, 1, 7, 8 and phone on days 2, 9, each campaign at most once: 5 × 3 streams.
    world = read_world(plan_of(), tables_of(1), {1: "A"}, RATES)
    streams = streams_of(world, "1")
    assert len(streams) == len(set(streams)) == 15
    assert () in streams
    with pytest.raises(TooManyStreams):
        streams_of(world, "1", most=14)


def test_optimum_without_limits():
    # Sale: 0.5 × 10 − 1 = 4 for A, 0 for B; call: 10 − 2 = 8 for A, −2 for B.
    result = best(plan_of(), labels="AAB")
    assert result.lp_value == pytest.approx(24)
    assert result.integer_value == pytest.approx(24)


@pytest.mark.parametrize(
    ("budget", "fractions", "integers"),
    [
        # Both campaigns give 4 of value a unit of cost: 3.5 units buy 14; in integers only 3 units.
        ([{"amount": 3.5, "per": "period"}], 14, 12),
        # Each week 1: one sale a week; a call costs 2, half of it in fractions, so 4 a week either way.
        ([{"amount": 1, "per": "week"}], 8, 8),
        # Days 0, 1, 7, 8 give a sale each, three are wanted; days 2 and 9 half a call each.
        ([{"amount": 1, "per": "day"}], 20, 12),
        # The unit x has the sale alone: 1 sale and 3 calls.
        ([{"amount": 1, "per": "period", "business_unit": "x"}], 28, 28),
        ([{"amount": 3, "per": "period", "campaign": "call"}], 12 + 12, 12 + 8),
    ],
)
def test_budgets(budget, fractions, integers):
    result = best(plan_of(budget=budget))
    assert result.lp_value == pytest.approx(fractions)
    assert result.integer_value == pytest.approx(integers)


def test_commitments_use_up_budgets():
    # 5 less a bill of 1.5 and a letter (1 by email) leaves 2.5 for the period; those outside it do not count.
    rows = [
        (1, on(0), "email", "bill", 1.5),
        (2, on(9), "email", "letter", None),
        (2, on(10), "email", "bill", 9.0),
    ]
    assert best(
        plan_of(budget=[{"amount": 5, "per": "period"}]), tables_of(3, rows)
    ).lp_value == pytest.approx(10)
    # More than all is used: nothing is left, and nothing is broken.
    assert best(plan_of(budget=[{"amount": 2, "per": "period"}]), tables_of(3, rows)).integer_value == 0


def test_a_campaigns_own_budget_counts_since_its_from():
    # Calls on days −3 (history) and 0 (commitment) cost 2 each; the one on day −9 was before `from`.
    plan = with_campaign("call", **{"from": on(-5)}) | {
        "budget": [{"amount": 6, "per": "period", "campaign": "call"}]
    }
    plan["campaigns"]["sale"] = {"type": "promotional", "channels": []}
    tables = tables_of(4, [(1, on(0), "phone", "call", None)])
    tables["contact_history"] = pd.DataFrame(
        [(2, on(-3), "phone", "call", 1), (2, on(-9), "phone", "call", 1), (3, on(-2), "phone", "call", 0)],
        columns=["customer_id", "contacted_on", "channel", "campaign", "delivered"],
    )
    # One call is left, and by the default cap of 1 in 28 days only customers 3 and 4 may have it.
    result = best(plan, tables, "AAAA")
    assert result.integer_value == pytest.approx(8)
    # Without `from` the campaign begins with the period: 2 calls are left.
    del plan["campaigns"]["call"]["from"]
    assert best(plan, tables, "AAAA").integer_value == pytest.approx(16)


@pytest.mark.parametrize(
    ("capacity", "calls"),
    [
        ([{"contacts": 1, "per": "day"}], 2),
        ([{"contacts": 1, "per": "week"}], 2),
        ([{"contacts": 1, "per": "period"}], 1),
        ([{"hours": 1.2, "per": "period"}], 2),  # half an hour each
        (
            [{"contacts": 0, "per": "day"}, {"contacts": 1, "per": "day", "on": [on(9)]}],
            1,
        ),  # replaced on day 9
        ([{"contacts": 1, "per": "day"}, {"contacts": 0, "per": "day", "on": [on(9)]}], 1),
        (
            [{"hours": 0.5, "per": "day"}, {"contacts": 9, "per": "day", "on": [on(9)]}],
            2,
        ),  # another unit: one more
        ([{"contacts": 0, "per": "day", True: [on(2), on(9)]}], 0),  # `on` as YAML 1.1 reads it
        (
            [{"contacts": 2, "per": "week"}, {"contacts": 9, "per": "day", "on": [on(9)]}],
            3,
        ),  # weeks still hold
        ([{"contacts": 1, "per": "week"}, {"contacts": 9, "per": "day", "on": [on(7)]}], 2),
        ([{"contacts": 0, "per": "day"}, {"hours": 1, "per": "day", "on": [on(9)]}], 0),  # another unit again
    ],
)
def test_capacity(capacity, calls):
    result = best(with_channel("phone", capacity=capacity, hours_per_contact=0.5))
    assert result.integer_value == pytest.approx(3 * 4 + 8 * calls)


def test_commitments_use_up_capacity():
    rows = [(1, on(2), "phone", "bill", None), (2, on(3), "email", "bill", None)]
    plan = with_channel("phone", capacity=[{"contacts": 1, "per": "week"}])
    # The first week's place is taken by the bill; the last, short week still has one.
    assert best(plan, tables_of(3, rows)).integer_value == pytest.approx(12 + 8)


def test_fewest_and_most_contacts_of_a_campaign():
    assert best(with_campaign("call", contacts={"max": 2})).integer_value == pytest.approx(12 + 16)
    # For B a call is worth −2, so two that must be cost 4; four of three customers cannot be.
    assert best(with_campaign("call", contacts={"min": 2}), labels="BBB").integer_value == pytest.approx(-4)
    impossible = best(with_campaign("call", contacts={"min": 4}), labels="BBB")
    assert (impossible.lp_value, impossible.integer_value, impossible.streams) == (None, None, {})
    # A call promised to customer 1 counts, though not as value; that customer gets no other in 28 days.
    promised = tables_of(3, [(1, on(1), "phone", "call", None)])
    plan = with_campaign("call", contacts={"min": 2})
    assert best(plan, promised, "BBB").integer_value == pytest.approx(-2)
    assert best(with_campaign("call", contacts={"max": 1}), promised).integer_value == pytest.approx(12)


def test_a_campaigns_contacts_count_since_its_from():
    tables = tables_of(3)
    columns = ["customer_id", "contacted_on", "channel", "campaign"]
    tables["contact_history"] = pd.DataFrame([(1, on(-30), "phone", "call")], columns=columns)
    # Two calls of three customers, or one with the call of day −30, which the cap of 28 days has forgotten.
    assert best(with_campaign("call", contacts={"max": 2}), tables).integer_value == pytest.approx(12 + 16)
    since = {"from": on(-30), "contacts": {"max": 2}}
    assert best(with_campaign("call", **since), tables).integer_value == pytest.approx(12 + 8)


@pytest.mark.parametrize(
    ("reach", "value", "whole"),
    [
        ({"share": 0.5}, 0, 0),  # B's sale is worth 0
        ({"customers": 2, "channel": "phone"}, -4, -4),
        ({"share": 0.5, "channel": "phone"}, -3, -4),  # 1.5 customers
        ({"share": 1, "segments": ["A"]}, 0, 0),  # nobody in A
        ({"customers": 1, "type": "service", "segments": ["B"]}, -2, -2),
        ({"customers": 1, "campaign": "call"}, -2, -2),
        ({"customers": 1, "business_unit": "x"}, 0, 0),
        ({"customers": 4}, None, None),
    ],
)
def test_reach(reach, value, whole):
    result = best(plan_of(reach=[reach]), labels="BBB")
    assert result.lp_value == (value if value is None else pytest.approx(value))
    assert result.integer_value == (whole if whole is None else pytest.approx(whole))


def test_reach_is_of_customers_not_contacts():
    # Two sales a customer are allowed, still two customers are needed; held-out ones count in the share.
    plan = with_campaign("sale", max_per_customer=[{"contacts": 2, "days": 28}]) | {"reach": [{"share": 0.6}]}
    world = read_world(plan, tables_of(3), dict(enumerate("BBB", 1)), RATES)
    (limit,) = limits_of(world)
    assert limit.lower == pytest.approx(1.8)
    assert limit.use("B", (Contact(0, "email", "sale"), Contact(1, "email", "sale"))) == 1
    everyone_out = plan | {"hold_out": {"share": 1, "types": ["promotional", "service"]}}
    assert best(everyone_out, labels="BBB").lp_value is None


def checked(plan: dict[str, Any], calendar: pd.DataFrame, size: int = 3) -> list[str]:
    return breaches(plan, tables_of(size), dict.fromkeys(range(1, size + 1), "A"), calendar, RATES)


def best_calendar(plan: dict[str, Any]) -> pd.DataFrame:
    world = read_world(plan, tables_of(3), dict.fromkeys((1, 2, 3), "A"), RATES)
    return calendar_of(world, best(plan).streams, integer_ids=True)


def test_checker_finds_nothing_in_the_best_calendar():
    calendar = best_calendar(plan_of(budget=[{"amount": 7, "per": "period"}]))
    assert checked(plan_of(budget=[{"amount": 7, "per": "period"}]), calendar) == []
    assert calendar["expected_value"].sum() == pytest.approx(28)
    assert checked(plan_of(), calendar.iloc[:0]) == []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda c: c.assign(cost=c["cost"] + 2e-6), "cost is"),
        (lambda c: c.assign(expected_value=c["expected_value"] - 2e-6), "expected_value is"),
        (lambda c: c.assign(response_rate=c["response_rate"] * (1 + 1e-8)), "response_rate is"),
        (lambda c: c.assign(response_rate=float("nan")), "empty values in response_rate"),
        (lambda c: c.iloc[::-1], "not sorted"),
        (lambda c: c.assign(contact_id="x"), "not unique"),
        (lambda c: c.assign(final=~c["final"]), "final is"),
        (lambda c: c.assign(segment="B"), "segment B, not A"),
        (lambda c: c.assign(customer_id=c["customer_id"] + 10), "customer unknown"),
        (lambda c: c.assign(stream="1"), "other contacts than"),
        (lambda c: c.drop(columns="stream"), "column missing: stream"),
        (lambda c: c.assign(campaign="other"), "campaign or channel"),
        (lambda c: c.assign(contact_on=on(0)), "one planned contact a day"),
        (lambda c: c.assign(contact_on=on(3)), "send day"),
    ],
)
def test_checker_finds_what_is_wrong(change, word):
    plan = with_channel("email", capacity=[{"contacts": 1, "per": "day"}])
    calendar = best_calendar(plan)
    assert checked(plan, calendar) == []
    assert any(word in breach for breach in checked(plan, change(calendar)))


def test_checker_finds_limits_broken():
    calendar = best_calendar(plan_of())  # three sales and three calls, cost 9
    for plan, path in [
        (plan_of(budget=[{"amount": 8.99, "per": "period"}]), "budget[0]"),
        (plan_of(reach=[{"customers": 4}]), "reach[0]"),
        (with_campaign("call", contacts={"max": 2}), "campaigns.call.contacts.max"),
        (with_campaign("call", contacts={"min": 4}), "campaigns.call.contacts.min"),
        (with_channel("phone", capacity=[{"contacts": 2, "per": "period"}]), "channels.phone.capacity[0]"),
    ]:
        (breach,) = checked(plan, calendar)
        assert breach.startswith(path)


def test_checker_of_the_control_group():
    # Of customers 1, 2, 3 those whose md5 fraction is below 0.5 are held out, of service contacts too.
    plan = plan_of(hold_out={"share": 0.5, "types": ["promotional", "service"]})
    segments = dict.fromkeys((1, 2, 3), "A")
    held = read_world(plan, tables_of(3), segments, RATES).held_out
    assert 0 < len(held) < 3
    calendar = best_calendar(plan_of())
    control = calendar[calendar["customer_id"].astype(str).isin(held)]
    assert breaches(plan, tables_of(3), segments, control, RATES, control=True) == []
    assert any("hold-out" in breach for breach in checked(plan, control))
    assert breaches(plan, tables_of(3), segments, calendar, RATES, control=True)


def test_workspaces_are_written_as_the_contract_writes_them(tmp_path):
    plan = with_channel("phone", capacity=[{"contacts": 0, "per": "day", "on": [on(9)]}])
    path = write_workspace(tmp_path / "new", plan, tables_of(3))
    words = path.read_text(encoding="utf-8")
    assert "'on'" not in words
    assert yaml.safe_load(words)["data"] == {"customers": "customers.parquet"}  # empty tables are left out
    assert pd.read_parquet(tmp_path / "new" / "customers.parquet")["customer_id"].tolist() == [1, 2, 3]


def test_the_same_seed_gives_the_same_workspace():
    (plan, tables), (again, others) = (random_workspace(100, seed=3) for _ in range(2))
    assert plan == again
    assert all(table.equals(others[name]) for name, table in tables.items())


def test_checker_judges_twenty_thousand_customers_in_seconds():
    plan, tables = random_workspace(20_000, seed=1)
    people = tables["customers"]
    segments = dict(zip(people["customer_id"], people["segment"], strict=True))
    world = read_world(plan, tables, segments, tables["response_rates"])
    streams = {}
    for customer in world.customers[:2_000]:  # the first contact that stands alone
        contacts = allowed_contacts(world, customer)
        streams[customer] = next(((c,) for c in contacts if stream_is_valid(world, customer, (c,))), ())
    calendar = calendar_of(world, streams, integer_ids=True)
    before = time.perf_counter()
    found = breaches(plan, tables, segments, calendar, tables["response_rates"])
    assert time.perf_counter() - before < 10
    # One contact each keeps every customer's rules; only the limits on all together may not hold.
    assert all(breach.startswith(("budget", "channels.", "campaigns.", "reach")) for breach in found)
