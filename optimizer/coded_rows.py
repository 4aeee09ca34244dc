"""Rows that customers have in common: each is the number of a customer and a code, the rest is in a book.

A calendar has as many rows as customers have contacts, yet few that differ in more than the customer. So the
engine keeps two numbers a row, and what a code means stands once, on the client.
"""

from __future__ import annotations

from dataclasses import dataclass

import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa

from optimizer.frames import arrow_of, frame_of, table_of

CODE = "code"


@dataclass(frozen=True)
class CodedRows:
    """`rows` has customer_id and code, in an engine.

    `book` has a row for each code, in ascending order, with the columns of `kinds` (and their types).
    """

    rows: ir.Table
    book: pd.DataFrame
    kinds: dict[str, str]

    @classmethod
    def of(cls, rows: ir.Table, kinds: dict[str, str]) -> CodedRows:
        """Rows that have customer_id and the columns of `kinds`, none of them NULL, coded."""
        book = frame_of(rows.select(*kinds).distinct()).sort_values(list(kinds), ignore_index=True)
        book = book.assign(**{CODE: range(len(book))})
        coded = rows.join(table_of(book, {**kinds, CODE: "int32"}), list(kinds))
        return cls(coded.select("customer_id", CODE), book, kinds)

    @property
    def id_type(self) -> pa.DataType:
        """The type of customer_id."""
        return self.rows.schema().to_pyarrow().field("customer_id").type

    def book_arrays(self) -> dict[str, pa.Array]:
        """The columns of `kinds` in the order of the book."""
        told = arrow_of(self.book, self.kinds)
        return dict(zip(self.kinds, told.columns, strict=True))

    def table(self) -> ir.Table:
        """customer_id and what its codes mean, in the engine; not sorted."""
        return self.with_columns(list(self.kinds)).drop(CODE)

    def with_columns(self, names: list[str]) -> ir.Table:
        """customer_id, code and some of the book's columns."""
        book = table_of(self.book, {CODE: "int32", **{name: self.kinds[name] for name in names}})
        return self.rows.join(book, CODE).select("customer_id", CODE, *names)
