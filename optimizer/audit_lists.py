"""What each customer is sent, told by one number: few lists of contacts serve many customers.

A digit for each day says which contact is planned. Or-ed customer by customer, digits tell a list exactly
where there is one contact a day; a list that has more contacts than digits is told as such.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import ibis.expr.types as ir
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.portable import bit_or
from optimizer.audit_contacts import AuditedContacts
from optimizer.audit_questions import DatedKinds
from optimizer.coded_rows import CODE
from optimizer.engine import Engine
from optimizer.frames import frame_of, table_of

BITS = 62
"""Digits in a whole number of 64 bits that keeps its sign."""
LISTS = "customers and lists"
_SUMS, _DIGITS = "planned contacts of customers", "digits of codes"


@dataclass(frozen=True)
class PlannedLists:
    """`customers` has customer_id and list; the engine keeps it under the name LISTS.

    `place[list, n]` is the place of the contact on the n-th day in the dated kinds, -1 where there is none.
    What a list in `several` holds is not known: it has several contacts on a day.
    """

    customers: ir.Table
    place: NDArray[np.int64]
    several: NDArray[np.bool_]

    def bits(self, of_place: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
        """The bits of each list's contacts or-ed; all that occur where its contacts are not known."""
        told = np.append(np.array(of_place, dtype=np.int64), 0)  # the last one is that of no contact
        every = np.bitwise_or.reduce(told)
        bits: NDArray[np.int64] = np.bitwise_or.reduce(told[self.place], axis=1, initial=0)
        bits[self.several] = every
        return bits

    def told(self, **columns: NDArray[np.int64]) -> ir.Table:
        """The columns, by list, without the lists for which all are 0."""
        book = pd.DataFrame({"list": np.arange(len(self.several)), **columns})
        book = book[(book[[*columns]] != 0).any(axis=1)]
        return table_of(book, {"list": "int32", **dict.fromkeys(columns, "int64")})


def planned_lists(engine: Engine, contacts: AuditedContacts, dated: DatedKinds) -> PlannedLists:
    """The lists of all customers who are sent something."""
    days = dated.days_of(dated.planned)
    places = [np.flatnonzero(dated.planned & (dated.day == day)) for day in days]
    width = [len(on_day).bit_length() for on_day in places]
    word, shift = _packed(width)
    digit = {
        (int(dated.day[place]), int(dated.kind[place])): (word[n], (m + 1) << shift[n])
        for n, on_day in enumerate(places)
        for m, place in enumerate(on_day)
    }
    codes = contacts.book[[CODE, "day", "kind"]]
    told = [digit[day, kind] for day, kind in zip(codes.day, codes.kind, strict=True)]
    words = [f"word_{n}" for n in range(max(word, default=0) + 1)]
    book = codes[[CODE]].assign(
        **{name: [digits if k == n else 0 for k, digits in told] for n, name in enumerate(words)}
    )
    # Kept, for an engine that knows nothing of a table may put the greater one of two into memory.
    kept = engine.keep(_DIGITS, table_of(book, {CODE: "int32", **dict.fromkeys(words, "int64")}))
    rows = contacts.coded.join(kept, CODE)
    sums = rows.group_by("customer_id").agg(**{name: bit_or(rows[name]) for name in words}, n=rows.count())
    sums = engine.keep(_SUMS, sums.mutate(n=sums.n.cast("int64")))
    key = [*words, "n"]
    lists = frame_of(sums.select(key).distinct()).sort_values(key, ignore_index=True)
    numbers = engine.keep(
        "lists", table_of(lists.assign(list=lists.index), {**dict.fromkeys(key, "int64"), "list": "int32"})
    )
    customers = engine.keep(LISTS, sums.join(numbers, key).select("customer_id", "list"))
    engine.drop(_SUMS)
    place = np.full((len(lists), len(days)), -1, dtype=np.int64)
    for n, on_day in enumerate(places):
        digits = lists[words[word[n]]].to_numpy(dtype=np.int64) >> shift[n] & ((1 << width[n]) - 1)
        place[:, n] = np.append(-1, on_day)[np.minimum(digits, len(on_day))]
    several = (place >= 0).sum(axis=1) != lists.n.to_numpy(dtype=np.int64)
    return PlannedLists(customers, place, several)


def _packed(width: Sequence[int]) -> tuple[list[int], list[int]]:
    """For digits of these widths in bits the word that each goes into, and how far it is shifted there."""
    word: list[int] = []
    shift: list[int] = []
    taken = 0
    for bits in width:
        if word and taken + bits <= BITS:
            word.append(word[-1])
        else:
            word.append(word[-1] + 1 if word else 0)
            taken = 0
        shift.append(taken)
        taken += bits
    return word, shift
