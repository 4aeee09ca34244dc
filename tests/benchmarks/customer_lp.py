"""A plan as one linear program with a variable for each customer, campaign, channel and day.

Written as one would at first: tables with pandas, rows with PuLP, solved by HiGHS with its own settings.

    python tests/benchmarks/customer_lp.py WORKSPACE      prints what it found as JSON

It knows what the comparison's plan (customer_workspace.py) holds and no more. Its optimum is no less than
that of any plan, and here it is the very optimum over streams: see `frequency_rows`.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pulp
import yaml

Variables = dict[tuple[Any, ...], list[pulp.LpVariable]]


def main(folder: Path) -> None:
    began = time.perf_counter()
    plan = yaml.safe_load((folder / "plan.yaml").read_text(encoding="utf-8"))
    contacts = possible_contacts(folder, plan)
    program = pulp.LpProblem("contacts", pulp.LpMaximize)
    contacts["x"] = [pulp.LpVariable(f"x{n}", 0, 1) for n in range(len(contacts))]
    program.setObjective(pulp.LpAffineExpression(zip(contacts.x, contacts.value, strict=True)))
    for row in [*frequency_rows(folder, plan, contacts), *limit_rows(plan, contacts)]:
        program += row
    built = time.perf_counter()
    program.solve(pulp.HiGHS(msg=False))
    assert pulp.LpStatus[program.status] == "Optimal"
    solved = time.perf_counter()
    found = {
        "value": pulp.value(program.objective),
        "variables": program.numVariables(),
        "rows": program.numConstraints(),
        "seconds_building": built - began,
        "seconds_solving": solved - built,
        "seconds": solved - began,
    }
    print(json.dumps(found))


def possible_contacts(folder: Path, plan: dict[str, Any]) -> pd.DataFrame:
    """A row for each contact that permission, audience, segments and earlier contacts allow.

    A campaign is not sent, nor a promotion, to whom it (a promotion) was sent in the six days before.
    """
    customers = pd.read_parquet(folder / "customers.parquet")[["customer_id", "segment", "balance"]]
    permissions = pd.read_parquet(folder / "permissions.parquet").query("status == 'granted'")
    rates = pd.read_csv(folder / "response_rates.csv")
    offers = pd.DataFrame(offers_of(plan))
    contacts = customers.merge(permissions[["customer_id", "channel"]], on="customer_id")
    contacts = contacts.merge(offers, on="channel").merge(rates, on=["segment", "campaign", "channel"])
    contacts["value"] = contacts.response_rate * contacts.margin + contacts.own_value - contacts.cost
    welcome = pd.Series(True, index=contacts.index)
    for name, campaign in plan["campaigns"].items():
        own = contacts.campaign == name
        if "audience" in campaign:
            welcome &= ~own | contacts.eval(campaign["audience"])
        if "segments" in campaign:
            welcome &= ~own | contacts.segment.isin(campaign["segments"])
    contacts = contacts[welcome].merge(pd.DataFrame({"day": send_days(plan)}), how="cross")
    earlier = earlier_contacts(folder, plan)
    contacts = without(contacts, earlier, "campaign")
    promotions = contacts.type == "promotional"
    earlier = earlier[earlier.type == "promotional"]
    return pd.concat([contacts[~promotions], without(contacts[promotions], earlier, "type")])


def offers_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, campaign in plan["campaigns"].items():
        for channel in campaign["channels"]:
            yield {
                "campaign": name,
                "channel": channel,
                "type": campaign["type"],
                "margin": campaign["margin_per_response"],
                "own_value": campaign.get("value_per_contact", 0.0),
                "cost": plan["channels"][channel]["unit_cost"],
            }


def send_days(plan: dict[str, Any]) -> list[int]:
    """Monday, Wednesday and Friday of the one week, which begins on a Monday."""
    assert plan["period"]["start"].weekday() == 0
    return [0, 2, 4]


def earlier_contacts(folder: Path, plan: dict[str, Any]) -> pd.DataFrame:
    """Contacts that were made, `earlier` days counted from the period's start (below 0)."""
    history = pd.read_parquet(folder / "contact_history.parquet").query("delivered == 1 and control == 0")
    days = pd.to_datetime(history.contacted_on) - pd.Timestamp(plan["period"]["start"])
    return history.assign(earlier=days.dt.days)[["customer_id", "campaign", "type", "earlier"]]


def without(contacts: pd.DataFrame, earlier: pd.DataFrame, alike: str) -> pd.DataFrame:
    """The contacts whose customer had none with the same `alike` in the six days before."""
    latest = earlier.groupby(["customer_id", alike], as_index=False).earlier.max()
    latest = contacts.merge(latest, on=["customer_id", alike], how="left").earlier.to_numpy()
    return contacts[~(contacts.day.to_numpy() - latest <= 6)]


def frequency_rows(folder: Path, plan: dict[str, Any], contacts: pd.DataFrame) -> Iterator[Any]:
    """For each customer: one contact a day, two in seven days, one promotion, each campaign once.

    All these rows have integral corners, so a customer's share of the optimum is a mixture of streams.
    The rows on days (a day, the days up to another, the whole week) are nested or disjoint, and so are
    those on kinds (a campaign, all promotions); a matrix of two such families is totally unimodular
    (J. Edmonds, Combinatorial Structures and Their Applications, 1970). It holds because the period is
    one week and the caps look back seven days: stretches are then the days up to a day. Longer periods,
    or fatigue, have fractional corners, and the bound would be too high.
    """
    rows: Variables = defaultdict(list)
    for c in contacts[["customer_id", "day", "campaign", "type", "x"]].itertuples(index=False):
        rows["day", c.customer_id, c.day].append(c.x)
        rows["campaign", c.customer_id, c.campaign].append(c.x)
        if c.type == "promotional":
            rows["promotion", c.customer_id].append(c.x)
    yield from (pulp.lpSum(row) <= 1 for row in rows.values() if len(row) > 1)

    days, most = send_days(plan), plan["policy"]["max_per_customer"][0]["contacts"]
    earlier = earlier_contacts(folder, plan)
    sent = {day: earlier[earlier.earlier >= day - 6].customer_id.value_counts().to_dict() for day in days}
    for customer in contacts.customer_id.unique():
        for day in days:
            used = sent[day].get(customer, 0)
            if used or day == days[-1]:
                row = [x for d in days if d <= day for x in rows.get(("day", customer, d), [])]
                if row:
                    yield pulp.lpSum(row) <= max(0, most - used)


def limit_rows(plan: dict[str, Any], contacts: pd.DataFrame) -> Iterator[Any]:
    """The plan's budget, the channels' capacities, the campaigns' least and most contacts."""
    spent = zip(contacts.x, contacts.cost, strict=True)
    yield pulp.LpAffineExpression(spent) <= plan["budget"][0]["amount"]
    for name, channel in plan["channels"].items():
        own = contacts[contacts.channel == name]
        for entry in channel.get("capacity", []):
            if "hours" in entry:
                yield pulp.lpSum(own.x) * channel["hours_per_contact"] <= entry["hours"]
            else:
                yield from (pulp.lpSum(day.x) <= entry["contacts"] for _, day in own.groupby("day"))
    for name, campaign in plan["campaigns"].items():
        own = contacts[contacts.campaign == name]
        bounds = campaign.get("contacts", {})
        if "max" in bounds:
            yield pulp.lpSum(own.x) <= bounds["max"]
        if "min" in bounds:
            yield pulp.lpSum(own.x) >= bounds["min"]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
