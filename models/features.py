"""Customer features from transactions and contact history, as expressions run where the customers are."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from difflib import get_close_matches

import ibis
import ibis.expr.types as ir

from models.portable import is_finite, rounded

YEAR = dt.timedelta(days=365)
PRIOR_CONTACTS = 5
"""A customer's response rate counts this many further contacts at the base's rate."""

_NOT_FEATURES = frozenset({"customer_id", "segment", "max_contacts"})


def derived_names(channels: Sequence[str]) -> tuple[str, ...]:
    """Names of the derived features, in their order in the table."""
    general = (
        "recency_days",
        "orders",
        "amount_12m",
        "margin_12m",
        "tenure_days",
        "contacts_12m",
        "response_rate",
    )
    rates = tuple(f"{channel}_response_rate" for channel in channels)
    return general + rates + tuple(f"{channel}_contact_share" for channel in channels)


def customer_features(
    customers: ir.Table,
    transactions: ir.Table,
    contact_history: ir.Table,
    as_of: dt.date,
    channels: Sequence[str],
    wanted: Collection[str] | None = None,
) -> ir.Table:
    """Return one row a customer: `customer_id` and its features, all float64.

    Only rows dated before `as_of` count, and responses dated before it; `12m` means the 365 days before it.

    - `recency_days`, `tenure_days`: days since the last and the first purchase (a transaction whose amount is
      not negative; returns lower the sums, but are no purchases). Without a purchase the tenure is 0 and the
      recency that of the base's first purchase, the longest there can be.
    - `orders`: days with a purchase, in all. `amount_12m`, `margin_12m`: sums with returns; 0 without rows.
    - `contacts_12m`: contacts delivered and not held out on purpose; 0 without rows.
    - `response_rate`, `<channel>_response_rate`: (responses + 5 × base's rate) / (contacts + 5), the
      posterior mean under a beta prior worth 5 contacts, since one contact says little. A customer never
      contacted has the base's rate; a channel never used has 0.
    - `<channel>_contact_share`: the channel's share of the customer's contacts; the base's for those without.

    A number or boolean among the customers' own columns follows as it is (booleans as 0 and 1, what is not
    finite as missing) and takes the place of a derived feature of the same name. Figures are rounded to
    6 places. Only the features `wanted` are worked out; None stands for all.
    """
    own = _own_features(customers)
    taken = {name.lower() for name in own}
    ranked = [name for name in derived_names(channels) if name in own or name.lower() not in taken]
    names = [*ranked, *(name for name in own if name not in ranked)]
    names = [name for name in names if wanted is None or name in wanted]
    mine = {f"own_{i}": own[name] for i, name in enumerate(names) if name in own}
    rated = [c for c in channels if f"{c}_response_rate" in names or f"{c}_contact_share" in names]
    table = _counted(customers, mine, transactions, contact_history, as_of, rated)
    derived = _purchase_features(table, as_of) | _contact_features(table, rated)
    derived = {name: derived[name] for name in names if name not in own}
    table = table.select("customer_id", *mine, **derived)
    columns = {
        name: table[f"own_{i}"] if name in own else rounded(table[name], 6) for i, name in enumerate(names)
    }
    return table.select("customer_id", **columns)


def feature_names(
    features: ir.Table, customers: ir.Table, channels: Sequence[str], named: Sequence[str] | None = None
) -> tuple[str, ...]:
    """Return the features to segment by: those `named`, or else the derived ones that vary.

    `features` is the table that `customer_features` made. Raises ValueError, all faults in one message, where
    a named feature is unknown or not a number.
    """
    if named is not None:
        faults = [fault for name in named if (fault := _fault(name, features, customers))]
        if faults:
            raise ValueError("; ".join(faults))
        return tuple(dict.fromkeys(named))
    names = [name for name in derived_names(channels) if name in features.columns]
    spans = [(features[name].max() > features[name].min()).name(f"v{i}") for i, name in enumerate(names)]
    varies = features.aggregate(spans).to_pyarrow().to_pandas().iloc[0]
    return tuple(name for name, vary in zip(names, varies, strict=True) if vary is not None and bool(vary))


def _fault(name: str, features: ir.Table, customers: ir.Table) -> str:
    """Say what keeps the column from being a feature, or nothing."""
    if name in features.columns and name not in _NOT_FEATURES:
        return ""
    if name in _NOT_FEATURES:
        return f"{name!r} cannot be a feature"
    if name in customers.columns:
        return f"{name!r} is of type {customers[name].type()}: only numbers and booleans can be features"
    near = get_close_matches(name, features.columns, n=1)
    hint = f", did you mean {near[0]!r}?" if near else f"; there are {', '.join(features.columns[1:])}"
    return f"there is no feature {name!r}{hint}"


def _own_features(customers: ir.Table) -> dict[str, ir.Value]:
    """The customers' own numbers and booleans, by name."""
    own: dict[str, ir.Value] = {}
    for name, kind in customers.schema().items():
        if name.lower() in _NOT_FEATURES or not (kind.is_numeric() or kind.is_boolean()):
            continue
        column = customers[name]
        number = column.cast("int64") if kind.is_boolean() else column
        if kind.is_floating():
            number = is_finite(number).ifelse(number, ibis.null(kind))
        own[name] = rounded(number, 6)
    return own


def _counted(
    customers: ir.Table,
    own: dict[str, ir.Value],
    transactions: ir.Table,
    contact_history: ir.Table,
    as_of: dt.date,
    channels: Sequence[str],
) -> ir.Table:
    """What the features are made of, a row a customer: `own`, purchases, contacts and those of the base."""
    bought = transactions.filter(transactions.transacted_on < as_of)
    sent = _contacts(contact_history, as_of)
    counts = _counts(sent, as_of, channels)
    base = sent.aggregate([column.name(f"base_{name}") for name, column in counts.items()])
    span = bought.aggregate(base_first=bought.transacted_on.min(where=_is_purchase(bought)))
    purchases = _purchases(bought, as_of)
    contacts = sent.group_by("customer_id").aggregate(**counts)
    table = customers.select("customer_id", **own)
    table = table.left_join(purchases, "customer_id").drop("customer_id_right")
    table = table.left_join(contacts, "customer_id").drop("customer_id_right")
    return table.cross_join(base.cross_join(span))


def _is_purchase(transactions: ir.Table) -> ir.BooleanColumn:
    return transactions.amount.fill_null(0.0) >= 0.0


def _purchases(bought: ir.Table, as_of: dt.date) -> ir.Table:
    """First and last purchase, purchase days and the year's sums by customer.

    Days are put together first: counting distinct ones of a customer takes engines longer.
    """
    recent = bought.transacted_on >= as_of - YEAR
    days = bought.group_by("customer_id", day=bought.transacted_on).aggregate(
        purchase=_is_purchase(bought).any(),
        amount=bought.amount.sum(where=recent),
        margin=bought.margin.sum(where=recent),
    )
    return days.group_by("customer_id").aggregate(
        first=days.day.min(where=days.purchase),
        last=days.day.max(where=days.purchase),
        orders=days.count(where=days.purchase),
        amount_12m=days.amount.sum(),
        margin_12m=days.margin.sum(),
    )


def _purchase_features(table: ir.Table, as_of: dt.date) -> dict[str, ir.Value]:
    today = ibis.literal(as_of)
    return {
        "recency_days": today.delta(table["last"].fill_null(table.base_first), unit="day").fill_null(0),
        "tenure_days": today.delta(table["first"], unit="day").fill_null(0),
        "orders": table.orders.fill_null(0),
        "amount_12m": table.amount_12m.fill_null(0.0),
        "margin_12m": table.margin_12m.fill_null(0.0),
    }


def _contacts(history: ir.Table, as_of: dt.date) -> ir.Table:
    """Contacts that reached a customer before the day, with `answered`: a response before it."""
    past = history.filter(
        history.contacted_on < as_of,
        history.control.fill_null(0) == 0,
        history.delivered.fill_null(1) == 1,
    )
    known = past.responded_on.fill_null(past.contacted_on) < as_of
    return past.select(
        "customer_id", "contacted_on", "channel", answered=(past.responded.fill_null(0) == 1) & known
    )


def _counts(sent: ir.Table, as_of: dt.date, channels: Sequence[str]) -> dict[str, ir.Value]:
    """Contacts and responses to be counted, in all and by channel (numbered: a channel may have any name)."""
    counts = {
        "contacts": sent.count(),
        "contacts_12m": sent.count(where=sent.contacted_on >= as_of - YEAR),
        "responses": sent.count(where=sent.answered),
    }
    for i, channel in enumerate(channels):
        counts[f"contacts_{i}"] = sent.count(where=sent.channel == channel)
        counts[f"responses_{i}"] = sent.count(where=(sent.channel == channel) & sent.answered)
    return counts


def _contact_features(table: ir.Table, channels: Sequence[str]) -> dict[str, ir.Value]:
    features = {
        "contacts_12m": table.contacts_12m.fill_null(0),
        "response_rate": _rate(table, "responses", "contacts"),
    }
    base_contacts = table.base_contacts.nullif(0)
    for i, channel in enumerate(channels):
        features[f"{channel}_response_rate"] = _rate(table, f"responses_{i}", f"contacts_{i}")
        base_share = table[f"base_contacts_{i}"] / base_contacts
        share = table[f"contacts_{i}"] / table.contacts.nullif(0)
        features[f"{channel}_contact_share"] = share.fill_null(base_share).fill_null(0.0)
    return features


def _rate(table: ir.Table, responses: str, contacts: str) -> ir.Value:
    """Response rate drawn towards the base's, which stands for PRIOR_CONTACTS contacts."""
    base = (table[f"base_{responses}"] / table[f"base_{contacts}"].nullif(0)).fill_null(0.0)
    return (table[responses].fill_null(0) + base * PRIOR_CONTACTS) / (
        table[contacts].fill_null(0) + PRIOR_CONTACTS
    )
