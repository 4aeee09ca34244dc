"""Customers' own figures: the table `scores`, what equal ones come to, and what they bring."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from oracle.checker import objective_of
from oracle.workspace_files import write_workspace

from optimizer import pipeline
from optimizer.explain import explain
from optimizer.faults import BadInput
from optimizer.plan_file import Plan, load_plan
from optimizer.report import render
from optimizer.result import Result
from optimizer.run_folder import run_folder
from optimizer.tables import open_tables

CHANNELS = {"email": 0.05, "mail": 1.0}
RATES = {(g, name, channel): 0.02 * g * (1 + n + 2 * (channel == "mail"))
         for g in (1, 2) for n, name in enumerate(("sale", "news")) for channel in CHANNELS}  # fmt: skip
CUSTOMERS = 40


def plan_of(**changes: Any) -> dict[str, Any]:
    """Two campaigns on two channels for a fortnight, and money for half of what would pay."""
    return {
        "name": "scored",
        "currency": "EUR",
        "period": {"start": date(2026, 11, 30), "days": 14},
        "segments": {"column": "segment"},
        "response": {"from": "table"},
        "fatigue": {"keep": 0.8, "days": 14},
        "channels": {name: {"unit_cost": cost, "send_days": ["mon"]} for name, cost in CHANNELS.items()},
        "campaigns": {
            "sale": {"type": "promotional", "margin_per_response": 30, "cost_per_contact": 0.1},
            "news": {"type": "service", "margin_per_response": 10},
        },
        "budget": [{"amount": 12, "per": "period"}],
        **changes,
    }


def tables_of(scores: list[dict[str, Any]] | pd.DataFrame) -> dict[str, pd.DataFrame]:
    ids = np.arange(1, CUSTOMERS + 1)
    rates = [(*key, rate) for key, rate in RATES.items()]
    return {
        "customers": pd.DataFrame({"customer_id": ids, "segment": 1 + ids % 2}),
        "permissions": pd.DataFrame(
            [(i, name, "granted") for i in ids for name in CHANNELS],
            columns=["customer_id", "channel", "status"],
        ),
        "response_rates": pd.DataFrame(rates, columns=["segment", "campaign", "channel", "response_rate"]),
        "scores": pd.DataFrame(scores),
    }


def loaded(folder: Path, scores: list[dict[str, Any]] | pd.DataFrame, **changes: Any) -> Plan:
    return load_plan(write_workspace(folder, plan_of(**changes), tables_of(scores)))


def lognormal(seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [
        (i, name, channel, round(30 * rng.lognormal(0, 1), 2), round(rng.uniform(0, 0.2), 3))
        for i in range(1, CUSTOMERS + 1)
        for name in ("sale", "news")
        for channel in CHANNELS
    ]
    columns = ["customer_id", "campaign", "channel", "margin_per_response", "response_rate"]
    return pd.DataFrame(rows, columns=columns)


def faults(folder: Path, *rows: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(BadInput) as caught:
        open_tables(loaded(folder, list(rows)))
    return {fault.column: fault.rule for fault in caught.value.faults}


ROW = {"customer_id": 1, "campaign": "sale", "channel": "email", "response_rate": 0.1}


def test_what_is_bad_input(tmp_path: Path) -> None:
    assert faults(tmp_path / "a", ROW | {"response_rate": 1.2}) == {"response_rate": "is not between 0 and 1"}
    assert faults(tmp_path / "b", ROW | {"cost_per_contact": -1}) == {"cost_per_contact": "is negative"}
    assert faults(tmp_path / "c", ROW | {"channel": "pigeon"}) == {"channel": "is not a channel of the plan"}
    assert faults(tmp_path / "d", ROW | {"margin_per_response": float("inf")}) == {
        "margin_per_response": "is not a finite number"
    }
    assert faults(tmp_path / "e", ROW | {"value_per_contact": 2e12}) == {
        "value_per_contact": "is beyond 1,000,000,000,000"
    }


def test_two_rows_alike_are_bad_input(tmp_path: Path) -> None:
    key = "customer_id, campaign, channel"
    assert faults(tmp_path / "a", ROW, ROW | {"response_rate": 0.2}) == {key: "is not unique"}
    every = ROW | {"channel": None}
    assert faults(tmp_path / "b", every, every, ROW) == {key: "is not unique"}
    open_tables(loaded(tmp_path / "c", [every, ROW]))


def test_what_is_not_used_is_told(tmp_path: Path) -> None:
    rows = [ROW, ROW | {"campaign": "old"}, ROW | {"customer_id": 99}, ROW | {"channel": "mail"}]
    changes = plan_of()["campaigns"] | {"sale": {"type": "promotional", "channels": ["email"]}}
    warned = open_tables(loaded(tmp_path, rows, campaigns=changes)).warnings
    assert any("is not a campaign of the plan" in words and "not used" in words for words in warned)
    assert any("is not one of its campaign's channels" in words for words in warned)
    assert any("1 row of people who are not in customers" in words for words in warned)


def test_figures_equal_to_the_segments_change_nothing(tmp_path: Path) -> None:
    customers = tables_of([])["customers"]
    rows = [
        {"customer_id": i, "campaign": name, "channel": channel, "response_rate": RATES[g, name, channel],
         "margin_per_response": {"sale": 30, "news": 10}[name],
         "cost_per_contact": {"sale": 0.1, "news": 0}[name]}
        for i, g in customers.itertuples(index=False) for name in ("sale", "news") for channel in CHANNELS
    ]  # fmt: skip
    own = pipeline.run(loaded(tmp_path / "own", rows))
    plain = pipeline.run(loaded(tmp_path / "plain", []))
    pd.testing.assert_frame_equal(own.calendar, plain.calendar)
    assert "value_segments_only" not in plain.summary
    for name in ("expected_value", "upper_bound", "cells", "contacts"):
        assert own.summary[name] == plain.summary[name]


def test_equal_figures_share_a_cell(tmp_path: Path) -> None:
    odd = [ROW | {"customer_id": i, "channel": None} for i in range(1, CUSTOMERS + 1, 4)]
    said_twice = [ROW | {"customer_id": 3, "channel": name} for name in CHANNELS]
    said_once = [row for row in odd if row["customer_id"] != 3]
    result = pipeline.run(loaded(tmp_path, [*said_once, *said_twice]))
    assert result.summary["cells"] == 3  # two segments, and those of one with other figures
    assert result.summary["own_figures"][0]["customers"] == CUSTOMERS // 2


def judged(result: Result, tables: dict[str, pd.DataFrame], **changes: Any) -> float:
    people = tables["customers"]
    segments = dict(zip(people.customer_id, people.segment, strict=True))
    plan = {**plan_of(**changes), "seed": 0}
    return objective_of(plan, tables, segments, result.calendar, tables["response_rates"])


def test_what_own_figures_bring(tmp_path: Path) -> None:
    scores = lognormal()
    own = pipeline.run(loaded(tmp_path / "own", scores))
    plain = pipeline.run(loaded(tmp_path / "plain", []))
    summary = own.summary
    assert summary["value"] == summary["expected_value"] == pytest.approx(judged(own, tables_of(scores)))
    # The plan of the segments' figures, contact by contact, judged with the customers' own.
    assert summary["value_segments_only"] == pytest.approx(judged(plain, tables_of(scores)))
    assert summary["value_segments_only"] < 0.9 * summary["value"]
    by_segment = pd.DataFrame(summary["own_figures"])
    assert by_segment.value.sum() == pytest.approx(summary["value"])
    assert by_segment.value_segments_only.sum() == pytest.approx(summary["value_segments_only"])
    page = render(own)
    assert "own figures bring" in page
    assert "own figures bring" not in render(plain)


def test_limits_that_only_own_figures_can_keep(tmp_path: Path) -> None:
    rows = [ROW | {"customer_id": i, "response_rate": 1.0} for i in range(1, CUSTOMERS + 1)]
    result = pipeline.run(loaded(tmp_path, rows, return_on_cost={"min": 100}, reach=[{"customers": 5}]))
    assert result.summary["value_segments_only"] is None
    assert "there is none" in render(result)


CHOSEN = {"merge_above": 5}


@pytest.mark.parametrize(
    "changes",
    [{}, {"return_on_cost": {"min": 5}}, {"objective": {"maximize": "expected_responses"}}],
    ids=["budget", "return on cost", "responses"],
)
def test_what_own_figures_bring_where_customers_choose_from_a_menu(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    scores = lognormal().assign(cost_per_contact=lambda rows: (rows.customer_id % 7) / 10)
    own = pipeline.run(loaded(tmp_path / "own", scores, **CHOSEN, **changes))
    exact = pipeline.run(loaded(tmp_path / "exact", scores, **changes))
    summary = own.summary
    assert summary["chosen_from_menu"]
    assert summary["value"] == pytest.approx(judged(own, tables_of(scores), **changes))
    assert 0.98 * exact.summary["value"] <= summary["value"] <= exact.summary["upper_bound"] + 1e-6
    assert summary["upper_bound"] >= exact.summary["value"]
    # Without scores the customers are so few kinds that both have the same plan of the segments' figures.
    assert summary["value_segments_only"] == pytest.approx(exact.summary["value_segments_only"])
    by_segment = pd.DataFrame(summary["own_figures"])
    assert by_segment.value.sum() == pytest.approx(summary["value"])
    assert by_segment.value_segments_only.sum() == pytest.approx(summary["value_segments_only"])
    assert "own figures bring" in render(own)


def test_figures_equal_to_the_segments_change_no_choice(tmp_path: Path) -> None:
    rows = [
        {"customer_id": i, "campaign": name, "channel": channel, "response_rate": RATES[g, name, channel]}
        for i, g in tables_of([])["customers"].itertuples(index=False)
        for name, channel in (("sale", "email"), ("sale", "mail"), ("news", "mail"))[: i % 4]
    ]
    own = pipeline.run(loaded(tmp_path / "own", rows, merge_above=1))
    plain = pipeline.run(loaded(tmp_path / "plain", [], merge_above=1))
    assert own.summary["chosen_from_menu"]
    assert plain.summary["chosen_from_menu"]
    pd.testing.assert_frame_equal(own.calendar, plain.calendar)
    assert own.summary["upper_bound"] == plain.summary["upper_bound"]


def test_the_same_plan_whatever_the_order_of_rows(tmp_path: Path) -> None:
    one = pipeline.run(loaded(tmp_path / "one", lognormal()))
    other = pipeline.run(loaded(tmp_path / "other", lognormal().sample(frac=1.0, random_state=1)))
    pd.testing.assert_frame_equal(one.calendar, other.calendar)


def test_figures_that_nothing_counts_tell_nobody_apart(tmp_path: Path) -> None:
    """Revenue counts where it is the objective only."""
    rows = lognormal().assign(revenue_per_response=lambda own: own.margin_per_response)
    rows = rows.drop(columns=["margin_per_response", "response_rate"])
    plain = pipeline.run(loaded(tmp_path / "plain", []))
    own = pipeline.run(loaded(tmp_path / "own", rows))
    assert own.summary["cells"] == plain.summary["cells"]
    goal = {"maximize": "expected_revenue"}
    counted = pipeline.run(loaded(tmp_path / "counted", rows, objective=goal))
    assert counted.summary["cells"] == CUSTOMERS


def test_rows_without_a_figure_are_told(tmp_path: Path) -> None:
    rows = [ROW, {"customer_id": 2, "campaign": "sale", "channel": "email"}]
    warned = open_tables(loaded(tmp_path, rows)).warnings
    assert any("has no figure that counts (1 row" in words for words in warned)


def test_what_the_segments_plan_would_break_is_told(tmp_path: Path) -> None:
    """By the customers' own costs it spends more than there is; by the segments' it does not."""
    rows = lognormal().drop(columns=["margin_per_response", "response_rate"]).assign(cost_per_contact=1.5)
    own = pipeline.run(loaded(tmp_path, rows))
    assert own.summary["segments_only_breaks"] == ["budget[0]"]
    assert own.summary["cost"] <= 12
    assert "it would break budget[0]" in " ".join(render(own).split())


def test_explain_tells_own_figures(tmp_path: Path) -> None:
    rows = [
        ROW | {"margin_per_response": 33},
        ROW | {"customer_id": 2, "response_rate": RATES[1, "sale", "email"]},
    ]
    plan = loaded(tmp_path, rows)
    folder = run_folder(plan.folder, plan.period.start)
    folder.mkdir(parents=True)
    pipeline.run(plan).write(folder)
    assert explain(plan, "1").figures == (
        "sale by email: response rate 10 % (segment 4 %), margin 33 (segment 30)",
    )
    assert explain(plan, "2").figures == ()
