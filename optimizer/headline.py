"""The headline of a run, for the report and the screen: what it brings, what is proved, what it costs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optimizer.goal_wording import goal_figure, goal_words
from optimizer.limit_wording import in_goal
from optimizer.wording import counted, enumeration, money, number, share

if TYPE_CHECKING:
    from optimizer.plan_file import Plan


@dataclass(frozen=True)
class Figure:
    """A figure of the headline with its unit, and a few words beside it."""

    name: str
    value: str
    note: str


def headline_figures(summary: Mapping[str, Any], plan: Plan) -> list[Figure]:
    """The figures of `summary` (those of summary.json) in their order; each only where it applies."""
    return [figure for part in _PARTS for figure in part(summary, plan)]


def proof_in_words(summary: Mapping[str, Any], plan: Plan) -> str:
    """What is proved about the plan, in a few sentences; empty where there is no bound."""
    if not _proved(summary):
        return ""
    words = goal_words(plan)
    bound, value = float(summary["upper_bound"]), float(summary["expected_value"])
    left = in_goal(max(0.0, bound - value), plan)
    counted_too = ", penalties counted" if summary["penalties"]["total"] else ""
    text = "Under the same segments and response rates no plan that keeps every rule "
    if summary.get("provisional") and plan.period.keep_provisional:
        text += "and changes no more of what the earlier run had planned "
    text += "can "
    text += f"{words.proof} {goal_figure(bound, plan)}{counted_too}. "
    if summary["status"] == "optimal":
        return f"{text}This plan is the best there is, to within {left}."
    gap = share(max(0.0, float(summary["gap"])))
    return f"{text}This plan may be up to {left} ({gap}) {words.short}.{_estimate_in_words(summary, plan)}"


def _estimate_in_words(summary: Mapping[str, Any], plan: Plan) -> str:
    estimate = summary.get("bound_estimate")
    if estimate is None:
        return ""
    bound, error = goal_figure(estimate["upper_bound"], plan), in_goal(2 * estimate["standard_error"], plan)
    left = in_goal(abs(estimate["upper_bound"] - summary["expected_value"]), plan)
    gap = share(estimate["gap"])
    return (
        " The proof is loose, for like customers were put together. An estimate from "
        f"{number(estimate['customers'], 0)} customers drawn, each with the best of its own streams, puts "
        f"the bound at {bound} (give or take {error}): by that the plan is at most about {left} ({gap}) "
        f"{goal_words(plan).short}."
    )


def penalties_in_words(summary: Mapping[str, Any], plan: Plan) -> list[tuple[str, str]]:
    """The soft limits missed, each with its penalty; the dearest first."""
    missed = sorted(summary["penalties"]["limits"].items(), key=lambda pair: -pair[1])
    return [(path, in_goal(penalty, plan)) for path, penalty in missed]


def campaigns_fixed(summary: Mapping[str, Any], plan: Plan) -> bool:
    """Whether prices hold only while the same campaigns are used: some may be left out altogether."""
    switched = any(c.setup_cost or c.contacts.min_if_used for c in plan.campaigns.values())
    return switched or summary.get("nodes", 1) > 1


def _goal(summary: Mapping[str, Any], plan: Plan) -> Iterator[Figure]:
    words, missed = goal_words(plan), summary["penalties"]["total"]
    note = words.note
    if plan.objective.goal == "expected_margin" and not summary["setup_costs"]:
        note = "after contact costs"
    elif plan.objective.goal == "cost" and summary["setup_costs"]:
        note = f"{money(summary['setup_costs'], plan.currency)} of it are setup costs"
    elif plan.objective.goal == "reach" and not missed:
        note = _share_reached(summary)
    yield Figure(
        words.penalised if missed else words.name, goal_figure(summary["expected_value"], plan), note
    )


def _bound(summary: Mapping[str, Any], plan: Plan) -> Iterator[Figure]:
    bound = goal_figure(summary["upper_bound"], plan) if _proved(summary) else "none"
    yield Figure("proved bound", bound, goal_words(plan).bound)


def _status(summary: Mapping[str, Any], plan: Plan) -> Iterator[Figure]:
    note = "no bound was proved"
    if _proved(summary):
        off = "above the cheapest" if plan.objective.goal == "cost" else "below the best"
        note = f"at most {share(max(0.0, float(summary['gap'])))} {off}"
        estimate = summary.get("bound_estimate")
        if estimate is not None:
            note += f", at most about {share(estimate['gap'])} by an estimate"
    yield Figure("status", str(summary["status"]), note)


def _penalties(summary: Mapping[str, Any], plan: Plan) -> Iterator[Figure]:
    penalties = summary["penalties"]
    if penalties["total"]:
        missed = counted(len(penalties["limits"]), "soft limit")
        yield Figure("penalties", in_goal(penalties["total"], plan), f"for {missed} missed")


def _margin(summary: Mapping[str, Any], plan: Plan) -> Iterator[Figure]:
    if plan.objective.goal != "expected_margin" or summary["penalties"]["total"]:
        worth = money(summary["expected_margin"], plan.currency)
        note = "after costs, before penalties" if summary["penalties"]["total"] else "after costs"
        yield Figure("expected margin", worth, note)


def _cost(summary: Mapping[str, Any], plan: Plan) -> Iterator[Figure]:
    if plan.objective.goal == "cost" and not summary["penalties"]["total"]:
        return
    contacts, setup = summary["contacts"], summary["setup_costs"]
    each = money((summary["cost"] - setup) / contacts, plan.currency) if contacts else ""
    note = f"{each} a contact" if contacts else "nothing is sent"
    if setup:
        note += f"; {money(setup, plan.currency)} of it are setup costs"
    yield Figure("cost", money(summary["cost"], plan.currency), note)


def _contacts(summary: Mapping[str, Any], plan: Plan) -> Iterator[Figure]:
    contacts, reached = summary["contacts"], summary["reached"]
    note = f"{number(contacts / reached)} for each customer reached" if reached else "none"
    yield Figure("contacts", number(contacts, 0), note)


def _reached(summary: Mapping[str, Any], plan: Plan) -> Iterator[Figure]:
    if plan.objective.goal != "reach" or summary["penalties"]["total"]:
        yield Figure("customers reached", number(summary["reached"], 0), _share_reached(summary))


def _campaigns(summary: Mapping[str, Any], plan: Plan) -> Iterator[Figure]:
    used = set(summary["campaigns_used"])
    unused = [name for name in plan.campaigns if name not in used]
    if summary["contacts"] and (unused or campaigns_fixed(summary, plan)):
        value = f"{len(plan.campaigns) - len(unused)} of {len(plan.campaigns)}"
        note = f"not used: {enumeration(unused)}" if unused else "all are used"
        yield Figure("campaigns used", value, note)


def _provisional(summary: Mapping[str, Any], plan: Plan) -> Iterator[Figure]:
    kept = summary.get("provisional")
    if kept is None or not kept["contacts"]:
        return
    note = f"{number(kept['kept'], 0)} of {number(kept['contacts'], 0)} of the earlier run"
    if kept["charge"]:
        note += f"; {in_goal(kept['charge'], plan)} charged for the others, told apart"
    yield Figure("provisional contacts kept", share(kept["share"]), note)


_PARTS = (
    _goal, _bound, _status, _penalties, _margin, _cost, _contacts, _reached, _campaigns, _provisional
)  # fmt: skip


def _proved(summary: Mapping[str, Any]) -> bool:
    """Whether there is a bound; one that is missing is no bound."""
    return all(summary[name] is not None and math.isfinite(summary[name]) for name in ("upper_bound", "gap"))


def _share_reached(summary: Mapping[str, Any]) -> str:
    reached, customers = summary["reached"], summary["customers"]
    return f"{share(reached / customers if customers else 0.0)} of {number(customers, 0)}"
