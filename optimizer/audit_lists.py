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

    `place[list, n]` is the place of the contact on the n-th day in the dated kinds, -1 where there is none;
    `segment[list]` is that of all its contacts, and `size[list]` customers have it. What a list in `several`
    holds is not known: it has several contacts on a day, or contacts of several segments.
    """

    customers: ir.Table
    place: NDArray[np.int64]
    segment: NDArray[np.int64]
    size: NDArray[np.int64]
    several: NDArray[np.bool_]

    def reached(self, counting: NDArray[np.bool_], segments: NDArray[np.bool_] | None) -> int:
        """How many customers of the segments (by number) have a contact at a place that counts.

        Of `segments` None stands for all. Customers whose list is not known are left out.
        """
        counts = np.append(counting, False)[self.place].any(axis=1) & ~self.several
        return int(self.size[counts if segments is None else counts & segments[self.segment]].sum())

    def unknown(self) -> ir.Table | None:
        """customer_id of those whose list is not known; None where there are none."""
        if not self.several.any():
            return None
        lists = pd.DataFrame({"list": np.flatnonzero(self.several)})
        return self.customers.semi_join(table_of(lists, {"list": "int32"}), "list").select("customer_id")

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
    digits = _Digits.of(dated)
    kinds = {**dict.fromkeys([CODE, "segment"], "int32"), **dict.fromkeys(digits.words, "int64")}
    # Kept, for an engine that knows nothing of a table may put the greater one of two into memory.
    book = engine.keep(_DIGITS, table_of(digits.of_codes(contacts.book, dated), kinds))
    rows = contacts.coded.join(book, CODE)
    sums = rows.group_by("customer_id").agg(
        **{name: bit_or(rows[name]) for name in digits.words},
        n=rows.count().cast("int64"),
        segment=rows.segment.min(),
        last=rows.segment.max(),
    )
    sums = engine.keep(_SUMS, sums)
    key = [*digits.words, "n", "segment", "last"]
    lists = frame_of(sums.group_by(key).agg(size=sums.count())).sort_values(key, ignore_index=True)
    kinds = {**dict(sums.select(key).schema()), "list": "int32"}
    numbers = engine.keep("lists", table_of(lists.assign(list=lists.index), kinds))
    customers = engine.keep(LISTS, sums.join(numbers, key).select("customer_id", "list"))
    engine.drop(_SUMS)
    place = digits.places_of(lists)
    told, segment, last, size = lists[["n", "segment", "last", "size"]].to_numpy(dtype=np.int64).T
    several = ((place >= 0).sum(axis=1) != told) | (segment != last)
    return PlannedLists(customers, place, segment, size, several)


@dataclass(frozen=True)
class _Digits:
    """By day the places planned there, and in which word, how far shifted, a digit tells one of them."""

    on_day: list[NDArray[np.int64]]
    word: list[int]
    shift: list[int]

    @classmethod
    def of(cls, dated: DatedKinds) -> _Digits:
        days = dated.days_of(dated.planned)
        on_day = [np.flatnonzero(dated.planned & (dated.day == day)) for day in days]
        return cls(on_day, *_packed([len(places).bit_length() for places in on_day]))

    @property
    def words(self) -> list[str]:
        """The names of the words' columns."""
        return [f"word_{n}" for n in range(max(self.word, default=0) + 1)]

    def of_codes(self, book: pd.DataFrame, dated: DatedKinds) -> pd.DataFrame:
        """By code the segment and the words with the digit of its contact."""
        told = [
            (int(dated.day[place]), int(dated.kind[place]), *self._words(n, (m + 1) << self.shift[n]))
            for n, places in enumerate(self.on_day)
            for m, place in enumerate(places)
        ]
        digits = pd.DataFrame(told, columns=["day", "kind", *self.words])
        return book[[CODE, "day", "kind", "segment"]].merge(digits, on=["day", "kind"])

    def _words(self, day: int, digit: int) -> list[int]:
        return [digit if n == self.word[day] else 0 for n in range(len(self.words))]

    def places_of(self, lists: pd.DataFrame) -> NDArray[np.int64]:
        """By list (a row with words) and day the place planned, or -1."""
        place = np.full((len(lists), len(self.on_day)), -1, dtype=np.int64)
        for n, places in enumerate(self.on_day):
            digit = lists[self.words[self.word[n]]].to_numpy(dtype=np.int64) >> self.shift[n]
            digit &= (1 << len(places).bit_length()) - 1
            place[:, n] = np.append(-1, places)[np.minimum(digit, len(places))]
        return place


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
