"""Every rule of the plan applied to a calendar, independently of how it was made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

import pandas as pd

from models.customer_response import CustomerBands
from optimizer.audit_contacts import CODES, CONTACT, OTHERS, AuditedContacts, Kind, audited_contacts
from optimizer.audit_limits import limit_breaches
from optimizer.audit_lists import LISTS, planned_lists
from optimizer.audit_money import has_own_money, own_money
from optimizer.audit_questions import DatedKinds
from optimizer.audit_series import own_limit_breaches, series_breaches
from optimizer.audit_single import single_contact_breaches
from optimizer.coded_rows import CodedRows
from optimizer.contact_figures import ContactFigures
from optimizer.frames import frame_of
from optimizer.limits import Limit
from optimizer.plan_file import Plan
from optimizer.rules import ContactRules
from optimizer.tables import Tables
from optimizer.timetable import Timetable

RULES = (
    "permission", "restriction", "frequency_cap", "spacing", "never_together", "only_after", "duplicate",
    "audience", "window", "hold_out", "one_a_day", "limit",
)  # fmt: skip
COLUMNS = ["rule", "customer_id", "contact_on", "channel", "campaign", "business_unit", "detail"]


class AuditFailed(RuntimeError):  # noqa: N818 - named for what the user sees
    """A calendar breaks rules of its plan; `breaches` are the rows of audit_calendar."""

    def __init__(self, breaches: pd.DataFrame) -> None:
        self.breaches = breaches
        counts = breaches.rule.value_counts().reindex(RULES).dropna()
        told = ", ".join(f"{rule} {count:,.0f}" for rule, count in counts.items())
        number = f"{len(breaches):,} breach{'es' if len(breaches) != 1 else ''}"
        super().__init__(f"The audit of the calendar found {number} ({told}). Nothing is written.")


def audit_calendar(
    plan: Plan,
    tables: Tables,
    calendar: CodedRows,
    limits: Sequence[Limit],
    timetable: Timetable,
    *,
    segments: Sequence[str],
    figures: ContactFigures | None = None,
    bands: CustomerBands | None = None,
) -> pd.DataFrame:
    """The breaches of a calendar, a row for each rule and contact, by rule, customer and date.

    The calendar's book has contact_on, channel, campaign and segment; `limits` are those of the plan,
    `segments` the labels behind Limit.segments. `figures`, whose first rows are the segments', are needed
    where customers have figures of their own, `bands` where they have response rates of bands. The
    history before the period and the commitments count and are not judged. Columns are COLUMNS; a row
    of the rule `limit` names no contact. customer_id is an integer where the customers' ids are. The
    engine finds the breaches; only they come to the client.
    """
    rules, engine = ContactRules.of(plan), tables.engine
    own_limits = bool(tables.customers.max_contacts.notnull().any().to_pyarrow().as_py())
    own_figures = figures is not None and has_own_money(plan, bands)
    # Fatigue is asked for only where money is counted contact by contact.
    tired = rules.fatigue_keep < 1 and (own_figures or any(limit.tiring is not None for limit in limits))
    # A customer's own limit looks back over a whole period, whatever the plan's rules do.
    least = max(plan.period.days - 1 if own_limits else 0, rules.fatigue_days if tired else 0)
    lookback = max(rules.lookback, least)
    contacts = audited_contacts(plan, tables, calendar, lookback, _reach(rules, least), segments)
    dated = DatedKinds.of(contacts)
    lists = planned_lists(engine, contacts, dated)
    frames = [
        frame_of(broken).assign(rule=rule)
        for checks in (
            single_contact_breaches(plan, tables, contacts, dated, lists),
            series_breaches(engine, rules, contacts, dated, lists),
            own_limit_breaches(plan, tables, contacts) if own_limits else (),
        )
        for rule, broken in checks
    ]
    money = own_money(plan, tables, contacts, rules, timetable, segments, figures, bands)
    words = list(limit_breaches(limits, segments, timetable, rules, contacts, dated, lists, money))
    for kept in (CODES, OTHERS, LISTS):
        engine.drop(kept)
    told = [frame for frame in frames if len(frame)]
    rows = (
        _once(pd.concat(told, ignore_index=True))
        if told
        else pd.DataFrame(columns=[*CONTACT, "detail", "rule"])
    )
    return _told(plan, contacts, rows, words, tables.integer_ids)


def _reach(rules: ContactRules, least: int) -> Callable[[Kind], int]:
    """For how many days after it (at least `least`) a contact of a kind matters to others."""

    def reach(kind: Kind) -> int:
        caps = (cap.reach for cap in rules.caps if cap.names(kind))
        apart = (rule.reach for rule in rules.never_together if rule.names(kind))
        after = (rule.reach for rule in rules.only_after if rule.names(kind))
        return max([least, *caps, *apart, *after])

    return reach


def refuse_breaches(breaches: pd.DataFrame) -> None:
    """Raises AuditFailed if there are any."""
    if len(breaches):
        raise AuditFailed(breaches)


def _once(rows: pd.DataFrame) -> pd.DataFrame:
    """A rule names a contact once: the details of one contact are put together."""
    key: list[str] = ["rule", "customer_id", "day", "kind"]
    rows = rows.sort_values([*key, "detail"], ignore_index=True)
    several = rows.duplicated(key, keep=False)
    joined = rows[several].groupby(key, as_index=False).agg({"detail": "; ".join})
    return pd.concat([rows[~several], joined], ignore_index=True)


def _told(
    plan: Plan, contacts: AuditedContacts, rows: pd.DataFrame, limits: list[str], integer_ids: bool
) -> pd.DataFrame:
    """The breaches in the columns of the contract."""
    dates = {day: plan.period.start + timedelta(days=day) for day in rows.day.unique().tolist()}
    kinds = [contacts.kinds[code] for code in rows.kind]
    ids = rows.customer_id.astype("Int64" if integer_ids else "string")
    told = pd.DataFrame(
        {
            "rule": rows.rule.astype("string"),
            "customer_id": ids,
            "contact_on": rows.day.map(dates).astype("datetime64[s]"),
            "channel": pd.array([kind.channel for kind in kinds], dtype="string"),
            "campaign": pd.array([kind.campaign for kind in kinds], dtype="string"),
            "business_unit": pd.array([kind.business_unit for kind in kinds], dtype="string"),
            "detail": rows.detail.astype("string"),
        }
    )
    beyond = pd.DataFrame({"rule": "limit", "detail": limits}).reindex(columns=COLUMNS).astype(told.dtypes)
    whole = pd.concat([told, beyond], ignore_index=True)
    order = whole.rule.map({rule: n for n, rule in enumerate(RULES)})
    by = ["order", "customer_id", "contact_on", "channel", "campaign"]
    return whole.assign(order=order).sort_values(by, kind="stable", ignore_index=True)[COLUMNS]
