"""Contacts of the history and commitments, and which of them no rule can tell apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
from numpy.typing import NDArray

from optimizer.leeway import Effects
from optimizer.plan_file import Plan
from optimizer.rules import ContactRules, FrequencyCap
from optimizer.tables import Tables
from optimizer.timetable import Timetable


@dataclass(frozen=True)
class EarlierContact:
    """A contact that is not up for planning; `type` None is unknown, `day` counts from the start."""

    day: int
    campaign: str
    channel: str
    type: str | None


class EarlierEffects:
    """The effect of each distinct earlier contact on the send days of a timetable.

    `code[n]` is the code of contacts[n]: equal for contacts that no rule tells apart, -1 for those
    that nothing feels any more. `by_code` holds the effects of each code.
    """

    def __init__(self, contacts: Sequence[EarlierContact], timetable: Timetable, rules: ContactRules) -> None:
        effects = _effects(contacts, timetable, rules)
        first, self.code = _codes(effects)
        self.by_code = effects.of(first)
        ahead = effects.day >= 0
        self.ahead: dict[str, tuple[int, ...]] = {
            cap.path: tuple(np.unique(effects.day[named & ahead]).tolist())
            for cap, named in zip(rules.caps, effects.named, strict=True)
        }
        """By the path of each cap the days of the contacts inside or after the period that it names."""


def earlier_rows(plan: Plan, tables: Tables, timetable: Timetable, lookback: int) -> ir.Table:
    """History and commitments that count (day from the start), `lookback` days around the send days."""
    history, promised = tables.contact_history, tables.commitments
    history = history.filter((history.delivered == 1) & (history.control == 0))
    both = ibis.union(
        history.select("customer_id", "channel", "campaign", "type", on="contacted_on"),
        promised.select("customer_id", "channel", "campaign", "type", on="contact_on"),
    )
    last = timetable.days[-1] if timetable.days else 0
    day = both.on.delta(ibis.date(plan.period.start), unit="day")
    return both.mutate(day=day).filter((day >= -lookback) & (day <= last + lookback))


def _effects(contacts: Sequence[EarlierContact], timetable: Timetable, rules: ContactRules) -> Effects:
    """The effects of contacts, one for each of them."""
    day = np.array([contact.day for contact in contacts], dtype=np.int64)
    gap = timetable.day_of[None, :] - day[:, None]
    tiring = rules.fatigue_days if rules.fatigue_keep < 1 else 0
    same = [
        [c.campaign == o.campaign and c.channel == o.channel for o in timetable.options] for c in contacts
    ]
    return Effects(
        timetable,
        rules,
        bool((day >= 0).any()),
        day,
        tuple(np.array([cap.names(c) for c in contacts], dtype=bool) for cap in rules.caps),
        (gap >= 1) & (gap <= tiring),
        tuple(
            np.array([rule.names(c) for c in contacts], dtype=bool)[:, None]
            & (gap >= rule.first)
            & (gap <= rule.last)
            for rule in rules.only_after
        ),
        tuple(
            {
                name: np.array([c.campaign == name for c in contacts], dtype=bool)[:, None]
                & (abs(gap) <= rule.days)
                for name in rule.campaigns
            }
            for rule in rules.never_together
        ),
        np.array(same, dtype=bool).reshape(len(contacts), len(timetable.options)),
    )


def _codes(effects: Effects) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The first contact of each code, and each contact's code."""
    rules, day, count = effects.rules, effects.day, len(effects)
    gap = effects.timetable.day_of[None, :] - day[:, None]
    named = list(zip(rules.caps, effects.named, strict=True))
    felt = [
        held[:, None] & (gap <= cap.reach) & _bound(effects.timetable, cap)[None, :] for cap, held in named
    ]
    near = [table for rule in effects.near for table in rule.values()]
    marks = np.hstack([np.zeros((count, 0), dtype=bool), *felt, *near, *effects.ready, effects.tired])
    ahead = np.where(day >= 0, day + 1, 0)
    # A stretch may also hold a contact ahead: which of those an earlier contact shares one with.
    apart = np.unique(day[day >= 0])[None, :] - day[:, None]
    shared = [held[:, None] & (apart <= cap.reach) for cap, held in named]
    same = np.where((gap == 0).any(axis=1)[:, None], effects.same, False)
    key = np.hstack([marks.astype(np.int64), same, *shared, ahead[:, None]])
    anything = marks.any(axis=1) | same.any(axis=1)
    _, first, code = np.unique(key[anything], axis=0, return_index=True, return_inverse=True)
    every = np.full(count, -1, dtype=np.int64)
    every[anything] = code.reshape(-1)
    return np.flatnonzero(anything)[first], every


def _bound(timetable: Timetable, cap: FrequencyCap) -> NDArray[np.bool_]:
    """The send days on which the cap can break something."""
    options = timetable.options
    # A cap that binds no option breaks nothing; else those that ignore it can fill a stretch, too.
    named = [cap.names(option) for option in options] if any(map(cap.binds, options)) else []
    return np.asarray(timetable.sendable[:, np.flatnonzero(named)].any(axis=1))
