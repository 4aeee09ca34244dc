"""How near the program's bound comes to the known optima of the targeted-offers problem.

The instances and their optima (cut to whole numbers) are not part of the project: the variable
CONTACTPLAN_TARGETED_OFFERS names the folder that holds `known_values.csv` and an `<instance>.txt.gz`
for each. `python -m pytest -m slow -s -k targeted_offers` prints the figures.
"""

from __future__ import annotations

import time

import numpy as np
import pytest
from known_offers import CUT, FOLDER, KNOWN, instance
from targeted_offers_program import Offers, compact_bound, offers_pricing

from optimizer.linear_plan import LinearPlan
from optimizer.opening import generation_of
from optimizer.solution import solve
from optimizer.solution_tolerance import tolerance_of
from optimizer.streams import Pricing

MOST_ABOVE = 0.02
# Generation proves the same bound as the compact program; on the largest it takes very long to do so.
GENERATED = [name for name in KNOWN.index if KNOWN.clients[name] * KNOWN.products[name] <= 10_000]
FEW = [name for name in KNOWN.index if KNOWN.clients[name] <= 300 and KNOWN.products[name] <= 5]


def root(pricing: Pricing) -> LinearPlan:
    """The linear program with every client a row of its own and no product decided."""
    cells = len(pricing.cells)
    generation = generation_of(pricing, cells, tolerance_of(pricing), lambda _: None, linked_rows=cells)
    products = len(pricing.switches)
    return generation.run(np.zeros(products), np.ones(products))


def words(name: str, bound: float, began: float) -> str:
    clients, products, optimum = KNOWN.loc[name, ["clients", "products", "optimum"]]
    above, seconds = 100 * (bound / optimum - 1), time.perf_counter() - began
    return (
        f"{name}: {clients:,.0f} clients, {products:.0f} products, root bound {bound:,.2f}, "
        f"optimum {optimum:,.0f}, {above:.2f} % above, {seconds:.1f} s"
    )


def tiny() -> Offers:
    """Three clients, two products: by eye, product 0 to the first two (5 + 4 − 3) is best."""
    return Offers(
        0.1,
        np.array([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]]),
        np.array([[6.0, 4.0], [5.0, 3.0], [2.0, 3.0]]),
        np.array([1, 1, 1]),
        np.array([2.0, 2.0]),
        np.array([2.0, 4.0]),
        np.array([3.0, 4.0]),
    )


def test_tiny_offers_by_eye() -> None:
    solution = solve(offers_pricing(tiny()), 3, lambda _: None)
    assert solution.whole.value == pytest.approx(6.0)
    assert solution.whole.used.tolist() == [1.0, 0.0]
    assert solution.linear_bound == pytest.approx(compact_bound(tiny()))


@pytest.mark.slow
@pytest.mark.skipif(not FOLDER, reason="CONTACTPLAN_TARGETED_OFFERS names no folder with the instances")
@pytest.mark.parametrize("name", KNOWN.index)
def test_root_bound(name: str) -> None:
    """Clients linked to products one by one: the bound before anything is branched on."""
    offers, began = instance(name), time.perf_counter()
    bound, optimum = compact_bound(offers), KNOWN.optimum[name]
    print("", words(name, bound, began), sep="\n")
    assert optimum - 1e-6 * optimum <= bound <= (1 + MOST_ABOVE) * (optimum + CUT)


@pytest.mark.slow
@pytest.mark.skipif(not FOLDER, reason="CONTACTPLAN_TARGETED_OFFERS names no folder with the instances")
@pytest.mark.parametrize("name", GENERATED)
def test_generation_proves_the_same_bound(name: str) -> None:
    offers, began = instance(name), time.perf_counter()
    bound = root(offers_pricing(offers)).bound
    print("", words(name, bound, began), sep="\n")
    assert bound == pytest.approx(compact_bound(offers), rel=2e-5)


@pytest.mark.slow
@pytest.mark.skipif(not FOLDER, reason="CONTACTPLAN_TARGETED_OFFERS names no folder with the instances")
@pytest.mark.parametrize("name", FEW)
def test_whole_plan(name: str) -> None:
    offers, began = instance(name), time.perf_counter()
    solution = solve(offers_pricing(offers), len(offers.most), lambda _: None)
    whole, optimum = solution.whole, KNOWN.optimum[name]
    print("", words(name, solution.linear_bound, began), sep="\n")
    print(f"value {whole.value:,.2f}, final bound {whole.bound:,.2f}, {solution.nodes} nodes")
    assert whole.value <= optimum + CUT
    assert whole.value <= whole.bound <= max(solution.linear_bound, whole.value) + 1e-6
    assert whole.bound >= optimum - 1e-6 * optimum
    assert kept(offers, solution.pricing, whole.cell, whole.stream)


def kept(offers: Offers, pricing: Pricing, cell: np.ndarray, stream: np.ndarray) -> bool:
    """Whether the plan, read off its streams, keeps every rule of the problem."""
    gets = np.zeros(offers.cost.shape, dtype=bool)
    for client, number in zip(cell, stream, strict=True):
        gets[client, [product for _, product in pricing.book.streams[number]]] = True
    clients, used = gets.sum(axis=0), gets.any(axis=0)
    earned = (offers.yields * gets).sum() - (1 + offers.hurdle) * offers.setup @ used
    return bool(
        (gets.sum(axis=1) <= offers.most).all()
        and ((offers.cost * gets).sum(axis=0) <= offers.budget + 1e-6).all()
        and (clients >= offers.least * used).all()
        and earned >= -1e-6
    )
