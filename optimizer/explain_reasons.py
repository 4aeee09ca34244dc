"""Why a customer does not get a campaign: every channel and day is asked, the nearest miss is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import pandas as pd

from optimizer.earlier_contacts import EarlierContact
from optimizer.explain_blocks import (
    audience_in_words,
    permission_refused,
    restricted,
    segment_in_words,
    window_in_words,
)
from optimizer.explain_rules import Obstacle, contacts_in_words, obstacles
from optimizer.explain_words import offer_in_words
from optimizer.explain_worth import Contact, CustomerWorth, Offer
from optimizer.frames import frame_of
from optimizer.plan_file import Plan
from optimizer.problem import Problem
from optimizer.rules import ContactRules
from optimizer.tables import Tables
from optimizer.wording import counted, day, number

STAGES = (
    "window", "no_send_day", "audience", "segments", "permission", "restriction", "cap_reached",
    "already_promised", "only_after", "not_used",
)  # fmt: skip
"""The codes of what is asked before value and price, in order: a later one came nearer."""

BRIEF = {
    "permission": "no permission",
    "restriction": "restricted",
    "cap_reached": "earlier contacts stand in its way",
    "already_promised": "promised already",
    "only_after": "nothing opens it",
    "not_worth_its_cost": "not worth its cost",
    "priced_out": "priced out",
    "own_stream": "its own contacts stand in its way",
    "equally_good": "equally good",
}


@dataclass(frozen=True)
class Reason:
    """Why the customer does not get `campaign`: a code, the words of the nearest miss, the others briefly.

    Codes: window, no_send_day, audience, segments, permission, restriction, held_out, cap_reached (by
    earlier and promised contacts), already_promised, only_after, not_used (the campaign, by anybody),
    not_worth_its_cost, priced_out, own_stream (a rule and the customer's other contacts), equally_good.
    """

    campaign: str
    code: str
    words: str
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """Why an option fails on one day (or on all, `on` None); `change` as in Offer."""

    code: str
    channel: str
    on: date | None
    words: str
    change: float = -np.inf

    @property
    def nearness(self) -> tuple[int, float]:
        """Greater for what came nearer to being planned."""
        return (STAGES.index(self.code) if self.code in STAGES else len(STAGES)), self.change


@dataclass(frozen=True)
class CustomerReasons:
    """The reasons of one customer as a member of `cell` of the problem, with the stream it has there."""

    plan: Plan
    tables: Tables
    problem: Problem
    rules: ContactRules
    earlier: tuple[EarlierContact, ...]
    segment: str
    cell: int
    worth: CustomerWorth
    unused: frozenset[str]

    def why_not(self, campaign: str) -> Reason:
        """The reason why the customer's stream has no contact of the campaign."""
        findings = list(self._findings(campaign))
        best = max(findings, key=lambda finding: finding.nearness)  # of equals the first
        same = [f for f in findings if (f.code, f.channel) == (best.code, best.channel)]
        whole = len(same) == sum(f.channel == best.channel for f in findings)
        everyday = whole and all(f.words == best.words for f in same)
        return Reason(campaign, best.code, _placed(best, everyday), tuple(_others(findings, best)))

    def _findings(self, campaign: str) -> Iterator[Finding]:
        options, sendable = self.problem.timetable.options, self.problem.timetable.sendable
        own = [i for i, option in enumerate(options) if option.campaign == campaign]
        closed = [i for i in own if not sendable[:, i].any()]
        for i in closed:
            code, words = window_in_words(self.plan, options[i])
            yield Finding(code, options[i].channel, None, words)
        if len(closed) == len(own):
            return
        aside = self._not_addressed(campaign)
        if aside is not None:
            yield aside
            return
        free: dict[Contact, Sequence[Obstacle]] = {}
        for i in own:
            for t in np.flatnonzero(sendable[:, i]).tolist():
                blocked = self._blocked(t, i)
                if blocked is None:
                    free[t, i] = obstacles(self.rules, self.earlier, self._planned, self._contact((t, i)))
                else:
                    yield blocked
        yield from self._weighed(campaign, free)

    def _not_addressed(self, campaign: str) -> Finding | None:
        campaigns = self.problem.keys.audience_campaigns
        bits = str(self.problem.cells.kinds.audiences.iloc[0])
        if campaign in campaigns and bits[campaigns.index(campaign)] == "0":
            return Finding("audience", "", None, audience_in_words(self.plan, campaign, self._customer))
        segments = self.plan.campaigns[campaign].segments
        if segments is not None and self.segment not in segments:
            return Finding("segments", "", None, segment_in_words(self.plan, campaign))
        return None

    def _blocked(self, t: int, i: int) -> Finding | None:
        """Why neither permissions, restrictions nor earlier contacts let option i through on send day t."""
        cells, timetable = self.problem.cells, self.problem.timetable
        option, on = timetable.options[i], timetable.date_of(t)
        if not cells.allowed[cells.pattern[self.cell], t, i]:
            refused = permission_refused(self.plan, self._permissions, option, on)
            if refused is not None:
                words = f"no permission for {option.channel}: {refused}"
                return Finding("permission", option.channel, on, words)
            words = restricted(self.plan, self._restrictions, option, on) or "not allowed"
            return Finding("restriction", option.channel, on, f"restricted: {words}")
        new = self._contact((t, i))
        if not cells.leeway.open[cells.profile[self.cell], t, i]:
            way = [o for o in obstacles(self.rules, self.earlier, (), new) if o.code != "only_after"]
            return self._full(option.channel, on, option.campaign, way)
        for way_in in obstacles(self.rules, self.earlier, self._planned, new):
            if way_in.code == "only_after":
                return Finding("only_after", option.channel, on, f"not opened: {way_in.rule}")
        return None

    def _full(self, channel: str, on: date, campaign: str, way: Sequence[Obstacle]) -> Finding:
        """Of the rules that earlier contacts leave no room in, the one that lasts longest."""
        promised = [c for o in way for c in o.contacts if c.campaign == campaign and c.day >= 0]
        start = self.plan.period.start
        if promised:
            return Finding(
                "already_promised", channel, on, f"promised already: {contacts_in_words(promised, start)}"
            )
        if not way:
            return Finding("cap_reached", channel, on, "earlier contacts leave no room")
        longest = max(way, key=lambda o: np.inf if o.until is None else o.until)
        by = f" {longest.verb} {contacts_in_words(longest.contacts, start)}" if longest.contacts else ""
        until = "" if longest.until is None else f", until {day(self._date(longest.until))}"
        return Finding("cap_reached", channel, on, f"{longest.rule}{by}{until}")

    def _weighed(self, campaign: str, free: Mapping[Contact, Sequence[Obstacle]]) -> Iterator[Finding]:
        """What value and price say of the contacts that the rules leave open."""
        settings, options = self.plan.campaigns[campaign], self.problem.timetable.options
        if campaign in self.unused:
            asked = f"minimum of {counted(settings.contacts.min_if_used or 0, 'contact')}"
            if settings.setup_cost:
                asked = f"setup cost of {number(settings.setup_cost, 2)}"
            words = f"the campaign is not used in this plan: its {asked} is not worth it"
            for t, i in free:
                yield Finding("not_used", options[i].channel, self.problem.timetable.date_of(t), words)
            return
        way = {contact: self._own_in_the_way(found) for contact, found in free.items()}
        for contact, offer in self.worth.offers(way).items():
            code, words = offer_in_words(
                self.plan,
                offer,
                self.problem.figures.cost[self.problem.cells.figures[self.cell], contact[1]],
                free[contact],
                self._planned_as(offer),
            )
            t, i = contact
            yield Finding(code, options[i].channel, self.problem.timetable.date_of(t), words, offer.change)

    def _own_in_the_way(self, found: Sequence[Obstacle]) -> tuple[Contact, ...]:
        return tuple(
            contact
            for contact, planned in zip(self.worth.own, self._planned, strict=True)
            if any(planned in obstacle.contacts for obstacle in found)
        )

    def _planned_as(self, offer: Offer) -> tuple[EarlierContact, ...]:
        return tuple(self._contact(contact) for contact in offer.gone)

    def _contact(self, contact: Contact) -> EarlierContact:
        t, i = contact
        option = self.problem.timetable.options[i]
        return EarlierContact(self.problem.timetable.days[t], option.campaign, option.channel, option.type)

    def _date(self, day_number: int) -> date:
        return date.fromordinal(self.plan.period.start.toordinal() + day_number)

    @cached_property
    def _planned(self) -> tuple[EarlierContact, ...]:
        return tuple(self._contact(contact) for contact in self.worth.own)

    @cached_property
    def _permissions(self) -> pd.DataFrame:
        return frame_of(self.tables.permissions)

    @cached_property
    def _restrictions(self) -> pd.DataFrame:
        return frame_of(self.tables.restrictions)

    @cached_property
    def _customer(self) -> pd.Series:
        return frame_of(self.tables.customers).iloc[0]


def _placed(finding: Finding, everyday: bool) -> str:
    if not finding.channel or finding.code == "not_used":
        return finding.words
    if finding.code in ("permission", "window", "no_send_day") and (everyday or finding.on is None):
        return finding.words
    on = "" if everyday or finding.on is None else f" on {day(finding.on)}"
    return f"by {finding.channel}{on}: {finding.words}"


def _others(findings: Sequence[Finding], best: Finding) -> Iterator[str]:
    """A line for each other channel and reason."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.channel, finding.code), []).append(finding)
    for (channel, code), group in groups.items():
        if (channel, code) == (best.channel, best.code) or not channel:
            continue
        nearest = max(group, key=lambda finding: finding.nearness)
        apart = len(group) < sum(finding.channel == channel for finding in findings)
        days = f" on {counted(len(group), 'day')}" if apart else ""
        told = nearest.words if all(f.words == nearest.words for f in group) else BRIEF[code]
        yield f"by {channel}{days}: {told}"
