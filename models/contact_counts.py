"""Contacts and responses of the history, counted for the response rates where the customers are."""

from __future__ import annotations

from datetime import date
from typing import Any

import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa

COUNT_KEY = ["segment", "campaign", "type", "channel", "complete"]


def contact_counts(
    contact_history: ir.Table,
    segments: ir.Table,
    window_days: int,
    fatigue: tuple[float, int],
    as_of: date,
) -> pd.DataFrame:
    """Count contacts, responses and exposure by segment × campaign × type × channel.

    `segments` has `customer_id` (unique) and `segment` as text; customers without one are left out.
    Contacts are rows before `as_of` with `control` 0 and `delivered` 1, the same customer, date, channel and
    campaign once. A response counts with 0 ≤ `responded_on` − `contacted_on` ≤ `window_days`, or where
    `responded_on` is not known. `exposure` is Σ keep^k over the contacts, k = the customer's contacts in the
    `days` before (`fatigue` = (keep, days)), so that responses / exposure is the rate without fatigue.

    Returns columns segment, campaign, type ("" if unknown), channel, complete, contacts, responses, exposure.
    `complete` says whether the response window was over at `as_of`; `estimate` leaves the other rows out.
    """
    keep, days = fatigue
    contacts, kinds = _coded(_contacts(contact_history, window_days, as_of))
    known = segments.select("customer_id", "segment")
    found = _by_earlier(contacts, known, window_days, days)
    if found["repeated"].any():
        found = _by_earlier(_once(contacts), known, window_days, days)
    # The engine counts whole numbers only; what is rounded is added here, in one fixed order.
    integers = dict.fromkeys(["earlier", "contacts", "responses"], "int64")
    sizes = found.astype(integers).merge(kinds, on="code", validate="many_to_one")
    sizes = sizes.sort_values([*COUNT_KEY, "earlier"], ignore_index=True)
    sizes["exposure"] = sizes["contacts"] * keep ** sizes["earlier"].astype("float64")
    columns = ["contacts", "responses", "exposure"]
    return pd.DataFrame(sizes.groupby(COUNT_KEY, as_index=False, sort=True)[columns].sum())


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
        day=rows.contacted_on.delta(ibis.date(as_of), unit="day"),
        response=answered.ifelse(1, 0),
    )


def _coded(contacts: ir.Table) -> tuple[ir.Table, pd.DataFrame]:
    """Contacts with numbers for words: `place` of campaign and channel, `code` of them and the type.

    The numbers ascend with the words. Also returns the words: campaign, channel, type, place, code.
    """
    words = ["campaign", "channel", "type"]
    kinds = contacts.select(words).distinct().to_pyarrow().to_pandas()
    kinds = kinds.sort_values(words, ignore_index=True)
    kinds = kinds.assign(place=kinds.groupby(words[:2]).ngroup(), code=range(len(kinds)))
    schema = ibis.schema({**dict.fromkeys(words, "string"), "place": "int64", "code": "int64"})
    book = pa.Table.from_pandas(kinds[list(schema.names)], schema=schema.to_pyarrow(), preserve_index=False)
    coded = contacts.join(ibis.memtable(book), words)
    return coded.select("customer_id", "day", "place", "code", "response"), kinds


def _once(contacts: ir.Table) -> ir.Table:
    """Each contact once, with the last type of its rows in alphabetical order, answered if one row is."""
    rows = contacts.group_by(["customer_id", "day", "place"])
    return rows.agg(code=contacts.code.max(), response=contacts.response.max())


def _by_earlier(contacts: ir.Table, segments: ir.Table, window_days: int, days: int) -> pd.DataFrame:
    """Contacts and responses by segment, code, complete and earlier contacts.

    `repeated` counts the rows that stand for the contact of another row. As a rule there are none, and to
    look is one sorting of the contacts, which counts the earlier ones, too; to take each once is a second.
    """
    earlier: Any = ibis.literal(0)
    if days > 0:
        before = ibis.range_window(preceding=(days, 1), group_by="customer_id", order_by="day")
        earlier = contacts.count().over(before)
    ordered = ibis.window(group_by="customer_id", order_by=["day", "place"])
    last_day, last_place = contacts.day.lag().over(ordered), contacts.place.lag().over(ordered)
    found = (
        contacts.mutate(
            earlier=earlier,
            complete=contacts.day < -window_days,
            again=((last_day == contacts.day) & (last_place == contacts.place)).ifelse(1, 0),
        )
        .join(segments, "customer_id")
        .group_by(["segment", "code", "complete", "earlier"])
        .agg(
            contacts=lambda t: t.count(),
            responses=lambda t: t.response.sum(),
            repeated=lambda t: t.again.sum(),
        )
    )
    frame: pd.DataFrame = found.to_pyarrow().to_pandas()
    return frame
