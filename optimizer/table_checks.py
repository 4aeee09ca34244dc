"""What every row must keep, one named check a function.

A check is an expression that is true on the rows at fault; all checks of a table are counted in one pass,
and only where one finds something are its rows looked at again, for the first keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir

from models.portable import is_finite
from optimizer.plan_rules import CONTACT_TYPES
from optimizer.table_schema import TableSchema, further_columns, unread

if TYPE_CHECKING:
    from optimizer.plan_file import Plan

_READ_RULES = {
    "text": ("is not text", "Save the column as text or whole numbers."),
    "word": ("is not text", "Save the column as text."),
    "date": (
        "is not a date",
        "Write dates as 2026-11-30; times other than midnight and time zones need data.timezone.",
    ),
    "number": (
        "is not a finite number",
        "Write plain numbers with a decimal point, or leave the cell empty.",
    ),
    "whole": ("is not a whole number", "Write whole numbers, or leave the cell empty."),
    "flag": ("is not 0 or 1", "Write 0 or 1, or leave the cell empty."),
}


@dataclass(frozen=True)
class RowCheck:
    """A rule for single rows: `broken` is true (not NULL) on rows at fault.

    With `known` the remedy names the known words and the nearest one. `warns`: no fault, only a warning.
    `reads`: the cell was not read.
    """

    column: str
    rule: str
    remedy: str
    broken: ir.BooleanValue
    known: tuple[str, ...] = ()
    warns: bool = False
    reads: bool = False


RuleOfRows = Callable[[ir.Table, "Plan"], RowCheck]


def unread_cells(rows: ir.Table, schema: TableSchema) -> Iterator[RowCheck]:
    """Cells that hold something, but not what their column is for."""
    columns = [(column.given_as, column.kind) for column in schema.columns]
    columns += [(name, "number") for name in further_columns(rows.columns, schema)]
    for number, (name, kind) in enumerate(columns):
        if unread(number) in rows.columns:
            rule, remedy = _READ_RULES[kind]
            yield RowCheck(name, rule, remedy, rows[unread(number)], reads=True)


def empty_cells(rows: ir.Table, schema: TableSchema) -> Iterator[RowCheck]:
    """Empty cells in columns that are needed."""
    for number, column in enumerate(schema.columns):
        if column.needed:
            empty = rows[column.name].isnull()
            if unread(number) in rows.columns:
                empty = empty & ~rows[unread(number)]
            yield RowCheck(column.given_as, "is empty", "Fill the cells in or take the rows out.", empty)


def infinite_numbers(rows: ir.Table, schema: TableSchema) -> Iterator[RowCheck]:
    """Further columns that hold an infinite number."""
    for number, name in enumerate(further_columns(rows.columns, schema), start=len(schema.columns)):
        if rows[name].type().is_floating() and unread(number) not in rows.columns:
            rule, remedy = _READ_RULES["number"]
            yield RowCheck(name, rule, remedy, _true(~is_finite(rows[name])))


def known_channel(rows: ir.Table, plan: Plan) -> RowCheck:
    """A channel that the plan does not have."""
    channels = tuple(plan.channels)
    remedy = "Correct it, take the rows out, or add the channel to the plan."
    broken = _unknown(rows.channel, channels)
    return RowCheck("channel", "is not a channel of the plan", remedy, broken, channels)


def unplanned_channel(rows: ir.Table, plan: Plan) -> RowCheck:
    """A channel in earlier contacts that the plan does not have: kept, for rules that name no channel."""
    channels = tuple(plan.channels)
    remedy = "These contacts count only in rules that name no channel."
    broken = _unknown(rows.channel, channels)
    return RowCheck("channel", "is not a channel of the plan", remedy, broken, channels, warns=True)


def known_words(column: str, plan: Plan) -> tuple[str, ...]:
    """The words that may stand in a column of the kind `word`."""
    return ("granted", "denied") if column == "status" else tuple(plan.policy.restrictions)


def granted_or_denied(rows: ir.Table, plan: Plan) -> RowCheck:
    """A permission's status is one of two words."""
    known = known_words("status", plan)
    broken = _unknown(rows.status, known)
    return RowCheck("status", "is neither granted nor denied", "Write granted or denied.", broken, known)


def known_topic(rows: ir.Table, _plan: Plan) -> RowCheck:
    """A permission's topic is a contact type."""
    broken = _unknown(rows.topic, tuple(CONTACT_TYPES))
    remedy = "Leave the cell empty if the row covers all types."
    return RowCheck("topic", "is not a contact type", remedy, broken, tuple(CONTACT_TYPES))


def known_type(rows: ir.Table, _plan: Plan) -> RowCheck:
    """An earlier contact's type is one of the six; a misspelt one would silently escape the caps."""
    broken = _unknown(rows.type, tuple(CONTACT_TYPES))
    remedy = "Leave the cell empty if the type is not known; it then counts as every type."
    return RowCheck("type", "is not a contact type", remedy, broken, tuple(CONTACT_TYPES))


def known_reason(rows: ir.Table, plan: Plan) -> RowCheck:
    """A restriction's reason is listed in the plan."""
    reasons = known_words("reason", plan)
    broken = _unknown(rows.reason, reasons) if reasons else rows.reason.notnull()
    remedy = "List it under policy.restrictions (with `blocks: []` if it blocks nothing)."
    return RowCheck("reason", "is not in policy.restrictions", remedy, broken, reasons)


def valid_in_order(rows: ir.Table, _plan: Plan) -> RowCheck:
    """A permission does not end before it begins."""
    broken = _true(rows.valid_to < rows.valid_from)
    return RowCheck("valid_to", "is before valid_from", "Correct one of the two dates.", broken)


def restriction_in_order(rows: ir.Table, _plan: Plan) -> RowCheck:
    """A restriction does not end before it begins."""
    broken = _true(rows.ends_on < rows.starts_on)
    return RowCheck("ends_on", "is before starts_on", "Correct one of the two dates.", broken)


def response_after_contact(rows: ir.Table, _plan: Plan) -> RowCheck:
    """A response does not come before its contact; a slip of the recording systems, so only a warning."""
    broken = _true(rows.responded_on < rows.contacted_on)
    return RowCheck(
        "responded_on", "is before contacted_on", "The rows are used as they are.", broken, warns=True
    )


def limit_not_negative(rows: ir.Table, _plan: Plan) -> RowCheck:
    """A customer's own limit is not below 0."""
    remedy = "Write 0 for no contact at all, or leave the cell empty for no limit."
    return RowCheck("max_contacts", "is negative", remedy, _true(rows.max_contacts < 0))


def cost_not_negative(rows: ir.Table, _plan: Plan) -> RowCheck:
    """A cost is not below 0."""
    return RowCheck("cost", "is negative", "Write costs as positive numbers.", _true(rows.cost < 0))


def rate_is_share(rows: ir.Table, _plan: Plan) -> RowCheck:
    """A response rate lies between 0 and 1."""
    rate = rows.response_rate
    remedy = "Write rates as fractions: 0.05 for 5 %."
    return RowCheck("response_rate", "is not between 0 and 1", remedy, _true((rate < 0) | (rate > 1)))


def error_not_negative(rows: ir.Table, _plan: Plan) -> RowCheck:
    """A standard error is not below 0."""
    broken = _true(rows.standard_error < 0)
    return RowCheck("standard_error", "is negative", "Correct it or leave the cell empty.", broken)


def unplanned_campaign(rows: ir.Table, plan: Plan) -> RowCheck:
    """Figures for a campaign that the plan does not have: last season's, as a rule."""
    campaigns = tuple(plan.campaigns)
    broken = _unknown(rows.campaign, campaigns)
    return RowCheck(
        "campaign", "is not a campaign of the plan", "These rows are not used.", broken, campaigns, warns=True
    )


def without_figure(rows: ir.Table, plan: Plan) -> RowCheck:
    """Rows that say nothing that counts: as a rule the figures' columns have other names."""
    counted = [name for name in ("response_rate", *MONEY) if name != REVENUE or plan.objective.counts_revenue]
    broken = ibis.and_(*(rows[name].isnull() for name in counted))
    remedy = f"Fill in one of {', '.join(counted)}; these rows are not used."
    return RowCheck("", "has no figure that counts", remedy, broken, warns=True)


def channel_of_campaign(rows: ir.Table, plan: Plan) -> RowCheck:
    """Figures for a channel of the plan by which the campaign is not sent."""
    broken = rows.campaign.isnull() & ibis.literal(False)
    for name, campaign in plan.campaigns.items():
        others = tuple(channel for channel in plan.channels if channel not in campaign.channels)
        if others:
            broken = broken | ((rows.campaign == name) & rows.channel.isin(others))
    remedy = "These rows are not used."
    return RowCheck("channel", "is not one of its campaign's channels", remedy, _true(broken), warns=True)


def _within_reason(column: str) -> RuleOfRows:
    def check(rows: ir.Table, _plan: Plan) -> RowCheck:
        broken = _true(rows[column].abs() >= MOST_MONEY)
        return RowCheck(column, f"is beyond {MOST_MONEY:,.0f}", "Correct the figure or its unit.", broken)

    return check


def own_cost_not_negative(rows: ir.Table, _plan: Plan) -> RowCheck:
    """A customer's own cost of a contact is not below 0."""
    broken = _true(rows.cost_per_contact < 0)
    return RowCheck("cost_per_contact", "is negative", "Write costs as positive numbers.", broken)


REVENUE = "revenue_per_response"
MONEY = ("margin_per_response", REVENUE, "value_per_contact", "cost_per_contact")
MOST_MONEY = 1e12
"""Figures are told apart as whole numbers of millionths, which must fit into 64 bits."""

ROW_CHECKS: dict[str, tuple[RuleOfRows, ...]] = {
    "customers": (limit_not_negative,),
    "permissions": (known_channel, granted_or_denied, known_topic, valid_in_order),
    "contact_history": (unplanned_channel, known_type, response_after_contact),
    "commitments": (unplanned_channel, known_type, cost_not_negative),
    "transactions": (),
    "restrictions": (known_reason, restriction_in_order),
    "response_rates": (rate_is_share, error_not_negative),
    "scores": (
        known_channel,
        unplanned_campaign,
        without_figure,
        channel_of_campaign,
        rate_is_share,
        own_cost_not_negative,
        *(_within_reason(column) for column in MONEY),
    ),
}
"""The checks of each table beyond those that every column's kind brings."""


def row_checks(rows: ir.Table, schema: TableSchema, plan: Plan) -> list[RowCheck]:
    """Return all row checks of a freshly opened table."""
    return [
        *unread_cells(rows, schema),
        *empty_cells(rows, schema),
        *infinite_numbers(rows, schema),
        *(check(rows, plan) for check in ROW_CHECKS[schema.name]),
    ]


def _true(condition: ir.BooleanValue) -> ir.BooleanValue:
    return condition.fill_null(ibis.literal(False))


def _unknown(column: ir.Value, words: tuple[str, ...]) -> ir.BooleanValue:
    """Cells that hold another word. DuckDB asks a function once a word of a file, an IN once a row."""
    return column.notnull() & ~ibis.array(list(words)).contains(column)
