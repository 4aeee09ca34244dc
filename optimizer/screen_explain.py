"""What `explain` shows: one customer's segment, cell and stream, and why not the other campaigns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.table import Column, Table
from rich.text import Text

from optimizer import console
from optimizer.console import number, plain_table, printable
from optimizer.goal_wording import goal_unit, goal_words

if TYPE_CHECKING:
    from optimizer.explain import Explanation, PlannedContact
    from optimizer.plan_file import Plan


def show_customer(explanation: Explanation, plan: Plan) -> None:
    """One customer: segment, cell, stream with its contacts, and why not the other campaigns."""
    screen = console.output()
    about = plain_table(Column("customer"), Column(printable(explanation.customer_id), overflow="fold"))
    for name, words in explanation.facts:
        about.add_row(name, Text(printable(words)))
    screen.print(about)
    for title, contacts in (("stream", explanation.contacts), ("control stream", explanation.control)):
        if contacts:
            screen.print()
            screen.print(_contact_table(title, contacts, plan))
    if explanation.not_received:
        reasons = plain_table(Column("not received", overflow="fold"), Column("because", overflow="fold"))
        for reason in explanation.not_received:
            words = "\n".join(printable(line) for line in (reason.words, *reason.others))
            reasons.add_row(Text(printable(reason.campaign)), Text(words))
        screen.print()
        screen.print(reasons)


def _contact_table(title: str, contacts: Iterable[PlannedContact], plan: Plan) -> Table:
    """The contacts with what each brings in the objective's unit; costs without their sign."""
    sign = -1.0 if plan.objective.goal == "cost" else 1.0
    unit, name = goal_unit(plan), goal_words(plan).name
    head = name if name.endswith(unit) else f"{name}, {printable(unit)}"
    table = plain_table(
        Column(title), Column("campaign"), Column("channel"), Column(""), Column(head, justify="right")
    )
    for contact in contacts:
        settled = "final" if contact.final else "provisional"
        words = (contact.contact_on.isoformat(), contact.campaign, contact.channel, settled)
        table.add_row(*(Text(printable(word)) for word in words), number(sign * contact.value))
    return table
