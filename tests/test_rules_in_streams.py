"""The streams of the graph against every series there is, judged by a plain reading of the rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise, product
from typing import Any, NamedTuple

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from optimizer.cells import Cells
from optimizer.contact_figures import Objective
from optimizer.customer_lists import CodeLists
from optimizer.earlier_contacts import EarlierContact, EarlierEffects
from optimizer.own_limits import UNLIMITED, longest_stream
from optimizer.rules import ContactRules, FrequencyCap, NeverTogether, OnlyAfter
from optimizer.stream_graph import build_graph
from optimizer.streams import Pricing
from optimizer.timetable import ContactOption, Timetable

TYPES = {"a": "promotional", "b": "service", "c": "brand"}
THOROUGH = settings(
    deadline=None, derandomize=True, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)
SEEN = {"ignored": 0, "own": 0, "both": 0, "ahead": 0}


@dataclass(frozen=True)
class Customer:
    """Earlier contacts and the customer's own limit (None: there is none)."""

    earlier: tuple[EarlierContact, ...] = ()
    limit: int | None = None


class Dated(NamedTuple):
    """A contact for the judge."""

    day: int
    campaign: str
    channel: str
    type: str | None
    planned: bool


def the_timetable(period: int, days: Sequence[int], options: Sequence[tuple[str, str]]) -> Timetable:
    contacts = tuple(ContactOption(name, channel, TYPES[name], None, 0.0) for name, channel in options)
    everything = np.ones((len(days), len(options)), dtype=bool)
    return Timetable(date(2026, 11, 30), period, contacts, tuple(days), everything)


def rules_of(caps: Sequence[FrequencyCap] = (), apart: Any = (), after: Any = ()) -> ContactRules:
    return ContactRules(tuple(caps), tuple(apart), tuple(after), 1.0, 28)


def keeps(rules: ContactRules, period: int, customer: Customer, stream: Sequence[Dated]) -> bool:
    """Whether the planned contacts keep every rule: the contract's words, stretch by stretch."""
    old = [Dated(one.day, one.campaign, one.channel, one.type, False) for one in customer.earlier]
    if {one[:3] for one in old} & {one[:3] for one in stream}:
        return False
    contacts = [*old, *stream]
    for cap in rules.caps:
        named = [one for one in contacts if counts(cap, one)]
        if full(named, cap.contacts, cap.days, cap.ignoring):
            return False
    if customer.limit is not None and full(contacts, customer.limit, period, ()):
        return False
    for rule in rules.never_together:
        for one, other in product(stream, contacts):
            both = one.campaign in rule.campaigns and other.campaign in rule.campaigns
            if both and one.campaign != other.campaign and abs(one.day - other.day) <= rule.days:
                return False
    return all(
        any(one.campaign == rule.after and rule.first <= asked.day - one.day <= rule.last for one in contacts)
        for rule in rules.only_after
        for asked in stream
        if asked.campaign == rule.campaign
    )


def counts(cap: FrequencyCap, one: Dated) -> bool:
    return (
        one.campaign not in cap.uncounted
        and (cap.campaigns is None or one.campaign in cap.campaigns)
        and (cap.channels is None or one.channel in cap.channels)
        and (cap.types is None or one.type is None or one.type in cap.types)
    )


def full(named: Sequence[Dated], most: int, days: int, ignoring: Sequence[str]) -> bool:
    """Whether a stretch holds more than `most`, one of them planned and of no ignoring campaign."""
    for begin in range(-40, 40):
        inside = [one for one in named if begin <= one.day < begin + days]
        if len(inside) > most and any(one.planned and one.campaign not in ignoring for one in inside):
            return True
    return False


def all_series(timetable: Timetable) -> Iterator[tuple[tuple[int, int], ...]]:
    choices = [range(-1, len(timetable.options))] * len(timetable.days)
    for series in product(*choices):
        yield tuple((t, i) for t, i in enumerate(series) if i >= 0)


def right(timetable: Timetable, rules: ContactRules, customer: Customer) -> set[Any]:
    """Every series that keeps the rules."""

    def dated(series: tuple[tuple[int, int], ...]) -> list[Dated]:
        chosen = [(timetable.days[t], timetable.options[i]) for t, i in series]
        return [Dated(day, o.campaign, o.channel, o.type, True) for day, o in chosen]

    return {
        series
        for series in all_series(timetable)
        if keeps(rules, timetable.period_days, customer, dated(series))
    }


def found(timetable: Timetable, rules: ContactRules, customers: Sequence[Customer]) -> list[set[Any]]:
    """The streams of the graph for each of the customers, who share it."""
    limits = [one.limit for one in customers if one.limit is not None]
    longest = longest_stream(timetable, rules)
    if limits and longest:
        rules = rules.with_own_limits(min(longest, max(limits) + 1), timetable.period_days)
    contacts = [contact for one in customers for contact in one.earlier]
    effects = EarlierEffects(contacts, timetable, rules)
    ends = np.cumsum([0, *(len(one.earlier) for one in customers)])
    codes = [effects.code[begin:end] for begin, end in pairwise(ends)]
    graph = build_graph(timetable, rules, effects.ahead)
    own = [UNLIMITED if one.limit is None else one.limit for one in customers]
    lists = [tuple(sorted(code[code >= 0].tolist())) for code in codes]
    leeway = effects.by_code.leeway(CodeLists.of(lists), graph.shared_caps, np.array(own))
    count = len(customers)
    alike, number = np.zeros(count, dtype=np.int64), np.arange(count)
    cells = Cells(
        ("1",), np.array([count]), alike, alike, number, np.ones(count, dtype=np.int64),
        timetable.sendable[None], leeway, pd.DataFrame(),
    )  # fmt: skip
    gain = np.ones((1, len(timetable.options)))
    objective = Objective(gain, charge=0.0 * gain, cost=0.0 * gain, value=0.0 * gain)
    pricing = Pricing(timetable, rules, graph, cells, (), (), objective)
    worth = pricing.worth(np.zeros(0))
    streams = []
    for cell in range(count):
        numbers, _ = pricing.above(worth, cell, -0.5, 10_000, 1_000_000)
        assert numbers is not None
        streams.append({tuple(pricing.book.streams[n]) for n in numbers.tolist()})
        best, _, bound = pricing.search(worth, np.array([cell]), np.array([-1.0]), 0.0, 1 << 16)
        most = max(map(len, streams[-1]))
        assert (best[0], bound[0]) == (pytest.approx(most), pytest.approx(most))
    return streams


def texts(timetable: Timetable, streams: set[Any]) -> set[str]:
    """Streams as words: the campaign of each send day, or a dot."""
    words = set()
    for stream in streams:
        sent = dict(stream)
        words.add("".join(timetable.options[sent[t]].campaign if t in sent else "." for t in range(3)))
    return words


THREE_DAYS = the_timetable(7, [0, 1, 2], [("a", "email"), ("b", "email")])


def streams_of(cap: dict[str, Any], *earlier: EarlierContact, limit: int | None = None) -> set[str]:
    """The streams of campaigns a and b on three days in a row under one cap."""
    rules = rules_of([FrequencyCap("policy.max_per_customer[0]", "frequency_cap", **cap)] if cap else [])
    return texts(THREE_DAYS, found(THREE_DAYS, rules, [Customer(tuple(earlier), limit), Customer()])[0])


ALL = {"".join(word) for word in product(".ab", repeat=3)}
YESTERDAY = EarlierContact(-1, "a", "email", None)


def test_an_ignoring_campaign_fills_stretches_that_others_may_not_stand_in() -> None:
    cap = {"contacts": 2, "days": 3, "ignoring": ("b",)}
    assert streams_of(cap) == {word for word in ALL if "." in word} | {"bbb"}
    # With a contact the day before, days 0 and 1 have room for one more, beside an a or not.
    assert streams_of(cap, YESTERDAY) == {
        word for word in ALL if "." in word and ("." in word[:2] or word[:2] == "bb")
    } | {"bbb"}
    assert streams_of({**cap, "contacts": 0}) == {word for word in ALL if "a" not in word}


def test_commitments_ahead_crowd_the_stretches_that_reach_them() -> None:
    ahead = EarlierContact(3, "a", "email", None)
    cap = {"contacts": 2, "days": 3}
    # Of the days 1, 2 and 3 two may be used, and of the days 0, 1 and 2.
    fits = {word for word in ALL if "." in word[1:] and "." in word}
    assert streams_of(cap, ahead) == fits
    assert streams_of({**cap, "ignoring": ("b",)}, ahead) == fits | {"bbb", ".bb"}
    assert streams_of({}, ahead, limit=2) == streams_of({}, limit=1)


def test_an_uncounted_campaign_is_not_there_for_the_cap() -> None:
    cap = {"contacts": 1, "days": 3, "uncounted": ("b",)}
    assert streams_of(cap) == {word for word in ALL if word.count("a") <= 1}
    assert streams_of(cap, EarlierContact(-1, "b", "email", None)) == streams_of(cap)
    assert streams_of(cap, YESTERDAY) == {
        word for word in ALL if "a" not in word[:2] and word.count("a") <= 1
    }


def test_an_own_limit_counts_everything() -> None:
    assert streams_of({}, limit=0) == {"..."}
    assert streams_of({}, limit=1) == {word for word in ALL if word.count(".") >= 2}
    assert streams_of({}, YESTERDAY, limit=2) == streams_of({}, limit=1)
    assert streams_of({}, limit=3) == ALL
    # Seven days before day 0 begins the first stretch without day 0: from day 1 on it holds no more.
    assert streams_of({}, EarlierContact(-6, "a", "email", None), limit=1) == {
        "...",
        ".a.",
        ".b.",
        "..a",
        "..b",
    }
    cap = {"contacts": 9, "days": 1, "uncounted": ("a",), "ignoring": ("b",)}
    assert streams_of(cap, limit=2) == {word for word in ALL if "." in word}


def test_the_graph_is_no_larger_than_the_rules_need() -> None:
    timetable = the_timetable(14, range(14), [("a", "email"), ("b", "email")])
    cap = FrequencyCap("x", "frequency_cap", 2, 5)
    plain = build_graph(timetable, rules_of([cap]))
    uncounted = build_graph(timetable, rules_of([FrequencyCap("x", "frequency_cap", 2, 5, uncounted=("b",))]))
    assert len(plain.send_day) == len(uncounted.send_day)
    # All ignore it: no cap at all. One state a day is left.
    void = build_graph(timetable, rules_of([FrequencyCap("x", "frequency_cap", 2, 5, ignoring=("a", "b"))]))
    assert len(void.send_day) == 15
    # An own limit of 2 in the period: none, one, or two contacts so far.
    own = build_graph(timetable, rules_of().with_own_limits(3, 14))
    assert len(own.send_day) == 1 + 2 + 12 * 3 + 1
    # A commitment inside the period changes nothing about that, nor one on the first days a cap's graph.
    assert len(build_graph(timetable, rules_of().with_own_limits(3, 14), {"x": (9,)}).send_day) == 40
    assert len(build_graph(timetable, rules_of([cap]), {"x": (2, 4)}).send_day) == len(plain.send_day)


@st.composite
def frequency_caps(draw: Any, number: int) -> FrequencyCap:
    some = st.sampled_from([(), (), ("a",), ("b",), ("a", "c"), ("other",)])
    return FrequencyCap(
        f"policy.max_per_customer[{number}]",
        "frequency_cap",
        draw(st.sampled_from([0, 1, 1, 2, 2, 2, 3])),
        draw(st.integers(1, 7)),
        draw(st.sampled_from([None, None, None, ("email",)])),
        draw(st.sampled_from([None, None, None, ("a", "b"), ("b",)])),
        draw(st.sampled_from([None, None, None, ("promotional", "brand")])),
        draw(some),
        draw(some),
    )


@st.composite
def customers(draw: Any, last: int) -> Customer:
    contact = st.builds(
        EarlierContact,
        st.integers(-7, last),
        st.sampled_from(["a", "b", "c", "other"]),
        st.sampled_from(["email", "mail"]),
        st.sampled_from([None, "promotional", "service"]),
    )
    earlier = draw(st.lists(contact, max_size=4, unique_by=lambda one: (one.day, one.campaign, one.channel)))
    return Customer(tuple(earlier), draw(st.sampled_from([None, 0, 1, 2, 3, 4, 9])))


@settings(THOROUGH, max_examples=60)
@given(st.data())
def test_streams_are_the_series_that_keep_the_rules(data: st.DataObject) -> None:
    days = sorted(data.draw(st.sets(st.integers(0, 8), min_size=2, max_size=5)))
    period = days[-1] + 1 + data.draw(st.integers(0, 2))
    options = data.draw(
        st.lists(
            st.tuples(st.sampled_from("abc"), st.sampled_from(["email", "mail"])),
            min_size=1,
            max_size=3,
            unique=True,
        )
    )
    timetable = the_timetable(period, days, options)
    caps = [data.draw(frequency_caps(n)) for n in range(data.draw(st.integers(0, 3)))]
    apart = data.draw(st.sampled_from([(), (), (NeverTogether("apart", ("a", "b"), 2),)]))
    after = data.draw(st.sampled_from([(), (), (OnlyAfter("after", "c", "a", 1, 3),)]))
    rules = rules_of(caps, apart, after)
    # Commitments may lie inside the period and after it.
    last = data.draw(st.sampled_from([-1, period - 1, period + 4]))
    those = data.draw(st.lists(customers(last), min_size=1, max_size=3))
    for customer, streams in zip(those, found(timetable, rules, those), strict=True):
        assert streams == right(timetable, rules, customer), customer
        ahead = any(one.day >= 0 for one in customer.earlier)
        ignored = any(cap.ignoring and cap.contacts for cap in caps)
        SEEN["ignored"] += ignored
        SEEN["own"] += customer.limit is not None
        SEEN["both"] += ahead and ignored and customer.limit is not None
        SEEN["ahead"] += ahead


def test_enough_was_seen() -> None:
    assert min(SEEN.values()) >= 10
