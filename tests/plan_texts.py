"""Plans that the tests of the plan file start from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from optimizer.faults import BadInput, Fault
from optimizer.plan_file import Plan, load_plan

FULL = """
name: autumn
currency: EUR
data: {customers: customers.csv, permissions: p.csv, response_rates: rates.csv, timezone: Europe/Berlin}
period: {start: 2026-11-30, days: 28, commit_days: 7, keep_provisional: 0.05}
seed: 7
objective: {maximize: expected_margin}
fatigue: {keep: 0.85, days: 28}
segments: {count: [6, 8], features: [recency_days, orders]}
response: {from: table, window_days: 14}
channels:
  email: {unit_cost: 0.004, send_days: [mon, tue, Fri], blackout: [2026-12-25],
          capacity: [{contacts: 50_000, per: day}], max_per_customer: [{contacts: 2, days: 7}]}
  phone: {unit_cost: 4.5, default_permission: granted, hours_per_contact: 0.2,
          capacity: [{hours: 160, per: week}, {contacts: 0, per: day, on: [2026-12-24]}]}
campaigns:
  sale: {type: promotional, business_unit: retail, channels: [email], from: 2026-12-01, to: 2026-12-14,
         audience: "margin > 20", segments: [1, 2], margin_per_response: 24, contacts: {min: 2, max: 5e1}}
  thanks: {type: recognition, value_per_contact: 1.5, setup_cost: 1500, counts_towards_caps: false,
           ignores_caps: true, contacts: {min_if_used: 20, max: 30, soft: 0.5}}
policy:
  max_per_customer: [{contacts: 1, days: 14, types: [promotional], channels: [phone], campaigns: [sale]}]
  min_days_between: 2
  never_together: [{campaigns: [sale, thanks], days: 14}]
  only_after: [{campaign: thanks, after: sale, days: [3, 10]}]
  restrictions:
    Complaint: {blocks: [promotional], days_after: 7}
    deceased: {blocks: all}
    profiling: {blocks: [], excludes_from: [segments, response]}
budget: [{amount: 15000}, {amount: 400, per: week, business_unit: retail}, {amount: 9, campaign: sale}]
volume: [{business_unit: retail, max_share: 0.6}, {type: recognition, segments: [1], min: 500, soft: 2},
         {channel: email, campaign: sale, min: 1, max: 9, min_share: 0.1, max_share: 0.9}]
return_on_cost: {min: 0.2, soft: 0.1}
reach: [{share: 0.5}, {share: 0.9, segments: [1]}, {customers: 8, channel: email}]
hold_out: {share: 0.05}
scenarios:
  closed: {channels: {phone: {capacity: [{contacts: 0, per: day}]}}}
  richer: {budget: [{amount: 18000}]}
"""

SMALL = """
name: small
currency: EUR
data: {customers: c.csv, permissions: p.csv}
period: {start: 2026-11-30}
channels: {email: {unit_cost: 0.1}, sms: {unit_cost: 0.2}}
campaigns: {sale: {type: promotional, margin_per_response: 5}}
"""


def load(folder: Path, text: str) -> Plan:
    (folder / "plan.yaml").write_text(text, encoding="utf-8")
    return load_plan(folder)


def faults_in(folder: Path, text: str) -> dict[str, Fault]:
    with pytest.raises(BadInput) as caught:
        load(folder, text)
    found = {fault.where: fault for fault in caught.value.faults}
    assert len(found) == len(caught.value.faults), "one fault a place in these tests"
    return found


def small(**changes: Any) -> str:
    return yaml.safe_dump({**yaml.safe_load(SMALL), **changes})
