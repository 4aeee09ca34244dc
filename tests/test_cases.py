"""Each rule and limit of the plan language in a case small enough to check by eye: the folders of cases/.

A folder holds a plan (what it shows, and why, stands on top), its tables, and either `expected_calendar.csv`
or, where the plan's limits cannot hold, `expected_conflict.txt`: the paths of the limits that collide. An
earlier run is `earlier/<its start>/calendar.csv`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import pandas as pd
import pytest
from pydantic import BaseModel

from optimizer import pipeline
from optimizer.conflict import CannotHold
from optimizer.plan_file import CONTACT_TYPES, Plan, load_plan
from optimizer.plan_rules import GOALS
from optimizer.plan_schema import PlanBlocks

CASES = sorted(path for path in (Path(__file__).parent / "cases").iterdir() if path.is_dir())
CALENDARS = [case for case in CASES if (case / "expected_calendar.csv").exists()]
CONFLICTS = [case for case in CASES if (case / "expected_conflict.txt").exists()]
CONTACT = ["customer_id", "contact_on", "channel", "campaign"]

# Keys that are neither rule nor limit, and two that a calendar does not show.
EXEMPT = {
    *("PlanBlocks." + key for key in ("name", "currency", "data", "seed", "segments", "response")),
    *("PlanBlocks." + key for key in ("export", "retention_days", "scenarios", "max_cells")),
    "Period.commit_days",
    "Policy.clash_days",  # for the audit alone
    "Restriction.excludes_from",  # of segments and rates that are fitted
}
# Columns that carry a rule, by table.
RULE_COLUMNS = {
    "customers": ("max_contacts", "household_id"),
    "permissions": ("valid_from", "valid_to", "topic"),
    "restrictions": ("ends_on",),
    "contact_history": ("delivered", "control", "type"),
    "commitments": ("cost",),
    "scores": (
        "channel",
        "response_rate",
        "margin_per_response",
        "revenue_per_response",
        "value_per_contact",
        "cost_per_contact",
    ),
}
# Rules without a key, and the conflicts; each by the name of its folder.
WITHOUT_KEY = (
    "permission_status", "one_contact_a_day", "policy_cap_with_history", "commitments_in_rules",
    "commitments_in_capacity", "commitments_in_budget", "commitments_bring_no_value", "earlier_run",
    "setup_cost_in_budgets", "among_equals", "conflict_of_one_limit", "conflict_of_two_limits",
    "conflict_of_whole_numbers", "scores_return_on_cost",
)  # fmt: skip


def name_of(case: Path) -> str:
    return case.name


def earlier_run(case: Path, folder: Path) -> Path | None:
    """The case's earlier run as the product would have left it, written below `folder`."""
    for table in sorted(case.glob("earlier/*/calendar.csv")):
        run = folder / "runs" / table.parent.name
        run.mkdir(parents=True)
        calendar = pd.read_csv(table, parse_dates=["contact_on"])
        calendar = calendar.astype({"customer_id": "string", "cost": "float64"})
        calendar["contact_on"] = calendar["contact_on"].dt.date
        calendar.to_parquet(run / "calendar.parquet", index=False)
        return run
    return None


@pytest.mark.parametrize("case", CALENDARS, ids=name_of)
def test_the_calendar_is_the_expected_one(case: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(case, tmp_path / "case")
    result = pipeline.run(load_plan(folder), earlier_run=earlier_run(case, folder))
    text = dict.fromkeys(CONTACT, "string")
    expected = pd.read_csv(case / "expected_calendar.csv", dtype=text)
    got = result.calendar[expected.columns].astype(text)
    order = ["contact_on", "customer_id"]
    pd.testing.assert_frame_equal(
        got.sort_values(order, ignore_index=True),
        expected.sort_values(order, ignore_index=True),
        check_dtype=False,
    )
    assert result.summary["status"] == "optimal"


@pytest.mark.parametrize("case", CONFLICTS, ids=name_of)
def test_the_conflict_is_the_expected_one(case: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(case, tmp_path / "case")
    with pytest.raises(CannotHold) as caught:
        pipeline.run(load_plan(folder))
    named = sorted(row["limit"] for row in caught.value.as_dict()["limits"])
    assert named == sorted((case / "expected_conflict.txt").read_text(encoding="utf-8").split("\n")[:-1])


def plans(cases: Iterable[Path]) -> Iterator[Plan]:
    return (load_plan(case) for case in cases)


def blocks_in(kind: Any) -> Iterator[type[BaseModel]]:
    """The blocks that a field of this kind holds."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    for part in get_args(kind):
        yield from blocks_in(part)


def words_in(kind: Any) -> Iterator[str]:
    """The words that a field of this kind chooses from, types of campaigns apart."""
    if get_origin(kind) is Literal and get_args(kind) != CONTACT_TYPES:
        yield from map(str, get_args(kind))
    if get_origin(kind) in (Union, UnionType):
        for part in get_args(kind):
            yield from words_in(part)


def keys_of(model: type[BaseModel]) -> Iterator[str]:
    """Every key of a block and the blocks inside it, as `Block.key` or `Block.key: word`."""
    for name, field in model.model_fields.items():
        key = f"{model.__name__}.{name}"
        if key in EXEMPT:
            continue
        words = list(words_in(field.annotation))
        yield from (f"{key}: {word}" for word in words) if words else (key,)
        for inner in blocks_in(field.annotation):
            yield from keys_of(inner)


def keys_used(value: Any) -> Iterator[str]:
    """The keys that a plan's blocks set, in the same words; a limit made soft shows that alone."""
    if isinstance(value, BaseModel):
        given = value.model_fields_set
        for name in {"soft"} if "soft" in given else given:
            inner = getattr(value, name)
            yield f"{type(value).__name__}.{name}"
            yield f"{type(value).__name__}.{name}: {inner}"
            yield from keys_used(inner)
    elif isinstance(value, tuple | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from keys_used(inner)


def test_every_rule_and_limit_has_a_case() -> None:
    wanted = set(keys_of(PlanBlocks))
    wanted |= {f"Objective.{way}: {goal}" for way, goals in GOALS.items() for goal in goals}
    used: set[str] = set()
    for plan in plans(CALENDARS):
        used.update(keys_used(PlanBlocks.model_validate(plan.raw)))
    assert sorted(wanted - used) == [], "keys of the plan that no case shows"


def test_the_exempt_keys_exist() -> None:
    known = {f"{m.__name__}.{key}" for m in all_blocks(PlanBlocks) for key in m.model_fields}
    assert sorted(EXEMPT - known) == []


def all_blocks(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield model
    for field in model.model_fields.values():
        for inner in blocks_in(field.annotation):
            yield from all_blocks(inner)


def test_every_column_that_carries_a_rule_has_a_case() -> None:
    shown = {
        (table.stem, column)
        for case in CASES
        for table in case.glob("*.csv")
        for column, values in pd.read_csv(table).items()
        if values.notna().any()
    }
    wanted = {(table, column) for table, columns in RULE_COLUMNS.items() for column in columns}
    assert sorted(wanted - shown) == [], "columns of tables that no case shows"


def test_every_rule_without_a_key_has_a_case() -> None:
    assert sorted(set(WITHOUT_KEY) - {case.name for case in CASES}) == []


def test_every_case_says_what_it_shows() -> None:
    assert sorted({*CALENDARS, *CONFLICTS}) == CASES
    assert not set(CALENDARS) & set(CONFLICTS)
    for case, plan in zip(CASES, plans(CASES), strict=True):
        assert plan.name == case.name
        assert (case / "plan.yaml").read_text(encoding="utf-8").startswith("# ")
