"""What an audit looks at: the dated contacts of a calendar among the customers' other contacts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import ibis
import ibis.expr.types as ir
import pandas as pd

from optimizer.frames import frame_of, table_of
from optimizer.plan_file import Plan
from optimizer.tables import Tables

CONTACT = ["customer_id", "day", "kind"]
UNKNOWN = ""
PLANNED, OTHERS = "planned contacts", "other contacts"
"""The names under which the engine keeps them."""
NO_SEGMENT = -1


@dataclass(frozen=True)
class Kind:
    """What rules may ask of a contact besides its date; `type` None is unknown."""

    channel: str
    campaign: str
    type: str | None
    business_unit: str | None
    planned: bool = False
    promised: bool = False


@dataclass(frozen=True)
class AuditedContacts:
    """The customers' contacts, coded, as often as they are told.

    `planned` has the calendar's rows: customer_id, day (from the period's start), kind (a place in
    `kinds`) and segment (a place in `labels`, or NO_SEGMENT); `others` has customer_id, day and kind of
    history and commitments. `counts` says how many planned rows (n) there are of a segment, day and kind.
    """

    planned: ir.Table
    others: ir.Table
    kinds: tuple[Kind, ...]
    labels: tuple[str, ...]
    counts: pd.DataFrame

    @property
    def places(self) -> list[int]:
        """For each kind the number of its channel and campaign: two contacts of one on a day are one."""
        pairs = [(kind.channel, kind.campaign) for kind in self.kinds]
        number = {pair: n for n, pair in enumerate(dict.fromkeys(pairs))}
        return [number[pair] for pair in pairs]

    def of(self, wanted: Callable[[Kind], bool]) -> ir.Table:
        """The contacts of the kinds wanted: CONTACT, as often as they are told."""
        both = ibis.union(self.planned.select(CONTACT), self.others)
        codes = [code for code, kind in enumerate(self.kinds) if wanted(kind)]
        return both if len(codes) == len(self.kinds) else both.filter(both.kind.isin(codes))

    def once(self, customers: ir.Table | None = None) -> ir.Table:
        """The contacts of these customers (of all), each (customer, date, channel, campaign) once.

        CONTACT, segment (NULL if not planned), planned (in the calendar), tellings (how often it stands
        there) and promised (among the commitments). Of several types told of a contact the first in
        alphabetical order counts.
        """
        planned = self.planned.mutate(tellings=ibis.literal(1, "int64"))
        others = self.others.mutate(segment=ibis.null("int32"), tellings=ibis.literal(0, "int64"))
        rows = ibis.union(planned, others.select(planned.columns))
        rows = rows if customers is None else rows.semi_join(customers, "customer_id")
        promised = [int(kind.promised) for kind in self.kinds]
        book = table_of(
            pd.DataFrame({"kind": range(len(promised)), "place": self.places, "promised": promised}),
            {"kind": "int32", "place": "int32", "promised": "int32"},
        )
        rows = rows.join(book, "kind")
        once = rows.group_by("customer_id", "day", "place").agg(
            kind=rows.kind.min(),
            segment=rows.segment.min(),
            tellings=rows.tellings.sum(),
            promised=rows.promised.max() == 1,
        )
        return once.drop("place").mutate(planned=once.tellings > 0)

    def planned_once(self, customers: ir.Table) -> ir.Table:
        """The planned contacts of these customers, each once: CONTACT and segment."""
        own = self.planned.semi_join(customers, "customer_id")
        return own.group_by(CONTACT).agg(segment=own.segment.min())

    def any_planned(self, wanted: Callable[[Kind], bool]) -> bool:
        """Whether a planned contact is of a kind wanted."""
        return any(wanted(self.kinds[code]) for code in self.counts.kind.unique())

    def described(self, planned: ir.Table) -> ir.Table:
        """Planned contacts with their channel and type (the empty text where unknown)."""
        rows = [(n, k.channel, k.type or UNKNOWN) for n, k in enumerate(self.kinds) if k.planned]
        book = table_of(
            pd.DataFrame(rows, columns=["kind", "channel", "type"]),
            {"kind": "int32", "channel": "string", "type": "string"},
        )
        return planned.join(book, "kind")


def audited_contacts(
    plan: Plan, tables: Tables, calendar: ir.Table, lookback: int, segments: Sequence[str]
) -> AuditedContacts:
    """A calendar's contacts with the customers' history of the `lookback` days before and commitments.

    `calendar` has customer_id, contact_on, channel, campaign and segment (one of the labels `segments`).
    Of the history only contacts count that were delivered before the period, without control rows. The
    engine keeps the contacts under the names PLANNED and OTHERS.
    """
    named = [label for campaign in plan.campaigns.values() for label in campaign.segments or ()]
    planned = _planned(plan, tables, calendar, tuple(sorted({*segments, *named})))
    start = ibis.date(plan.period.start)
    history, promised = tables.contact_history, tables.commitments
    ago = history.contacted_on.delta(start, unit="day")
    sent = (history.delivered == 1) & (history.control == 0)
    history = history.mutate(day=ago).filter(sent & (ago >= -lookback) & (ago < 0))
    promised = promised.mutate(day=promised.contact_on.delta(start, unit="day"))
    told = ibis.union(_told(history, 0), _told(promised.filter(promised.day >= -lookback), 1))
    columns = ["channel", "campaign", "type", "promised"]
    seen = frame_of(told.select(columns).distinct())
    # The first code of a contact is that of the first type known, if any.
    seen = seen.assign(unknown=seen.type == UNKNOWN).sort_values(
        ["channel", "campaign", "unknown", "type", "promised"], ignore_index=True
    )
    first = len(planned.kinds)
    book = table_of(
        seen.assign(kind=range(first, first + len(seen))),
        {"channel": "string", "campaign": "string", "type": "string", "promised": "int8", "kind": "int32"},
    )
    others = tables.engine.keep(OTHERS, told.join(book, columns).select(CONTACT))
    kinds = [
        _kind(plan, channel, campaign, type=kind or None, promised=bool(promised))
        for channel, campaign, kind, promised in seen[columns].itertuples(index=False)
    ]
    return replace(planned, others=others, kinds=(*planned.kinds, *kinds))


def _told(rows: ir.Table, promised: int) -> ir.Table:
    return rows.select(
        "customer_id", "channel", "campaign",
        day=rows.day.cast("int32"),
        type=rows.type.fill_null(UNKNOWN),
        promised=ibis.literal(promised, "int8"),
    )  # fmt: skip


def _planned(plan: Plan, tables: Tables, calendar: ir.Table, labels: tuple[str, ...]) -> AuditedContacts:
    """The calendar's contacts alone, coded in one pass if they are what the plan sends, else in two."""
    sent = [(channel, name) for name, c in plan.campaigns.items() for channel in dict.fromkeys(c.channels)]
    kept, counts = _coded(plan, tables, calendar, sent, labels)
    if counts.kind.isna().any():
        seen = frame_of(calendar.select("channel", "campaign").distinct())
        sent = sorted(seen.itertuples(index=False, name=None))
        kept, counts = _coded(plan, tables, calendar, sent, labels)
    kinds = tuple(_kind(plan, channel, campaign, planned=True) for channel, campaign in sent)
    return AuditedContacts(kept, kept.select(CONTACT).limit(0), kinds, labels, counts)


def _coded(
    plan: Plan, tables: Tables, calendar: ir.Table, sent: list[tuple[str, str]], labels: tuple[str, ...]
) -> tuple[ir.Table, pd.DataFrame]:
    """The calendar's rows kept with the codes of (channel, campaign) and segment, and their counts."""
    kinds = table_of(
        pd.DataFrame(
            [(*what, code) for code, what in enumerate(sent)], columns=["channel", "campaign", "kind"]
        ),
        {"channel": "string", "campaign": "string", "kind": "int32"},
    )
    book = table_of(
        pd.DataFrame({"label": labels, "number": range(len(labels))}), {"label": "string", "number": "int32"}
    )
    rows = calendar.select(
        "channel", "campaign",
        customer_id=tables.own_id(calendar.customer_id),
        label=calendar.segment.cast("string"),
        day=calendar.contact_on.delta(ibis.date(plan.period.start), unit="day").cast("int32"),
    )  # fmt: skip
    rows = rows.left_join(kinds, ["channel", "campaign"]).left_join(book, "label")
    rows = rows.select(*CONTACT, segment=rows.number.fill_null(NO_SEGMENT))
    kept = tables.engine.keep(PLANNED, rows)
    return kept, frame_of(kept.group_by("segment", "day", "kind").agg(n=kept.count()))


def _kind(
    plan: Plan,
    channel: str,
    campaign: str,
    type: str | None = None,  # noqa: A002 - named as the column
    *,
    planned: bool = False,
    promised: bool = False,
) -> Kind:
    """A planned contact is what the plan says of its campaign, another one what its row says first."""
    known = plan.campaigns.get(campaign)
    own = known.type if known else None
    unit = known.business_unit if known else None
    return Kind(channel, campaign, type or own, unit, planned, promised)
