"""What a plan file may hold: one model a block, with its units, bounds and defaults.

Attribute names are the keys of the plan file (`from` is `from_`). Shares and rates are fractions in [0, 1],
money is in the plan's currency, lengths of time are whole days. Rules and limits stand in `plan_rules`,
what reaches across blocks in `plan_checks`.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field, Strict, field_validator
from pydantic_core.core_schema import ValidationInfo

from optimizer.plan_rules import (
    Budget,
    Cap,
    Capacity,
    ContactRange,
    ContactType,
    Labels,
    Objective,
    Policy,
    Reach,
    ReturnOnCost,
    Types,
    Volume,
)
from optimizer.plan_values import (
    Block,
    Count,
    Day,
    Days,
    Money,
    Number,
    PosDays,
    Share,
    Text,
    Texts,
    Weekday,
    Zone,
    broken,
    later,
    unique,
)


class Database(Block):
    """A database that holds the tables: its URL, and the tables' names in it.

    `${NAME}` in the URL stands for a variable of the environment, so that no password needs to be in the
    plan. Output tables go into `output_schema`; with `files` false no customer row goes into files.
    """

    url: Text = Field(repr=False)
    customers: Text
    permissions: Text
    contact_history: Text | None = None
    commitments: Text | None = None
    transactions: Text | None = None
    restrictions: Text | None = None
    response_rates: Text | None = None
    scores: Text | None = None
    output_schema: Text = "contactplan"
    files: Annotated[bool, Strict()] = True


class Data(Block):
    """Where the tables are: paths relative to the plan file, or globs; or all of them in a database."""

    database: Database | None = None
    customers: Text | None = None
    permissions: Text | None = None
    contact_history: Text | None = None
    commitments: Text | None = None
    transactions: Text | None = None
    restrictions: Text | None = None
    response_rates: Text | None = None
    scores: Text | None = None
    timezone: Zone | None = None

    def source(self, table: str) -> str | None:
        """The path or name of a table, None where it is not given."""
        found: str | None = getattr(self.database or self, table)
        return found


class Period(Block):
    """The days planned; the first `commit_days` of them are final (default 7, or `days` if fewer).

    `keep_provisional` is what each provisional contact of the run before costs that is not planned again.
    """

    start: Day
    days: PosDays = 28
    commit_days: Days = 7
    keep_provisional: Money = 0.0

    @field_validator("start")
    @classmethod
    def _of_our_time(cls, start: date) -> date:
        if not 1970 <= start.year < 2200:
            raise broken(f"is {start}, not a day from 1970 to 2199")
        return start

    @field_validator("days")
    @classmethod
    def _short_enough(cls, days: int) -> int:
        if days > 62:
            raise later("a period of more than 62 days")
        return days

    @field_validator("commit_days")
    @classmethod
    def _within_period(cls, commit_days: int, info: ValidationInfo) -> int:
        if commit_days > info.data.get("days", commit_days):
            raise broken(f"is {commit_days}, more than the period's {info.data['days']} days")
        return commit_days


class Fatigue(Block):
    """Each contact in the `days` before multiplies a contact's response rate by `keep`."""

    keep: Share = 1.0
    days: PosDays = 28


class Segmentation(Block):
    """The range of segments searched, or the customers' own column of them."""

    count: tuple[Count, Count] = (6, 8)
    features: Texts | None = None
    column: Text | None = None

    @field_validator("count", mode="before")
    @classmethod
    def _one_number_is_a_range(cls, value: Any) -> Any:
        return value if isinstance(value, list | tuple) else (value, value)

    @field_validator("count")
    @classmethod
    def _ordered(cls, count: tuple[int, int]) -> tuple[int, int]:
        if not 1 <= count[0] <= count[1]:
            raise broken(f"is {list(count)}, not a range of at least one segment", "Write it as [6, 8].")
        return count


class Response(Block):
    """Where response rates come from; a response counts up to `window_days` after its contact.

    With `customer_level` customers of a segment differ as a model of the history says.
    """

    from_: Literal["history", "table"] = Field("history", alias="from")
    window_days: PosDays = 14
    customer_level: Annotated[bool, Strict()] = False


class Channel(Block):
    """A way to reach customers. `send_days` count from Monday = 0; `hours_per_contact` is working time."""

    unit_cost: Money
    send_days: Annotated[tuple[Weekday, ...], Field(min_length=1), unique] = (0, 1, 2, 3, 4, 5, 6)
    blackout: Annotated[tuple[Day, ...], unique] = ()
    default_permission: Literal["granted", "denied"] = "denied"
    hours_per_contact: Annotated[Money, Field(gt=0)] | None = None
    capacity: tuple[Capacity, ...] = ()
    max_per_customer: tuple[Cap, ...] = ()


class Campaign(Block):
    """Something to tell customers, with its window, audience and worth.

    Left out, `from` and `to` are the period's ends, `channels` all channels of the plan. `setup_cost` is
    paid once if the campaign has a contact at all.
    """

    type: ContactType
    business_unit: Text | None = None
    channels: Texts = ()
    from_: Day = Field(date.min, alias="from")
    to: Day = date.max
    audience: Text | None = None
    segments: Labels | None = None
    margin_per_response: Number = 0.0
    revenue_per_response: Money = 0.0
    value_per_contact: Number = 0.0
    cost_per_contact: Money = 0.0
    setup_cost: Money = 0.0
    max_per_customer: tuple[Cap, ...] = (Cap(contacts=1, days=28),)
    contacts: ContactRange = ContactRange()
    counts_towards_caps: Annotated[bool, Strict()] = True
    ignores_caps: Annotated[bool, Strict()] = False

    @field_validator("to")
    @classmethod
    def _after_from(cls, to: date, info: ValidationInfo) -> date:
        begins = info.data.get("from_", date.min)
        if to < begins:
            raise broken(f"the campaign ends on {to}, before it begins on {begins}", "Swap or correct them.")
        return to


class HoldOut(Block):
    """The share of customers who get nothing of `types`, chosen by md5 of `key`, a colon and the id."""

    share: Share
    key: Text = ""
    types: Types = ("promotional", "research", "recognition", "brand")


class Export(Block):
    """A form in which the calendar is handed to campaign tools."""

    format: Text

    @field_validator("format")
    @classmethod
    def _not_yet(cls, name: str) -> str:
        if name != "csv":
            raise later(f"the export format {name!r}")
        return name


class PlanBlocks(Block):
    """The whole plan file."""

    name: Text
    currency: Text
    data: Data
    period: Period
    seed: Annotated[Count, Field(le=2**32 - 1)] = 0
    objective: Objective = Objective()
    fatigue: Fatigue = Fatigue()
    segments: Segmentation = Segmentation()
    response: Response = Response.model_validate({})
    channels: Annotated[dict[str, Channel], Field(min_length=1)]
    campaigns: dict[str, Campaign] = Field(default_factory=dict)
    policy: Policy = Policy()
    budget: tuple[Budget, ...] = ()
    volume: tuple[Volume, ...] = ()
    reach: tuple[Reach, ...] = ()
    return_on_cost: ReturnOnCost | None = None
    hold_out: HoldOut = HoldOut(share=0.0)
    export: tuple[Export, ...] = (Export(format="csv"),)
    retention_days: PosDays = 400
    scenarios: dict[str, dict[str, Any]] = Field(default_factory=dict)
    max_cells: Annotated[Count, Field(ge=1)] = 4000
    merge_above: Annotated[Count, Field(ge=1)] = 100_000
