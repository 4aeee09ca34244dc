"""Customers' rows on this machine, where the run's files are written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

import ibis.expr.types as ir
import pyarrow as pa

from optimizer.engine import Engine
from optimizer.engine_duckdb import DuckDB

BATCH = 100_000


@contextmanager
def on_this_machine(engine: Engine, tables: Sequence[tuple[ir.Table, list[str]]]) -> Iterator[list[ir.Table]]:
    """Yield the tables, each of which is sorted by the columns given, in a DuckDB of this process.

    Whichever engine made the rows, the files are then written by the same hand. The rows come over batch
    by batch, and what memory does not hold is spilled.
    """
    if isinstance(engine, DuckDB):
        yield [rows for rows, _ in tables]
        return
    local = DuckDB()
    try:
        copies = []
        for number, (rows, order) in enumerate(tables):
            name = f"rows {number}"
            copy = local.connection.create_table(name, schema=rows.schema())
            # Handed over one by one, not as a stream: what fails on the way comes out as it is.
            for batch in batches(engine, rows):
                local.connection.insert(name, pa.Table.from_batches([batch]))
            copies.append(copy.order_by(order))
        yield copies
    finally:
        local.close()


def batches(engine: Engine, rows: ir.Table) -> pa.RecordBatchReader:
    """The rows in batches of at most BATCH, never all at once."""
    if engine.name != "spark":
        return engine.connection.to_pyarrow_batches(rows, chunk_size=BATCH)
    schema = rows.schema().to_pyarrow()
    found = engine.connection.frame(rows).toLocalIterator(prefetchPartitions=True)
    kind = pa.struct(list(schema))
    pieces = iter(lambda: list(islice(found, BATCH)), [])
    cut = (pa.RecordBatch.from_struct_array(pa.array(piece, type=kind)) for piece in pieces)
    return pa.RecordBatchReader.from_batches(schema, cut)
