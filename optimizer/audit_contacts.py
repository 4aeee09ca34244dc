"""What an audit looks at: the dated contacts of a calendar among the customers' other contacts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import pandas as pd

from optimizer.frames import frame_of, table_of
from optimizer.plan_file import Plan
from optimizer.tables import Tables

CONTACT = ["customer_id", "day", "kind"]
UNKNOWN = ""


@dataclass(frozen=True)
class Kind:
    """What rules may ask of a contact besides its date; `type` None is unknown."""

    channel: str
    campaign: str
    type: str | None
    business_unit: str | None
    planned: bool


@dataclass(frozen=True)
class AuditedContacts:
    """The customers' contacts, each (customer, date, channel, campaign) once.

    `table` has customer_id, day (from the period's start), kind (a place in `kinds`), segment
    (text; NULL if not planned), planned (in the calendar), tellings (how often it stands there) and
    promised (among the commitments).
    """

    table: ir.Table
    kinds: tuple[Kind, ...]

    def of(self, wanted: Callable[[Kind], bool]) -> ir.Table:
        """The contacts of the kinds wanted."""
        return self.table.filter(self.table.kind.isin(self._codes(wanted)))

    def planned(self, wanted: Callable[[Kind], bool] = lambda kind: True) -> ir.Table:
        """The planned contacts of the kinds wanted."""
        return self.of(lambda kind: kind.planned and wanted(kind))

    def any_planned(self, wanted: Callable[[Kind], bool]) -> bool:
        """Whether a planned contact may be of a kind wanted."""
        return any(kind.planned and wanted(kind) for kind in self.kinds)

    def described(self) -> ir.Table:
        """The planned contacts with their channel and type (the empty text where unknown)."""
        rows = [(n, k.channel, k.type or UNKNOWN) for n, k in enumerate(self.kinds) if k.planned]
        book = table_of(
            pd.DataFrame(rows, columns=["kind", "channel", "type"]),
            {"kind": "int64", "channel": "string", "type": "string"},
        )
        return self.planned().join(book, "kind")

    def _codes(self, wanted: Callable[[Kind], bool]) -> list[int]:
        return [n for n, kind in enumerate(self.kinds) if wanted(kind)]


def audited_contacts(plan: Plan, tables: Tables, calendar: ir.Table, lookback: int) -> AuditedContacts:
    """A calendar's contacts with the customers' history of the `lookback` days before and commitments.

    A customer's own limit looks back over a whole period, whatever `lookback` is.
    `calendar` has customer_id, contact_on, channel, campaign and segment. Of the history only contacts
    count that were delivered before the period, without control rows.
    """
    start = ibis.date(plan.period.start)
    if tables.customers.max_contacts.notnull().any().to_pyarrow().as_py():
        lookback = max(lookback, plan.period.days - 1)
    history, promised = tables.contact_history, tables.commitments
    ago = history.contacted_on.delta(start, unit="day")
    sent = (history.delivered == 1) & (history.control == 0)
    history = history.mutate(day=ago, segment=ibis.null("string")).filter(
        sent & (ago >= -lookback) & (ago < 0)
    )
    promised = promised.mutate(day=promised.contact_on.delta(start, unit="day"), segment=ibis.null("string"))
    calendar = calendar.mutate(
        customer_id=tables.own_id(calendar.customer_id),
        segment=calendar.segment.cast("string"),
        day=calendar.contact_on.delta(start, unit="day"),
        type=ibis.null("string"),
    )
    told = ibis.union(
        _told(history),
        _told(promised.filter(promised.day >= -lookback), promised=1),
        _told(calendar, tellings=1),
    )
    return _coded(plan, told.mutate(type=told.type.fill_null(UNKNOWN)))


def _told(rows: ir.Table, tellings: int = 0, promised: int = 0) -> ir.Table:
    return rows.select(
        "customer_id", "day", "channel", "campaign", "type", "segment",
        tellings=ibis.literal(tellings, "int64"), promised=ibis.literal(promised, "int8"),
    )  # fmt: skip


def _coded(plan: Plan, told: ir.Table) -> AuditedContacts:
    """Each contact once, with the code of its kind: few, whatever the number of contacts.

    Of several types told of a contact the first in alphabetical order counts.
    """
    key = ["channel", "campaign", "type"]
    seen = frame_of(told.select(key).distinct())
    seen = seen.assign(unknown=seen.type == UNKNOWN).sort_values(
        ["channel", "campaign", "unknown", "type"], ignore_index=True
    )
    place = seen.groupby(["channel", "campaign"]).ngroup()
    book = table_of(
        seen.assign(place=place, code=range(len(seen))),
        {**dict.fromkeys(key, "string"), "place": "int64", "code": "int64"},
    )
    rows = told.join(book, key)
    # A contact planned by one row may owe its type to another row of the same contact.
    once = rows.group_by("customer_id", "day", "place").agg(
        code=rows.code.min(),
        segment=rows.segment.min(),
        tellings=rows.tellings.sum(),
        promised=rows.promised.max() == 1,
    )
    planned = once.tellings > 0
    contacts = once.select(
        "customer_id", "day", "segment", "tellings", "promised",
        planned=planned, kind=once.code * 2 + planned.ifelse(1, 0),
    )  # fmt: skip
    kinds = [
        _kind(plan, channel, campaign, kind, planned)
        for channel, campaign, kind in seen[key].itertuples(index=False)
        for planned in (False, True)
    ]
    return AuditedContacts(contacts, tuple(kinds))


def _kind(plan: Plan, channel: str, campaign: str, told: str, planned: bool) -> Kind:
    """A planned contact is what the plan says of its campaign, another one what its row says first."""
    known = plan.campaigns.get(campaign)
    own = known.type if known else None
    return Kind(
        channel, campaign, own if planned else told or own, known.business_unit if known else None, planned
    )
