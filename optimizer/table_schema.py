"""The tables that come in: every column once, with its kind, its default and whether it is needed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["text", "word", "date", "number", "whole", "flag"]
"""`text` as it stands, `word` text without case and surrounding blanks, `flag` 0 or 1."""

DTYPES = {
    "text": "string",
    "word": "string",
    "date": "date",
    "number": "float64",
    "whole": "int64",
    "flag": "int8",
}
"""The type of each kind after reading."""


DIGEST = "\x1fdigest"
"""Column of a freshly read table: a hash of the row's cells."""


def unread(number: int) -> str:
    """Column of a freshly read table: whether the cell of its column `number` was not read.

    The schema's columns are numbered first, then those that an open-ended table has besides. There is none
    for a column that can always be read.
    """
    return f"\x1f{number}"


def told(columns: Iterable[str]) -> list[str]:
    """The columns of a freshly read table without those that only its reading needs."""
    return [name for name in columns if not name.startswith("\x1f")]


@dataclass(frozen=True)
class Column:
    """A column: `name` after reading, `source` its name in the file (the same unless the plan says so)."""

    name: str
    kind: Kind = "text"
    needed: bool = True
    default: int | None = None
    source: str = ""

    @property
    def given_as(self) -> str:
        """Its name in the file."""
        return self.source or self.name


@dataclass(frozen=True)
class TableSchema:
    """A table: `key` names its rows in faults; `strangers` says what rows of unknown customers are.

    `open_ended` tables keep their further columns; in `unique` ones a key stands once; `if_empty` says
    what to do where a table without rows is a fault (empty: it is none).
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ("customer_id",)
    strangers: Literal["fault", "left out"] | None = None
    unique: bool = False
    open_ended: bool = False
    if_empty: str = ""

    @property
    def dtypes(self) -> dict[str, str]:
        """The columns' types after reading."""
        return {column.name: DTYPES[column.kind] for column in self.columns}

    def __getitem__(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    def with_column(self, column: Column) -> TableSchema:
        """Return the schema with the column of that name replaced."""
        columns = tuple(column if old.name == column.name else old for old in self.columns)
        return replace(self, columns=columns)


def further_columns(columns: Iterable[str], schema: TableSchema) -> list[str]:
    """The columns that an open-ended table has besides those of its schema; its reader's own are none."""
    return [name for name in told(columns) if name.lower() not in schema.dtypes] if schema.open_ended else []


ID = Column("customer_id")
CHANNEL, CAMPAIGN = Column("channel"), Column("campaign")
TYPE, UNIT = Column("type", needed=False), Column("business_unit", needed=False)

CUSTOMERS = TableSchema(
    "customers",
    (
        ID,
        Column("segment", needed=False),
        Column("household_id", needed=False),
        Column("max_contacts", "whole", needed=False),
    ),
    unique=True,
    open_ended=True,
    if_empty="Check the path and the export; a plan needs customers.",
)
PERMISSIONS = TableSchema(
    "permissions",
    (
        ID,
        CHANNEL,
        Column("status", "word"),
        Column("valid_from", "date", needed=False),
        Column("valid_to", "date", needed=False),
        Column("topic", needed=False),
    ),
    strangers="fault",
    if_empty="Check the export: one row would do; default_permission covers whoever has none.",
)
CONTACT_HISTORY = TableSchema(
    "contact_history",
    (
        ID,
        Column("contacted_on", "date"),
        CHANNEL,
        CAMPAIGN,
        Column("contact_id", needed=False),
        TYPE,
        UNIT,
        Column("delivered", "flag", needed=False, default=1),
        Column("responded_on", "date", needed=False),
        Column("responded", "flag", needed=False, default=0),
        Column("revenue", "number", needed=False),
        Column("margin", "number", needed=False),
        Column("control", "flag", needed=False, default=0),
    ),
    strangers="left out",
)
COMMITMENTS = TableSchema(
    "commitments",
    (
        ID,
        Column("contact_on", "date"),
        CHANNEL,
        CAMPAIGN,
        TYPE,
        UNIT,
        Column("cost", "number", needed=False),
    ),
    strangers="fault",
)
TRANSACTIONS = TableSchema(
    "transactions",
    (
        ID,
        Column("transacted_on", "date"),
        Column("amount", "number"),
        Column("margin", "number", needed=False),
    ),
    strangers="left out",
)
RESTRICTIONS = TableSchema(
    "restrictions",
    (ID, Column("reason", "word"), Column("starts_on", "date"), Column("ends_on", "date", needed=False)),
    strangers="fault",
)
RESPONSE_RATES = TableSchema(
    "response_rates",
    (
        Column("segment"),
        CAMPAIGN,
        CHANNEL,
        Column("response_rate", "number"),
        Column("standard_error", "number", needed=False),
    ),
    key=("segment", "campaign", "channel"),
    unique=True,
    if_empty="Add the rates, or leave data.response_rates out.",
)
SCORES = TableSchema(
    "scores",
    (
        ID,
        CAMPAIGN,
        Column("channel", needed=False),
        Column("response_rate", "number", needed=False),
        Column("margin_per_response", "number", needed=False),
        Column("revenue_per_response", "number", needed=False),
        Column("value_per_contact", "number", needed=False),
        Column("cost_per_contact", "number", needed=False),
    ),
    key=("customer_id", "campaign", "channel"),
    strangers="left out",
    unique=True,
)
SCHEMAS = (
    CUSTOMERS,
    PERMISSIONS,
    CONTACT_HISTORY,
    COMMITMENTS,
    TRANSACTIONS,
    RESTRICTIONS,
    RESPONSE_RATES,
    SCORES,
)
"""All tables; the customers come first, because the others are compared with them."""


def schemas(segment_column: str | None) -> tuple[TableSchema, ...]:
    """Return the schemas for a plan; `segment_column` is its `segments.column`."""
    if segment_column is None:
        return SCHEMAS
    own = Column("segment", source=segment_column)
    return (CUSTOMERS.with_column(own), *SCHEMAS[1:])
