"""Expressions that mean the same, to the last digit, on DuckDB, PostgreSQL and Spark."""

from __future__ import annotations

import sys

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

_EXACT = 1e15
"""From here on a float has no digit left behind the point of what is to be rounded."""


@ibis.udf.scalar.builtin(name="md5", signature=((dt.string,), dt.string))  # type: ignore[untyped-decorator]
def _md5(text: str) -> str:  # type: ignore[empty-body]
    """A function of all three engines; Ibis' own hexdigest lacks PostgreSQL."""


@ibis.udf.agg.builtin(name="bit_or", signature=((dt.int64,), dt.int64))  # type: ignore[untyped-decorator]
def bit_or(bits: int) -> int:  # type: ignore[empty-body]
    """Which bits are set in any of the numbers; Ibis' own lacks Spark."""


def md5(text: ir.StringValue) -> ir.StringValue:
    """The md5 of a text's UTF-8 bytes, 32 lower-case hexadecimal digits."""
    return _md5(text)


def keyed_md5(key: str, ids: ir.Value) -> ir.StringValue:
    """The md5 of `key:id`: an order of ids that every engine computes alike, and a draw among them."""
    return md5(ibis.literal(f"{key}:") + ids.cast("string"))


def rounded(number: ir.NumericValue, places: int) -> ir.FloatingValue:
    """A number as a float of so many places; halves go away from zero.

    The engines' own rounding differs: PostgreSQL rounds decimals of 15 digits, Spark the number as it is
    written, DuckDB the float. Here every step is the same floating-point operation everywhere.
    """
    if number.type().is_integer():
        return number.cast("float64")  # has no places
    number = number.cast("float64")
    parts = number.abs() * 10.0**places + 0.5
    # Engines make floors whole numbers, which must not overflow; some hold NaN for the greatest number.
    fits = parts < _EXACT
    whole = fits.ifelse(parts, 0.0).floor().cast("float64") / 10.0**places
    return fits.ifelse(number.sign() * whole, number)


def is_finite(number: ir.NumericValue) -> ir.BooleanValue:
    """Whether a float is neither infinite nor NaN, which all engines hold for greater than every number.

    Ibis' own test for the infinite is never true on Spark.
    """
    return number.abs() <= sys.float_info.max


def half_up(number: ir.NumericValue, places: int) -> ir.FloatingValue:
    """As `rounded`, but halves go up, for finite numbers well below 1e18 / 10^places.

    It names the number once: PostgreSQL inlines expressions into one another, and nested ones explode.
    """
    return (number * 10.0**places + 0.5).floor().cast("float64") / 10.0**places
