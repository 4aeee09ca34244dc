"""A conflict of the plan's limits: which collide, how far each could be kept, and what would mend it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

from optimizer.limit_wording import unit_of
from optimizer.limits import Limit

if TYPE_CHECKING:
    from optimizer.plan_file import Plan

NEGLIGIBLE = 1e-6
_SHARE = re.compile(r"volume\[(?P<index>\d+)\]\.(?P<word>max_share|min_share)")
_RETURN = "return_on_cost.min"


@dataclass(frozen=True)
class Change:
    """By how much the figure that the plan states for a limit is to grow; None takes the limit out."""

    limit: Limit
    by: float | None

    @property
    def size(self) -> float:
        """How much of the limit is given up, as a share of its bound."""
        return 1.0 if self.by is None else abs(self.by) / max(1.0, abs(self.limit.bound))


Repair = tuple[Change, ...]
"""Changes that together make the plan possible: a plan of whole customers that keeps them was found."""


@dataclass(frozen=True)
class Conflict:
    """Limits that cannot hold together, and repairs, the cheapest first.

    `whole_numbers`: fractions could keep them, of customers or, with `switches`, of the use of campaigns
    that have a setup cost or a minimum if used. `proved` is False where the search for whole
    numbers ended undecided, `reduced` where some of the limits may be innocent: there were too many to
    try each.
    """

    limits: tuple[Limit, ...]
    repairs: tuple[Repair, ...]
    whole_numbers: bool = False
    proved: bool = True
    reduced: bool = True
    switches: bool = False

    def alone(self, limit: Limit) -> Change | None:
        """The change of this limit that makes the plan possible by itself, if one was found."""
        single = (repair[0] for repair in self.repairs if len(repair) == 1)
        return next((change for change in single if change.limit.path == limit.path), None)


class CannotHold(Exception):  # noqa: N818 - named for what the user sees
    """The plan's limits cannot all hold. `lines` say so on the screen, `as_dict` goes to conflict.json."""

    def __init__(self, plan: Plan, conflict: Conflict) -> None:
        super().__init__(_reason(conflict))
        self.conflict, self._plan = conflict, plan

    @property
    def lines(self) -> list[str]:
        """The reason, a line for each limit in the conflict, and a line for each repair."""
        conflict = self.conflict
        repairs = [self._repair_words(repair) for repair in conflict.repairs]
        return [
            _reason(conflict),
            *(f"- {self._limit_words(limit)}" for limit in conflict.limits),
            *(
                ["There are too many limits to try each: some of these may be innocent."]
                * (not conflict.reduced)
            ),
            *(["Any one of these makes the plan possible (each was solved):"] if repairs else []),
            *(f"- {words}" for words in repairs),
            *([] if repairs else ["No change that makes the plan possible was found."]),
        ]

    def as_dict(self) -> dict[str, Any]:
        """The same as data."""
        conflict = self.conflict
        return {
            "reason": _reason(conflict),
            "whole_numbers_only": conflict.whole_numbers,
            "proved": conflict.proved,
            "reduced": conflict.reduced,
            "limits": [self._limit_data(limit) for limit in conflict.limits],
            "repairs": [
                {
                    "changes": [
                        {
                            "limit": change.limit.path,
                            "from": self._asked(change.limit),
                            "to": self._new(change),
                        }
                        for change in repair
                    ],
                    "words": self._repair_words(repair),
                }
                for repair in conflict.repairs
            ],
        }

    def _limit_data(self, limit: Limit) -> dict[str, Any]:
        change = self.conflict.alone(limit)
        return {
            "limit": limit.path,
            "asks": "at least" if limit.at_least else "at most",
            "bound": self._asked(limit),
            "committed": limit.committed,
            "unit": self._unit(limit),
            "possible": None if change is None else self._new(change),
            "words": self._limit_words(limit),
        }

    def _asked(self, limit: Limit) -> float:
        """The figure that the plan states: the bound, but for shares and the return on cost."""
        share = _SHARE.fullmatch(limit.path)
        if share:
            return float(getattr(self._plan.volume[int(share["index"])], share["word"]))
        if limit.path == _RETURN and self._plan.return_on_cost is not None:
            return self._plan.return_on_cost.min
        return limit.bound

    def _new(self, change: Change) -> float | None:
        if change.by is None:
            return None
        new = round(self._asked(change.limit) + change.by, 9)
        return min(1.0, new) if self._unit(change.limit) == "share" else new

    def _limit_words(self, limit: Limit) -> str:
        text = f"{limit.path} asks for {'at least' if limit.at_least else 'at most'} "
        text += self._amount(limit, self._asked(limit))
        if limit.committed:
            text += f", of which earlier and promised contacts are {self._amount(limit, limit.committed)}"
        change = self.conflict.alone(limit)
        possible = None if change is None else self._new(change)
        if possible is None:
            return text
        if limit.at_least:
            return f"{text}: with all other limits kept, {self._amount(limit, possible)} can be had"
        return f"{text}: {self._amount(limit, possible)} would let all other limits hold"

    def _repair_words(self, repair: Repair) -> str:
        return ", and ".join(self._change_words(change) for change in repair)

    def _change_words(self, change: Change) -> str:
        limit, bound = change.limit, self._new(change)
        if bound is None or change.by is None:
            return f"take out {limit.path}"
        verb = "lower" if limit.at_least else "raise"
        return f"{verb} {limit.path} to {self._amount(limit, bound)}{self._by(change)}"

    def _by(self, change: Change) -> str:
        """How far the new bound is from the old one, where that is a number of something."""
        if change.by is None or self._unit(change.limit) in ("share", "return"):
            return ""
        old, new = (self._counted(change.limit, change.limit.bound + by) for by in (0.0, change.by))
        return f" (by {self._amount(change.limit, abs(new - old))})"

    def _unit(self, limit: Limit) -> str:
        if _SHARE.fullmatch(limit.path):
            return "share"
        return "return" if limit.path == _RETURN else unit_of(limit.path, self._plan)

    def _counted(self, limit: Limit, amount: float) -> float:
        """Minimums of what comes in whole ones, as whole ones."""
        whole = limit.at_least and self._unit(limit) in ("customer", "contact")
        return float(ceil(amount - NEGLIGIBLE)) if whole else amount

    def _amount(self, limit: Limit, amount: float) -> str:
        unit, amount = self._unit(limit), self._counted(limit, amount)
        if unit == "share":
            return f"{100 * amount:,.10g} % of the planned contacts"
        if unit == "return":
            return f"{amount:,.10g} beyond each unit of cost"
        if unit == self._plan.currency:
            return f"{unit} {amount:,.10g}"
        return f"{amount:,.10g} {unit}{'' if amount == 1 else 's'}"


def _reason(conflict: Conflict) -> str:
    if not conflict.whole_numbers:
        return "These limits cannot all hold, whatever is sent to whom."
    of_what = "customers"
    if conflict.switches:
        of_what = "customers, or of campaigns that cost something or ask for a minimum once they are used,"
    if conflict.proved:
        return f"Only fractions of {of_what} could keep these limits; whole ones cannot."
    return f"Fractions of {of_what} could keep these limits; no plan of whole ones was found."
