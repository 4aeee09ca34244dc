"""Random bases whose customers have figures of their own, and the two rules that companies use today.

Margins are lognormal around the campaign's (sigma 1), response rates around the segment's (0.6 for each
channel): heavy tails, so that who is contacted matters more than what is sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

START, DAYS = date(2026, 11, 30), 28
SEGMENTS, MARGIN_SIGMA, RATE_SIGMA = 7, 1.0, 0.6
# Unit cost, influence on response, share of customers who granted it.
CHANNELS = {
    "phone": (4.0, 4.0, 0.5),
    "mail": (0.8, 2.0, 0.8),
    "sms": (0.08, 1.2, 0.5),
    "email": (0.004, 1.0, 0.7),
}
CAMPAIGNS = {"sale": 25.0, "card": 60.0, "loan": 160.0, "savings": 45.0, "travel": 30.0}
GAP, MOST, WITHIN, KEEP, TIRES, ONCE = 3, 3, 14, 0.85, 28, 28
SEND_DAYS = ("mon", "thu")


def scored_plan(customers: int, budget: float | None) -> dict[str, Any]:
    """The plan's mapping; `budget` is the money for each customer (None: none is set)."""
    channels: dict[str, Any] = {
        name: {"unit_cost": cost, "send_days": list(SEND_DAYS)} for name, (cost, _, _) in CHANNELS.items()
    }
    channels["phone"]["capacity"] = [{"contacts": customers // 40, "per": "week"}]
    plan: dict[str, Any] = {
        "name": "scored",
        "currency": "EUR",
        "period": {"start": START, "days": DAYS},
        "fatigue": {"keep": KEEP, "days": TIRES},
        "segments": {"column": "segment"},
        "response": {"from": "table"},
        "channels": channels,
        "campaigns": {
            name: {"type": "promotional", "margin_per_response": margin} for name, margin in CAMPAIGNS.items()
        },
        "policy": {"max_per_customer": [{"contacts": MOST, "days": WITHIN}], "min_days_between": GAP},
    }
    if budget is not None:
        plan["budget"] = [{"amount": round(budget * customers, 2), "per": "period"}]
    return plan


def scored_tables(customers: int, histories: bool, seed: int) -> dict[str, pd.DataFrame]:
    """The tables of a base; the same seed gives the same."""
    rng = np.random.default_rng(seed)
    ids = np.arange(1, customers + 1)
    segment = rng.choice(SEGMENTS, customers, p=np.array([1, 2, 3, 4, 4, 3, 3]) / 20) + 1
    rates = pd.DataFrame(
        [
            (g, campaign, channel, round(0.006 * influence * 1.6 / (1 + 0.3 * g) * rng.lognormal(0, 0.3), 6))
            for g in range(1, SEGMENTS + 1)
            for campaign in CAMPAIGNS
            for channel, (_, influence, _) in CHANNELS.items()
        ],
        columns=["segment", "campaign", "channel", "response_rate"],
    )
    granted = pd.DataFrame(
        [
            (customer, channel)
            for channel, (_, _, share) in CHANNELS.items()
            for customer in ids[rng.random(customers) < share]
        ],
        columns=["customer_id", "channel"],
    )
    tables = {
        "customers": pd.DataFrame({"customer_id": ids, "segment": segment}),
        "permissions": granted.assign(status="granted"),
        "response_rates": rates,
        "scores": _scores(rng, ids, segment, rates),
    }
    return {**tables, "contact_history": _history(rng, ids)} if histories else tables


def _scores(
    rng: np.random.Generator, ids: np.ndarray[Any, Any], segment: np.ndarray[Any, Any], rates: pd.DataFrame
) -> pd.DataFrame:
    """A row for each customer, campaign and channel: own rate and own margin, with means as without."""
    known = rates.set_index(["segment", "campaign", "channel"]).response_rate
    frames = []
    for campaign, margin in CAMPAIGNS.items():
        own = margin * rng.lognormal(-(MARGIN_SIGMA**2) / 2, MARGIN_SIGMA, len(ids))
        for channel in CHANNELS:
            mean = known.loc[[(g, campaign, channel) for g in range(1, SEGMENTS + 1)]].to_numpy()[segment - 1]
            rate = np.minimum(mean * rng.lognormal(-(RATE_SIGMA**2) / 2, RATE_SIGMA, len(ids)), 1.0)
            frames.append(
                pd.DataFrame(
                    {
                        "customer_id": ids,
                        "campaign": campaign,
                        "channel": channel,
                        "response_rate": rate.round(6),
                        "margin_per_response": own.round(2),
                    }
                )
            )
    return pd.concat(frames, ignore_index=True)


def _history(rng: np.random.Generator, ids: np.ndarray[Any, Any]) -> pd.DataFrame:
    """About one contact a customer in the four weeks before."""
    count = len(ids)
    return pd.DataFrame(
        {
            "customer_id": rng.choice(ids, count),
            "contacted_on": [START - timedelta(days=int(ago)) for ago in rng.integers(1, 29, count)],
            "channel": rng.choice(list(CHANNELS), count),
            "campaign": rng.choice(list(CAMPAIGNS), count),
        }
    ).drop_duplicates()


def write(folder: Path, plan: dict[str, Any], tables: dict[str, pd.DataFrame]) -> None:
    """Writes the workspace, tables as Parquet."""
    folder.mkdir(parents=True, exist_ok=True)
    data = {name: f"{name}.parquet" for name in tables}
    for name, table in tables.items():
        table.to_parquet(folder / data[name], index=False)
    text = yaml.safe_dump({**plan, "data": data}, sort_keys=False)
    (folder / "plan.yaml").write_text(text, encoding="utf-8")


def send_days() -> list[int]:
    week = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    return [t for t in range(DAYS) if week[(START + timedelta(days=t)).weekday()] in SEND_DAYS]


class Book:
    """Customers' contacts, kept within the rules and limits of `scored_plan` as they are added."""

    def __init__(self, plan: dict[str, Any], tables: dict[str, pd.DataFrame]) -> None:
        self._had: dict[int, list[tuple[int, str]]] = {}
        history = tables.get("contact_history", pd.DataFrame(columns=["customer_id"]))
        for row in history.itertuples(index=False):
            had = self._had.setdefault(row.customer_id, [])
            had.append(((row.contacted_on - START).days, row.campaign))
        self._money = plan["budget"][0]["amount"] if "budget" in plan else np.inf
        calls = plan["channels"]["phone"]["capacity"][0]["contacts"]
        self._calls = [calls] * (DAYS // 7)
        self._days = send_days()
        self.planned: list[tuple[int, int, float, float]] = []

    def add(self, customer: int, campaign: str, channel: str, gain: float) -> None:
        """Adds the contact on the first day that the rules leave open, if there is one."""
        cost, had = CHANNELS[channel][0], self._had.setdefault(customer, [])
        if cost > self._money or any(name == campaign and day > -ONCE for day, name in had):
            return
        for day in self._days:
            if channel == "phone" and not self._calls[day // 7]:
                continue
            if self._fits(day, [other for other, _ in had]):
                had.append((day, campaign))
                self._money -= cost
                self._calls[day // 7] -= channel == "phone"
                self.planned.append((customer, day, gain, cost))
                return

    @staticmethod
    def _fits(day: int, had: list[int]) -> bool:
        if any(abs(day - other) < GAP for other in had):
            return False
        days = sorted([*had, day])
        first = [n for n in range(len(days) - MOST) if days[n + MOST] - days[n] < WITHIN]
        return not any(days[n] <= day <= days[n + MOST] for n in first)

    def value(self) -> float:
        """What the contacts bring, each tired by those before it."""
        total = 0.0
        for customer, day, gain, cost in self.planned:
            before = sum(1 <= day - other <= TIRES for other, _ in self._had[customer])
            total += gain * KEEP**before - cost
        return total


def offers(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Every contact that a customer may have and that brings something: customer, campaign, channel, gain."""
    rows = tables["scores"].merge(tables["permissions"], on=["customer_id", "channel"])
    rows = rows.assign(gain=rows.response_rate * rows.margin_per_response)
    rows = rows.assign(value=rows.gain - rows.channel.map({name: row[0] for name, row in CHANNELS.items()}))
    return rows[rows.value > 0]


def greedy_by_value(plan: dict[str, Any], tables: dict[str, pd.DataFrame]) -> float:
    """The contacts of most value first, whatever the channel."""
    rows = offers(tables).sort_values(["value", "customer_id"], ascending=[False, True])
    return _filled(Book(plan, tables), rows)


def priority_by_channel(plan: dict[str, Any], tables: dict[str, pd.DataFrame]) -> float:
    """The strongest channel first, within it the contacts of most value, until its limits or money end."""
    order = {name: n for n, name in enumerate(CHANNELS)}
    rows = offers(tables).assign(rank=lambda rows: rows.channel.map(order))
    rows = rows.sort_values(["rank", "value", "customer_id"], ascending=[True, False, True])
    return _filled(Book(plan, tables), rows)


def _filled(book: Book, rows: pd.DataFrame) -> float:
    for offer in _plain(rows):
        book.add(*offer)
    return book.value()


def _plain(rows: pd.DataFrame) -> Iterator[tuple[int, str, str, float]]:
    yield from zip(
        rows.customer_id.tolist(),
        rows.campaign.tolist(),
        rows.channel.tolist(),
        rows.gain.tolist(),
        strict=True,
    )
