"""A synthetic, bank-like customer base of any size whose truth is known.

Nobody in it exists. It serves tests, benchmarks and the `synthetic` example: latent value segments, true
response rates by segment, campaign and channel, true fatigue, and every table that a plan may read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from models import synthetic_tables as draw
from models.synthetic_history import Stretch, contact_history
from models.synthetic_truth import SyntheticTruth, draw_truth

PARTITION = 250_000  # customers drawn at a time; a base does not depend on how it is written
TABLES = ("customers", "permissions", "contact_history", "commitments", "transactions", "restrictions")


@dataclass(frozen=True)
class SyntheticBase:
    """A synthetic customer base: `tables` by the contract's names (Arrow), and the `truth` behind them."""

    start: date
    tables: dict[str, pa.Table]
    truth: SyntheticTruth

    def frame(self, name: str) -> pd.DataFrame:
        """Return a table as a DataFrame; dates as timestamps at midnight, words as categories."""
        frame: pd.DataFrame = self.tables[name].to_pandas(date_as_object=False)
        return frame


def make_base(
    customers: int,
    seed: int,
    start: date,
    *,
    history_per_month: float = 1.0,
    history_days: int = 364,
    transactions_per_month: float = 0.5,
    hold_out_share: float = 0.05,
    hold_out_key: str = "synthetic",
) -> SyntheticBase:
    """Make a synthetic base in memory, as of the day before `start`.

    customers: how many, ids 1 … customers. history_per_month: mean contacts a customer in 28 days, spread
    evenly over the `history_days` before `start`. transactions_per_month: a factor on the segments' own
    payments a month. hold_out_share, hold_out_key: the contacts of these households in hold-out types are
    control rows (md5 of `KEY:household_id`, as in a plan's `hold_out`).

    The same arguments give the same base. Raises ValueError where customers or history_days is below 1 or
    a rate is negative. About 13 history rows a customer at the defaults: 1 million customers take some
    1.5 GB; `write_base` needs memory for 250,000 only.
    """
    recipe = _Recipe(
        customers=customers,
        seed=seed,
        start=start,
        past=Stretch(_day_number(start), history_days, history_per_month),
        transactions_per_month=transactions_per_month,
        hold_out=(hold_out_share, hold_out_key),
    )
    parts = list(_partitions(recipe))
    tables = {name: pa.concat_tables([part[name] for part in parts]) for name in TABLES}
    rates = pa.Table.from_pandas(recipe.truth.response_rates(), preserve_index=False)
    return SyntheticBase(start, {**tables, "response_rates": rates}, recipe.truth)


def write_base(
    folder: Path,
    customers: int,
    seed: int,
    start: date,
    *,
    history_per_month: float = 1.0,
    history_days: int = 364,
    transactions_per_month: float = 0.5,
    hold_out_share: float = 0.05,
    hold_out_key: str = "synthetic",
) -> Path:
    """Write the base that `make_base` makes of the same arguments, in partitions of 250,000 customers.

    Writes `customers`, `permissions`, `commitments`, `transactions` and `restrictions` as one Parquet file
    each, `contact_history/part-00000.parquet` and so on, and `response_rates.csv`. Returns `folder`, which
    is made if it is absent. Raises as `make_base` does.
    """
    recipe = _Recipe(
        customers=customers,
        seed=seed,
        start=start,
        past=Stretch(_day_number(start), history_days, history_per_month),
        transactions_per_month=transactions_per_month,
        hold_out=(hold_out_share, hold_out_key),
    )
    history = folder / "contact_history"
    history.mkdir(parents=True, exist_ok=True)
    writers: dict[str, pq.ParquetWriter] = {}
    try:
        for index, part in enumerate(_partitions(recipe)):
            pq.write_table(part.pop("contact_history"), history / f"part-{index:05d}.parquet")
            for name, table in part.items():
                if name not in writers:
                    writers[name] = pq.ParquetWriter(folder / f"{name}.parquet", table.schema)
                writers[name].write_table(table)
    finally:
        for writer in writers.values():
            writer.close()
    recipe.truth.response_rates().to_csv(folder / "response_rates.csv", index=False)
    return folder


def _day_number(day: date) -> int:
    """Return the days since 1970-01-01."""
    return (day - date(1970, 1, 1)).days


@dataclass(frozen=True)
class _Recipe:
    """All that decides a base."""

    customers: int
    seed: int
    start: date
    past: Stretch
    transactions_per_month: float
    hold_out: tuple[float, str]

    def __post_init__(self) -> None:
        if self.customers < 1 or self.past.days < 1:
            raise ValueError("customers and history_days must be at least 1")
        if self.past.per_28_days < 0 or self.transactions_per_month < 0:
            raise ValueError("history_per_month and transactions_per_month must not be negative")

    @property
    def truth(self) -> SyntheticTruth:
        """The truth that belongs to the seed."""
        return draw_truth(self.seed)


def _partitions(recipe: _Recipe) -> Iterator[dict[str, pa.Table]]:
    """Draw the tables of each stretch of 250,000 customers, each from its own generator."""
    for index, first in enumerate(range(0, recipe.customers, PARTITION)):
        rng = np.random.default_rng([recipe.seed, 2, index])
        count = min(PARTITION, recipe.customers - first)
        yield _partition(rng, first + 1, count, recipe)


def _partition(rng: np.random.Generator, first_id: int, count: int, recipe: _Recipe) -> dict[str, pa.Table]:
    """Draw all tables of the customers first_id … first_id + count - 1."""
    past, start_day = recipe.past, recipe.past.start_day
    people = draw.draw_people(rng, first_id, count)
    permissions, permitted = draw.permissions(rng, people, start_day)
    history = contact_history(
        rng,
        first_id,
        people.segment,
        permitted=permitted,
        held_out=draw.held_out(people.household_id, *recipe.hold_out),
        truth=recipe.truth,
        past=past,
    )
    return {
        "customers": draw.customers(rng, people),
        "permissions": permissions,
        "contact_history": history,
        "commitments": draw.commitments(rng, people, permitted, start_day),
        "transactions": draw.transactions(rng, people, start_day, recipe.transactions_per_month, past.days),
        "restrictions": draw.restrictions(rng, people, start_day),
    }
