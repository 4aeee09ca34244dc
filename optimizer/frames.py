"""Between the engine's tables and pandas, by way of Arrow: no index, no guessing of types."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa


def frame_of(table: ir.Table) -> pd.DataFrame:
    """The rows of a table as a DataFrame."""
    frame: pd.DataFrame = table.to_pyarrow().to_pandas()
    return frame


def table_of(frame: pd.DataFrame, schema: ibis.Schema | dict[str, object]) -> ir.Table:
    """A DataFrame as a table of the given column types, which it must have all."""
    return ibis.memtable(pa.Table.from_batches([arrow_of(frame, schema)]))


def arrow_of(frame: pd.DataFrame, schema: ibis.Schema | dict[str, object]) -> pa.RecordBatch:
    """A DataFrame as Arrow of the given column types, which it must have all."""
    wanted = ibis.schema(schema).to_pyarrow()
    if frame.empty:
        return pa.RecordBatch.from_pylist([], schema=wanted)
    rows = pa.Table.from_pandas(frame[wanted.names], schema=wanted, preserve_index=False)
    return rows.combine_chunks().to_batches()[0]  # texts may come in several chunks
