"""What the segments look like: customers, means and value figures, aggregated by the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ibis
import ibis.expr.types as ir
import pandas as pd

_FIXED = ("segment", "name", "customers", "share", "value_mean", "value_total", "value_share")


def profile(
    table: ir.Table,
    names: Mapping[int, str] | Mapping[str, str],
    features: Sequence[str],
    value_feature: str,
    excluded: ir.Table | None = None,
) -> pd.DataFrame:
    """Return a row a segment, in the order of `names` (segment: name).

    `table` has `customer_id`, `segment`, the features and the value feature. Columns: `segment`, `name`,
    `customers`, `share` of all customers in the table, each feature's mean under the feature's name (`mean_…`
    where that name is taken by another column), and of the value feature `value_mean`, `value_total` and
    `value_share` (of the total of all segments; missing unless that is positive). Customers in `excluded` are
    counted, but enter no mean and no value. Figures are rounded to 6 places; a mean of nobody is missing.
    """
    flagged = flag_excluded(table, excluded)
    counted = ~flagged.excluded
    means = {f"m{i}": flagged[name].mean(where=counted) for i, name in enumerate(features)}
    worth = flagged[value_feature].cast("float64") if value_feature else ibis.null("float64")
    sums = flagged.group_by("segment").aggregate(
        customers=flagged.count(),
        value_mean=worth.mean(where=counted),
        value_total=worth.sum(where=counted),
        **means,
    )
    found = sums.to_pyarrow().to_pandas().set_index("segment").reindex(list(names))
    customers = found["customers"].fillna(0).astype("int64")
    total = found["value_total"].fillna(0.0)
    columns: dict[str, object] = {
        "segment": list(names),
        "name": list(names.values()),
        "customers": customers,
        "share": customers / max(1, customers.sum()),
    }
    for i, name in enumerate(features):
        columns[f"mean_{name}" if name in _FIXED else name] = found[f"m{i}"].astype("float64")
    columns["value_mean"] = found["value_mean"].astype("float64")
    columns["value_total"] = total
    columns["value_share"] = total / total.sum() if total.sum() > 0 else float("nan")
    return pd.DataFrame(columns).reset_index(drop=True).round(6)


def flag_excluded(table: ir.Table, excluded: ir.Table | None) -> ir.Table:
    """Add a boolean `excluded`: whether the customer is in that table."""
    if excluded is None:
        return table.mutate(excluded=ibis.literal(False))
    ids = excluded.select(excluded_id="customer_id").distinct()
    joined = table.left_join(ids, table.customer_id == ids.excluded_id)
    return joined.mutate(excluded=joined.excluded_id.notnull()).drop("excluded_id")
