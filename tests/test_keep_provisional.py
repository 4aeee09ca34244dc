"""Re-running after an earlier run: what it had planned provisionally is worth keeping."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle.brute_force import solve
from oracle.listing import TooManyStreams, allowed_contacts, streams_of
from oracle.program import program_of
from oracle.random_plans import small_workspaces
from oracle.reading import read_world
from oracle.workspace_files import write_workspace
from oracle.world import Contact, World

from optimizer import pipeline
from optimizer.plan_file import load_plan
from optimizer.result import Result

Workspace = tuple[dict[str, Any], dict[str, pd.DataFrame]]
SEEN = {"compared": 0, "kept": 0, "changed": 0}


def world_of(plan: dict[str, Any], tables: dict[str, pd.DataFrame]) -> World:
    segments = dict(zip(tables["customers"].customer_id, tables["customers"].segment, strict=True))
    return read_world(plan, tables, segments, tables["response_rates"])


def provisional_contacts(world: World, chance: random.Random) -> dict[str, list[Contact]]:
    """For each customer a few contacts that it may have, at most one a day."""
    drawn = {}
    for customer in world.customers:
        contacts = list(allowed_contacts(world, customer))
        chance.shuffle(contacts)
        by_day = {contact.day: contact for contact in contacts}
        drawn[customer] = [contact for contact in by_day.values() if chance.random() < 0.5]
    return drawn


def best_with_stays(world: World, provisional: dict[str, list[Contact]], price: float) -> float | None:
    """The most that value and stays together can come to, by brute force over every customer's streams."""
    groups = [[customer] for customer in world.customers]
    columns = [(g, stream) for g, group in enumerate(groups) for stream in streams_of(world, group[0], 2000)]
    program = program_of(world, groups, columns)
    for n, (g, stream) in enumerate(columns):
        program.values[n] += price * len(set(stream) & set(provisional[groups[g][0]]))
    found = solve(program, whole=True)
    return None if found is None else float(program.values @ found)


def write_earlier_run(folder: Path, world: World, provisional: dict[str, list[Contact]]) -> Path:
    start = pd.Timestamp(str(world.plan["period"]["start"]))
    rows = [
        (customer, (start + pd.Timedelta(days=contact.day)).date(), contact.channel, contact.campaign)
        for customer, contacts in provisional.items()
        for contact in contacts
    ]
    calendar = pd.DataFrame(rows, columns=["customer_id", "contact_on", "channel", "campaign"])
    run = folder / "runs" / (start - pd.Timedelta(days=7)).date().isoformat()
    run.mkdir(parents=True)
    calendar.astype({"customer_id": "string"}).assign(final=False, cost=0.0).to_parquet(
        run / "calendar.parquet"
    )
    return run


def planned(workspace: Workspace, provisional: dict[str, list[Contact]], price: float) -> Result:
    plan, tables = workspace
    plan = {**plan, "period": {**plan["period"], "keep_provisional": price}}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        loaded = load_plan(write_workspace(folder, plan, tables))
        run = write_earlier_run(folder, world_of(plan, tables), provisional)
        result = pipeline.run(loaded, earlier_run=run)
        result.calendar  # noqa: B018 - read while the files are there
        return result


@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(small_workspaces(), st.integers(0, 2**16), st.sampled_from([0.05, 0.5, 3.0]))
def test_value_and_stays_together_are_the_best_there_is(
    workspace: Workspace, seed: int, price: float
) -> None:
    world = world_of(*workspace)
    provisional = provisional_contacts(world, random.Random(seed))
    try:
        best = best_with_stays(world, provisional, price)
    except TooManyStreams:
        return
    if best is None:
        return
    summary = planned(workspace, provisional, price).summary
    told, contacts = summary["provisional"], sum(map(len, provisional.values()))
    assert told["contacts"] == contacts
    assert told["charge"] == pytest.approx(price * (contacts - told["kept"]), abs=1e-6)
    scale = max(1.0, abs(best))
    assert summary["expected_value"] + price * told["kept"] == pytest.approx(best, abs=1e-4 * scale)
    assert summary["upper_bound"] + price * told["kept"] >= best - 1e-6 * scale
    SEEN["compared"] += 1
    SEEN["kept"] += told["kept"]
    SEEN["changed"] += contacts - told["kept"]


def test_enough_was_compared() -> None:
    assert SEEN["compared"] >= 5
    assert SEEN["kept"] >= 5
    assert SEEN["changed"] >= 5


def test_without_a_price_the_share_kept_is_told_and_nothing_is_charged() -> None:
    workspace = _two_customers()
    result = planned(workspace, {"1": [Contact(0, "email", "sale")], "2": [Contact(1, "email", "sale")]}, 0.0)
    told = result.summary["provisional"]
    assert told["contacts"] == 2
    assert told["charge"] == 0.0
    assert np.isclose(told["share"], told["kept"] / 2)


def _two_customers() -> Workspace:
    plan = {
        "name": "stay", "currency": "EUR", "seed": 1,
        "period": {"start": pd.Timestamp("2026-11-30").date(), "days": 2},
        "segments": {"column": "segment"}, "response": {"from": "table"},
        "channels": {"email": {"unit_cost": 0.1, "default_permission": "granted"}},
        "campaigns": {"sale": {"type": "promotional", "channels": ["email"], "margin_per_response": 10}},
    }  # fmt: skip
    tables = {
        "customers": pd.DataFrame({"customer_id": ["1", "2"], "segment": ["A", "A"]}),
        "permissions": pd.DataFrame({"customer_id": ["1"], "channel": ["email"], "status": ["granted"]}),
        "response_rates": pd.DataFrame(
            {"segment": ["A"], "campaign": ["sale"], "channel": ["email"], "response_rate": [0.1]}
        ),
    }
    return plan, tables
