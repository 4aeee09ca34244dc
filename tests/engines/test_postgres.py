"""What goes wrong between a plan and a PostgreSQL server is bad input, told without the password."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pytest
from engine_cases import load, workspace
from postgres_server import PASSWORD, PostgresServer
from typer.testing import CliRunner

from optimizer.cli import app
from optimizer.engine_choice import EngineOptions
from optimizer.faults import BadInput, Fault
from optimizer.plan_file import load_plan
from optimizer.tables import open_tables

pytestmark = pytest.mark.postgres

PLAN: dict[str, Any] = {
    "name": "server",
    "currency": "EUR",
    "period": {"start": "2026-11-30"},
    "channels": {"email": {"unit_cost": 0.01}},
}
TABLES = {
    "customers": pa.table({"customer_id": [1, 2], 'customer "id"; drop': ["x", None]}),
    "permissions": pa.table({"customer_id": ["1"], "channel": ["email"], "status": ["granted"]}),
}


def plan_of(folder: Path, url: str, **tables: str) -> Path:
    named = "".join(f"    {name}: {table!r}\n" for name, table in tables.items())
    (folder / "plan.yaml").write_text(
        "name: server\ncurrency: EUR\nperiod: {start: 2026-11-30}\nchannels: {email: {unit_cost: 0.01}}\n"
        f"data:\n  database:\n    url: '{url}'\n{named}",
        encoding="utf-8",
    )
    return folder


def fault(folder: Path, options: EngineOptions | None = None) -> Fault:
    with pytest.raises(BadInput) as bad:
        open_tables(load_plan(folder), options or EngineOptions())
    (found,) = bad.value.faults
    return found


@pytest.fixture
def shop(postgres: PostgresServer) -> PostgresServer:
    """The server with a schema that holds the tables."""
    load(postgres.url, "shop", TABLES)
    return postgres


def test_a_server_that_cannot_be_reached(tmp_path: Path, postgres: PostgresServer) -> None:
    """Closed port, wrong password, no such database: each with what to do, none with the URL."""
    names = {"customers": "c", "permissions": "p"}
    closed = plan_of(tmp_path, "postgresql://planner:s3cret@127.0.0.1:1/postgres", **names)
    assert fault(closed).rule == "the server cannot be reached"
    wrong = re.sub(r":[^:@]+@", ":s3cret@", postgres.url)
    found = fault(plan_of(tmp_path, wrong, **names))
    assert found.rule == "the server refuses the user or the password"
    assert "s3cret" not in str(found)
    elsewhere = plan_of(tmp_path, postgres.url.replace("/postgres", "/nowhere"), **names)
    assert fault(elsewhere).rule == "there is no such database or user"


def test_the_password_is_not_shown(tmp_path: Path, shop: PostgresServer) -> None:
    folder = plan_of(tmp_path, shop.url, customers="shop.nothing", permissions='shop."the ""permissions"""')
    told = CliRunner().invoke(app, ["check", str(folder)])
    assert told.exit_code == 2
    assert "shop.nothing" in told.output
    assert PASSWORD not in told.output
    assert "%25word" not in told.output
    assert shop.url not in repr(load_plan(folder).data)


def test_tables_that_are_not_there_or_not_to_be_read(tmp_path: Path, shop: PostgresServer) -> None:
    good = {"customers": 'shop."the ""customers"""', "permissions": 'shop."the ""permissions"""'}
    for name in ("shop.customers", "nowhere.customers", 'SHOP."The ""customers"""', "a.b.c"):
        found = fault(plan_of(tmp_path, shop.url, **{**good, "customers": name}))
        assert found.where == "data.database.customers", name
        assert found.rule == f"{name}: there is no such table in the database"
    found = fault(plan_of(tmp_path, shop.url, **{**good, "customers": "shop.customers; drop table x"}))
    assert found.rule == "'shop.customers; drop table x' is no name of a table"
    connection = ibis.connect(shop.url)
    connection.raw_sql("DROP ROLE IF EXISTS guest").close()
    connection.raw_sql("CREATE ROLE guest LOGIN PASSWORD 'guest'").close()
    connection.raw_sql("GRANT USAGE ON SCHEMA shop TO guest").close()
    connection.disconnect()
    guest = re.sub(r"//[^@]+@", "//guest:guest@", shop.url)
    with pytest.raises(BadInput) as bad:
        open_tables(load_plan(plan_of(tmp_path, guest, **good)))
    assert {found.rule.split(": ")[1] for found in bad.value.faults} == {"this user may not read the table"}


def test_an_unquoted_name_is_in_lower_case_and_found_on_the_search_path(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    connection = ibis.connect(postgres.url)
    for name, table in TABLES.items():
        connection.create_table(f"plain_{name}", table, overwrite=True)
    connection.disconnect()
    folder = plan_of(
        tmp_path, postgres.url, customers="PLAIN_Customers", permissions="public.plain_permissions"
    )
    tables = open_tables(load_plan(folder))
    assert tables.integer_ids
    assert tables.customers.count().to_pyarrow().as_py() == 2
    assert 'customer "id"; drop' in tables.customers.columns
    # A kept table of the same name hides no table of the database, nor takes its place.
    tables.engine.keep("plain_customers", tables.customers.limit(1))
    again = tables.engine.keep("plain_customers", tables.customers)
    assert again.count().to_pyarrow().as_py() == 2
    tables.engine.close()
    connection = ibis.connect(postgres.url)
    assert sorted(connection.list_tables(like="plain")) == ["plain_customers", "plain_permissions"]
    connection.disconnect()


def test_nothing_is_left_in_the_database(
    tmp_path: Path, shop: PostgresServer, request: pytest.FixtureRequest
) -> None:
    plan, options = workspace("postgres", request, tmp_path / "left", PLAN, TABLES)
    tables = open_tables(plan, options)
    tables.engine.keep("something", tables.customers)
    count = "SELECT count(*) FROM pg_class WHERE relname LIKE 'something%'"
    connection = ibis.connect(shop.url)
    assert connection.raw_sql(count).fetchone() == (1,)
    tables.engine.close()
    for _ in range(50):
        if connection.raw_sql(count).fetchone() == (0,):
            break
        time.sleep(0.1)  # the server cleans up when it gets to it
    assert connection.raw_sql(count).fetchone() == (0,)
    connection.disconnect()


def test_options_that_mean_nothing_to_a_server(tmp_path: Path) -> None:
    folder = plan_of(tmp_path, "postgresql://a@127.0.0.1:1/x", customers="c", permissions="p")
    assert fault(folder, EngineOptions(None, 2)).where == "--threads"
    assert fault(folder, EngineOptions(None, None, "1GiB")).where == "--memory-limit"
    assert fault(folder, EngineOptions("duckdb")).where == "--engine"
