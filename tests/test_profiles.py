from __future__ import annotations

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa

from segments.clustering import Segmentation
from segments.naming import segment_names


def test_profile():
    model = Segmentation(
        ("x", "share"), (0.0, 0.0), (1.0, 1.0), (1.0, 1.0), ((1.0, 0.0),) * 3, ("A", "B", "C"), "x"
    )
    rows = pd.DataFrame(
        {
            "customer_id": list("abcd"),
            "segment": [1, 1, 2, 2],
            "x": [3.0, 4.0, 1.0, np.nan],
            "share": [0.5, 0.5, 0.1, 0.2],
        }
    )
    table = ibis.memtable(pa.Table.from_pandas(rows, preserve_index=False))
    found = model.profile(table)
    assert found["segment"].tolist() == [1, 2, 3]
    assert found["name"].tolist() == ["A", "B", "C"]
    assert found["customers"].tolist() == [2, 2, 0]
    assert found["share"].tolist() == [0.5, 0.5, 0]
    assert found["x"].tolist()[:2] == [3.5, 1]
    assert found["mean_share"].tolist()[:2] == [0.5, 0.15]
    assert found["value_total"].tolist() == [7, 1, 0]
    assert found["value_share"].tolist() == [0.875, 0.125, 0]
    without = model.profile(table, ibis.memtable(pa.table({"customer_id": ["b"]})))
    assert without["customers"].tolist() == [2, 2, 0]
    assert without["x"].tolist()[:2] == [3, 1]


def test_names_are_unique_whatever_the_contrasts():
    same = np.ones((3, 2))
    assert segment_names(same, ("orders", "age")) == (
        "frequent, high age (1)",
        "frequent, high age (2)",
        "frequent, high age (3)",
    )
    assert segment_names(np.zeros((2, 1)), ("orders",)) == ("average (1)", "average (2)")
    told_apart = np.array([[1, 0.9, 0.8, 0.7], [1, 0.9, 0.8, -0.7]])
    assert segment_names(told_apart, ("margin_12m", "recency_days", "orders", "tenure_days")) == (
        "high margin, lapsed, frequent, long-standing",
        "high margin, lapsed, frequent, new",
    )
