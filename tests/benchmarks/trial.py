"""The trial: a million customers in about 1,600 cells, 12 campaigns on 5 channels, 57 limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

from optimizer.cells import Cells
from optimizer.committed import COLUMNS
from optimizer.contact_figures import ContactFigures, objective_of
from optimizer.customer_lists import CodeLists
from optimizer.earlier_contacts import EarlierContact, EarlierEffects
from optimizer.leeway import Leeway
from optimizer.limits import Limit, make_limits
from optimizer.plan_file import Plan, load_plan
from optimizer.rules import ContactRules, FrequencyCap
from optimizer.solution import Solution, solve
from optimizer.stream_graph import StreamGraph, build_graph
from optimizer.streams import Pricing
from optimizer.timetable import Timetable

PLAN = """
name: trial
currency: EUR
data: {customers: customers.csv, permissions: permissions.csv}
period: {start: 2026-11-30, days: 28}
fatigue: {keep: 0.85, days: 28}
channels:
  email: {unit_cost: 0.004, max_per_customer: [{contacts: 2, days: 7}]}
  sms: {unit_cost: 0.06}
  app: {unit_cost: 0.002}
  phone: {unit_cost: 4.5, hours_per_contact: 0.2, max_per_customer: [{contacts: 1, days: 28}]}
  mail: {unit_cost: 0.75}
campaigns:
  winter_sale: {type: promotional, business_unit: retail, channels: [email, sms, app, mail],
                from: 2026-12-01, to: 2026-12-14, margin_per_response: 24}
  clearance: {type: promotional, business_unit: retail, channels: [email, app],
              from: 2026-12-14, to: 2026-12-27, margin_per_response: 15}
  gift_card: {type: promotional, business_unit: retail, channels: [email, sms, mail],
              from: 2026-12-07, to: 2026-12-23, margin_per_response: 18}
  broadband: {type: promotional, business_unit: telecom, channels: [email, phone, mail],
              margin_per_response: 160}
  handset: {type: promotional, business_unit: telecom, channels: [sms, app, phone],
            from: 2026-11-30, to: 2026-12-13, margin_per_response: 90}
  roaming: {type: promotional, business_unit: telecom, channels: [sms, app],
            from: 2026-12-09, margin_per_response: 12}
  home_cover: {type: promotional, business_unit: insurance, channels: [phone, mail, email],
               margin_per_response: 210}
  win_back: {type: promotional, business_unit: insurance, channels: [phone, mail],
             from: 2026-12-07, to: 2026-12-20, margin_per_response: 120}
  thank_you: {type: recognition, business_unit: retail, channels: [email, mail, sms], value_per_contact: 0.35,
              from: 2026-12-14, margin_per_response: 4}
  survey: {type: research, business_unit: insurance, channels: [email, sms, phone], value_per_contact: 0.2,
           margin_per_response: 3}
  renewal: {type: service, business_unit: insurance, channels: [email, mail, phone], margin_per_response: 75,
            from: 2026-12-02, to: 2026-12-18}
  our_story: {type: brand, business_unit: telecom, channels: [email, app], value_per_contact: 0.08}
policy:
  max_per_customer:
    - {contacts: 3, days: 7}
    - {contacts: 1, days: 14, types: [promotional], channels: [phone, mail]}
  min_days_between: 2
"""
HALF_WEEK = ["mon", "wed", "fri"]
DAILY = {"email": 145_000, "sms": 40_000}
CAPACITY = {"phone": {"hours": 700, "per": "week"}, "mail": {"contacts": 30_000, "per": "week"}}
BUDGETS = [
    {"amount": 190_000},
    {"amount": 56_000, "per": "week"},
    {"amount": 40_000, "business_unit": "retail"},
    {"amount": 70_000, "business_unit": "telecom"},
    {"amount": 75_000, "business_unit": "insurance"},
    {"amount": 30_000, "campaign": "home_cover"},
]
VOLUMES = {
    "winter_sale": {"max": 420_000},
    "clearance": {"max": 300_000},
    "broadband": {"max": 250_000},
    "handset": {"min": 120_000, "max": 400_000},
    "thank_you": {"min": 150_000},
    "survey": {"min": 40_000, "max": 60_000},
    "our_story": {"max": 100_000},
}
REACH = [
    {"share": 0.85},
    {"share": 0.95, "segments": [1, 2]},
    {"share": 0.08, "channel": "mail"},
    {"customers": 12_000, "channel": "phone"},
    {"share": 0.35, "channel": "sms", "segments": [1, 2, 3]},
    {"share": 0.6, "type": "promotional", "segments": [5, 6, 7]},
    {"customers": 250_000, "business_unit": "insurance"},
]
PERMISSIONS = [
    ("email", "sms", "app", "phone", "mail"),
    ("email", "sms", "app", "mail"),
    ("email", "app", "mail"),
    ("email", "sms"),
    ("email", "phone", "mail"),
    ("email",),
    ("phone", "mail"),
]
PERMISSION_SHARE = [0.22, 0.2, 0.18, 0.14, 0.08, 0.12, 0.06]
SEGMENT_SHARE = [0.05, 0.09, 0.13, 0.16, 0.19, 0.2, 0.18]
HISTORIES: list[list[tuple[int, str, str, str | None]]] = [
    [],
    [(-20, "old_offer", "email", "promotional")],
    [(-9, "old_offer", "email", "promotional"), (-16, "old_offer", "app", "promotional")],
    [(-2, "bill", "email", "functional"), (-5, "old_offer", "email", "promotional")],
    [(-4, "old_offer", "mail", "promotional")],
    [(-12, "old_offer", "phone", "promotional"), (-25, "survey", "email", "research")],
    [(-1, "old_offer", "sms", "promotional"), (-3, "bill", "app", "functional"), (-5, "bill", "app", None)],
    [(-10, "home_cover", "mail", "promotional"), (-17, "broadband", "email", "promotional")],
    [(-2, "our_story", "app", "brand"), (-14, "roaming", "sms", "promotional"), (-22, "bill", "email", None)],
]  # fmt: skip
STATES = ["free", "complaint", "debt", "outside the audience"]
STATE_SHARE = [0.8, 0.05, 0.03, 0.12]
HARMLESS = {"complaint": ("promotional", "research"), "debt": ("promotional",)}
AUDIENCE = {"winter_sale", "handset", "renewal"}
COMPLAINT_ENDS = 10
CHANNEL_INFLUENCE = {"email": 1.0, "sms": 1.3, "app": 0.8, "phone": 5.0, "mail": 1.9}


@dataclass(frozen=True)
class Trial:
    """All that `solve` is given."""

    plan: Plan
    timetable: Timetable
    rules: ContactRules
    graph: StreamGraph
    cells: Cells
    limits: tuple[Limit, ...]
    figures: ContactFigures

    def solve(self, progress: Callable[[str], None] = lambda text: None) -> Solution:
        objective = objective_of(self.plan, self.figures)
        pricing = Pricing(self.timetable, self.rules, self.graph, self.cells, self.limits, (), objective)
        return solve(pricing, self.plan.max_cells, progress)


def make_trial(
    folder: Path,
    every_day: bool = False,
    fatigue: bool = True,
    customers: int = 1_000_000,
    tiny: bool = False,
) -> Trial:
    """Builds the instance with 12 send days (Monday, Wednesday, Friday), or 28.

    Money, contacts and customers in the limits are for a million customers and scaled to `customers`.
    `tiny` keeps two segments, three permissions, three histories and a single state.
    """
    plan = _plan(folder, every_day, fatigue, customers / 1_000_000)
    timetable, rules = Timetable.of(plan), ContactRules.of(plan)
    graph = build_graph(timetable, rules)
    cells = _cells(timetable, rules, graph.shared_caps, customers, tiny)
    none = pd.DataFrame({name: [] for name in COLUMNS})
    figures = _figures(plan, timetable, len(cells.segments))
    limits = make_limits(plan, timetable, cells.segments, cells.segment_size, none, figures)
    return Trial(plan, timetable, rules, graph, cells, limits, figures)


def _plan(folder: Path, every_day: bool, fatigue: bool, scale: float) -> Plan:
    raw = yaml.safe_load(PLAN)
    send_days = 28 if every_day else 12
    if not every_day:
        for channel in raw["channels"].values():
            channel["send_days"] = HALF_WEEK
    for name, most in DAILY.items():
        raw["channels"][name]["capacity"] = [
            {"contacts": _scaled(most * 12 / send_days, scale), "per": "day"}
        ]
    for name, entry in CAPACITY.items():
        raw["channels"][name]["capacity"] = [_scaled_entry(entry, scale)]
    for name, volume in VOLUMES.items():
        raw["campaigns"][name]["contacts"] = _scaled_entry(volume, scale)
    raw["budget"] = [_scaled_entry(budget, scale) for budget in BUDGETS]
    raw["reach"] = [_scaled_entry(reach, scale) for reach in REACH]
    if not fatigue:
        del raw["fatigue"]
    (folder / "plan.yaml").write_text(yaml.safe_dump(raw, sort_keys=False), encoding="utf-8")
    return load_plan(folder)


def _scaled(amount: float, scale: float) -> int:
    return max(1, round(amount * scale))


def _scaled_entry(entry: dict[str, Any], scale: float) -> dict[str, Any]:
    whole, parts = {"contacts", "customers", "min", "max"}, {"amount", "hours"}
    return {
        key: _scaled(value, scale) if key in whole else value * scale if key in parts else value
        for key, value in entry.items()
    }


def _cells(
    timetable: Timetable, rules: ContactRules, shared: tuple[FrequencyCap, ...], customers: int, tiny: bool
) -> Cells:
    """A cell for each segment, permission, history and state that somebody has."""
    segments, permissions, histories, states = (2, 3, 3, 1) if tiny else (7, 7, len(HISTORIES), 4)
    sizes = (segments, permissions, histories, states)
    segment, permission, history, state = (
        axis.reshape(-1) for axis in np.meshgrid(*(np.arange(size) for size in sizes), indexing="ij")
    )
    rng = np.random.default_rng(7)
    share = np.array(SEGMENT_SHARE)[segment] * np.array(PERMISSION_SHARE)[permission]
    share = share * np.array(STATE_SHARE)[state] * rng.lognormal(0.0, 1.2, len(segment)) / (1.0 + history)
    counts = rng.multinomial(customers, share / share.sum())
    allowed = np.array(
        [_allowed(timetable, PERMISSIONS[p], STATES[s]) for p in range(permissions) for s in range(states)]
    )
    return Cells(
        tuple(str(n + 1) for n in range(segments)),
        np.bincount(segment, weights=counts).astype(np.int64),
        segment,
        permission * states + state,
        history,
        counts.astype(np.int64),
        allowed,
        earlier_contacts(timetable, rules, shared, histories),
        pd.DataFrame(),
    )


def _allowed(timetable: Timetable, channels: tuple[str, ...], state: str) -> NDArray[np.bool_]:
    allowed = timetable.sendable.copy()
    for i, option in enumerate(timetable.options):
        if option.channel not in channels or (state == STATES[3] and option.campaign in AUDIENCE):
            allowed[:, i] = False
        if option.type in HARMLESS.get(state, ()):
            allowed[timetable.day_of < (COMPLAINT_ENDS if state == "complaint" else 28), i] = False
    return allowed


def earlier_contacts(
    timetable: Timetable, rules: ContactRules, shared: tuple[FrequencyCap, ...], histories: int
) -> Leeway:
    """What each of the histories leaves open; a profile is a history's number."""
    effects = EarlierEffects(
        [EarlierContact(*contact) for one in HISTORIES for contact in one], timetable, rules
    )
    ends = np.cumsum([0, *(len(one) for one in HISTORIES)])
    codes = [effects.code[ends[h] : ends[h + 1]] for h in range(histories)]
    return effects.by_code.leeway(CodeLists.of(sorted(code[code >= 0].tolist()) for code in codes), shared)


def _figures(plan: Plan, timetable: Timetable, segments: int) -> ContactFigures:
    """Seeded rates: appeal of the campaign x influence of the channel x segment, and chance."""
    rng = np.random.default_rng(11)
    appeal = {name: rng.uniform(0.004, 0.02) for name in plan.campaigns}
    level = np.geomspace(2.2, 0.5, 7)
    options = timetable.options
    base = np.array([appeal[option.campaign] * CHANNEL_INFLUENCE[option.channel] for option in options])
    rate = base * level[:segments, None] * rng.lognormal(0.0, 0.45, (7, len(options)))[:segments]
    campaigns = [plan.campaigns[option.campaign] for option in options]
    money = [
        [campaign.margin_per_response for campaign in campaigns],
        [campaign.revenue_per_response for campaign in campaigns],
        [campaign.value_per_contact for campaign in campaigns],
        [option.cost for option in options],
    ]
    return ContactFigures(np.minimum(rate, 0.5), *(np.tile(np.array(row), (segments, 1)) for row in money))
