from __future__ import annotations

import hashlib
import json

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score, pairwise_distances_argmin

from segments.clustering import Segmentation, fit, sample_for_fit
from segments.scaling import feature_weights, scaled, scales
from segments.selection import SMALLEST_SHARE

FEATURES = ("margin_12m", "recency_days", "email_response_rate")
CENTRES = np.array([[6.0, 1.5, 0.3], [4.0, 3.5, 0.05], [2.0, 5.5, 0.3], [1.0, 2.0, 0.1]])
SIZES = (60, 200, 400, 340)


def engine_table(rows: pd.DataFrame) -> ir.Table:
    # by way of Arrow: Ibis 12 asks pandas 3.1 for an option on its way out
    return ibis.memtable(pa.Table.from_pandas(rows, preserve_index=False))


def assigned(model: Segmentation, rows: pd.DataFrame, excluded: ir.Table | None = None) -> pd.Series:
    """Segments that the engine finds, by customer, in the order of the ids."""
    made = model.assign(engine_table(rows), excluded).to_pyarrow().to_pandas()
    return made.set_index("customer_id")["segment"].sort_index()


def planted(seed: int = 0, scale: int = 1) -> tuple[pd.DataFrame, np.ndarray]:
    """Heavy-tailed customers in four known groups, in random order, and the group of each."""
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.repeat(np.arange(4), np.array(SIZES) * scale))
    place = CENTRES[truth]
    noise = rng.normal(size=place.shape) * [0.35, 0.35, 0.02]
    table = pd.DataFrame(
        {
            "customer_id": [f"c{i:05d}" for i in range(len(truth))],
            "margin_12m": np.exp(place[:, 0] + noise[:, 0]).round(6),
            "recency_days": np.exp(place[:, 1] + noise[:, 1]).round(),
            "email_response_rate": (place[:, 2] + noise[:, 2]).clip(0, 1).round(6),
        }
    )
    return table, truth


@pytest.fixture(scope="module")
def found() -> Segmentation:
    return fit(planted()[0], FEATURES, (2, 6), seed=7)


def test_planted_groups_are_found(found):
    table, truth = planted()
    assert len(found.names) == 4
    assert adjusted_rand_score(truth, found.predict(table)) > 0.95
    assert found.warnings == ()
    assert [candidate.segments for candidate in found.candidates] == [2, 3, 4, 5, 6]


def test_numbered_by_value(found):
    table, _ = planted()
    means = table.groupby(found.predict(table))["margin_12m"].mean()
    assert means.is_monotonic_decreasing
    assert means.index.tolist() == [1, 2, 3, 4]


def test_names_say_what_sets_apart(found):
    assert len(set(found.names)) == 4
    assert found.names[0] == "very high margin, recent, e-mail responsive"


def test_same_result_for_shuffled_rows(found):
    table, _ = planted()
    shuffled = table.sample(frac=1, random_state=3)
    assert fit(shuffled, FEATURES, (2, 6), seed=7) == found
    first, second = (sample_for_fit(engine_table(rows), seed=7, size=100) for rows in (table, shuffled))
    pd.testing.assert_frame_equal(first, second, check_exact=True)
    assert len(first) == 100


def test_expression_agrees_with_nearest_centre(found):
    table, _ = planted(seed=1)
    table.loc[::7, "margin_12m"] = np.nan
    table.loc[5, "margin_12m"] = -1e9
    engine = assigned(found, table)
    raw = table[list(FEATURES)].to_numpy()
    points = scaled(raw, np.array(found.medians), np.array(found.spreads), np.array(found.weights))
    expected = pairwise_distances_argmin(points, np.array(found.centres)) + 1
    assert engine.loc[table["customer_id"]].tolist() == expected.tolist()
    assert found.predict(table).tolist() == expected.tolist()
    assert str(found.assign(engine_table(table)).schema()["segment"]) in {"int64", "!int64"}


SMALL = fit(planted()[0].head(200), FEATURES, (3, 3), seed=1)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(*[st.floats(-1e6, 1e6) | st.just(float("nan"))] * 3), min_size=1, max_size=20))
def test_engine_and_python_agree_on_any_customer(rows):
    table = pd.DataFrame(rows, columns=list(FEATURES))
    table.insert(0, "customer_id", [f"{i:03d}" for i in range(len(rows))])
    engine = assigned(SMALL, table)
    assert engine.tolist() == SMALL.predict(table).tolist()


def test_ties_go_to_the_lower_number():
    model = Segmentation(("x",), (0.0,), (1.0,), (1.0,), ((1.0,), (-1.0,)), ("up", "down"), "x")
    table = pd.DataFrame({"customer_id": ["a", "b", "c"], "x": [0.0, -0.1, 0.1]})
    assert model.predict(table).tolist() == [1, 2, 1]
    engine = assigned(model, table)
    assert engine.tolist() == [1, 2, 1]


def test_json_round_trip(found):
    assert Segmentation.from_json(found.to_json()) == found
    assert "c00001" not in found.to_json()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2}', '{"format": 1, "colour": 3}'])
def test_other_json_is_refused(text):
    with pytest.raises(ValueError, match="not a segmentation"):
        Segmentation.from_json(text)


def test_outliers_are_no_segment():
    table, truth = planted()
    table.loc[0, "margin_12m"] = 1e12
    table.loc[[1, 2, 3], "recency_days"] = 1e9
    model = fit(table, FEATURES, (4, 4), seed=7)
    labels = model.predict(table)
    shares = np.bincount(labels)[1:] / len(labels)
    assert len(shares) == 4
    assert shares.min() >= SMALLEST_SHARE
    assert adjusted_rand_score(truth, labels) > 0.9


def test_small_group_far_away_is_no_segment():
    """Nine of a thousand customers apart from all others: k-means would give them a segment of their own."""
    table, _ = planted()
    rare = np.zeros(len(table))
    rare[:9] = 1.0
    model = fit(table.assign(rare=rare), ("email_response_rate", "rare"), (3, 3), seed=7)
    shares = np.bincount(model.predict(table.assign(rare=rare)))[1:] / len(table)
    assert len(shares) == 3
    assert shares.min() >= SMALLEST_SHARE


def test_constant_and_empty_features():
    table, truth = planted()
    table = table.assign(same=5.0, nothing=np.nan)
    model = fit(table, (*FEATURES, "same", "nothing"), (4, 4), seed=7)
    assert adjusted_rand_score(truth, model.predict(table)) > 0.95


def test_features_of_one_kind_weigh_as_one():
    names = ("margin_12m", "response_rate", "email_response_rate", "email_contact_share")
    assert feature_weights(names) == pytest.approx([1, 0.5**0.5, 0.5**0.5, 1])


def test_feature_that_most_customers_have_alike():
    """Interquartile range 0: the spread falls back on the standard deviation."""
    medians, spreads = scales(np.array([[0.0]] * 90 + [[np.e - 1]] * 10))
    assert medians.tolist() == [0.0]
    assert spreads[0] == pytest.approx(0.3)


@pytest.mark.parametrize("customers", [0, 1, 3])
def test_few_customers_make_fewer_segments(customers):
    model = fit(planted()[0].head(customers), FEATURES, (6, 8), seed=7)
    assert model.names == ("all customers",)
    assert model.warnings[0].startswith("1 segment instead of at least 6")
    assert set(assigned(model, planted()[0])) == {1}


def test_few_distinct_customers_make_fewer_segments():
    table = pd.DataFrame({"customer_id": [f"{i:02d}" for i in range(60)], "x": [1.0, 10.0, 100.0] * 20})
    model = fit(table, ("x",), (6, 8), seed=7)
    assert len(model.names) == 3
    assert "3 segments instead of at least 6" in model.warnings[0]
    assert model.predict(table)[:3].tolist() == [3, 2, 1]


def test_no_features_make_one_segment():
    model = fit(planted()[0], (), (6, 8), seed=7, value_feature="margin_12m")
    assert model.names == ("all customers",)
    assert set(assigned(model, planted()[0])) == {1}
    assert Segmentation.from_json(model.to_json()) == model


def test_value_feature():
    table, _ = planted()
    assert fit(table, ("recency_days",), (2, 2), seed=7).value_feature == "margin_12m"
    worthless = table.assign(margin_12m=0.0, amount_12m=table["recency_days"])
    assert fit(worthless, FEATURES, (2, 2), seed=7).value_feature == "amount_12m"
    model = fit(table, FEATURES, (2, 2), seed=7, value_feature="recency_days")
    assert table.groupby(model.predict(table))["recency_days"].mean().is_monotonic_decreasing


def test_faulty_calls_are_refused():
    table, _ = planted()
    with pytest.raises(ValueError, match="lacks colour"):
        fit(table, ("colour",), (2, 2), seed=7)
    with pytest.raises(ValueError, match="no range of segments: 3 to 2"):
        fit(table, FEATURES, (3, 2), seed=7)
    model = fit(table, FEATURES, (2, 2), seed=7)
    with pytest.raises(ValueError, match="needs the features recency_days"):
        model.assign(engine_table(table.drop(columns="recency_days")))


def test_excluded_customers_shape_nothing_and_get_the_default(found):
    table, _ = planted()
    excluded = engine_table(pd.DataFrame({"customer_id": ["c00000", "c00000", "c00003", "stranger"]}))
    sample = sample_for_fit(engine_table(table), seed=7, excluded=excluded)
    assert len(sample) == len(table) - 2
    assert not set(sample["customer_id"]) & {"c00000", "c00003"}
    segments = assigned(found, table, excluded)
    assert len(segments) == len(table)
    assert segments.loc[["c00000", "c00003"]].tolist() == [found.default_segment] * 2
    free = assigned(found, table)
    assert (segments != free).sum() <= 2
    medians = pd.DataFrame([found.medians], columns=list(FEATURES))
    assert found.predict(medians).tolist() == [found.default_segment]


def test_sample_is_that_of_lowest_hash():
    table = pd.DataFrame({"customer_id": ["1", "2", "3", "4"], "x": [0.1 + 0.2, 2.0, 3.0, 4.0]})
    sample = sample_for_fit(engine_table(table), seed=7, size=3)
    marks = sorted((hashlib.md5(f"7:{name}".encode()).hexdigest(), name) for name in "1234")
    assert sample["customer_id"].tolist() == [name for _, name in marks[:3]]
    assert set(sample["x"]) <= {0.3, 2.0, 3.0, 4.0}


@pytest.mark.parametrize("dialect", ["duckdb", "postgres"])
def test_assignment_is_portable_and_short(found, dialect):
    names = {"customer_id": "string", **dict.fromkeys(FEATURES, "float64")}
    sql = ibis.to_sql(found.assign(ibis.table(names, name="base")), dialect=dialect)
    assert len(sql) < 20_000
    assert json.loads(found.to_json())["features"] == list(FEATURES)


def test_a_small_sample_of_many_is_that_of_lowest_hash_too():
    names = [f"c{number}" for number in range(2000)]
    table = pd.DataFrame({"customer_id": names, "x": 1.0})
    lowest = sorted(names, key=lambda name: hashlib.md5(f"7:{name}".encode()).hexdigest())
    for size in (1, 40, 1900):
        sample = sample_for_fit(engine_table(table), seed=7, size=size)
        assert sample["customer_id"].tolist() == lowest[:size]
