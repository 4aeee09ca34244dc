"""Writing a plan and its tables as a workspace that the product reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

# Half of the tables go out as CSV: their ids are text then, the customers' may be integers.
PARQUET = ("customers", "contact_history")


def write_workspace(folder: Path, plan: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]) -> Path:
    """Write `plan.yaml` and the tables that have rows; returns the path of the plan.

    Columns without any value are left out, as they are optional.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data = {}
    for name, table in tables.items():
        if table.empty:
            continue
        frame = table.dropna(axis="columns", how="all")
        data[name] = f"{name}.parquet" if name in PARQUET else f"{name}.csv"
        if name in PARQUET:
            frame.to_parquet(folder / data[name], index=False)
        else:
            frame.to_csv(folder / data[name], index=False)
    words = yaml.safe_dump({**plan, "data": data}, sort_keys=False, allow_unicode=True)
    path = folder / "plan.yaml"
    # The contract writes the key `on` without quotes, which YAML 1.1 takes for true.
    path.write_text(words.replace("'on':", "on:"), encoding="utf-8")
    return path
