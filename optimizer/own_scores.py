"""The customers' own figures as they stand in the table `scores`, told by one number a customer.

Figures are whole numbers of small units here, so that every engine tells the same ones apart. A customer's
number is a hash of them modulo two primes, with coefficients drawn once and for all: two customers of other
figures share one with a probability below 2^-59 (universal hashing; Carter and Wegman, Journal of Computer
and System Sciences 18, 1979).
"""

from __future__ import annotations

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from optimizer.frames import table_of
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
_PRIMES, _SEED = (2_147_483_647, 2_147_483_629), 20_260_102
_KEY = ["campaign", "channel"]


@dataclass(frozen=True)
class OwnScores:
    """`rows` has customer_id, campaign, channel (EVERY_CHANNEL for all) and the FIELDS in their units.

    Rows for what the plan does not send are left out. `places` numbers the campaigns and channels.
    """

    rows: ir.Table
    places: pd.DataFrame

    def told(self) -> ir.Table:
        """customer_id and `scores`, the number that tells the customer's figures."""
        rng, book = np.random.default_rng(_SEED), self.places.copy()
        parts = []
        for n, prime in enumerate(_PRIMES):
            book[f"k{n}"] = rng.integers(1, prime, len(book))
            parts.append((prime, rng.integers(1, prime, len(FIELDS) + 1).tolist()))
        kinds = {**dict.fromkeys(_KEY, "string"), "k0": "int64", "k1": "int64"}
        rows = self.rows.join(table_of(book, kinds), _KEY)
        sums = rows.group_by("customer_id").agg(
            **{f"h{n}": _term(rows, n, *part).sum().cast("int64") for n, part in enumerate(parts)}
        )
        low, high = (sums[f"h{n}"] % prime for n, prime in enumerate(_PRIMES))
        return sums.select("customer_id", scores=high * (1 << 31) + low + 1)

    def read(self, customers: ir.Table) -> tuple[NDArray[np.int64], pd.DataFrame]:
        """The numbers in the column `scores` of the customers, ascending, and the rows that each tells.

        The rows have the number's place (`number`), campaign, channel and the FIELDS (NaN where empty).
        """
        some = customers.filter(customers.scores != 0)
        some = some.group_by("scores").agg(customer_id=some.customer_id.min())
        found = some.join(self.rows, "customer_id").select("scores", *_KEY, *FIELDS).to_pyarrow().to_pandas()
        numbers, place = np.unique(found.scores.to_numpy(dtype=np.int64), return_inverse=True)
        exact = {
            name: found[name].to_numpy(dtype=np.float64) / 10.0**places for name, places in FIELDS.items()
        }
        return numbers, found[_KEY].assign(number=place.reshape(-1), **exact)


def own_scores(plan: Plan, tables: Tables, timetable: Timetable) -> OwnScores | None:
    """The rows of the table that the plan can use, kept in the engine; None where there are none."""
    if plan.data.source("scores") is None:
        return None
    sent = {(option.campaign, option.channel) for option in timetable.options}
    sent |= {(campaign, EVERY_CHANNEL) for campaign, _ in sent}
    places = pd.DataFrame(sorted(sent), columns=_KEY)
    scores = tables.scores
    counts = {name: _whole(scores[name], places) for name, places in FIELDS.items()}
    rows = scores.select("customer_id", "campaign", channel=scores.channel.fill_null(EVERY_CHANNEL), **counts)
    told = ibis.or_(*(rows[name].notnull() for name in FIELDS))
    used = rows.filter(told).semi_join(table_of(places, dict.fromkeys(_KEY, "string")), _KEY)
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
