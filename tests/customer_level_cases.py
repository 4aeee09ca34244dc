"""A base in which customers of a segment respond more the higher their `affinity`, as the truth says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from oracle.workspace_files import write_workspace

from models.customer_response import UNIT
from optimizer.plan_file import Plan, load_plan

START, KEEP, TIRED = date(2026, 11, 30), 0.8, 14
CHANNELS = {"email": 0.05, "mail": 0.6}
MARGINS = {"sale": 20.0, "news": 8.0}
RATES = {("sale", "email"): 0.04, ("sale", "mail"): 0.1, ("news", "email"): 0.06, ("news", "mail"): 0.08}


@dataclass(frozen=True)
class Planted:
    """The tables, and every customer's true factor of the rates of the segment."""

    tables: dict[str, pd.DataFrame]
    factor: pd.Series

    def loaded(self, folder: Path, **changes: Any) -> Plan:
        return load_plan(write_workspace(folder, plan_of(**changes), self.tables))

    def value(self, calendar: pd.DataFrame) -> float:
        """What a calendar is worth by the true rates; nobody has had a contact shortly before."""
        rows = calendar.sort_values(["customer_id", "contact_on"])
        days = pd.to_datetime(rows.contact_on)
        k = np.zeros(len(rows))
        for back in range(1, len(CHANNELS) * len(MARGINS)):
            apart = (days - days.shift(back)).dt.days
            k += ((rows.customer_id == rows.customer_id.shift(back)) & apart.between(1, TIRED)).to_numpy()
        pairs = zip(rows.campaign, rows.channel, strict=True)
        rate = np.array([RATES[pair] for pair in pairs]) * self.factor.loc[rows.customer_id].to_numpy()
        return float((rate * KEEP**k * rows.campaign.map(MARGINS) - rows.cost).sum())


def plan_of(**changes: Any) -> dict[str, Any]:
    """Two campaigns on two channels for a fortnight, and money for a part of what would pay."""
    return {
        "name": "planted",
        "currency": "EUR",
        "period": {"start": START, "days": 14},
        "segments": {"column": "segment"},
        "response": {"from": "history", "customer_level": True},
        "fatigue": {"keep": KEEP, "days": TIRED},
        "channels": {name: {"unit_cost": cost, "send_days": ["mon"]} for name, cost in CHANNELS.items()},
        "campaigns": {
            name: {"type": "promotional", "margin_per_response": margin} for name, margin in MARGINS.items()
        },
        "budget": [{"amount": 400, "per": "period"}],
        **changes,
    }


def planted(effect: float, customers: int = 2000, seed: int = 1) -> Planted:
    """Two segments, with orders before the history and 12 contacts a customer in the half year before.

    Customers respond exp(effect × affinity) times as often as others, `affinity` being the scaled logarithm
    of their orders. Of the contacts the later half is what the model is fitted to.
    """
    rng = np.random.default_rng(seed)
    ids = np.arange(1, customers + 1)
    orders = rng.poisson(rng.gamma(1.5, 3, customers))
    affinity = np.log1p(orders)
    affinity = ((affinity - affinity.mean()) / affinity.std()).round(3)
    factor = np.exp(effect * affinity)
    factor = pd.Series(factor / factor.mean(), index=ids)
    tables = {
        "customers": pd.DataFrame({"customer_id": ids, "segment": 1 + ids % 2, "affinity": affinity}),
        "permissions": pd.DataFrame(
            [(i, name, "granted") for i in ids for name in CHANNELS],
            columns=["customer_id", "channel", "status"],
        ),
        "transactions": _purchases(np.repeat(ids, orders), rng),
        "contact_history": _history(factor, rng),
    }
    return Planted(tables, factor)


def _purchases(who: np.ndarray[Any, Any], rng: np.random.Generator) -> pd.DataFrame:
    days = rng.integers(200, 360, len(who))
    bought = [START - timedelta(days=int(day)) for day in days]
    return pd.DataFrame({"customer_id": who, "transacted_on": bought, "amount": 10.0})


def _history(factor: pd.Series, rng: np.random.Generator) -> pd.DataFrame:
    """Contacts 20 to 200 days before the period, and the responses to them; one a day at most."""
    rows = pd.DataFrame(
        {"customer_id": np.repeat(factor.index, 12), "day": -rng.integers(20, 200, 12 * len(factor))}
    )
    rows = rows.drop_duplicates().sort_values(["customer_id", "day"], ignore_index=True)
    k = np.zeros(len(rows))
    for back in range(1, 12):
        same = rows.customer_id == rows.customer_id.shift(back)
        k += (same & (rows.day - rows.day.shift(back) <= TIRED)).to_numpy()
    kinds = [list(RATES)[n] for n in rng.integers(0, len(RATES), len(rows))]
    rate = np.array([RATES[kind] for kind in kinds]) * factor.loc[rows.customer_id].to_numpy() * KEEP**k
    return pd.DataFrame(
        {
            "customer_id": rows.customer_id,
            "contacted_on": [START + timedelta(days=int(day)) for day in rows.day],
            "channel": [channel for _, channel in kinds],
            "campaign": [campaign for campaign, _ in kinds],
            "type": "promotional",
            "responded": (rng.random(len(rows)) < rate).astype(int),
        }
    )


def drawn(effect: float, customers: int, seed: int) -> tuple[Any, Any, Any]:
    """Points of eight features, of which the first tells the propensity; responses; expected ones."""
    rng = np.random.default_rng(seed)
    points = np.rint(rng.normal(size=(customers, 8)) * UNIT).astype(np.int64)
    expected = rng.gamma(2, 0.06, customers)
    factor = np.exp(effect * points[:, 0] / UNIT - effect**2 / 2)
    return points, rng.poisson(expected * factor), expected
