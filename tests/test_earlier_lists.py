"""Earlier contacts as lists of codes, against plain loops: contacts told twice, and slots shared."""

from __future__ import annotations

from collections import defaultdict

import hypothesis.strategies as st
import pandas as pd
from hypothesis import HealthCheck, given, settings

from optimizer.customer_lists import marks_of
from optimizer.earlier_lists import SLOTS, one_by_one
from optimizer.engine_duckdb import DuckDB
from optimizer.frames import frame_of, table_of

# (place, code): two types told of one contact, a contact in the slot of the first, one that nothing feels
TOLD = [(0, 2), (0, 1), (SLOTS, 1), (1, -1), (1, 0), (2, 0)]
COLUMNS = {
    "place": "int32", "told": "int32", "code": "int32",
    "slot": "int64", "earlier": "int64", "earlier_contacts": "int64",
}  # fmt: skip


def book() -> pd.DataFrame:
    rows = pd.DataFrame(TOLD, columns=["place", "code"])
    return rows.assign(
        told=range(len(TOLD)),
        slot=1 << rows.place.to_numpy() % SLOTS,
        earlier=marks_of(rows.code.to_numpy()),
        earlier_contacts=(rows.code >= 0).astype(int),
    )


@given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from(range(len(TOLD)))), max_size=16))
@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
def test_every_contact_counts_once_with_its_first_type(history: list[tuple[int, int]]) -> None:
    first: dict[tuple[int, int], int] = {}
    for who, told in sorted(history):
        first.setdefault((who, TOLD[told][0]), told)
    codes = defaultdict(list)
    for (who, _), told in first.items():
        if TOLD[told][1] >= 0:
            codes[who].append(TOLD[told][1])
    meant = book()
    told = pd.DataFrame(history, columns=["customer_id", "told"], dtype="int64").merge(meant, on="told")
    engine = DuckDB()
    rows, sums = one_by_one(
        engine,
        table_of(told, {"customer_id": "int64", **COLUMNS}),
        table_of(meant, {name: COLUMNS[name] for name in ("told", "code", "earlier", "earlier_contacts")}),
    )
    found = frame_of(rows).groupby("customer_id").code.apply(sorted).to_dict()
    assert found == {who: sorted(own) for who, own in codes.items()}
    of = dict(zip(meant.code, meant.earlier, strict=True))
    assert sorted(frame_of(sums).itertuples(index=False, name=None)) == sorted(
        (who, sum(of[code] for code in own), len(own)) for who, own in codes.items()
    )
    engine.close()
