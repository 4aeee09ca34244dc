"""The small tables of a run: streams, allocation, limits, response rates and the summary's figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from optimizer.kinds import segment_order
from optimizer.limits import Limit
from optimizer.planned import BoundEstimate, Planned
from optimizer.prices import price_ranges
from optimizer.schedule import Schedule
from optimizer.solution import Solution
from optimizer.strategy import dated_contacts_in_words
from optimizer.timetable import Timetable

OPTIMAL_GAP = 1e-4
MONEY = 1e-6
FIGURES = ["response_rate", "expected_value", "expected_margin", "cost"]


def counted_contacts(schedule: Schedule) -> pd.DataFrame:
    """How many contacts of the calendar are alike in all but customer and id; sorted.

    Sums are taken of this in a fixed order, so that they do not depend on how the engine cuts its work.
    """
    columns = ["segment", "stream", "campaign", "channel", "contact_on", *FIGURES]
    book = schedule.contacts.book
    return book.groupby(columns, as_index=False)[["contacts"]].sum()


def streams_table(
    contacts: pd.DataFrame,
    timetable: Timetable,
    planned: Planned,
    schedule: Schedule,
) -> pd.DataFrame:
    """streams.csv: a row a segment and stream in use, the most used first.

    `contacts` is counted_contacts of the calendar.
    """
    whole, pricing = planned.solution.whole, planned.solution.pricing
    cells, book = pricing.cells, pricing.book.streams
    g = planned.cells.segment[whole.cell]
    used = pd.DataFrame({"g": g, "s": whole.stream, "customers": whole.customers})
    value = (contacts.expected_value * contacts.contacts).groupby(contacts.stream).sum()
    cost = (contacts.cost * contacts.contacts).groupby(contacts.stream).sum()
    options = timetable.options
    rows = [
        {
            "segment": cells.segments[g],
            "stream": schedule.labels[g, s],
            "dated_contacts": dated_contacts_in_words(
                [(timetable.date_of(t), options[i].campaign, options[i].channel) for t, i in book[s]]
            ),
            "customers": n,
            "contacts": n * len(book[s]),
            "expected_value": round(float(value.get(schedule.labels[g, s], 0.0)), 6) if s else 0.0,
            "cost": round(float(cost.get(schedule.labels[g, s], 0.0)), 6) if s else 0.0,
        }
        for g, s, n in used.groupby(["g", "s"], as_index=False).sum().itertuples(index=False)
    ]
    columns = ["segment", "stream", "dated_contacts", "customers", "contacts", "expected_value", "cost"]
    table = pd.DataFrame(rows, columns=columns)
    return _by_segment(table, ["customers", "stream"], [False, True])


def allocation_table(contacts: pd.DataFrame) -> pd.DataFrame:
    """allocation.csv: contacts, expected responses, value and cost by segment, campaign, channel and date.

    `contacts` is counted_contacts of the calendar.
    """
    keys = ["segment", "campaign", "channel", "contact_on"]
    sums = pd.DataFrame(
        {
            **{key: contacts[key] for key in keys},
            "contacts": contacts.contacts,
            "expected_responses": contacts.response_rate * contacts.contacts,
            "expected_value": contacts.expected_value * contacts.contacts,
            "cost": contacts.cost * contacts.contacts,
        }
    )
    table = sums.groupby(keys, as_index=False).sum().rename(columns={"contact_on": "date"}).round(6)
    return _by_segment(table, ["campaign", "channel", "date"], [True, True, True])


def limits_table(limits: tuple[Limit, ...], solution: Solution, ranged: bool = True) -> pd.DataFrame:
    """limits.csv: what each limit allows, what is used of it (by earlier contacts too), and its price.

    The price holds for bounds from price_from to price_to (see prices.py), if they are to be `ranged`.
    """
    in_use = used_campaigns(solution)
    ranges = np.full((len(limits), 2), np.nan)
    if ranged:
        ranges = price_ranges(solution.pricing, solution.linear).round(6) + 0.0
    rows = []
    for limit, own, price, ends in zip(limits, solution.use, solution.linear.prices, ranges, strict=True):
        setup = sum(cost for campaign, cost in limit.setup.items() if campaign in in_use)
        used = round(float(own) + setup + limit.committed, 6)
        idle = limit.if_used is not None and limit.if_used not in in_use
        bound = 0.0 if idle else limit.bound
        rows.append(
            {
                "limit": limit.path,
                "bound": round(bound, 6),
                "used": used,
                "slack": round((used - bound) if limit.at_least else (bound - used), 6),
                "shadow_price": 0.0 if idle else round(float(price), 9) + 0.0,
                "price_from": ends[0],
                "price_to": ends[1],
            }
        )
    columns = ["limit", "bound", "used", "slack", "shadow_price", "price_from", "price_to"]
    return pd.DataFrame(rows, columns=columns)


def rates_table(rates: pd.DataFrame) -> pd.DataFrame:
    """response_rates.csv: the rates used, with what was seen of each."""
    names = {"response_rate": "rate", "contacts": "contacts_seen", "responses": "responses_seen"}
    columns = [
        "segment",
        "campaign",
        "channel",
        "rate",
        "low",
        "high",
        "contacts_seen",
        "responses_seen",
        "source",
    ]
    return _by_segment(rates.rename(columns=names)[columns], ["campaign", "channel"], [True, True])


def bands_figures(bands: pd.DataFrame) -> dict[str, Any]:
    """For the summary: in how many segments customers respond by bands, how many they are, how far apart.

    `bands` is response_bands.csv.
    """
    split = bands[bands.segment.isin(bands.segment[bands.band > 1]) & (bands.band > 0)]
    return {
        "segments": int(bands.segment.nunique()),
        "segments_split": int(split.segment.nunique()),
        "bands": len(split),
        "customers": int(split.customers.sum()),
        "least_multiplier": float(split.multiplier.min()),
        "greatest_multiplier": float(split.multiplier.max()),
    }


def summary_figures(
    planned: Planned, contacts: pd.DataFrame, allocation: pd.DataFrame, schedule: Schedule, customers: int
) -> dict[str, Any]:
    """The summary's figures: value and proof, cost, contacts, customers, cells and streams.

    `contacts` is counted_contacts of the calendar.
    """
    solution = planned.solution
    setup, missed = setup_costs(solution), penalties(solution)
    contacts_worth = float((contacts.expected_value * contacts.contacts).sum())
    value = contacts_worth - sum(missed.values())
    value = round(value - setup if solution.pricing.objective.pays_setup else value, 6)
    # What is paid for contacts that stay is told apart, so it is no part of the bound either.
    stays = solution.pricing.objective.stay * solution.stays
    bound = solution.whole.bound - stays
    # Money is told to 6 places: what lies below is rounding, not a gap.
    gap = (bound - value) / abs(bound) if bound - value > MONEY else 0.0
    linear, fine = solution.linear, planned.cells.fine
    told = {} if planned.estimate is None else _estimated(planned.estimate, stays, value, bound)
    reached = solution.whole.customers[solution.whole.stream > 0].sum()
    return {
        "status": "optimal" if gap <= OPTIMAL_GAP else "feasible",
        "expected_value": value,
        "upper_bound": max(value, bound),
        "gap": gap,
        **told,
        "linear_bound": max(value, solution.linear_bound - stays),
        "expected_margin": round(float((contacts.expected_margin * contacts.contacts).sum()) - setup, 6),
        "penalties": {"total": round(sum(missed.values()), 6), "limits": missed},
        "cost": round(float(allocation.cost.sum()) + setup, 6),
        "setup_costs": setup,
        "campaigns_used": sorted(allocation.campaign.unique()),
        "contacts": int(allocation.contacts.sum()),
        "customers": customers,
        "reached": int(reached),
        "held_out": int(fine.customers[fine.held_out].sum()),
        "cells": len(fine) if planned.cells.drawn else len(linear.block),
        "chosen_from_menu": planned.cells.drawn,
        "cells_sharing_a_row": solution.cells_sharing,
        "streams": len({label for label in schedule.labels.values() if label}),
        "streams_generated": len(solution.pricing.book) - 1,
        "rounds": linear.effort.rounds,
        "nodes": solution.nodes,
    }


def _estimated(estimate: BoundEstimate, stays: float, value: float, proved: float) -> dict[str, Any]:
    """What the bound and the gap would be with every customer apart: never more than what is proved."""
    bound = min(max(value, estimate.bound - stays), max(value, proved))
    gap = (bound - value) / abs(bound) if bound - value > MONEY else 0.0
    figures = {"upper_bound": bound, "standard_error": estimate.error, "gap": gap}
    return {"bound_estimate": {**figures, "customers": estimate.customers}}


def used_campaigns(solution: Solution) -> frozenset[str]:
    """The campaigns in use among those whose use is a decision of its own."""
    pairs = zip(solution.pricing.switches, solution.whole.used, strict=True)
    return frozenset(switch.campaign for switch, used in pairs if used > 0)


def setup_costs(solution: Solution) -> float:
    """What the campaigns in use cost once, in money."""
    in_use = used_campaigns(solution)
    return sum(switch.setup_cost for switch in solution.pricing.switches if switch.campaign in in_use)


def penalties(solution: Solution) -> dict[str, float]:
    """What missing each soft limit costs, by its path; those that hold are left out."""
    pricing = solution.pricing
    missed = pricing.rows.missed(solution.use, solution.whole.used)
    return {
        limit.path: round(float(amount) * limit.soft, 6)
        for limit, amount in zip(pricing.limits, missed, strict=True)
        if limit.soft is not None and amount > MONEY
    }


def _by_segment(table: pd.DataFrame, columns: list[str], ascending: list[bool]) -> pd.DataFrame:
    """Sorts by segment (numbers by value) and then by the columns; labels that are numbers become numbers."""
    rank = {label: n for n, label in enumerate(sorted(table.segment.unique(), key=segment_order))}
    order = table.assign(rank=table.segment.map(rank))
    order = order.sort_values(["rank", *columns], ascending=[True, *ascending], ignore_index=True)
    return with_labels(order.drop(columns="rank"))


def with_labels(table: pd.DataFrame) -> pd.DataFrame:
    """Segment labels that are all whole numbers as numbers, others as text."""
    whole = table.segment.map(lambda label: str(label).lstrip("-").isdigit()).all()
    return table.assign(segment=table.segment.astype("int64")) if whole and len(table) else table
