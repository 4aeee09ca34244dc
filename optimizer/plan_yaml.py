"""Reading YAML safely: plain values only, words stay words, no key twice."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from optimizer.faults import Fault

MAX_VALUES = 100_000
"""A plan holds at most so many values, aliases written out (a guard against files that unfold endlessly)."""

MAX_DEPTH = 20
"""Mappings and lists inside one another; the plan language itself needs nine."""

LARGEST = 10**18
"""Whole numbers beyond it are refused: no table column could hold them."""

Loc = tuple[str | int, ...]


class _PlanLoader(yaml.SafeLoader):
    """YAML as people mean it: only true and false are booleans, `on`, `no`, `010` and `1:30` stay text."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - the library's own class attribute, filled below

    def construct_date(self, node: yaml.ScalarNode) -> object:
        """A date or a timestamp; a day that does not exist stays text, so that its place can be named."""
        try:
            return self.construct_yaml_timestamp(node)
        except ValueError:
            return self.construct_scalar(node)


def _resolve(tag: str, pattern: str, first: str) -> None:
    letters = list(first) if first else None
    _PlanLoader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), letters)


_resolve("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF")
_resolve("null", r"^(?:~|null|Null|NULL|)$", "~nN")
_PlanLoader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^$"), [""])
_resolve("int", r"^[-+]?(?:0|[1-9][0-9_]*)$", "-+0123456789")
_resolve(
    "float",
    r"^[-+]?(?:\.[0-9]+|[0-9][0-9_]*\.[0-9]*|[1-9][0-9]*(?=[eE]))(?:[eE][-+]?[0-9]+)?$",
    "-+.0123456789",
)
_resolve("timestamp", r"^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ].*)?$", "0123456789")
_resolve("merge", r"^<<$", "<")
_PlanLoader.add_constructor("tag:yaml.org,2002:timestamp", _PlanLoader.construct_date)


def place(loc: Loc) -> str:
    """Write a path as people read it: `channels.email.capacity[0].per`; the whole is `plan`."""
    words = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc)
    return words.removeprefix(".") or "plan"


def read_yaml(path: Path) -> tuple[Any, list[Fault]]:
    """Read one YAML document; returns its value (None if unreadable) and the faults found on the way.

    Keys that stand twice in a mapping are faults; so are a missing, empty or broken file.
    """
    name = path.name
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        return None, [Fault(name, "", f"cannot be read ({error.strerror})", f"Put the plan at {path}.")]
    except UnicodeDecodeError:
        return None, [Fault(name, "", "is not UTF-8 text", "Save it as UTF-8.")]
    try:
        loader = _PlanLoader(text)
        node = loader.get_single_node()
        faults = list(_repeated_keys(node))
        value = loader.construct_document(node) if node is not None else None
    except RecursionError:
        return None, [Fault(name, "", "is nested too deep", "Write it flatter.")]
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        return None, [Fault(name, "", f"is not valid YAML: {_short(error)}", "Correct it there.")]
    if value is None and not faults:
        faults.append(Fault(name, "", "is empty", "Write a plan into it."))
    return value, faults


def _short(error: Exception) -> str:
    """One line of a parser's complaint: what, and at which line and column."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return str(error).splitlines()[0] if str(error) else type(error).__name__
    mark = error.problem_mark or error.context_mark
    where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"{error.problem or error.context}{where}"


def _repeated_keys(root: yaml.Node | None) -> Iterator[Fault]:
    """Name every key that stands twice in one mapping; aliased parts are looked at once."""
    stack: list[tuple[Loc, yaml.Node]] = [] if root is None else [((), root)]
    visited: set[int] = set()
    while stack:
        loc, node = stack.pop()
        if id(node) in visited:
            continue
        visited.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            stack.extend(((*loc, index), item) for index, item in enumerate(node.value))
        elif isinstance(node, yaml.MappingNode):
            keys: set[Hashable] = set()
            for key, item in node.value:
                word = str(key.value)
                if word in keys:
                    yield Fault(place((*loc, word)), "", "stands here twice", "Keep one of the two.")
                keys.add(word)
                stack.append(((*loc, word), item))


def plain_value(value: Any) -> tuple[Any, list[Fault]]:
    """Copy nested mappings, lists and scalars; anything else a plan cannot hold is a fault.

    Tuples become lists, numpy's numbers Python's (patches come from notebooks too).
    """
    faults: list[Fault] = []
    room = [MAX_VALUES]

    def copied(item: Any, loc: Loc) -> Any:
        room[0] -= 1
        if isinstance(item, np.generic):
            item = item.item()
        if room[0] < 0:
            loc, rule = (), f"holds more than {MAX_VALUES} values"
        else:
            rule = _refusal(item, loc)
        if rule:
            faults.append(Fault(place(loc), "", rule, "Write it as the plan needs it."))
            return None
        if isinstance(item, dict):
            faults.extend(_bad_names(item, loc))
            return {str(key): copied(entry, (*loc, str(key))) for key, entry in item.items()}
        if isinstance(item, list | tuple):
            return [copied(entry, (*loc, index)) for index, entry in enumerate(item)]
        return item

    return copied(value, ()), list(dict.fromkeys(faults))


def _refusal(item: Any, loc: Loc) -> str:
    """Say why a plan cannot hold this value at this place; empty if it can."""
    rule = ""
    if len(loc) > MAX_DEPTH:
        rule = "is nested too deep, or contains itself"
    elif isinstance(item, int) and abs(item) > LARGEST:
        rule = f"is too large a number (more than {LARGEST:.0e})"
    elif item is not None and not isinstance(item, dict | list | tuple | str | int | float | date):
        rule = f"holds a value of a kind that plans do not know ({type(item).__name__})"
    return rule


def _bad_names(block: dict[Any, Any], loc: Loc) -> Iterator[Fault]:
    """Names that are not text as it will be written and compared."""
    for key in block:
        if not isinstance(key, str) or not key or key != key.strip():
            rule = f"the name {str(key)!r} is a number or date, is empty or has blanks around it"
            yield Fault(place(loc), "", rule, "Write a name as text, a number or date in quotes.")
