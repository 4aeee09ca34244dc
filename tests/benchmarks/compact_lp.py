"""The trial as one compact linear program: a variable for each cell, campaign, channel and day.

Rolling caps are rows, one for each window; reach needs a variable for each cell and reach row. Fatigue
has no place in it, and its solution is no calendar: it tells how many customers of a cell get a contact
on a day, not who. It is a relaxation of the program over streams without fatigue.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import highspy
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from trial import Trial, earlier_contacts


@dataclass(frozen=True)
class Compact:
    """What became of the compact program."""

    rows: int
    columns: int
    seconds: float
    value: float


class _Rows:
    """Rows of the program as they are found: entries, and at most or at least what."""

    def __init__(self) -> None:
        self.row: list[NDArray[np.int64]] = []
        self.column: list[NDArray[np.int64]] = []
        self.entry: list[NDArray[np.float64]] = []
        self.low: list[float] = []
        self.high: list[float] = []

    def add(self, columns: NDArray[np.int64], entries: NDArray[np.float64], low: float, high: float) -> None:
        self.row.append(np.full(len(columns), len(self.low)))
        self.column.append(columns)
        self.entry.append(entries)
        self.low.append(low)
        self.high.append(high)


def solve_compact(trial: Trial, solver: str) -> Compact:
    """Solves the compact program with HiGHS; `solver` is `simplex` or `ipm`."""
    live = np.flatnonzero(trial.cells.customers > 0)
    cells = trial.cells
    free = cells.allowed[cells.pattern[live]] & cells.leeway.open[cells.profile[live]]
    cell, day, option = np.nonzero(free)
    number = np.full(free.shape, -1)
    number[cell, day, option] = np.arange(len(cell))
    worth = trial.figures.rate * trial.figures.margin + trial.figures.value - trial.figures.cost
    rows = _Rows()
    _caps(trial, live, number, rows)
    earned = _limits(trial, live, cell, day, option, rows)
    value = np.concatenate([worth[cells.segment[live][cell], option], np.zeros(len(earned))])
    most = np.concatenate([np.full(len(cell), np.inf), earned])
    seconds, found = _run(rows, value, most, solver)
    return Compact(len(rows.low), len(value), seconds, found)


def _caps(trial: Trial, live: NDArray[np.int64], number: NDArray[np.int64], rows: _Rows) -> None:
    """A row for each cell, cap and window that ends on a send day and is in no other as tight."""
    days, caps = trial.timetable.day_of, trial.rules.caps
    histories = len(trial.cells.leeway.open)
    used = earlier_contacts(trial.timetable, trial.rules, caps, histories).used[:, :, :, 0]
    for c, cap in enumerate(caps):
        named = np.array([cap.names(option) for option in trial.timetable.options], dtype=bool)
        inside = (days[None, :] <= days[:, None]) & (days[None, :] >= days[:, None] - cap.reach)
        for n, place in enumerate(live.tolist()):
            count = used[trial.cells.profile[place], c]
            for t in range(len(days)):
                covered = t + 1 < len(days) and not (inside[t] & ~inside[t + 1]).any()
                if covered and count[t + 1] >= count[t]:
                    continue
                columns = number[n][np.ix_(inside[t], named)].reshape(-1)
                columns = columns[columns >= 0]
                if len(columns):
                    most = max(0, cap.contacts - count[t]) * trial.cells.customers[place]
                    rows.add(columns, np.ones(len(columns)), -np.inf, float(most))


def _limits(
    trial: Trial,
    live: NDArray[np.int64],
    cell: NDArray[np.int64],
    day: NDArray[np.int64],
    option: NDArray[np.int64],
    rows: _Rows,
) -> NDArray[np.float64]:
    """The plan's limits; returns the greatest value of each reach variable, which follow the contacts."""
    segment, customers = trial.cells.segment[live], trial.cells.customers[live].astype(float)
    earned: list[float] = []
    for limit in trial.limits:
        counts = limit.use[day, option] * limit.segments[segment[cell]]
        columns = np.flatnonzero(counts)
        low, high = (limit.remainder, np.inf) if limit.at_least else (-np.inf, limit.remainder)
        if limit.customers:
            reached = []
            for n in np.flatnonzero(limit.segments[segment]):
                own = columns[cell[columns] == n]
                reached.append(len(cell) + len(earned))
                earned.append(customers[n])
                rows.add(np.append(own, reached[-1]), np.append(np.full(len(own), -1.0), 1.0), -np.inf, 0.0)
            columns, counts = np.array(reached, dtype=np.int64), np.ones(len(cell) + len(earned))
        rows.add(columns, counts[columns], low, high)
    return np.array(earned)


def _run(
    rows: _Rows, value: NDArray[np.float64], most: NDArray[np.float64], solver: str
) -> tuple[float, float]:
    """Seconds and value; the time to build the model is not counted."""
    matrix = sparse.csc_array(
        (np.concatenate(rows.entry), (np.concatenate(rows.row), np.concatenate(rows.column))),
        shape=(len(rows.low), len(value)),
    )
    program = highspy.HighsLp()
    program.num_col_, program.num_row_ = len(value), len(rows.low)
    program.sense_ = highspy.ObjSense.kMaximize
    program.col_cost_, program.col_lower_, program.col_upper_ = value, np.zeros(len(value)), most
    program.row_lower_, program.row_upper_ = np.array(rows.low), np.array(rows.high)
    program.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    program.a_matrix_.start_, program.a_matrix_.index_ = matrix.indptr, matrix.indices
    program.a_matrix_.value_ = matrix.data
    model = highspy.Highs()
    model.setOptionValue("output_flag", False)
    model.setOptionValue("solver", solver)
    model.passModel(program)
    began = time.perf_counter()
    model.run()
    assert model.getModelStatus() == highspy.HighsModelStatus.kOptimal
    return time.perf_counter() - began, float(model.getObjectiveValue())
