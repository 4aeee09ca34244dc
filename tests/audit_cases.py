"""Cases for the audit: each is a customer of its own, so that one calendar holds many of them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import ibis
import pandas as pd
from oracle.workspace_files import write_workspace

from optimizer.audit import audit_calendar
from optimizer.coded_rows import CodedRows
from optimizer.committed import committed_contacts
from optimizer.contact_figures import contact_figures
from optimizer.frames import frame_of
from optimizer.limits import make_limits
from optimizer.plan_file import load_plan
from optimizer.tables import open_tables
from optimizer.timetable import Timetable

START = date(2026, 11, 30)  # a Monday
OFTEN = [{"contacts": 99, "days": 1}]
COLUMNS = {
    "permissions": "channel status valid_from valid_to topic",
    "restrictions": "reason starts_on ends_on",
    "contact_history": "contacted_on channel campaign type delivered control",
    "commitments": "contact_on channel campaign type cost",
}
DATES = ("valid_from", "valid_to", "starts_on", "ends_on", "contacted_on", "contact_on")
Contacts = list[tuple[int, str, str]]
Planned = tuple[str, int, str, str]


def on(day: int) -> date:
    return START + timedelta(days=day)


def sale(*days: int, channel: str = "email") -> Contacts:
    return [(day, channel, "sale") for day in days]


def news(*days: int) -> Contacts:
    return [(day, "email", "news") for day in days]


@dataclass(frozen=True)
class Case:
    """A customer named for the case, what is planned, which (rule, day) it breaks, and the tables' rows.

    Days count from the start, rows are those of COLUMNS and may be cut short.
    """

    name: str
    planned: Contacts
    broken: list[tuple[str, int]]
    rows: Mapping[str, list[tuple[Any, ...]]]
    segment: str = "1"
    x: int = 4
    max_contacts: int | None = None


def case(
    name: str,
    planned: Contacts,
    broken: Iterable[tuple[str, int]] = (),
    segment: str = "1",
    x: int = 4,
    max_contacts: int | None = None,
    **rows: list[tuple[Any, ...]],
) -> Case:
    return Case(name, planned, list(broken), rows, segment, x, max_contacts)


def the_plan(**patch: Any) -> dict[str, Any]:
    """Two weeks, two campaigns that may repeat daily, two channels open to all."""
    campaigns = {
        "sale": {
            "type": "promotional",
            "channels": ["email", "mail"],
            "business_unit": "retail",
            "max_per_customer": OFTEN,
            **patch.pop("sale", {}),
        },
        "news": {
            "type": "service",
            "channels": ["email"],
            "max_per_customer": OFTEN,
            **patch.pop("news", {}),
        },
    }
    open_to_all = {"default_permission": "granted"}
    channels = {
        "email": {"unit_cost": 0.5, **open_to_all, **patch.pop("email", {})},
        "mail": {"unit_cost": 1.0, **open_to_all},
    }
    restrictions = {"complaint": {"blocks": ["promotional"], "days_after": 2}, "quiet": {"blocks": []}}
    return {
        "name": "tiny",
        "currency": "EUR",
        "period": {"start": START, "days": 14},
        "segments": {"column": "segment"},
        "response": {"from": "table"},
        "channels": channels,
        "campaigns": campaigns,
        "policy": {"restrictions": restrictions, **patch.pop("policy", {})},
        **patch,
    }


def tables_of(cases: Iterable[Case]) -> dict[str, pd.DataFrame]:
    """The tables in which every case is a customer; one more has a permission, as there must be one."""
    cases = [*cases, case("nobody", [], permissions=[("mail", "granted")])]
    tables = {
        "customers": pd.DataFrame(
            {
                "customer_id": [one.name for one in cases],
                "segment": [one.segment for one in cases],
                "x": [one.x for one in cases],
                "max_contacts": pd.array([one.max_contacts for one in cases], dtype="Int64"),
            }
        ),
        "response_rates": pd.DataFrame(
            {"segment": ["1"], "campaign": ["sale"], "channel": ["email"], "response_rate": [0.1]}
        ),
    }
    for name, columns in COLUMNS.items():
        names = columns.split()
        rows = [
            (one.name, *row, *[None] * (len(names) - len(row)))
            for one in cases
            for row in one.rows.get(name, [])
        ]
        frame = pd.DataFrame(rows, columns=["customer_id", *names])
        for column in frame.columns.intersection(DATES):
            frame[column] = [None if pd.isna(day) else on(int(day)) for day in frame[column]]
        tables[name] = frame
    return tables


def audited(
    plan: dict[str, Any], tables: dict[str, pd.DataFrame], planned: list[Planned], labels: Mapping[str, str]
) -> pd.DataFrame:
    """The breaches of contacts (customer, day, channel, campaign); `labels` are the customers' segments."""
    names = sorted(set(labels.values()))
    size = pd.Series(dict(labels)).value_counts().reindex(names).to_numpy()
    start = plan["period"]["start"]
    rows = [(c, start + timedelta(days=day), *what, labels.get(c, "?")) for c, day, *what in planned]
    calendar = pd.DataFrame(rows, columns=["customer_id", "contact_on", "channel", "campaign", "segment"])
    kinds = {**dict.fromkeys(calendar.columns, "string"), "contact_on": "date"}
    with tempfile.TemporaryDirectory() as folder:
        loaded = load_plan(write_workspace(Path(folder), plan, tables))
        opened = open_tables(loaded)
        timetable = Timetable.of(loaded)
        committed = committed_contacts(loaded, opened.as_of(start))
        figures = contact_figures(loaded, timetable, tuple(names), frame_of(opened.response_rates))
        limits = make_limits(loaded, timetable, names, size, committed, figures)
        told = CodedRows.of(ibis.memtable(calendar, schema=kinds), kinds)
        found = audit_calendar(loaded, opened, told, limits, timetable, segments=names)
        opened.engine.close()
    return found


def judge(plan: dict[str, Any], *cases: Case) -> pd.DataFrame:
    """Asserts that each case breaks what it says, and returns all breaches."""
    found = breaches_of(plan, *cases)
    named = found[found.rule != "limit"]
    told: dict[str, list[tuple[str, int]]] = {one.name: [] for one in cases}
    for customer, rule, day in zip(named.customer_id, named.rule, named.contact_on, strict=True):
        told.setdefault(customer, []).append((rule, (day.date() - START).days))
    wrong = {one.name: told[one.name] for one in cases if told[one.name] != one.broken}
    assert not wrong, f"{wrong}\n{found.to_string()}"
    assert set(told) == {one.name for one in cases}
    return found


def breaches_of(plan: dict[str, Any], *cases: Case) -> pd.DataFrame:
    """The breaches of all cases together."""
    labels = {one.name: one.segment for one in cases} | {"nobody": "1"}
    planned = [(one.name, *contact) for one in cases for contact in one.planned]
    return audited(plan, tables_of(cases), planned, labels)
