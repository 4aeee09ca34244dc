"""The judges of the tests are judged: every per-customer rule on a case worked out by hand."""

from __future__ import annotations

import hashlib

import pandas as pd
import pytest
from oracle import Contact, allowed, read_world, stream_breaches, stream_cost, stream_is_valid, stream_value
from oracle_cases import START, history, news, on, promises, sale, table, world


def test_an_open_plan_allows_everything_once_a_day():
    assert stream_is_valid(world(), "a", sale(0, 1, 13))
    assert not stream_is_valid(world(), "a", (*sale(3), *news(3)))  # two planned contacts on one day
    assert not allowed(world(), "a", sale(14)[0])  # the period ends on day 13
    assert not allowed(world(), "a", Contact(0, "mail", "news"))  # news has no mail
    assert not allowed(world(), "a", Contact(0, "email", "unknown"))


@pytest.mark.parametrize(("day", "right"), [(1, False), (2, True), (4, True), (5, False)])
def test_window_has_both_ends(day, right):
    window = {"from": on(2), "to": str(on(4))}
    assert allowed(world(sale=window), "a", sale(day)[0]) is right


@pytest.mark.parametrize(("day", "right"), [(0, True), (1, False), (2, False), (7, False), (9, True)])
def test_send_days_and_blackout(day, right):
    # Mondays and Wednesdays: days 0, 2, 7, 9; closed on days 2 and 7.
    channel = {"send_days": ["mon", "wed"], "blackout": [on(2), on(7)]}
    assert allowed(world(email=channel), "a", sale(day)[0]) is right


def test_audience_and_segments_both_hold():
    assert allowed(world(sale={"audience": "x > 3 and region == 'north'"}), "a", sale(0)[0])
    assert not allowed(world(sale={"audience": "x > 4 and region == 'north'"}), "a", sale(0)[0])
    assert allowed(
        world(sale={"segments": [1, 2], "audience": "x > 9 or region == 'north'"}), "a", sale(0)[0]
    )
    assert not allowed(world(sale={"segments": [2], "audience": "x > 3"}), "a", sale(0)[0])


@pytest.mark.parametrize(
    ("rows", "default", "right"),
    [
        ([], "denied", False),
        ([], "granted", True),
        ([("granted", None, None, None)], "denied", True),
        ([("granted", None, None, None), ("denied", None, None, None)], "granted", False),
        ([("granted", on(5), on(5), None)], "denied", True),  # both ends included
        ([("granted", None, on(4), None)], "granted", False),  # lapsed
        ([("granted", on(6), None, None)], "granted", False),  # not begun
        ([("denied", None, on(4), None)], "granted", True),  # the denial is over
        ([("granted", None, None, "service")], "denied", False),  # another topic
        ([("granted", None, on(4), "service")], "granted", True),  # another topic lapsed: the default stands
        ([("granted", None, None, "promotional")], "denied", True),
        ([("granted", None, None, None), ("denied", None, None, "service")], "denied", True),
    ],
)
def test_permission_on_day_five(rows, default, right):
    columns = ["customer_id", "channel", "status", "valid_from", "valid_to", "topic"]
    permissions = table(columns, *(("a", "email", *row) for row in rows))
    judged = world(email={"default_permission": default}, tables={"permissions": permissions})
    assert allowed(judged, "a", sale(5)[0]) is right


@pytest.mark.parametrize(
    ("starts", "ends", "day", "right"),
    [(3, 4, 2, True), (3, 4, 3, False), (3, 4, 6, False), (3, 4, 7, True), (3, None, 13, False)],
)
def test_restriction_with_two_days_after(starts, ends, day, right):
    rule = {"Complaint": {"blocks": ["promotional"], "days_after": 2}}
    row = ("a", " COMPLAINT ", on(starts), None if ends is None else on(ends))
    rows = table(["customer_id", "reason", "starts_on", "ends_on"], row)
    judged = world({"restrictions": rule}, tables={"restrictions": rows})
    assert allowed(judged, "a", sale(day)[0]) is right
    assert allowed(judged, "a", news(day)[0])  # service is not blocked


def test_restriction_of_all_and_of_nothing():
    rows = table(["customer_id", "reason", "starts_on"], ("a", "deceased", on(0)))
    blocked = world({"restrictions": {"deceased": {"blocks": "all"}}}, tables={"restrictions": rows})
    assert not allowed(blocked, "a", news(5)[0])
    free = world({"restrictions": {"deceased": {"blocks": []}}}, tables={"restrictions": rows})
    assert allowed(free, "a", news(5)[0])


def test_hold_out_by_md5_of_key_and_id():
    share = int(hashlib.md5(b"tiny:a").hexdigest()[:8], 16) / 16**8
    held = world(hold_out={"share": share + 1e-6})
    assert not allowed(held, "a", sale(0)[0])
    assert allowed(held, "a", news(0)[0])  # service contacts are not held out
    assert allowed(world(hold_out={"share": share - 1e-6}), "a", sale(0)[0])
    only = world(hold_out={"share": share + 1e-6, "types": ["service"]})
    assert allowed(only, "a", sale(0)[0])
    assert not allowed(only, "a", news(0)[0])
    other = int(hashlib.md5(b"autumn:a").hexdigest(), 16) / 16**32
    assert allowed(world(hold_out={"share": other, "key": "autumn"}), "a", sale(0)[0])


def test_hold_out_goes_by_household():
    share = int(hashlib.md5("tiny:häuser".encode()).hexdigest(), 16) / 16**32
    people = pd.DataFrame({"customer_id": ["a"], "household_id": ["häuser"]})
    held = world(tables={"customers": people}, hold_out={"share": share + 1e-6})
    assert not allowed(held, "a", sale(0)[0])
    assert allowed(world(tables={"customers": people}, hold_out={"share": share - 1e-6}), "a", sale(0)[0])


def test_cap_counts_stretches_of_consecutive_days():
    two_in_three = world({"max_per_customer": [{"contacts": 2, "days": 3}]})
    assert stream_is_valid(two_in_three, "a", sale(0, 1, 3))  # days 0–2 hold 2, 1–3 hold 2
    assert not stream_is_valid(two_in_three, "a", sale(0, 1, 2))
    assert not stream_is_valid(two_in_three, "a", sale(5, 6, 7))


@pytest.mark.parametrize(("day", "right"), [(5, False), (6, True)])
def test_cap_reaches_back_into_history(day, right):
    capped = world({"max_per_customer": [{"contacts": 1, "days": 7}]}, tables=history((-1, "mail", "old")))
    assert stream_is_valid(capped, "a", sale(day)) is right  # from day −1 to day 5 are 7 days


@pytest.mark.parametrize(("day", "right"), [(8, True), (9, False), (11, False), (13, True)])
def test_cap_looks_forward_to_commitments(day, right):
    capped = world({"max_per_customer": [{"contacts": 1, "days": 2}]}, tables=promises((10, "mail", "bill")))
    # One in two days: not on day 9, 10 or 11.
    assert stream_is_valid(capped, "a", sale(day)) is right
    after_the_end = world(
        {"max_per_customer": [{"contacts": 1, "days": 3}]}, tables=promises((15, "mail", "bill"))
    )
    assert stream_is_valid(after_the_end, "a", sale(12))
    assert not stream_is_valid(after_the_end, "a", sale(13))


def test_contacts_that_exceed_a_cap_already():
    tables = history((-1, "mail", "old"), (-2, "mail", "old"))
    capped = world({"max_per_customer": [{"contacts": 1, "days": 4}]}, tables=tables)
    assert stream_is_valid(capped, "a", ())  # nothing planned is at fault
    assert not stream_is_valid(capped, "a", sale(2))  # days −1 … 2 hold two
    assert stream_is_valid(capped, "a", sale(3))


@pytest.mark.parametrize(
    ("row", "right"),
    [
        ((-1, "mail", "old", 1, 0), False),
        ((-1, "mail", "old", None, None), False),  # delivered unless said otherwise
        ((-1, "mail", "old", 0, 0), True),  # not delivered
        ((-1, "mail", "old", 1, 1), True),  # held out on purpose
        ((0, "mail", "old", 1, 0), True),  # as of the start, day 0 is not known yet
    ],
)
def test_which_history_counts(row, right):
    tables = history(row, more=("delivered", "control"))
    capped = world({"max_per_customer": [{"contacts": 1, "days": 7}]}, tables=tables)
    assert stream_is_valid(capped, "a", sale(2)) is right


def test_one_contact_in_several_tables_counts_once():
    twice = {**history((-1, "mail", "old"), (-1, "mail", "old")), **promises((-1, "mail", "old"))}
    assert stream_is_valid(
        world({"max_per_customer": [{"contacts": 2, "days": 7}]}, tables=twice), "a", sale(2)
    )
    other = {
        **history((-1, "mail", "old")),
        **promises((-1, "email", "old")),
    }  # another channel: another contact
    capped = world({"max_per_customer": [{"contacts": 2, "days": 7}]}, tables=other)
    assert not stream_is_valid(capped, "a", sale(2))


def test_a_commitment_is_not_planned_again():
    judged = world(tables=promises((3, "email", "sale")))
    assert not allowed(judged, "a", sale(3)[0])
    assert allowed(judged, "a", Contact(3, "mail", "sale"))


@pytest.mark.parametrize(
    ("named", "kind", "right"),
    [
        ({"types": ["promotional"]}, "promotional", False),
        ({"types": ["promotional"]}, "brand", True),
        ({"types": ["promotional"]}, None, False),  # an unknown type counts as every type
        ({"channels": ["email"]}, "promotional", True),  # the old contact was by mail
        ({"channels": ["mail"]}, "promotional", True),  # the planned one is not named
        ({"channels": ["mail", "email"], "types": ["promotional"]}, "promotional", False),
        ({"campaigns": ["sale", "old"]}, None, False),
        ({"campaigns": ["sale"]}, None, True),
    ],
)
def test_what_a_cap_names(named, kind, right):
    tables = history((-1, "mail", "old", kind), more=("type",))
    judged = world({"max_per_customer": [{"contacts": 1, "days": 7, **named}]}, tables=tables)
    assert stream_is_valid(judged, "a", sale(2)) is right


def test_a_missing_type_is_that_of_the_plans_campaign():
    cap = {"max_per_customer": [{"contacts": 1, "days": 7, "types": ["promotional"]}]}
    assert stream_is_valid(world(cap, tables=history((-1, "email", "news"))), "a", sale(2))  # news is service
    assert not stream_is_valid(world(cap, tables=history((-1, "email", "sale"))), "a", sale(2))


def test_caps_of_channel_and_campaign():
    by_mail = Contact(1, "mail", "sale")
    channel = world(email={"max_per_customer": [{"contacts": 1, "days": 7}]})
    assert stream_is_valid(channel, "a", (*sale(0), by_mail, *news(7)))
    assert not stream_is_valid(channel, "a", (*sale(0), *news(6)))
    campaign = world(sale={"max_per_customer": [{"contacts": 1, "days": 7}]})
    assert stream_is_valid(campaign, "a", (*sale(0), *news(1, 2)))
    assert not stream_is_valid(campaign, "a", (*sale(0), by_mail))


@pytest.mark.parametrize(("day", "right"), [(-28, True), (-27, False)])
def test_a_campaign_comes_once_in_28_days_unless_said_otherwise(day, right):
    plain = {
        "name": "tiny",
        "period": {"start": START, "days": 14},
        "channels": {"email": {"default_permission": "granted"}},
        "campaigns": {"sale": {"type": "brand", "channels": ["email"]}},
    }
    tables = {"customers": pd.DataFrame({"customer_id": [5]}), **history((day, "mail", "sale"))}
    tables["contact_history"]["customer_id"] = "5"  # matched as text
    judged = read_world(plain, tables, {5: "A"}, {})
    assert stream_is_valid(judged, "5", sale(0)) is right  # Δ = 28 is outside a stretch of 28 days


def test_spacing_holds_between_any_two_contacts():
    spaced = world({"min_days_between": 2}, tables=promises((6, "mail", "bill"), (7, "mail", "bill")))
    assert stream_is_valid(spaced, "a", (*sale(0), *news(2, 4, 9)))
    assert not stream_is_valid(spaced, "a", (*sale(0), *news(1)))
    assert not stream_is_valid(spaced, "a", sale(5))
    assert not stream_is_valid(spaced, "a", sale(7))  # Δ = 0
    assert stream_is_valid(world(tables=promises((7, "mail", "bill"))), "a", sale(7))  # no spacing asked for


def test_never_together():
    rule = {"never_together": [{"campaigns": ["sale", "news", "bill"], "days": 3}]}
    apart = world(rule, tables=promises((9, "mail", "bill")))
    assert stream_is_valid(apart, "a", (*sale(0, 1), *news(5)))  # the same campaign twice is no clash
    assert not stream_is_valid(apart, "a", (*sale(0), *news(3)))
    assert not stream_is_valid(apart, "a", news(6))
    assert not stream_is_valid(apart, "a", news(12))
    assert not stream_is_valid(apart, "a", news(9))


@pytest.mark.parametrize(("day", "right"), [(2, False), (3, True), (5, True), (6, False)])
def test_only_after(day, right):
    rule = {"only_after": [{"campaign": "news", "after": "sale", "days": [2, 4]}]}
    assert stream_is_valid(world(rule), "a", (*sale(1), *news(day))) is right
    assert stream_is_valid(world(rule, tables=history((-1, "mail", "sale"))), "a", news(day)) is (day < 4)
    assert not stream_is_valid(world(rule), "a", news(day))
    late = promises((day + 3, "mail", "sale"))
    assert not stream_is_valid(world(rule, tables=late), "a", news(day))  # Δ runs from the earlier date


def test_breaches_are_named():
    judged = world({"min_days_between": 2}, sale={"to": on(3)})
    named = stream_breaches(judged, "a", sale(3, 4))
    assert len(named) == 2
    assert named[0].startswith("window on day 4")
    assert named[1] == "policy.min_days_between"


def test_value_without_fatigue():
    # 0.1 × 100 + 0.2 − 0.5 − 0.3 = 9.4; by mail the rate is unknown, so 0: 0.2 − 1.0 − 0.3 = −1.1.
    judged = world(sale={"value_per_contact": 0.2, "cost_per_contact": 0.3})
    stream = (*sale(0), Contact(1, "mail", "sale"))
    assert stream_value(judged, "a", sale(0)) == pytest.approx(9.4)
    assert stream_value(judged, "a", stream) == pytest.approx(8.3)
    assert stream_cost(judged, "a", stream) == pytest.approx(2.1)


def test_fatigue_counts_all_contacts_of_the_days_before():
    fatigue = {"keep": 0.5, "days": 3}
    tables = {
        **history((-1, "mail", "old"), (-4, "mail", "old")),
        **promises((5, "mail", "bill"), (6, "mail", "bill")),
    }
    judged = world(tables=tables, fatigue=fatigue)
    assert stream_value(judged, "a", sale(0)) == pytest.approx(10 * 0.5 - 0.5)  # day −4 is too long ago
    assert stream_value(judged, "a", sale(3)) == pytest.approx(10 - 0.5)  # Δ = 4 to day −1; day 5 comes later
    assert stream_value(judged, "a", sale(6)) == pytest.approx(10 * 0.5 - 0.5)  # Δ = 0 does not count
    assert stream_value(judged, "a", sale(7)) == pytest.approx(10 * 0.25 - 0.5)
    # Day 2 has day −1 before it; day 3 has day 2; day 7 has 5 and 6.
    assert stream_value(judged, "a", sale(2, 3, 7)) == pytest.approx(5 + 5 + 2.5 - 1.5)
