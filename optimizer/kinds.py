"""Kinds of customers: all that tells them apart but their earlier contacts."""

from __future__ import annotations

from dataclasses import dataclass

import ibis.expr.types as ir
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from optimizer.customer_keys import KIND, CustomerKeys
from optimizer.frames import frame_of, table_of
from optimizer.patterns import Patterns


@dataclass(frozen=True)
class Kinds:
    """`rows` has a row for each kind that the keys tell apart: the columns KIND and `customers`.

    By kind: `pattern` what its customers may have, `free` the pattern they would have if not held out (-1
    for those who are not).
    """

    rows: pd.DataFrame
    pattern: NDArray[np.int64]
    free: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.pattern)

    def of_customers(self, keys: CustomerKeys) -> ir.Table:
        """customer_id, held_out, earlier and kind of every customer."""
        book = self.rows.assign(kind=np.arange(len(self)))
        rows = table_of(book, {**dict(keys.table.select(KIND).schema()), "kind": "int64"})
        return keys.table.join(rows, KIND).select("customer_id", "held_out", "earlier", "kind")


def kinds_of(keys: CustomerKeys, patterns: Patterns) -> Kinds:
    """All kinds that the keys tell apart, in the order of KIND."""
    rows = frame_of(keys.table.group_by(KIND).agg(customers=keys.table.count()))
    rows = rows.sort_values(KIND, ignore_index=True)
    held = rows.held_out.to_numpy(dtype=bool)
    pattern, free = patterns.number(rows, held), np.full(len(rows), -1, dtype=np.int64)
    free[held] = patterns.number(rows[held], np.zeros(int(held.sum()), dtype=bool))
    return Kinds(rows, pattern, free)
