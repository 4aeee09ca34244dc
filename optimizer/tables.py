"""The customers' tables: opened on one engine, checked, and told apart by name."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.types as ir

from optimizer.audience import check_audiences
from optimizer.engine import Engine
from optimizer.engine_choice import BY_THE_PLAN, EngineOptions, open_engine
from optimizer.faults import BadInput, Fault
from optimizer.table_faults import (
    CountedTable,
    counted,
    empty_segments,
    fault_of,
    repeated_keys,
    stranger_fault,
    strangers,
)
from optimizer.table_files import reading
from optimizer.table_rows import completed, ids_are_whole, read_table
from optimizer.table_schema import SCHEMAS, TableSchema, schemas, told

if TYPE_CHECKING:
    from optimizer.plan_file import Plan


@dataclass(frozen=True)
class Tables:
    """All tables of a plan on one engine; a table that is not given is empty.

    Tables from Parquet files and from a database are expressions over them, read by every query anew.
    `integer_ids` says that the customers' ids came as whole numbers (they are so in here where the ids of
    all tables did, else text). `inputs` holds for each table given its file, number of rows and sha256, or in
    a database a checksum, which does not depend on the rows' order and compares under one version of the
    engine. `provisional` are the contacts inside the period that an earlier run has planned without making
    them final (see earlier_run).
    """

    engine: Engine
    customers: ir.Table
    permissions: ir.Table
    contact_history: ir.Table
    commitments: ir.Table
    transactions: ir.Table
    restrictions: ir.Table
    response_rates: ir.Table
    scores: ir.Table
    integer_ids: bool
    warnings: tuple[str, ...]
    inputs: dict[str, dict[str, Any]]
    provisional: ir.Table | None = None

    def own_id(self, ids: ir.Value) -> ir.Value:
        """Ids of another source in the type that these tables have."""
        return ids.cast(self.customers.customer_id.type())

    def as_of(self, day: date) -> Tables:
        """Return the tables as they were known on the morning of `day`.

        Contacts and transactions dated on or after it are left out, and responses on or after it are
        none yet (responded 0, revenue and margin 0). The warnings say how many.
        """
        history, transactions = self.contact_history, self.transactions
        kept = history.contacted_on < day
        late = (history.responded_on >= day).fill_null(ibis.literal(False))
        counted = history.aggregate(
            later=(~kept).sum().fill_null(0), late=(kept & late).sum().fill_null(0)
        ).to_pyarrow()
        later_sales = (transactions.transacted_on >= day).sum().fill_null(0).to_pyarrow().as_py()
        later, answered_late = counted["later"][0].as_py(), counted["late"][0].as_py()
        warned = (
            (later, f"contact_history: {{}} contacted on or after {day}, left out."),
            (answered_late, f"contact_history: {{}} responded on or after {day}, not counted yet."),
            (later_sales, f"transactions: {{}} dated on or after {day}, left out."),
        )
        # What finds nothing is not asked of every row again by each query that follows.
        if later:
            history = history.filter(kept)
        if answered_late:
            history = _not_yet_answered(history, day)
        if later_sales:
            transactions = transactions.filter(transactions.transacted_on < day)
        return replace(
            self,
            contact_history=history,
            transactions=transactions,
            warnings=(*self.warnings, *(words.format(_rows(count)) for count, words in warned if count)),
        )


def _not_yet_answered(history: ir.Table, day: date) -> ir.Table:
    """The contacts, those answered on or after `day` without a response."""
    late = (history.responded_on >= day).fill_null(ibis.literal(False))
    nothing = ibis.literal(0.0)
    return history.mutate(
        responded=late.ifelse(ibis.literal(0, "int8"), history.responded),
        responded_on=late.ifelse(ibis.null("date"), history.responded_on),
        revenue=late.ifelse(nothing, history.revenue),
        margin=late.ifelse(nothing, history.margin),
    )


@dataclass
class _Opening:
    """What is known while the tables are opened one after the other."""

    plan: Plan
    engine: Engine
    whole_ids: bool
    rows: dict[str, ir.Table] = field(default_factory=dict)
    integer_ids: bool = False
    faults: list[Fault] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    inputs: dict[str, dict[str, Any]] = field(default_factory=dict)


def open_tables(plan: Plan, options: EngineOptions = BY_THE_PLAN) -> Tables:
    """Open and check all tables of a plan on the engine that the plan or the options name.

    Raises BadInput with the faults of all tables, and of audiences that do not fit the customers.
    Contacts and transactions of people who are not customers (any more) are left out with a warning;
    in the other tables they are faults.
    """
    engine = open_engine(plan, options)
    try:
        return _opened(_checked(plan, engine))
    except BaseException:
        engine.close()
        raise


def _checked(plan: Plan, engine: Engine) -> _Opening:
    """Read and count table after table, then tell their faults. Raises BadInput with the faults of all."""
    given = schemas(plan.segments.column)
    opening = _Opening(plan, engine, ids_are_whole(engine, plan, given))
    found: list[CountedTable | BadInput] = []
    for schema in given:
        source = plan.data.source(schema.name)
        if source is None:
            continue
        try:
            read = read_table(engine, schema, source, plan, opening.whole_ids)
            with reading(engine, schema.name, source):  # what is not kept is read only now
                found.append(counted(read, plan))
        except BadInput as bad:
            found.append(bad)
    unknown = strangers([table for table in found if isinstance(table, CountedTable)])
    for table in found:
        if isinstance(table, BadInput):
            opening.faults.extend(table.faults)
        else:
            _check(opening, table, unknown.get(table.schema.name, 0))
    if opening.faults:
        raise BadInput(opening.faults)
    return opening


def _opened(opening: _Opening) -> Tables:
    """Put the tables together; those not given are empty ones."""
    for schema in SCHEMAS:
        if schema.name not in opening.rows:
            opening.rows[schema.name] = opening.engine.keep(schema.name, _empty(schema, opening.whole_ids))
    file = opening.plan.folder / "plan.yaml"
    if file.is_file():
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        opening.inputs["plan"] = {"file": file.name, "sha256": digest}
    return Tables(
        engine=opening.engine,
        integer_ids=opening.integer_ids,
        warnings=tuple(opening.warnings),
        inputs=opening.inputs,
        **opening.rows,
    )


def _empty(schema: TableSchema, whole_ids: bool) -> ir.Table:
    kinds = dict(schema.dtypes)
    if whole_ids and "customer_id" in kinds:
        kinds["customer_id"] = "int64"
    return ibis.memtable(ibis.schema(kinds).to_pyarrow().empty_table())


def _check(opening: _Opening, table: CountedTable, unknown: int) -> None:
    """Note what was found in a table, `unknown` rows of strangers too, and keep the others."""
    schema, plan, read = table.schema, opening.plan, table.read
    opening.warnings.extend(read.warnings)
    if schema.name == "customers":
        opening.integer_ids = read.integer_ids
    opening.inputs[schema.name] = {"file": read.source, "rows": table.number, **table.mark}
    for check, count in zip(table.checks, table.counts, strict=True):
        if count:
            fault = fault_of(check, count, table.rows, schema, opening.integer_ids)
            if check.warns:
                opening.warnings.append(str(fault))
            else:
                opening.faults.append(fault)
    if not table.number and schema.if_empty:
        opening.faults.append(Fault(schema.name, "", "is empty", schema.if_empty))
        return  # comparing with it would find fault with everything else
    if not table.number:
        opening.warnings.append(f"{schema.name}: the table is empty.")
    if schema.unique:
        opening.faults.extend(repeated_keys(table.rows, schema, opening.integer_ids))
    rows = _without_strangers(opening, schema, read.rows, unknown) if unknown else read.rows
    kept = completed(rows, schema)
    kept = kept.select(told(kept.columns))
    if schema.name == "customers":
        opening.faults.extend(check_audiences(plan, dict(kept.schema())))
        opening.warnings.extend(empty_segments(plan, kept))
    opening.rows[schema.name] = kept


def _without_strangers(opening: _Opening, schema: TableSchema, rows: ir.Table, unknown: int) -> ir.Table:
    """Note the rows of people who are not customers, or leave them out."""
    customers = opening.rows["customers"]
    if schema.strangers == "fault":
        fault = stranger_fault(rows, customers, unknown, schema, opening.integer_ids)
        opening.faults.append(fault)
        return rows
    opening.warnings.append(
        f"{schema.name}: {_rows(unknown)} of people who are not in customers (former ones, as a rule), "
        "left out."
    )
    # They are few as a rule, and so quicker to leave out again and again than customers are to find.
    former = rows.anti_join(customers, "customer_id").select("customer_id").distinct()
    return rows.anti_join(opening.engine.keep(f"former customers in {schema.name}", former), "customer_id")


def _rows(count: int) -> str:
    return f"{count} row{'' if count == 1 else 's'}"
