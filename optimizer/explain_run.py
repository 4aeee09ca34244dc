"""What a finished run and the plan's tables hold about one customer."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pandas as pd

from models.customer_response import CustomerBands
from models.response import Rates
from optimizer.committed import committed_contacts
from optimizer.earlier_run import with_earlier_run
from optimizer.engine_choice import BY_THE_PLAN, EngineOptions
from optimizer.faults import BadInput, Fault
from optimizer.frames import frame_of, table_of
from optimizer.output_tables import OutputTables
from optimizer.plan_file import Plan
from optimizer.response_rates import response_rates
from optimizer.result import FORMULA_STARTS
from optimizer.run_folder import run_folder
from optimizer.segmenting import Segments, kept_segmentation
from optimizer.stored_runs import stored_runs
from optimizer.switches import make_switches
from optimizer.tables import Tables, open_tables
from optimizer.timetable import Timetable

FILES = ("limits.csv", "response_rates.csv", "segments.csv", "summary.json")
CUSTOMER_FILES = ("calendar.parquet", "control.parquet", "assignments.parquet")


@dataclass(frozen=True)
class CustomersRun:
    """One customer's part of a run and of the tables.

    `calendar` and `control` have the columns of calendar.parquet. `prices` are the limits' shadow prices
    by path, `unused` the campaigns that it is not worth
    their setup cost or minimum to use, `warnings` what changed since the run.
    """

    tables: Tables
    segments: Segments
    rates: Rates
    calendar: pd.DataFrame
    control: pd.DataFrame
    segment: str
    segment_name: str
    stream: str
    prices: dict[str, float]
    unused: frozenset[str]
    warnings: tuple[str, ...]


def read_customers_run(plan: Plan, customer_id: str, engine: EngineOptions = BY_THE_PLAN) -> CustomersRun:
    """Reads the run of the plan's period and the tables, cut down to the customer.

    Raises BadInput for a run that is not there, a customer who is not in the tables or not in the run,
    and faults of the tables.
    """
    folder = run_folder(plan.folder, plan.period.start)
    files = FILES if plan.data.database is not None else (*FILES, *CUSTOMER_FILES)
    if not all((folder / name).is_file() for name in files):
        raise BadInput([_no_run(folder)])
    stored = stored_runs(plan, engine)
    every = open_tables(plan, engine)
    tables = every.as_of(plan.period.start)
    tables = with_earlier_run(plan, tables, stored.newest_earlier)
    committed = committed_contacts(plan, tables)
    tables = _of_customer(tables, customer_id)
    bands = _bands(plan, every.as_of(plan.period.start), folder)
    own = _rows(plan, tables, "assignments", customer_id)
    if own.empty:
        raise BadInput([_stranger(f"assignments of runs/{folder.name}", "contactplan run PLAN again.")])
    segment = str(own.segment.iloc[0])
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    limits = _read_csv(folder / "limits.csv", ["limit"])
    switches = make_switches(plan, Timetable.of(plan), committed)
    names = _read_csv(folder / "segments.csv", ["segment", "name"]).set_index("segment").name
    return CustomersRun(
        tables,
        _only_segment(tables, customer_id, segment),
        _rates(folder / "response_rates.csv", bands),
        _rows(plan, tables, "calendar", customer_id).sort_values("contact_on", ignore_index=True),
        _rows(plan, tables, "control", customer_id).sort_values("contact_on", ignore_index=True),
        segment,
        str(names.get(segment, segment)),
        str(own.stream.iloc[0] or ""),
        dict(zip(limits.limit, limits.shadow_price.fillna(0.0), strict=True)),
        frozenset(switch.campaign for switch in switches) - set(summary["campaigns_used"]),
        _changes(every.inputs, summary.get("inputs", {}), folder.name),
    )


def _no_run(folder: Path) -> Fault:
    remedy = "contactplan run PLAN first."
    return Fault(f"runs/{folder.name}", "", "there is no whole run of this period", remedy)


def _stranger(where: str, remedy: str) -> Fault:
    return Fault(where, "customer_id", "there is no such customer", remedy)


def _of_customer(tables: Tables, customer_id: str) -> Tables:
    """All tables with the customer's rows only, taken over once. Raises BadInput for an unknown customer."""
    cut: dict[str, Any] = {}
    for field in fields(tables):
        rows = getattr(tables, field.name)
        if isinstance(rows, ir.Table) and "customer_id" in rows.columns:
            own = rows.filter(rows.customer_id.cast("string") == customer_id)
            name = f"{field.name} of one customer"
            cut[field.name] = tables.engine.keep(name, own)
    if not cut["customers"].count().to_pyarrow().as_py():
        raise BadInput([_stranger("customers", "Give an id as it stands in the customers table.")])
    return replace(tables, **cut)


def _all_rows(plan: Plan, tables: Tables, name: str) -> ir.Table:
    """One of the run's tables, from the database where there is one."""
    start, database = plan.period.start, plan.data.database
    if database is not None:
        return OutputTables(tables.engine, database.output_schema).of_run(name, start)
    return tables.engine.read_parquet([run_folder(plan.folder, start) / f"{name}.parquet"])


def _rows(plan: Plan, tables: Tables, name: str, customer_id: str) -> pd.DataFrame:
    """The customer's rows of one of the run's tables."""
    rows = _all_rows(plan, tables, name)
    return frame_of(rows.filter(rows.customer_id.cast("string") == customer_id))


def _only_segment(tables: Tables, customer_id: str, segment: str) -> Segments:
    own = pd.DataFrame({"customer_id": [customer_id], "segment": [segment]})
    table = table_of(own, ibis.schema({"customer_id": "string", "segment": "string"}))
    table = table.mutate(customer_id=tables.own_id(table.customer_id))
    return Segments(table, pd.DataFrame({"segment": [segment]}), ())


def _bands(plan: Plan, tables: Tables, folder: Path) -> CustomerBands | None:
    """The customers' bands, which are kept nowhere: they are found again from all customers' history."""
    if not (folder / "response_bands.csv").is_file():
        return None
    rows = _all_rows(plan, tables, "assignments")
    ids = tables.own_id(rows.customer_id.cast("string"))
    table = rows.select("segment", customer_id=ids)
    labels = frame_of(table.select("segment").distinct())
    return response_rates(
        plan, tables, Segments(table, labels, (), segmentation=kept_segmentation(plan))
    ).bands


def _rates(file: Path, bands: CustomerBands | None) -> Rates:
    rates = _read_csv(file, ["segment", "campaign", "channel"])
    return Rates(rates.rename(columns={"rate": "response_rate"}), bands=bands)


def _read_csv(file: Path, texts: list[str]) -> pd.DataFrame:
    """A table of the run; the apostrophe that keeps a spreadsheet from running a text is taken off."""
    table = pd.read_csv(file, dtype=dict.fromkeys(texts, str), keep_default_na=False, na_values=[""])
    for name in texts:
        marked = table[name].str.startswith("'") & table[name].str[1:].str.startswith(FORMULA_STARTS)
        table[name] = table[name].where(~marked.astype(bool), table[name].str[1:])
    return table


def _changes(now: dict[str, dict[str, Any]], then: dict[str, dict[str, Any]], run: str) -> tuple[str, ...]:
    """A sentence if plan or tables are no longer those of the run."""
    changed = [
        name for name in sorted(set(now) | set(then)) if _mark(now.get(name, {})) != _mark(then.get(name, {}))
    ]
    if not changed:
        return ()
    return (
        f"Changed since the run in runs/{run}: {', '.join(changed)}. "
        "Reasons go by what stands there now, contacts and prices are those of the run.",
    )


def _mark(facts: dict[str, Any]) -> tuple[object, ...]:
    return tuple(facts.get(key) for key in ("rows", "checksum", "sha256"))
