"""The linear program over streams, and the same program in whole numbers; the only file that knows PuLP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import highspy
import numpy as np
import pulp
from numpy.typing import NDArray
from scipy import sparse

# HiGHS reads these as its options; limits count work, never seconds, so that a run can be repeated.
SOLVER = {
    "threads": 1,
    "random_seed": 0,
    "primal_feasibility_tolerance": 1e-9,
    "dual_feasibility_tolerance": 1e-9,
}


class SolverFailure(RuntimeError):  # noqa: N818 - it is what happened
    """The solver stopped without an answer; the message holds its status."""


@dataclass(frozen=True)
class Duals:
    """Prices of the master program: `limit[r]` is the objective's change for one more unit of bound r
    (at least 0 for upper limits, at most 0 for minimums), `block[b]` the worth of one more customer.
    """

    objective: float
    limit: NDArray[np.float64]
    block: NDArray[np.float64]


class Master:
    """max Σ value·x subject to Σ x = size for every block and Σ use·x ≤ or ≥ bound for every limit.

    Columns are added as they are found; each says what it brings and uses per customer of its block.
    Every block begins with the empty stream. Where minimums exist, `shortage=True` first minimises the
    sum of what is missing of them.
    """

    def __init__(
        self, sizes: NDArray[np.float64], bounds: NDArray[np.float64], at_least: NDArray[np.bool_]
    ) -> None:
        self._blocks, self._at_least = len(sizes), at_least
        self._short = np.flatnonzero(at_least)
        self._model = self._start(sizes, bounds)
        self._values: list[NDArray[np.float64]] = [np.zeros(self._blocks)]
        self._first = len(self._short)
        self._shortage = False
        self._penalise(shortage=False)

    def _start(self, sizes: NDArray[np.float64], bounds: NDArray[np.float64]) -> highspy.Highs:
        """The program with empty streams only, built by PuLP; later columns go to its HiGHS model."""
        problem = pulp.LpProblem("master", pulp.LpMaximize)
        missing = [problem.add_variable(f"a{n:07d}", 0) for n in range(len(self._short))]
        empty = [problem.add_variable(f"b{n:07d}", 0) for n in range(self._blocks)]
        problem += pulp.LpAffineExpression(dict.fromkeys([*missing, *empty], 0.0))
        for n, size in enumerate(sizes):
            row = pulp.LpAffineExpression({empty[n]: 1.0})
            problem.addConstraint(pulp.LpConstraint(row, pulp.LpConstraintEQ, f"block{n}", float(size)))
        slack = dict(zip(self._short.tolist(), missing, strict=True))
        for n, bound in enumerate(bounds):
            row = pulp.LpAffineExpression({slack[n]: 1.0} if n in slack else {})
            sense = pulp.LpConstraintGE if self._at_least[n] else pulp.LpConstraintLE
            problem.addConstraint(pulp.LpConstraint(row, sense, f"limit{n}", float(bound)))
        problem.solve(pulp.HiGHS(msg=False, **SOLVER))
        model: highspy.Highs = problem.solverModel
        # New columns leave the last basis primal feasible: the primal simplex goes on from there.
        model.setOptionValue("simplex_strategy", 4)
        return model

    def add(self, block: NDArray[np.int64], value: NDArray[np.float64], use: sparse.csr_array) -> None:
        """Adds a column for each entry of `block`; `use` has a row a column, a column a limit."""
        count = len(block)
        rows = sparse.hstack(
            [
                sparse.csr_array((np.ones(count), (np.arange(count), block)), shape=(count, self._blocks)),
                use,
            ],
            format="csr",
        )
        cost = np.zeros(count) if self._shortage else -value
        free = np.full(count, highspy.kHighsInf)
        self._model.addCols(
            count, cost, np.zeros(count), free, rows.nnz,
            rows.indptr[:-1].astype(np.int32), rows.indices.astype(np.int32), rows.data,
        )  # fmt: skip
        self._values.append(value)

    def solve(self, shortage: bool) -> Duals:
        """Solves the program over the columns known; `shortage` asks for the least sum missing instead."""
        if shortage != self._shortage:
            self._penalise(shortage)
        self._model.run()
        status = self._model.getModelStatus()
        if status != highspy.HighsModelStatus.kOptimal:
            raise SolverFailure(f"the linear program ended with {self._model.modelStatusToString(status)}")
        dual = -np.array(self._model.getSolution().row_dual)
        limit = dual[self._blocks :]
        limit = np.where(self._at_least, np.minimum(limit, 0.0), np.maximum(limit, 0.0))
        return Duals(-float(self._model.getObjectiveValue()), limit, dual[: self._blocks])

    def weights(self) -> NDArray[np.float64]:
        """The solution: customers by column, the blocks' empty streams first."""
        return np.array(self._model.getSolution().col_value)[self._first :]

    def _penalise(self, shortage: bool) -> None:
        """Sets the objective to the shortage, or to the value with nothing missing."""
        self._shortage = shortage
        short = self._first
        values = np.concatenate(self._values)
        cost = np.concatenate(
            [np.full(short, float(shortage)), np.zeros(len(values)) if shortage else -values]
        )
        index = np.arange(len(cost), dtype=np.int32)
        self._model.changeColsCost(len(cost), index, cost)
        top = highspy.kHighsInf if shortage else 0.0
        self._model.changeColsBounds(short, index[:short], np.zeros(short), np.full(short, top))


@dataclass(frozen=True)
class WholeNumbers:
    """A solution in whole numbers: customers by column, its value, and the bound the solver proved."""

    counts: NDArray[np.int64]
    value: float
    bound: float


def solve_whole(
    group: NDArray[np.int64],
    sizes: NDArray[np.int64],
    value: NDArray[np.float64],
    use: sparse.csr_array,
    bounds: NDArray[np.float64],
    at_least: NDArray[np.bool_],
    gap: float,
    target: float,
    most_nodes: int,
) -> WholeNumbers | None:
    """The same program with whole customers: columns of `group` g sum to sizes[g].

    Ends when bound and value are within `gap` (absolute, in the objective's unit), when the value
    reaches `target`, or after `most_nodes`. None where no whole numbers were found.
    """
    problem = pulp.LpProblem("whole", pulp.LpMaximize)
    top = sizes[group]
    counts = [problem.add_variable(f"z{n:07d}", 0, int(most), pulp.LpInteger) for n, most in enumerate(top)]
    problem += pulp.LpAffineExpression(dict(zip(counts, value.tolist(), strict=True)))
    for g in range(len(sizes)):
        _row(problem, counts, np.flatnonzero(group == g), None, pulp.LpConstraintEQ, float(sizes[g]))
    columns = use.tocsc()
    for r, bound in enumerate(bounds):
        cut = slice(columns.indptr[r], columns.indptr[r + 1])
        sense = pulp.LpConstraintGE if at_least[r] else pulp.LpConstraintLE
        _row(problem, counts, columns.indices[cut], columns.data[cut], sense, float(bound))
    ends = {"mip_max_nodes": most_nodes, "objective_target": -target}
    solver = pulp.HiGHS(msg=False, gapAbs=gap, gapRel=0.0, **ends, **_whole_options())
    # Not problem.solve: it does not know the status of a search that ended at its node limit.
    solver.createAndConfigureSolver(problem)
    solver.buildSolverModel(problem)
    solver.callSolver(problem)
    info = problem.solverModel.getInfo()
    if info.primal_solution_status != int(highspy.SolutionStatus.kSolutionStatusFeasible):
        return None
    solution = np.array(problem.solverModel.getSolution().col_value)
    order = np.array([variable.index for variable in counts], dtype=np.int64)
    whole = np.rint(solution[order]).astype(np.int64)
    return WholeNumbers(whole, float(whole @ value), -float(info.mip_dual_bound))


def _whole_options() -> dict[str, float | int]:
    return {**SOLVER, "mip_feasibility_tolerance": 1e-9}


def _row(
    problem: pulp.LpProblem,
    variables: Sequence[pulp.LpVariable],
    where: NDArray[np.int64],
    weight: NDArray[np.float64] | None,
    sense: int,
    bound: float,
) -> None:
    weights = [1.0] * len(where) if weight is None else weight.tolist()
    items = {variables[n]: w for n, w in zip(where.tolist(), weights, strict=True)}
    problem.addConstraint(pulp.LpConstraint(pulp.LpAffineExpression(items), sense, None, bound))
