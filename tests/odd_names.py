"""A plan and tables in which every name holds every sign that a careless program trips over."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd

START = date(2026, 11, 30)
SIGNS = [
    "it's", 'say "so"', "two  words", "a;b", "100 %s", "back\\slash", "{braces} {0}", "Zürich 東京 🙂", "--",
    "/*x*/", "`tick`", "$1 ${HOME}", "select", "%(name)s", ":name", "?", "a|b", "a,b", "<b>&amp;", "=1+1",
    "../up",
]  # fmt: skip
OUT = '\'; DROP TABLE "customers"; --'
# Names of channels become names of columns, of which PostgreSQL keeps 63 bytes.
EMAIL, PHONE = 'email it\'s "so" a;b 100 %s \\ {0} 🙂 `t` --', "phone '; DROP TABLE customers; --"
CUSTOMERS = 3 * len(SIGNS)


def odd_plan(**changes: Any) -> dict[str, Any]:
    """Every name of the plan language holds every sign."""
    every = " ".join(SIGNS)
    channels = {EMAIL: {"unit_cost": 0.1}, PHONE: {"unit_cost": 2.0}}
    campaigns = {
        f"sale {every}": {
            "type": "promotional", "business_unit": f"unit {every}", "margin_per_response": 50.0,
            "audience": "region != 'nowhere'", "max_per_customer": [{"contacts": 1, "days": 7}],
        },
        f"thanks {OUT}": {
            "type": "recognition", "channels": [EMAIL], "value_per_contact": 0.3,
            "segments": [SIGNS[0], SIGNS[5]],
        },
    }  # fmt: skip
    return {
        "name": f"plan {every} {OUT}",
        "currency": "EUR",
        "period": {"start": START, "days": 14},
        "segments": {"column": f"the {OUT}"},
        "response": {"from": "table"},
        "channels": channels,
        "campaigns": campaigns,
        "policy": {
            "max_per_customer": [{"contacts": 2, "days": 14, "channels": list(channels)}],
            "never_together": [{"campaigns": list(campaigns), "days": 2}],
            "restrictions": {f"reason {every}": {"blocks": ["promotional"]}},
        },
        "budget": [{"amount": 40}, {"amount": 30, "business_unit": f"unit {every}"}],
        "reach": [{"customers": 2, "segments": [SIGNS[0]], "channel": EMAIL}],
        "hold_out": {"share": 0.2, "key": OUT},
        **changes,
    }


def odd_tables(plan: dict[str, Any]) -> dict[str, pd.DataFrame]:
    ids = [f"{sign} {n}" for sign in SIGNS for n in range(3)]
    email, phone = plan["channels"]
    sale = next(iter(plan["campaigns"]))
    return {
        "customers": pd.DataFrame(
            {
                "customer_id": ids,
                f"the {OUT}": [sign for sign in SIGNS for _ in range(3)],
                f"feature {OUT}": [float(n % 7) for n in range(CUSTOMERS)],
                "region": ["north", OUT, "it's"] * len(SIGNS),
            }
        ),
        "permissions": pd.DataFrame(
            {"customer_id": ids * 2, "channel": [email] * CUSTOMERS + [phone] * CUSTOMERS}
        ).assign(status="granted"),
        "contact_history": pd.DataFrame(
            {
                "customer_id": ids[:6],
                "contacted_on": START.replace(day=25),
                "channel": email,
                "campaign": sale,
            }
        ),
        "restrictions": pd.DataFrame(
            {"customer_id": ids[:2], "reason": next(iter(plan["policy"]["restrictions"])), "starts_on": START}
        ),
        "response_rates": pd.DataFrame(
            [(sign, campaign, email, 0.05) for sign in SIGNS for campaign in plan["campaigns"]],
            columns=["segment", "campaign", "channel", "response_rate"],
        ),
    }
