"""Customers' rows on this machine, where the run's files are written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice

import ibis.expr.types as ir
import pyarrow as pa

from optimizer.coded_rows import CodedRows
from optimizer.engine import Engine
from optimizer.engine_duckdb import DuckDB

BATCH = 122_880


@contextmanager
def on_this_machine(engine: Engine, several: Sequence[CodedRows]) -> Iterator[tuple[DuckDB, list[CodedRows]]]:
    """Yield a DuckDB of this process, and the rows in it.

    Whichever engine made the rows, the files are then written by the same hand. The rows come over batch
    by batch, and what memory does not hold is spilled.
    """
    if isinstance(engine, DuckDB):
        yield engine, list(several)
        return
    local = DuckDB()
    try:
        copies = []
        for number, coded in enumerate(several):
            name = f"rows {number}"
            copy = local.connection.create_table(name, schema=coded.rows.schema())
            # Handed over one by one, not as a stream: what fails on the way comes out as it is.
            for batch in batches(engine, coded.rows):
                local.connection.insert(name, pa.Table.from_batches([batch]))
            copies.append(replace(coded, rows=copy))
        yield local, copies
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
