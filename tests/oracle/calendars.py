"""A calendar in the contract's columns for streams chosen by hand or by brute force."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from .contract_rules import Stream
from .values import contact_value, response_rate, stream_cost
from .world import COLUMNS, World


def calendar_of(world: World, streams: Mapping[str, Stream], integer_ids: bool = False) -> pd.DataFrame:
    """A calendar in the contract's columns for the chosen streams (for tests of the judges)."""
    start = pd.Timestamp(str(world.plan["period"]["start"]))
    rows = [
        {
            "contact_id": f"{customer}/{contact.day}",
            "customer_id": int(customer) if integer_ids else customer,
            "contact_on": (start + pd.Timedelta(days=contact.day)).date(),
            "channel": contact.channel,
            "campaign": contact.campaign,
            "segment": world.segments[customer],
            "stream": repr(stream),
            "final": contact.day < world.commit_days,
            "response_rate": response_rate(world, customer, contact, stream),
            "expected_value": contact_value(world, customer, contact, stream),
            "cost": stream_cost(world, customer, (contact,)),
        }
        for customer, stream in streams.items()
        for contact in stream
    ]
    rows.sort(key=lambda row: (row["contact_on"], row["customer_id"]))
    return pd.DataFrame(rows, columns=list(COLUMNS))
