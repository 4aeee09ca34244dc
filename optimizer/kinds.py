"""Kinds of customers: all that tells them apart but their earlier contacts and their own figures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import ibis.expr.types as ir
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from optimizer.customer_keys import AUDIENCES, KIND, CustomerKeys
from optimizer.frames import frame_of, table_of
from optimizer.patterns import Patterns


@dataclass(frozen=True)
class Kinds:
    """`rows` has a row for each kind that the keys tell apart: the columns KIND and `customers`.

    Segments are texts there, audiences a text of 0 and 1, one for each campaign of audience_campaigns; `told`
    has the columns of the keys' table instead. By kind: `pattern` what its customers may have, `free` the
    pattern they would have if not held out (-1 for those who are not).
    """

    rows: pd.DataFrame
    told: pd.DataFrame
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
        names = list(self.told.columns)
        book = self.told.assign(kind=np.arange(len(self)))
        rows = table_of(book, {**dict(customers.select(names).schema()), "kind": "int32"})
        own = ["figures"] if "figures" in customers.columns else []
        return customers.join(rows, names).select("customer_id", "held_out", "earlier", "kind", *own)


def kinds_of(keys: CustomerKeys, patterns: Patterns) -> Kinds:
    """All kinds that the keys tell apart, in the order of KIND."""
    apart = ("customer_id", "band", "scores", "earlier")
    told = [name for name in keys.table.columns if name not in apart]
    found = frame_of(keys.table.group_by(told).agg(customers=keys.table.count()))
    segment, audiences = found.segment.astype(str), _audiences(found, len(keys.audience_campaigns))
    rows = found.assign(segment=segment, audiences=audiences, **keys.same)[[*KIND, "customers"]]
    rows = rows.sort_values(KIND)
    found, rows = found.loc[rows.index, told], rows.reset_index(drop=True)
    held = rows.held_out.to_numpy(dtype=bool)
    pattern, free = patterns.number(rows, held), np.full(len(rows), -1, dtype=np.int64)
    free[held] = patterns.number(rows[held], np.zeros(int(held.sum()), dtype=bool))
    return Kinds(rows, found.reset_index(drop=True), pattern, free)


def _audiences(rows: pd.DataFrame, count: int) -> list[str]:
    """The bits of the audiences as texts."""
    texts = [""] * len(rows)
    for begin in range(0, count, AUDIENCES):
        width = min(AUDIENCES, count - begin)
        words = rows[f"audiences_{begin // AUDIENCES}"].tolist()
        texts = [text + f"{word:0{width}b}"[::-1] for text, word in zip(texts, words, strict=True)]
    return texts


def segment_order(label: object) -> tuple[int, int, str]:
    """Whole numbers by value, then texts."""
    text = str(label)
    return (0, int(text), "") if text.lstrip("-").isdecimal() else (1, 0, text)
