"""One customer of a finished run: segment, cell, stream, and why not the other campaigns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd

from optimizer.earlier_contacts import EarlierContact, EarlierEffects, earlier_rows
from optimizer.engine_choice import BY_THE_PLAN, EngineOptions
from optimizer.explain_figures import own_figures_in_words
from optimizer.explain_reasons import CustomerReasons, Reason
from optimizer.explain_rules import contact_in_words
from optimizer.explain_run import CustomersRun, read_customers_run
from optimizer.explain_worth import CustomerWorth
from optimizer.frames import frame_of
from optimizer.own_limits import UNLIMITED
from optimizer.plan_file import Plan
from optimizer.problem import Problem, make_problem
from optimizer.rules import ContactRules
from optimizer.stream_book import Stream
from optimizer.tables import Tables
from optimizer.timetable import Timetable
from optimizer.wording import counted, day, enumeration, number, span


@dataclass(frozen=True)
class PlannedContact:
    """A contact of the customer's stream; `value` is its expected value, cost taken off."""

    contact_on: date
    channel: str
    campaign: str
    final: bool
    value: float


@dataclass(frozen=True)
class Explanation:
    """What a run means for one customer.

    `open` says in words which contacts the customer's cell may have, `earlier` which earlier and promised
    contacts count, `figures` which figures are not the segment's. `contacts` is the stream, `control` the one
    that a held-out customer would have had. `not_received` has a reason for every campaign of the plan that
    `contacts` does not hold.
    """

    customer_id: str
    segment: str
    segment_name: str
    stream: str
    held_out: bool
    open: tuple[str, ...]
    earlier: tuple[str, ...]
    figures: tuple[str, ...]
    contacts: tuple[PlannedContact, ...]
    control: tuple[PlannedContact, ...]
    not_received: tuple[Reason, ...]
    warnings: tuple[str, ...]

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """Segment, cell and stream by name, in words."""
        named = "" if self.segment_name == self.segment else f" ({self.segment_name})"
        own = (("own figures", "; ".join(self.figures)),) if self.figures else ()
        held = (("held out", "yes; the control stream is what it would have had"),) if self.held_out else ()
        return (
            ("segment", f"{self.segment}{named}"),
            ("open to its cell", "; ".join(self.open) or "nothing"),
            ("earlier contacts that count", "; ".join(self.earlier) or "none"),
            *own,
            *held,
            ("stream", self.stream or "no contact"),
        )

    @property
    def lines(self) -> tuple[str, ...]:
        """The whole explanation as plain lines."""
        return tuple(_lines(self))


def explain(plan: Plan, customer_id: str, engine: EngineOptions = BY_THE_PLAN) -> Explanation:
    """Explains the run of the plan's period for one customer.

    Raises BadInput where there is no run or no such customer, and for faults of the tables.
    """
    run = read_customers_run(plan, customer_id, engine)
    problem = make_problem(plan, run.tables, run.segments, run.rates)
    rules = _own_rules(problem)
    earlier = _earlier_contacts(plan, run.tables, problem.timetable, rules.lookback)
    key = problem.cells.groups.iloc[0]
    own = _reasons(plan, run, problem, rules, earlier, int(key.cell), run.calendar)
    held = bool(problem.cells.kinds.held_out.iloc[0])
    twin = _reasons(plan, run, problem, rules, earlier, int(key.twin), run.control) if held else own
    return Explanation(
        customer_id,
        run.segment,
        run.segment_name,
        run.stream,
        held,
        tuple(_open(problem, own.cell)),
        tuple(_felt(plan, problem, rules, earlier)),
        tuple(own_figures_in_words(problem, own.cell)),
        _planned(run.calendar),
        _planned(run.control),
        tuple(_not_received(plan, run, own, twin)),
        run.warnings,
    )


def _not_received(
    plan: Plan, run: CustomersRun, own: CustomerReasons, twin: CustomerReasons
) -> Iterator[Reason]:
    for name, campaign in plan.campaigns.items():
        if name in set(run.calendar.campaign):
            continue
        if twin is own or campaign.type not in plan.hold_out.types:
            yield own.why_not(name)
            continue
        withheld = run.control[run.control.campaign == name]
        if len(withheld):
            first = withheld.iloc[0]
            words = f"held out: would have had it by {first.channel} on {day(first.contact_on)}"
            yield Reason(name, "held_out", words)
        else:
            reason = twin.why_not(name)
            words = f"held out; it would not have had it either: {reason.words}"
            yield replace(reason, code="held_out", words=words)


def _reasons(
    plan: Plan,
    run: CustomersRun,
    problem: Problem,
    rules: ContactRules,
    earlier: tuple[EarlierContact, ...],
    cell: int,
    contacts: pd.DataFrame,
) -> CustomerReasons:
    worth = CustomerWorth(problem.pricing(), cell, run.prices, _stream(problem, contacts))
    return CustomerReasons(plan, run.tables, problem, rules, earlier, run.segment, cell, worth, run.unused)


def _stream(problem: Problem, contacts: pd.DataFrame) -> Stream:
    """The contacts as (send day, option); those that the plan no longer knows are left out."""
    timetable = problem.timetable
    day_of = {timetable.date_of(t): t for t in range(len(timetable.days))}
    option_of = {(option.campaign, option.channel): i for i, option in enumerate(timetable.options)}
    return tuple(
        sorted(
            (day_of[on], option_of[campaign, channel])
            for on, campaign, channel in contacts[["contact_on", "campaign", "channel"]].itertuples(
                index=False
            )
            if on in day_of and (campaign, channel) in option_of
        )
    )


def _own_rules(problem: Problem) -> ContactRules:
    """The rules with the customer's own limit in the place of what stands for everybody's."""
    limit = int(problem.cells.kinds.max_contacts.iloc[0])
    caps = problem.rules.caps
    own = [replace(cap, contacts=limit) for cap in caps if cap.own and limit != UNLIMITED]
    return replace(problem.rules, caps=(*(cap for cap in caps if not cap.own), *own))


def _earlier_contacts(
    plan: Plan, tables: Tables, timetable: Timetable, lookback: int
) -> tuple[EarlierContact, ...]:
    """The customer's delivered and promised contacts that a rule may still look at, each once."""
    columns = ["day", "channel", "campaign"]
    rows = frame_of(earlier_rows(plan, tables, timetable, lookback)).sort_values([*columns, "type"])
    kinds = {name: campaign.type for name, campaign in plan.campaigns.items()}
    return tuple(
        EarlierContact(int(on), campaign, channel, kinds.get(campaign) if pd.isna(kind) else kind)
        for on, channel, campaign, kind in rows.drop_duplicates(columns)[[*columns, "type"]].itertuples(
            index=False
        )
    )


def _open(problem: Problem, cell: int) -> Iterator[str]:
    cells, timetable = problem.cells, problem.timetable
    may = cells.allowed[cells.pattern[cell]] & cells.leeway.open[cells.profile[cell]]
    alike: dict[tuple[str, str], list[str]] = {}
    for i, option in enumerate(timetable.options):
        days = np.flatnonzero(may[:, i]).tolist()
        if days:
            when = span(timetable.date_of(days[0]), timetable.date_of(days[-1]))
            told = f"{counted(len(days), 'send day')}, {when}"
            alike.setdefault((option.channel, told), []).append(option.campaign)
    for (channel, told), campaigns in alike.items():
        yield f"{enumeration(campaigns)} by {channel}: {told}"


def _felt(
    plan: Plan, problem: Problem, rules: ContactRules, earlier: tuple[EarlierContact, ...]
) -> Iterator[str]:
    code = EarlierEffects(earlier, problem.timetable, rules).code
    for contact, felt in zip(earlier, code.tolist(), strict=True):
        if felt >= 0:
            yield contact_in_words(contact, plan.period.start) + (", promised" if contact.day >= 0 else "")


def _planned(rows: pd.DataFrame) -> tuple[PlannedContact, ...]:
    columns = ["contact_on", "channel", "campaign", "final", "expected_value"]
    return tuple(
        PlannedContact(on, channel, campaign, bool(final), float(value))
        for on, channel, campaign, final, value in rows[columns].itertuples(index=False)
    )


def _lines(told: Explanation) -> Iterator[str]:
    yield f"customer: {told.customer_id}"
    yield from (f"{name}: {words}" for name, words in told.facts)
    yield from (f"{in_words(contact)}" for contact in told.contacts)
    yield from (f"control stream: {in_words(contact)}" for contact in told.control)
    for reason in told.not_received:
        yield f"not {reason.campaign}: {'; '.join((reason.words, *reason.others))}"


def in_words(contact: PlannedContact) -> str:
    """A contact such as `Mon 30 Nov: sale by email, final, worth 0.90`."""
    settled = "final" if contact.final else "provisional"
    value = number(contact.value, 2)
    return f"{day(contact.contact_on)}: {contact.campaign} by {contact.channel}, {settled}, worth {value}"
