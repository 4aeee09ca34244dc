"""Targeted offers as a workspace: a client is a customer with scores, a product a campaign of its own day."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from targeted_offers_program import Offers

START = date(2026, 11, 30)


def offers_plan(offers: Offers) -> dict[str, Any]:
    """The plan's mapping: one channel, a campaign for each product with setup cost, least use and budget."""
    products = len(offers.setup)
    on = [START + timedelta(days=j) for j in range(products)]
    return {
        "name": "offers",
        "currency": "EUR",
        "period": {"start": START, "days": products},
        "segments": {"column": "segment"},
        "response": {"from": "table"},
        "channels": {"offer": {"unit_cost": 0, "default_permission": "granted"}},
        "campaigns": {
            f"product{j}": {
                "type": "promotional",
                "from": on[j],
                "to": on[j],
                "setup_cost": float(offers.setup[j]),
                "contacts": {"min_if_used": int(offers.least[j])},
            }
            for j in range(products)
        },
        "budget": [
            {"amount": float(offers.budget[j]), "per": "period", "campaign": f"product{j}"}
            for j in range(products)
        ],
        "return_on_cost": {"min": float(offers.hurdle)},
    }


def offers_tables(offers: Offers) -> dict[str, pd.DataFrame]:
    """The tables: revenues are margins of responses that are certain, costs are costs of the contact."""
    clients, products = offers.cost.shape
    ids, names = np.arange(1, clients + 1), [f"product{j}" for j in range(products)]
    rates = pd.DataFrame({"segment": "all", "campaign": names, "channel": "offer", "response_rate": 1.0})
    scores = pd.DataFrame(
        {
            "customer_id": np.repeat(ids, products),
            "campaign": names * clients,
            "margin_per_response": offers.revenue.reshape(-1),
            "cost_per_contact": offers.cost.reshape(-1),
        }
    )
    return {
        "customers": pd.DataFrame({"customer_id": ids, "segment": "all", "max_contacts": offers.most}),
        "permissions": pd.DataFrame({"customer_id": ids[:1], "channel": "offer", "status": "granted"}),
        "response_rates": rates,
        "scores": scores,
    }


def write_offers(folder: Path, offers: Offers) -> Path:
    """Writes the workspace of an instance; returns its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = offers_tables(offers)
    for name, table in tables.items():
        table.to_parquet(folder / f"{name}.parquet", index=False)
    plan = {**offers_plan(offers), "data": {name: f"{name}.parquet" for name in tables}}
    (folder / "plan.yaml").write_text(yaml.safe_dump(plan, sort_keys=False), encoding="utf-8")
    return folder
