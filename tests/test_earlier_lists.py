"""Earlier contacts as lists of codes: each contact once, however often and as whatever type it is told."""

from __future__ import annotations

import hypothesis.strategies as st
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from hypothesis import given, settings

from optimizer.customer_lists import marks
from optimizer.earlier_lists import SLOTS, _sums, told_once
from optimizer.engine_duckdb import DuckDB
from optimizer.frames import frame_of, table_of

PLACES = max(SLOTS) + 10  # so some contacts share a bit
PLACE = pd.Series(np.repeat(np.arange(PLACES), 2))  # each is told as one type or another
CODE = np.where(np.arange(2 * PLACES) % 3 == 0, -1, np.arange(2 * PLACES) // 2)
ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2 * PLACES - 1)), max_size=25)


def table_of_rows(rows: list[tuple[int, int]]) -> ir.Table:
    frame = pd.DataFrame(rows, columns=["customer_id", "told"])
    return table_of(frame, {"customer_id": "int64", "told": "int32"})


@settings(max_examples=40, deadline=None, derandomize=True)
@given(ROWS)
def test_each_contact_counts_once_as_the_first_type_told(rows: list[tuple[int, int]]) -> None:
    engine = DuckDB()
    once, lists = told_once(engine, table_of_rows(rows), PLACE, CODE)
    found = sorted(frame_of(once).itertuples(index=False, name=None))
    told = dict(frame_of(lists).itertuples(index=False, name=None))
    engine.close()
    first: dict[tuple[int, int], int] = {}
    for who, number in sorted(rows):
        first.setdefault((who, int(PLACE[number])), number)
    assert found == sorted((who, number) for (who, _), number in first.items())
    mark = np.append(marks(int(CODE.max()) + 1), 0)
    sums = dict.fromkeys({who for who, _ in rows}, 0)
    for who, number in found:
        sums[who] += int(mark[CODE[number]])
    assert told == sums


def test_a_contact_told_twice_is_looked_at_among_few_customers() -> None:
    """Customer 1 has one contact twice, 2 has two pairs that share a bit each way, 3 has none that do."""
    engine = DuckDB()
    rows = pd.DataFrame([(1, 0), (1, 0), *((2, 2 * n) for n in (0, *SLOTS)), (3, 0), (3, 2)])
    table = table_of(
        rows.set_axis(["customer_id", "told"], axis=1), {"customer_id": "int64", "told": "int32"}
    )
    once, _ = told_once(engine, table, PLACE, CODE)
    found = frame_of(once).groupby("customer_id").size()
    engine.close()
    assert found.to_dict() == {1: 1, 2: 3, 3: 2}


def test_who_is_unsure_has_bits_set_twice_both_ways() -> None:
    engine = DuckDB()
    one, other = SLOTS
    apart = {1: [0, 0], 2: [0, one], 3: [0, other], 4: [0, one, other], 5: [*range(50)]}
    book = pd.DataFrame(
        {"told": range(60), "mark": 1} | {f"bit_{n}": 2 ** (np.arange(60) % n) for n in SLOTS}
    )
    kinds = {name: "int32" if name == "told" else "int64" for name in book}
    rows = table_of_rows([(who, told) for who, several in apart.items() for told in several])
    found = frame_of(_sums(rows, table_of(book, kinds))).set_index("customer_id").unsure
    engine.close()
    assert found.to_dict() == {1: True, 2: False, 3: False, 4: True, 5: True}


def test_a_contact_told_very_often_overflows_nothing() -> None:
    engine = DuckDB()
    once, lists = told_once(engine, table_of_rows([(1, 1), (2, 3)] * 150_000), PLACE, CODE)
    found = sorted(frame_of(once).itertuples(index=False, name=None))
    told = dict(frame_of(lists).itertuples(index=False, name=None))
    engine.close()
    mark = marks(int(CODE.max()) + 1)
    assert found == [(1, 1), (2, 3)]
    assert told == {1: mark[CODE[1]], 2: mark[CODE[3]] if CODE[3] >= 0 else 0}
