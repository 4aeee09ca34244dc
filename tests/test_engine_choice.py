"""Which engine is opened, with which settings, and what is refused with which words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pytest

from optimizer.engine_choice import EngineOptions
from optimizer.engine_duckdb import DuckDB
from optimizer.faults import BadInput, Fault
from optimizer.plan_file import load_plan
from optimizer.qualified_name import parts_of
from optimizer.tables import open_tables

HEAD = "name: small\ncurrency: EUR\nperiod: {start: 2026-11-30}\nchannels: {email: {unit_cost: 0.01}}\n"
FILES = "data: {customers: customers.csv, permissions: permissions.csv}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "customers.csv").write_text("customer_id\n1\n2\n")
    (tmp_path / "permissions.csv").write_text("customer_id,channel,status\n1,email,granted\n")
    return tmp_path


def plan(folder: Path, data: str) -> Path:
    (folder / "plan.yaml").write_text(HEAD + data)
    return folder


def fault(folder: Path, options: EngineOptions | None = None) -> Fault:
    with pytest.raises(BadInput) as bad:
        open_tables(load_plan(folder), options or EngineOptions())
    (found,) = bad.value.faults
    return found


def setting(connection: Any, name: str) -> Any:
    return connection.con.execute("SELECT current_setting(?)", [name]).fetchone()[0]


def test_duckdb_reads_files_within_the_memory_and_threads_given(folder: Path) -> None:
    tables = open_tables(load_plan(plan(folder, FILES)), EngineOptions("duckdb", 1, "512MiB"))
    connection = tables.engine.connection
    assert (setting(connection, "threads"), setting(connection, "memory_limit")) == (1, "512.0 MiB")
    spill = Path(setting(connection, "temp_directory"))
    assert spill.is_dir()
    tables.engine.close()
    assert not spill.exists()


def test_without_a_limit_duckdb_takes_half_of_what_it_would() -> None:
    engine, own = DuckDB(), ibis.duckdb.connect()
    amounts = [float(setting(c, "memory_limit").split()[0]) for c in (engine.connection, own)]
    assert amounts[0] == pytest.approx(amounts[1] / 2, rel=0.02)
    engine.close()
    own.disconnect()


def test_tables_of_a_duckdb_file(folder: Path) -> None:
    """By qualified and odd names; nothing that is kept gets into the file."""
    connection = ibis.duckdb.connect(folder / "base.duckdb")
    connection.create_database("crm")
    connection.create_table('odd; "table', pa.table({"customer_id": [1, 2]}), database="crm")
    connection.create_table(
        "permissions", pa.table({"customer_id": [1], "channel": ["email"], "status": ["granted"]})
    )
    connection.disconnect()
    data = """
data:
  database: {url: 'duckdb://base.duckdb', customers: 'crm."odd; ""table"', permissions: permissions}
"""
    tables = open_tables(load_plan(plan(folder, data)))
    kept = tables.engine.keep("kept", tables.customers)
    assert kept.count().to_pyarrow().as_py() == 2
    assert tables.inputs["customers"]["rows"] == 2
    tables.engine.close()
    connection = ibis.duckdb.connect(folder / "base.duckdb")
    assert connection.raw_sql("SHOW TABLES").fetchall() == [("permissions",)]
    connection.disconnect()
    missing = plan(folder, data.replace("permissions: permissions", "permissions: crm.permissions"))
    assert fault(missing).rule == "crm.permissions: there is no such table in the database"
    (folder / "base.duckdb").write_bytes(b"no database at all, but long enough to be one" * 100)
    assert fault(plan(folder, data)).rule == "cannot be opened as a DuckDB database"
    (folder / "base.duckdb").unlink()
    assert fault(plan(folder, data)).rule == "names no file"


def test_the_url_comes_from_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = "data: {database: {url: '${CONTACTPLAN_NO_DB}', customers: c, permissions: p}}\n"
    monkeypatch.delenv("CONTACTPLAN_NO_DB", raising=False)
    found = fault(plan(folder, data))
    assert (found.where, found.rule) == (
        "data.database.url",
        "the environment has no variable CONTACTPLAN_NO_DB",
    )
    monkeypatch.setenv("CONTACTPLAN_NO_DB", "mysql://user:secret@host/base")
    found = fault(plan(folder, data))
    assert found.rule == "is no URL of a database that can be used"
    assert "secret" not in str(found)


@pytest.mark.parametrize(
    ("options", "where"),
    [
        (EngineOptions("postgres"), "--engine"),
        (EngineOptions(None, None, "much"), "--memory-limit"),
        (EngineOptions(None, None, "1MiB"), "--memory-limit"),
    ],
)
def test_options_are_refused(folder: Path, options: EngineOptions, where: str) -> None:
    assert fault(plan(folder, FILES), options).where == where


def test_tables_come_all_from_files_or_all_from_the_database(folder: Path) -> None:
    both = "data: {customers: customers.csv, database: {url: x, customers: c, permissions: p}}\n"
    with pytest.raises(BadInput, match=r"data\.customers: is a file, and data\.database is given"):
        load_plan(plan(folder, both))
    with pytest.raises(BadInput, match=r"data\.permissions: is missing"):
        load_plan(plan(folder, "data: {customers: customers.csv}\n"))
    with pytest.raises(BadInput, match=r"data\.database\.permissions: is missing"):
        load_plan(plan(folder, "data: {database: {url: x, customers: c}}\n"))
    table = "data: {database: {url: x, customers: c, permissions: p}}\nresponse: {from: table}\n"
    with pytest.raises(BadInput, match=r"data\.database\.response_rates: response\.from is table"):
        load_plan(plan(folder, table))


def test_qualified_names() -> None:
    assert parts_of("CRM.Customers", fold=True) == ("crm", "customers")
    assert parts_of('crm."odd; ""Table"""', fold=True) == ("crm", 'odd; "Table"')
    assert parts_of("catalog.`a b`.c") == ("catalog", "a b", "c")
    for wrong in ("", "a..b", "a b", "a;b", '"a', "a.", '"a"b'):
        with pytest.raises(ValueError, match="is no name of a table"):
            parts_of(wrong)
