"""The same plan on DuckDB, PostgreSQL and Spark: the same rows read, the same faults, the same contacts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from benchmarks.scored_workspace import scored_plan, scored_tables
from customer_level_cases import plan_of, planted
from engine_cases import OTHERS, QUICK_ON_POSTGRES, arrow, shuffled, workspace
from oracle.random_workspace import random_workspace

from models.features import customer_features
from models.synthetic import make_base
from models.synthetic_truth import CHANNELS
from optimizer import pipeline
from optimizer.audit import audit_calendar
from optimizer.coded_rows import CodedRows
from optimizer.committed import committed_contacts
from optimizer.faults import BadInput, Fault
from optimizer.frames import frame_of, table_of
from optimizer.plan_file import Plan
from optimizer.response_rates import response_rates
from optimizer.result import Result
from optimizer.segmenting import find_segments
from optimizer.tables import Tables, open_tables
from optimizer.timetable import Timetable

START = date(2026, 11, 30)
PLAN: dict[str, Any] = {
    "name": "alike",
    "currency": "EUR",
    "period": {"start": START},
    "channels": {"email": {"unit_cost": 0.01}, "it's \"mail\"; \\": {"unit_cost": 1.0}},
    "campaigns": {
        "sale": {"type": "promotional", "audience": "`odd \"name\"; --` > 1", "margin_per_response": 9}
    },
    "policy": {"restrictions": {"Ärger": {"blocks": ["promotional"]}, "debt": {"blocks": "all"}}},
    "data": {"timezone": "Europe/Berlin"},
}  # fmt: skip
IDS = ["a", "B", "ä", "Z", "_", "10", "9"]
DAYS = [
    "2026-11-01", "2024-02-29", " 2026-10-31 ", "2026-10-30T23:30:00Z", "2026-10-30 23:30:00+0200",
    "2026-10-30 12:00:00.5", "2026-03-29T01:30:00-01",
]  # fmt: skip
WRONG_DAYS = ["2026-02-29", "30.11.2026", "2026-13-01", "0000-01-01", "2026-1-1", "2026-10-30 25:00", "x"]


def reading_tables() -> dict[str, pa.Table]:
    """Cells of many types and spellings, all of them good."""
    first = datetime.fromisoformat("2026-10-30T23:30")
    moments = [first + timedelta(days=n) for n in range(7)]
    return {
        "customers": pa.table(
            {
                "customer_id": IDS,
                "household_id": ["h", None, "", "it's", 'q"', "b\\s", "new\nline"],
                "max_contacts": pa.array([3, None, 0, 1, 2, 5, 4], pa.int32()),
                'odd "name"; --': [1.5, None, float("nan"), 2.0, 0.1, 1e300, -1.0],
                "amount": pa.array([Decimal("1.10"), None, *[Decimal("-3.25")] * 5], pa.decimal128(10, 2)),
                "active": [True, False, None, True, True, False, False],
                "Region": ["ärmel", "Zürich", "", "v", "f", " x ", None],
            }
        ),
        "permissions": pa.table(
            {
                "customer_id": IDS,
                "channel": ["email", 'it\'s "mail"; \\', *["email"] * 5],
                "status": [" granted ", "DENIED", "Granted\t", *["granted"] * 4],
                "valid_from": pa.array(moments, pa.timestamp("us")),
                "valid_to": pa.array([None, *moments[1:]], pa.timestamp("us", "UTC")),
            }
        ),
        "contact_history": pa.table(
            {
                "customer_id": [*IDS, "stranger"],
                "contacted_on": [*DAYS, "2026-11-02"],
                "channel": ["email"] * 7 + ["fax"],
                "campaign": ["sale"] * 8,
                "delivered": ["1", " 0", None, *["1"] * 5],
                "responded_on": [None, "2026-11-05", *[None] * 6],
                "revenue": ["1.5", "-.5", "3.", "1e3", " 7 ", None, "+2", "0"],
                "margin": pa.array([1, 2, None, 4, 5, 6, 7, 8], pa.int64()),
                "control": [False, True, None, *[False] * 5],
            }
        ),
        "restrictions": pa.table(
            {"customer_id": IDS[:2], "reason": ["äRGER", "Debt"], "starts_on": [START, date(2020, 2, 29)]}
        ),
    }


def faulty_tables() -> dict[str, pa.Table]:
    """Much that is wrong, in every way that is counted by row."""
    good = reading_tables()
    return {
        "customers": pa.concat_tables([good["customers"], good["customers"].slice(1, 2)]),
        "permissions": pa.table(
            {
                "customer_id": [*IDS[::-1], None, "nobody"],
                "channel": ["email"] * 8 + ["emial"],
                "status": ["granted"] * 6 + ["maybe", None, "granted"],
                "valid_from": [*WRONG_DAYS, None, "2026-11-02"],
                "valid_to": [None] * 8 + ["2026-11-01"],
            }
        ),
        "contact_history": pa.table(
            {
                "customer_id": IDS,
                "contacted_on": WRONG_DAYS,
                "channel": ["email"] * 7,
                "campaign": ["sale"] * 7,
                "type": ["promotonal", *[None] * 6],
                "delivered": ["2", "x", "1.0", "", "1", "0", "yes"],
                "revenue": ["1,5", "NaN", "inf", "1e99", "0x1", "1_000", "--1"],
                "margin": [float("inf"), *[1.0] * 6],
            }
        ),
        "restrictions": pa.table(
            {"customer_id": ["a", "b", "Z"], "reason": ["Ärger ", "anger", " "], "starts_on": [START] * 3}
        ),
    }


def rows(table: Any) -> list[tuple[Any, ...]]:
    """The rows of a table, None for what is empty, in an order of its own."""
    found = [tuple(row.values()) for row in table.to_pyarrow().to_pylist()]
    return sorted(found, key=repr)


@pytest.fixture
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """A function that opens a workspace on an engine; all is closed at the end."""
    engines = []

    def open_on(engine: str, plan: dict[str, Any], tables: dict[str, pa.Table]) -> tuple[Plan, Tables]:
        loaded, options = workspace(engine, request, tmp_path / engine, plan, tables)
        found = open_tables(loaded, options)
        engines.append(found.engine)
        assert found.engine.name == engine
        return loaded, found

    yield open_on
    for engine in engines:
        engine.close()


@pytest.mark.parametrize("engine", QUICK_ON_POSTGRES)
def test_the_same_is_read(engine: str, opened: Any) -> None:
    """Types, time zones, blanks, capitals and names in quotes."""
    _, first = opened("duckdb", PLAN, reading_tables())
    _, other = opened(engine, PLAN, reading_tables())
    assert rows(first.customers) != []
    for name in ("customers", "permissions", "contact_history", "restrictions", "commitments"):
        assert rows(getattr(other, name)) == rows(getattr(first, name)), name
    assert other.warnings == first.warnings
    assert any("channel" in words and "fax" not in words for words in first.warnings)
    assert {name: facts.get("rows") for name, facts in other.inputs.items()} == {
        name: facts.get("rows") for name, facts in first.inputs.items()
    }
    days = dict(zip(IDS, rows_of(first.contact_history, "contacted_on"), strict=True))
    # Half past eleven at night in UTC is the next day in Berlin; with an offset of two hours it is the same.
    assert days == dict(
        zip(
            IDS,
            [
                date(2026, 11, 1), date(2024, 2, 29), date(2026, 10, 31), date(2026, 10, 31),
                date(2026, 10, 30), date(2026, 10, 30), date(2026, 3, 29),
            ],
            strict=True,
        )
    )  # fmt: skip


def rows_of(table: Any, column: str) -> list[Any]:
    """A column in the order of IDS."""
    found = {row["customer_id"]: row[column] for row in table.to_pyarrow().to_pylist()}
    return [found[customer] for customer in IDS]


@pytest.mark.parametrize("engine", QUICK_ON_POSTGRES)
def test_the_same_faults_are_found(engine: str, opened: Any) -> None:
    """With the same first keys: their order is that of bytes, whatever the database's own order of texts."""

    def faults(name: str) -> tuple[Fault, ...]:
        with pytest.raises(BadInput) as bad:
            opened(name, PLAN, faulty_tables())
        return bad.value.faults

    first = faults("duckdb")
    assert faults(engine) == first
    assert len(first) >= 12
    assert any(fault.keys == ("10", "9", "B", "Z", "_") for fault in first)


@pytest.mark.parametrize("engine", QUICK_ON_POSTGRES)
def test_checksums_see_every_change_and_no_order(engine: str, opened: Any) -> None:
    _, found = opened(engine, PLAN, reading_tables())
    customers = reading_tables()["customers"]
    households = ["h", "", None, *customers["household_id"].to_pylist()[3:]]
    emptied = customers.set_column(1, "household_id", [households])
    turned = shuffled(customers, seed=1)
    moved = customers.set_column(0, "customer_id", [IDS[1::-1] + IDS[2:]])

    def checksum(table: pa.Table) -> int:
        rows = found.engine.keep("some", ibis.memtable(table.select(["customer_id", "household_id"])))
        digest = found.engine.fingerprint({name: rows[name] for name in rows.columns})
        return int(rows.aggregate(low=(digest & 0xFFFFFFFF).sum()).to_pyarrow()["low"][0].as_py())

    assert checksum(turned) == checksum(customers)
    assert len({checksum(customers), checksum(emptied), checksum(moved)}) == 3


@pytest.mark.parametrize("engine", QUICK_ON_POSTGRES)
def test_features_segments_and_rates_are_equal(engine: str, opened: Any) -> None:
    """To the last digit: nothing that follows has to compare what merely resembles."""
    base = make_base(250, seed=3, start=START)
    plan = {
        **PLAN,
        "channels": {name: {"unit_cost": 0.1} for name in CHANNELS},
        "campaigns": {"sale": {"type": "promotional", "margin_per_response": 9}},
        "policy": {"restrictions": {str(r): {"blocks": "all"} for r in reasons(base.tables["restrictions"])}},
        "segments": {"count": [3, 4]},
        "fatigue": {"keep": 0.8, "days": 28},
        "data": {},
    }
    found = {}
    for name in ("duckdb", engine):
        loaded, tables = opened(name, plan, base.tables)
        known = tables.as_of(START)
        features = customer_features(
            known.customers, known.transactions, known.contact_history, START, list(loaded.channels)
        )
        segments = find_segments(loaded, known, refit=True)
        rates = response_rates(loaded, known, segments)
        found[name] = (
            frame_of(features).sort_values("customer_id", ignore_index=True),
            frame_of(segments.table).sort_values("customer_id", ignore_index=True),
            segments.profile,
            rates.frame,
            committed_contacts(loaded, known),
        )
    assert len(found["duckdb"][0]) == 250
    assert found["duckdb"][3].contacts.sum() >= 0
    for first, other in zip(found["duckdb"], found[engine], strict=True):
        pd.testing.assert_frame_equal(other, first, check_exact=False, rtol=1e-12)


@pytest.mark.parametrize("engine", QUICK_ON_POSTGRES)
def test_bands_are_equal(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Every customer in the same band of response, and so the same contacts."""
    base = planted(0.9, customers=700)
    plan = plan_of(segments={"count": 2, "features": ["orders", "affinity", "response_rate"]})
    found = runs_alike(engine, request, tmp_path, plan, arrow(base.tables))
    bands = [run.response_bands for run in found]
    assert bands[0] is not None
    pd.testing.assert_frame_equal(bands[1], bands[0], check_exact=True)


def reasons(restrictions: pa.Table) -> list[Any]:
    return sorted(restrictions["reason"].unique().to_pylist())


@pytest.mark.parametrize("engine", QUICK_ON_POSTGRES)
def test_the_audit_finds_the_same(engine: str, opened: Any) -> None:
    plan, tables = random_workspace(120, seed=5)
    rng = np.random.default_rng(8)
    people = tables["customers"]
    n = 400
    drawn = rng.integers(len(people), size=n)
    days = rng.integers(plan["period"]["days"], size=n)
    calendar = pd.DataFrame(
        {
            "customer_id": people.customer_id.to_numpy()[drawn].astype(str),
            "contact_on": [plan["period"]["start"] + timedelta(days=int(day)) for day in days],
            "channel": rng.choice(list(plan["channels"]), n),
            "campaign": rng.choice(list(plan["campaigns"]), n),
            "segment": people.segment.to_numpy()[drawn].astype(str),
        }
    )
    kinds = {**dict.fromkeys(calendar.columns, "string"), "contact_on": "date"}
    breaches = {}
    for name in ("duckdb", engine):
        loaded, found = opened(name, plan, arrow(tables))
        kept = found.engine.keep("a calendar", table_of(calendar, kinds))
        labels = sorted(people.segment.astype(str).unique())
        coded = CodedRows.of(kept, kinds)
        breaches[name] = audit_calendar(loaded, found, coded, (), Timetable.of(loaded), segments=labels)
    assert breaches["duckdb"].rule.nunique() >= 5
    pd.testing.assert_frame_equal(breaches[engine], breaches["duckdb"])


def contacts_of(result: Any) -> list[pd.DataFrame]:
    return [
        rows if isinstance(rows, pd.DataFrame) else frame_of(rows)
        for rows in (result.calendar, result.control, result.assignments)
    ]


def runs_alike(
    engine: str,
    request: pytest.FixtureRequest,
    folder: Path,
    plan: dict[str, Any],
    tables: dict[str, pa.Table],
) -> tuple[Result, Result]:
    """Runs the plan on DuckDB and on the engine, there with its rows in another order."""
    turned = {name: shuffled(table, seed=1) for name, table in tables.items()}
    loaded, options = workspace("duckdb", request, folder / "duckdb", plan, tables)
    first = pipeline.run(loaded, engine=options)
    loaded, options = workspace(engine, request, folder / engine, plan, turned)
    other = pipeline.run(loaded, engine=options)
    for one, two in zip(contacts_of(first), contacts_of(other), strict=True):
        pd.testing.assert_frame_equal(two, one, check_exact=False, rtol=1e-9)
    assert len(contacts_of(first)[0]) > 20
    for figure in ("status", "contacts", "cells", "reached"):
        assert other.summary[figure] == first.summary[figure]
    assert other.summary["expected_value"] == pytest.approx(first.summary["expected_value"], rel=1e-9)
    return first, other


@pytest.mark.parametrize("engine", OTHERS)
def test_a_run_gives_the_same_contacts_row_for_row(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    plan, tables = random_workspace(150, seed=2)
    runs_alike(engine, request, tmp_path, plan, arrow(tables))


@pytest.mark.parametrize("merge_above", [200_000, 1], ids=["one by one", "from a menu"])
@pytest.mark.parametrize("engine", QUICK_ON_POSTGRES)
def test_own_figures_give_the_same_contacts(
    engine: str, merge_above: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    plan = {**scored_plan(120, 0.3), "merge_above": merge_above}
    scored = scored_tables(120, histories=True, seed=4)
    scored["scores"] = scored["scores"].assign(revenue_per_response=7.5)  # counts for nothing here
    tables = arrow(scored)
    first, other = runs_alike(engine, request, tmp_path, plan, tables)
    assert first.summary.get("chosen_from_menu", False) == (merge_above == 1)
    for figure in ("value", "value_segments_only", "upper_bound"):
        assert other.summary[figure] == pytest.approx(first.summary[figure], rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("engine", OTHERS)
def test_larger_runs_give_the_same_contacts_row_for_row(
    engine: str, seed: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    plan, tables = random_workspace(3_000, seed=seed)
    runs_alike(engine, request, tmp_path, plan, arrow(tables))
