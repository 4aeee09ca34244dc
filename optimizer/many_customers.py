"""Planning for customers whom too much tells apart: a part of them makes the menu, all choose from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from optimizer.menu import menu_of
from optimizer.menu_cells import MenuCellMaker
from optimizer.menu_pricing import MenuPricing
from optimizer.opening import generation_of
from optimizer.solution import Solution, solve

if TYPE_CHECKING:
    from optimizer.engine import Engine
    from optimizer.plan_file import Plan
    from optimizer.problem import Problem

ROUGH, FINE = 1e-3, 1e-4
"""How near value and bound must come: of the part's program, which only makes the menu, and of the menu's."""


def solve_from_menu(
    plan: Plan, engine: Engine, problem: Problem, progress: Callable[[str], None]
) -> Solution:
    """The best plan in which all customers choose from the menu; `upper_bound` is that of all plans.

    Raises Shortage and OnlyWholeNumbers as `solve` does, of the part drawn or of the menu: what they
    cannot do, all streams may.
    """
    assert problem.many is not None
    drawn = problem.over(problem.many.drawn).pricing()
    linear = generation_of(drawn, plan.max_cells, ROUGH, progress).run()
    progress("every customer's part of the menu")
    maker = MenuCellMaker(
        engine,
        problem.keys,
        problem.many.kinds,
        problem.many.patterns,
        menu_of(drawn, linear),
        problem.graph.shared_caps,
    )
    made = maker.make(plan.merge_above, problem.cells)
    pricing = MenuPricing(drawn, made.cells, made.chosen)
    return solve(pricing, plan.max_cells, progress, FINE)
