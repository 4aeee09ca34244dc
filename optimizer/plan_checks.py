"""Rules of the plan file that reach across blocks: names that must exist, keys that exclude each other.

They read the mapping as it came, so that they speak even where another part is at fault; values of a
wrong kind are passed over here, because the models name them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from optimizer.faults import Fault
from optimizer.plan_values import suggestion
from optimizer.plan_yaml import Loc, place

TABLES = (
    "customers", "permissions", "contact_history", "commitments", "transactions", "restrictions",
    "response_rates", "scores",
)  # fmt: skip
"""The keys of `data` that name tables."""
_CAPS = ("policy.max_per_customer.[]", "channels.*.max_per_customer.[]", "campaigns.*.max_per_customer.[]")
_REFERENCES = (
    ("campaigns.*.channels.[]", "channels"),
    ("volume.[].channel", "channels"),
    ("reach.[].channel", "channels"),
    *((f"{caps}.channels.[]", "channels") for caps in _CAPS),
    *((f"{caps}.campaigns.[]", "campaigns") for caps in _CAPS),
    ("policy.never_together.[].campaigns.[]", "campaigns"),
    ("policy.only_after.[].campaign", "campaigns"),
    ("policy.only_after.[].after", "campaigns"),
    ("budget.[].campaign", "campaigns"),
    ("volume.[].campaign", "campaigns"),
    ("reach.[].campaign", "campaigns"),
)
_EXACTLY_ONE = (
    ("channels.*.capacity.[]", ("contacts", "hours")),
    ("reach.[]", ("share", "customers")),
)
_KEEP_ONE = "Keep one of them (in a scenario, a key without a value takes the plan's own out)."
_AT_MOST_ONE = (
    ("budget.[]", ("business_unit", "campaign"), "Keep one of them."),
    ("segments", ("column", "features"), _KEEP_ONE),
    ("segments", ("column", "count"), _KEEP_ONE),
    ("objective", ("maximize", "minimize"), _KEEP_ONE),
    ("campaigns.*.contacts", ("min", "min_if_used"), f"A min already forces the campaign. {_KEEP_ONE}"),
)
_SET_BY_PLACE = (
    ("channels.*.max_per_customer.[].channels", "a channel's own cap counts that channel only"),
    ("campaigns.*.max_per_customer.[].campaigns", "a campaign's own cap counts that campaign only"),
    ("campaigns.*.max_per_customer.[].types", "a campaign's own cap counts that campaign only"),
)


def cross_faults(raw: dict[str, Any]) -> list[Fault]:
    """Return the faults between blocks of the plan file, as it was read."""
    return [
        *_unknown_names(raw),
        *_unknown_segments(raw),
        *_exclusive_keys(raw),
        *_missing_bounds(raw),
        *_capacities(raw),
        *_missing_tables(raw),
    ]


def _found(value: Any, pattern: str) -> Iterator[tuple[Loc, Any]]:
    """Every value at the places a pattern names (* any key, [] any entry of a list), with its path."""
    head, _, rest = pattern.partition(".")
    steps: list[tuple[str | int, Any]] = []
    if head == "[]":
        steps = list(enumerate(value)) if isinstance(value, list) else []
    elif isinstance(value, dict):
        steps = list(value.items()) if head == "*" else [(head, value[head])] if head in value else []
    for step, inner in steps:
        if not rest:
            yield (step,), inner
        else:
            for loc, found in _found(inner, rest):
                yield (step, *loc), found


def _unknown_names(raw: dict[str, Any]) -> Iterator[Fault]:
    for pattern, kind in _REFERENCES:
        named = raw.get(kind, {} if kind == "campaigns" else None)
        if not isinstance(named, dict):
            continue  # said once, by the model, and not again for each name
        known = list(named)
        for loc, name in _found(raw, pattern):
            if isinstance(name, str) and name.strip() not in known:
                rule = f"the plan has no {kind.removesuffix('s')} {name!r}"
                yield Fault(place(loc), "", rule, suggestion(name, known))
    for loc, rule in _found(raw, "policy.only_after.[]"):
        if isinstance(rule, dict) and rule.get("campaign") == rule.get("after") is not None:
            yield Fault(place(loc), "", "a campaign cannot wait for itself", "Name another campaign.")


def _unknown_segments(raw: dict[str, Any]) -> Iterator[Fault]:
    """Fitted segments are numbered from 1; the names of a column are known only with the tables."""
    segments = raw.get("segments") or {}
    if not isinstance(segments, dict) or segments.get("column") is not None:
        return
    count = segments.get("count", 8)
    most = count[-1] if isinstance(count, list) and count else count
    if isinstance(most, bool) or not isinstance(most, int):
        return
    known = {str(number) for number in range(1, min(most, 1000) + 1)}
    for pattern in ("campaigns.*.segments.[]", "volume.[].segments.[]", "reach.[].segments.[]"):
        for loc, label in _found(raw, pattern):
            if isinstance(label, str | int) and not isinstance(label, bool) and str(label) not in known:
                rule = f"there is no segment {label!r}: they are numbered 1 to {most}"
                yield Fault(place(loc), "", rule, "Correct it, or name your own with segments.column.")


def _exclusive_keys(raw: dict[str, Any]) -> Iterator[Fault]:
    for pattern, keys in _EXACTLY_ONE:
        for loc, block in _found(raw, pattern):
            if isinstance(block, dict) and sum(block.get(key) is not None for key in keys) != 1:
                yield Fault(place(loc), "", f"needs either {keys[0]} or {keys[1]}", "Give one of them.")
    for pattern, keys, remedy in _AT_MOST_ONE:
        for loc, block in _found(raw, pattern):
            if isinstance(block, dict) and all(block.get(key) is not None for key in keys):
                yield Fault(place(loc), "", f"has both {keys[0]} and {keys[1]}", remedy)
    for pattern, rule in _SET_BY_PLACE:
        for loc, value in _found(raw, pattern):
            if value is not None:
                yield Fault(place(loc), "", rule, "Take the key out, or move the cap to policy.")


def _missing_bounds(raw: dict[str, Any]) -> Iterator[Fault]:
    """A volume needs a bound, and so does the `soft` of a campaign's contacts."""
    for loc, volume in _found(raw, "volume.[]"):
        bounds = ("min", "max", "min_share", "max_share")
        if isinstance(volume, dict) and all(volume.get(key) is None for key in bounds):
            rule = "bounds nothing: it has none of min, max, min_share and max_share"
            yield Fault(place(loc), "", rule, "Add one of them.")
    for loc, contacts in _found(raw, "campaigns.*.contacts"):
        if not isinstance(contacts, dict) or contacts.get("soft") is None:
            continue
        if all(contacts.get(key) is None for key in ("min", "max", "min_if_used")):
            rule = "softens nothing: there is no min, max or min_if_used beside it"
            yield Fault(place((*loc, "soft")), "", rule, "Add one of them, or take soft out.")


def _capacities(raw: dict[str, Any]) -> Iterator[Fault]:
    for loc, entry in _found(raw, "channels.*.capacity.[]"):
        if not isinstance(entry, dict):
            continue
        channel = raw["channels"][loc[1]]
        if entry.get("hours") is not None and channel.get("hours_per_contact") is None:
            rule = f"hours need the channel's hours_per_contact, and {loc[1]} has none"
            yield Fault(place((*loc, "hours")), "", rule, f"Add channels.{loc[1]}.hours_per_contact.")
        if entry.get("on") is not None and entry.get("per") in ("week", "period"):
            rule = f"a capacity with `on` is per day, not per {entry['per']}"
            yield Fault(place((*loc, "per")), "", rule, "Write per: day.")


def _missing_tables(raw: dict[str, Any]) -> Iterator[Fault]:
    response, data = raw.get("response"), raw.get("data")
    if not isinstance(data, dict):
        return
    database = data.get("database")
    if database is None:
        for table in ("customers", "permissions"):
            if data.get(table) is None:
                yield Fault(f"data.{table}", "", "is missing", "Add it.")
    for table in data if database is not None else ():
        if table in TABLES and data[table] is not None:
            rule = (
                "is a file, and data.database is given: tables come all from files or all from the database"
            )
            yield Fault(
                f"data.{table}", "", rule, f"Name the table in data.database.{table}, or take it out."
            )
    if not isinstance(response, dict) or response.get("from") != "table":
        return
    if response.get("customer_level") is True:
        rule = "the customer-level model is fitted to the history, and response.from is table"
        yield Fault("response.customer_level", "", rule, "Write customer_level: false, or from: history.")
    tables, where = (data, "data") if database is None else (database, "data.database")
    if isinstance(tables, dict) and tables.get("response_rates") is None:
        rule = "response.from is table, and no table is named"
        yield Fault(f"{where}.response_rates", "", rule, "Name the table of response rates.")
