"""Tables of many customers for the plans of `random_workspace`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

START = date(2026, 11, 30)
DAYS = 28
SEGMENTS = 7
# Unit cost, share of customers with a granted and with a denied row, default permission.
CHANNELS = {
    "email": (0.004, 0.7, 0.05, "denied"),
    "sms": (0.06, 0.4, 0.05, "denied"),
    "push": (0.001, 0.3, 0.02, "denied"),
    "mail": (0.7, 0.1, 0.05, "granted"),
    "phone": (4.5, 0.25, 0.02, "denied"),
}
# Type, business unit, channels, margin per response.
CAMPAIGNS: dict[str, tuple[str, str | None, tuple[str, ...], float]] = {
    "winter_sale": ("promotional", "retail", ("email", "mail", "sms"), 24.0),
    "card_offer": ("promotional", "bank", ("email", "phone"), 55.0),
    "loan_offer": ("promotional", "bank", ("mail", "phone"), 90.0),
    "price_rise": ("service", "retail", ("email", "mail"), 1.0),
    "thank_you": ("recognition", None, ("email", "push"), 0.0),
    "survey": ("research", None, ("email", "sms"), 3.0),
    "brand_story": ("brand", None, ("email", "push"), 2.0),
    "reminder": ("promotional", "retail", ("sms", "push"), 15.0),
    "app_tips": ("functional", "bank", ("push", "email"), 4.0),
    "savings": ("promotional", "bank", ("email", "push"), 30.0),
}


def draw_customers(rng: np.random.Generator, customers: int) -> pd.DataFrame:
    order = rng.permutation(customers) + 1
    return pd.DataFrame(
        {
            "customer_id": order,
            "segment": rng.integers(1, SEGMENTS + 1, customers),
            "margin_12m": np.round(rng.lognormal(3, 1, customers), 2),
            "region": rng.choice(["north", "south", "west"], customers),
        }
    )


def dates(days: np.ndarray[Any, Any], known: np.ndarray[Any, Any] | None = None) -> pd.Series[Any]:
    """Day numbers as timestamps at midnight, none where not known."""
    stamps = pd.Series(pd.Timestamp(START) + pd.to_timedelta(days, unit="D"))
    return stamps if known is None else stamps.where(pd.Series(known))


def draw_permissions(rng: np.random.Generator, ids: np.ndarray[Any, Any]) -> pd.DataFrame:
    parts = []
    for channel, (_, granted, denied, _) in CHANNELS.items():
        for status, share in (("granted", granted), ("denied", denied)):
            who = ids[rng.random(len(ids)) < share]
            size = len(who)
            narrow = rng.random(size) < 0.05
            parts.append(
                pd.DataFrame(
                    {
                        "customer_id": who,
                        "channel": channel,
                        "status": status,
                        "valid_from": dates(rng.integers(-100, 10, size), rng.random(size) < 0.03),
                        "valid_to": dates(rng.integers(10, 40, size), rng.random(size) < 0.03),
                        "topic": pd.Series(rng.choice(["promotional", "service"], size)).where(narrow),
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)


def kinds(campaigns: np.ndarray[Any, Any], others: Mapping[str, str | None]) -> list[str | None]:
    """Types of rows: of the plan's campaigns left out, as the plan knows them."""
    return [others.get(str(name)) for name in campaigns]


def draw_history(rng: np.random.Generator, ids: np.ndarray[Any, Any]) -> pd.DataFrame:
    """About one contact a customer in the last 28 days; a few undelivered, held out, or after the start."""
    who = ids[rng.integers(len(ids), size=int(len(ids) * 36 / 28))]
    size = len(who)
    campaigns = rng.choice([*CAMPAIGNS, "autumn_sale", "old_letter"], size)
    return pd.DataFrame(
        {
            "customer_id": who,
            "contacted_on": dates(rng.integers(-35, 1, size)),
            "channel": rng.choice(list(CHANNELS), size, p=[0.6, 0.15, 0.15, 0.08, 0.02]),
            "campaign": campaigns,
            "type": kinds(campaigns, {"autumn_sale": "promotional"}),
            "delivered": (rng.random(size) > 0.03).astype(int),
            "control": (rng.random(size) < 0.02).astype(int),
            "responded": (rng.random(size) < 0.03).astype(int),
        }
    )


def draw_commitments(rng: np.random.Generator, ids: np.ndarray[Any, Any]) -> pd.DataFrame:
    """Bills for a tenth of the customers, some of the plan's own contacts; a few days beyond the period."""
    who = ids[rng.random(len(ids)) < 0.1]
    size = len(who)
    campaigns = rng.choice(["bill", "card_offer", "survey"], size, p=[0.8, 0.1, 0.1])
    own = np.where(campaigns == "bill", "mail", "email")
    return pd.DataFrame(
        {
            "customer_id": who,
            "contact_on": dates(rng.integers(0, DAYS + 3, size)),
            "channel": own,
            "campaign": campaigns,
            "type": kinds(campaigns, {"bill": "functional"}),
            "cost": pd.Series(np.full(size, 0.65)).where(campaigns == "bill"),
        }
    )


def draw_restrictions(rng: np.random.Generator, ids: np.ndarray[Any, Any]) -> pd.DataFrame:
    who = ids[rng.random(len(ids)) < 0.04]
    size = len(who)
    begin = rng.integers(-20, 20, size)
    return pd.DataFrame(
        {
            "customer_id": who,
            "reason": rng.choice(["complaint", "DEBT ", "deceased", "objects_to_profiling"], size),
            "starts_on": dates(begin),
            "ends_on": dates(begin + rng.integers(0, 15, size), rng.random(size) < 0.7),
        }
    )


def draw_rates(rng: np.random.Generator) -> pd.DataFrame:
    rows = [
        (segment, name, channel, round(float(rng.beta(1.5, 30)), 4))
        for segment in range(1, SEGMENTS + 1)
        for name, (_, _, channels, _) in CAMPAIGNS.items()
        for channel in channels
    ]
    return pd.DataFrame(rows, columns=["segment", "campaign", "channel", "response_rate"])
