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
    wanted = ibis.schema(schema)
    if frame.empty:
        return ibis.memtable(wanted.to_pyarrow().empty_table())
    rows = pa.Table.from_pandas(frame[list(wanted.names)], schema=wanted.to_pyarrow(), preserve_index=False)
    return ibis.memtable(rows)
