"""What one more granted permission would bring: a customer's best stream with it, less the best without.

Both are taken at the limits' final prices and with the campaigns in use fixed. Prices bound every plan,
so no plan gains more by one customer's permission (Bertsimas and Tsitsiklis, Introduction to Linear
Optimization, 1997, ch. 5).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from optimizer.cells import Cells, Provisional
from optimizer.customer_keys import KIND, CustomerKeys, PermissionCode
from optimizer.customer_lists import Lists
from optimizer.linear_plan import LinearPlan
from optimizer.patterns import Patterns
from optimizer.plan_file import Plan
from optimizer.prices import fixed_tolls
from optimizer.problem import Problem
from optimizer.stream_book import StreamBook, most_used

COLUMNS = ["segment", "channel", "customers", "customers_priced", "mean", "most"]
MOST_TWINS = 5_000
MOST_MENU = 100
MOST_LABELS = 1 << 16
CLOSE = 1e-7


def permission_worth(plan: Plan, problem: Problem, linear: LinearPlan, book: StreamBook) -> pd.DataFrame:
    """permission_worth.csv: a row a segment and channel that some of its customers may not be sent.

    `customers` lack the permission for some type and day on which they could be sent something on the
    channel; held-out ones are left out. One more of them with the permission, for all types and days,
    brings `mean` if drawn at random and `most` for the best, in the objective's unit. That is worked out
    for `customers_priced` of them: beyond MOST_TWINS kinds of customers the rarest are left out.
    `book` holds the streams of `linear`.
    """
    if not problem.timetable.options or not (problem.cells.kinds.held_out == 0).any():
        return pd.DataFrame(columns=COLUMNS)
    lacking, allowed, table = _lacking(plan, problem)
    order = ["customers", "cell", "channel", "granted"]
    priced = lacking.sort_values(order, ascending=[False, True, True, True]).head(MOST_TWINS)
    worth = _worth(problem, linear, book, allowed, priced)
    priced = priced.assign(worth=worth, total=worth * priced.customers)
    by = ["segment", "channel"]
    sums = priced.groupby(by, as_index=False).agg(
        customers_priced=("customers", "sum"), total=("total", "sum"), most=("worth", "max")
    )
    table = table.merge(sums, on=by, how="left")
    table["mean"] = (table.total / table.customers_priced).round(6)
    table["most"] = table.most.round(6)
    # Where a part of the customers stands for all, those priced are an estimate.
    priced_customers = table.customers_priced.fillna(0).clip(upper=table.customers)
    table["customers_priced"] = priced_customers.astype("int64")
    table["segment"] = [problem.cells.segments[g] for g in table.segment]
    return pd.DataFrame(table, columns=COLUMNS)


def _lacking(plan: Plan, problem: Problem) -> tuple[pd.DataFrame, NDArray[np.bool_], pd.DataFrame]:
    """Customers by segment, cell, channel and the patterns without and with its permission; the patterns.

    Only those are told whom the permission opens anything. Last all customers by segment and channel.
    """
    kinds = problem.cells.kinds
    kinds = kinds[kinds.held_out == 0][KIND]
    channels = list(dict.fromkeys(option.channel for option in problem.timetable.options))
    keys, lists = _with_grants(problem.keys, channels, len(problem.timetable.days), kinds.permissions)
    patterns = Patterns(plan, keys, problem.timetable)
    held = np.zeros(len(kinds), dtype=bool)
    own, parts = patterns.number(kinds, held), []
    for channel in channels:
        granted = patterns.number(kinds.assign(permissions=kinds.permissions.map(lists[channel])), held)
        told = pd.DataFrame({"kind": kinds.index, "channel": channel, "own": own, "granted": granted})
        parts.append(told[granted != own])
    every = pd.concat(parts)
    opened = problem.cells.groups.merge(every, on="kind")
    number = {label: g for g, label in enumerate(problem.cells.segments)}
    of_kind = problem.cells.kinds.loc[every.kind]
    every["segment"] = of_kind.segment.map(number).to_numpy(dtype=np.int64)
    every["customers"] = of_kind.customers.to_numpy(dtype=np.int64)
    table = every.groupby(["segment", "channel"], as_index=False)[["customers"]].sum()
    opened["segment"] = problem.cells.segment[opened.cell.to_numpy(dtype=np.int64)]
    by = ["segment", "cell", "channel", "own", "granted"]
    counted = opened.groupby(by).customers.sum().reset_index()
    used, place = np.unique(counted[["own", "granted"]].to_numpy(dtype=np.int64), return_inverse=True)
    place = place.reshape(-1, 2)
    counted = counted.assign(own=place[:, 0], granted=place[:, 1])
    return counted, patterns.allowed(used.astype(np.int64)), table


def _with_grants(
    keys: CustomerKeys, channels: list[str], days: int, told: pd.Series
) -> tuple[CustomerKeys, dict[str, dict[int, int]]]:
    """The keys with one more permission code a channel, granted for everything, and lists that hold it.

    By channel: what tells each list of permissions with one code for all that it says of the channel.
    """
    grants = [PermissionCode(name, None, True, np.ones(days, dtype=bool)) for name in channels]
    lists: Lists = dict(keys.permission_lists)
    granted: dict[str, dict[int, int]] = {name: {} for name in channels}
    for n, channel in enumerate(channels):
        grant = len(keys.permissions) + n
        for number in told.unique().tolist():
            rest = [code for code in lists[number] if keys.permissions[code].channel != channel]
            granted[channel][number] = -1 - len(lists)  # sums of marks are never negative
            lists[-1 - len(lists)] = (*rest, grant)
    return replace(keys, permissions=(*keys.permissions, *grants), permission_lists=lists), granted


def _worth(
    problem: Problem,
    linear: LinearPlan,
    book: StreamBook,
    allowed: NDArray[np.bool_],
    pairs: pd.DataFrame,
) -> NDArray[np.float64]:
    """What the granted pattern brings beyond the own one, for each of `pairs`."""
    cells = np.tile(pairs.cell.to_numpy(dtype=np.int64), 2)
    patterns = np.concatenate([pairs.own, pairs.granted]).astype(np.int64)
    distinct, place = np.unique(np.column_stack([cells, patterns]), axis=0, return_inverse=True)
    found, most = _best(replace(problem, cells=_twins(problem.cells, allowed, distinct)), linear, book)
    own, granted = np.split(found[place.reshape(-1)], 2)[0], np.split(most[place.reshape(-1)], 2)[1]
    return np.maximum(granted - own, 0.0)


def _twins(cells: Cells, allowed: NDArray[np.bool_], pairs: NDArray[np.int64]) -> Cells:
    """Cells without customers, alike to those of the first column but with the pattern of the second."""
    like, kept = pairs[:, 0], cells.provisional
    return replace(
        cells,
        segment=cells.segment[like],
        pattern=pairs[:, 1],
        profile=cells.profile[like],
        customers=np.zeros(len(pairs), dtype=np.int64),
        allowed=allowed,
        provisional=None if kept is None else Provisional(kept.number[like], kept.planned),
        own_figures=cells.figures[like],
    )


def _best(
    problem: Problem, linear: LinearPlan, book: StreamBook
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What each cell's best stream is worth at the prices: the best one found, and a bound on all."""
    pricing, every = problem.pricing(), np.arange(len(problem.cells))
    worth = pricing.worth(linear.prices, fixed_tolls(linear.used, len(every)))
    used = most_used(linear.stream, linear.amount, MOST_MENU)
    menu = [pricing.book.add(book.streams[n]) for n in used.tolist()]
    known, _ = pricing.best_known(worth, every, np.array([0, *menu], dtype=np.int64))
    slack = CLOSE * max(1.0, float(np.abs(known).max(initial=0.0)))
    found, _, most = pricing.search(worth, every, known, slack, MOST_LABELS)
    return np.maximum(found, known), most
