"""Response rates by segment × campaign × channel, with 95 % intervals.

The rate is that of a contact with no other contact before it: fatigue is divided out. Rates come from the
contact history (`models.contact_counts`, then `estimate`) or from a table that the user gives (`from_table`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.customer_response import CustomerBands
from models.shrinkage import beta_interval, shrink

KEY = ["segment", "campaign", "channel"]
COLUMNS = [*KEY, "response_rate", "low", "high", "contacts", "responses", "standard_error", "source"]

# The hierarchy, coarsest first; a node is named by a prefix of this path.
PATH = ["type", "channel", "segment", "campaign"]
SOURCES = (
    "all contacts",
    "type",
    "type x channel",
    "segment x type x channel",
    "segment x campaign x channel",
)

# Assumptions for a base without any history: no measurement of ours or of anybody stands behind them.
# They only keep a first plan in a believable order of size. Rate = type's rate × channel's factor.
ASSUMED_TYPE_RATES = {
    "promotional": 0.02,
    "service": 0.05,
    "recognition": 0.03,
    "research": 0.05,
    "brand": 0.01,
    "functional": 0.05,
}
ASSUMED_CHANNEL_FACTORS = {"email": 1.0, "push": 0.75, "sms": 1.5, "mail": 1.5, "phone": 3.0, "branch": 4.0}
ASSUMED_RATE = 0.02  # of any other type; any other channel has factor 1
ASSUMED_CONTACTS = 25.0  # how many contacts an assumed rate is worth: sets its interval


@dataclass(frozen=True)
class Rates:
    """Response rates and what the planner should know about them.

    `frame` has a row for each wanted (segment, campaign, channel), sorted by these, with `response_rate`,
    `low`, `high` (95 %), `contacts` and `responses` seen of just that combination, `standard_error` and
    `source`: the finest level of the hierarchy that has contacts, or `assumed`, `table`, `missing`. `bands`
    are the customers' own factors of these rates, None where all have the segment's rate.
    """

    frame: pd.DataFrame
    warnings: tuple[str, ...] = ()
    bands: CustomerBands | None = None


def estimate(counts: pd.DataFrame, wanted: pd.DataFrame) -> Rates:
    """Response rates of `wanted` (segment, campaign, type, channel) from `counts`, shrunk by empirical Bayes.

    The hierarchy is all → type → type × channel → segment × type × channel → campaign within that; method
    and sources stand in `models.shrinkage`. What was never seen takes its parent's rate: a campaign that of
    its type and channel in the segment, a channel that of the type, a type the overall one; the interval is
    wider, since campaigns (channels, types) differ.

    Campaigns have the type that `wanted` gives them, others that of `counts`. Without a usable contact the
    assumed rates above are taken, with a warning. Rates are in [0, 1], rounded to 9 places.
    """
    asked = _asked(wanted)
    usable, warnings = _usable(counts, asked)
    if usable.empty:
        return _assumed(asked)
    tree = pd.concat([usable, asked.assign(contacts=0, responses=0, exposure=0.0)])
    leaves = shrink(tree, PATH, ASSUMED_RATE)
    frame = asked.merge(leaves, on=PATH, how="left", validate="one_to_one")
    unseen = frame[frame["seen"] < PATH.index("channel") + 1]
    if len(unseen):
        warnings.append(
            f"{len(unseen)} of {len(frame)} response rates rest on no contact of that type and channel "
            f"(the rate of the type, or of all contacts, is taken), first: {_first(unseen)}"
        )
    source = [SOURCES[depth] for depth in frame["seen"]]
    return _rates(_with_interval(frame, frame["rate"], frame["variance"]).assign(source=source), warnings)


def _with_interval(frame: pd.DataFrame, rate: pd.Series, variance: pd.Series) -> pd.DataFrame:
    low, high = beta_interval(rate.to_numpy(), variance.to_numpy())
    error = np.sqrt(variance)
    return frame.assign(response_rate=rate.clip(0, 1), low=low, high=high, standard_error=error)


def _asked(wanted: pd.DataFrame) -> pd.DataFrame:
    """The wanted rows as text, once each, sorted."""
    return wanted[[*KEY, "type"]].astype("str").drop_duplicates().sort_values(KEY, ignore_index=True)


def _usable(counts: pd.DataFrame, asked: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The rows of `counts` to estimate from, with the plan's types, and warnings."""
    usable, warnings = counts[counts["contacts"] > 0], []
    censored, total = int(usable.loc[~usable["complete"], "contacts"].sum()), int(usable["contacts"].sum())
    if 0 < censored < total:
        usable = usable[usable["complete"]]
        warnings.append(
            f"{censored} of {total} contacts are left out of the response rates: their response window "
            "is not over yet"
        )
    elif censored:
        warnings.append(
            f"the response window is not over for any of the {total} contacts: they are used all the same, "
            "and response rates may be too low"
        )
    planned = dict(zip(asked["campaign"], asked["type"], strict=True))
    pairs = zip(usable["campaign"], usable["type"], strict=True)
    usable = usable.assign(type=[planned.get(campaign, kind) for campaign, kind in pairs])
    untyped = int(usable.loc[usable["type"] == "", "contacts"].sum())
    if untyped:
        warnings.append(f"{untyped} contacts of campaigns of unknown type tell of the overall rate only")
    if total and not usable["responses"].sum():
        warnings.append(
            f"no response in {int(usable['contacts'].sum())} contacts: response rates are close to 0 (is "
            "contact_history.responded filled in?)"
        )
    return usable, warnings


def _assumed(asked: pd.DataFrame) -> Rates:
    """The stated default rates, for a base without history."""
    pairs = zip(asked["type"], asked["channel"], strict=True)
    rates = [
        ASSUMED_TYPE_RATES.get(kind, ASSUMED_RATE) * ASSUMED_CHANNEL_FACTORS.get(channel, 1.0)
        for kind, channel in pairs
    ]
    rate = pd.Series(rates, index=asked.index, dtype="float64")
    variance = rate * (1 - rate) / (ASSUMED_CONTACTS + 1)
    frame = _with_interval(asked, rate, variance).assign(contacts=0, responses=0, source="assumed")
    warning = (
        "no contact history to estimate response rates from: assumed rates by campaign type and channel are "
        "used. They are placeholders; replace them by a response_rates table or by history"
    )
    return _rates(frame, [warning])


def from_table(response_rates: pd.DataFrame, wanted: pd.DataFrame) -> Rates:
    """The rates of `wanted` (segment, campaign, type, channel) as the user's table gives them.

    A combination that `response_rates` lacks has rate 0, with a warning. `low` and `high` are the rate ∓ 1.96
    `standard_error`, within [0, 1], and empty where there is none. Raises `pandas.errors.MergeError` where
    the table holds a combination twice.
    """
    given = response_rates[[*KEY, "response_rate", "standard_error"]]
    given = given.astype(dict.fromkeys(KEY, "str")).assign(source="table")
    frame = _asked(wanted).merge(given, on=KEY, how="left", validate="many_to_one")
    missing = frame["source"].isna()
    error = frame["standard_error"].astype("float64")
    rate = frame["response_rate"].astype("float64").fillna(0.0)
    frame = frame.assign(
        response_rate=rate,
        low=(rate - 1.96 * error).clip(0, 1),
        high=(rate + 1.96 * error).clip(0, 1),
        standard_error=error,
        contacts=0,
        responses=0,
        source=frame["source"].fillna("missing"),
    )
    warnings = []
    if missing.any():
        warnings.append(
            f"response_rates lacks {int(missing.sum())} of {len(frame)} combinations of segment, campaign "
            f"and channel; their rate is 0, first: {_first(frame[missing])}"
        )
    return _rates(frame, warnings)


def _first(rows: pd.DataFrame) -> str:
    return ", ".join("/".join(key) for key in rows[KEY].head(5).itertuples(index=False, name=None))


def _rates(frame: pd.DataFrame, warnings: list[str]) -> Rates:
    return Rates(frame[COLUMNS].round(9), tuple(warnings))
