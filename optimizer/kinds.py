"""Kinds of customers: all that tells them apart but their earlier contacts and their own figures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

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

    @cached_property
    def segments(self) -> tuple[str, ...]:
        """The labels of the segments, whole numbers by value, then texts."""
        return tuple(sorted(self.rows.segment.unique(), key=segment_order))

    def of_customers(self, customers: ir.Table) -> ir.Table:
        """customer_id, held_out, earlier and kind of every customer, and `figures` if there are any.

        `customers` is CustomerKeys.table, or OwnFigures.customers.
        """
        book = self.rows.assign(kind=np.arange(len(self)))
        rows = table_of(book, {**dict(customers.select(KIND).schema()), "kind": "int64"})
        own = ["figures"] if "figures" in customers.columns else []
        return customers.join(rows, KIND).select("customer_id", "held_out", "earlier", "kind", *own)


def kinds_of(keys: CustomerKeys, patterns: Patterns) -> Kinds:
    """All kinds that the keys tell apart, in the order of KIND."""
    rows = frame_of(keys.table.group_by(KIND).agg(customers=keys.table.count()))
    rows = rows.sort_values(KIND, ignore_index=True)
    held = rows.held_out.to_numpy(dtype=bool)
    pattern, free = patterns.number(rows, held), np.full(len(rows), -1, dtype=np.int64)
    free[held] = patterns.number(rows[held], np.zeros(int(held.sum()), dtype=bool))
    return Kinds(rows, pattern, free)


def segment_order(label: object) -> tuple[int, int, str]:
    """Whole numbers by value, then texts."""
    text = str(label)
    return (0, int(text), "") if text.lstrip("-").isdecimal() else (1, 0, text)
