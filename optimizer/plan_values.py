"""What every block of a plan file is made of: numbers, shares, dates, weekdays, words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, time
from difflib import get_close_matches
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word most like `word`, upper and lower case alike, or "" if none is near."""
    by_lower = {name.lower(): name for name in sorted(known, reverse=True)}
    found = get_close_matches(word.strip().lower(), sorted(by_lower), n=1, cutoff=0.6)
    return by_lower[found[0]] if found else ""


def suggestion(word: str, known: Iterable[str]) -> str:
    """Say which known word was probably meant, and otherwise which words are known (the first eight)."""
    names = list(known)
    near = nearest(word, names)
    if near:
        return f"Did you mean {near!r}?"
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"Known here: {', '.join(names[:8])}{more}." if names else "Take it out."


def broken(rule: str, remedy: str = "Correct it.") -> PydanticCustomError:
    """Return the error of a broken rule, to be raised inside a validator."""
    return PydanticCustomError("broken", "{rule}", {"rule": rule, "remedy": remedy})


def later(what: str) -> PydanticCustomError:
    """Return the error of a thing that is part of the plan language but not built yet."""
    return broken(f"{what} is not supported yet", "Take it out of the plan for now.")


def _as_date(value: Any) -> Any:
    """Take a date, an ISO date as text, or a timestamp at midnight without zone."""
    if isinstance(value, datetime):
        if value.time() == time(0) and value.tzinfo is None:
            return value.date()
        raise broken(f"must be a date, not the timestamp {value}", "Write it as 2026-11-30.")
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise broken(f"there is no day {value}", "Correct the date.") from None
    if isinstance(value, date):
        return value
    raise broken(f"must be a date, is {value!r}", "Write it as 2026-11-30, without quotes.")


def _as_weekday(value: Any) -> Any:
    if isinstance(value, str) and value.lower() in WEEKDAYS:
        return WEEKDAYS.index(value.lower())
    remedy = suggestion(value[:3] if isinstance(value, str) else "", WEEKDAYS)
    raise broken(f"there is no weekday {value!r}", remedy)


def _as_label(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise broken(f"must be a segment's number or name, is {value!r}")
    return str(value)


def _as_whole(value: Any) -> Any:
    """Let 1e6 stand for a million; every other float is left to be refused."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _as_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise broken(f"there is no time zone {name!r}", "Write it as Europe/Berlin.") from None
    return name


def _distinct(values: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
    return None if values is None else tuple(dict.fromkeys(values))


unique = AfterValidator(_distinct)
"""Keep each entry of a list once, in the order given."""

Text = Annotated[str, Strict(), StringConstraints(strip_whitespace=True, min_length=1)]
Texts = Annotated[tuple[Text, ...], Field(min_length=1), unique]
Number = Annotated[float, Strict(), Field(ge=-1e15, le=1e15)]
Money = Annotated[float, Strict(), Field(ge=0, le=1e15)]
Share = Annotated[float, Strict(), Field(ge=0, le=1)]
Count = Annotated[int, Strict(), BeforeValidator(_as_whole), Field(ge=0, le=10**12)]
Days = Annotated[int, Strict(), BeforeValidator(_as_whole), Field(ge=0, le=36500)]
PosDays = Annotated[Days, Field(ge=1)]
Day = Annotated[date, BeforeValidator(_as_date)]
Weekday = Annotated[int, BeforeValidator(_as_weekday)]
Label = Annotated[str, BeforeValidator(_as_label), StringConstraints(min_length=1)]
Zone = Annotated[str, Strict(), AfterValidator(_as_zone)]


class Block(BaseModel):
    """A mapping of the plan file: fixed once read, unknown keys refused, a key without a value left out."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _leave_out_empty(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        known = {field.alias or name for name, field in cls.model_fields.items()}
        return {key: value for key, value in data.items() if value is not None or key not in known}
