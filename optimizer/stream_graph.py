"""The graph whose paths are the streams that the contact policy allows.

A node is what a customer's planned contacts so far mean for later ones: for every rule the send days
that still count. An arc sends one contact (or none) on a send day. The graph knows neither
permissions nor earlier contacts: those belong to a cell, and the search checks them on its way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.faults import BadInput, Fault
from optimizer.rules import ContactRules, FrequencyCap
from optimizer.stream_growth import FREE, Memory, grow
from optimizer.stream_memory import Tracker, make_trackers
from optimizer.timetable import Timetable

MOST_NODES = 3_000_000


@dataclass(frozen=True)
class StreamGraph:
    """Nodes in order of their send day t; node 0 is the empty start.

    `kind[i]` groups options that every rule treats alike. `after[n, q]` is the node reached by sending
    kind q at node n (-1: forbidden), `skip[n]` by sending nothing. `fatigue[n]` counts the contacts
    that tire a contact sent at n, `ready[n, r]` tells whether only-after rule r is met there,
    `counted[n, c, :]` holds the send days remembered by the caps `shared_caps[c]` (-1 = none), and
    `binding[n, c]` the last of a contact that does not ignore the cap (-1 = none that matters).
    `once[i]` is the once-only cap of option i as a number below `once_count` (-1: none).
    """

    send_day: NDArray[np.int32]
    kind: NDArray[np.int32]
    after: NDArray[np.int32]
    skip: NDArray[np.int32]
    fatigue: NDArray[np.int32]
    ready: NDArray[np.bool_]
    counted: NDArray[np.int16]
    binding: NDArray[np.int16]
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


def build_graph(
    timetable: Timetable, rules: ContactRules, ahead: Mapping[str, Sequence[int]] | None = None
) -> StreamGraph:
    """The graph of a timetable under the rules.

    `ahead` holds by a cap's path the days (from day 0 on) of commitments that it names: for such caps
    it matters when the planned contacts are. Raises BadInput beyond MOST_NODES nodes.
    """
    felt = [cap for cap in rules.caps if any(cap.binds(option) for option in timetable.options)]
    once_caps = [cap for cap in felt if once_only(cap, timetable)]
    least = {True: 2, False: 1}  # with less the earlier contacts alone decide
    caps = [cap for cap in felt if cap not in once_caps and cap.contacts >= least[cap.own]]
    trackers = make_trackers(timetable, rules, caps, ahead or {})
    once = np.full(len(timetable.options), -1, dtype=np.int32)
    for number, cap in enumerate(once_caps):
        once[[i for i, option in enumerate(timetable.options) if cap.names(option)]] = number
    return _Growth(timetable, rules, caps, trackers).graph(once, len(once_caps))


class _Growth:
    """Prepares what the compiled growth needs, and reads the graph's tables off the states it found."""

    def __init__(
        self, timetable: Timetable, rules: ContactRules, caps: list[FrequencyCap], trackers: list[Tracker]
    ) -> None:
        self.timetable, self.rules, self.caps, self.trackers = timetable, rules, caps, trackers
        self.width = max(1, len(timetable.days))
        self.kind, self.kinds = self._kinds()
        self.remembered, self.expiry = self._memory()

    def _kinds(self) -> tuple[NDArray[np.int32], list[int]]:
        """The kind of every option, and one option of each kind."""
        marks = np.array([(tracker.names, tracker.binds, tracker.feels) for tracker in self.trackers])
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

        Days that expire alike are one, unless they are told apart; -1 where nothing needs to know.
        """
        days, sendable = self.timetable.day_of, self.timetable.sendable
        expiry = np.full((len(self.trackers), self.width), -1)
        stands_for = np.full((len(self.trackers), self.width), -1)
        for number, tracker in enumerate(self.trackers):
            bound = sendable[:, tracker.feels].any(axis=1)
            apart = np.zeros(len(days)) if tracker.apart is None else tracker.apart
            if tracker.beside >= 0:
                apart = stands_for[tracker.beside].copy()
            for t in range(len(days)):
                felt = np.flatnonzero(bound & (days > days[t]) & (days - days[t] <= tracker.reach))
                if len(felt):
                    expiry[number, t] = felt[-1]
                    alike = (expiry[number, : t + 1] == felt[-1]) & (apart[: t + 1] == apart[t])
                    stands_for[number, t] = np.argmax(alike)
        return stands_for, expiry

    def graph(self, once: NDArray[np.int32], once_count: int) -> StreamGraph:
        states, layers, links = grow(self._compiled_memory(), self._length(), MOST_NODES)
        if not len(states):
            raise BadInput(
                [
                    Fault(
                        "policy.max_per_customer",
                        "",
                        f"the caps allow more than {MOST_NODES:,} different memories of earlier contacts",
                        "Use fewer or tighter frequency caps, shorter stretches, or fewer send days.",
                    )
                ]
            )
        send_day = np.repeat(np.arange(len(layers) - 1), np.diff(layers)).astype(np.int32)
        after, skip = np.ascontiguousarray(links[:, 1:]), np.ascontiguousarray(links[:, 0])
        tracker = np.where(states == FREE, -1, states // self.width)
        fatigue = (tracker == len(self.trackers) - 1).sum(axis=1).astype(np.int32)
        shared = [c for c, cap in enumerate(self.caps) if cap.contacts > 1]
        return StreamGraph(
            send_day,
            self.kind,
            after,
            skip,
            fatigue,
            self._ready(states, tracker, send_day),
            self._counted(states, tracker, shared),
            self._binding(states, tracker, shared),
            once,
            once_count,
            tuple(self.caps[c] for c in shared),
        )

    def _compiled_memory(self) -> Memory:
        days, sendable = len(self.timetable.days), self.timetable.sendable
        adds = _padded([self._added(t, i) for t in range(days) for i in self.kinds])
        forbidding = [(n, tracker) for n, tracker in enumerate(self.trackers) if tracker.most is not None]
        bounds = [[n for n, tracker in forbidding if tracker.binds[i]] for i in self.kinds]
        spared = [
            [n for n, tracker in forbidding if tracker.spares is not None and tracker.spares[i]]
            for i in self.kinds
        ]
        beside = np.full(len(self.trackers), -1, dtype=np.int64)
        for number, tracker in enumerate(self.trackers):
            if tracker.beside >= 0:
                beside[tracker.beside] = number
        sends = np.array(
            [[sendable[t, self.kind == q].any() for q in range(len(self.kinds))] for t in range(days)],
            dtype=bool,
        ).reshape(days, len(self.kinds))
        most = [len(self.timetable.days) if t.most is None else t.most for t in self.trackers]
        return Memory(
            self.expiry.reshape(-1).astype(np.int16),
            adds.reshape(days, len(self.kinds), adds.shape[1]),
            sends,
            _padded(bounds),
            _padded(spared),
            beside,
            np.array(most, dtype=np.int64),
            np.array([self.width if t.keeps is None else t.keeps for t in self.trackers], dtype=np.int64),
            self.width,
        )

    def _added(self, t: int, i: int) -> list[int]:
        """The codes that sending option i on send day t adds to a state."""
        return [
            number * self.width + int(self.remembered[number, t])
            for number, tracker in enumerate(self.trackers)
            if tracker.names[i] and self.expiry[number, t] > t
        ]

    def _length(self) -> int:
        """Room for the codes of any state: as many contacts as each tracker can remember at once."""
        # Where the oldest contact is to be forgotten, the new one is put in before.
        forgets = any(tracker.keeps is not None for tracker in self.trackers)
        return 1 + forgets + sum(tracker.room(len(self.timetable.days)) for tracker in self.trackers)

    def _ready(
        self, states: NDArray[np.int16], tracker: NDArray[np.int64], send_day: NDArray[np.int32]
    ) -> NDArray[np.bool_]:
        """Whether a planned contact opens the window of each only-after rule at each node."""
        rules = self.rules.only_after
        base = len(self.trackers) - 1 - len(rules)
        days = np.append(self.timetable.day_of, 10**6)
        gap = days[send_day][:, None] - days[np.where(tracker < 0, 0, states % self.width)]
        ready = [
            ((tracker == base + r) & (gap >= rule.first) & (gap <= rule.last)).any(axis=1)
            for r, rule in enumerate(rules)
        ]
        return np.array(ready, dtype=bool).reshape(len(rules), len(states)).T.copy()

    def _counted(
        self, states: NDArray[np.int16], tracker: NDArray[np.int64], shared: list[int]
    ) -> NDArray[np.int16]:
        """The send days that each shared cap remembers at each node, -1 where there are no more."""
        room = max((int((tracker == c).sum(axis=1).max(initial=0)) for c in shared), default=0)
        counted = np.full((len(states), len(shared), max(1, room)), -1, dtype=np.int16)
        for s, c in enumerate(shared):
            held = tracker == c
            place = np.cumsum(held, axis=1) - 1
            node, column = np.nonzero(held)
            counted[node, s, place[node, column]] = states[node, column] % self.width
        return counted

    def _binding(
        self, states: NDArray[np.int16], tracker: NDArray[np.int64], shared: list[int]
    ) -> NDArray[np.int16]:
        """The last send day remembered beside each shared cap at each node, -1 if there is none."""
        binding = np.full((len(states), len(shared)), -1, dtype=np.int16)
        for number, one in enumerate(self.trackers):
            if one.beside in shared:
                node, column = np.nonzero(tracker == number)
                binding[node, shared.index(one.beside)] = states[node, column] % self.width
        return binding


def _padded(rows: list[list[int]]) -> NDArray[np.int64]:
    """Rows of different lengths as one table, filled up with -1."""
    width = max((len(row) for row in rows), default=0)
    table = np.full((len(rows), max(1, width)), -1, dtype=np.int64)
    for n, row in enumerate(rows):
        table[n, : len(row)] = row
    return table
