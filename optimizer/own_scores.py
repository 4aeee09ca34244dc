"""The customers' own figures as they stand in the table `scores`, told by one number a customer.

Figures are whole numbers of small units here, so that every engine tells the same ones apart. A customer's
number is a hash of them modulo two primes, with coefficients drawn once and for all: two customers of other
figures share one with a probability below 2^-59 (universal hashing; Carter and Wegman, Journal of Computer
and System Sciences 18, 1979).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from optimizer.engine import Engine
from optimizer.frames import table_of
from optimizer.local_rows import batches
from optimizer.plan_file import Plan
from optimizer.tables import Tables
from optimizer.timetable import Timetable

FIELDS = {
    "response_rate": 9,
    "margin_per_response": 6,
    "revenue_per_response": 6,
    "value_per_contact": 6,
    "cost_per_contact": 6,
}
"""The figures, and to how many places they count."""
EVERY_CHANNEL = ""
NO_FIGURE = -(1 << 62)
_PRIMES, _SEED = (2_147_483_647, 2_147_483_629), 20_260_102
_KEY = ["campaign", "channel"]


@dataclass(frozen=True)
class OwnScores:
    """`rows` has customer_id, `place` (that of campaign and channel in `places`) and the FIELDS in units.

    Rows for what the plan does not send are left out. `places` has campaign and channel (EVERY_CHANNEL for
    all) by number.
    """

    rows: ir.Table
    places: pd.DataFrame

    def told(self) -> ir.Table:
        """customer_id and `scores`, the number that tells the customer's figures."""
        rng, factors = np.random.default_rng(_SEED), self.places.assign(place=range(len(self.places)))
        parts = []
        for n, prime in enumerate(_PRIMES):
            factors[f"k{n}"] = rng.integers(1, prime, len(factors))
            parts.append((prime, rng.integers(1, prime, len(FIELDS) + 1).tolist()))
        book = table_of(factors, {"place": "int16", "k0": "int64", "k1": "int64"})
        rows = self.rows.join(book, "place")
        sums = rows.group_by("customer_id").agg(
            **{f"h{n}": _term(rows, n, *part).sum().cast("int64") for n, part in enumerate(parts)}
        )
        low, high = (sums[f"h{n}"] % prime for n, prime in enumerate(_PRIMES))
        return sums.select("customer_id", scores=high * (1 << 31) + low + 1)

    def fields(self) -> list[str]:
        """The figures of which any customer has an own one."""
        counts = self.rows.agg(**{name: self.rows[name].count() for name in FIELDS}).to_pyarrow().to_pylist()
        return [name for name in FIELDS if counts[0][name]]

    def read(
        self, engine: Engine, numbered: ir.Table, fields: list[str]
    ) -> Iterator[tuple[NDArray[np.int64], ...]]:
        """Some rows at a time: number, place and the fields in their units, NO_FIGURE where empty.

        `numbered` has the customer_id of each number.
        """
        wanted = numbered.join(self.rows, "customer_id")
        told = {name: wanted[name].fill_null(NO_FIGURE) for name in fields}
        for batch in batches(engine, wanted.select("number", "place", **told)):
            yield tuple(column.to_numpy(zero_copy_only=False) for column in batch.columns)


def own_scores(plan: Plan, tables: Tables, timetable: Timetable) -> OwnScores | None:
    """The rows of the table that the plan can use, kept in the engine; None where there are none."""
    if plan.data.source("scores") is None:
        return None
    sent = {(option.campaign, option.channel) for option in timetable.options}
    sent |= {(campaign, EVERY_CHANNEL) for campaign, _ in sent}
    places = pd.DataFrame(sorted(sent), columns=_KEY)
    scores = tables.scores
    counts = {name: _whole(scores[name], places) for name, places in FIELDS.items()}
    if not plan.objective.counts_revenue:
        # It would tell customers apart who are planned alike.
        counts["revenue_per_response"] = ibis.null("int64")
    rows = scores.select("customer_id", "campaign", channel=scores.channel.fill_null(EVERY_CHANNEL), **counts)
    told = ibis.or_(*(rows[name].notnull() for name in FIELDS))
    book = table_of(
        places.assign(place=range(len(places))), {**dict.fromkeys(_KEY, "string"), "place": "int16"}
    )
    used = rows.filter(told).join(book, _KEY).select("customer_id", "place", *FIELDS)
    return OwnScores(tables.engine.keep("own scores", used), places)


def _whole(figure: ir.FloatingColumn, places: int) -> ir.IntegerValue:
    """A figure in units of so many places; halves go up."""
    return (figure * 10.0**places + 0.5).floor().cast("int64")


def _term(rows: ir.Table, n: int, prime: int, factors: list[int]) -> ir.IntegerValue:
    """What a row adds to hash n, below its prime; an empty figure is another one than every number."""
    term: ir.IntegerValue = ibis.literal(factors[0], "int64")
    for name, factor in zip(FIELDS, factors[1:], strict=True):
        value = ((rows[name] % prime) + prime) % prime + 1
        term = term + (value.fill_null(0) * factor) % prime
    return ((term % prime) * rows[f"k{n}"]) % prime
