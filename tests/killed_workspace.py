"""A small workspace for runs that are killed, and what is asked of it after each kill."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
from oracle.workspace_files import write_workspace

EARLIER, START = date(2026, 11, 23), date(2026, 11, 30)
CUSTOMERS = 60


def small_plan(start: date, **changes: Any) -> dict[str, Any]:
    return {
        "name": "killed",
        "currency": "EUR",
        "period": {"start": start, "days": 14},
        "segments": {"count": 2, "features": ["spend"]},
        "response": {"from": "table"},
        "channels": {
            "email": {"unit_cost": 0.1, "capacity": [{"contacts": 9, "per": "day"}]},
            "phone": {"unit_cost": 2.0, "send_days": ["mon", "thu"]},
        },
        "campaigns": {
            "sale": {"type": "promotional", "margin_per_response": 50.0},
            "thanks": {"type": "recognition", "channels": ["email"], "value_per_contact": 0.3},
        },
        "policy": {"max_per_customer": [{"contacts": 1, "days": 7}]},
        "budget": [{"amount": 40}],
        "hold_out": {"share": 0.2},
        **changes,
    }


def small_tables() -> dict[str, pd.DataFrame]:
    ids = list(range(1, CUSTOMERS + 1))
    rates = [(str(s), "sale", channel, 0.02 * s) for s in (1, 2) for channel in ("email", "phone")]
    return {
        "customers": pd.DataFrame(
            {
                "customer_id": ids,
                "spend": [float(n * n % 97) for n in ids],
                "tier": [str(1 + n % 2) for n in ids],
            }
        ),
        "permissions": pd.DataFrame(
            {"customer_id": ids * 2, "channel": ["email"] * CUSTOMERS + ["phone"] * CUSTOMERS}
        ).assign(status="granted"),
        "response_rates": pd.DataFrame(rates, columns=["segment", "campaign", "channel", "response_rate"]),
    }


def write_small(folder: Path, start: date = START, **changes: Any) -> Path:
    """The plan of the period that begins on `start`, with its tables as files."""
    return write_workspace(folder, small_plan(start, **changes), small_tables())


def contacts(folder: Path, start: date = START) -> pd.DataFrame:
    return pd.read_parquet(folder / "runs" / start.isoformat() / "calendar.parquet")


def checksums(run: Path) -> dict[str, str]:
    """The SHA-256 of each file of a run, by its path inside."""
    return {
        str(file.relative_to(run)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(run.rglob("*"))
        if file.is_file()
    }


def assert_whole(run: Path) -> None:
    """A run folder holds all its files, and its manifest's checksums are right."""
    names = {file.name for file in run.iterdir()}
    assert {"calendar.parquet", "control.parquet", "assignments.parquet", "report.html"} <= names
    summary = json.loads((run / "summary.json").read_text())
    assert len(pd.read_parquet(run / "calendar.parquet")) == summary["contacts"]
    assert len(pd.read_parquet(run / "assignments.parquet")) == summary["customers"]
    manifest = json.loads((run / "exports" / "manifest.json").read_text())
    sums = checksums(run / "exports")
    assert {file["file"]: file["sha256"] for file in manifest["files"]}.items() <= sums.items()
    assert (run / "report.html").read_text().rstrip().endswith("</html>")


def visible_runs(folder: Path) -> list[str]:
    runs = folder / "runs"
    return sorted(p.name for p in runs.iterdir() if not p.name.startswith(".")) if runs.is_dir() else []


def leftovers(folder: Path) -> list[str]:
    """Hidden files and folders anywhere in the workspace."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob(".*"))
