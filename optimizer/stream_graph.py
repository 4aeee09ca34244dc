"""The graph whose paths are the streams that the contact policy allows.

A node is what a customer's planned contacts so far mean for later ones: for every rule the send days
that still count. An arc sends one contact (or none) on a send day. The graph knows neither
permissions nor earlier contacts: those belong to a cell, and the search checks them on its way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.rules import ContactRules, FrequencyCap
from optimizer.timetable import Timetable

MOST_NODES = 3_000_000


@dataclass(frozen=True)
class Tracker:
    """One memory of the graph: which options it remembers, which it binds, and for how many days.

    `most` is the most remembered contacts with which a bound option may still be sent (None: it
    never forbids, as for fatigue). `dated` keeps every send day apart, even where all expire alike.
    """

    names: NDArray[np.bool_]
    binds: NDArray[np.bool_]
    reach: int
    most: int | None
    dated: bool = False


@dataclass(frozen=True)
class StreamGraph:
    """Nodes in order of their send day t; node 0 is the empty start.

    `kind[i]` groups options that every rule treats alike. `after[n, q]` is the node reached by sending
    kind q at node n (-1: forbidden), `skip[n]` by sending nothing. `fatigue[n]` counts the contacts
    that tire a contact sent at n, `ready[n, r]` tells whether only-after rule r is met there,
    `counted[n, c, :]` holds the send days remembered by the caps `shared_caps[c]` (-1 = none).
    `most_more[n]` bounds how many contacts can follow, `least_fatigue[n]` the fatigue from n on.
    `once[i]` is the once-only cap of option i as a number below `once_count` (-1: none).
    """

    send_day: NDArray[np.int32]
    kind: NDArray[np.int32]
    after: NDArray[np.int32]
    skip: NDArray[np.int32]
    fatigue: NDArray[np.int32]
    ready: NDArray[np.bool_]
    counted: NDArray[np.int16]
    most_more: NDArray[np.int32]
    least_fatigue: NDArray[np.int32]
    once: NDArray[np.int32]
    once_count: int
    shared_caps: tuple[FrequencyCap, ...]


def once_only(cap: FrequencyCap, timetable: Timetable) -> bool:
    """Whether the cap allows a single contact of one campaign in the whole period.

    Such a cap is kept out of the graph, where it would double the nodes; the search remembers it
    for the cells whose best stream would break it.
    """
    if cap.contacts != 1 or cap.campaigns is None or len(cap.campaigns) != 1 or cap.types or cap.channels:
        return False
    named = [i for i, option in enumerate(timetable.options) if cap.names(option)]
    on = timetable.day_of[timetable.sendable[:, named].any(axis=1)]
    return len(on) == 0 or int(on[-1] - on[0]) < cap.days


def build_graph(timetable: Timetable, rules: ContactRules, dated_caps: frozenset[str]) -> StreamGraph:
    """The graph of a timetable under the rules.

    `dated_caps` holds the paths of the caps that commitments inside the period also use: for those
    the very days of the planned contacts matter. Raises ValueError beyond MOST_NODES nodes.
    """
    once_caps = [cap for cap in rules.caps if once_only(cap, timetable)]
    caps = [cap for cap in rules.caps if cap not in once_caps and cap.contacts > 0]
    trackers = _trackers(timetable, rules, caps, dated_caps)
    once = np.full(len(timetable.options), -1, dtype=np.int32)
    for number, cap in enumerate(once_caps):
        once[[i for i, option in enumerate(timetable.options) if cap.names(option)]] = number
    return _Growth(timetable, rules, caps, trackers).graph(once, len(once_caps))


def _trackers(
    timetable: Timetable, rules: ContactRules, caps: list[FrequencyCap], dated_caps: frozenset[str]
) -> list[Tracker]:
    """The memories in this order: caps, never-together, only-after, fatigue."""
    options = timetable.options

    def mask(chosen: list[bool]) -> NDArray[np.bool_]:
        return np.array(chosen, dtype=bool)

    trackers = [
        Tracker(named, named, cap.reach, cap.contacts - 1, cap.path in dated_caps)
        for cap in caps
        for named in [mask([cap.names(option) for option in options])]
    ]
    for apart in rules.never_together:
        for name in apart.campaigns:
            named = mask([option.campaign == name for option in options])
            others = mask([apart.names(option) and option.campaign != name for option in options])
            trackers.append(Tracker(named, others, apart.reach, 0))
    for opened in rules.only_after:
        named = mask([opened.names(option) for option in options])
        bound = mask([opened.binds(option) for option in options])
        trackers.append(Tracker(named, bound, opened.reach, None, dated=True))
    everything = np.ones(len(options), dtype=bool)
    trackers.append(Tracker(everything, everything, rules.fatigue_days if rules.fatigue_keep < 1 else 0, None))
    return trackers


class _Growth:
    """Grows the graph send day by send day.

    A state is a sorted tuple of codes `tracker * send days + remembered day`, repeats allowed.
    """

    def __init__(
        self, timetable: Timetable, rules: ContactRules, caps: list[FrequencyCap], trackers: list[Tracker]
    ) -> None:
        self.timetable, self.rules, self.caps, self.trackers = timetable, rules, caps, trackers
        self.width = max(1, len(timetable.days))
        self.kind, self.kinds = self._kinds()
        self.remembered, self.expiry = self._memory()

    def _kinds(self) -> tuple[NDArray[np.int32], list[int]]:
        """The kind of every option, and one option of each kind."""
        marks = np.array([(tracker.names, tracker.binds) for tracker in self.trackers])
        seen: dict[bytes, int] = {}
        first: list[int] = []
        kind = np.zeros(len(self.timetable.options), dtype=np.int32)
        for i in range(len(kind)):
            mark = marks[:, :, i].tobytes()
            if mark not in seen:
                seen[mark] = len(first)
                first.append(i)
            kind[i] = seen[mark]
        return kind, first

    def _memory(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For tracker and send day: the day that stands for it, and the last day on which it counts.

        Days that expire alike are one, unless the tracker is dated; -1 where nothing needs to know.
        """
        days, sendable = self.timetable.day_of, self.timetable.sendable
        expiry = np.full((len(self.trackers), self.width), -1)
        stands_for = np.full((len(self.trackers), self.width), -1)
        for number, tracker in enumerate(self.trackers):
            bound = sendable[:, tracker.binds].any(axis=1)
            for t in range(len(days)):
                felt = np.flatnonzero(bound & (days > days[t]) & (days - days[t] <= tracker.reach))
                if len(felt):
                    expiry[number, t] = felt[-1]
                    alike = np.flatnonzero(expiry[number, : t + 1] == felt[-1])
                    stands_for[number, t] = t if tracker.dated else alike[0]
        return stands_for, expiry

    def graph(self, once: NDArray[np.int32], once_count: int) -> StreamGraph:
        states, layers, after, skip = self._grow()
        send_day = np.repeat(np.arange(len(layers)), layers).astype(np.int32)
        most_more, least_fatigue, fatigue = self._outlook(states, send_day, after, skip)
        shared = [c for c, cap in enumerate(self.caps) if cap.contacts > 1]
        return StreamGraph(
            send_day,
            self.kind,
            after,
            skip,
            fatigue,
            self._ready(states, send_day),
            self._counted(states, shared),
            most_more,
            least_fatigue,
            once,
            once_count,
            tuple(self.caps[c] for c in shared),
        )

    def _grow(
        self,
    ) -> tuple[list[tuple[int, ...]], list[int], NDArray[np.int32], NDArray[np.int32]]:
        states: list[tuple[int, ...]] = [()]
        layers = [1]
        after: list[list[int]] = []
        skip: list[int] = []
        for t in range(len(self.timetable.days)):
            start = len(states)
            index: dict[tuple[int, ...], int] = {}
            sent = self._sends(t)

            def node(state: tuple[int, ...], index: dict[tuple[int, ...], int] = index) -> int:
                if state not in index:
                    index[state] = len(states)
                    states.append(state)
                return index[state]

            for state in states[start - layers[-1] : start]:
                held = [code // self.width for code in state]
                kept = tuple(code for code in state if self.expiry[divmod(code, self.width)] > t)
                skip.append(node(kept))
                after.append(
                    [
                        -1
                        if adds is None or any(held.count(tracker) > most for tracker, most in bounds)
                        else node(tuple(sorted((*kept, *adds))))
                        for adds, bounds in sent
                    ]
                )
            layers.append(len(states) - start)
            if len(states) > MOST_NODES:
                raise ValueError(
                    f"the contact policy allows more than {MOST_NODES:,} distinct memories of earlier "
                    "contacts; use fewer or tighter frequency caps, or fewer send days"
                )
        rest = len(states) - len(skip)
        after += [[-1] * len(self.kinds)] * rest
        skip += [-1] * rest
        return (
            states,
            layers,
            np.array(after, dtype=np.int32).reshape(len(states), len(self.kinds)),
            np.array(skip, dtype=np.int32),
        )

    def _sends(self, t: int) -> list[tuple[tuple[int, ...] | None, list[tuple[int, int]]]]:
        """For each kind on send day t: what it adds to the state (None: not sendable), and its bounds."""
        open_kinds = set(self.kind[self.timetable.sendable[t]].tolist())
        sends: list[tuple[tuple[int, ...] | None, list[tuple[int, int]]]] = []
        for q, i in enumerate(self.kinds):
            adds = tuple(
                number * self.width + int(self.remembered[number, t])
                for number, tracker in enumerate(self.trackers)
                if tracker.names[i] and self.expiry[number, t] > t
            )
            bounds = [
                (number, tracker.most)
                for number, tracker in enumerate(self.trackers)
                if tracker.binds[i] and tracker.most is not None
            ]
            sends.append((adds if q in open_kinds else None, bounds))
        return sends

    def _outlook(
        self,
        states: list[tuple[int, ...]],
        send_day: NDArray[np.int32],
        after: NDArray[np.int32],
        skip: NDArray[np.int32],
    ) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
        tiring = len(self.trackers) - 1
        fatigue = np.array(
            [sum(code // self.width == tiring for code in state) for state in states], dtype=np.int32
        )
        most, least = np.zeros(len(states), dtype=np.int32), fatigue.copy()
        for t in range(len(self.timetable.days) - 1, -1, -1):
            here = np.flatnonzero(send_day == t)
            to = after[here]
            most[here] = np.maximum(most[skip[here]], np.where(to >= 0, most[to] + 1, 0).max(axis=1, initial=0))
            least[here] = np.minimum(least[here], least[skip[here]])
            least[here] = np.minimum(least[here], np.where(to >= 0, least[to], least[here][:, None]).min(axis=1))
        return most, least, fatigue

    def _ready(self, states: list[tuple[int, ...]], send_day: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Whether a planned contact opens the window of each only-after rule at each node."""
        rules = self.rules.only_after
        ready = np.zeros((len(states), len(rules)), dtype=bool)
        base = len(self.trackers) - 1 - len(rules)
        days = (*self.timetable.days, 10**6)
        for r, rule in enumerate(rules):
            for n, state in enumerate(states):
                ready[n, r] = any(
                    code // self.width == base + r
                    and rule.first <= days[send_day[n]] - days[code % self.width] <= rule.last
                    for code in state
                )
        return ready

    def _counted(self, states: list[tuple[int, ...]], shared: list[int]) -> NDArray[np.int16]:
        room = max((self.caps[c].contacts for c in shared), default=1)
        room = min(room, len(self.timetable.days) or 1)
        counted = np.full((len(states), len(shared), room), -1, dtype=np.int16)
        for n, state in enumerate(states):
            for s, c in enumerate(shared):
                days = [code % self.width for code in state if code // self.width == c]
                counted[n, s, : len(days)] = days
        return counted
