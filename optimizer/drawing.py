"""Who gets which stream: the customers of each cell in order of md5 of seed and id."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.portable import keyed_md5
from optimizer.frames import table_of

DIGITS = 8
SPLIT = -1
"""The entry of cells whose customers get several."""


def sole_entries(shares: pd.DataFrame, cells: int) -> NDArray[np.int32]:
    """By cell the entry that all its customers get, SPLIT where there is none; `shares` as drawn_by_rank."""
    cell = shares.cell.to_numpy(dtype=np.int64)
    sole = np.bincount(cell, minlength=cells)[cell] == 1
    entries = np.full(cells, SPLIT, dtype=np.int32)
    entries[cell[sole]] = shares.entry.to_numpy()[sole]
    return entries


def drawn_by_rank(seed: int, customers: ir.Table, shares: pd.DataFrame) -> ir.Table:
    """customer_id, held_out, tired and entry: the first customers of a cell get its first stream.

    `customers` is AllCells.members with sole_entries. `shares` (cell, entry, count) says how many customers
    of each cell get the entry of the menu, in this order.
    """
    columns = ["customer_id", "held_out", "tired", "entry"]
    sole, split = customers.filter(customers.entry != SPLIT), customers.filter(customers.entry == SPLIT)
    # Only where streams share a cell does the order matter: sorting all customers takes long.
    split = split.drop("entry").mutate(digest=keyed_md5(str(seed), split.customer_id))
    window = ibis.window(group_by=split.cell, order_by=[split.digest, split.customer_id])
    ranked = split.mutate(rank=ibis.row_number().over(window))
    book = shares[shares.cell.duplicated(keep=False)]
    high = book.groupby("cell")["count"].cumsum()
    kinds = {"cell": "int32", "entry": "int32", "low": "int64", "high": "int64"}
    ranges = table_of(book.assign(low=high - book["count"], high=high), kinds)
    found = ranked.join(
        ranges, [ranked.cell == ranges.cell, ranked["rank"] >= ranges.low, ranked["rank"] < ranges.high]
    )
    return sole.select(columns).union(found.select(columns))


def drawn_by_share(seed: int, customers: ir.Table, shares: pd.DataFrame) -> ir.Table:
    """customer_id, held_out, tired and entry of held-out customers, drawn by md5 of seed and id.

    `customers` is AllCells.members, `shares` (cell, entry, count) are those of their twins.
    """
    high = shares.groupby("cell")["count"].cumsum()
    total = shares.groupby("cell")["count"].transform("sum")
    book = shares.assign(low=_digits((high - shares["count"]) / total), high=_digits(high / total))
    held = customers.filter(customers.held_out == 1).drop("entry")
    held = held.mutate(digest=keyed_md5(f"{seed}:control", held.customer_id).substr(0, DIGITS))
    ranges = table_of(book, {"cell": "int32", "entry": "int32", "low": "string", "high": "string"})
    found = held.join(
        ranges, [held.twin == ranges.cell, held.digest >= ranges.low, held.digest < ranges.high]
    )
    return found.select("customer_id", "held_out", "tired", "entry")


def _digits(share: pd.Series) -> list[str]:
    """Shares as hexadecimal digits that compare as the shares do; 1 comes after every digit string."""
    most = 16**DIGITS
    return [f"{round(part * most):0{DIGITS}x}" if part < 1 else "g" for part in share]
