"""What the rules about contacts over time ask of a planned contact: yes-or-no questions, a bit each.

A question is a rule and a day: may a contact that the rule binds be sent that day? Planned contacts ask it,
contacts near it answer no (or, where one contact must follow another, yes). Few kinds of contacts on few days
tell them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from optimizer.audit_contacts import AuditedContacts, Kind
from optimizer.rules import ContactRules, FrequencyCap, NeverTogether, OnlyAfter

Flags = NDArray[np.bool_]
PROMISED = "promised already"


@dataclass(frozen=True)
class DatedKinds:
    """The kinds of contacts and the days on which they occur, planned ones and others: a place each."""

    kinds: tuple[Kind, ...]
    kind: NDArray[np.int64]
    day: NDArray[np.int64]
    planned: Flags
    channel_and_campaign: NDArray[np.int64]

    @classmethod
    def of(cls, contacts: AuditedContacts) -> DatedKinds:
        """Those of a calendar, then those of the other contacts."""
        own = contacts.book[["day", "kind"]].drop_duplicates()
        both = pd.concat([own, contacts.seen[["day", "kind"]]]).to_numpy(dtype=np.int64)
        planned = np.arange(len(both)) < len(own)
        places = np.array(contacts.places, dtype=np.int64)
        return cls(contacts.kinds, both[:, 1], both[:, 0], planned, places[both[:, 1]])

    def where(self, wanted: Iterable[bool]) -> Flags:
        """The places of the kinds wanted; there is a flag for each kind."""
        flags: Flags = np.array([*wanted], dtype=bool)[self.kind]
        return flags

    def days_of(self, flags: Flags) -> list[int]:
        """The days on which the contacts at these places occur."""
        return [int(day) for day in np.unique(self.day[flags])]


@dataclass(frozen=True)
class Question:
    """The places that ask and those that answer no; where `needed`, those that answer yes."""

    rule: str
    asking: Flags
    answering: Flags
    needed: bool = False


def questions(rules: ContactRules, dated: DatedKinds) -> list[Question]:
    """All questions to which the answer may be no. Caps of several contacts are none of them."""
    found: list[Question] = []
    for cap in rules.caps:
        if cap.contacts <= 1:
            found += _of_cap(cap, dated)
    for apart in rules.never_together:
        found += _of_never_together(apart, dated)
    for after in rules.only_after:
        found += _of_only_after(after, dated)
    found += _of_promises(dated)
    return [question for question in found if question.needed or question.answering.any()]


def _of_cap(cap: FrequencyCap, dated: DatedKinds) -> Iterator[Question]:
    """One contact alone, or none at all. Two planned on a day are looked for elsewhere."""
    binds = dated.planned & dated.where(cap.binds(kind) for kind in dated.kinds)
    names = dated.where(cap.names(kind) for kind in dated.kinds)
    for day in dated.days_of(binds):
        near = names & (np.abs(dated.day - day) <= cap.reach)
        itself = dated.planned & (dated.day == day)
        yield Question(cap.path, binds & (dated.day == day), near & ~itself if cap.contacts else near)


def _of_never_together(rule: NeverTogether, dated: DatedKinds) -> Iterator[Question]:
    named = dated.where(rule.names(kind) for kind in dated.kinds)
    for campaign in rule.campaigns:
        own = dated.where(kind.campaign == campaign for kind in dated.kinds)
        for day in dated.days_of(dated.planned & own):
            near = named & ~own & (np.abs(dated.day - day) <= rule.days)
            yield Question(rule.path, dated.planned & own & (dated.day == day), near)


def _of_only_after(rule: OnlyAfter, dated: DatedKinds) -> Iterator[Question]:
    binds = dated.planned & dated.where(rule.binds(kind) for kind in dated.kinds)
    names = dated.where(rule.names(kind) for kind in dated.kinds)
    for day in dated.days_of(binds):
        ago = day - dated.day
        before = names & (ago >= rule.first) & (ago <= rule.last)
        yield Question(rule.path, binds & (dated.day == day), before, needed=True)


def _of_promises(dated: DatedKinds) -> Iterator[Question]:
    """Whether a commitment to what is planned stands there on the same day."""
    own = np.unique(dated.channel_and_campaign[dated.planned])
    promised = dated.where(kind.promised for kind in dated.kinds)
    promised &= np.isin(dated.channel_and_campaign, own)
    for day in dated.days_of(promised):
        today = dated.day == day
        yield Question(PROMISED, dated.planned & today, promised & today)
