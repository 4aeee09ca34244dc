"""Prices of the rules inside the streams: what the plan's bound gains if a rule is one step looser.

No row of the program speaks of these rules, so each looser plan is solved again, from the streams and
prices known and with the same campaigns in use. Every rule is loosened alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from models.response import Rates
from optimizer.faults import BadInput
from optimizer.generation import Generation
from optimizer.plan_file import Cap, Plan
from optimizer.problem import Problem, make_problem
from optimizer.segmenting import Segments
from optimizer.solution import Solution
from optimizer.solution_tolerance import tolerance_of
from optimizer.stream_book import Stream, StreamBook
from optimizer.tables import Tables

COLUMNS = ["rule", "change", "brings", "precision"]
MORE, LESS = "one contact more", "one day less"
EARLIER, LATER = "from one day earlier", "until one day later"


@dataclass(frozen=True)
class Looser:
    """A plan with one rule one step looser; `rule` is its path in the plan."""

    rule: str
    change: str
    plan: Plan


def looser_plans(plan: Plan) -> Iterator[Looser]:
    """Every cap with one contact more, spacing with a day less, only-after windows a day wider."""
    for n, caps in enumerate(_with_one_more(plan.policy.max_per_customer)):
        yield Looser(f"policy.max_per_customer[{n}]", MORE, _policy(plan, max_per_customer=caps))
    if plan.policy.min_days_between > 0:
        less = _policy(plan, min_days_between=plan.policy.min_days_between - 1)
        yield Looser("policy.min_days_between", LESS, less)
    yield from _looser_orders(plan)
    for block in ("channels", "campaigns"):
        for name, entry in getattr(plan, block).items():
            for n, caps in enumerate(_with_one_more(entry.max_per_customer)):
                changed = entry.model_copy(update={"max_per_customer": caps})
                entries = {**getattr(plan, block), name: changed}
                path = f"{block}.{name}.max_per_customer[{n}]"
                yield Looser(path, MORE, plan.model_copy(update={block: entries}))


def _looser_orders(plan: Plan) -> Iterator[Looser]:
    """The rules between campaigns; never_together of 0 days is taken away."""
    apart, after = plan.policy.never_together, plan.policy.only_after
    for n, rule in enumerate(apart):
        less = [rule.model_copy(update={"days": rule.days - 1})] if rule.days > 0 else []
        rules = (*apart[:n], *less, *apart[n + 1 :])
        yield Looser(f"policy.never_together[{n}]", LESS, _policy(plan, never_together=rules))
    for n, window in enumerate(after):
        first, last = window.days
        for change, days in ((EARLIER, (first - 1, last)), (LATER, (first, last + 1))):
            if days[0] >= 0:
                wider = (*after[:n], window.model_copy(update={"days": days}), *after[n + 1 :])
                yield Looser(f"policy.only_after[{n}]", change, _policy(plan, only_after=wider))


def rule_prices(
    plan: Plan,
    tables: Tables,
    segments: Segments,
    rates: Rates,
    solution: Solution,
    progress: Callable[[str], None],
) -> pd.DataFrame:
    """rule_prices.csv: for every rule the gain of the plan's bound if it is looser, others as they are.

    `brings` is in the objective's unit, at least 0 and right to `precision` (both programs' gaps); it is
    missing where the looser rule makes the streams too many to search. The engine's table of customer
    keys is made anew for each plan: what was read from it lazily has to be read before.
    """
    rows, looser = [], list(looser_plans(plan))
    linear, known = solution.linear, solution.pricing.book.streams
    for n, one in enumerate(looser):
        progress(f"{n + 1} of {len(looser)}: {one.rule}, {one.change}")
        row: dict[str, Any] = {"rule": one.rule, "change": one.change}
        rows.append(row)
        try:
            problem = make_problem(one.plan, tables, segments, rates)
        except BadInput:
            continue
        value, bound = _solved(problem, solution, known, plan.max_cells)
        row["brings"] = round(max(0.0, bound - linear.bound), 6)
        row["precision"] = round(max(bound - value, 0.0) + max(linear.bound - linear.value, 0.0), 6)
    return pd.DataFrame(rows, columns=COLUMNS)


def _solved(problem: Problem, solution: Solution, known: list[Stream], max_cells: int) -> tuple[float, float]:
    """Value and bound of a looser plan's linear program with the campaigns in use fixed.

    It begins from the plan's own streams: those of another looser plan may break a rule that holds here.
    """
    book = StreamBook()
    for stream in known:
        book.add(stream)
    pricing, used = problem.pricing(book), np.rint(solution.linear.used)
    live = np.flatnonzero(problem.cells.customers > 0)
    customers = problem.cells.customers[live].astype(float)
    near, linear = tolerance_of(pricing), solution.linear
    generation = Generation(pricing, live, customers, max_cells, near, lambda text: None, linear)
    use = np.bincount(linear.stream, weights=linear.amount, minlength=len(book))
    generation.popular = use.astype(np.float64)
    looser = generation.run(used, used)
    return looser.value, looser.bound


def _policy(plan: Plan, **changes: Any) -> Plan:
    return plan.model_copy(update={"policy": plan.policy.model_copy(update=changes)})


def _with_one_more(caps: tuple[Cap, ...]) -> Iterator[tuple[Cap, ...]]:
    """For each cap all caps, that one with one contact more."""
    for n, cap in enumerate(caps):
        yield (*caps[:n], cap.model_copy(update={"contacts": cap.contacts + 1}), *caps[n + 1 :])
