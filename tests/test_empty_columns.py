"""Columns without a value: Parquet keeps no type for them, and that is no fault."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from oracle.workspace_files import write_workspace
from test_weekly_run import small_plan, small_tables

from optimizer.faults import BadInput
from optimizer.plan_file import load_plan
from optimizer.tables import open_tables


def workspace(folder: Path, permissions: pd.DataFrame) -> Path:
    path = write_workspace(folder, small_plan(), small_tables())
    permissions.to_parquet(folder / "permissions.parquet", index=False)
    path.write_text(path.read_text(encoding="utf-8").replace("permissions.csv", "permissions.parquet"))
    return path


def test_an_optional_column_without_a_value(tmp_path: Path) -> None:
    given = small_tables()["permissions"].assign(valid_to=None, topic=None)
    tables = open_tables(load_plan(workspace(tmp_path, given)))
    assert tables.permissions.valid_to.type().is_date()
    assert tables.permissions.count().to_pyarrow().as_py() == 4


def test_an_empty_table_is_told_as_empty(tmp_path: Path) -> None:
    given = small_tables()["permissions"].assign(valid_to=None).head(0)
    with pytest.raises(BadInput) as bad:
        open_tables(load_plan(workspace(tmp_path, given)))
    assert [fault.where for fault in bad.value.faults] == ["permissions"]
    assert "empty" in str(bad.value)
