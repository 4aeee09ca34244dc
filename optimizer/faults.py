"""Faults in what a user gave us, gathered so that all of them are told at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Fault:
    """One thing wrong with the input, and what to do about it.

    `where` is a table's name or a path in the plan file, `column` the table's column (or empty),
    `rule` the rule that is broken, `remedy` what to do. For tables, `rows` counts the rows at fault
    and `keys` holds the first five of their keys.
    """

    where: str
    column: str
    rule: str
    remedy: str
    rows: int = 0
    keys: tuple[str, ...] = ()

    def __str__(self) -> str:
        place = f"{self.where}.{self.column}" if self.column else self.where
        count = f" ({self.rows} row{'s' if self.rows != 1 else ''}" if self.rows else ""
        first = f", first: {', '.join(self.keys)}" if self.keys else ""
        close = ")" if self.rows else ""
        return f"{place}: {self.rule}{count}{first}{close}. {self.remedy}"


class BadInput(Exception):  # noqa: N818 - named for what the user sees
    """The plan file or the tables hold faults; `faults` lists all that were found."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults: tuple[Fault, ...] = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))
