"""From cells as they came to typed values; a cell that cannot be read becomes NULL, never a crash."""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from models.portable import is_finite
from optimizer.engine import Engine
from optimizer.table_dates import read_date
from optimizer.table_schema import DTYPES, Kind

# No backslash in here: engines differ in what it means. Mantissas and exponents are bounded, so that no
# engine finds a number too large or too small to cast.
_FLOAT = r"^[+-]?([0-9]{1,200}([.][0-9]{0,60})?|[.][0-9]{1,60})([eE]([+]?[0-9]{1,2}|-1?[0-9]{1,2}))?$"
_NUMBER = r"^-?((0|[1-9][0-9]*)([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]{1,2})?$"
_WHOLE = r"^-?(0|[1-9][0-9]{0,17})$"
_ANY_WHOLE = r"^[+-]?[0-9]{1,18}$"
_MOST = 1e15
_MOST_WHOLE = 10**15 - 1
_BLANKS = "^[ \t\r\n]+|[ \t\r\n]+$"


def can_be(kind: Kind, dtype: dt.DataType) -> bool:
    """Whether a column of this type can hold cells of the kind at all."""
    text = dtype.is_string() or dtype.is_null()
    if kind in ("text", "word"):
        return bool(text or dtype.is_uuid() or (dtype.is_integer() and not dtype.is_uint64()))
    if kind == "date":
        return bool(text or dtype.is_date() or dtype.is_timestamp())
    if kind == "flag":
        return bool(text or dtype.is_numeric() or dtype.is_boolean())
    return bool(text or (dtype.is_numeric() and not dtype.is_boolean()))


def blank_to_null(cell: ir.Value) -> ir.Value:
    """Empty text, and a floating number that is none, stand for an empty cell."""
    if cell.type().is_string():
        return cell.nullif("")
    if cell.type().is_floating():
        return cell.isnan().ifelse(ibis.null(cell.type()), cell)
    return cell


def stands(cell: ir.Value, kind: Kind | None, words: Sequence[str] = ()) -> ir.BooleanValue | bool:
    """Whether a cell is its own value as it came (NULL if empty), or what is so of all cells of the type.

    Most tables hold nothing but such cells, and engines do more with a column of a file than with what is
    worked out from it. `kind` None is that of further columns, numbers or text as they come. `words` are
    those that a column of words may hold: the others are read, whatever they are.
    """
    dtype = cell.type()
    if dtype.is_string():
        if kind == "word":
            plain = [word for word in words if word.isascii() and word == word.strip().lower()]
            return ibis.array(plain).contains(cell) if plain else False
        return cell.length() > 0 if kind in (None, "text") else False
    if dtype.is_floating():
        return is_finite(cell) if kind in (None, "number") else False
    if dtype.is_integer() and kind == "flag":
        return cell.between(0, 1)
    if dtype.is_integer() and kind == "whole":
        return False if dtype.is_uint64() else cell.between(-_MOST_WHOLE, _MOST_WHOLE)
    return kind is None or _is_of(kind, dtype)


def _is_of(kind: Kind, dtype: dt.DataType) -> bool:
    """Whether a type, neither text nor floating, holds nothing but values of the kind."""
    if kind == "date":
        return bool(dtype.is_date())
    if kind == "flag":
        return bool(dtype.is_boolean())
    return bool(dtype.is_integer() or (kind in ("text", "word") and dtype.is_uuid()))


def as_it_stands(cell: ir.Value, kind: Kind) -> ir.Value:
    """The value of a cell that `stands`, with the type of its kind."""
    if kind == "flag" and cell.type().is_integer() and not cell.type().is_int8():
        return (cell == 1).cast("int8")  # also of a number that is no flag, which a cast could not hold
    return cell.cast(DTYPES[kind])


def read_cell(engine: Engine, cell: ir.Value, kind: Kind, zone: str | None) -> ir.Value:
    """Return the typed value of a cell that is not blank; NULL where it cannot be read.

    `zone` is the plan's `data.timezone`, in which dates of timestamps are taken.
    """
    if cell.type().is_null():
        cell = cell.cast("string")
    if kind == "text":
        return cell.cast("string")
    if kind == "word":
        return engine.lower(stripped(cell.cast("string"))).nullif("")
    if kind == "date":
        return read_date(engine, stripped(cell) if cell.type().is_string() else cell, zone)
    if kind == "flag":
        return _read_flag(cell)
    number = _read_number(cell)
    return number if kind == "number" else _whole(number)


def stripped(text: ir.StringValue) -> ir.StringValue:
    """A text without surrounding blanks. Ibis' own strip takes the letters v and f off on Spark."""
    return text.re_replace(_BLANKS, "")


def whole_number(text: ir.StringValue) -> ir.IntegerValue:
    """The whole number that a text of up to 18 digits is, else NULL."""
    return _guarded(text, _ANY_WHOLE, "int64")


def _guarded(text: ir.StringValue, pattern: str, dtype: str) -> ir.Value:
    """Cast only what has the pattern: engines have no common cast that gives NULL for the rest."""
    fits = text.re_search(pattern)
    return fits.ifelse(fits.ifelse(text, "0").cast(dtype), ibis.null(dtype))


def _read_number(cell: ir.Value) -> ir.Value:
    if cell.type().is_string():
        return _guarded(stripped(cell), _FLOAT, "float64")
    number = cell.cast("float64")
    return is_finite(number).ifelse(number, ibis.null("float64"))


def _whole(number: ir.Value) -> ir.Value:
    """Keep whole numbers, also those written 3.0, as files do that hold empty cells beside them."""
    small = number.abs() < _MOST
    floor = small.ifelse(number, 0.0).floor()  # a whole number in Ibis, so it must not overflow
    return (small & (floor.cast("float64") == number)).ifelse(floor, ibis.null("int64"))


def _read_flag(cell: ir.Value) -> ir.Value:
    if cell.type().is_boolean():
        return cell.cast("int8")
    text = cell.type().is_string()
    cell, one, zero = (stripped(cell), "1", "0") if text else (cell, 1, 0)
    number = (cell == one).ifelse(ibis.literal(1, "int8"), ibis.literal(0, "int8"))
    return cell.isin([zero, one]).ifelse(number, ibis.null("int8"))


def number_columns(rows: ir.Table, columns: list[str]) -> dict[str, str]:
    """Return the text columns whose every cell is a plain number, with the type that holds them.

    Codes with leading zeros, such as postcodes, stay text. One pass over the rows.
    """
    if not columns:
        return {}
    measures = {}
    for number, name in enumerate(columns):
        cell = rows[name]
        measures[f"any{number}"] = cell.count() > 0
        one_line = ~cell.contains("\n")  # Spark's $ also stands before a line's end
        measures[f"number{number}"] = (cell.re_search(_NUMBER) & one_line).fill_null(True).all()
        measures[f"whole{number}"] = (cell.re_search(_WHOLE) & one_line).fill_null(True).all()
    found = rows.aggregate(**measures).to_pyarrow().to_pylist()[0]
    return {
        name: "int64" if found[f"whole{number}"] else "float64"
        for number, name in enumerate(columns)
        if found[f"any{number}"] and found[f"number{number}"]
    }
