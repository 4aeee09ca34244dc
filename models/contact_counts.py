"""Contacts and responses of the history, counted for the response rates where the customers are."""

from __future__ import annotations

from datetime import date
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa

RATE_UNITS = 1_000_000_000
"""Expected responses are counted in whole numbers of 1 / RATE_UNITS, so that every engine adds up alike."""
MOST_EARLIER = 100
"""Of more contacts before it a contact is as tired as of so many."""
COUNT_KEY = ["segment", "campaign", "type", "channel", "complete"]


def contact_counts(
    contact_history: ir.Table,
    segments: ir.Table,
    window_days: int,
    fatigue: tuple[float, int],
    as_of: date,
    since: int | None = None,
) -> pd.DataFrame:
    """Count contacts, responses and exposure by segment × campaign × type × channel.

    `segments` has `customer_id` (unique) and `segment`; customers without one are left out.
    Contacts are rows before `as_of` with `control` 0 and `delivered` 1, the same customer, date, channel and
    campaign once. A response counts with 0 ≤ `responded_on` − `contacted_on` ≤ `window_days`, or where
    `responded_on` is not known. `exposure` is Σ keep^k over the contacts, k = the customer's contacts in the
    `days` before (`fatigue` = (keep, days)), so that responses / exposure is the rate without fatigue.
    Contacts before the day `since`, counted from `as_of` and at most `-window_days`, only tire.

    Returns columns segment, campaign, type ("" if unknown), channel, complete, contacts, responses, exposure.
    `complete` says whether the response window was over at `as_of`; `estimate` leaves the other rows out
    where there are complete ones. Then they are counted as they are told, and their exposure is NaN.
    """
    keep, days = fatigue
    contacts, kinds = _coded(_contacts(contact_history, window_days, as_of))
    known = segments.select("customer_id", "segment")
    if since is not None:
        contacts = contacts.filter(contacts.day >= since - days)  # what else tires none of them
    over = contacts.day < -window_days
    past = _exposed(contacts.filter(over), known, days, since).assign(complete=True)
    recent = contacts.filter(~over)
    recent = _told(recent, known) if len(past) else _exposed(recent, known, days, since)
    # The engine counts whole numbers only; what is rounded is added here, in one fixed order.
    sizes = pd.concat([past, recent.assign(complete=False)]).merge(kinds, on="code", validate="many_to_one")
    sizes = sizes.sort_values([*COUNT_KEY, "earlier"], ignore_index=True)
    sizes["exposure"] = sizes["contacts"] * keep ** sizes["earlier"].astype("float64")
    sums = sizes.groupby(COUNT_KEY, as_index=False, sort=True)
    return sums.agg(
        contacts=("contacts", "sum"),
        responses=("responses", "sum"),
        exposure=("exposure", lambda own: own.sum(skipna=False)),
    )


def outcome_days(
    contact_history: ir.Table, window_days: int, as_of: date, longest: int
) -> tuple[int, int] | None:
    """The later half of the days whose response windows are over at `as_of`, but at most the `longest` last.

    Returns the first of these days and the first after them, counted from `as_of` (so below 0), or None
    where there is no such contact, or there are on one day only.
    """
    contacts, end = _contacts(contact_history, window_days, as_of), -window_days
    first = (
        contacts.filter(contacts.day < end)
        .aggregate(first=contacts.day.min())
        .to_pyarrow()["first"][0]
        .as_py()
    )
    if first is None or end - first < 2:
        return None
    return end - min((end - first) // 2, longest), end


def customer_outcomes(
    contact_history: ir.Table,
    segments: ir.Table,
    rates: pd.DataFrame,
    window_days: int,
    fatigue: tuple[float, int],
    as_of: date,
    days: tuple[int, int],
) -> ir.Table:
    """By customer the responses to the contacts of some days, and those that the segments' rates expect.

    `rates` has segment (text), campaign, channel and response_rate; other contacts are left out. `days` are
    the first day and the first after the last, counted from `as_of`. Contacts and responses are those of
    `contact_counts`. Returns customer_id, `responses` and `expected` = Σ rate × keep^k in RATE_UNITS, both
    int64, for customers with a contact.
    """
    keep, fatigue_days = fatigue
    contacts, kinds = _coded(_contacts(contact_history, window_days, as_of))
    contacts = _once(contacts)
    before = ibis.range_window(preceding=(fatigue_days, 1), group_by="customer_id", order_by="day")
    earlier: Any = contacts.count().over(before).fill_null(0) if fatigue_days > 0 else ibis.literal(0)
    contacts = contacts.mutate(earlier=ibis.least(earlier, MOST_EARLIER).cast("int64"))
    contacts = contacts.filter((contacts.day >= days[0]) & (contacts.day < days[1]))
    book = kinds.merge(rates[["segment", "campaign", "channel", "response_rate"]], on=["campaign", "channel"])
    book = book.rename(columns={"segment": "label", "response_rate": "rate"})[["label", "code", "rate"]]
    tired = pd.DataFrame({"earlier": range(MOST_EARLIER + 1)})
    tired["factor"] = keep ** tired["earlier"].astype("float64")
    found = contacts.join(
        segments.select("customer_id", label=segments.segment.cast("string")), "customer_id"
    )
    found = found.join(
        _book(book, {"label": "string", "code": "int32", "rate": "float64"}), ["label", "code"]
    )
    found = found.join(_book(tired, {"earlier": "int64", "factor": "float64"}), "earlier")
    units = (found.rate * found.factor * float(RATE_UNITS) + 0.5).floor().cast("int64")
    sums = found.mutate(units=units).group_by("customer_id")
    return sums.agg(responses=found.response.sum().cast("int64"), expected=ibis._.units.sum().cast("int64"))


def _book(rows: pd.DataFrame, columns: dict[str, str]) -> ir.Table:
    schema = ibis.schema(columns)
    return ibis.memtable(pa.Table.from_pandas(rows, schema=schema.to_pyarrow(), preserve_index=False))


def _contacts(contact_history: ir.Table, window_days: int, as_of: date) -> ir.Table:
    """Real contacts: `day` (negative, counted from `as_of`), `type`, `response` 0/1."""
    rows = contact_history
    rows = rows.filter((rows.control == 0) & (rows.delivered == 1) & (rows.contacted_on < ibis.date(as_of)))
    wait = rows.responded_on.delta(rows.contacted_on, unit="day")
    answered = (rows.responded == 1) & (rows.responded_on.isnull() | wait.between(0, window_days))
    return rows.select(
        "customer_id",
        "channel",
        "campaign",
        type=rows.type.fill_null(""),
        day=rows.contacted_on.delta(ibis.date(as_of), unit="day").cast("int32"),
        response=answered.ifelse(1, 0).cast("int8"),
    )


def _coded(contacts: ir.Table) -> tuple[ir.Table, pd.DataFrame]:
    """Contacts with numbers for words: `place` of campaign and channel, `code` of them and the type.

    The numbers ascend with the words. Also returns the words: campaign, channel, type, place, code.
    """
    words = ["campaign", "channel", "type"]
    kinds = contacts.select(words).distinct().to_pyarrow().to_pandas()
    kinds = kinds.sort_values(words, ignore_index=True)
    kinds = kinds.assign(place=kinds.groupby(words[:2]).ngroup(), code=range(len(kinds)))
    columns = {**dict.fromkeys(words, "string"), "place": "int32", "code": "int32"}
    coded = contacts.join(_book(kinds[list(columns)], columns), words)
    return coded.select("customer_id", "day", "place", "code", "response"), kinds


def _once(contacts: ir.Table) -> ir.Table:
    """Each contact once, with the last type of its rows in alphabetical order, answered if one row is."""
    rows = contacts.group_by(["customer_id", "day", "place"])
    return rows.agg(code=contacts.code.max(), response=contacts.response.max())


def _exposed(contacts: ir.Table, segments: ir.Table, days: int, since: int | None) -> pd.DataFrame:
    """Contacts and responses by segment, code and earlier contacts, each contact once.

    As a rule no row stands for the contact of another one, and to look is one sorting of the contacts, which
    counts the earlier ones, too; to take each once is a second.
    """
    found = _by_earlier(contacts, segments, days, since)
    repeated = found["repeated"].any()
    return _by_earlier(_once(contacts), segments, days, since) if repeated else found


def _by_earlier(contacts: ir.Table, segments: ir.Table, days: int, since: int | None) -> pd.DataFrame:
    """The same of all rows; `repeated` counts those that stand for the contact of another row."""
    earlier: Any = ibis.literal(0)
    if days > 0:
        before = ibis.range_window(preceding=(days, 1), group_by="customer_id", order_by="day")
        earlier = contacts.count().over(before)
    ordered = ibis.window(group_by="customer_id", order_by=["day", "place"])
    last_day, last_place = contacts.day.lag().over(ordered), contacts.place.lag().over(ordered)
    again = ((last_day == contacts.day) & (last_place == contacts.place)).ifelse(1, 0)
    told = contacts.mutate(earlier=earlier, repeated=again)
    return _counted(told if since is None else told.filter(told.day >= since), segments)


def _told(contacts: ir.Table, segments: ir.Table) -> pd.DataFrame:
    """Contacts and responses by segment and code, as often as they are told."""
    counted = _counted(contacts.mutate(earlier=ibis.literal(0), repeated=ibis.literal(0)), segments)
    return counted.assign(earlier=np.nan)


def _counted(contacts: ir.Table, segments: ir.Table) -> pd.DataFrame:
    found = contacts.join(segments, "customer_id")
    found = found.group_by(["segment", "code", "earlier"]).agg(
        contacts=found.count(), responses=found.response.sum(), repeated=found.repeated.sum()
    )
    frame: pd.DataFrame = found.to_pyarrow().to_pandas()
    counts = dict.fromkeys(["code", "earlier", "contacts", "responses", "repeated"], "int64")
    return frame.astype({"segment": str, **counts})
