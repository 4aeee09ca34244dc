"""Hypothesis draws of the small tables that go with a drawn plan."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import pandas as pd
from hypothesis import strategies as st

Draw = Any
# Text ids whose order by value, by letter and by UTF-8 bytes differ.
TEXT_IDS = ("c10", "c9", "C1", "ä1", "007", "z", "10", "9")
OLD = "old_offer"
COLUMNS = {
    "permissions": ("customer_id", "channel", "status", "valid_from", "valid_to", "topic"),
    "contact_history": (
        *("customer_id", "contacted_on", "channel", "campaign", "type", "business_unit"),
        *("delivered", "control", "responded"),
    ),
    "commitments": ("customer_id", "contact_on", "channel", "campaign", "type", "business_unit", "cost"),
    "restrictions": ("customer_id", "reason", "starts_on", "ends_on"),
}


def draw_tables(draw: Draw, plan: Mapping[str, Any], labels: list[Any]) -> dict[str, pd.DataFrame]:
    """All tables that the plan may use; those without rows are empty frames."""
    customers = draw_customers(draw, labels)
    ids = customers["customer_id"].tolist()
    # What a row says of its type and unit is the campaign's everywhere, or left empty everywhere.
    kinds = {
        name: draw(
            st.sampled_from([(None, None), (None, "bank"), ("service", None), ("promotional", "retail")])
        )
        for name in [*plan["campaigns"], OLD]
    }
    history = [row for customer in ids for row in draw_history(draw, plan, customer, kinds)]
    commitments = [row for customer in ids for row in draw_commitments(draw, plan, customer, kinds)]
    if history and likely(draw, 15):
        # The same contact as history and as commitment, and twice in the history: one contact.
        row = history[0]
        commitments.append((row[0], row[1], *row[2:6], None))
        history.append(row)
    rows = {
        "permissions": [row for customer in ids for row in draw_permissions(draw, plan, customer)]
        or [(ids[0], next(iter(plan["channels"])), "granted", None, None, None)],
        "contact_history": history,
        "commitments": commitments,
        "restrictions": [row for customer in ids for row in draw_restrictions(draw, plan, customer)],
    }
    tables = {name: pd.DataFrame(rows[name], columns=list(columns)) for name, columns in COLUMNS.items()}
    return {"customers": customers, **tables, "response_rates": draw_rates(draw, plan, labels)}


def likely(draw: Draw, percent: int) -> bool:
    return bool(draw(st.integers(1, 100)) > 100 - percent)


def draw_customers(draw: Draw, labels: list[Any]) -> pd.DataFrame:
    """Two to eight customers; half of them alike, so that whole numbers of like customers matter."""
    size = draw(st.sampled_from([2, 4, 5, 6, 6, 7, 8]))
    ids = draw(st.sampled_from([[3, 20, 100, 1, 7, 11, 2, 15], list(TEXT_IDS)]))[:size]
    customers = pd.DataFrame({"customer_id": ids})
    customers["segment"] = [draw(st.sampled_from(labels)) for _ in ids]
    customers["x"] = [draw(st.integers(0, 9)) for _ in ids]
    customers["region"] = [draw(st.sampled_from(["north", "south"])) for _ in ids]
    if likely(draw, 30):
        customers["household_id"] = [draw(st.sampled_from(["h1", "h2", None])) for _ in ids]
    return customers


def day(draw: Draw, plan: Mapping[str, Any], low: int, high: int) -> date:
    first: date = plan["period"]["start"]
    return first + timedelta(days=draw(st.integers(low, high)))


def draw_permissions(draw: Draw, plan: Mapping[str, Any], customer: object) -> list[tuple[Any, ...]]:
    rows = []
    for channel in plan["channels"]:
        for _ in range(draw(st.sampled_from([0, 1, 1, 1, 1, 2]))):
            status = draw(st.sampled_from(["granted"] * 7 + ["denied"]))
            first = day(draw, plan, -5, 6) if likely(draw, 15) else None
            last = day(draw, plan, 1, 12) if likely(draw, 15) else None
            last = last if first is None or last is None else max(first, last)
            types = sorted({campaign["type"] for campaign in plan["campaigns"].values()})
            topic = draw(st.sampled_from(types)) if likely(draw, 20) else None
            rows.append((customer, channel, status, first, last, topic))
    return rows


def draw_history(
    draw: Draw, plan: Mapping[str, Any], customer: object, kinds: Mapping[str, tuple[Any, Any]]
) -> list[tuple[Any, ...]]:
    """Rows of the last 30 days, some undelivered or held out, some on or after the start."""
    rows = []
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 1, 2, 3]))):
        campaign = draw(st.sampled_from([*plan["campaigns"], OLD, OLD]))
        channel = draw(st.sampled_from(list(plan["channels"])))
        on = day(draw, plan, -30, 2)
        delivered, control = int(not likely(draw, 15)), int(likely(draw, 15))
        rows.append((customer, on, channel, campaign, *kinds[campaign], delivered, control, 0))
    return rows


def draw_commitments(
    draw: Draw, plan: Mapping[str, Any], customer: object, kinds: Mapping[str, tuple[Any, Any]]
) -> list[tuple[Any, ...]]:
    """Contacts promised just before, inside and just after the period."""
    rows = {}
    for _ in range(draw(st.sampled_from([0, 0, 0, 0, 1, 2]))):
        campaign = draw(st.sampled_from([*plan["campaigns"], OLD, OLD]))
        channel = draw(st.sampled_from(list(plan["channels"])))
        on = day(draw, plan, -2, plan["period"]["days"] + 2)
        cost = draw(st.integers(0, 100)) / 100 if on >= plan["period"]["start"] and likely(draw, 40) else None
        rows[on, channel, campaign] = (customer, on, channel, campaign, *kinds[campaign], cost)
    return list(rows.values())


def draw_restrictions(draw: Draw, plan: Mapping[str, Any], customer: object) -> list[tuple[Any, ...]]:
    if not likely(draw, 15):
        return []
    reason = draw(st.sampled_from(["complaint", " Complaint ", "DEBT", "quiet"]))
    first = day(draw, plan, -10, 8)
    last = first + timedelta(days=draw(st.integers(0, 8))) if likely(draw, 70) else None
    return [(customer, reason, first, last)]


def draw_rates(draw: Draw, plan: Mapping[str, Any], labels: list[Any]) -> pd.DataFrame:
    """A rate for nearly every (segment, campaign, channel); the others are 0."""
    rows = [
        (label, name, channel, draw(st.integers(2, 40)) / 100)
        for label in labels
        for name, campaign in plan["campaigns"].items()
        for channel in campaign["channels"]
        if not likely(draw, 5)
    ]
    first = next(iter(plan["campaigns"]))
    rows = rows or [(labels[0], first, plan["campaigns"][first]["channels"][0], 0.1)]
    return pd.DataFrame(rows, columns=["segment", "campaign", "channel", "response_rate"])
