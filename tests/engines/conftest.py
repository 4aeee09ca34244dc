"""A real PostgreSQL server and a real Spark session for the tests that want them, one of each a process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from postgres_server import NoPostgreSQL, PostgresServer

ASKED_FOR = "CONTACTPLAN_ENGINES"
"""Set to `all` in the environment, an engine that is missing is a failure; else its tests are passed over."""


def missing(what: str) -> None:
    """Passes over the test, or fails it where all engines were asked for."""
    if os.environ.get(ASKED_FOR) == "all":
        pytest.fail(f"{what}, and {ASKED_FOR} asks for all engines")
    pytest.skip(what)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server without data, whose own order of texts is not that of bytes."""
    try:
        import psycopg  # noqa: F401, PLC0415
    except ImportError:
        missing("psycopg is not installed: pip install 'contactplan[postgres]'")
    try:
        server = PostgresServer()
    except NoPostgreSQL:
        missing("PostgreSQL's server is not installed: apt install postgresql")
    yield server
    server.remove()


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A small session of this machine; the engine uses a session that the process has."""
    try:
        from pyspark.errors import PySparkException  # noqa: PLC0415
        from pyspark.sql import SparkSession  # noqa: PLC0415
    except ImportError:
        missing("PySpark is not installed: pip install 'contactplan[spark]'")
    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
        "spark.driver.memory": "1g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.shuffle.partitions": "2",
        # Compiling takes longer than the few rows of a test.
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.warehouse.dir": str(tmp_path_factory.mktemp("warehouse")),
    }
    try:
        session = SparkSession.builder.master("local[2]").config(map=settings).getOrCreate()
    except (PySparkException, RuntimeError, OSError):
        missing("Spark does not start: it needs Java 17")
    yield session
    session.stop()
