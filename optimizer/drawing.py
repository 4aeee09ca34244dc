"""Who gets which stream: the customers of each cell in order of md5 of seed and id."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir
import pandas as pd

from models.portable import keyed_md5
from optimizer.frames import table_of

DIGITS = 8


def drawn_by_rank(seed: int, customers: ir.Table, shares: pd.DataFrame) -> ir.Table:
    """customer_id, held_out, tired and entry: the first customers of a cell get its first stream.

    `customers` is Cells.members. `shares` (cell, entry, count) says how many customers of each cell get
    the entry of the menu, in this order.
    """
    high = shares.groupby("cell")["count"].cumsum()
    book = shares.assign(low=high - shares["count"], high=high)
    alone = ~book.cell.duplicated(keep=False)
    kinds = dict.fromkeys(["cell", "entry", "low", "high"], "int64")
    sole = customers.join(table_of(book[alone], kinds), "cell")
    ranges = table_of(book[~alone], kinds)
    # Only where streams share a cell does the order matter: sorting all customers takes long.
    split = customers.semi_join(ranges, "cell")
    split = split.mutate(digest=keyed_md5(str(seed), split.customer_id))
    window = ibis.window(group_by=split.cell, order_by=[split.digest, split.customer_id])
    ranked = split.mutate(rank=ibis.row_number().over(window))
    found = ranked.join(
        ranges, [ranked.cell == ranges.cell, ranked["rank"] >= ranges.low, ranked["rank"] < ranges.high]
    )
    columns = ["customer_id", "held_out", "tired", "entry"]
    return sole.select(columns).union(found.select(columns))


def drawn_by_share(seed: int, customers: ir.Table, shares: pd.DataFrame) -> ir.Table:
    """customer_id, held_out, tired and entry of held-out customers, drawn by md5 of seed and id.

    `shares` (cell, entry, count) are those of their twins.
    """
    high = shares.groupby("cell")["count"].cumsum()
    total = shares.groupby("cell")["count"].transform("sum")
    book = shares.assign(low=_digits((high - shares["count"]) / total), high=_digits(high / total))
    held = customers.filter(customers.held_out == 1)
    held = held.mutate(digest=keyed_md5(f"{seed}:control", held.customer_id).substr(0, DIGITS))
    ranges = table_of(book, {"cell": "int64", "entry": "int64", "low": "string", "high": "string"})
    found = held.join(
        ranges, [held.twin == ranges.cell, held.digest >= ranges.low, held.digest < ranges.high]
    )
    return found.select("customer_id", "held_out", "tired", "entry")


def _digits(share: pd.Series) -> list[str]:
    """Shares as hexadecimal digits that compare as the shares do; 1 comes after every digit string."""
    most = 16**DIGITS
    return [f"{round(part * most):0{DIGITS}x}" if part < 1 else "g" for part in share]
