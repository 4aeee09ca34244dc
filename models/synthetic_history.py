"""The synthetic bank's contact history, its responses drawn from the true rates with true fatigue."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from models.synthetic_truth import (
    CAMPAIGNS,
    CHANNELS,
    DELIVERED,
    HOLD_OUT_TYPES,
    TYPES,
    Array,
    SyntheticTruth,
)

CARELESS = 0.003  # weight of a channel without permission: the breaches an audit is meant to find
STUBBORN = 0.05  # share of the usual contacts that go to customers who permit no channel at all
RESPONSE_DAYS = 14  # a response comes on the day of the contact or within the 13 days after it
UNITS = tuple(sorted({campaign.business_unit for campaign in CAMPAIGNS}))
_NO_DAY = -1


def words(codes: Array, names: tuple[str, ...], missing: Array | None = None) -> pa.Array:
    """Return a dictionary-coded string column of `names[codes]`, null where `missing`."""
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int8), mask=missing), pa.array(names))


def dates(days: Array, missing: Array | None = None) -> pa.Array:
    """Return a date column from days since 1970-01-01, null where `missing`."""
    return pa.array(days.astype(np.int32), mask=missing).cast(pa.date32())


@dataclass(frozen=True)
class Stretch:
    """The days of the past: `days` of them before `start_day` (days since 1970-01-01), and the contacts then.

    `per_28_days` is the mean number of contacts a customer in 28 days.
    """

    start_day: int
    days: int
    per_28_days: float


@dataclass(frozen=True)
class _Contacts:
    """Past contacts as arrays of one length: customer (row in the partition), day, campaign, channel."""

    customer: Array
    day: Array
    campaign: Array
    channel: Array


def contact_history(
    rng: np.random.Generator,
    first_id: int,
    segment: Array,
    *,
    permitted: Array,
    held_out: Array,
    truth: SyntheticTruth,
    past: Stretch,
) -> pa.Table:
    """Draw the past contacts of one partition, whose customers have the ids from `first_id` on.

    `segment` holds 0-based segments, `permitted` is customers × channels, `held_out` marks customers whose
    contacts of the hold-out types become control rows. The contacts a customer are a Poisson number, their
    dates uniform; a contact of the last days may be answered on or after the stretch's end. Sorted by
    customer and date; no two rows agree in customer, date, campaign and channel.
    """
    sent = _draw_contacts(rng, permitted, past)
    kind = np.array([c.type in HOLD_OUT_TYPES for c in CAMPAIGNS])
    control = held_out[sent.customer] & kind[sent.campaign]
    reached = rng.random(len(control), dtype=np.float32) < np.array(DELIVERED, dtype=np.float32)[sent.channel]
    reached &= ~control
    rate = truth.rates[segment[sent.customer], sent.campaign, sent.channel]
    before = contacts_before(sent.customer, sent.day, reached, truth.fatigue_days)
    chance = rate * np.where(reached, truth.fatigue_keep**before, truth.spontaneous)
    responded = rng.random(len(rate)) < chance
    flags = {"delivered": reached, "responded": responded, "control": control}
    return _as_table(rng, first_id, sent, flags)


def contacts_before(customer: Array, day: Array, counted: Array, days: int) -> Array:
    """Count, for each contact, the customer's counted contacts with 1 <= Δ <= `days` before it.

    `customer` and `day` are sorted by customer, then day; `counted` marks the contacts that count.
    """
    if len(day) == 0:
        return np.zeros(0, dtype=np.int64)
    stride = int(day.max() - day.min()) + days + 1
    key = customer.astype(np.int64) * stride + (day - day.min()) + days
    counted_keys = key[counted]
    before: Array = np.searchsorted(counted_keys, key) - np.searchsorted(counted_keys, key - days)
    return before


def _draw_contacts(rng: np.random.Generator, permitted: Array, past: Stretch) -> _Contacts:
    """Draw who was sent what, when and where, sorted and without exact duplicates."""
    pattern = permitted @ (1 << np.arange(len(CHANNELS)))
    active = np.where(pattern > 0, 1.0, STUBBORN)
    mean = past.per_28_days * past.days / 28 * active / active.mean()
    customer = np.repeat(np.arange(len(pattern)), rng.poisson(mean))
    day = rng.integers(0, past.days, len(customer))
    campaign, channel = _draw_messages(rng, pattern[customer])
    key = (customer * past.days + day) * len(CAMPAIGNS) + campaign
    key = np.unique(key * len(CHANNELS) + channel)
    key, channel = np.divmod(key, len(CHANNELS))
    key, campaign = np.divmod(key, len(CAMPAIGNS))
    customer, day = np.divmod(key, past.days)
    return _Contacts(customer, past.start_day - past.days + day, campaign, channel)


def _draw_messages(rng: np.random.Generator, pattern: Array) -> tuple[Array, Array]:
    """Draw a campaign and a channel for each contact, hardly ever one without permission.

    `pattern` is the customer's permissions as bits, the first channel lowest. The weights of all campaigns
    and channels stand, cumulated from p to p + 1, in one row for each pattern p: one search serves all.
    """
    bits = np.arange(1 << len(CHANNELS))[:, None] >> np.arange(len(CHANNELS)) & 1
    sent = [[c.past_weight * (k in c.channels) for k in CHANNELS] for c in CAMPAIGNS]
    weights = np.array(sent)[None] * np.where(bits == 1, 1.0, CARELESS)[:, None, :]
    share = np.cumsum(weights.reshape(len(bits), -1), axis=1)
    ladder = (np.arange(len(bits))[:, None] + share / share[:, -1:]).ravel()
    # A hair below 1, so that p + draw cannot round up into the next pattern.
    draw = rng.random(len(pattern)) * (1 - 1e-12)
    found = np.searchsorted(ladder, pattern + draw, side="right") % share.shape[1]
    campaign, channel = np.divmod(found, len(CHANNELS))
    return campaign, channel


def _as_table(rng: np.random.Generator, first_id: int, sent: _Contacts, flags: dict[str, Array]) -> pa.Table:
    """Dress the contacts as the contract's table; money only where there was a response."""
    rows = len(sent.day)
    when = np.full(rows, _NO_DAY)
    revenue, margin = np.zeros(rows), np.zeros(rows)
    at = np.flatnonzero(flags["responded"])
    when[at] = sent.day[at] + np.minimum(rng.geometric(0.25, len(at)) - 1, RESPONSE_DAYS - 1)
    # A lognormal factor of mean 1: single purchases are heavy-tailed, the means stay the campaigns'.
    factor = np.exp(rng.normal(-0.5 * 0.6**2, 0.6, len(at)))
    revenue[at] = (np.array([c.revenue for c in CAMPAIGNS])[sent.campaign[at]] * factor).round(2)
    margin[at] = (np.array([c.margin for c in CAMPAIGNS])[sent.campaign[at]] * factor).round(2)
    kinds = np.array([TYPES.index(c.type) for c in CAMPAIGNS])
    units = np.array([UNITS.index(c.business_unit) for c in CAMPAIGNS])
    return pa.table(
        {
            # Ids of one partition never meet those of the next: customers differ by the first id.
            "contact_id": pa.array(first_id * 1000 + np.arange(rows)),
            "customer_id": pa.array(first_id + sent.customer),
            "contacted_on": dates(sent.day),
            "channel": words(sent.channel, CHANNELS),
            "campaign": words(sent.campaign, tuple(c.name for c in CAMPAIGNS)),
            "type": words(kinds[sent.campaign], TYPES),
            "business_unit": words(units[sent.campaign], UNITS),
            "delivered": pa.array(flags["delivered"].astype(np.int8)),
            "responded": pa.array(flags["responded"].astype(np.int8)),
            "responded_on": dates(when, when == _NO_DAY),
            "revenue": pa.array(revenue),
            "margin": pa.array(margin),
            "control": pa.array(flags["control"].astype(np.int8)),
        }
    )
