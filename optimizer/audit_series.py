"""The plan's rules about a customer's contacts over time, applied to dated contacts.

Each check gives a table of the planned contacts at fault: customer_id, day, kind and detail. A rule
looks at all of the customer's contacts and finds fault with planned ones only. Only customers whom the
sieve (audit_pairs) leaves are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

import ibis
import ibis.expr.types as ir
import pandas as pd

from optimizer.audit_contacts import CONTACT, AuditedContacts
from optimizer.audit_lists import PlannedLists
from optimizer.audit_pairs import SEVERAL_A_DAY, beyond_own_limit, crowded_customers, suspects
from optimizer.audit_questions import PROMISED, DatedKinds
from optimizer.engine import Engine
from optimizer.frames import table_of
from optimizer.plan_file import Plan
from optimizer.rules import OWN_LIMIT, ContactRules, FrequencyCap, NeverTogether, OnlyAfter
from optimizer.tables import Tables


def series_breaches(
    engine: Engine, rules: ContactRules, contacts: AuditedContacts, dated: DatedKinds, lists: PlannedLists
) -> Iterator[tuple[str, ir.Table]]:
    """The name of each rule with the planned contacts that break it, each to be read before the next."""
    suspected = suspects(engine, rules, contacts, dated, lists)
    busy = suspected.of(SEVERAL_A_DAY)
    for cap in rules.caps:
        several = cap.contacts > 1
        customers = suspected.of(cap.path)
        if not several and busy is not None:
            customers = busy if customers is None else customers.union(busy, distinct=True)
        if (customers is None and cap.path not in suspected.wide) or not contacts.any_planned(cap.binds):
            continue
        if several:
            crowded = crowded_customers(contacts, cap, customers)
            customers = engine.keep("crowded customers", crowded)
        named = _suspected(engine, contacts, customers).join(_naming(cap, contacts), "kind")
        yield cap.breach, _in_full_stretches(named, cap.days)
    for apart in rules.never_together:
        if (customers := suspected.of(apart.path)) is not None:
            yield "never_together", _together(apart, contacts, _suspected(engine, contacts, customers))
    for after in rules.only_after:
        if (customers := suspected.of(after.path)) is not None:
            yield "only_after", _too_early_or_late(after, contacts, customers)
    if busy is not None:
        yield "one_a_day", _several_a_day(_suspected(engine, contacts, busy))
    if (customers := suspected.of(PROMISED)) is not None:
        told = _suspected(engine, contacts, customers)
        found = told.filter(told.planned & told.promised)
        yield "duplicate", found.select(*CONTACT, detail=ibis.literal(PROMISED))


def own_limit_breaches(
    plan: Plan, tables: Tables, contacts: AuditedContacts
) -> Iterator[tuple[str, ir.Table]]:
    """Planned contacts beyond a customer's own limit (max_contacts) in every `period.days` days."""
    limits = tables.customers.filter(tables.customers.max_contacts.notnull())
    limits = limits.select("customer_id", allowed="max_contacts")
    customers = beyond_own_limit(contacts, limits, plan.period.days)
    named = _suspected(tables.engine, contacts, customers).join(limits, "customer_id")
    named = named.mutate(path=ibis.literal(OWN_LIMIT), binds=ibis.literal(True))
    yield "frequency_cap", _in_full_stretches(named, plan.period.days)


def _suspected(engine: Engine, contacts: AuditedContacts, customers: ir.Table) -> ir.Table:
    """All contacts of the customers, each once; kept until the next are asked for."""
    return engine.keep("suspected contacts", contacts.once(customers))


def _in_full_stretches(named: ir.Table, days: int) -> ir.Table:
    """Planned contacts that bind, inside a stretch of `days` days that holds more than is allowed.

    `named` has a row for each contact that the cap counts, with path, allowed and binds (whether the
    contact breaks a full stretch, if planned). A stretch may be moved to begin with its first contact
    without losing any. So each contact counts the stretch that it begins, and each takes the greatest
    count of the stretches that it lies in.
    """
    # A contact further back shares no stretch with one of the period.
    rows = named.filter(named.day > -days)
    ended = rows.mutate(held=rows.count().over(days_around(rows, days - 1, 0)))
    # Contacts before the period are at fault only where a stretch that reaches into it is full.
    full = ended.filter(ended.day >= 0, ended.held > ended.allowed)
    rows = rows.semi_join(full, "customer_id")
    begun = rows.mutate(held=rows.count().over(days_around(rows, 0, days - 1)))
    most = begun.mutate(most=begun.held.max().over(days_around(begun, days - 1, 0)))
    broken = most.filter(most.planned & most.binds & (most.most > most.allowed))
    stretch = "1 day" if days == 1 else f"{days} days"
    words = broken.most.cast("string") + f" contacts in {stretch}, at most " + broken.allowed.cast("string")
    return broken.select(*CONTACT, detail=broken.path + ": " + words)


def _naming(cap: FrequencyCap, contacts: AuditedContacts) -> ir.Table:
    """Which kinds of contacts the cap counts, which of them may not exceed it, and how many it allows."""
    rows = [
        (cap.path, cap.contacts, code, cap.binds(kind))
        for code, kind in enumerate(contacts.kinds)
        if cap.names(kind)
    ]
    return table_of(
        pd.DataFrame(rows, columns=["path", "allowed", "kind", "binds"]),
        {"path": "string", "allowed": "int64", "kind": "int32", "binds": "boolean"},
    )


def _together(rule: NeverTogether, contacts: AuditedContacts, suspected: ir.Table) -> ir.Table:
    """Planned contacts with one of another campaign of the list too near."""
    place = {name: n for n, name in enumerate(rule.campaigns)}
    codes = [(n, place[k.campaign]) for n, k in enumerate(contacts.kinds) if rule.names(k)]
    named = suspected.filter(suspected.kind.isin([code for code, _ in codes]))
    numbered = named.mutate(number=named.kind.cases(*codes))
    near = days_around(numbered, rule.days, rule.days)
    spread = numbered.mutate(least=numbered.number.min().over(near), most=numbered.number.max().over(near))
    broken = spread.filter(spread.planned & (spread.least < spread.most))
    return broken.select(*CONTACT, detail=ibis.literal(f"{rule.path}: less than {rule.days + 1} days apart"))


def _too_early_or_late(rule: OnlyAfter, contacts: AuditedContacts, customers: ir.Table) -> ir.Table:
    """Planned contacts without the contact that must come before."""
    named = contacts.of(lambda kind: rule.names(kind) or rule.binds(kind), customers)
    codes = [n for n, kind in enumerate(contacts.kinds) if rule.names(kind)]
    opening = named.mutate(opens=named.kind.isin(codes).cast("int64"))
    before = opening.mutate(before=opening.opens.sum().over(days_around(opening, rule.last, -rule.first)))
    asking = [n for n, kind in enumerate(contacts.kinds) if kind.planned and rule.binds(kind)]
    broken = before.filter(before.kind.isin(asking) & (before.before.fill_null(0) == 0))
    words = f"{rule.path}: no {rule.after} {rule.first} to {rule.last} days before"
    return broken.select(CONTACT).distinct().mutate(detail=ibis.literal(words))


def _several_a_day(suspected: ir.Table) -> ir.Table:
    planned = suspected.filter(suspected.planned)
    daily = planned.group_by("customer_id", "day").agg(number=planned.tellings.sum())
    found = planned.join(daily.filter(daily.number > 1), ["customer_id", "day"])
    words = found.number.cast("string") + ibis.literal(" planned contacts on one day")
    return found.select(*CONTACT, detail=words)


def days_around(rows: ir.Table, before: int, after: int) -> ibis.expr.builders.WindowBuilder:
    """A window over the customer's contacts from `before` days before to `after` days after, that day in.

    A negative `after` ends it so many days before.
    """
    bounds = {"preceding": (before, -after)} if after <= 0 else {"preceding": before, "following": after}
    return ibis.range_window(group_by="customer_id", order_by="day", **bounds)
