"""All customers planned from a menu: the part of them that makes it, the choice, whole customers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from optimizer.choice import MenuChoice
from optimizer.customer_keys import KIND
from optimizer.figures_worth import FiguresWorth
from optimizer.fine_cells import FineCells
from optimizer.linear_plan import LinearPlan
from optimizer.many_customers import ChosenPlan, chosen_plan, part_plan
from optimizer.menu import menu_of
from optimizer.menu_fit import menu_fit
from optimizer.menu_whole import whole_choice
from optimizer.plan_file import Plan
from optimizer.planned import Planned
from optimizer.solution import Solution
from optimizer.whole_numbers import WholePlan

if TYPE_CHECKING:
    from optimizer.problem import Problem


def solve_from_menu(plan: Plan, problem: Problem, max_cells: int, progress: Callable[[str], None]) -> Planned:
    """The best plan in which all customers choose from the menu; its bound is not proved yet.

    Raises Shortage and OnlyWholeNumbers as `solve` does, of the part drawn or of the menu: what they
    cannot do, all streams may.
    """
    thrifty = replace(problem, objective=problem.objective.thrifty()).pricing()
    linear = part_plan(thrifty, max_cells, progress)
    pricing, fine = problem.pricing(thrifty.book), problem.everyone.fine
    pricing.begin_like(thrifty)
    progress("every customer's part of the menu")
    menu = menu_of(pricing, linear, len(fine))
    fit = menu_fit(menu, fine, problem.keys.earlier.effects.by_code, problem.graph.shared_caps)
    figures = FiguresWorth(plan, problem.own, problem.limits, len(problem.timetable.days))
    choice = MenuChoice(fine, menu, fit, problem.keys, problem.timetable, figures)
    chosen = chosen_plan(choice, linear, progress)
    progress("whole customers")
    whole, use, stays = whole_choice(choice, chosen, np.rint(linear.used))
    cells = problem.everyone.placed(np.arange(len(fine)), _twins(fine))
    solution = Solution(_priced(linear, chosen), whole, pricing, np.inf, nodes=0, use=use, stays=stays)
    return Planned(solution, cells, _control(choice, chosen, whole, cells.twin))


def _priced(linear: LinearPlan, chosen: ChosenPlan) -> LinearPlan:
    """The part's linear plan at the prices of all customers."""
    return replace(linear, prices=chosen.prices, value=chosen.value, bound=chosen.bound)


def _twins(fine: FineCells) -> NDArray[np.int64]:
    """By held-out cell the one of customers like it who are not, or else itself; -1 where not held out."""
    rows = fine.kinds.rows.assign(kind=np.arange(len(fine.kinds)))
    others = rows[rows.held_out == 0].drop(columns=["held_out", "customers"])
    held = rows[rows.held_out != 0].drop(columns=["customers"])
    key = [name for name in KIND if name != "held_out"]
    twin = np.full(len(fine.kinds), -1, dtype=np.int64)
    found = held.merge(others, on=key, how="left", suffixes=("", "_twin"))
    twin[found.kind] = found.kind_twin.fillna(-1)
    cells = np.flatnonzero(fine.held_out)
    own = np.full(len(fine), -1, dtype=np.int64)
    own[cells] = cells
    kind, beside, most = twin[fine.kind[cells]], fine.listed.astype(np.int64), len(fine.lists)
    if fine.own_figures is not None:
        both = beside * (int(fine.own_figures.max(initial=0)) + 1) + fine.own_figures
        distinct, beside = np.unique(both, return_inverse=True)  # in their order, but far smaller numbers
        most = len(distinct)
    place = fine.kind.astype(np.int64) * most + beside
    wanted = kind * most + beside[cells]
    at = np.minimum(np.searchsorted(place, wanted), len(fine) - 1)
    alike = (kind >= 0) & (place[at] == wanted)
    own[cells[alike]] = at[alike]
    return own


def _control(
    choice: MenuChoice, chosen: ChosenPlan, whole: WholePlan, twin: NDArray[np.int64]
) -> pd.DataFrame:
    """The streams that held-out customers would have had: cell (the twin), stream and count of customers."""
    held = np.flatnonzero(twin >= 0)
    alone = held[twin[held] == held]
    shared = np.isin(whole.cell, np.setdiff1d(twin[held], alone))
    own = pd.DataFrame({"cell": whole.cell, "stream": whole.stream, "count": whole.customers})[shared]
    which = choice.best_if_not_held_out(alone, chosen.worth)
    lone = pd.DataFrame({"cell": alone, "stream": choice.numbers(alone, which), "count": 1})
    return pd.concat([own, lone]).sort_values(["cell", "stream"], ignore_index=True)
