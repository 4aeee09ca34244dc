"""Which engine a plan runs on, and how it is opened; what stands in the way is bad input."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from optimizer.engine import CannotConnect, Engine
from optimizer.engine_duckdb import DuckDB
from optimizer.faults import BadInput, Fault

if TYPE_CHECKING:
    from optimizer.plan_file import Plan

URL = "data.database.url"
_VARIABLE = re.compile(r"[$][{]([A-Za-z_][A-Za-z0-9_]*)[}]")
_MEMORY = re.compile(r"^([0-9]+(?:[.][0-9]+)?) *([KMGT])(i?)B$", re.IGNORECASE)
_SCHEMES = {
    "postgresql://": "postgres", "postgres://": "postgres", "duckdb://": "duckdb", "spark://": "spark",
    "local[": "spark", "sc://": "spark", "yarn": "spark", "k8s://": "spark",
}  # fmt: skip


@dataclass(frozen=True)
class EngineOptions:
    """What the command line says: an engine's name, its threads, and its memory such as `4GiB`."""

    name: str | None = None
    threads: int | None = None
    memory_limit: str | None = None


BY_THE_PLAN = EngineOptions()
"""Nothing said: the plan's database, or DuckDB with its defaults."""


def open_engine(plan: Plan, options: EngineOptions) -> Engine:
    """Open the engine of a plan's database, or else the one named to read its files (DuckDB by default).

    Raises BadInput where there is none such, it cannot be reached, or an option means nothing to it.
    """
    url = _url(plan)
    name = _engine_name(url, options.name)
    memory = None if options.memory_limit is None else _bytes(options.memory_limit)
    if name == "postgres" and (options.threads or memory):
        option = "--threads" if options.threads else "--memory-limit"
        remedy = "Set it on the database's server, or take the option out."
        raise _bad(option, "means nothing to PostgreSQL", remedy)
    try:
        if name == "postgres":
            from optimizer.engine_postgres import PostgreSQL  # noqa: PLC0415

            return PostgreSQL(url or "")
        if name == "spark":
            from optimizer.engine_spark import Spark  # noqa: PLC0415

            return Spark(url, options.threads, memory)
        return DuckDB(
            _duckdb_file(plan.folder, url), options.threads, f"{memory >> 10}KiB" if memory else None
        )
    except ModuleNotFoundError as missing:
        rule = f"{name} needs the package {missing.name}, which is not installed"
        raise _bad(URL if url else "--engine", rule, f"pip install 'contactplan[{name}]'") from None
    except CannotConnect as failure:
        raise _bad(URL if url else "--engine", str(failure), failure.remedy) from None


def _url(plan: Plan) -> str | None:
    """The database's URL with the environment's variables filled in; it is shown nowhere."""
    if plan.data.database is None:
        return None
    url = plan.data.database.url
    missing = sorted({name for name in _VARIABLE.findall(url) if name not in os.environ})
    if missing:
        rule = f"the environment has no variable {', '.join(missing)}"
        raise _bad(URL, rule, "Set it before the command, to the database's URL.")
    return _VARIABLE.sub(lambda found: os.environ[found.group(1)], url).strip()


def _engine_name(url: str | None, asked: str | None) -> str:
    if url is None:
        if asked == "postgres":
            raise _bad("--engine", "PostgreSQL reads no files", "Name the tables in data.database.")
        return asked or "duckdb"
    own = next((name for start, name in _SCHEMES.items() if url.startswith(start)), None)
    if own is None and url == "local":
        own = "spark"
    if own is None:
        remedy = (
            "Begin it with postgresql://, duckdb:// (duckdb:///path/of/file), spark://, local[*] or sc://."
        )
        raise _bad(URL, "is no URL of a database that can be used", remedy)
    if asked not in (None, own):
        raise _bad("--engine", f"is {asked}, and data.database is one of {own}", "Take the option out.")
    return own


def _duckdb_file(folder: Path, url: str | None) -> Path | None:
    """A path in a URL starts at the plan's folder unless it begins with a third slash."""
    if url is None:
        return None
    file = folder / url.removeprefix("duckdb://")
    if not file.is_file():
        raise _bad(
            URL, "names no file", "Correct the path; it starts at the plan's folder, or with duckdb:///."
        )
    return file


def _bytes(limit: str) -> int:
    found = _MEMORY.match(limit.strip())
    if found is None:
        raise _bad("--memory-limit", f"is {limit[:40]!r}", "Write it as 4GiB or 800MB.")
    number, unit, binary = found.groups()
    size = int(float(number) * (1024 if binary else 1000) ** (1 + "KMGT".index(unit.upper())))
    if size < 1 << 26:
        raise _bad("--memory-limit", f"is {limit[:40]!r}, too little to work in", "Give at least 64MiB.")
    return size


def _bad(where: str, rule: str, remedy: str) -> BadInput:
    return BadInput([Fault(where, "", rule, remedy)])
