"""The workspace of the comparison with one linear program over customers: a week, no fatigue."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import jinja2
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from models.synthetic import make_base

START = date(2026, 11, 30)
DAYS = "send_days: [mon, wed, fri]"
ONCE = "max_per_customer: [{contacts: 1, days: 7}]"  # instead of once in 28 days
PLAN = """
name: one_week
currency: EUR
period: {start: 2026-11-30, days: 7}
seed: 7
data:
  customers: customers.parquet
  permissions: permissions.parquet
  contact_history: contact_history.parquet
  response_rates: response_rates.csv
segments: {column: segment}
response: {from: table}
channels:
  email: {unit_cost: 0.004, {{ days }}, capacity: [{contacts: {{ (0.15 * n)|int }}, per: day}]}
  sms: {unit_cost: 0.06, {{ days }}, capacity: [{contacts: {{ (0.04 * n)|int }}, per: day}]}
  app: {unit_cost: 0.002, {{ days }}}
  mail: {unit_cost: 0.75, {{ days }}, capacity: [{contacts: {{ (0.05 * n)|int }}, per: day}]}
  phone: {unit_cost: 4.5, {{ days }}, hours_per_contact: 0.25,
          capacity: [{hours: {{ 0.01 * n }}, per: week}]}
campaigns:
  savings_bonus: {type: promotional, channels: [email, app, mail], margin_per_response: 40,
                  audience: "balance > 1000", {{ once }}}
  card_upgrade: {type: promotional, channels: [email, sms, app, phone], margin_per_response: 55, {{ once }}}
  mortgage_review: {type: promotional, channels: [email, mail, phone], margin_per_response: 420,
                    contacts: {max: {{ (0.08 * n)|int }}}, {{ once }}}
  personal_loan: {type: promotional, channels: [email, sms, mail, phone], margin_per_response: 160,
                  {{ once }}}
  investment_talk: {type: promotional, channels: [email, mail, phone], margin_per_response: 300,
                    segments: [1, 2, 3], {{ once }}}
  account_check: {type: service, channels: [email, app, mail], margin_per_response: 3,
                  value_per_contact: 0.1, {{ once }}}
  thank_you: {type: recognition, channels: [email, mail, phone], margin_per_response: 20,
              value_per_contact: 0.8, {{ once }}}
  satisfaction_survey: {type: research, channels: [email, sms, phone], margin_per_response: 2,
                        value_per_contact: 0.02, contacts: {min: {{ (0.08 * n)|int }}}, {{ once }}}
policy:
  max_per_customer:
    - {contacts: 2, days: 7}
    - {contacts: 1, days: 7, types: [promotional]}
budget: [{amount: {{ (0.25 * n)|int }}}]
"""


def write_workspace(folder: Path, customers: int) -> Path:
    """A plan for a week and its tables: about one earlier contact a customer in 28 days.

    Permissions are those of the synthetic base that hold on all days for all types.
    """
    folder.mkdir()
    base = make_base(customers, 7, START, history_days=28, hold_out_share=0)
    tables: dict[str, Any] = {name: base.tables[name] for name in ("customers", "contact_history")}
    tables["permissions"] = _plain(base.tables["permissions"])
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet")
    base.truth.response_rates().to_csv(folder / "response_rates.csv", index=False)
    plan = jinja2.Template(PLAN).render(n=customers, days=DAYS, once=ONCE)
    (folder / "plan.yaml").write_text(plan, encoding="utf-8")
    return folder


def _plain(permissions: pa.Table) -> pa.Table:
    always = pc.and_(pc.is_null(permissions["valid_from"]), pc.is_null(permissions["valid_to"]))
    rows = permissions.filter(pc.and_(always, pc.is_null(permissions["topic"])))
    return rows.select(["customer_id", "channel", "status"])
