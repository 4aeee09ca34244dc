"""From the errors of the plan's models to faults a planner can read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from optimizer.faults import Fault
from optimizer.plan_values import nearest, suggestion
from optimizer.plan_yaml import Loc, place

NOT_YET: Collection[Loc] = (("policy", "max_per_household"),)
"""Keys of the plan language that are not built yet, by their path."""

_NEEDED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "finite_number": "a finite number",
}
_BOUND = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("more than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
}


def faults_of(error: ValidationError, model: type[BaseModel]) -> list[Fault]:
    """Return one fault for each error that `model` found, at its path in the plan file."""
    return [_fault(details, model) for details in error.errors(include_url=False)]


def _fault(details: ErrorDetails, model: type[BaseModel]) -> Fault:
    kind, loc = details["type"], details["loc"]
    if kind == "extra_forbidden":
        return _unknown_key(loc, model)
    rule, remedy = _rule_and_remedy(kind, loc, details["input"], details.get("ctx", {}))
    return Fault(place(loc), "", rule or details["msg"], remedy)


def _rule_and_remedy(kind: str, loc: Loc, given: Any, context: Mapping[str, Any]) -> tuple[str, str]:
    """Put an error into words: the rule that is broken (empty: none known), and what to do."""
    rule, remedy = "", "Correct it."
    if kind == "broken":
        rule, remedy = context["rule"], context["remedy"]
    elif kind == "missing":
        rule, remedy = "is missing", _how_to_add(loc)
    elif kind in _NEEDED:
        rule, remedy = f"must be {_NEEDED[kind]}, is {shown(given)}", _how_to_write(kind, given)
    elif kind in _BOUND:
        words, name = _BOUND[kind]
        rule, remedy = f"must be {words} {context[name]:g}, is {shown(given)}", "Correct the number."
    elif kind == "literal_error":
        known = [word.strip("'") for word in context["expected"].replace(" or ", ", ").split(", ")]
        rule = f"must be one of {', '.join(known)}, is {shown(given)}"
        near = nearest(str(given), known)
        remedy = f"Did you mean {near!r}?" if near else "Choose one of them."
    elif kind in ("too_short", "too_long", "string_too_short"):
        rule, remedy = _wrong_length(kind, context), "Fill it in, or leave the key out."
    return rule, remedy


def _wrong_length(kind: str, context: Mapping[str, Any]) -> str:
    if kind == "string_too_short":
        return "is empty text"
    if kind == "too_short":
        return f"needs {context['min_length']} or more entries, has {context['actual_length']}"
    return f"may have {context['max_length']} entries, has {context['actual_length']}"


def _how_to_add(loc: Loc) -> str:
    if loc[-1] == "unit_cost":
        return "Add it, in the plan's currency (0 if a contact costs nothing)."
    if loc[-1] == "per":
        return "Add per: day, per: week or per: period."
    return "Add it."


def _how_to_write(kind: str, given: Any) -> str:
    if kind == "string_type":
        return "Put it in quotes if it is meant as text."
    if kind == "tuple_type" and isinstance(given, str):
        return f"Write it as [{given}]."
    if kind.startswith(("int", "float")) and isinstance(given, str):
        return "Write a plain number, without quotes or units."
    return "Correct it."


def shown(value: Any) -> str:
    """Show a value as the plan file has it, cut where it is long."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"the text {value!r}" if len(value) <= 40 else f"the text {value[:37]!r}…"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None:
        return "empty"
    return f"the date {value}" if isinstance(value, date) else f"{value}"[:40]


def _unknown_key(loc: Loc, model: type[BaseModel]) -> Fault:
    *block, last = loc
    if loc in NOT_YET:
        return Fault(place(loc), "", f"{last} is not supported yet", "Take it out of the plan for now.")
    if last == "soft" and (loc[0] == "policy" or "max_per_customer" in loc[2:]):
        return Fault(place(loc), "", "a rule for each customer cannot be soft", "Take it out.")
    planned = [str(path[-1]) for path in NOT_YET if path[:-1] == tuple(block)]
    known = [*_known_keys(model, tuple(block)), *planned]
    return Fault(place(loc), "", "is an unknown key", suggestion(str(last), known))


def _known_keys(model: type[BaseModel], block: Loc) -> list[str]:
    """The keys that the block at this path may have."""
    here: Any = model
    for step in block:
        here = _inside(here, step)
    if not (isinstance(here, type) and issubclass(here, BaseModel)):
        return []
    return [field.alias or name for name, field in here.model_fields.items()]


def _inside(kind: Any, step: str | int) -> Any:
    """The kind of value found one step further down."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = {field.alias or name: field for name, field in kind.model_fields.items()}
        found = fields[step].annotation if step in fields else None
    else:
        parts = get_args(kind)
        found = parts[1] if get_origin(kind) is dict else (parts[0] if parts else None)
    while get_origin(found) in (Union, UnionType):
        found = next(part for part in get_args(found) if part is not type(None))
    return found
