"""Reading tables: what is read as what, and every fault with its table, column, rule, rows and keys."""

from __future__ import annotations

import hashlib
import textwrap
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import ibis
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from optimizer.faults import BadInput, Fault
from optimizer.plan_file import load_plan
from optimizer.table_checks import ROW_CHECKS
from optimizer.table_schema import SCHEMAS, TableSchema
from optimizer.tables import Tables, open_tables

PLAN = """
    name: small
    currency: EUR
    period: {start: 2026-11-30}
    channels:
      email: {unit_cost: 0.01}
      phone: {unit_cost: 2.0}
    campaigns:
      sale: {type: promotional, margin_per_response: 10}
    policy: {restrictions: {Complaint: {blocks: [promotional]}, debt: {blocks: all}}}
"""
CUSTOMERS = "customer_id,region,orders\n1,north,3\n2,south,\n3,,5\n"
PERMISSIONS = "customer_id,channel,status\n1,email,granted\n"
HISTORY = "customer_id,contacted_on,channel,campaign"
RATES = "segment,campaign,channel,response_rate"


class Workspace:
    """A folder with a plan and tables; a table's text is CSV, a data frame goes into Parquet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._tables: list[Tables] = []

    def open(self, plan: str = "", data: str = "", **tables: str | pd.DataFrame | pa.Table) -> Tables:
        tables = {"customers": CUSTOMERS, "permissions": PERMISSIONS, **tables}
        named = "".join(f"  {name}: {self._write(name, table)}\n" for name, table in tables.items())
        text = textwrap.dedent(PLAN) + f"data:\n{named}{data}\n" + textwrap.dedent(plan)
        (self.folder / "plan.yaml").write_text(text, encoding="utf-8")
        opened = open_tables(load_plan(self.folder))
        self._tables.append(opened)
        return opened

    def faults(
        self, plan: str = "", data: str = "", **tables: str | pd.DataFrame | pa.Table
    ) -> tuple[Fault, ...]:
        with pytest.raises(BadInput) as bad:
            self.open(plan, data, **tables)
        return bad.value.faults

    def fault(self, plan: str = "", data: str = "", **tables: str | pd.DataFrame | pa.Table) -> Fault:
        (fault,) = self.faults(plan, data, **tables)
        return fault

    def close(self) -> None:
        for tables in self._tables:
            tables.engine.close()

    def _write(self, name: str, table: str | pd.DataFrame | pa.Table) -> str:
        if isinstance(table, str) and "\n" not in table and "," not in table:
            return table  # a path
        file = self.folder / f"{name}.{'csv' if isinstance(table, str) else 'parquet'}"
        if isinstance(table, str):
            file.write_text(table, encoding="utf-8")
        elif isinstance(table, pd.DataFrame):
            table.to_parquet(file, index=False)
        else:
            pq.write_table(table, file)
        return file.name


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    found = Workspace(tmp_path)
    yield found
    found.close()


def rows(table: Any, *columns: str) -> list[tuple[Any, ...]]:
    """The rows as tuples, sorted, None for an empty cell."""
    chosen = table.select(*columns) if columns else table
    return sorted((tuple(row.values()) for row in chosen.to_pyarrow().to_pylist()), key=repr)


def what(fault: Fault) -> tuple[str, str, str, int, tuple[str, ...]]:
    return fault.where, fault.column, fault.rule, fault.rows, fault.keys


# Reading


def test_csv_ids_are_text_and_further_columns_numbers_where_all_cells_are(workspace: Workspace) -> None:
    tables = workspace.open(
        customers="customer_id,region,orders,margin,postcode\n007,north,3,1.5,01234\n7,,,-2,90210\n",
        permissions="customer_id,channel,status\n7,email,granted\n",
    )
    assert not tables.integer_ids
    expected = {"customer_id": "string", "segment": "string", "household_id": "string", "region": "string"}
    expected |= {"max_contacts": "int64", "orders": "int64", "margin": "float64", "postcode": "string"}
    assert {name: str(dtype) for name, dtype in tables.customers.schema().items()} == expected
    assert rows(tables.customers, "customer_id", "region", "orders") == [
        ("007", "north", 3),
        ("7", None, None),
    ]


def test_integer_ids_match_text_ids_of_other_tables(workspace: Workspace) -> None:
    customers = pd.DataFrame({"customer_id": [10, 9], "region": ["a", "b"]})
    tables = workspace.open(
        customers=customers, permissions="customer_id,channel,status\n9,email, Granted \n"
    )
    assert tables.integer_ids
    assert rows(tables.customers, "customer_id") == [("10",), ("9",)]
    assert rows(tables.permissions, "customer_id", "status", "valid_from") == [("9", "granted", None)]


def test_absent_tables_are_empty_with_every_column(workspace: Workspace) -> None:
    tables = workspace.open()
    for schema in SCHEMAS[2:]:
        table = getattr(tables, schema.name)
        assert {name: str(dtype) for name, dtype in table.schema().items()} == schema.dtypes
        assert table.count().to_pyarrow().as_py() == 0


def test_history_defaults(workspace: Workspace) -> None:
    history = (
        f"{HISTORY},responded_on,margin\n1,2026-11-01,email,sale,,\n2,2026-11-02,fax,old,2026-11-03,4.5\n"
    )
    tables = workspace.open(contact_history=history)
    columns = ("customer_id", "delivered", "responded", "control", "margin", "revenue", "type")
    assert rows(tables.contact_history, *columns) == [
        ("1", 1, 0, 0, None, None, None),
        ("2", 1, 1, 0, 4.5, None, None),
    ]
    (warning,) = tables.warnings
    assert "contact_history.channel: is not a channel of the plan (1 row, first: 2)" in warning


def test_reasons_are_compared_without_case_and_blanks(workspace: Workspace) -> None:
    tables = workspace.open(
        restrictions="customer_id,reason,starts_on\n1, COMPLAINT ,2026-11-01\n2,Debt,2026-11-01\n"
    )
    assert rows(tables.restrictions, "reason") == [("complaint",), ("debt",)]


def test_former_customers_are_left_out_of_history_and_transactions(workspace: Workspace) -> None:
    tables = workspace.open(
        contact_history=f"{HISTORY}\n1,2026-11-01,email,sale\n99,2026-11-01,email,sale\n98,2026-11-01,email,sale\n",
        transactions="customer_id,transacted_on,amount\n99,2026-11-01,5\n3,2026-11-01,-2.5\n",
    )
    assert rows(tables.contact_history, "customer_id") == [("1",)]
    assert rows(tables.transactions, "customer_id", "amount") == [("3", -2.5)]
    assert [warning.split(" of people")[0] for warning in tables.warnings] == [
        "contact_history: 2 rows",
        "transactions: 1 row",
    ]
    assert tables.inputs["contact_history"]["rows"] == 3


def test_globs_join_files_of_different_headers(workspace: Workspace) -> None:
    folder = workspace.folder / "it's [a] folder=x"
    folder.mkdir()
    (folder / "1.csv").write_text(f"{HISTORY}\n1,2026-11-01,email,sale\n")
    (folder / "2.csv").write_text(
        "campaign,channel,contacted_on,customer_id,delivered\nsale,phone,2026-11-02,2,0\n"
    )
    tables = workspace.open(contact_history='"it*/*.csv"')
    columns = ("customer_id", "channel", "contacted_on", "delivered")
    assert rows(tables.contact_history, *columns) == [
        ("1", "email", date(2026, 11, 1), 1),
        ("2", "phone", date(2026, 11, 2), 0),
    ]


def test_odd_names_are_safe(workspace: Workspace) -> None:
    odd = 'a "b"; DROP TABLE customers; --'
    (workspace.folder / "cust'omers; x.csv").write_text(
        'customer_id,"a ""b""; DROP TABLE customers; --"\n1,5\n'
    )
    tables = workspace.open(
        plan=f"segments: {{column: '{odd}'}}", customers='"cust\'omers; x.csv"', permissions=PERMISSIONS
    )
    assert rows(tables.customers, "segment", odd) == [("5", 5)]


def test_own_segment_column_is_read_as_text_beside_the_original(workspace: Workspace) -> None:
    customers = pd.DataFrame({"customer_id": ["a", "b"], "tier": [1, 2], "segment": ["x", "y"]})
    permissions = "customer_id,channel,status\na,email,granted\n"
    tables = workspace.open(
        plan="segments: {column: tier}\nreach: [{customers: 1, segments: [1, 3]}]",
        customers=customers,
        permissions=permissions,
    )
    assert rows(tables.customers, "customer_id", "segment", "tier") == [("a", "1", 1), ("b", "2", 2)]
    assert tables.warnings[0].startswith("customers: the column 'segment' is not used.")
    assert tables.warnings[1] == "reach[0].segments: no customer has '3' in the column 'tier'."


def test_timestamps_at_midnight_are_dates(workspace: Workspace) -> None:
    history = pd.DataFrame(
        {
            "customer_id": ["1", "2"],
            "contacted_on": pd.to_datetime(["2026-11-01", "2026-11-02"]),
            "channel": "email",
            "campaign": "sale",
            "responded_on": ["2026-11-03 00:00:00", "2026-11-04T00:00"],
        }
    )
    tables = workspace.open(contact_history=history)
    assert rows(tables.contact_history, "contacted_on", "responded_on") == [
        (date(2026, 11, 1), date(2026, 11, 3)),
        (date(2026, 11, 2), date(2026, 11, 4)),
    ]


def test_the_plans_zone_says_which_day_it_was(workspace: Workspace) -> None:
    late = datetime(2026, 11, 1, 23, 30, tzinfo=ZoneInfo("UTC"))
    history = pd.DataFrame(
        {
            "customer_id": ["1", "2"],
            "contacted_on": [late, late],
            "channel": "email",
            "campaign": "sale",
            "responded_on": ["2026-11-03T23:30:00Z", "2026-11-03 23:30:00"],
        }
    )
    tables = workspace.open(data="  timezone: Europe/Berlin", contact_history=history)
    assert rows(tables.contact_history, "contacted_on", "responded_on") == [
        (date(2026, 11, 2), date(2026, 11, 3)),
        (date(2026, 11, 2), date(2026, 11, 4)),
    ]


def test_inputs_have_the_hashes_of_their_files(workspace: Workspace) -> None:
    found = workspace.open().inputs
    for name in ("plan.yaml", "customers.csv", "permissions.csv"):
        digest = hashlib.sha256((workspace.folder / name).read_bytes()).hexdigest()
        assert found[name.split(".")[0]]["sha256"] == digest
    assert found["customers"] == {"file": "customers.csv", "rows": 3, "sha256": found["customers"]["sha256"]}


def test_several_files_have_the_hash_of_their_hashes(workspace: Workspace) -> None:
    lines = CUSTOMERS.strip().split("\n")
    told = ""
    for name, line in (("a.csv", lines[1]), ("b.csv", lines[2])):
        content = f"{lines[0]}\n{line}\n"
        (workspace.folder / name).write_text(content, encoding="utf-8")
        told += f"{hashlib.sha256(content.encode()).hexdigest()}  {name}\n"
    found = workspace.open(customers="?.csv")
    assert found.inputs["customers"]["rows"] == 2
    assert found.inputs["customers"]["sha256"] == hashlib.sha256(told.encode()).hexdigest()


def test_as_of_leaves_out_what_was_not_known_then(workspace: Workspace) -> None:
    tables = workspace.open(
        contact_history=f"{HISTORY},responded,responded_on,margin\n"
        "1,2026-11-01,email,sale,1,2026-11-09,5\n"
        "2,2026-11-02,email,sale,1,2026-11-10,5\n"
        "3,2026-11-10,email,sale,0,,\n"
        "3,2026-11-03,email,sale,,,\n",
        transactions="customer_id,transacted_on,amount\n1,2026-11-09,1\n1,2026-11-10,2\n1,2026-11-11,3\n",
    )
    then = tables.as_of(date(2026, 11, 10))
    assert rows(then.contact_history, "customer_id", "responded", "responded_on", "margin") == [
        ("1", 1, date(2026, 11, 9), 5.0),
        ("2", 0, None, 0.0),
        ("3", 0, None, None),
    ]
    assert rows(then.transactions, "amount") == [(1.0,)]
    assert then.warnings == (
        "contact_history: 1 row contacted on or after 2026-11-10, left out.",
        "contact_history: 1 row responded on or after 2026-11-10, not counted yet.",
        "transactions: 2 rows dated on or after 2026-11-10, left out.",
    )
    assert tables.warnings == ()


# Faults in rows

PERMIT = "customer_id,channel,status"
ROW_FAULTS = {
    # table: header, then rows with the column at fault and the rule; the first cells are the key
    "permissions": (
        f"{PERMIT},topic,valid_from,valid_to",
        [
            ("9,email,granted,,,", "customer_id", "is not in customers"),
            (",email,granted,,,", "customer_id", "is empty"),
            ("1,email,yes,,,", "status", "is neither granted nor denied"),
            ("1,email,  ,,,", "status", "is empty"),
            ("2,emial,denied,,,", "channel", "is not a channel of the plan"),
            ("2,,denied,,,", "channel", "is empty"),
            ("2,email,denied,promo,,", "topic", "is not a contact type"),
            ("2,email,denied,,2026-11-02,2026-11-01", "valid_to", "is before valid_from"),
            ("3,email,denied,,2026-11-02,2026-11-02", "", ""),
        ],
    ),
    "contact_history": (
        f"{HISTORY},type,delivered,control,margin",
        [
            ("1,,email,sale,,,,", "contacted_on", "is empty"),
            ("1,2026-02-03,email,sale,sales,,,", "type", "is not a contact type"),
            ("1,2026-02-03,email,sale,,2,,", "delivered", "is not 0 or 1"),
            ("1,2026-02-03,email,sale,,,yes,", "control", "is not 0 or 1"),
            ("1,2026-02-03,email,sale,,,,nan", "margin", "is not a finite number"),
            ("1,2026-02-03,email,sale,service,1,0,1.5", "", ""),
        ],
    ),
    "commitments": (
        "customer_id,contact_on,channel,campaign,cost",
        [
            ("1,2026-12-01,email,bill,-1", "cost", "is negative"),
            ("8,2026-12-01,email,bill,0", "customer_id", "is not in customers"),
        ],
    ),
    "transactions": (
        "customer_id,transacted_on,amount",
        [
            ("1,2026-11-01,", "amount", "is empty"),
            ('1,2026-11-01,"1,5"', "amount", "is not a finite number"),
        ],
    ),
    "restrictions": (
        "customer_id,reason,starts_on,ends_on",
        [
            ("1,fraud,2026-11-01,", "reason", "is not in policy.restrictions"),
            ("7,debt,2026-11-01,", "customer_id", "is not in customers"),
            ("1,debt,2026-11-02,2026-11-01", "ends_on", "is before starts_on"),
        ],
    ),
    "response_rates": (
        f"{RATES},standard_error",
        [
            ("1,sale,email,1.01,", "response_rate", "is not between 0 and 1"),
            ("2,sale,email,1,-1", "standard_error", "is negative"),
            ("1,sale,phone,0,0", "", ""),
        ],
    ),
}


@pytest.mark.parametrize("table", ROW_FAULTS)
def test_faulty_rows_are_named(workspace: Workspace, table: str) -> None:
    header, cases = ROW_FAULTS[table]
    text = "\n".join([header, *(row for row, _, _ in cases)]) + "\n"
    found = workspace.faults(**{table: text})
    parts = 3 if table == "response_rates" else 1
    expected = []
    for row, column, rule in cases:
        key = " / ".join(row.split(",")[:parts])
        if rule:
            expected.append((table, column, rule, 1, (key,) if key else ()))
    assert sorted(map(what, found)) == sorted(expected)
    assert all(fault.remedy for fault in found)


def test_dates_that_are_none(workspace: Workspace) -> None:
    wrong = [
        "2026-02-30",
        "2026/02/03",
        "2026-2-3",
        "03.02.2026",
        "2026-02-03 10:00",
        "2026-02-03 00:00Z",
        "infinity",
    ]
    lines = [f"{number},{day},email,sale" for number, day in enumerate([*wrong, "2026-02-03"])]
    ids = "customer_id\n" + "".join(f"{number}\n" for number in range(8))
    fault = workspace.fault(customers=ids, contact_history="\n".join([HISTORY, *lines]) + "\n")
    assert what(fault) == ("contact_history", "contacted_on", "is not a date", 7, ("0", "1", "2", "3", "4"))


def test_every_table_with_checks_is_in_the_schemas() -> None:
    assert list(ROW_CHECKS) == [schema.name for schema in SCHEMAS]


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.name)
def test_every_needed_column_is_missed(workspace: Workspace, schema: TableSchema) -> None:
    needed = [column.name for column in schema.columns if column.needed]
    found = workspace.faults(**{schema.name: ",".join(f"{name}x" for name in needed) + "\n"})
    assert [what(fault) for fault in found] == [(schema.name, name, "is missing", 0, ()) for name in needed]
    assert all(f"'{fault.column}x'" in fault.remedy for fault in found)


def test_duplicates(workspace: Workspace) -> None:
    fault = workspace.fault(customers="customer_id\n2\n1\n2\n1\n1\n")
    assert what(fault) == ("customers", "customer_id", "is not unique", 5, ("1", "2"))
    fault = workspace.fault(response_rates=f"{RATES}\n1,sale,email,0.1\n1,sale,email,0.2\n")
    assert what(fault)[1:] == ("segment, campaign, channel", "is not unique", 2, ("1 / sale / email",))


def test_keys_are_the_first_five_distinct_ones_by_value_or_bytes(workspace: Workspace) -> None:
    text = (
        PERMIT
        + "\n"
        + "".join(f"{number},email,granted\n{number},phone,granted\n" for number in (100, 9, 20, 8, 3, 4))
    )
    as_text = workspace.fault(permissions=text)
    assert (as_text.rows, as_text.keys) == (10, ("100", "20", "4", "8", "9"))
    as_number = workspace.fault(customers=pd.DataFrame({"customer_id": [1]}), permissions=text)
    assert (as_number.rows, as_number.keys) == (12, ("3", "4", "8", "9", "20"))


def test_likely_words_are_suggested_and_others_never_quoted(workspace: Workspace) -> None:
    fault = workspace.fault(permissions=f"{PERMIT}\n1,Emial,granted\n2,Ann Example,granted\n")
    assert "'Emial' (did you mean 'email'?)" in fault.remedy
    assert "Ann" not in str(fault)
    assert "Known: email, phone." in fault.remedy


def test_faults_of_all_tables_come_at_once(workspace: Workspace) -> None:
    faults = workspace.faults(
        plan="segments: {column: tier}",
        customers="customer_id,tier\n1,\n1,gold\n",
        permissions=f"{PERMIT}\n1,fax,perhaps\n5,email,granted\n",
        contact_history="missing.csv",
        transactions="customer_id,amount\n1,2\n",
        restrictions="customer_id,reason,starts_on\n1,debt,soon\n",
    )
    assert [(fault.where, fault.column, fault.rows) for fault in faults] == [
        ("customers", "tier", 1),
        ("customers", "customer_id", 2),
        ("permissions", "channel", 1),
        ("permissions", "status", 1),
        ("permissions", "customer_id", 1),
        ("contact_history", "", 0),
        ("transactions", "transacted_on", 0),
        ("restrictions", "starts_on", 1),
    ]
    assert "missing.csv" in faults[5].rule


def test_audiences_are_checked_with_the_tables(workspace: Workspace) -> None:
    assert len(workspace.faults(customers="customer_id,orders\n1,2\n1,3\n")) == 1
    plan = textwrap.dedent(PLAN).replace("margin_per_response: 10", "audience: 'order > 2'")
    text = plan + "data: {customers: customers.csv, permissions: permissions.csv}\n"
    (workspace.folder / "plan.yaml").write_text(text)
    with pytest.raises(BadInput) as bad:
        open_tables(load_plan(workspace.folder))
    assert [fault.where for fault in bad.value.faults] == ["customers", "campaigns.sale.audience"]
    assert "'orders'" in bad.value.faults[1].remedy


# Faults in files and columns


@pytest.mark.parametrize("table", ["customers", "permissions", "response_rates"])
def test_an_empty_table_is_a_fault(workspace: Workspace, table: str) -> None:
    schema = next(schema for schema in SCHEMAS if schema.name == table)
    header = ",".join(column.name for column in schema.columns if column.needed)
    assert what(workspace.fault(**{table: header + "\n"})) == (table, "", "is empty", 0, ())


@pytest.mark.parametrize("table", ["contact_history", "commitments", "transactions", "restrictions"])
def test_an_empty_table_of_events_is_a_warning(workspace: Workspace, table: str) -> None:
    schema = next(schema for schema in SCHEMAS if schema.name == table)
    tables = workspace.open(**{table: ",".join(column.name for column in schema.columns) + "\n"})
    assert tables.warnings == (f"{table}: the table is empty.",)


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "x.csv has no header line"),
        (b"customer_id,\n1,2\n", "x.csv has a column without a name"),
        (b"customer_id,a,A\n1,2,3\n", "x.csv has the column a and A more than once"),
        (b"customer_id,a\n1,2\n3\n", "x.csv cannot be read from line 3 on"),
        (b'customer_id,a\n1,"2\n', "x.csv cannot be read"),
        (b"customer_id,a\n1,\xe9\n", "x.csv is not UTF-8 text"),
        (b"customer_id,\xe9\n1,2\n", "x.csv is not UTF-8 text"),
    ],
)
def test_unreadable_csv(workspace: Workspace, content: bytes, rule: str) -> None:
    (workspace.folder / "x.csv").write_bytes(content)
    fault = workspace.fault(customers="x.csv")
    assert fault.where == "customers"
    assert fault.rule.startswith(rule)


def test_unreadable_parquet(workspace: Workspace) -> None:
    (workspace.folder / "x.parquet").write_bytes(b"PAR1 no such thing")
    assert workspace.fault(customers="x.parquet").rule == "x.parquet cannot be read"
    pd.DataFrame({"customer_id": [str(number) for number in range(5000)]}).to_parquet(
        workspace.folder / "y.parquet"
    )
    whole = bytearray((workspace.folder / "y.parquet").read_bytes())
    whole[100:3000] = bytes(2900)
    (workspace.folder / "y.parquet").write_bytes(bytes(whole))
    assert workspace.fault(customers="y.parquet").rule == "y.parquet cannot be read"


def test_paths_that_lead_nowhere(workspace: Workspace) -> None:
    assert workspace.fault(customers="no/such.csv").rule == "there is no file no/such.csv"
    assert workspace.fault(contact_history='"none/*.parquet"').rule == "there is no file none/*.parquet"
    (workspace.folder / "x.xlsx").write_bytes(b"")
    assert "is not CSV or Parquet" in workspace.fault(customers="x.xlsx").rule


def test_types_that_cannot_be_what_is_asked(workspace: Workspace) -> None:
    customers = pd.DataFrame({"customer_id": [1.0, 2.0]})
    assert workspace.fault(customers=customers).rule == "has the type float64"
    history = {"customer_id": ["1"], "contacted_on": [20261101], "channel": ["email"], "campaign": ["sale"]}
    fault = workspace.fault(contact_history=pd.DataFrame(history))
    assert (fault.column, fault.rule) == ("contacted_on", "has the type int64")


def test_timestamps_with_a_time_or_a_zone_need_the_plans_zone(workspace: Workspace) -> None:
    history: dict[str, list[Any]] = {"customer_id": ["1"], "channel": ["email"], "campaign": ["sale"]}
    for moment in (datetime(2026, 11, 1, 10), datetime(2026, 11, 1, tzinfo=ZoneInfo("UTC"))):  # noqa: DTZ001
        fault = workspace.fault(contact_history=pd.DataFrame({**history, "contacted_on": [moment]}))
        assert what(fault) == ("contact_history", "contacted_on", "is not a date", 1, ("1",))


def test_numbers_that_are_none_are_empty_and_infinite_ones_faults(workspace: Workspace) -> None:
    numbers = pa.table({"customer_id": ["1", "2"], "margin": pa.array([1.0, float("nan")])})
    assert rows(workspace.open(customers=numbers).customers, "margin") == [(1.0,), (None,)]
    numbers = pa.table({"customer_id": ["1", "2"], "margin": pa.array([1.0, float("inf")])})
    assert what(workspace.fault(customers=numbers)) == (
        "customers",
        "margin",
        "is not a finite number",
        1,
        ("2",),
    )


def test_columns_that_need_reading_have_the_checksum_of_those_that_do_not(workspace: Workspace) -> None:
    """In a database; there the rows' order does not matter either."""

    def checksum(**columns: Any) -> str:
        table = pa.table({"customer_id": [1, 2], "household_id": ["h", None], **columns})
        permissions = pa.table({"customer_id": [1], "channel": ["email"], "status": ["granted"]})
        base = workspace.folder / "base.duckdb"
        base.unlink(missing_ok=True)
        connection = ibis.duckdb.connect(base)
        connection.create_table("c", table)
        connection.create_table("p", permissions)
        connection.disconnect()
        plan = "data: {database: {url: 'duckdb://base.duckdb', customers: c, permissions: p}}\n"
        (workspace.folder / "plan.yaml").write_text(textwrap.dedent(PLAN) + plan, encoding="utf-8")
        opened = open_tables(load_plan(workspace.folder))
        opened.engine.close()
        return str(opened.inputs["customers"]["checksum"])

    plain = checksum(margin=pa.array([1.0, None]), city=["a", None])
    assert checksum(margin=pa.array([1.0, float("nan")]), city=["a", None]) == plain
    assert checksum(margin=pa.array([1.0, None]), city=["a", ""]) == plain
    assert checksum(household_id=["h", ""], margin=pa.array([1.0, None]), city=["a", None]) == plain
    assert checksum(margin=pa.array([None, 1.0]), city=["a", None]) != plain
    assert checksum(margin=pa.array([1.0, None]), city=[None, "a"]) != plain
    turned = {"customer_id": [2, 1], "household_id": [None, "h"]}
    assert checksum(**turned, margin=pa.array([None, 1.0]), city=[None, "a"]) == plain


def test_flags_are_read_from_numbers_of_any_size(workspace: Workspace) -> None:
    history = {
        "customer_id": ["1", "2"],
        "contacted_on": [date(2026, 11, 1)] * 2,
        "channel": ["email"] * 2,
        "campaign": ["sale"] * 2,
    }
    found = workspace.open(contact_history=pa.table({**history, "delivered": [None, 0]}))
    assert rows(found.contact_history, "customer_id", "delivered") == [("1", 1), ("2", 0)]
    fault = workspace.fault(contact_history=pa.table({**history, "delivered": [1, 2**40]}))
    assert what(fault) == ("contact_history", "delivered", "is not 0 or 1", 1, ("2",))


def test_what_is_not_used_or_not_there_yet(workspace: Workspace) -> None:
    tables = workspace.open(permissions=f"{PERMIT},valid_form\n1,email,granted,x\n")
    (warning,) = tables.warnings
    assert warning == "permissions: the column 'valid_form' is not used. Did you mean 'valid_from'?"


def test_max_contacts_are_whole_numbers_from_0_on(workspace: Workspace) -> None:
    given = "customer_id,max_contacts\n1,2\n2,\n3,0\n4,3.0\n"
    expected = [("1", 2), ("2", None), ("3", 0), ("4", 3)]
    assert rows(workspace.open(customers=given).customers, "customer_id", "max_contacts") == expected
    for values in ([2.0, None, 0.0, 3.0], pd.array([2, None, 0, 3], dtype="Int64")):
        frame = pd.DataFrame({"customer_id": list("1234"), "max_contacts": values})
        assert rows(workspace.open(customers=frame).customers, "customer_id", "max_contacts") == expected
    none = pd.DataFrame({"customer_id": ["1"], "max_contacts": [None]})
    assert rows(workspace.open(customers=none).customers, "max_contacts") == [(None,)]


@pytest.mark.parametrize(
    ("cell", "rule"),
    [
        ("few", "is not a whole number"),
        ("2.5", "is not a whole number"),
        ("1e300", "is not a whole number"),
        ("inf", "is not a whole number"),
        ("-1", "is negative"),
    ],
)
def test_max_contacts_that_are_none(workspace: Workspace, cell: str, rule: str) -> None:
    fault = workspace.fault(customers=f"customer_id,max_contacts\n1,2\n7,{cell}\n8,\n")
    assert what(fault) == ("customers", "max_contacts", rule, 1, ("7",))
    assert "leave the cell empty" in fault.remedy


def test_max_contacts_of_another_type(workspace: Workspace) -> None:
    frame = pd.DataFrame({"customer_id": ["1", "2"], "max_contacts": [True, False]})
    fault = workspace.fault(customers=frame)
    assert what(fault) == ("customers", "max_contacts", "has the type boolean", 0, ())
    fault = workspace.fault(customers="customer_id,Max_Contacts\n1,2\n")
    assert what(fault) == ("customers", "Max_Contacts", "is written in capitals", 0, ())


def test_names_in_capitals(workspace: Workspace) -> None:
    fault = workspace.fault(customers="customer_id,Segment\n1,a\n")
    assert what(fault) == ("customers", "Segment", "is written in capitals", 0, ())
    fault = workspace.fault(plan="segments: {column: tier}", customers="customer_id,tier,SEGMENT\n1,a,b\n")
    assert (fault.column, fault.remedy) == ("SEGMENT", "Rename it to 'segment'.")
    fault = workspace.fault(plan="segments: {column: Segment}", customers="Customer_ID,Segment\n1,a\n")
    assert (fault.column, fault.remedy) == ("customer_id", "Did you mean 'Customer_ID'? Rename it.")
    tables = workspace.open(plan="segments: {column: Segment}", customers="customer_id,Segment\n1,a\n")
    assert rows(tables.customers, "customer_id", "segment") == [("1", "a")]


def test_a_response_before_its_contact_is_a_warning(workspace: Workspace) -> None:
    tables = workspace.open(contact_history=f"{HISTORY},responded_on\n1,2026-11-05,email,sale,2026-11-04\n")
    (warning,) = tables.warnings
    assert warning.startswith("contact_history.responded_on: is before contacted_on (1 row, first: 1)")
