"""The judges of the tests are judged: flags of caps and customers' own limits, worked out by hand."""

from __future__ import annotations

import pandas as pd
import pytest
from oracle import breaches, read_world, stream_breaches, stream_is_valid, stream_value
from oracle.listing import groups_of
from oracle_cases import history, news, plan_of, promises, sale, tables_of, with_channel, world

ONE_A_WEEK = {"max_per_customer": [{"contacts": 1, "days": 7}]}
UNCOUNTED = {"counts_towards_caps": False}
IGNORES = {"ignores_caps": True}


def test_a_campaign_that_does_not_count():
    judged = world(ONE_A_WEEK, news=UNCOUNTED)
    assert stream_is_valid(judged, "a", (*sale(3), *news(0, 1, 2, 4, 5, 6)))
    assert not stream_is_valid(judged, "a", (*sale(0, 6), *news(1)))
    # News of the history and news promised do not count either; a bill does.
    assert stream_is_valid(
        world(ONE_A_WEEK, news=UNCOUNTED, tables=history((-1, "email", "news"))), "a", sale(0)
    )
    assert stream_is_valid(
        world(ONE_A_WEEK, news=UNCOUNTED, tables=promises((4, "email", "news"))), "a", sale(0)
    )
    assert not stream_is_valid(
        world(ONE_A_WEEK, news=UNCOUNTED, tables=promises((4, "email", "bill"))), "a", sale(0)
    )


def test_a_campaign_that_ignores_caps_still_counts():
    judged = world(ONE_A_WEEK, sale=IGNORES)
    assert stream_is_valid(judged, "a", sale(0, 1, 2))  # nobody there whom the cap concerns
    assert stream_is_valid(judged, "a", (*sale(0), *news(7)))
    assert not stream_is_valid(judged, "a", (*sale(0), *news(6)))  # news does not ignore it
    assert not stream_is_valid(judged, "a", (*news(6), *sale(0, 1, 2, 3)))
    # A full stretch of existing contacts: the sale may stand in it, news may not.
    full = world(ONE_A_WEEK, sale=IGNORES, tables=promises((4, "email", "bill"), (5, "email", "bill")))
    assert stream_is_valid(full, "a", sale(3))
    assert not stream_is_valid(full, "a", news(3))
    # A sale of the history counts for the news.
    before = world(ONE_A_WEEK, sale=IGNORES, tables=history((-1, "email", "sale")))
    assert not stream_is_valid(before, "a", news(3))
    assert stream_is_valid(before, "a", sale(3))


def test_a_campaign_that_neither_counts_nor_heeds():
    judged = world(ONE_A_WEEK, sale={**UNCOUNTED, **IGNORES})
    assert stream_is_valid(judged, "a", (*sale(0, 1, 2, 3), *news(6)))
    assert not stream_is_valid(judged, "a", (*sale(0), *news(1, 2)))


def test_flags_touch_channel_caps_but_not_campaign_caps_nor_spacing():
    by_channel = {"email": ONE_A_WEEK}
    for flags in (UNCOUNTED, IGNORES):
        assert stream_is_valid(world(sale=flags, **by_channel), "a", sale(0, 1))
        assert stream_breaches(world(sale={**flags, **ONE_A_WEEK}), "a", sale(0, 1)) == [
            "campaigns.sale.max_per_customer[0]"
        ]
        spaced = world({"min_days_between": 2}, sale=flags)
        assert stream_breaches(spaced, "a", sale(0, 1)) == ["policy.min_days_between"]
    assert not stream_is_valid(world(**by_channel), "a", sale(0, 1))


def test_fatigue_counts_what_caps_do_not():
    judged = world(sale=UNCOUNTED, fatigue={"keep": 0.5, "days": 3})
    assert stream_value(judged, "a", sale(0, 1)) == pytest.approx(10 + 5 - 1)


def own(most: float | None) -> dict[str, pd.DataFrame]:
    people = {"customer_id": ["a"], "x": [4], "region": ["north"], "max_contacts": [most]}
    return {"customers": pd.DataFrame(people)}


@pytest.mark.parametrize(
    ("most", "stream", "right"),
    [
        (2, sale(0, 13), True),
        (2, sale(0, 6, 13), False),  # the period's 14 days hold three
        (2.0, (*sale(0), *news(1, 2)), False),
        (0, sale(0), False),
        (0, (), True),
        (None, sale(*range(14)), True),
    ],
)
def test_customers_own_limit(most, stream, right):
    judged = world(tables=own(most), sale={**UNCOUNTED, **IGNORES})  # neither flag matters to it
    assert stream_is_valid(judged, "a", stream) is right


def test_customers_own_limit_counts_history_and_commitments():
    # Any 14 days with a planned contact: −1 … 12 hold the old one and the sale, 0 … 13 not the old one.
    before = world(tables={**own(1), **history((-1, "mail", "old"))})
    assert stream_breaches(before, "a", sale(12)) == ["customers.max_contacts"]
    assert stream_is_valid(before, "a", sale(13))
    after = world(tables={**own(1), **promises((15, "mail", "bill"))})
    assert not stream_is_valid(after, "a", sale(2))
    assert stream_is_valid(after, "a", sale(1))


def test_customers_with_other_limits_are_not_alike():
    tables = tables_of(3)
    tables["customers"]["max_contacts"] = pd.array([None, 1, None], dtype="Int64")
    judged = read_world(plan_of(), tables, dict.fromkeys((1, 2, 3), "A"), {})
    assert groups_of(judged) == [["1", "3"], ["2"]]


def test_checker_judges_a_calendar_by_the_flags():
    # One contact in 14 days by phone; a call on days 2 and 9.
    plan = with_channel("phone", max_per_customer=[{"contacts": 1, "days": 14}])
    often = [{"contacts": 9, "days": 1}]
    plan["campaigns"]["call"]["max_per_customer"] = often
    tables, segments = tables_of(1), {1: "A"}
    rates = {("A", "call", "phone"): 1.0}
    rows = [(f"c{day}", 1, day, "phone", "call", "A", "s", False, 1.0, 8.0, 2.0) for day in (2, 9)]
    names = """contact_id customer_id contact_on channel campaign segment stream final response_rate
        expected_value cost"""
    calendar = pd.DataFrame(rows, columns=names.split())
    start = pd.Timestamp(plan["period"]["start"])
    calendar["contact_on"] = [start + pd.Timedelta(days=day) for day in calendar["contact_on"]]
    assert breaches(plan, tables, segments, calendar, rates) == [
        "customer 1: channels.phone.max_per_customer[0]"
    ]
    plan["campaigns"]["call"]["ignores_caps"] = True
    assert breaches(plan, tables, segments, calendar, rates) == []
    tables["customers"]["max_contacts"] = 1
    assert breaches(plan, tables, segments, calendar, rates) == ["customer 1: customers.max_contacts"]
