"""Lists of planned contacts, and what the sieve makes of them, against plain loops over random calendars."""

from __future__ import annotations

from collections import defaultdict

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from optimizer import audit_lists, audit_pairs
from optimizer.audit_contacts import CODES, AuditedContacts, Kind
from optimizer.audit_lists import planned_lists
from optimizer.audit_pairs import SEVERAL_A_DAY, suspects
from optimizer.audit_questions import PROMISED, DatedKinds
from optimizer.coded_rows import CODE
from optimizer.engine_duckdb import DuckDB
from optimizer.frames import frame_of, table_of
from optimizer.rules import ContactRules, FrequencyCap, NeverTogether, OnlyAfter

CAMPAIGNS, OWN = ("a", "b", "c"), 3
KINDS = (
    *(Kind("email", name, "promotional", None, planned=True) for name in CAMPAIGNS),
    *(Kind("email", name, "promotional", None) for name in CAMPAIGNS),
    *(Kind("email", name, "promotional", None, promised=True) for name in CAMPAIGNS),
)
Row = tuple[int, int, int]
CUSTOMER, DAY = st.integers(0, 5), st.integers(0, 9)
PLANNED = st.lists(st.tuples(CUSTOMER, DAY, st.integers(0, OWN - 1)), min_size=1, max_size=14)
OTHERS = st.lists(st.tuples(CUSTOMER, st.integers(-9, 12), st.integers(OWN, len(KINDS) - 1)), max_size=12)
CAPS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(1, 10), st.sampled_from([None, ("a",), ("a", "b")])), max_size=4
)
QUICK = settings(
    deadline=None,
    derandomize=True,
    max_examples=12,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def segment_of(who: int, day: int) -> int:
    """The segment under which a contact stands: by mistake another one on the last day."""
    return (who + (day == 9)) % 2


def contacts_of(engine: DuckDB, planned: list[Row], others: list[Row]) -> AuditedContacts:
    coded = [(who, (day, kind, segment_of(who, day))) for who, day, kind in planned]
    codes = sorted({what for _, what in coded})
    rows = pd.DataFrame([(who, codes.index(what)) for who, what in coded], columns=["customer_id", CODE])
    book = pd.DataFrame([(n, *what) for n, what in enumerate(codes)])
    book.columns = [CODE, "day", "kind", "segment"]
    told = pd.DataFrame(others, columns=["customer_id", "day", "kind"])
    return AuditedContacts(
        table_of(rows, {"customer_id": "int64", CODE: "int32"}),
        engine.keep(CODES, table_of(book, dict.fromkeys(book.columns, "int32"))),
        book.assign(n=[sum(own == what for _, own in coded) for what in codes]),
        engine.keep("others", table_of(told, {"customer_id": "int64", "day": "int32", "kind": "int32"})),
        told[["day", "kind"]].drop_duplicates(),
        KINDS,
        ("1", "2"),
    )


def broken(rules: ContactRules, planned: list[Row], others: list[Row]) -> set[tuple[str, int]]:
    """(rule, customer) with a breach, every telling counted."""
    found = set()
    for one in planned:
        who, day, kind = one
        rest = [row for row in planned if row[0] == who]
        rest.remove(one)
        near = [*rest, *(row for row in others if row[0] == who)]
        if any(row[1] == day for row in rest):
            found.add((SEVERAL_A_DAY, who))
        if any(
            KINDS[k].promised and (d, KINDS[k].campaign) == (day, KINDS[kind].campaign) for _, d, k in near
        ):
            found.add((PROMISED, who))
        for cap in rules.caps:
            days = [d for _, d, k in [one, *near] if cap.names(KINDS[k])]
            stretches = range(day - cap.days + 1, day + 1)
            if cap.binds(KINDS[kind]) and any(
                sum(first <= d < first + cap.days for d in days) > cap.contacts for first in stretches
            ):
                found.add((cap.path, who))
        for apart in rules.never_together:
            if any(apart.clash(KINDS[kind], KINDS[k]) and abs(d - day) <= apart.days for _, d, k in near):
                found.add((apart.path, who))
        for after in rules.only_after:
            before = (day - d for _, d, k in near if after.names(KINDS[k]))
            if after.binds(KINDS[kind]) and not any(after.first <= ago <= after.last for ago in before):
                found.add((after.path, who))
    return found


@pytest.mark.parametrize("bits", [62, 2])
@QUICK
@given(PLANNED, OTHERS, CAPS)
def test_nobody_who_breaks_a_rule_is_missed(
    bits: int, planned: list[Row], others: list[Row], caps: list[tuple[int, int, tuple[str, ...] | None]]
) -> None:
    rules = ContactRules(
        tuple(
            FrequencyCap(f"caps[{n}]", "frequency_cap", most, days, campaigns=names)
            for n, (most, days, names) in enumerate(caps)
        ),
        (NeverTogether("apart", ("a", "b"), 2),),
        (OnlyAfter("after", "c", "a", 1, 4),),
        1.0,
        0,
    )
    engine = DuckDB()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audit_lists, "BITS", bits)
        patch.setattr(audit_pairs, "BITS", bits)
        contacts = contacts_of(engine, planned, others)
        dated = DatedKinds.of(contacts)
        lists = planned_lists(engine, contacts, dated)
        check_lists(lists, dated, planned)
        found = suspects(engine, rules, contacts, dated, lists)
        names = [*(cap.path for cap in rules.caps), "apart", "after", SEVERAL_A_DAY, PROMISED]
        suspected = {
            (name, int(who))
            for name in names
            if (table := found.of(name)) is not None
            for who in frame_of(table).customer_id
        }
    engine.close()
    wrong = broken(rules, planned, others)
    busy = {who for name, who in wrong if name == SEVERAL_A_DAY}
    mixed = {who for who, day, _ in planned if segment_of(who, day) != segment_of(who, 0)}
    pairs = {cap.path for cap in rules.caps if cap.contacts <= 1}
    # Whoever has several planned contacts on a day is looked at for every cap of one contact anyway.
    looked_at = {(name, who) for name in pairs for who in busy}
    assert wrong <= suspected | looked_at | {(name, who) for name in found.wide for who in range(6)}
    # Rules about two contacts are told exactly, but for such customers and those of two segments; of what is
    # promised another campaign on the same day is reason enough to look.
    exact = pairs | {"apart", PROMISED}
    sent = {(who, day) for who, day, _ in planned}
    same_day = {(PROMISED, who) for who, day, kind in others if KINDS[kind].promised and (who, day) in sent}
    extra = suspected - wrong - same_day
    assert {(n, who) for n, who in extra if n in exact and who not in busy | mixed} == set()


def check_lists(lists: audit_lists.PlannedLists, dated: DatedKinds, planned: list[Row]) -> None:
    """Each customer's list holds just what is planned, or says that it does not know."""
    own: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for who, day, kind in planned:
        own[who].append((day, kind))
    told = frame_of(lists.customers)
    assert sorted(told.customer_id) == sorted(own)
    for who, number in told.itertuples(index=False):
        days, segments = [day for day, _ in own[who]], {segment_of(who, day) for day, _ in own[who]}
        assert lists.several[number] == (len(days) > len(set(days)) or len(segments) > 1)
        if not lists.several[number]:
            held = lists.place[number][lists.place[number] >= 0]
            assert sorted(zip(dated.day[held], dated.kind[held], strict=True)) == sorted(own[who])
            assert {int(lists.segment[number])} == segments
    known = [who for who, number in told.itertuples(index=False) if not lists.several[number]]
    unknown = lists.unknown()
    assert set(frame_of(unknown).customer_id if unknown is not None else ()) == set(own) - set(known)
    of_a = dated.kind == 0
    sent_a = [who for who in known if any(kind == 0 for _, kind in own[who])]
    assert lists.reached(of_a, None) == len(sent_a)
    assert lists.reached(of_a, np.array([False, True])) == sum(
        segment_of(who, own[who][0][0]) for who in sent_a
    )


def test_numbers_beyond_one_word_are_packed_into_several() -> None:
    word, shift = audit_lists._packed([3, 60, 2, 61, 1])
    assert (word, shift) == ([0, 1, 1, 2, 2], [0, 0, 60, 0, 61])
    assert np.all(np.array(shift) < audit_lists.BITS)
