"""A conflict of the plan's limits: which collide, how far each could be kept, and what would mend it."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

from optimizer.limit_wording import unit_of
from optimizer.limits import Limit

if TYPE_CHECKING:
    from optimizer.plan_file import Plan

NEGLIGIBLE = 1e-6


@dataclass(frozen=True)
class Change:
    """A limit's new bound; None takes the limit out."""

    limit: Limit
    bound: float | None

    @property
    def size(self) -> float:
        """How much of the limit is given up, as a share of its bound."""
        if self.bound is None:
            return 1.0
        return abs(self.bound - self.limit.bound) / max(1.0, abs(self.limit.bound))


Repair = tuple[Change, ...]
"""Changes that together make the plan possible."""


@dataclass(frozen=True)
class Conflict:
    """Limits that cannot hold together, though any of them could be spared; the cheapest repair first.

    `possible[n]` is how far limits[n] could be kept if all others hold (None: it cannot help alone).
    `whole_numbers`: fractions of customers could keep them; `proved` is False where the search for whole
    numbers ended undecided.
    """

    limits: tuple[Limit, ...]
    possible: tuple[float | None, ...]
    repairs: tuple[Repair, ...]
    whole_numbers: bool = False
    proved: bool = True


class CannotHold(Exception):  # noqa: N818 - named for what the user sees
    """The plan's limits cannot all hold. `lines` say so on the screen, `as_dict` goes to conflict.json."""

    def __init__(self, plan: Plan, conflict: Conflict) -> None:
        super().__init__(_reason(conflict))
        self.conflict, self._plan = conflict, plan

    @property
    def lines(self) -> list[str]:
        """The reason, a line for each limit in the conflict, and a line for each repair."""
        conflict = self.conflict
        pairs = zip(conflict.limits, conflict.possible, strict=True)
        repairs = [self._repair_words(repair) for repair in conflict.repairs]
        return [
            _reason(conflict),
            *(f"- {self._limit_words(limit, possible)}" for limit, possible in pairs),
            *(["Any one of these makes the plan possible (each was solved):"] if repairs else []),
            *(f"- {words}" for words in repairs),
            *([] if repairs else ["No change of these limits alone makes the plan possible."]),
        ]

    def as_dict(self) -> dict[str, Any]:
        """The same as data."""
        conflict = self.conflict
        return {
            "reason": _reason(conflict),
            "whole_numbers_only": conflict.whole_numbers,
            "proved": conflict.proved,
            "limits": [
                {
                    "limit": limit.path,
                    "asks": "at least" if limit.at_least else "at most",
                    "bound": limit.bound,
                    "committed": limit.committed,
                    "unit": unit_of(limit.path, self._plan),
                    "possible": possible,
                    "words": self._limit_words(limit, possible),
                }
                for limit, possible in zip(conflict.limits, conflict.possible, strict=True)
            ],
            "repairs": [
                {
                    "changes": [
                        {"limit": change.limit.path, "from": change.limit.bound, "to": change.bound}
                        for change in repair
                    ],
                    "words": self._repair_words(repair),
                }
                for repair in conflict.repairs
            ],
        }

    def _limit_words(self, limit: Limit, possible: float | None) -> str:
        text = f"{limit.path} asks for {'at least' if limit.at_least else 'at most'} "
        text += self._amount(limit, limit.bound)
        if limit.committed:
            text += f", of which earlier and promised contacts are {self._amount(limit, limit.committed)}"
        if possible is None:
            return text
        if limit.at_least:
            return f"{text}: with all other limits kept, at best {self._amount(limit, possible)}"
        return f"{text}: to keep all others, at least {self._amount(limit, possible)}"

    def _repair_words(self, repair: Repair) -> str:
        return ", and ".join(self._change_words(change) for change in repair)

    def _change_words(self, change: Change) -> str:
        limit, bound = change.limit, change.bound
        if bound is None:
            return f"take out {limit.path}"
        by = self._amount(limit, abs(bound - limit.bound))
        verb = "lower" if limit.at_least else "raise"
        return f"{verb} {limit.path} to {self._amount(limit, bound)} (by {by})"

    def _amount(self, limit: Limit, amount: float) -> str:
        """An amount with its unit; what is counted is told in whole ones."""
        unit = unit_of(limit.path, self._plan)
        if unit == self._plan.currency:
            return f"{unit} {amount:,.10g}"
        if unit in ("customer", "contact") and limit.at_least:
            amount = ceil(amount - NEGLIGIBLE)
        return f"{amount:,.10g} {unit}{'' if amount == 1 else 's'}"


def _reason(conflict: Conflict) -> str:
    if not conflict.whole_numbers:
        return "These limits cannot all hold, whatever is sent to whom."
    if conflict.proved:
        return "Only fractions of customers could keep these limits; whole customers cannot."
    return "Fractions of customers could keep these limits; no plan of whole customers was found."
