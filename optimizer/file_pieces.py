"""Customers' rows on their way into files: in order, piece by piece, into several files at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from optimizer.coded_rows import CODE, CodedRows
from optimizer.engine_duckdb import DuckDB
from optimizer.local_rows import batches


@dataclass(frozen=True)
class Piece:
    """Some rows of a file in their order: `own` has the columns that codes do not tell.

    `place` is that of each row's code in the book.
    """

    own: dict[str, pa.Array]
    place: NDArray[np.int64]


class Writer(Protocol):
    """Takes the pieces of a table in their order, for one file or several."""

    def write(self, piece: Piece) -> None:
        """Write the rows that come next."""


def write_pieces(local: DuckDB, ordered: ir.Table, coded: CodedRows, writers: Sequence[Writer]) -> None:
    """Give the rows to all writers, which work at the same time, each on one piece after the other.

    `ordered` has code and the columns that codes do not tell, sorted.
    """
    with ThreadPoolExecutor(len(writers)) as pool:
        at_work: list[Future[None]] = []
        for piece in _pieces(local, ordered, coded):
            _wait(at_work)
            at_work = [pool.submit(writer.write, piece) for writer in writers]
        _wait(at_work)


def _wait(at_work: list[Future[None]]) -> None:
    for done in at_work:
        done.result()


def _pieces(local: DuckDB, ordered: ir.Table, coded: CodedRows) -> Iterator[Piece]:
    codes = coded.book[CODE].to_numpy(dtype=np.int64)
    place = np.zeros(codes.max(initial=-1) + 1, dtype=np.int64)
    place[codes] = np.arange(len(codes))
    own = [name for name in ordered.columns if name != CODE]
    with batches(local, ordered) as found:
        for batch in found:
            yield Piece({name: batch.column(name) for name in own}, place[batch.column(CODE).to_numpy()])
