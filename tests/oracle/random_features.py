"""Hypothesis draws of what few plans have: objectives, volumes, setup costs, soft limits, own limits."""

from __future__ import annotations

from typing import Any

import pandas as pd
from hypothesis import strategies as st

from .random_draws import decimal, maybe, some

Draw = Any
UNITS = ("retail", "bank")
GOALS = ("expected_revenue", "expected_responses", "reach", "cost")


def add_features(draw: Draw, plan: dict[str, Any], labels: list[Any], goal: str | None = None) -> None:
    """Add each feature to about a quarter of the plans; soft limits last, on some of all there are."""
    if goal is None:
        goal = draw(st.sampled_from(GOALS)) if maybe(draw, 0.5) else "expected_margin"
    plan["objective"] = {"minimize" if goal == "cost" else "maximize": goal}
    # With nothing that must be, the cheapest plan is no plan.
    if goal == "cost" and "reach" not in plan:
        plan["reach"] = [{"share": decimal(draw, 20, 60)}]
    for campaign in plan["campaigns"].values():
        add_to_campaign(draw, campaign)
    if maybe(draw, 0.35):
        plan["volume"] = draw_volume(draw, plan, labels)
    if maybe(draw, 0.3):
        plan["return_on_cost"] = {"min": draw(st.sampled_from([-0.3, 0, 0.2, 1.5, 4]))}
    for row in limits_in(plan):
        if maybe(draw, 0.3):
            row["soft"] = draw(st.sampled_from([0.1, 0.5, 2, 9.5, 60]))


def add_to_campaign(draw: Draw, campaign: dict[str, Any]) -> None:
    campaign["revenue_per_response"] = draw(st.integers(0, 90))
    if maybe(draw, 0.25):
        campaign["setup_cost"] = draw(st.sampled_from([0.5, 2, 5.5, 12]))
    if maybe(draw, 0.2):
        kept = {key: most for key, most in campaign.get("contacts", {}).items() if key == "max"}
        campaign["contacts"] = {**kept, "min_if_used": draw(st.integers(2, 4))}
        if kept:
            campaign["contacts"]["max"] = max(kept["max"], campaign["contacts"]["min_if_used"])
    if maybe(draw, 0.2):
        campaign["counts_towards_caps"] = False
    if maybe(draw, 0.2):
        campaign["ignores_caps"] = True


def draw_volume(draw: Draw, plan: dict[str, Any], labels: list[Any]) -> list[dict[str, Any]]:
    """One or two rows that name a kind by one key or two, with one or two bounds."""
    rows = []
    for _ in range(draw(st.integers(1, 2))):
        kinds = {
            "business_unit": st.sampled_from(UNITS),
            "type": st.sampled_from([row["type"] for row in plan["campaigns"].values()]),
            "channel": st.sampled_from(list(plan["channels"])),
            "campaign": st.sampled_from(list(plan["campaigns"])),
        }
        row: dict[str, Any] = {key: draw(kinds[key]) for key in some(draw, list(kinds), most=2)}
        if maybe(draw, 0.4):
            row["segments"] = some(draw, labels)
        least = draw(st.integers(1, 2))
        bounds: list[dict[str, Any]] = [
            {"max_share": decimal(draw, 20, 80)},
            {"min_share": decimal(draw, 10, 60)},
            {"max": draw(st.integers(0, 6))},
            {"min": least},
            {"min": least, "max": least + draw(st.integers(0, 4)), "max_share": decimal(draw, 40, 90)},
        ]
        rows.append({**row, **draw(st.sampled_from(bounds))})
    return rows


def limits_in(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """The plan's entries that may be soft."""
    channels = (row for channel in plan["channels"].values() for row in channel.get("capacity", []))
    campaigns = (row["contacts"] for row in plan["campaigns"].values() if "contacts" in row)
    others = (row for key in ("budget", "reach", "volume") for row in plan.get(key, []))
    returns = [plan["return_on_cost"]] if "return_on_cost" in plan else []
    return [*channels, *campaigns, *others, *returns]


def draw_scores(draw: Draw, plan: dict[str, Any], customers: pd.DataFrame) -> pd.DataFrame:
    """Some customers' own figures, to plans of which half have any; few enough that some are alike."""
    figures = {
        "response_rate": [0.0, 0.02, 0.15, 0.5],
        "margin_per_response": [0, 8.5, 40, 90],
        "revenue_per_response": [0, 35, 120.5],
        "value_per_contact": [-0.4, 0.2, 1.25],
        "cost_per_contact": [0, 0.15, 0.9],
    }
    rows = []
    wanted = some(draw, list(figures), most=3) if maybe(draw, 0.5) else []
    for customer in customers["customer_id"] if wanted else []:
        for name, campaign in plan["campaigns"].items():
            for channel in some(draw, [None, *campaign["channels"]], most=2) if maybe(draw, 0.4) else []:
                own = {figure: draw(st.sampled_from([None, *figures[figure]])) for figure in wanted}
                rows.append({"customer_id": customer, "campaign": name, "channel": channel, **own})
    return pd.DataFrame(rows, columns=["customer_id", "campaign", "channel", *wanted])


def add_max_contacts(draw: Draw, customers: pd.DataFrame) -> None:
    """Some customers' own limits, to plans of which a third have any."""
    if maybe(draw, 0.35):
        own = [draw(st.sampled_from([None, None, 0, 1, 1, 2, 3])) for _ in customers["customer_id"]]
        customers["max_contacts"] = pd.array(own, dtype="Int64")
