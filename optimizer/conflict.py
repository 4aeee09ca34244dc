"""What to say when the plan's limits cannot all hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from optimizer.generation import Shortage
from optimizer.limits import Limit


class CannotHold(Exception):  # noqa: N818 - named for what the user sees
    """The plan's limits cannot all hold. `lines` say so on the screen, `as_dict` goes to conflict.json."""

    def __init__(self, reason: str, rows: Sequence[dict[str, Any]]) -> None:
        super().__init__(reason)
        self._reason, self._rows = reason, list(rows)

    @classmethod
    def of(cls, shortage: Shortage, limits: Sequence[Limit]) -> CannotHold:
        """The conflict proved by a shortage: its prices name the limits that together force it."""
        rows = [
            {
                "limit": limit.path,
                "asks": "at least" if limit.at_least else "at most",
                "bound": limit.bound,
                "committed": limit.committed,
                "missing": round(float(missing), 6),
            }
            for limit, missing, price in zip(limits, shortage.missing, shortage.prices, strict=True)
            if missing > 1e-6 or abs(price) > 1e-9
        ]
        return cls("These limits cannot all hold, whatever is sent to whom.", rows)

    @classmethod
    def in_whole_numbers(cls, limits: Sequence[Limit]) -> CannotHold:
        """Fractions of customers could keep all limits, whole customers cannot."""
        rows = [
            {"limit": limit.path, "asks": "at least", "bound": limit.bound}
            for limit in limits
            if limit.at_least
        ]
        return cls("Only fractions of customers could keep all limits; whole customers cannot.", rows)

    @property
    def lines(self) -> list[str]:
        """The reason, then a line for each limit in the conflict."""
        return [self._reason, *(self._line(row) for row in self._rows)]

    @staticmethod
    def _line(row: dict[str, Any]) -> str:
        text = f"{row['limit']} asks for {row['asks']} {row['bound']:,.10g}"
        if row.get("committed"):
            text += f", of which earlier and promised contacts are {row['committed']:,.10g}"
        if row.get("missing"):
            text += f": at best {row['missing']:,.10g} are missing"
        return text

    def as_dict(self) -> dict[str, Any]:
        """The same as data."""
        return {"reason": self._reason, "limits": self._rows}
