"""Customers' own limits on their way from the table to the rules and the cells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from audit_cases import Case, case, sale, tables_of, the_plan
from oracle.workspace_files import write_workspace

from optimizer.customer_keys import customer_keys
from optimizer.frames import frame_of
from optimizer.own_limits import UNLIMITED, contact_rules
from optimizer.plan_file import Plan, load_plan
from optimizer.rules import ContactRules
from optimizer.tables import Tables, open_tables
from optimizer.timetable import Timetable

# Two weeks with one contact in 3 days: no stream has more than five.
PLAN = the_plan(policy={"max_per_customer": [{"contacts": 1, "days": 3}]})


@dataclass(frozen=True)
class Opened:
    """A plan with its tables."""

    plan: Plan
    tables: Tables

    @property
    def timetable(self) -> Timetable:
        return Timetable.of(self.plan)

    def allowed(self) -> int | None:
        """The contacts of the cap that stands for the own limits."""
        caps = [cap for cap in contact_rules(self.plan, self.tables, self.timetable).caps if cap.own]
        return caps[0].contacts if caps else None

    def limits(self) -> dict[str, int]:
        """What the keys tell of the customers' limits."""
        rules = contact_rules(self.plan, self.tables, self.timetable)
        segments = self.tables.customers.select("customer_id", "segment")
        keys = customer_keys(self.plan, self.tables, segments, self.timetable, rules)
        frame = frame_of(keys.table).assign(**keys.same)
        return dict(zip(frame.customer_id, frame.max_contacts.tolist(), strict=True))


@pytest.fixture
def opened(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Opened]:
    cases: list[Case] = request.param
    plan = load_plan(write_workspace(tmp_path, PLAN, tables_of(cases)))
    tables = open_tables(plan)
    yield Opened(plan, tables)
    tables.engine.close()


SENT = [(-day, "email", "sale") for day in (1, 2, 3)]


@pytest.mark.parametrize("opened", [[case("a", sale())], [case("a", [], max_contacts=5)]], indirect=True)
def test_limits_that_cannot_bind_are_none(opened: Opened) -> None:
    assert contact_rules(opened.plan, opened.tables, opened.timetable) == ContactRules.of(opened.plan)
    assert set(opened.limits().values()) == {UNLIMITED}


@pytest.mark.parametrize(
    "opened",
    [
        [
            case("none", []),
            case("small", [], max_contacts=1),
            case("smaller", [], max_contacts=0),
            case("large", [], max_contacts=9),
            case("large, but three are used", [], max_contacts=7, contact_history=SENT),
            case("three used of very many", [], max_contacts=900, contact_history=SENT),
        ]
    ],
    indirect=True,
)
def test_the_cap_allows_what_streams_can_use(opened: Opened) -> None:
    assert opened.allowed() == 5
    assert opened.limits() == {
        "nobody": UNLIMITED,
        "none": UNLIMITED,
        "small": 1,
        "smaller": 0,
        "large": UNLIMITED,
        "large, but three are used": 7,
        "three used of very many": UNLIMITED,
    }


@pytest.mark.parametrize(
    "opened", [[case("a", [], max_contacts=2), case("b", [], max_contacts=1)]], indirect=True
)
def test_the_cap_allows_one_more_than_the_greatest_limit(opened: Opened) -> None:
    assert opened.allowed() == 3
