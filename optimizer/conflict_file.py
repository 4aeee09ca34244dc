"""`conflict.json` beside plan.yaml: which limits collided in the last run, if they did."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from optimizer.run_folder import to_disk

CONFLICT = "conflict.json"


def write_conflict(workspace: Path, conflict: dict[str, Any]) -> Path:
    """Write `conflict.json`, whole or not at all; its path. Raises OSError."""
    path = workspace / CONFLICT
    fresh = _fresh(workspace)
    try:
        fresh.write_text(json.dumps(conflict, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        to_disk(fresh)
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    to_disk(workspace)
    return path


def remove_conflict(workspace: Path) -> None:
    """Remove the `conflict.json` of an earlier run: the plan's limits hold now."""
    (workspace / CONFLICT).unlink(missing_ok=True)
    _fresh(workspace).unlink(missing_ok=True)


def _fresh(workspace: Path) -> Path:
    return workspace / f".{CONFLICT}.new"
