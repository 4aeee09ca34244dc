from __future__ import annotations

import copy
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plan_texts import FULL, SMALL, faults_in, load

from optimizer.faults import BadInput
from optimizer.plan_file import Plan, load_plan


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "- a\n- b\n", "just words\n", "a: [1, 2\n", "a: *b\n", "\t"]
)
def test_unreadable_plans(tmp_path: Path, text: str) -> None:
    assert list(faults_in(tmp_path, text)) == ["plan.yaml"]


def test_missing_file_and_not_text(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        load_plan(tmp_path / "none.yaml")
    (tmp_path / "plan.yaml").write_bytes(b"name: \xff\xfe")
    with pytest.raises(BadInput, match="UTF-8"):
        load_plan(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "a: !!python/object/apply:os.getcwd []",
        "a: !!set {b}",
        "a: &x [*x]",
        "? [a]\n: 1",
        "1: a",
        "a: " + "[" * 5000,
        "a: {b: " * 200 + "1" + "}" * 200,
        "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
        + "".join(
            f"{c}: &{c} [{','.join(['*' + p] * 10)}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=True)
        ),
        "a: \x00",
        "a: 2026-13-45",
        "a: " + "9" * 5000,
        "a: 2026-01-01 99:99:99",
        "<<: 1",
    ],
)
def test_hostile_files_are_bad_input(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadInput):
        load(tmp_path, text)


def test_repeated_keys(tmp_path: Path) -> None:
    found = faults_in(tmp_path, SMALL + "seed: 1\nseed: 2\npolicy: {clash_days: 1, clash_days: 1}\n")
    assert set(found) == {"seed", "policy.clash_days"}
    assert "twice" in found["seed"].rule


def test_words_of_old_yaml_stay_words(tmp_path: Path) -> None:
    text = SMALL.replace("sms:", "on:").replace("sale:", "no:").replace("name: small", "name: off")
    plan = load(tmp_path, text + "budget: [{amount: 1e3, campaign: no}]\n")
    assert list(plan.channels) == ["email", "on"]
    assert list(plan.campaigns) == ["no"]
    assert plan.name == "off"
    assert plan.budget[0].amount == 1000.0


@pytest.mark.parametrize("written", ["'2026-11-30'", "2026-11-30 00:00:00"])
def test_dates_as_text_and_at_midnight(tmp_path: Path, written: str) -> None:
    assert load(tmp_path, SMALL.replace("2026-11-30", written)).period.start == date(2026, 11, 30)


def _places(value: Any, loc: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [loc, *(place for key, entry in inner for place in _places(entry, (*loc, key)))]


BASE = yaml.safe_load(FULL)
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.dates(),
    st.datetimes(),
    st.just([]),
    st.just({}),
    st.lists(st.sampled_from(["email", "sale", 1, None, "on"]), max_size=3),
    st.dictionaries(st.sampled_from(["contacts", "days", "per", "on", "from"]), st.integers(), max_size=3),
    st.sampled_from([10**400, -(10**400), b"x", {1: 2}, {"": 1}, object(), {1, 2}, "all"]),
)


def _change(raw: Any, loc: tuple[Any, ...], value: Any, remove: bool) -> None:
    """Put `value` at a place, or take the place out; a place that an earlier change removed is left."""
    *block, last = loc
    try:
        for step in block:
            raw = raw[step]
        raw[last] = value
        if remove:
            del raw[last]
    except (KeyError, IndexError, TypeError):
        return


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(_places(BASE)[1:]), ODD, st.booleans()), min_size=1, max_size=4))
def test_any_change_gives_a_plan_or_bad_input(changes: list[tuple[tuple[Any, ...], Any, bool]]) -> None:
    raw = copy.deepcopy(BASE)
    for loc, value, remove in changes:
        _change(raw, loc, copy.deepcopy(value), remove)
    try:
        plan = Plan.model_construct(folder=Path(), raw={}).patched(raw)
    except BadInput as refused:
        faults = refused.faults
    else:
        faults = ()
        assert 1 <= plan.period.days <= 62
        assert all(c.from_ <= c.to and c.channels for c in plan.campaigns.values())
    assert all(fault.where and fault.rule and fault.remedy for fault in faults)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(FULL) - 1), st.sampled_from(list("{}[]:,&*!-\"' \n\t#|0a")))
def test_any_typing_error_gives_a_plan_or_bad_input(tmp_path_factory: Any, at: int, letter: str) -> None:
    file = tmp_path_factory.getbasetemp() / "typing.yaml"
    file.write_text(FULL[:at] + letter + FULL[at + 1 :], encoding="utf-8")
    try:
        load_plan(file)
    except BadInput as refused:
        faults = refused.faults
    else:
        faults = ()
    assert all(fault.where and fault.rule and fault.remedy for fault in faults)


def test_anchors_and_merge_keys(tmp_path: Path) -> None:
    plan = load(
        tmp_path,
        SMALL
        + """
policy: {max_per_customer: &caps [{contacts: 3, days: 7}]}
scenarios: {same: {channels: {email: {max_per_customer: *caps}}}, more: {fatigue: {<<: {keep: 0.5}, days: 7}}}
""",
    )
    patched = plan.patched(plan.scenarios["more"]).patched(plan.scenarios["same"])
    assert patched.channels["email"].max_per_customer == plan.policy.max_per_customer
    assert (patched.fatigue.keep, patched.fatigue.days) == (0.5, 7)


def test_names_in_no_quotes_are_named(tmp_path: Path) -> None:
    found = faults_in(tmp_path, SMALL + "policy: {restrictions: {404: {blocks: all}}}\n7: seven\n")
    assert {"policy.restrictions", "plan"} <= set(found)
