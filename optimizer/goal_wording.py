"""What a plan's objective is called, and its figures for people: each in the objective's own unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from optimizer.limit_wording import in_goal

if TYPE_CHECKING:
    from optimizer.plan_file import Plan


@dataclass(frozen=True)
class GoalWords:
    """An objective in words.

    `name` is that of the figure, `penalised` the same with penalties in it; `note` says what is counted
    in it; `bound` and `proof` what no plan can do; `short` what a plan may be against the best one.
    """

    name: str
    penalised: str
    note: str
    bound: str
    proof: str
    short: str


_WORTH = ("no plan can be worth more", "be worth more than", "short of the best one")
_WORDS = {
    "expected_margin": GoalWords(
        "expected margin", "expected margin less penalties", "after contact and setup costs", *_WORTH
    ),
    "expected_revenue": GoalWords(
        "expected revenue", "expected revenue less penalties", "before costs", *_WORTH
    ),
    "expected_responses": GoalWords(
        "expected responses", "expected responses less penalties", "whatever each is worth",
        "no plan can bring more", "bring more than", "short of the best one",
    ),
    "reach": GoalWords(
        "customers reached", "customers reached less penalties", "with at least one planned contact",
        "no plan can reach more", "reach more than", "short of the best one",
    ),
    "cost": GoalWords(
        "cost", "cost with penalties", "of all contacts",
        "no plan can cost less", "cost less than", "dearer than the cheapest one",
    ),
}  # fmt: skip


def goal_words(plan: Plan) -> GoalWords:
    """The words for the plan's objective."""
    return _WORDS[plan.objective.goal]


def goal_figure(value: float, plan: Plan) -> str:
    """A plan's `expected_value` or `upper_bound` in the objective's unit; costs without their sign."""
    return in_goal(-value if plan.objective.goal == "cost" else value, plan)


def goal_in_money(plan: Plan) -> bool:
    """Whether contacts are valued in money other than their cost."""
    return plan.objective.goal in ("expected_margin", "expected_revenue")


def goal_unit(plan: Plan) -> str:
    """The objective's unit as the head of a column: the currency, `responses` or `customers`."""
    units = {"expected_responses": "responses", "reach": "customers"}
    return units.get(plan.objective.goal, plan.currency)
