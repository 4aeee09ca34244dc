"""How numbers, money and dates are written for people."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import date, timedelta

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NO_BREAK = "\N{NO-BREAK SPACE}"


def number(value: float, decimals: int | None = None) -> str:
    """A number with thousands separators; without `decimals`, at most three significant figures.

    Missing and unbounded values become a dash and an infinity sign.
    """
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{abs(value):,.{_decimals(value) if decimals is None else decimals}f}"
    if decimals is None and "." in text:
        text = text.rstrip("0").rstrip(".")
    return f"−{text}" if value < 0 and re.search("[1-9]", text) else text


def money(value: float, currency: str) -> str:
    """An amount in the plan's currency: cents below 1,000, more digits for amounts below a cent."""
    if value is None or not math.isfinite(value):
        return number(value)
    size = abs(value)
    decimals = 0 if size >= 1000 else 4 if 0 < size < 0.01 else 2
    return f"{currency}{_NO_BREAK}{number(value, decimals)}"


def share(value: float) -> str:
    """A share in [0, 1] as a percentage; small ones keep a significant figure."""
    if value is None or not math.isfinite(value):
        return number(value)
    percent = 100 * value
    size = abs(percent)
    decimals = (
        0 if size >= 10 or size == 0 else 1 if size >= 0.1 else min(6, 1 - math.floor(math.log10(size)))
    )
    return f"{number(percent, decimals)}{_NO_BREAK}%"


def counted(count: float, noun: str) -> str:
    """A whole number with its noun, such as `1 contact` or `2,000 contacts`."""
    return f"{number(count, 0)} {noun}{'' if count == 1 else 's'}"


def day(when: date, *, weekday: bool = True, year: bool = False) -> str:
    """A date such as `Mon 30 Nov` or `30 Nov 2026`, the same in every locale."""
    name = f"{WEEKDAYS[when.weekday()][:3]} " if weekday else ""
    return f"{name}{when.day} {MONTHS[when.month - 1]}{f' {when.year}' if year else ''}"


def span(first: date, last: date, *, year: bool = False) -> str:
    """A stretch of days such as `7–13 Dec` or `30 Nov – 6 Dec`, both ends included."""
    end = day(last, weekday=False, year=year)
    if first == last:
        return end
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{end}"
    return f"{day(first, weekday=False, year=year and first.year != last.year)} – {end}"


def weeks(start: date, days: int) -> list[tuple[date, date]]:
    """First and last day of each stretch of 7 days from the period's start; the last may be shorter."""
    return [
        (start + timedelta(offset), start + timedelta(min(offset + 6, days - 1)))
        for offset in range(0, days, 7)
    ]


def enumeration(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _decimals(value: float) -> int:
    if value == round(value) or abs(value) >= 100:
        return 0
    return min(6, max(0, 2 - math.floor(math.log10(abs(value)))))
