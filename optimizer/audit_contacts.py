"""What an audit looks at: the dated contacts of a calendar among the customers' other contacts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import pandas as pd

from optimizer.coded_rows import CODE, CodedRows
from optimizer.frames import frame_of, table_of
from optimizer.plan_file import Plan
from optimizer.tables import Tables

CONTACT = ["customer_id", "day", "kind"]
UNKNOWN = ""
OTHERS, CODES = "other contacts", "codes of planned contacts"
"""The names under which the engine keeps them."""
NO_SEGMENT = -1
_TOLD = ["channel", "campaign", "type", "promised"]


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

    `coded` has the calendar's rows: customer_id and code. What the codes mean stands in `codes`, and in
    `book` on the client: day (from the period's start), kind (a place in `kinds`) and segment (a place in
    `labels`, or NO_SEGMENT), and how many rows (n) there are. `others` has customer_id, day and kind of
    history and commitments as far as they matter, `seen` which days and kinds there are among them.
    """

    coded: ir.Table
    codes: ir.Table
    book: pd.DataFrame
    others: ir.Table
    seen: pd.DataFrame
    kinds: tuple[Kind, ...]
    labels: tuple[str, ...]

    @property
    def planned(self) -> ir.Table:
        """The calendar's rows: CONTACT and segment."""
        return self._planned(None)

    def _planned(self, customers: ir.Table | None) -> ir.Table:
        # Customers are told apart first: what is left is little, as a rule.
        rows = _among(self.coded, customers)
        return rows.join(self.codes, CODE).select(*CONTACT, "segment")

    @property
    def counts(self) -> pd.DataFrame:
        """How many planned rows (n) there are of a segment, day and kind."""
        return self.book.groupby(["segment", "day", "kind"], as_index=False)[["n"]].sum()

    @property
    def places(self) -> list[int]:
        """For each kind the number of its channel and campaign: two contacts of one on a day are one."""
        pairs = [(kind.channel, kind.campaign) for kind in self.kinds]
        number = {pair: n for n, pair in enumerate(dict.fromkeys(pairs))}
        return [number[pair] for pair in pairs]

    def of(self, wanted: Callable[[Kind], bool], customers: ir.Table | None = None) -> ir.Table:
        """The contacts of the kinds wanted (of these customers): CONTACT, as often as they are told."""
        rows = ibis.union(self._planned(customers).select(CONTACT), _among(self.others, customers))
        codes = [code for code, kind in enumerate(self.kinds) if wanted(kind)]
        return rows if len(codes) == len(self.kinds) else rows.filter(rows.kind.isin(codes))

    def once(self, customers: ir.Table | None = None) -> ir.Table:
        """The contacts of these customers (of all), each (customer, date, channel, campaign) once.

        CONTACT, segment (NULL if not planned), planned (in the calendar), tellings (how often it stands
        there) and promised (among the commitments). Of several types told of a contact the first in
        alphabetical order counts.
        """
        planned = self._planned(customers).mutate(tellings=ibis.literal(1, "int64"))
        others = _among(self.others, customers).mutate(
            segment=ibis.null("int32"), tellings=ibis.literal(0, "int64")
        )
        rows = ibis.union(planned, others.select(planned.columns))
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

    def any_planned(self, wanted: Callable[[Kind], bool]) -> bool:
        """Whether a planned contact is of a kind wanted."""
        return any(wanted(self.kinds[code]) for code in self.book.kind.unique())

    def described(self, planned: ir.Table) -> ir.Table:
        """Planned contacts with their channel and type (the empty text where unknown)."""
        rows = [(n, k.channel, k.type or UNKNOWN) for n, k in enumerate(self.kinds) if k.planned]
        book = table_of(
            pd.DataFrame(rows, columns=["kind", "channel", "type"]),
            {"kind": "int32", "channel": "string", "type": "string"},
        )
        return planned.join(book, "kind")


def _among(rows: ir.Table, customers: ir.Table | None) -> ir.Table:
    return rows if customers is None else rows.semi_join(customers, "customer_id")


def audited_contacts(
    plan: Plan,
    tables: Tables,
    calendar: CodedRows,
    lookback: int,
    reach: Callable[[Kind], int],
    segments: Sequence[str],
) -> AuditedContacts:
    """A calendar's contacts with those of the customers' history and commitments that matter to them.

    The calendar's book has contact_on, channel, campaign and segment (one of the labels `segments`).
    `reach` says for how many days a contact matters, at most `lookback`. Of the history only contacts count
    that were delivered before the period, without control rows. The engine keeps others and codes under the
    names OTHERS and CODES.
    """
    named = [label for campaign in plan.campaigns.values() for label in campaign.segments or ()]
    labels = tuple(sorted({*segments, *named}))
    counted = frame_of(calendar.rows.group_by(CODE).agg(n=calendar.rows.count()))
    book = calendar.book[[CODE, "contact_on", "channel", "campaign", "segment"]].merge(counted, on=CODE)
    sent = sorted(set(zip(book.channel, book.campaign, strict=True)))
    kinds = [_kind(plan, channel, campaign, planned=True) for channel, campaign in sent]
    number, place = {pair: n for n, pair in enumerate(sent)}, {label: n for n, label in enumerate(labels)}
    book = pd.DataFrame(
        {
            CODE: book[CODE],
            "day": [(when - plan.period.start).days for when in pd.to_datetime(book.contact_on).dt.date],
            "kind": [number[pair] for pair in zip(book.channel, book.campaign, strict=True)],
            "segment": [place.get(str(label), NO_SEGMENT) for label in book.segment],
            "n": book.n,
        }
    ).astype("int64")
    codes = tables.engine.keep(
        CODES, table_of(book, dict.fromkeys([CODE, "day", "kind", "segment"], "int32"))
    )
    rows = calendar.rows.select(CODE, customer_id=tables.own_id(calendar.rows.customer_id))
    others, seen, known = _others(plan, tables, len(kinds), lookback, reach)
    return AuditedContacts(rows, codes, book, others, seen, (*kinds, *known), labels)


def _others(
    plan: Plan, tables: Tables, first: int, lookback: int, reach: Callable[[Kind], int]
) -> tuple[ir.Table, pd.DataFrame, list[Kind]]:
    """History and commitments that matter, their days and kinds, and what these are from `first` on."""
    start = ibis.date(plan.period.start)
    history, promised = tables.contact_history, tables.commitments
    ago = history.contacted_on.delta(start, unit="day")
    sent = (history.delivered == 1) & (history.control == 0)
    history = history.mutate(day=ago).filter(sent & (ago >= -lookback) & (ago < 0))
    promised = promised.mutate(day=promised.contact_on.delta(start, unit="day"))
    told = ibis.union(_told(history, 0), _told(promised.filter(promised.day >= -lookback), 1))
    seen = frame_of(told.select(_TOLD).distinct())
    # The first code of a contact is that of the first type known, if any.
    seen = seen.assign(unknown=seen.type == UNKNOWN).sort_values(
        ["channel", "campaign", "unknown", "type", "promised"], ignore_index=True
    )
    kinds = [
        _kind(plan, channel, campaign, type=kind or None, promised=bool(promised))
        for channel, campaign, kind, promised in seen[_TOLD].itertuples(index=False)
    ]
    seen = seen.assign(kind=range(first, first + len(seen)), reach=[reach(kind) for kind in kinds])
    # Of a contact told twice, with two types, both matter as long as either does.
    furthest = seen.groupby(["channel", "campaign"]).reach.transform("max")
    book = table_of(
        seen.assign(reach=furthest),
        {
            **dict.fromkeys(_TOLD[:3], "string"), "promised": "int8", "kind": "int32", "reach": "int32",
        },
    )  # fmt: skip
    near = told.join(book, _TOLD).filter(ibis._.day + ibis._.reach >= 0)
    others = tables.engine.keep(OTHERS, near.select(CONTACT))
    return others, frame_of(others.select("day", "kind").distinct()), kinds


def _told(rows: ir.Table, promised: int) -> ir.Table:
    return rows.select(
        "customer_id", "channel", "campaign",
        day=rows.day.cast("int32"),
        type=rows.type.fill_null(UNKNOWN),
        promised=ibis.literal(promised, "int8"),
    )  # fmt: skip


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
