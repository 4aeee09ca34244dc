"""The parts an audience is made of: typed terms, and the operations on them as Ibis expressions.

Portable by construction: no integer arithmetic that could overflow, no division by zero, no comparison
of one kind with another.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Literal

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

Kind = Literal["number", "text", "truth", "date"]

_NAMES = {"number": "a number", "text": "text", "truth": "true or false", "date": "a date"}
_COMPARE: dict[str, Callable[[ir.Value, ir.Value], ir.BooleanValue]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Refused(Exception):  # noqa: N818 - an audience that is refused, told as BadInput by its caller
    """What is wrong with an audience: the rule it breaks, what to do, and the character where it stands."""

    def __init__(self, rule: str, remedy: str, position: int | None = None) -> None:
        super().__init__(rule)
        self.rule = rule if position is None else f"{rule} (at character {position})"
        self.remedy = remedy
        self.placed = position is not None

    def at(self, position: int) -> Refused:
        """Return the same with its place, unless it has one already: the innermost place counts."""
        return self if self.placed else Refused(self.rule, self.remedy, position)


@dataclass(frozen=True)
class Term:
    """A typed part of an audience: `build` makes it for a table; `literal` is its value where it is fixed."""

    kind: Kind
    build: Callable[[ir.Table], ir.Value]
    literal: str | float | bool | date | None = None

    def named(self) -> str:
        """Name its kind as people say it."""
        return _NAMES[self.kind]


def kind_of(dtype: dt.DataType) -> Kind | None:
    """Return the kind of a column, or None where an audience cannot use it."""
    if dtype.is_boolean():
        return "truth"
    if dtype.is_numeric():
        return "number"
    if dtype.is_string():
        return "text"
    return "date" if dtype.is_date() else None


def constant(value: object) -> Term:
    """Return the term of a literal value; raises Refused for what the language does not have."""
    if value is None:
        raise Refused("compares with null", "Write is null or is not null.")
    if isinstance(value, bool):
        return Term("truth", lambda _: ibis.literal(value), value)
    if isinstance(value, int | float):
        # Beyond 2**53 a whole number is no longer exact as a float, but it still fits the engines' integers.
        small = isinstance(value, int) and abs(value) < 2**63
        number = value if small else _as_float(value)
        return Term("number", lambda _: ibis.literal(number), number)
    if isinstance(value, str):
        return Term("text", lambda _: ibis.literal(value), value)
    raise Refused("has a value that is no number, text, true or false", "Write it otherwise.")


def _as_float(value: float) -> float:
    number = float(value) if abs(value) <= 1e300 else float("inf")
    if number in (float("inf"), float("-inf")):
        raise Refused("has a number that is too large", "Correct it.")
    return number


def arithmetic(sign: str, left: Term, right: Term) -> Term:
    """+ - * / on numbers, in floating point; dividing by 0 gives an empty value."""
    for term in (left, right):
        if term.kind != "number":
            raise Refused(f"uses {sign} on {term.named()}", "Reckon with numbers only.")
    a, b = _float(left), _float(right)
    if sign == "+":
        return Term("number", lambda table: a(table) + b(table))
    if sign == "-":
        return Term("number", lambda table: a(table) - b(table))
    if sign == "*":
        return Term("number", lambda table: a(table) * b(table))
    return Term("number", lambda table: a(table) / b(table).nullif(ibis.literal(0.0)))


def negative(term: Term) -> Term:
    """A number with the other sign."""
    if term.kind != "number":
        raise Refused(f"puts a minus before {term.named()}", "Only numbers have a sign.")
    if isinstance(term.literal, int | float):
        return constant(-term.literal)
    build = _float(term)
    return Term("number", lambda table: -build(table))


def comparison(sign: str, left: Term, right: Term) -> Term:
    """Compare two terms of one kind; text beside a date is read as a date."""
    left, right = _as_dates(left, right), _as_dates(right, left)
    if left.kind != right.kind:
        rule = f"compares {left.named()} with {right.named()}"
        raise Refused(rule, "Compare like with like; a column is text if any of its cells is no number.")
    if left.kind == "truth" and sign not in ("==", "!="):
        raise Refused(f"uses {sign} on {left.named()}", "Use == or !=.")
    compare = _COMPARE[sign]
    a, b = left.build, right.build
    return Term("truth", lambda table: compare(a(table), b(table)))


def listed(term: Term, values: list[Term]) -> Term:
    """Whether a term equals one of the values."""
    values = [_as_dates(value, term) for value in values]
    for value in values:
        if value.kind != term.kind:
            rule = f"looks for {term.named()} in a list with {value.named()}"
            raise Refused(rule, "Compare like with like.")
    build, found = term.build, [value.literal for value in values]
    return Term("truth", lambda table: build(table).isin(found))


def is_null(term: Term) -> Term:
    """Whether a term is empty."""
    build = term.build
    return Term("truth", lambda table: build(table).isnull())


def opposite(term: Term) -> Term:
    """Not; of something empty it is empty."""
    (build,) = _conditions([term])
    return Term("truth", lambda table: ~build(table))


def all_of(terms: list[Term]) -> Term:
    """And, over any number of terms."""
    return _joined(terms, operator.and_)


def any_of(terms: list[Term]) -> Term:
    """Or, over any number of terms."""
    return _joined(terms, operator.or_)


def _joined(terms: list[Term], join: Callable[[ir.Value, ir.Value], ir.Value]) -> Term:
    """Join in a balanced tree: engines have limits to the depth of an expression."""
    builds = _conditions(terms)

    def build(table: ir.Table) -> ir.Value:
        row = [part(table) for part in builds]
        while len(row) > 1:
            pairs = [join(a, b) for a, b in zip(row[::2], row[1::2], strict=False)]
            row = pairs + row[len(pairs) * 2 :]
        return row[0]

    return Term("truth", build)


def _conditions(terms: list[Term]) -> list[Callable[[ir.Table], ir.Value]]:
    for term in terms:
        if term.kind != "truth":
            raise Refused(f"uses {term.named()} as a condition", "Compare it with something.")
    return [term.build for term in terms]


def _float(term: Term) -> Callable[[ir.Table], ir.Value]:
    """The term in floating point, so that no product of whole numbers overflows."""
    build = term.build
    return lambda table: build(table).cast("float64")


def _as_dates(term: Term, beside: Term) -> Term:
    """Read a text as a date where it stands beside a date."""
    if beside.kind != "date" or not isinstance(term.literal, str):
        return term
    try:
        day = date.fromisoformat(term.literal) if len(term.literal) == 10 else None
    except ValueError:
        day = None
    if day is None:
        raise Refused(f"compares a date with {term.literal[:40]!r}", "Write dates as '2026-11-30'.")
    return Term("date", lambda _: ibis.literal(day), day)
