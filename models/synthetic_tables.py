"""The synthetic bank's customers and their permissions, commitments, payments and restrictions."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from models.synthetic_history import UNITS, dates, words
from models.synthetic_truth import CHANNELS, REASONS, REGIONS, SEGMENTS, TYPES, Array

DENIED = (0.10, 0.10, 0.05, 0.08, 0.15)  # share of customers with an explicit "no", by channel
EMAIL, APP, MAIL, PHONE = (CHANNELS.index(name) for name in ("email", "app", "mail", "phone"))
_FUNCTIONAL, _SERVICE, _PROMOTIONAL = (TYPES.index(t) for t in ("functional", "service", "promotional"))
_OPEN = -1


@dataclass(frozen=True)
class People:
    """One partition's customers as arrays: ids, households (the id of the first member), 0-based segments."""

    customer_id: Array
    household_id: Array
    segment: Array

    @property
    def count(self) -> int:
        """Return the number of customers."""
        return len(self.customer_id)


def figure(name: str, segment: Array) -> Array:
    """Return the segments' figure `name` (a field of `ValueSegment`), one value a customer."""
    return np.array([getattr(s, name) for s in SEGMENTS], dtype=float)[segment]


def draw_people(rng: np.random.Generator, first_id: int, count: int) -> People:
    """Draw segments and households (about 1.4 customers each) of `count` customers from `first_id` on."""
    share = np.cumsum([s.share for s in SEGMENTS])
    segment = np.searchsorted(share / share[-1], rng.random(count), side="right")
    ids = np.arange(first_id, first_id + count)
    opens = rng.random(count) < 0.7
    opens[:1] = True
    return People(ids, np.maximum.accumulate(np.where(opens, ids, first_id)), segment)


def held_out(household_id: Array, share: float, key: str) -> Array:
    """Say who is held out: md5 of `KEY:household`, read as a fraction, below the share."""
    households, of = np.unique(household_id, return_inverse=True)
    digests = (hashlib.md5(f"{key}:{h}".encode()).digest()[:8] for h in households.tolist())
    fraction = np.frombuffer(b"".join(digests), dtype=">u8").astype(float) / 2.0**64
    low: Array = fraction < share
    return low[of]


def customers(rng: np.random.Generator, people: People) -> pa.Table:
    """Draw the customer table; `segment` is the latent one (1 = highest value), margins heavy-tailed."""
    n, segment = people.count, people.segment
    region = rng.integers(0, len(REGIONS), n)[people.household_id - people.household_id[0]]
    tail = rng.normal(0.0, 1.0, n)
    balance = figure("balance", segment) * np.exp(1.1 * (0.5 * tail + 0.87 * rng.normal(0.0, 1.0, n)))
    age = np.clip(rng.normal(figure("age", segment), 11.0), 18, 95).astype(np.int64)
    return pa.table(
        {
            "customer_id": pa.array(people.customer_id),
            "household_id": pa.array(people.household_id),
            "segment": pa.array(segment + 1),
            "age": pa.array(age),
            "region": words(region, REGIONS),
            "tenure_years": pa.array(np.minimum(rng.exponential(8.0, n), age - 17.0).round(1)),
            "balance": pa.array(balance.round(2)),
            "products": pa.array(1 + rng.poisson(figure("products", segment) - 1.0)),
            "margin_12m": pa.array((figure("margin", segment) * np.exp(0.9 * tail)).round(2)),
            "has_mortgage": pa.array((rng.random(n) < 0.04 * figure("products", segment)).astype(np.int64)),
        }
    )


def permissions(rng: np.random.Generator, people: People, start_day: int) -> tuple[pa.Table, Array]:
    """Draw the permission table, and which channels count as permitted (customers × channels, bool).

    Half of the customers answer all questions alike, so permissions go together. Of the grants 30 % carry
    the day they began, 2 % begin inside the period, 2 % have lapsed, 2 % lapse inside it; 2 % of the
    e-mail grants exclude promotions by a second row, and 3 % of the phone grants are for service only.
    """
    n = people.count
    common, alike = rng.random(n), rng.random(n) < 0.5
    columns: list[tuple[Array, Array, Array, Array, Array]] = []
    permitted = np.zeros((n, len(CHANNELS)), dtype=bool)
    for k in range(len(CHANNELS)):
        answer = np.where(alike, common, rng.random(n))
        share = np.array([s.consent[k] for s in SEGMENTS])[people.segment]
        grant, deny = answer < share, answer > 1.0 - DENIED[k]
        permitted[:, k] = grant | (~deny if k == MAIL else False)
        who = np.flatnonzero(grant | deny)
        columns.append(_consent_rows(rng, k, who, grant[who], start_day))
        if k == EMAIL:
            but = np.flatnonzero(grant & (rng.random(n) < 0.02))
            none = np.full(len(but), _OPEN)
            columns.append((but, np.zeros(len(but), dtype=bool), none, none, none + 1 + _PROMOTIONAL))
    lengths = [len(rows[0]) for rows in columns]
    channel = np.repeat([0, *range(len(CHANNELS))], lengths)
    who, grant, begins, ends, topic = (np.concatenate(part) for part in zip(*columns, strict=True))
    table = pa.table(
        {
            "customer_id": pa.array(people.customer_id[who]),
            "channel": words(channel, CHANNELS),
            "status": words(grant, ("denied", "granted")),
            "valid_from": dates(begins, begins == _OPEN),
            "valid_to": dates(ends, ends == _OPEN),
            "topic": words(np.maximum(topic, 0), TYPES, topic == _OPEN),
        }
    )
    return table, permitted


def _consent_rows(
    rng: np.random.Generator, channel: int, who: Array, grant: Array, start_day: int
) -> tuple[Array, Array, Array, Array, Array]:
    """Return customer, granted, valid_from, valid_to and topic of one channel's answers."""
    luck = rng.random(len(who))
    past = start_day - rng.integers(30, 1500, len(who))
    begins = np.where(grant & (luck < 0.30), past, _OPEN)
    # Renewals fall on one day, as they do where consent runs by calendar month.
    begins = np.where(grant & (luck > 0.98), start_day + 7, begins)
    ends = np.where(grant & (luck > 0.96) & (luck <= 0.98), start_day - 10, _OPEN)
    ends = np.where(grant & (luck > 0.94) & (luck <= 0.96), start_day + 13, ends)
    service = grant & (channel == PHONE) & (rng.random(len(who)) < 0.03)
    return who, grant, begins, ends, np.where(service, _SERVICE, _OPEN)


def commitments(rng: np.random.Generator, people: People, permitted: Array, start_day: int) -> pa.Table:
    """Draw what is already promised: bills to 24 % (two billing days, no cost to the plan), service notices.

    Bills go by e-mail where permitted, else by mail; notices to 1 % of the customers on day 9 by mail, at
    the channel's own cost.
    """
    n = people.count
    luck = rng.random(n)
    billed, noticed = np.flatnonzero(luck < 0.24), np.flatnonzero(luck > 0.99)
    billing_day = start_day + np.where(luck[billed] < 0.12, 3, 17)
    who = np.concatenate([billed, noticed])
    notice = np.arange(len(who)) >= len(billed)
    by_email = permitted[who, EMAIL] & ~notice
    return pa.table(
        {
            "customer_id": pa.array(people.customer_id[who]),
            "contact_on": dates(np.concatenate([billing_day, np.full(len(noticed), start_day + 9)])),
            "channel": words(np.where(by_email, EMAIL, MAIL), CHANNELS),
            "campaign": words(notice, ("monthly_bill", "branch_notice")),
            "type": words(np.where(notice, _SERVICE, _FUNCTIONAL), TYPES),
            "business_unit": words(np.full(len(who), UNITS.index("service")), UNITS),
            "cost": pa.array(np.zeros(len(who)), mask=notice),
        }
    )


def transactions(
    rng: np.random.Generator, people: People, start_day: int, per_month: float, history_days: int
) -> pa.Table:
    """Draw payments of the `history_days` before the start: a Poisson number, lognormal amounts.

    `per_month` is a factor on the segments' own payments a month.
    """
    mean = figure("transactions", people.segment) * per_month * history_days / 30.4
    who = np.repeat(np.arange(people.count), rng.poisson(mean))
    amount = np.exp(rng.normal(3.4, 1.1, len(who))).round(2)
    return pa.table(
        {
            "customer_id": pa.array(people.customer_id[who]),
            "transacted_on": dates(start_day - rng.integers(1, history_days + 1, len(who))),
            "amount": pa.array(amount),
            "margin": pa.array((0.02 * amount).round(2)),
        }
    )


def restrictions(rng: np.random.Generator, people: People, start_day: int) -> pa.Table:
    """Draw restrictions: 2 % complaint, 2 % debt, 0.2 % deceased, 0.5 % objection to profiling.

    Half of the complaints and a third of the debts have ended, some just before the start or inside the
    period.
    """
    luck = rng.random(people.count)
    who = np.flatnonzero(luck < 0.047)
    reason = np.searchsorted([0.02, 0.04, 0.042], luck[who], side="right")
    began = start_day - rng.integers(1, 180, len(who))
    closes = np.isin(reason, [0, 1]) & (rng.random(len(who)) < np.where(reason == 0, 0.5, 0.33))
    ends = np.where(closes, began + rng.integers(1, 120, len(who)), _OPEN)
    return pa.table(
        {
            "customer_id": pa.array(people.customer_id[who]),
            "reason": words(reason, REASONS),
            "starts_on": dates(began),
            "ends_on": dates(ends, ends == _OPEN),
        }
    )
