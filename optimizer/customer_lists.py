"""What a customer has of something, as a list of codes that is told by one number.

Each code has a mark, a whole number below 2^48 drawn once and for all; a customer's list is told by the
sum of its marks, which every engine adds up alike in one pass. Among n different lists two share a sum
with a probability below n² / 2^49: one in 50,000 for 100,000 lists. The audit would find the breach.
"""

from __future__ import annotations

from collections.abc import Mapping

import ibis.expr.types as ir
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from optimizer.frames import frame_of, table_of

NONE = 0
"""The sum of an empty list."""
_MOST, _SEED = 1 << 48, 20_260_101

Lists = dict[int, tuple[int, ...]]
"""By the sum of their marks: lists of codes in ascending order, a code as often as the customer has it."""


def marks(codes: int) -> NDArray[np.int64]:
    """The marks of the codes 0, 1, …"""
    return np.random.default_rng(_SEED).integers(1, _MOST, codes)


def summed(rows: ir.Table, told: Mapping[str, NDArray[np.int64]]) -> ir.Table:
    """customer_id and sums over the rows (customer_id, code): of told[name][code], by name."""
    names = list(told)
    book = pd.DataFrame({"code": np.arange(len(next(iter(told.values())))), **told})
    found = rows.join(table_of(book, dict.fromkeys(["code", *names], "int64")), "code")
    return found.group_by("customer_id").agg(**{name: found[name].sum().cast("int64") for name in names})


def read_lists(customers: ir.Table, column: str, rows: ir.Table) -> Lists:
    """The lists behind the sums in a column of the customers; `rows` has customer_id and code."""
    codes = read_codes(customers, column, rows)
    lists: Lists = {NONE: ()}
    ordered = codes.sort_values([column, "code"])
    for number, code in zip(ordered[column].tolist(), ordered.code.tolist(), strict=True):
        lists[number] = (*lists.get(number, ()), code)
    return lists


def read_codes(customers: ir.Table, column: str, rows: ir.Table) -> pd.DataFrame:
    """The column and code: the codes behind each sum, in no order, read off one customer for each."""
    some = customers.group_by(column).agg(customer_id=customers.customer_id.min())
    return frame_of(some.join(rows, "customer_id").select(column, "code"))
