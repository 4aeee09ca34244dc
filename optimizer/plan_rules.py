"""The rules and limits a plan file may hold, one model a block.

Shares are fractions in [0, 1], money is in the plan's currency, lengths of time are whole days.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, field_validator
from pydantic_core.core_schema import ValidationInfo

from optimizer.plan_values import (
    Block,
    Count,
    Day,
    Days,
    Label,
    Money,
    PosDays,
    Share,
    Text,
    Texts,
    broken,
    unique,
)

ContactType = Literal["promotional", "service", "recognition", "research", "brand", "functional"]
CONTACT_TYPES: tuple[ContactType, ...] = get_args(ContactType)
Types = Annotated[tuple[ContactType, ...], Field(min_length=1), unique]
Labels = Annotated[tuple[Label, ...], Field(min_length=1), unique]
Stretch = Literal["day", "week", "period"]


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


class ContactRange(Block):
    """How many contacts a campaign must and may have; None leaves that side open."""

    min: Count | None = None
    max: Count | None = None

    @field_validator("max")
    @classmethod
    def _ordered(cls, most: int | None, info: ValidationInfo) -> int | None:
        least = info.data.get("min")
        if most is not None and least is not None and most < least:
            raise broken(f"is {most}, less than min ({least})")
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


class Reach(Block):
    """Distinct customers with a contact of the kind named: at least a `share` or a number of `customers`."""

    share: Share | None = None
    customers: Count | None = None
    segments: Labels | None = None
    channel: Text | None = None
    campaign: Text | None = None
    type: ContactType | None = None
    business_unit: Text | None = None
