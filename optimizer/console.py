"""What everything on the screen is made with: consoles, plain text, numbers and tables.

Results go to standard output, progress and errors to standard error. Rich obeys NO_COLOR by itself.
Text from plans and tables is shown as it is, never read as markup.
"""

from __future__ import annotations

import math

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

_PLAIN = {"\N{NO-BREAK SPACE}": " ", "\N{MINUS SIGN}": "-"}


def output() -> Console:
    """The console for results."""
    return Console(markup=False, highlight=False, emoji=False)


def errors() -> Console:
    """The console for progress, warnings and errors."""
    return Console(stderr=True, markup=False, highlight=False, emoji=False)


def printable(text: str) -> str:
    """The text with what could steer a terminal replaced; line ends stay out as well.

    Spaces and minus signs become those of the keyboard, so that figures can be searched for.
    """
    return "".join(
        _PLAIN.get(sign, sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}") for sign in text
    )


def number(value: float | None, places: int = 2) -> str:
    """A number for people: thousands separated, whole ones without decimals, a dash if missing."""
    if value is None or math.isnan(value):
        return "-"
    if not math.isfinite(value):
        return "unlimited"
    return f"{value:,.0f}" if value == round(value) else f"{value:,.{places}f}"


def plain_table(*columns: Column) -> Table:
    """A table without lines; its heads are bold on a terminal."""
    return Table(*columns, box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))


def labelled(label: str, style: str, message: str) -> Text:
    """A message after its label; only the label has a style."""
    return Text.assemble((label, style), printable(message))
