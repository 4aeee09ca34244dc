"""Counting contacts in a history, and rates that the user brings."""

from __future__ import annotations

from datetime import date, timedelta

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from models.contact_counts import contact_counts
from models.response import KEY, estimate, from_table

AS_OF = date(2026, 3, 1)
TEXT, FLAG, DAY = pa.string(), pa.int8(), pa.date32()
HISTORY = {
    "customer_id": TEXT,
    "contacted_on": DAY,
    "channel": TEXT,
    "campaign": TEXT,
    "type": TEXT,
    "delivered": FLAG,
    "responded": FLAG,
    "responded_on": DAY,
    "control": FLAG,
}


def history(*rows):
    """Rows (customer, day of January, channel, campaign, {other columns})."""
    table = []
    for customer, day, channel, campaign, *more in rows:
        row = dict.fromkeys(HISTORY) | {"customer_id": customer, "channel": channel, "campaign": campaign}
        row |= {"contacted_on": date(2025, 12, 31) + timedelta(day), "type": "promotional"}
        row |= {"delivered": 1, "responded": 0, "control": 0} | (more[0] if more else {})
        table.append(row)
    return pd.DataFrame(table, columns=list(HISTORY))


def count(frame, segments=None, window_days=14, fatigue=(0.5, 28), as_of=AS_OF, since=None):
    rows = pa.Table.from_pandas(frame, schema=pa.schema(list(HISTORY.items())), preserve_index=False)
    segments = segments or dict.fromkeys(sorted(set(frame["customer_id"])), "1")
    named = pa.table({"customer_id": list(segments), "segment": list(segments.values())})
    con = ibis.duckdb.connect()
    tables = (con.create_table("history", rows), con.create_table("segments", named))
    return contact_counts(*tables, window_days, fatigue, as_of, since)


def wanted(*rows):
    return pd.DataFrame(rows, columns=["segment", "campaign", "type", "channel"])


def test_counts_small_enough_to_check_by_eye():
    frame = history(
        ("a", 1, "email", "sale", {"responded": 1}),  # no day of response: counts
        ("a", 5, "email", "sale", {"responded": 1, "responded_on": date(2026, 1, 19)}),  # 14 days: in time
        ("a", 5, "sms", "sale"),  # same day as the one before: one earlier contact, not two
        ("a", 29, "email", "sale", {"responded": 1, "responded_on": date(2026, 2, 13)}),  # 15 days: late
        ("a", 30, "email", "sale", {"responded": 1, "responded_on": date(2026, 1, 29)}),  # before: none
        ("b", 5, "email", "sale"),
    )
    got = count(frame).set_index("channel")
    # email: a on day 1 (k 0), day 5 (k 1), day 29 (k 3: days 1, 5, 5), day 30 (k 3: days 5, 5, 29); b (k 0)
    assert got.loc["email", ["contacts", "responses", "exposure"]].tolist() == [5, 2, 1 + 0.5 + 0.125 * 2 + 1]
    assert got.loc["sms", ["contacts", "responses", "exposure"]].tolist() == [1, 0, 0.5]
    assert got["complete"].all()


def test_contacts_before_the_first_day_only_tire():
    frame = history(("a", 1, "email", "sale", {"responded": 1}), ("a", 5, "email", "sale"))
    got = count(frame, since=-55)  # January 5th
    assert got[["contacts", "responses", "exposure"]].values.tolist() == [[1, 0, 0.5]]


def test_control_undelivered_strangers_and_the_future_are_no_contacts():
    frame = history(
        ("a", 1, "email", "sale", {"control": 1}),
        ("a", 2, "email", "sale", {"delivered": 0}),
        ("a", 3, "email", "sale"),
        ("b", 3, "email", "sale"),
        ("a", 60, "email", "sale"),  # 2026-03-01 = as_of
    )
    got = count(frame, {"a": "1"})
    assert got[["contacts", "responses", "exposure"]].values.tolist() == [[1, 0, 1.0]]


def test_the_same_contact_twice_counts_once():
    frame = history(
        ("a", 1, "email", "sale", {"type": None}),
        ("a", 1, "email", "sale", {"responded": 1}),
        ("a", 2, "email", "sale"),
    )
    got = count(frame)
    assert got[["type", "contacts", "responses", "exposure"]].values.tolist() == [["promotional", 2, 1, 1.5]]


def test_contacts_whose_window_is_open_are_told_apart_and_left_out():
    frame = history(
        *(("a", day, "email", "sale") for day in (1, 2)),
        ("b", 45, "email", "sale", {"responded": 1}),  # 2026-02-14, window to 02-28: over on 03-01
        ("c", 46, "email", "sale", {"responded": 1}),  # window to 03-01: not over
    )
    got = count(frame, fatigue=(1.0, 28))
    assert got[["complete", "contacts", "responses"]].values.tolist() == [[False, 1, 1], [True, 3, 1]]
    rates = estimate(got, wanted(("1", "sale", "promotional", "email")))
    assert rates.frame[["contacts", "responses"]].values.tolist() == [[3, 1]]
    assert rates.warnings == (
        "1 of 4 contacts are left out of the response rates: their response window is not over yet",
    )


def test_open_windows_are_used_when_there_is_nothing_else():
    got = count(history(("a", 55, "email", "sale", {"responded": 1}), ("b", 56, "email", "sale")))
    rates = estimate(got, wanted(("1", "sale", "promotional", "email")))
    assert rates.frame[["contacts", "responses", "response_rate"]].values.tolist() == [[2, 1, 0.5]]
    assert "not over for any of the 2 contacts" in rates.warnings[0]


def test_no_fatigue_days_and_no_history():
    frame = history(("a", 1, "email", "sale"), ("a", 2, "email", "sale"))
    assert count(frame, fatigue=(0.5, 0))["exposure"].tolist() == [2.0]
    empty = count(frame.iloc[:0], {"a": "1"})
    assert len(empty) == 0
    rates = estimate(empty, wanted(("1", "sale", "promotional", "email"), ("1", "x", "odd", "pigeon")))
    assert rates.frame["response_rate"].tolist() == [0.02, 0.02]
    assert rates.frame["source"].tolist() == ["assumed", "assumed"]
    assert len(rates.warnings) == 1
    assert "no contact history" in rates.warnings[0]


def test_a_customer_outside_every_segment_leaves_nothing():
    got = count(history(("a", 1, "email", "sale")), {"b": "1"})
    assert estimate(got, wanted(("1", "sale", "promotional", "phone"))).frame["response_rate"].tolist() == [
        0.06
    ]


@pytest.fixture(scope="module")
def planted():
    """Every customer responds just as the fatigue factor says: 400 × 0.5^k of 400, k = 0, 1, 2."""
    rows = []
    for customer in range(400):
        for k, day in enumerate((1, 8, 20)):
            rows.append((f"c{customer}", day, "email", "sale", {"responded": int(customer * 2**k < 400)}))
    return history(*rows)


def test_fatigue_is_divided_out_exactly(planted):
    got = count(planted, fatigue=(0.5, 28))
    assert got[["contacts", "responses", "exposure"]].values.tolist() == [[1200, 700, 700.0]]
    tired = count(planted, fatigue=(0.5, 10))  # the third contact is 12 days after the second: k = 0, 1, 0
    assert tired["exposure"].tolist() == [1000.0]


def test_shuffled_rows_give_the_same_counts_to_the_last_bit():
    rng = np.random.default_rng(3)
    customers, days = rng.integers(0, 60, 900), rng.integers(1, 40, 900)
    channels, campaigns = rng.choice(["email", "sms"], 900), rng.choice(["u", "v", "w"], 900)
    rows = zip(customers, days, channels, campaigns, strict=True)
    frame = history(*((f"c{c}", int(d), ch, ca, {"responded": int(d) % 3 == 0}) for c, d, ch, ca in rows))
    segments = {f"c{c}": str(c % 3) for c in range(60)}
    first = count(frame, segments, fatigue=(0.83, 28))
    for seed in (1, 2):
        mixed = frame.sample(frac=1, random_state=seed)
        pd.testing.assert_frame_equal(count(mixed, segments, fatigue=(0.83, 28)), first, check_exact=True)


def test_a_table_is_taken_as_given():
    table = pd.DataFrame(
        {
            "segment": ["1", "1", "2"],
            "campaign": ["sale", "sale", "sale"],
            "channel": ["email", "sms", "email"],
            "response_rate": [0.1, 0.02, 0.3],
            "standard_error": [0.01, 0.05, np.nan],
        }
    )
    asked = wanted(
        *((segment, "sale", "promotional", "email") for segment in "21"), ("1", "sale", "p", "sms")
    )
    rates = from_table(table, asked)
    assert rates.warnings == ()
    frame = rates.frame
    assert frame[KEY].values.tolist() == [
        ["1", "sale", "email"],
        ["1", "sale", "sms"],
        ["2", "sale", "email"],
    ]
    assert frame["response_rate"].tolist() == [0.1, 0.02, 0.3]
    assert frame["low"].tolist()[:2] == [0.0804, 0.0]
    assert frame["high"].tolist()[:2] == [0.1196, 0.118]
    assert frame.loc[2, ["low", "high", "standard_error"]].isna().all()
    assert (frame["source"] == "table").all()


def test_a_combination_that_the_table_lacks_has_rate_0():
    table = pd.DataFrame(columns=[*KEY, "response_rate", "standard_error"])
    asked = wanted(*((str(segment), "sale", "promotional", "email") for segment in range(7)))
    rates = from_table(table, asked)
    assert rates.frame["response_rate"].tolist() == [0.0] * 7
    assert (rates.frame["source"] == "missing").all()
    assert rates.warnings == (
        "response_rates lacks 7 of 7 combinations of segment, campaign and channel; their rate is 0, "
        "first: 0/sale/email, 1/sale/email, 2/sale/email, 3/sale/email, 4/sale/email",
    )


def test_a_combination_twice_in_the_table_is_refused():
    row = {
        "segment": "1",
        "campaign": "sale",
        "channel": "email",
        "response_rate": 0.1,
        "standard_error": 0.0,
    }
    with pytest.raises(pd.errors.MergeError):
        from_table(pd.DataFrame([row, row]), wanted(("1", "sale", "promotional", "email")))
