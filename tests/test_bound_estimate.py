"""The bound estimated from a part of the customers, beside the one proved for each of them."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from oracle.workspace_files import write_workspace
from test_menu_and_exact import CHANNELS, CUSTOMERS, plan_of, tables

from optimizer import pipeline, proof
from optimizer.headline import headline_figures, proof_in_words
from optimizer.plan_file import load_plan
from optimizer.result import Result

CAMPAIGNS = ("sale", "card", "news")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Customers with margins of their own, drawn at random, and a budget that binds."""
    drawn = np.random.default_rng(5).lognormal(5, 1, CUSTOMERS * len(CAMPAIGNS) * len(CHANNELS))
    names = pd.MultiIndex.from_product([range(1, CUSTOMERS + 1), CAMPAIGNS, CHANNELS])
    scores = names.to_frame(index=False, name=["customer_id", "campaign", "channel"])
    told = {**tables(), "scores": scores.assign(margin_per_response=drawn.round(2))}
    plan = plan_of(merge_above=1, budget=[{"amount": 2000, "per": "period"}])
    return write_workspace(tmp_path_factory.mktemp("estimate"), plan, told)


def planned(workspace: Path, apart: int, drawn: int) -> Result:
    with mock.patch.object(proof, "MOST_APART", apart), mock.patch.object(proof, "DRAWN", drawn):
        return pipeline.run(load_plan(workspace))


def test_the_estimate_is_near_the_bound_with_everybody_apart(workspace: Path) -> None:
    exact = planned(workspace, apart=CUSTOMERS, drawn=CUSTOMERS).summary
    loose = planned(workspace, apart=0, drawn=CUSTOMERS // 4).summary
    assert "bound_estimate" not in exact
    assert loose["expected_value"] == exact["expected_value"]
    assert loose["upper_bound"] > exact["upper_bound"]
    estimate = loose["bound_estimate"]
    assert estimate["customers"] == CUSTOMERS // 4
    assert estimate["standard_error"] < 0.05 * exact["upper_bound"]
    off = abs(estimate["upper_bound"] - exact["upper_bound"])
    assert off <= 4 * estimate["standard_error"] + proof.NEAR * exact["upper_bound"]
    assert estimate["gap"] < loose["gap"]


def test_it_is_told_as_an_estimate(workspace: Path) -> None:
    result = planned(workspace, apart=0, drawn=CUSTOMERS // 4)
    (status,) = (f for f in headline_figures(result.summary, result.plan) if f.name == "status")
    assert "by an estimate" in status.note
    assert "An estimate from 100 customers" in proof_in_words(result.summary, result.plan)
