"""What the stream graph remembers of planned contacts: a tracker for each rule that looks back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.rules import ContactRules, FrequencyCap
from optimizer.timetable import Timetable

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Tracker:
    """One memory of the graph: which options it remembers, which it binds, and for how many days.

    `most` is the most remembered contacts with which a bound option may still be sent (None: it never
    forbids, as for fatigue). Options in `spares` are bound only where the tracker with this one's number
    in `beside` remembers a contact too. Beyond `keeps` contacts the oldest are forgotten (None: there are
    never more that matter). Send days with different marks in `apart` are told apart even where their
    contacts expire alike (None: none are); a tracker beside another one tells apart what that one does.
    """

    names: Mask
    binds: Mask
    reach: int
    most: int | None
    spares: Mask | None = None
    beside: int = -1
    keeps: int | None = None
    apart: NDArray[np.int64] | None = None

    @property
    def feels(self) -> Mask:
        """The options for which a remembered contact may matter."""
        return self.binds if self.spares is None else self.binds | self.spares

    def room(self, days: int) -> int:
        """The most contacts that it can remember at once."""
        if self.keeps is not None:
            return min(days, self.keeps)
        return min(days, self.most + 1) if self.most is not None and self.names is self.binds else days


def make_trackers(
    timetable: Timetable,
    rules: ContactRules,
    caps: Sequence[FrequencyCap],
    ahead: Mapping[str, Sequence[int]],
) -> list[Tracker]:
    """The memories in this order: caps, those beside caps, never-together, only-after, fatigue.

    `ahead` holds by a cap's path the days of the earlier contacts from day 0 on that it names.
    """
    options, days = timetable.options, timetable.day_of

    def mask(chosen: list[bool]) -> Mask:
        return np.array(chosen, dtype=bool)

    trackers = [_of_cap(cap, timetable, ahead.get(cap.path, ())) for cap in caps]
    for number, tracker in enumerate(trackers[:]):
        if tracker.spares is not None:
            # Of the contacts that break a full stretch the last one says it all.
            trackers.append(
                Tracker(tracker.binds, tracker.spares, tracker.reach, None, beside=number, keeps=1)
            )
    for apart in rules.never_together:
        for name in apart.campaigns:
            named = mask([option.campaign == name for option in options])
            others = mask([apart.names(option) and option.campaign != name for option in options])
            trackers.append(Tracker(named, others, apart.reach, 0))
    for opened in rules.only_after:
        named = mask([opened.names(option) for option in options])
        bound = mask([opened.binds(option) for option in options])
        trackers.append(Tracker(named, bound, opened.reach, None, apart=np.arange(len(days))))
    everything = np.ones(len(options), dtype=bool)
    tiring = rules.fatigue_days if rules.fatigue_keep < 1 else 0
    return [*trackers, Tracker(everything, everything, tiring, None)]


def _of_cap(cap: FrequencyCap, timetable: Timetable, ahead: Sequence[int]) -> Tracker:
    """A cap's memory.

    A stretch holds an earlier contact ahead if it begins at most `reach` days before it: so what else it
    holds depends on which of those days its first planned contact has passed.
    """
    named = np.array([cap.names(option) for option in timetable.options], dtype=bool)
    spared = np.array([cap.spares(option) for option in timetable.options], dtype=bool)
    begins = np.array(sorted(set(ahead)), dtype=np.int64) - cap.reach
    apart = (begins[None, :] <= timetable.day_of[:, None]).sum(axis=1)
    if cap.own:  # who has one counts a contact more as used: it alone never forbids
        return Tracker(named, named, cap.reach, None, keeps=cap.contacts - 1, apart=apart)
    if not spared.any():
        return Tracker(named, named, cap.reach, cap.contacts - 1, apart=apart)
    # Contacts that ignore the cap may be more than it allows; further ones change nothing.
    return Tracker(
        named, named & ~spared, cap.reach, cap.contacts - 1, spared, keeps=cap.contacts, apart=apart
    )
