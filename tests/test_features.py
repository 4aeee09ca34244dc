from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa
import pytest

from models.features import customer_features, derived_names, feature_names

AS_OF = dt.date(2026, 1, 1)
CHANNELS = ("email", "phone")


def table(columns: dict[str, str], rows: Sequence[Sequence[object]]) -> ir.Table:
    """A table of the rows given, with the types given, in the order of the columns."""
    schema = ibis.schema(columns)
    records = [dict(zip(columns, row, strict=True)) for row in rows]
    return ibis.memtable(pa.Table.from_pylist(records, schema=schema.to_pyarrow()), schema=schema)


def customers(ids: str = "abc") -> ir.Table:
    return table({"customer_id": "string"}, [(name,) for name in ids])


def transactions(rows: Sequence[Sequence[object]] = ()) -> ir.Table:
    kinds = {"customer_id": "string", "transacted_on": "date", "amount": "float64", "margin": "float64"}
    return table(kinds, rows)


def history(rows: Sequence[Sequence[object]] = ()) -> ir.Table:
    """Rows of customer, date, channel, delivered, control, responded, responded_on."""
    kinds = {
        "customer_id": "string",
        "contacted_on": "date",
        "channel": "string",
        "delivered": "int8",
        "control": "int8",
        "responded": "int8",
        "responded_on": "date",
    }
    return table(kinds, rows)


def features_of(made: ir.Table) -> pd.DataFrame:
    return made.to_pyarrow().to_pandas().set_index("customer_id").sort_index()


def test_purchases_by_hand():
    bought = transactions(
        [
            ("a", dt.date(2025, 12, 22), 10.1, 4.0),
            ("a", dt.date(2025, 12, 22), 20.2, 6.0),  # the same day: one order
            ("a", dt.date(2025, 12, 30), -5.0, -2.0),  # a return: no order
            ("a", dt.date(2025, 1, 1), 7.0, 1.0),  # the first of the 365 days
            ("a", dt.date(2024, 12, 31), 100.0, 50.0),  # the day before
            ("a", dt.date(2026, 1, 1), 1000.0, 500.0),  # on the day itself: not known yet
            ("b", dt.date(2023, 1, 1), 3.0, None),
        ],
    )
    found = features_of(customer_features(customers(), bought, history(), AS_OF, CHANNELS))
    names = ["recency_days", "tenure_days", "orders", "amount_12m", "margin_12m"]
    assert found.loc["a", names].tolist() == [10, 366, 3, 32.3, 9]
    assert found.loc["b", names].tolist() == [1096, 1096, 1, 0, 0]
    # without a purchase: the longest recency there can be, no tenure
    assert found.loc["c", names].tolist() == [1096, 0, 0, 0, 0]


def test_contacts_by_hand():
    day, late = dt.date(2025, 12, 1), dt.date(2026, 1, 5)
    rows = [
        ("a", day, "email", 1, 0, 1, day),
        ("a", day, "email", 1, 0, 0, None),
        ("a", day, "phone", 1, 0, 1, late),  # answered only after the day
        ("a", day, "shop", 1, 0, 1, None),  # a channel that the plan does not have; answered, no date
        ("a", day, "email", 0, 0, 1, day),  # not delivered
        ("a", day, "email", 1, 1, 1, day),  # held out
        ("a", AS_OF, "email", 1, 0, 1, AS_OF),  # not known yet
        ("b", dt.date(2024, 1, 1), "phone", 1, 0, 0, None),
    ]
    made = customer_features(customers(), transactions(), history(rows), AS_OF, CHANNELS)
    found = features_of(made)
    base = 2 / 5  # two responses to five contacts; by e-mail one of two, by phone none of two
    assert found.loc["a", "response_rate"] == pytest.approx((2 + 5 * base) / 9, abs=1e-6)
    assert found.loc["a", "email_response_rate"] == pytest.approx((1 + 5 / 2) / 7, abs=1e-6)
    assert found["phone_response_rate"].tolist() == [0, 0, 0]
    assert found["contacts_12m"].tolist() == [4, 0, 0]
    assert found["email_contact_share"].tolist() == [0.5, 0, 0.4]
    assert found["phone_contact_share"].tolist() == [0.25, 1, 0.4]
    # never contacted: the base's rates
    assert found.loc["c", ["response_rate", "email_response_rate"]].tolist() == [0.4, 0.5]


def test_every_customer_has_defined_values_without_any_history():
    made = customer_features(customers(), transactions(), history(), AS_OF, CHANNELS)
    found = made.to_pyarrow().to_pandas()
    assert tuple(found.columns[1:]) == derived_names(CHANNELS)
    assert len(found) == 3
    assert (found[list(derived_names(CHANNELS))] == 0).all(axis=None)
    assert feature_names(made, customers(), CHANNELS) == ()


def test_own_numbers_win_and_follow():
    kinds = {
        "customer_id": "string",
        "region": "string",
        "orders": "int64",
        "margin_12m": "string",
        "member": "boolean",
        "age": "float64",
        "segment": "int64",
    }
    own = table(
        kinds, [("a", "north", 77, "x", True, float("nan"), 1), ("b", "s", None, "y", False, 30.5, 2)]
    )
    bought = transactions([("a", dt.date(2025, 12, 1), 5.0, 2.0)])
    found = customer_features(own, bought, history(), AS_OF, CHANNELS)
    assert tuple(found.columns) == ("customer_id", *derived_names(CHANNELS), "member", "age")
    rows = features_of(found)
    assert rows.loc["a", ["orders", "margin_12m", "member"]].tolist() == [77, 2, 1]
    assert rows["orders"].isna().tolist() == [False, True]
    assert found.filter(found.age.isnull()).customer_id.to_pyarrow().to_pylist() == ["a"]
    assert {str(kind) for name, kind in found.schema().items() if name != "customer_id"} == {"float64"}


def test_own_column_that_differs_in_case_takes_the_place():
    own = table({"customer_id": "string", "Orders": "int64"}, [("a", 7)])
    found = customer_features(own, transactions(), history(), AS_OF, ()).to_pyarrow().to_pandas()
    assert "orders" not in found
    assert found["Orders"].tolist() == [7]


def test_default_features_are_the_derived_ones_that_vary():
    own = table({"customer_id": "string", "age": "int64"}, [("a", 20), ("b", 30)])
    bought = transactions([("a", dt.date(2025, 12, 1), 5.0, None), ("b", dt.date(2025, 12, 1), 6.0, None)])
    made = customer_features(own, bought, history(), AS_OF, CHANNELS)
    assert feature_names(made, own, CHANNELS) == ("amount_12m",)


def test_named_features():
    kinds = {"customer_id": "string", "region": "string", "age": "int64"}
    own = table(kinds, [("a", "north", 20)])
    made = customer_features(own, transactions(), history(), AS_OF, CHANNELS)
    assert feature_names(made, own, CHANNELS, ["age", "orders", "age"]) == ("age", "orders")
    with pytest.raises(
        ValueError, match=r"'region' is of type string.*did you mean 'orders'.*'customer_id' cannot"
    ):
        feature_names(made, own, CHANNELS, ["region", "order", "customer_id"])


def test_rows_in_another_order_give_the_same_features():
    rows = [("abc"[i % 3], AS_OF - dt.timedelta(days=i), 0.1 * i, 0.07 * i) for i in range(1, 200)]
    straight = customer_features(customers(), transactions(rows), history(), AS_OF, ())
    turned = customer_features(customers("cab"), transactions(rows[::-1]), history(), AS_OF, ())
    pd.testing.assert_frame_equal(features_of(straight), features_of(turned), check_exact=True)


@pytest.mark.parametrize("dialect", ["duckdb", "postgres"])
def test_expressions_are_portable(dialect):
    made = customer_features(customers(), transactions(), history(), AS_OF, CHANNELS)
    assert "SELECT" in ibis.to_sql(made, dialect=dialect)
