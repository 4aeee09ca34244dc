"""What a customer has of something, as a list of codes that is told by one number.

Each code has a mark, a whole number below 2^48 drawn once and for all; a customer's list is told by the
sum of its marks, which every engine adds up alike in one pass. Among n different lists two share a sum
with a probability below n² / 2^49: one in 50,000 for 100,000 lists. The audit would find the breach.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import ibis.expr.types as ir
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from optimizer.frames import table_of

NONE = 0
"""The sum of an empty list."""
_MOST, _SEED = 1 << 48, 20_260_101

Lists = dict[int, tuple[int, ...]]
"""By the sum of their marks: lists of codes in ascending order, a code as often as the customer has it."""


@dataclass(frozen=True)
class CodeLists:
    """Many such lists as plain arrays: list n is codes[begin[n]:begin[n + 1]], told by sums[n].

    `sums` ascends, so that a list is found by its sum.
    """

    sums: NDArray[np.int64]
    begin: NDArray[np.int64]
    codes: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.sums)

    @classmethod
    def of(cls, lists: Iterable[Sequence[int]]) -> CodeLists:
        """Lists numbered in their order."""
        own = [tuple(codes) for codes in lists]
        begin = np.cumsum([0, *(len(codes) for codes in own)], dtype=np.int64)
        codes = np.array([code for codes in own for code in codes], dtype=np.int32)
        return cls(np.arange(len(own)), begin, codes)

    def number(self, sums: NDArray[np.int64]) -> NDArray[np.int64]:
        """The numbers of the lists told by these sums, which are all among them."""
        return np.searchsorted(self.sums, sums).astype(np.int64)

    def some(self, numbers: NDArray[np.int64]) -> CodeLists:
        """Some of the lists, numbered in the order given."""
        size = np.diff(self.begin)[numbers]
        begin = np.concatenate([[0], np.cumsum(size)])
        place = np.arange(begin[-1]) + np.repeat(self.begin[numbers] - begin[:-1], size)
        return CodeLists(np.arange(len(numbers)), begin, self.codes[place])

    def told_by(self, marks: NDArray[np.int64]) -> NDArray[np.int64]:
        """What tells each list when code c has the mark marks[c]: the sum of its codes' marks."""
        running = np.concatenate([[0], np.cumsum(marks[self.codes])])
        return np.asarray(np.diff(running[self.begin]))

    def classed(self, classes: NDArray[np.int64]) -> CodeLists:
        """The distinct lists of classes instead of codes, by the marks of the classes; -1 is left out."""
        told = self.told_by(marks_of(classes))
        sums, first = np.unique(told, return_index=True)
        some = self.some(first)
        own = classes[some.codes]
        kept = np.concatenate([[0], np.cumsum(own >= 0)])
        return CodeLists(sums, kept[some.begin], own[own >= 0].astype(np.int32))


def marks(codes: int) -> NDArray[np.int64]:
    """The marks of the codes 0, 1, …"""
    return np.random.default_rng(_SEED).integers(1, _MOST, codes)


def marks_of(classes: NDArray[np.int64]) -> NDArray[np.int64]:
    """By code: the mark of its class; 0 for codes without (-1)."""
    return np.append(marks(int(classes.max(initial=-1)) + 1), 0)[classes]


def summed(rows: ir.Table, told: Mapping[str, NDArray[np.int64]]) -> ir.Table:
    """customer_id and sums over the rows (customer_id, code): of told[name][code], by name."""
    names = list(told)
    book = pd.DataFrame({"code": np.arange(len(next(iter(told.values())))), **told})
    kinds = {"code": rows.code.type(), **dict.fromkeys(names, "int64")}
    found = rows.join(table_of(book, kinds), "code")
    return found.group_by("customer_id").agg(**{name: found[name].sum().cast("int64") for name in names})


def read_lists(customers: ir.Table, column: str, rows: ir.Table) -> Lists:
    """The lists behind the sums in a column of the customers; `rows` has customer_id and code."""
    found = read_code_lists(customers, column, rows)
    codes = found.codes.tolist()
    ends = zip(found.sums.tolist(), found.begin[:-1].tolist(), found.begin[1:].tolist(), strict=True)
    return {NONE: (), **{number: tuple(codes[first:last]) for number, first, last in ends}}


def read_code_lists(customers: ir.Table, column: str, rows: ir.Table) -> CodeLists:
    """The same as arrays, the empty list always among them; read off one customer for each sum."""
    some = customers.filter(customers[column] != NONE)
    some = some.group_by(column).agg(customer_id=some.customer_id.min())
    found = some.join(rows, "customer_id")
    found = found.select(column, code=found.code.cast("int32")).order_by([column, "code"]).to_pyarrow()
    number, code = (found.column(name).to_numpy() for name in (column, "code"))
    begin = np.flatnonzero(np.diff(number, prepend=NONE))  # sums of marks are greater than NONE
    return CodeLists(np.append(NONE, number[begin]), np.concatenate([[0], begin, [len(code)]]), code)
