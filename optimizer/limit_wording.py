"""A limit of the plan in words: what it counts, how much of it is used, what one unit more is worth."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from optimizer.wording import money, number

if TYPE_CHECKING:
    from optimizer.plan_file import Plan

_STRETCH = re.compile(r" (week \d+|\d{4}-\d{2}-\d{2})$")
_CAPACITY = re.compile(r"channels\.(?P<channel>.+)\.capacity\[(?P<index>\d+)\]")
_NEGLIGIBLE = 1e-9
_FULL = "met to the last, but one more would change nothing"


@dataclass(frozen=True)
class LimitWords:
    """A row of `limits` for people; `fill` is the used part of the bound in [0, 1], None without a bound."""

    limit: str
    path: str
    bound: str
    used: str
    slack: str
    fill: float | None
    minimum: bool
    binding: bool
    price: str


def limits_in_words(limits: pd.DataFrame, plan: Plan) -> list[LimitWords]:
    """The rows of `limits` in their order: limit, bound, used, slack, shadow_price, price_from, price_to."""
    return [_row(row, plan) for row in limits.to_dict("records")]


def headline_limits(rows: list[LimitWords]) -> list[LimitWords]:
    """The rows to show first: all that bind, and of every other path in the plan the fullest stretch."""
    fullest: dict[str, LimitWords] = {}
    for row in rows:
        best = fullest.get(row.path)
        if best is None or (row.fill or 0.0) > (best.fill or 0.0):
            fullest[row.path] = row
    bound_paths = {row.path for row in rows if row.binding}
    return [row for row in rows if row.binding or (row.path not in bound_paths and fullest[row.path] is row)]


def path_of(limit: str) -> str:
    """The path in the plan file, without the day or week that a row of it is about."""
    return _STRETCH.sub("", limit)


def unit_of(limit: str, plan: Plan) -> str:
    """What the limit counts: the plan's currency, `hour`, `contact` or `customer`."""
    path = path_of(limit)
    if path.startswith(("budget", "return_on_cost")):
        return str(plan.currency)
    if path.startswith("reach"):
        return "customer"
    capacity = _CAPACITY.fullmatch(path)
    if capacity and capacity["channel"] in plan.channels:
        entries = plan.channels[capacity["channel"]].capacity
        index = int(capacity["index"])
        if index < len(entries) and entries[index].hours is not None:
            return "hour"
    return "contact"


def _is_minimum(limit: str) -> bool:
    path = path_of(limit)
    return path.startswith("reach") or path.endswith((".min", ".min_share", ".min_if_used"))


def _row(row: Mapping[Hashable, Any], plan: Plan) -> LimitWords:
    limit = str(row["limit"])
    unit, minimum = unit_of(limit, plan), _is_minimum(limit)
    bound, used, slack, price = (_figure(row[name]) for name in ("bound", "used", "slack", "shadow_price"))
    binding = abs(price) > _NEGLIGIBLE or (bound > 0 and abs(bound - used) <= _NEGLIGIBLE * bound)
    return LimitWords(
        limit=limit,
        path=path_of(limit),
        bound=f"{'at least' if minimum else 'at most'} {_amount(bound, unit, plan)}",
        used=_amount(used, unit, plan),
        slack=_amount(slack, unit, plan),
        fill=_fill(bound, used),
        minimum=minimum,
        binding=binding,
        price=_price(
            price, binding, bound, _figure(row.get("price_from")), _figure(row.get("price_to")), unit, plan
        ),
    )


def _price(price: float, binding: bool, bound: float, low: float, high: float, unit: str, plan: Plan) -> str:
    """What one unit more changes: the price where it holds beyond the bound, else the price at most."""
    if math.isnan(price):
        return "no price"
    if abs(price) <= _NEGLIGIBLE:
        return _FULL if binding else "nothing to gain: it does not bind"
    one = f"one {unit} more" if unit != plan.currency else f"{unit} 1 more"
    gain = "saves" if plan.objective.goal == "cost" else "brings"
    verb, worth = (gain if price > 0 else "costs"), in_goal(abs(price), plan)
    if math.isnan(low) or math.isnan(high):
        return f"{one} {verb} {worth}"
    down = f"down to {_end(low)}" if math.isfinite(low) else "however many fewer"
    if high <= bound + _NEGLIGIBLE * max(1.0, abs(bound)):
        least = "at most" if price > 0 else "at least"
        return f"{one} {verb} {least} {worth}; the price holds {down}"
    up = f"up to {_end(high)}" if math.isfinite(high) else "however many more"
    return f"{one} {verb} {worth}, {up}; the price holds {down}"


def in_goal(value: float, plan: Plan) -> str:
    """A figure in the objective's unit: money, responses or customers."""
    match plan.objective.goal:
        case "expected_responses":
            return f"{number(value)}\N{NO-BREAK SPACE}responses"
        case "reach":
            return f"{number(value)}\N{NO-BREAK SPACE}customers"
    return money(value, plan.currency)


def _end(value: float) -> str:
    return number(value, 0 if abs(value) >= 1000 or abs(value - round(value)) < 0.005 else 2)


def _amount(value: float, unit: str, plan: Plan) -> str:
    if unit == plan.currency:
        return money(value, plan.currency)
    whole = value == round(value) if math.isfinite(value) else False
    text = number(value, 0 if whole else 1)
    return f"{text}\N{NO-BREAK SPACE}{unit}{'' if value == 1 else 's'}"


def _fill(bound: float, used: float) -> float | None:
    if not math.isfinite(bound) or not math.isfinite(used):
        return None
    if bound <= 0:
        return 1.0
    return min(1.0, max(0.0, used / bound))


def _figure(value: object) -> float:
    return math.nan if value is None or value is pd.NA else float(str(value))
