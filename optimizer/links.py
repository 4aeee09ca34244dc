"""Links between contacts and the use of their campaigns, by block: only those that a solution breaks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

ROUNDING = 1e-9


class Links:
    """The rows Σ contacts·x − most·y ≤ 0 of B blocks and C switches, each there once it was broken.

    `most[b, c]` is the most contacts of switch c that block b's customers may have together. Most rows
    are never broken, and without them the program is several times smaller.
    """

    def __init__(self, most: NDArray[np.float64]) -> None:
        self._most = most
        self._row = np.full(most.shape, -1, dtype=np.int64)
        self._contacts: list[NDArray[np.float64]] = []
        self.count = 0

    def of_columns(
        self, first: int, block: NDArray[np.int64], contacts: NDArray[np.float64]
    ) -> sparse.csr_array:
        """What new columns, numbered from `first` on, have in the rows that are there (a row a column).

        `contacts[n, c]` are the contacts of switch c in column n, per customer of block[n].
        """
        column, switch = np.nonzero(contacts)
        amount, row = contacts[column, switch], self._row[block[column], switch]
        self._contacts.append(np.column_stack([first + column, block[column], switch, amount]))
        there = row >= 0
        entries = (amount[there], (column[there], row[there]))
        return sparse.csr_array(entries, shape=(len(block), self.count))

    def broken_by(self, solution: NDArray[np.float64], switches: slice) -> sparse.csr_array:
        """New rows that the solution breaks; the columns in `switches` are the y."""
        if not self._contacts:
            return sparse.csr_array((0, len(solution)))
        self._contacts = [np.vstack(self._contacts)]
        amount = self._contacts[0][:, 3]
        column, block, switch = self._contacts[0][:, :3].astype(np.int64).T
        contacts = np.zeros(self._most.shape)
        np.add.at(contacts, (block, switch), amount * solution[column])
        beyond = contacts - self._most * solution[switches]
        broken = (self._row < 0) & (beyond > ROUNDING * np.maximum(1.0, self._most))
        count = int(broken.sum())
        self._row[broken] = self.count + np.arange(count)
        row = self._row[block, switch] - self.count
        new = row >= 0
        rows = np.append(row[new], np.arange(count))
        columns = np.append(column[new], switches.start + np.nonzero(broken)[1])
        entries = (np.append(amount[new], -self._most[broken]), (rows, columns))
        self.count += count
        return sparse.csr_array(entries, shape=(count, len(solution)))

    def prices(self, dual: NDArray[np.float64]) -> NDArray[np.float64]:
        """The rows' prices by block and switch; 0 where there is no row, and never below."""
        priced = np.where(self._row >= 0, np.append(dual, 0.0)[self._row], 0.0)
        return np.asarray(np.maximum(priced, 0.0))
