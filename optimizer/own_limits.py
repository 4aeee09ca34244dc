"""The customers' own limits (column max_contacts): so many contacts in every period.days days."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from optimizer.earlier_contacts import earlier_rows
from optimizer.plan_file import Plan
from optimizer.rules import ContactRules
from optimizer.tables import Tables
from optimizer.timetable import Timetable

UNLIMITED = -1


def contact_rules(plan: Plan, tables: Tables, timetable: Timetable) -> ContactRules:
    """The plan's rules, with the customers' own limits where some customer has one that can bind.

    Their cap allows one contact more than the greatest such limit, or as many as the longest stream has:
    either way it holds for nobody as it stands, and the graph remembers no more than needed.
    """
    rules = ContactRules.of(plan)
    longest = longest_stream(timetable, rules)
    limited = tables.customers.filter(tables.customers.max_contacts.notnull())
    limited = limited.select("customer_id", "max_contacts")
    if not limited.count().to_pyarrow().as_py():
        return rules
    earlier = earlier_rows(plan, tables, timetable, plan.period.days - 1)
    counts = earlier.group_by("customer_id").agg(earlier=earlier.count())
    limited = limited.left_join(counts, "customer_id")
    binding = limited.filter(limited.max_contacts < longest + limited.earlier.fill_null(0))
    greatest = binding.max_contacts.max().to_pyarrow().as_py()
    if greatest is None:
        return rules
    return rules.with_own_limits(min(longest, greatest + 1), plan.period.days)


def longest_stream(timetable: Timetable, rules: ContactRules) -> int:
    """At least as many contacts as any stream can have: one a send day, less where a cap names them all."""
    longest = len(timetable.days)
    for cap in rules.caps:
        chosen = (cap.channels, cap.campaigns, cap.types)
        if longest and not cap.own and chosen == (None, None, None) and not cap.uncounted + cap.ignoring:
            span = timetable.days[-1] - timetable.days[0] + 1
            longest = min(longest, -(-span // cap.days) * cap.contacts)
    return longest


def own_limit(
    limit: ir.IntegerColumn, earlier: ir.IntegerColumn, timetable: Timetable, rules: ContactRules
) -> ir.IntegerValue:
    """The customers' limits, UNLIMITED where there is none or it leaves room for the longest stream.

    `earlier` counts each customer's earlier contacts.
    """
    if not any(cap.own for cap in rules.caps):
        return ibis.literal(UNLIMITED, "int64")
    binds = limit < earlier + longest_stream(timetable, rules)
    return ibis.ifelse(binds.fill_null(ibis.literal(False)), limit, ibis.literal(UNLIMITED, "int64"))
