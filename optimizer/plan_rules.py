"""The objective, rules and limits a plan file may hold, one model a block.

Shares are fractions in [0, 1], money is in the plan's currency, lengths of time are whole days. `soft`
makes a limit one that may be missed, for a penalty in the objective's unit for each contact, hour,
customer or unit of money by which it is; None makes it a must.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, field_validator, model_validator
from pydantic_core.core_schema import ValidationInfo

from optimizer.plan_values import (
    Block,
    Count,
    Day,
    Days,
    Label,
    Money,
    Number,
    PosDays,
    Share,
    Text,
    Texts,
    broken,
    suggestion,
    unique,
)

ContactType = Literal["promotional", "service", "recognition", "research", "brand", "functional"]
CONTACT_TYPES: tuple[ContactType, ...] = get_args(ContactType)
Types = Annotated[tuple[ContactType, ...], Field(min_length=1), unique]
Labels = Annotated[tuple[Label, ...], Field(min_length=1), unique]
Stretch = Literal["day", "week", "period"]
GOALS: Mapping[str, tuple[str, ...]] = {
    "maximize": ("expected_margin", "expected_revenue", "expected_responses", "reach"),
    "minimize": ("cost",),
}


class Objective(Block):
    """What the plan makes as large, or as small, as it can: one of the two is given, the other None."""

    maximize: Text | None = None
    minimize: Text | None = None

    @model_validator(mode="before")
    @classmethod
    def _margin_unless_said(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("maximize") is None and data.get("minimize") is None:
            return {**data, "maximize": "expected_margin"}
        return data

    @field_validator("maximize", "minimize")
    @classmethod
    def _known(cls, goal: str, info: ValidationInfo) -> str:
        own, other = str(info.field_name), "minimize" if info.field_name == "maximize" else "maximize"
        if goal in GOALS[other]:
            raise broken(f"{goal} is nothing to {own}", f"Write {other}: {goal}.")
        if goal not in GOALS[own]:
            raise broken(f"there is no objective {goal!r}", suggestion(goal, GOALS[own]))
        return goal

    @property
    def goal(self) -> str:
        """The word of the objective, such as expected_margin or cost."""
        return self.maximize or self.minimize or ""

    @property
    def counts_revenue(self) -> bool:
        """Whether revenue counts for anything: limits and margins leave it out."""
        return self.goal == "expected_revenue"


class Cap(Block):
    """At most `contacts` of those named in any `days` consecutive days; None names all."""

    contacts: Count
    days: PosDays
    types: Types | None = None
    channels: Texts | None = None
    campaigns: Texts | None = None


class Capacity(Block):
    """What a channel can take per stretch of time: `contacts` or `hours`, on the days of `on` if given."""

    contacts: Count | None = None
    hours: Money | None = None
    per: Stretch
    on: Annotated[tuple[Day, ...], Field(min_length=1), unique] | None = None
    soft: Money | None = None


def _not_less(most: float | None, info: ValidationInfo, least_key: str) -> None:
    """Refuse an upper bound below the lower bound of the same block."""
    least = info.data.get(least_key)
    if most is not None and least is not None and most < least:
        raise broken(f"is {most}, less than {least_key} ({least})", "Swap or correct them.")


class ContactRange(Block):
    """How many contacts a campaign must and may have; None leaves that side open.

    With `min_if_used` it has no contact at all, or at least so many. `soft` is for every bound given.
    """

    min: Count | None = None
    min_if_used: Count | None = None
    max: Count | None = None
    soft: Money | None = None

    @field_validator("max")
    @classmethod
    def _ordered(cls, most: int | None, info: ValidationInfo) -> int | None:
        _not_less(most, info, "min")
        _not_less(most, info, "min_if_used")
        return most


class NeverTogether(Block):
    """No two contacts of different campaigns of the list within `days`."""

    campaigns: Annotated[Texts, Field(min_length=2)]
    days: Days


class OnlyAfter(Block):
    """`campaign` only from the first to the second of `days` after a contact by `after`."""

    campaign: Text
    after: Text
    days: tuple[Days, Days]

    @field_validator("days")
    @classmethod
    def _ordered(cls, days: tuple[int, int]) -> tuple[int, int]:
        if days[0] > days[1]:
            raise broken(f"is {list(days)}, the second smaller than the first", "Write it as [3, 10].")
        return days


def _all_types(value: Any) -> Any:
    return list(CONTACT_TYPES) if value == "all" else value


class Restriction(Block):
    """What a reason blocks, until `days_after` days after it ends, and what it keeps the customer out of."""

    blocks: Annotated[tuple[ContactType, ...], BeforeValidator(_all_types), unique]
    days_after: Days = 0
    excludes_from: Annotated[tuple[Literal["segments", "response"], ...], unique] = ()


class Policy(Block):
    """The rules for every customer; `restrictions` is keyed by reason, in lower case."""

    max_per_customer: tuple[Cap, ...] = ()
    min_days_between: Days = 0
    never_together: tuple[NeverTogether, ...] = ()
    only_after: tuple[OnlyAfter, ...] = ()
    clash_days: Days = 1
    restrictions: dict[str, Restriction] = Field(default_factory=dict)

    @field_validator("restrictions")
    @classmethod
    def _by_lower_case(cls, restrictions: dict[str, Restriction]) -> dict[str, Restriction]:
        lower = {reason.strip().lower(): restriction for reason, restriction in restrictions.items()}
        if len(lower) < len(restrictions):
            raise broken("names a reason twice (upper and lower case are the same)", "Keep one of them.")
        return lower


class Budget(Block):
    """Money for each stretch of time, of the whole plan, a business unit or a campaign."""

    amount: Money
    per: Stretch = "period"
    business_unit: Text | None = None
    campaign: Text | None = None
    soft: Money | None = None


class Volume(Block):
    """Planned contacts of the kind named, in the segments named; None names all.

    `min` and `max` are numbers of contacts, `min_share` and `max_share` shares of all planned contacts in
    those segments.
    """

    business_unit: Text | None = None
    type: ContactType | None = None
    channel: Text | None = None
    campaign: Text | None = None
    segments: Labels | None = None
    min: Count | None = None
    max: Count | None = None
    min_share: Share | None = None
    max_share: Share | None = None
    soft: Money | None = None

    @field_validator("max", "max_share")
    @classmethod
    def _ordered(cls, most: float | None, info: ValidationInfo) -> float | None:
        _not_less(most, info, "min" if info.field_name == "max" else "min_share")
        return most


class ReturnOnCost(Block):
    """The margin and worth of the planned contacts are at least 1 + `min` times what the plan costs."""

    min: Annotated[Number, Field(ge=-1, le=1e6)]
    soft: Money | None = None


class Reach(Block):
    """Distinct customers with a contact of the kind named: at least a `share` or a number of `customers`."""

    share: Share | None = None
    customers: Count | None = None
    segments: Labels | None = None
    channel: Text | None = None
    campaign: Text | None = None
    type: ContactType | None = None
    business_unit: Text | None = None
    soft: Money | None = None
