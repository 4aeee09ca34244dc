"""From cells as they came to typed values; a cell that cannot be read becomes NULL, never a crash."""

from __future__ import annotations

from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from optimizer.table_schema import Kind

_DATE = r"\d{4}-\d{2}-\d{2}"
_CLOCK = r"\d{2}:\d{2}(:\d{2}([.]\d{1,9})?)?"
_MIDNIGHT = rf"^{_DATE}([ T]00:00(:00([.]0{{1,9}})?)?)?$"
_LOCAL = rf"^{_DATE}([ T]{_CLOCK})?$"
_ZONED = rf"^{_DATE}[ T]{_CLOCK} ?(Z|[+-]\d{{2}}(:?\d{{2}})?)$"
_NUMBER = r"^-?((0|[1-9][0-9]*)([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]{1,2})?$"
_MOST = 1e15
_WHOLE = r"^-?(0|[1-9][0-9]{0,17})$"


@ibis.udf.scalar.builtin(name="timezone", signature=((dt.string, dt.Timestamp("UTC")), dt.timestamp))  # type: ignore[untyped-decorator]
def _local_time(zone: str, at: Any) -> Any:
    """Turn an instant into the local time of a zone (a function of DuckDB and PostgreSQL alike)."""


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


def read_cell(cell: ir.Value, kind: Kind, zone: str | None) -> ir.Value:
    """Return the typed value of a cell that is not blank; NULL where it cannot be read.

    `zone` is the plan's `data.timezone`, in which dates of timestamps are taken.
    """
    if cell.type().is_null():
        cell = cell.cast("string")
    if kind == "text":
        return cell.cast("string")
    if kind == "word":
        return cell.cast("string").strip().lower().nullif("")
    if kind == "date":
        return _read_date(cell, zone)
    if kind == "flag":
        return _read_flag(cell)
    number = _read_number(cell)
    return number if kind == "number" else _whole(number)


def _read_date(cell: ir.Value, zone: str | None) -> ir.Value:
    dtype = cell.type()
    if dtype.is_string():
        return _read_date_text(cell.strip(), zone)
    if dtype.is_date():
        return cell
    if dtype.timezone is None:
        day = cell.date()
        return day if zone else (cell == day.cast(dtype)).ifelse(day, ibis.null("date"))
    if zone is None:
        return ibis.null("date")
    return _local_time(zone, cell.cast(dt.Timestamp("UTC"))).date()


def _read_date_text(text: ir.StringValue, zone: str | None) -> ir.Value:
    """Read ISO 8601 text. A day that does not exist casts to NULL; other spellings are not guessed."""
    plain = text.re_search(_LOCAL if zone else _MIDNIGHT)
    day = text.substr(0, 10).try_cast("date")
    if zone is None:
        return plain.ifelse(day, ibis.null("date"))
    instant = text.try_cast(dt.Timestamp("UTC"))
    local = text.re_search(_ZONED).ifelse(_local_time(zone, instant).date(), ibis.null("date"))
    return (plain & text.try_cast("timestamp").notnull()).ifelse(day, local)


def _read_number(cell: ir.Value) -> ir.Value:
    number = cell.strip().try_cast("float64") if cell.type().is_string() else cell.cast("float64")
    return (number.isnan() | number.isinf()).ifelse(ibis.null("float64"), number)


def _whole(number: ir.Value) -> ir.Value:
    """Keep whole numbers, also those written 3.0, as files do that hold empty cells beside them."""
    whole = (number % 1 == 0) & (number.abs() < _MOST)
    return whole.ifelse(number, ibis.null("float64")).cast("int64")


def _read_flag(cell: ir.Value) -> ir.Value:
    if cell.type().is_boolean():
        return cell.cast("int8")
    allowed = cell.strip().isin(["0", "1"]) if cell.type().is_string() else cell.isin([0, 1])
    number = cell.strip().try_cast("int8") if cell.type().is_string() else cell.try_cast("int8")
    return allowed.ifelse(number, ibis.null("int8"))


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
        measures[f"number{number}"] = cell.re_search(_NUMBER).fill_null(True).all()
        measures[f"whole{number}"] = cell.re_search(_WHOLE).fill_null(True).all()
    found = rows.aggregate(**measures).to_pyarrow().to_pylist()[0]
    return {
        name: "int64" if found[f"whole{number}"] else "float64"
        for number, name in enumerate(columns)
        if found[f"any{number}"] and found[f"number{number}"]
    }
