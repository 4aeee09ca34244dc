"""Targeted offers as a program over streams: which clients get which products, and which are offered at all.

The problem is that of Talla Nobibon, Leus and Spieksma (European Journal of Operational Research 210,
2011). In our words: a product is a campaign with a setup cost, a minimum if used and a budget of its
own; a client has a limit of his own on contacts; all offers together must earn the hurdle rate.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, sparse

from optimizer.cells import Cells
from optimizer.contact_figures import Objective
from optimizer.customer_lists import CodeLists
from optimizer.earlier_contacts import EarlierEffects
from optimizer.limits import Limit
from optimizer.rules import ContactRules
from optimizer.stream_graph import build_graph
from optimizer.streams import Pricing
from optimizer.switches import Switch
from optimizer.timetable import ContactOption, Timetable


@dataclass(frozen=True)
class Offers:
    """An instance: m clients, n products; money in the instance's unit.

    `cost[i, j]` and `revenue[i, j]` of offering product j to client i, `most[i]` the most offers client
    i may get; by product `least` (clients, if offered at all), `budget` and `setup`. Revenue must be at
    least (1 + hurdle) times all costs.
    """

    hurdle: float
    cost: NDArray[np.float64]
    revenue: NDArray[np.float64]
    most: NDArray[np.int64]
    least: NDArray[np.float64]
    budget: NDArray[np.float64]
    setup: NDArray[np.float64]

    @property
    def yields(self) -> NDArray[np.float64]:
        """What each offer adds to the row of the hurdle rate."""
        return self.revenue - (1 + self.hurdle) * self.cost


def read_offers(path: Path) -> Offers:
    """Reads an instance: "m n R", then n costs, n revenues and the most offers for each client, then
    n least numbers of clients, n budgets and n setup costs.
    """
    numbers = np.array(gzip.decompress(path.read_bytes()).split(), dtype=float)
    m, n = int(numbers[0]), int(numbers[1])
    clients, products = np.split(numbers[3:], [m * (2 * n + 1)])
    clients, (least, budget, setup) = clients.reshape(m, 2 * n + 1), products.reshape(3, n)
    most = clients[:, 2 * n].astype(np.int64)
    return Offers(numbers[2], clients[:, :n], clients[:, n : 2 * n], most, least, budget, setup)


def offers_pricing(offers: Offers) -> Pricing:
    """The program of an instance: each client a cell and a segment, each product a send day of its own.

    So a stream is any set of products no larger than the client's limit.
    """
    m, n = offers.cost.shape
    names = [f"product{j}" for j in range(n)]
    timetable = Timetable(
        date(2026, 1, 1),
        n,
        tuple(ContactOption(name, "offer", "promotional", None, 0.0) for name in names),
        tuple(range(n)),
        np.eye(n, dtype=bool),
    )
    rules = ContactRules((), (), (), 1.0, 0).with_own_limits(min(n, int(offers.most.max()) + 1), n)
    graph = build_graph(timetable, rules)
    own, profile = np.unique(offers.most, return_inverse=True)
    leeway = EarlierEffects([], timetable, rules).by_code.leeway(
        CodeLists.of([()] * len(own)), graph.shared_caps, own
    )
    cells = Cells(
        tuple(str(i) for i in range(m)),
        np.ones(m, dtype=np.int64),
        np.arange(m),
        np.zeros(m, dtype=np.int64),
        profile.reshape(-1).astype(np.int64),
        np.ones(m, dtype=np.int64),
        timetable.sendable[None],
        leeway,
        pd.DataFrame(),
    )
    switches = [Switch(name, np.eye(n, dtype=bool)[j], 1, offers.setup[j]) for j, name in enumerate(names)]
    objective = Objective(offers.revenue, offers.cost, np.zeros((m, n)), np.zeros((m, n)))
    return Pricing(timetable, rules, graph, cells, _limits(offers, names), switches, objective)


def _limits(offers: Offers, names: list[str]) -> list[Limit]:
    m, n = offers.cost.shape
    nothing, everyone = np.zeros((n, n)), np.ones(m, dtype=bool)
    limits = []
    for j, name in enumerate(names):
        one = np.zeros((n, n))
        one[j, j] = 1.0
        cost = np.where(np.arange(n) == j, offers.cost, 0.0)
        limits += [
            Limit(
                f"campaigns.{name}.contacts.min_if_used", True, offers.least[j], one, everyone, if_used=name
            ),
            Limit(f"budget[{j}]", False, offers.budget[j], nothing, everyone, tiring=cost, if_used=name),
        ]
    setup = {name: -(1 + offers.hurdle) * offers.setup[j] for j, name in enumerate(names)}
    earned = Limit("return_on_cost.min", True, 0.0, nothing, everyone, tiring=offers.yields, setup=setup)
    return [*limits, earned]


def compact_bound(offers: Offers) -> float:
    """The linear bound of the program with a variable for every client and product.

    A client's sets of products are the vertices of what its rows allow, so streams cannot do better,
    nor worse: both bounds are the same.
    """
    m, n = offers.cost.shape
    each, client = np.eye(n), sparse.identity(m, format="csr")
    of_product = sparse.hstack([sparse.csr_array(np.diag(row)) for row in offers.cost])
    rows = sparse.vstack(
        [
            sparse.hstack([sparse.identity(m * n), sparse.csr_array(np.tile(-each, (m, 1)))]),
            sparse.hstack([sparse.kron(client, np.ones((1, n))), sparse.csr_array((m, n))]),
            sparse.hstack([sparse.kron(np.ones((1, m)), -each), sparse.csr_array(np.diag(offers.least))]),
            sparse.hstack([of_product, sparse.csr_array(np.diag(-offers.budget))]),
            np.append(-offers.yields.reshape(-1), (1 + offers.hurdle) * offers.setup)[None],
        ]
    )
    right = np.concatenate([np.zeros(m * n), offers.most, np.zeros(2 * n + 1)])
    value = np.append((offers.revenue - offers.cost).reshape(-1), -offers.setup)
    return -float(optimize.linprog(-value, rows.tocsr(), right, bounds=(0, 1), method="highs").fun)
