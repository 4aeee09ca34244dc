"""The names of a database's tables as people write them: `customers`, `crm.customers`, `crm."odd; table"`."""

from __future__ import annotations

import re

_PART = re.compile(r'\s*(?:"((?:[^"]|"")+)"|`((?:[^`]|``)+)`|([^\s."`;]+))\s*(\.|$)')


def parts_of(qualified: str, fold: bool = False) -> tuple[str, ...]:
    """The parts between the dots, quotes taken off; with `fold` those without quotes in lower case.

    Raises ValueError where the text is no such name.
    """
    parts, position, more = [], 0, True
    while more:
        found = _PART.match(qualified, position)
        if found is None:
            raise ValueError("is no name of a table")
        quoted, ticked, plain, end = found.groups()
        if plain is not None:
            parts.append(plain.lower() if fold else plain)
        else:
            parts.append(quoted.replace('""', '"') if quoted is not None else ticked.replace("``", "`"))
        position, more = found.end(), end == "."
    return tuple(parts)
