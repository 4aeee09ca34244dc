"""Scenarios: named patches of a plan, and their results side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from optimizer.faults import BadInput, Fault
from optimizer.plan_file import Plan, suggestion

if TYPE_CHECKING:
    from optimizer.result import Result

BASE = "base"
COMPARED = ("expected_value", "upper_bound", "cost", "contacts", "reached")


def scenario(plan: Plan, name: str) -> Plan:
    """The plan with the patch that its file calls `name` laid over it; `base` is the plan as it is.

    Raises BadInput for a name that the plan file does not have.
    """
    if name == BASE:
        return plan
    if name not in plan.scenarios:
        remedy = suggestion(name, [BASE, *plan.scenarios])
        raise BadInput([Fault("scenarios", "", f"there is no scenario {name!r}", remedy)])
    return plan.patched(plan.scenarios[name])


def compare(results: Mapping[str, Result]) -> pd.DataFrame:
    """A row a scenario, `base` first and the others in their order, as in scenarios/comparison.csv.

    Columns: scenario, status, expected_value and upper_bound (the objective's unit), cost (money), contacts,
    reached (customers), and of each of these figures its difference from `base` (`cost_difference`, …).
    Raises BadInput where `base` is missing.
    """
    if BASE not in results:
        raise BadInput([Fault("scenarios", "", f"there is no result {BASE!r}", "Solve the plan itself too.")])
    order = [BASE, *(name for name in results if name != BASE)]
    rows = [{key: results[name].summary[key] for key in ("status", *COMPARED)} for name in order]
    table = pd.DataFrame(rows)
    table.insert(0, "scenario", order)
    for key in COMPARED:
        table[f"{key}_difference"] = (table[key] - table[key].iloc[0]).round(6)
    return table
