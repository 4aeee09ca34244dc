"""The strategy, the limits and the numbers in words."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from report_samples import START, fake_limits, fake_plan

from optimizer import wording
from optimizer.limit_wording import headline_limits, limits_in_words, unit_of
from optimizer.plan_file import Plan
from optimizer.strategy import dated_contacts_in_words, segment_strategy


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return fake_plan(tmp_path_factory.mktemp("workspace"))


def small_segment() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    segments = pd.DataFrame(
        {
            "segment": [1, 2],
            "name": ["a", "b"],
            "customers": [100, 300],
            "share": [0.25, 0.75],
            "orders": [9.0, 1.0],
        }
    )
    streams = pd.DataFrame(
        [(1, "s1", "Mon 30 Nov: sale by email", 60, 60, 120.0, 6.0), (1, "", "no contact", 40, 0, 0.0, 0.0)],
        columns=["segment", "stream", "dated_contacts", "customers", "contacts", "expected_value", "cost"],
    )
    allocation = pd.DataFrame(
        [(1, "sale", "email", START, 60, 3.0, 120.0, 6.0)],
        columns=[
            "segment",
            "campaign",
            "channel",
            "date",
            "contacts",
            "expected_responses",
            "expected_value",
            "cost",
        ],
    )
    return segments, streams, allocation


def test_strategy_in_words_of_one_small_segment(plan: Plan) -> None:
    words = segment_strategy(*small_segment(), plan)
    assert [text.replace("\N{NO-BREAK SPACE}", " ") for text in words[1]] == [
        "100 customers, 25 % of all.",
        "Set apart from the average customer by higher orders (9 against 3).",
        "60 of them (60 %) are contacted in the 28 days, 1.0 times each on average; 40 are left in peace.",
        "They receive sale by email (100 %) of 60 contacts.",
        "Only on Monday, all in week 1 (30 Nov – 6 Dec).",
        "One series of contacts is in use; the most common, for 60 customers: Mon 30 Nov: sale by email.",
        "3 expected responses; EUR 120.00 of expected margin after contact costs of EUR 6.00, "
        "that is EUR 2.00 for each customer contacted.",
    ]
    assert words[2][-1] == "Nobody in this segment is contacted in this period."


@pytest.mark.parametrize(
    ("objective", "words"),
    [
        (
            {"maximize": "expected_revenue"},
            "3 expected responses; EUR 120.00 of expected revenue for contact costs of EUR 6.00, "
            "that is EUR 2.00 for each customer contacted.",
        ),
        (
            {"minimize": "cost"},
            "3 expected responses for contact costs of EUR 6.00, "
            "that is EUR 0.10 for each customer contacted.",
        ),
    ],
)
def test_what_a_segment_brings_is_told_in_the_units_of_the_objective(
    tmp_path: Path, objective: dict[str, str], words: str
) -> None:
    told = segment_strategy(*small_segment(), fake_plan(tmp_path, objective=objective))
    assert told[1][-1].replace("\N{NO-BREAK SPACE}", " ") == words


def test_dated_contacts_are_in_the_order_of_their_dates() -> None:
    series = [(date(2026, 12, 10), "reminder", "sms"), (START, "winter_sale", "email")]
    assert dated_contacts_in_words(series) == "Mon 30 Nov: winter_sale by email; Thu 10 Dec: reminder by sms"
    assert dated_contacts_in_words([]) == "no contact"


def test_limits_say_what_they_count_and_what_one_more_is_worth(plan: Plan) -> None:
    rows = {row.limit: row for row in limits_in_words(fake_limits(), plan)}
    price = {limit: row.price.replace("\N{NO-BREAK SPACE}", " ") for limit, row in rows.items()}
    assert price["budget[0]"] == "EUR 1 more brings EUR 1.37"
    assert price["reach[0]"] == "one customer more costs EUR 0.04"
    assert price["channels.phone.capacity[0] week 1"] == "one hour more brings EUR 9.20"
    assert price["budget[1] week 1"] == "nothing to gain: it does not bind"
    assert rows["reach[0]"].bound == "at least 40,000\N{NO-BREAK SPACE}customers"
    assert rows["channels.email.capacity[0] 2026-11-30"].bound == "at most 5,000\N{NO-BREAK SPACE}contacts"
    assert unit_of("campaigns.winter_sale.contacts.max", plan) == "contact"
    assert rows["budget[0]"].binding
    assert not rows["budget[1] week 1"].binding
    shown = [row.limit for row in headline_limits(list(rows.values()))]
    assert shown == [
        "budget[0]",
        "reach[0]",
        "budget[1] week 4",
        "channels.phone.capacity[0] week 1",
        "channels.phone.capacity[0] week 2",
        "channels.email.capacity[0] 2026-11-30",
    ]


def test_price_ranges_and_unbounded_limits(plan: Plan) -> None:
    limits = pd.DataFrame(
        {
            "limit": ["budget[0]", "budget[1] week 1"],
            "bound": [100.0, np.inf],
            "used": [100.0, 5.0],
            "slack": [0.0, np.inf],
            "shadow_price": [0.5, 0.0],
            "price_from": [80.0, np.nan],
            "price_to": [np.inf, np.nan],
        }
    )
    first, second = limits_in_words(limits, plan)
    assert first.price.endswith(
        "brings EUR\N{NO-BREAK SPACE}0.50, however many more; the price holds down to 80"
    )
    ends = limits.assign(price_to=[16400.0, np.nan])
    assert limits_in_words(ends, plan)[0].price.endswith(", up to 16,400; the price holds down to 80")
    # The price ends at the bound itself: beyond it the change is no more than the price says.
    ends = limits.assign(price_to=[100.0, np.nan])
    assert " brings at most EUR" in limits_in_words(ends, plan)[0].price
    ends = ends.assign(limit="reach[0]", shadow_price=-0.5)
    assert " costs at least EUR" in limits_in_words(ends, plan)[0].price
    assert second.fill is None
    assert second.slack == "∞"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234567.8, "EUR 1,234,568"),
        (12.346, "EUR 12.35"),
        (0.004, "EUR 0.0040"),
        (-5, "EUR −5.00"),
        (0, "EUR 0.00"),
        (float("nan"), "–"),
        (float("inf"), "∞"),
    ],
)
def test_money(value: float, text: str) -> None:
    assert wording.money(value, "EUR").replace("\N{NO-BREAK SPACE}", " ") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "50 %"), (0.0512, "5.1 %"), (4e-5, "0.0040 %"), (0.0, "0 %"), (1.0, "100 %"), (-0.02, "−2.0 %")],
)
def test_share(value: float, text: str) -> None:
    assert wording.share(value).replace("\N{NO-BREAK SPACE}", " ") == text


def test_weeks_run_from_the_first_day_and_the_last_may_be_shorter() -> None:
    assert wording.weeks(START, 10) == [(START, date(2026, 12, 6)), (date(2026, 12, 7), date(2026, 12, 9))]
