"""The linear program over streams, and the same program in whole numbers; the only file that knows PuLP."""

from __future__ import annotations

from dataclasses import dataclass

import highspy
import numpy as np
import pulp
from numpy.typing import NDArray
from scipy import sparse

from optimizer.greeting import let_highs_greet
from optimizer.links import Links
from optimizer.rows import Rows

# HiGHS reads these as its options; limits count work, never seconds, so that a run can be repeated.
SOLVER = {
    "threads": 1,
    "random_seed": 0,
    "primal_feasibility_tolerance": 1e-9,
    "dual_feasibility_tolerance": 1e-9,
}
# New columns leave the last basis primal feasible, new rows dual feasible: each simplex goes on from there.
DUAL, PRIMAL = 1, 4


class SolverFailure(RuntimeError):  # noqa: N818 - it is what happened
    """The solver stopped without an answer; the message holds its status."""


@dataclass(frozen=True)
class Duals:
    """Prices of the master program: `limit[r]` is the objective's change for one more unit of bound r
    (at least 0 for upper limits, at most 0 for minimums), `block[b]` the worth of one more customer,
    `link[b, c]` what a contact of switch c costs a customer of block b beyond the limits.
    """

    objective: float
    limit: NDArray[np.float64]
    block: NDArray[np.float64]
    link: NDArray[np.float64]


class Master:
    """max Σ value·x − setup·y − penalties, subject to Σ x = size for every block, the limits' rows, and
    for every block and switch Σ contacts·x ≤ most·size·y, 0 ≤ y ≤ 1.

    Columns are added as they are found; each says what it brings and uses per customer of its block.
    Every block begins with the empty stream. `most[b, c]` is the most contacts of switch c that a
    customer of block b may have; a row is added when a solution breaks it. `weights[r]` is what a unit
    missed of limit r counts while `shortage=True` asks for the least sum missing (infinite: it may not
    be missed).
    """

    def __init__(
        self,
        sizes: NDArray[np.float64],
        rows: Rows,
        most: NDArray[np.float64],
        weights: NDArray[np.float64],
    ) -> None:
        self._blocks, self._rows, self._weights = len(sizes), rows, weights
        self._links = Links(most * sizes[:, None])
        self._model = self._start(sizes)
        self._values: list[NDArray[np.float64]] = [np.zeros(self._blocks)]
        self._first = len(rows.bound) + len(rows.setup)
        self._shortage = False
        self._penalise(shortage=False)

    def _start(self, sizes: NDArray[np.float64]) -> highspy.Highs:
        """The program with empty streams only, built by PuLP; later columns go to its HiGHS model."""
        let_highs_greet()
        rows, problem = self._rows, pulp.LpProblem("master", pulp.LpMaximize)
        missing = [problem.add_variable(f"a{n:07d}", 0) for n in range(len(rows.bound))]
        used = [problem.add_variable(f"b{n:07d}", 0, 1) for n in range(len(rows.setup))]
        empty = [problem.add_variable(f"c{n:07d}", 0) for n in range(self._blocks)]
        problem += pulp.LpAffineExpression(dict.fromkeys([*missing, *used, *empty], 0.0))
        for n, size in enumerate(sizes):
            row = pulp.LpAffineExpression({empty[n]: 1.0})
            problem.addConstraint(pulp.LpConstraint(row, pulp.LpConstraintEQ, f"block{n}", float(size)))
        for n, bound in enumerate(rows.bound):
            least = bool(rows.at_least[n])
            items = {missing[n]: 1.0 if least else -1.0}
            items |= {used[c]: float(w) for c, w in enumerate(rows.switched[n]) if w}
            sense = pulp.LpConstraintGE if least else pulp.LpConstraintLE
            row = pulp.LpAffineExpression(items)
            problem.addConstraint(pulp.LpConstraint(row, sense, f"limit{n}", float(bound)))
        problem.solve(pulp.HiGHS(msg=False, **SOLVER))
        model: highspy.Highs = problem.solverModel
        model.setOptionValue("simplex_strategy", PRIMAL)
        return model

    def add(
        self,
        block: NDArray[np.int64],
        value: NDArray[np.float64],
        use: sparse.csr_array,
        contacts: NDArray[np.float64],
    ) -> None:
        """Adds a column for each entry of `block`; `use` has a row a column, a column a limit.

        `contacts[n, c]` are the contacts of switch c in column n, per customer.
        """
        count = len(block)
        parts = [
            sparse.csr_array((np.ones(count), (np.arange(count), block)), shape=(count, self._blocks)),
            use,
            self._links.of_columns(self._model.getNumCol(), block, contacts),
        ]
        rows = sparse.hstack(parts, format="csr")
        cost = np.zeros(count) if self._shortage else -value
        free = np.full(count, highspy.kHighsInf)
        self._model.addCols(
            count, cost, np.zeros(count), free, rows.nnz,
            rows.indptr[:-1].astype(np.int32), rows.indices.astype(np.int32), rows.data,
        )  # fmt: skip
        self._values.append(value)

    def set_switches(self, low: NDArray[np.float64], high: NDArray[np.float64]) -> None:
        """Lets the switches be used only as far as low ≤ y ≤ high."""
        index = np.arange(len(self._rows.bound), self._first, dtype=np.int32)
        self._model.changeColsBounds(len(index), index, low.astype(float), high.astype(float))

    def solve(self, shortage: bool) -> Duals:
        """Solves the program over the columns known; `shortage` asks for the least sum missing instead.

        Raises SolverFailure.
        """
        if shortage != self._shortage:
            self._penalise(shortage)
        self._run()
        while self._add_links():
            self._model.setOptionValue("simplex_strategy", DUAL)
            self._run()
        self._model.setOptionValue("simplex_strategy", PRIMAL)
        dual = -np.array(self._model.getSolution().row_dual)
        limits = slice(self._blocks, self._blocks + len(self._rows.bound))
        return Duals(
            -float(self._model.getObjectiveValue()),
            self._rows.fair(dual[limits], self.ceiling(shortage)),
            dual[: self._blocks],
            self._links.prices(dual[limits.stop :]),
        )

    def _run(self) -> None:
        self._model.run()
        status = self._model.getModelStatus()
        if status == highspy.HighsModelStatus.kUnknown:  # lost in rounding: from the beginning then
            self._model.clearSolver()
            self._model.run()
            status = self._model.getModelStatus()
        if status != highspy.HighsModelStatus.kOptimal:
            raise SolverFailure(f"the linear program ended with {self._model.modelStatusToString(status)}")

    def _add_links(self) -> int:
        """Adds the links that the solution breaks; how many there are."""
        solution = np.array(self._model.getSolution().col_value)
        rows = self._links.broken_by(solution, slice(len(self._rows.bound), self._first))
        count = rows.shape[0]
        self._model.addRows(
            count, np.full(count, -highspy.kHighsInf), np.zeros(count), rows.nnz,
            rows.indptr[:-1].astype(np.int32), rows.indices.astype(np.int32), rows.data,
        )  # fmt: skip
        return int(count)

    def relax(self, rows: Rows) -> None:
        """Changes what missing the limits costs: their `soft` penalties."""
        self._rows = rows
        self._penalise(self._shortage)

    def ceiling(self, shortage: bool) -> NDArray[np.float64]:
        """The most that a unit of each limit can be worth: what missing it costs."""
        return np.where(np.isfinite(self._rows.soft), 0.0, self._weights) if shortage else self._rows.soft

    def weights(self) -> NDArray[np.float64]:
        """The solution: customers by column, the blocks' empty streams first."""
        return np.array(self._model.getSolution().col_value)[self._first :]

    def used(self) -> NDArray[np.float64]:
        """The solution: how far each switch is used."""
        return np.array(self._model.getSolution().col_value)[len(self._rows.bound) : self._first]

    def _penalise(self, shortage: bool) -> None:
        """Sets the objective to the shortage, or to the value with nothing missing but of soft limits."""
        self._shortage = shortage
        values, short = np.concatenate(self._values), len(self._rows.bound)
        penalty = self.ceiling(shortage)
        may = np.isfinite(penalty)
        setup = np.zeros(len(self._rows.setup)) if shortage else self._rows.setup
        columns = np.zeros(len(values)) if shortage else -values
        cost = np.concatenate([np.where(may, penalty, 0.0), setup, columns])
        index = np.arange(len(cost), dtype=np.int32)
        self._model.changeColsCost(len(cost), index, cost)
        top = np.where(may, highspy.kHighsInf, 0.0)
        self._model.changeColsBounds(short, index[:short], np.zeros(short), top)


@dataclass(frozen=True)
class WholeNumbers:
    """Customers by column (None: no solution was found), and the bound that the solver proved.

    The bound is -inf where there is no solution, inf where the search ended without knowing.
    """

    counts: NDArray[np.int64] | None
    bound: float


def solve_whole(
    group: NDArray[np.int64],
    sizes: NDArray[np.int64],
    value: NDArray[np.float64],
    use: sparse.csr_array,
    left: NDArray[np.float64],
    rows: Rows,
    gap: float,
    target: float,
    most_nodes: int,
) -> WholeNumbers:
    """The same program with whole customers: columns of `group` g sum to sizes[g], switches as they are.

    `left` takes the place of the rows' bounds. Ends when bound and value are within `gap` (absolute, in
    the objective's unit), when the value reaches `target`, or after `most_nodes`.
    """
    let_highs_greet()
    problem = pulp.LpProblem("whole", pulp.LpMaximize)
    top = sizes[group]
    counts = [problem.add_variable(f"z{n:07d}", 0, int(most), pulp.LpInteger) for n, most in enumerate(top)]
    soft = np.flatnonzero(np.isfinite(rows.soft))
    missed = {r: problem.add_variable(f"zz{r:07d}", 0) for r in soft.tolist()}
    gain = dict(zip(counts, value.tolist(), strict=True))
    problem += pulp.LpAffineExpression({**gain, **{missed[r]: -float(rows.soft[r]) for r in missed}})
    members = np.split(np.argsort(group, kind="stable"), np.cumsum(np.bincount(group, minlength=len(sizes))))
    for g in range(len(sizes)):
        items = {counts[n]: 1.0 for n in members[g].tolist()}
        _row(problem, items, pulp.LpConstraintEQ, float(sizes[g]))
    columns = use.tocsc()
    for r, bound in enumerate(left):
        cut = slice(columns.indptr[r], columns.indptr[r + 1])
        weights = zip(columns.indices[cut].tolist(), columns.data[cut].tolist(), strict=True)
        items = {counts[n]: weight for n, weight in weights}
        if r in missed:
            items[missed[r]] = 1.0 if rows.at_least[r] else -1.0
        _row(problem, items, pulp.LpConstraintGE if rows.at_least[r] else pulp.LpConstraintLE, float(bound))
    ends = {"mip_max_nodes": most_nodes, "objective_target": -target}
    solver = pulp.HiGHS(msg=False, gapAbs=gap, gapRel=0.0, **ends, **_whole_options())
    # Not problem.solve: it does not know the status of a search that ended at its node limit.
    solver.createAndConfigureSolver(problem)
    solver.buildSolverModel(problem)
    solver.callSolver(problem)
    info = problem.solverModel.getInfo()
    if info.primal_solution_status != int(highspy.SolutionStatus.kSolutionStatusFeasible):
        nothing = problem.solverModel.getModelStatus() == highspy.HighsModelStatus.kInfeasible
        return WholeNumbers(None, -np.inf if nothing else np.inf)
    solution = np.array(problem.solverModel.getSolution().col_value)
    order = np.array([variable.index for variable in counts], dtype=np.int64)
    whole = np.rint(solution[order]).astype(np.int64)
    return WholeNumbers(whole, -float(info.mip_dual_bound))


def _whole_options() -> dict[str, float | int]:
    return {**SOLVER, "mip_feasibility_tolerance": 1e-9}


def _row(problem: pulp.LpProblem, items: dict[pulp.LpVariable, float], sense: int, bound: float) -> None:
    problem.addConstraint(pulp.LpConstraint(pulp.LpAffineExpression(items), sense, None, bound))
