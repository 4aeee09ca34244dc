"""Odd names of columns, channels, campaigns, units and segments on each engine: the contacts of DuckDB."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from engine_cases import QUICK_ON_POSTGRES, workspace
from odd_names import odd_plan, odd_tables

from optimizer import pipeline


@pytest.mark.parametrize("engine", QUICK_ON_POSTGRES)
def test_odd_names_mean_the_same_everywhere(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    plan = odd_plan()
    tables = {
        name: pa.Table.from_pandas(table, preserve_index=False) for name, table in odd_tables(plan).items()
    }
    results = []
    for one in ("duckdb", engine):
        loaded, options = workspace(one, request, tmp_path / one, plan, tables)
        result = pipeline.run(loaded, engine=options)
        results.append((result.calendar, result.control, result.assignments))
        result.engine.close()
    for expected, found in zip(*results, strict=True):
        pd.testing.assert_frame_equal(found, expected)
    assert len(results[0][0])
