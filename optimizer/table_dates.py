"""From dates, timestamps and ISO 8601 text to dates; what is none becomes NULL, never a crash."""

from __future__ import annotations

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from optimizer.engine import Engine

# No backslash in here: engines differ in what it means. Whether there is such a day is asked by pattern, too:
# on 30 February engines fail, each its way, and sums over the digits would name the text dozens of times.
_YEAR = "([0-9]{3}[1-9]|[0-9]{2}[1-9][0-9]|[0-9][1-9][0-9]{2}|[1-9][0-9]{3})"
_LEAP_YEAR = "([0-9]{2}(0[48]|[2468][048]|[13579][26])|(0[48]|[2468][048]|[13579][26])00)"
_LONG_MONTH = "(0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])"
_SHORT_MONTH = "(0[469]|11)-(0[1-9]|[12][0-9]|30)"
_DATE = f"({_YEAR}-({_LONG_MONTH}|{_SHORT_MONTH}|02-(0[1-9]|1[0-9]|2[0-8]))|{_LEAP_YEAR}-02-29)"
_CLOCK = "([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,9})?)?"
_MIDNIGHT = f"^{_DATE}([ T]00:00(:00([.]0{{1,9}})?)?)?$"
_LOCAL = f"^{_DATE}([ T]{_CLOCK})?$"
_OFFSET = "(Z|[+-](0[0-9]|1[0-5])(:?[0-5][0-9])?)$"
_ZONED = f"^{_DATE}[ T]{_CLOCK} ?{_OFFSET}"
_SOME_DAY = "1970-01-01"


def read_date(engine: Engine, cell: ir.Value, zone: str | None) -> ir.Value:
    """The date of a cell: of a timestamp the date in `zone`, without a zone only at midnight.

    Text has no surrounding blanks; a day that does not exist is NULL, other spellings are not guessed.
    """
    dtype = cell.type()
    if dtype.is_string():
        return _read_text(engine, cell, zone)
    if dtype.is_date():
        return cell
    if dtype.timezone is None:
        day = cell.date()
        return day if zone else (cell == day.cast(dtype)).ifelse(day, ibis.null("date"))
    if zone is None:
        return ibis.null("date")
    return engine.local_time(zone, cell.cast(dt.Timestamp("UTC"))).date()


def _read_text(engine: Engine, text: ir.StringValue, zone: str | None) -> ir.Value:
    plain = text.re_search(_LOCAL if zone else _MIDNIGHT)
    # Only what can be cast is ever cast, wherever an engine looks first.
    day = plain.ifelse(plain.ifelse(text.left(10), _SOME_DAY).cast("date"), ibis.null("date"))
    if zone is None:
        return day
    zoned = text.re_search(_ZONED)
    instant = _instant(zoned.ifelse(text, f"{_SOME_DAY}T00:00Z"))
    return zoned.ifelse(engine.local_time(zone, instant).date(), day)


def _instant(text: ir.StringValue) -> ir.TimestampValue:
    """The instant, to the second, of a text with date, clock and offset, put into one spelling for all."""
    second = text.re_search("^.{16}:").ifelse(text.substr(17, 2), "00")
    offset = text.re_extract(_OFFSET, 1).replace("Z", "+").replace(":", "") + "0000"  # +02 is +02:00
    words = (
        text.left(10) + " " + text.substr(11, 5) + ":" + second + offset.left(3) + ":" + offset.substr(3, 2)
    )
    return words.cast(dt.Timestamp("UTC"))
