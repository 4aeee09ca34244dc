"""Response rates estimated from counts: the hierarchy, its edges, and order of rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.response import COLUMNS, KEY, estimate


def counts(*rows):
    """Rows (segment, campaign, type, channel, contacts, responses)."""
    names = ["segment", "campaign", "type", "channel", "contacts", "responses"]
    frame = pd.DataFrame(rows, columns=names)
    return frame.assign(exposure=frame["contacts"].astype("float64"), complete=True)


def wanted(*rows):
    return pd.DataFrame(rows, columns=["segment", "campaign", "type", "channel"])


def rates_by_key(rates):
    return rates.frame.set_index(KEY)["response_rate"]


SEEN = counts(
    ("1", "sale", "promotional", "email", 4000, 400),
    ("1", "club", "promotional", "email", 100, 2),
    ("2", "sale", "promotional", "email", 4000, 80),
    ("2", "club", "promotional", "email", 1000, 30),
    ("1", "sale", "promotional", "sms", 500, 60),
    ("1", "poll", "research", "email", 800, 8),
    ("2", "poll", "research", "email", 800, 16),
)
ASKED = wanted(
    ("1", "sale", "promotional", "email"),
    ("1", "new", "promotional", "email"),
    ("3", "new", "promotional", "email"),
    ("1", "new", "promotional", "phone"),
    ("1", "thanks", "recognition", "email"),
)


def test_columns_order_and_sources():
    rates = estimate(SEEN, ASKED)
    frame = rates.frame
    assert list(frame.columns) == COLUMNS
    assert frame[KEY].values.tolist() == sorted(ASKED[KEY].values.tolist())
    assert frame["source"].tolist() == [
        "segment x type x channel",
        "type",
        "segment x campaign x channel",
        "all contacts",
        "type x channel",
    ]
    assert frame["contacts"].tolist() == [0, 0, 4000, 0, 0]
    assert frame["responses"].tolist() == [0, 0, 400, 0, 0]
    assert rates.warnings == (
        "2 of 5 response rates rest on no contact of that type and channel (the rate of the type, or of all "
        "contacts, is taken), first: 1/new/phone, 1/thanks/email",
    )
    assert frame["response_rate"].between(frame["low"], frame["high"]).all()


def test_what_was_never_seen_takes_its_parents_rate():
    # One level differs at a time: all else equal, the never seen takes just what its parent has.
    rate = rates_by_key(
        estimate(
            SEEN,
            wanted(
                *(("1", name, "promotional", "email") for name in ("new", "newer")),
                *(("1", name, "promotional", channel) for name in ("new",) for channel in ("phone", "mail")),
                *((segment, "new", "promotional", "email") for segment in ("3", "4")),
                *(("1", "t", kind, channel) for kind in ("brand",) for channel in ("email", "mail")),
            ),
        )
    )
    assert rate["1", "new", "email"] == rate["1", "newer", "email"]
    assert rate["3", "new", "email"] == rate["4", "new", "email"]
    assert rate["1", "new", "phone"] == rate["1", "new", "mail"]
    assert rate["1", "t", "email"] == rate["1", "t", "mail"]
    assert 0.02 < rate["3", "new", "email"] < rate["1", "new", "email"] < 0.1


def test_less_known_has_the_wider_interval():
    frame = estimate(SEEN, ASKED).frame.set_index("source")
    error = frame["standard_error"]
    assert error["segment x campaign x channel"] < error["segment x type x channel"] < error["type x channel"]
    width = frame["high"] - frame["low"]
    assert width["segment x campaign x channel"] < width["segment x type x channel"]


def test_a_lone_rate_is_its_own_parent():
    rates = estimate(counts(("1", "sale", "brand", "email", 50, 5)), wanted(("1", "x", "brand", "email")))
    assert rates.frame["response_rate"].tolist() == [0.1]


def test_the_plan_says_what_type_its_campaigns_have():
    untyped = SEEN.assign(type=SEEN["type"].where(SEEN["campaign"] != "sale", ""))
    named = estimate(untyped, ASKED)
    pd.testing.assert_frame_equal(named.frame, estimate(SEEN, ASKED).frame)
    assert "4500 contacts of campaigns of unknown type" not in " ".join(named.warnings)
    other = estimate(untyped, ASKED[ASKED["campaign"] != "sale"])
    assert other.warnings[0] == "8500 contacts of campaigns of unknown type tell of the overall rate only"


def test_a_rate_lies_between_its_own_and_its_parents():
    asked = wanted(
        *SEEN[["segment", "campaign", "type", "channel"]].values.tolist(),
        ("1", "none", "promotional", "email"),
        ("2", "none", "promotional", "email"),
    )
    rate = rates_by_key(estimate(SEEN, asked))
    for segment, campaign, own in (
        ("1", "sale", 0.1),
        ("1", "club", 0.02),
        ("2", "sale", 0.02),
        ("2", "club", 0.03),
    ):
        parent = rate[segment, "none", "email"]
        assert min(own, parent) <= rate[segment, campaign, "email"] <= max(own, parent)


@pytest.mark.parametrize("own", [0.0, 0.3])
def test_more_data_brings_a_rate_closer_to_its_own(own):
    distances = []
    for contacts in (10, 100, 1000, 10000):
        seen = counts(
            *(("1", f"c{i}", "brand", "email", 1000, 80 + 10 * i) for i in range(5)),
            ("1", "x", "brand", "email", contacts, int(own * contacts)),
        )
        rate = rates_by_key(estimate(seen, wanted(("1", "x", "brand", "email"))))
        distances.append(abs(rate.iloc[0] - own))
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 0.002


def test_groups_that_do_not_differ_are_pulled_together_and_groups_that_do_are_not():
    def estimated(spread):
        rows = [("1", f"c{i}", "brand", "email", 400, 40 + spread * (-1) ** i) for i in range(20)]
        return estimate(counts(*rows), wanted(("1", "c0", "brand", "email"))).frame["response_rate"][0]

    assert abs(estimated(4) - 0.1) < 0.4 * 0.01
    assert abs(estimated(30) - 0.1) > 0.9 * 0.075


@pytest.mark.parametrize("contacts", [1, 30, 100_000])
def test_zero_responses_everywhere(contacts):
    seen = SEEN.assign(responses=0, contacts=contacts, exposure=float(contacts))
    rates = estimate(seen, ASKED)
    rate = rates.frame["response_rate"]
    assert ((rate >= 0) & (rate < min(0.02, 1 / contacts))).all()
    assert ((rates.frame["low"] <= rate) & (rates.frame["high"] > 2 / (contacts + 50))).all()
    assert f"no response in {7 * contacts} contacts" in rates.warnings[0]


def test_everybody_responds_and_more_than_fatigue_allows():
    seen = SEEN.assign(responses=SEEN["contacts"])
    assert estimate(seen, ASKED).frame["response_rate"].between(0.99, 1).all()
    tired = seen.assign(exposure=seen["contacts"] * 0.25)
    frame = estimate(tired, ASKED).frame
    assert (frame["response_rate"] == 1).all()
    assert (frame["high"] == 1).all()


def test_one_segment_only():
    frame = estimate(SEEN[SEEN["segment"] == "1"], ASKED).frame
    assert frame["response_rate"].between(0.01, 0.12).all()
    assert np.isfinite(frame[["low", "high", "standard_error"]].to_numpy()).all()


def test_nothing_wanted():
    assert len(estimate(SEEN, ASKED.iloc[:0]).frame) == 0
    assert len(estimate(SEEN.iloc[:0], ASKED.iloc[:0]).frame) == 0


rows_of_counts = st.lists(
    st.tuples(
        st.sampled_from("123"),
        st.sampled_from(["u", "v", "w"]),
        st.sampled_from(["brand", "research", ""]),
        st.sampled_from(["email", "sms"]),
        st.integers(0, 500),
        st.floats(0, 1),
        st.floats(0.05, 1),
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=25, deadline=None)
@given(rows_of_counts, st.randoms(use_true_random=False))
def test_any_counts_in_any_order_give_the_same_sensible_rates(rows, random):
    seen = counts(*((*row[:5], int(row[4] * row[5])) for row in rows))
    seen["exposure"] *= [row[6] for row in rows]
    asked = wanted(("1", "u", "brand", "email"), ("1", "x", "brand", "email"), ("9", "z", "service", "fax"))
    rates = estimate(seen, asked)
    frame = rates.frame
    assert ((frame["low"] <= frame["response_rate"]) & (frame["response_rate"] <= frame["high"])).all()
    assert frame[["low", "high"]].stack().between(0, 1).all()
    order = random.sample(range(len(seen)), len(seen))
    again = estimate(seen.iloc[order], asked.iloc[::-1])
    pd.testing.assert_frame_equal(again.frame, frame, check_exact=True)
    assert again.warnings == rates.warnings
