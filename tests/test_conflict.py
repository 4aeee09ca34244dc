"""Conflicts against all streams of all customers: real, irreducible, told apart, mended by each repair."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from oracle.brute_force import solve
from oracle.existing import needs_choice
from oracle.limit import Limit
from oracle.limits import limits_of
from oracle.listing import TooManyStreams, groups_of, streams_of
from oracle.program import program_of
from oracle.random_draws import maybe
from oracle.random_plans import small_workspaces
from oracle.reading import read_world
from oracle.workspace_files import write_workspace
from oracle.world import World

from optimizer import pipeline
from optimizer.conflict import CannotHold, Repair
from optimizer.plan_file import load_plan

Workspace = tuple[dict[str, Any], dict[str, pd.DataFrame]]
Plant = Callable[[Any, dict[str, Any], int], None]
SEEN = {"shortages": 0, "whole numbers": 0, "several limits": 0, "repairs": 0, "least if used": 0}
DAY = re.compile(r" (\d{4}-\d{2}-\d{2})$")


@dataclass(frozen=True)
class Judge:
    """A workspace with all streams listed; says which limits can hold together."""

    world: World

    @classmethod
    def of(cls, plan: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]) -> Judge:
        segments = dict(zip(tables["customers"].customer_id, tables["customers"].segment, strict=True))
        return cls(read_world(plan, tables, segments, tables["response_rates"]))

    @cached_property
    def groups(self) -> list[list[str]]:
        return groups_of(self.world)

    @cached_property
    def columns(self) -> list[Any]:
        return [
            (g, stream)
            for g, group in enumerate(self.groups)
            for stream in streams_of(self.world, group[0], 5000)
        ]

    @cached_property
    def musts(self) -> dict[str, Limit]:
        """The limits that are not soft, by the product's paths."""
        return musts_of(self.world)

    @property
    def switched(self) -> bool:
        return any(needs_choice(self.world, name) for name in self.world.plan["campaigns"])

    def possible(self, limits: Mapping[str, Limit], whole: bool) -> bool:
        program = program_of(self.world, self.groups, self.columns, list(limits.values()))
        program.values = np.zeros_like(program.values)
        return solve(program, whole) is not None


def musts_of(world: World) -> dict[str, Limit]:
    start = world.plan["period"]["start"]
    return {as_told(limit.path, start): limit for limit in limits_of(world) if limit.soft is None}


def as_told(path: str, start: date) -> str:
    """The oracle numbers days where the product names their dates."""
    found = re.search(r" day (\d+)$", path)
    if not found:
        return path
    day = date.fromordinal(start.toordinal() + int(found[1]) - 1)
    return f"{path[: found.start()]} {day.isoformat()}"


def repaired(judge: Judge, repair: Repair, told: Mapping[str, Any]) -> dict[str, Limit]:
    """The limits with the changes: shares and returns go through the plan, others by their bounds."""
    changes, committed = told["changes"], {change.limit.path: change.limit.committed for change in repair}
    plan = deepcopy(dict(judge.world.plan))
    for change in changes:
        if change["to"] is not None and change["limit"].endswith("_share"):
            row, word = re.fullmatch(r"volume\[(\d+)\]\.(\w+)", change["limit"]).groups()
            plan["volume"][int(row)][word] = change["to"]
        if change["to"] is not None and change["limit"] == "return_on_cost.min":
            plan["return_on_cost"]["min"] = change["to"]
    limits = musts_of(replace(judge.world, plan=plan))
    for change in changes:
        path, limit = change["limit"], limits[change["limit"]]
        if change["to"] is None:
            del limits[path]
        elif not path.endswith("_share") and path != "return_on_cost.min":
            left = change["to"] - committed[path]
            if isfinite(limit.lower):
                limits[path] = replace(limit, lower=left)
            else:
                limits[path] = replace(limit, upper=max(0.0, left))
    return limits


def conflict_of(plan: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]) -> CannotHold | None:
    with tempfile.TemporaryDirectory() as folder:
        loaded = load_plan(write_workspace(Path(folder), plan, tables))
        try:
            pipeline.run(loaded)
        except CannotHold as conflict:
            return conflict
    return None


def plant_shortage(draw: Any, plan: dict[str, Any], customers: int) -> None:
    """A minimum, and little of something else."""
    name, channels = draw(st.sampled_from(list(plan["campaigns"]))), plan["channels"].values()
    if maybe(draw, 0.5):
        plan["campaigns"][name]["contacts"] = {"min": draw(st.integers(2, customers + 2))}
    else:
        plan["reach"] = [{"share": draw(st.sampled_from([0.5, 0.7, 1.0]))}]
    match draw(st.sampled_from(["hours", "contacts", "budget", "share", "return"])):
        case "hours":
            few_hours(channels, draw(st.sampled_from([0.5, 1.5, 2.5])))
        case "contacts":
            few = {"contacts": draw(st.integers(0, 2)), "per": draw(st.sampled_from(["day", "week"]))}
            for channel in channels:
                channel["capacity"] = [few]
        case "budget":
            plan["budget"] = [{"amount": draw(st.sampled_from([0.1, 1.0, 2.5])), "per": "period"}]
        case "share":
            plan["volume"] = [{"campaign": name, "max_share": draw(st.sampled_from([0.2, 0.4]))}]
        case "return":
            plan["return_on_cost"] = {"min": draw(st.sampled_from([1.5, 6.0]))}


def plant_halves(draw: Any, plan: dict[str, Any], customers: int) -> None:
    """Hours for half a contact more on each channel: together they would do for one customer more."""
    calm(plan)
    each = draw(st.integers(0, 1))
    few_hours(plan["channels"].values(), each + 0.5)
    plan["reach"] = [{"customers": min(customers, len(plan["channels"]) * each + 1)}]


def plant_least_if_used(draw: Any, plan: dict[str, Any], customers: int) -> None:
    """A campaign that is to reach a customer, and may not have the contacts that it needs if used."""
    calm(plan)
    name, least = draw(st.sampled_from(list(plan["campaigns"]))), draw(st.integers(2, 4))
    plan["campaigns"][name]["contacts"] = {"min_if_used": least}
    plan["volume"] = [{"campaign": name, "max": least - 1}]
    plan["reach"] = [{"customers": 1, "campaign": name}]


def calm(plan: dict[str, Any]) -> None:
    """Take out what could collide."""
    for key in ("budget", "volume", "return_on_cost", "hold_out"):
        plan.pop(key, None)
    for block in (*plan["campaigns"].values(), *plan["channels"].values()):
        for key in ("contacts", "capacity"):
            block.pop(key, None)


def few_hours(channels: Iterable[dict[str, Any]], hours: float) -> None:
    for channel in channels:
        channel["hours_per_contact"] = 1.0
        channel["capacity"] = [{"hours": hours, "per": "period"}]


@st.composite
def planted(draw: Any, plant: Plant) -> Workspace:
    """Plans with every feature, and limits planted that may not let each other hold."""
    plan, tables = draw(small_workspaces(everything=True))
    plant(draw, plan, len(tables["customers"]))
    return plan, tables


DRAWN = {
    "deadline": None,
    "derandomize": True,
    "phases": [Phase.generate],
    "suppress_health_check": list(HealthCheck),
}


@settings(max_examples=12, **DRAWN)
@given(planted(plant_shortage))
def test_shortages(workspace: Workspace) -> None:
    check_conflict(workspace)


@settings(max_examples=7, **DRAWN)
@given(planted(plant_halves))
def test_conflicts_of_whole_customers(workspace: Workspace) -> None:
    check_conflict(workspace)


@settings(max_examples=6, **DRAWN)
@given(planted(plant_least_if_used))
def test_conflicts_of_campaigns_used_or_not(workspace: Workspace) -> None:
    check_conflict(workspace)


def check_conflict(workspace: Workspace) -> None:
    """The set named cannot hold, less any one of it can, fractions are told apart, repairs mend."""
    judge = Judge.of(*workspace)
    try:
        if judge.possible(judge.musts, whole=True):
            return
    except TooManyStreams:
        return
    conflict = conflict_of(*workspace)
    assert conflict is not None
    told = conflict.as_dict()
    named = {row["limit"]: row for row in told["limits"]}
    fractions = judge.possible(judge.musts, whole=False)
    count(judge, told)
    assert told["proved"]
    # The judge links the use of campaigns to customers more closely: it may rule out some fractions more.
    assert told["whole_numbers_only"] == fractions or (told["whole_numbers_only"] and judge.switched)
    whole = told["whole_numbers_only"]
    members = {path: judge.musts[path] for path in named}
    assert not judge.possible(members, whole)
    for path in members:
        others = {other: limit for other, limit in members.items() if other != path}
        assert (judge.switched and not whole) or judge.possible(others, whole), path
    for repair, words in zip(conflict.conflict.repairs, told["repairs"], strict=True):
        assert judge.possible(repaired(judge, repair, words), whole=True), words
    assert told["repairs"]


def count(judge: Judge, told: dict[str, Any]) -> None:
    SEEN["whole numbers" if told["whole_numbers_only"] else "shortages"] += 1
    SEEN["several limits"] += len(told["limits"]) > 1
    SEEN["repairs"] += len(told["repairs"])
    binding = any(row["limit"].endswith("min_if_used") for row in told["limits"])
    SEEN["least if used"] += binding


def test_enough_conflicts_were_seen() -> None:
    assert SEEN["shortages"] >= 8
    assert SEEN["whole numbers"] >= 2
    assert SEEN["several limits"] >= 6
    assert SEEN["repairs"] >= 15
    assert SEEN["least if used"] >= 2


def test_repairs_are_told_in_whole_customers_and_contacts(tmp_path: Path) -> None:
    """Half of three customers are asked for in one and a half hours: two calls take two."""
    case = Path(__file__).parent / "cases" / "conflict_of_whole_numbers"
    with pytest.raises(CannotHold) as caught:
        pipeline.run(load_plan(shutil.copytree(case, tmp_path / "case")))
    lines = "\n".join(caught.value.lines)
    assert "Only fractions of customers" in lines
    assert (
        "reach[0] asks for at least 2 customers: with all other limits kept, 1 customer can be had" in lines
    )
    assert "lower reach[0] to 1 customer (by 1 customer)" in lines
    assert "raise channels.phone.capacity[0] to 2 hours (by 0.5 hours)" in lines
    data = caught.value.as_dict()
    assert data["whole_numbers_only"]
    assert data["proved"]
    assert {row["limit"]: row["possible"] for row in data["limits"]} == {
        "reach[0]": 1.0,
        "channels.phone.capacity[0]": 2.0,
    }
