"""The report's figures: contacts by channel and week, by campaign, and day by day."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from optimizer.wording import MONTHS, WEEKDAYS, span, weeks

# Okabe and Ito, "Color Universal Design" (2008): told apart with every common colour blindness.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#4D4D4D")
_PATTERNS = ("", "/", ".", "x", "-", "+")
_SHADES = ((0.0, "#C6DBEF"), (0.35, "#6BAED6"), (0.7, "#2171B5"), (1.0, "#08306B"))
_OPEN, _WEEKEND, _CLOSED, _BLACKOUT = 0, 1, 2, 3
GROUNDS = {"open": "#FFFFFF", "weekend": "#EEF0F3", "closed": "#D5D9DF", "blackout": "#9AA1AB"}
_WIDTH = 940


def channel_weeks(allocation: pd.DataFrame, channels: Sequence[str], start: date, days: int) -> go.Figure:
    """Stacked bars: contacts a week of the plan, by channel. `allocation` has date, channel, contacts."""
    stretches = weeks(start, days)
    week = (pd.to_datetime(allocation["date"]) - pd.Timestamp(start)).dt.days // 7
    totals = allocation["contacts"].groupby([allocation["channel"].astype(str), week]).sum()
    labels = [f"week {i + 1}<br>{span(*stretch)}" for i, stretch in enumerate(stretches)]
    figure = go.Figure()
    for index, channel in enumerate(channels):
        counts = [float(totals.get((channel, i), 0)) for i in range(len(stretches))]
        figure.add_bar(x=labels, y=counts, name=label(channel), marker=_marker(index))
    return laid_out(figure, height=340, barmode="stack", yaxis_title="contacts")


def campaign_bars(allocation: pd.DataFrame, channels: Sequence[str]) -> go.Figure:
    """Horizontal stacked bars: contacts of each campaign, by channel; the largest campaign on top."""
    names = allocation["campaign"].astype(str)
    order = allocation["contacts"].groupby(names).sum().sort_values(kind="stable")
    totals = allocation["contacts"].groupby([allocation["channel"].astype(str), names]).sum()
    places = list(range(len(order)))
    figure = go.Figure()
    for index, channel in enumerate(channels):
        counts = [float(totals.get((channel, campaign), 0)) for campaign in order.index]
        figure.add_bar(
            x=counts, y=places, orientation="h", name=label(channel), marker=_marker(index),
            customdata=[label(name) for name in order.index], hovertemplate="%{customdata}: %{x:,}",
        )  # fmt: skip
    laid_out(figure, height=110 + 26 * len(order), barmode="stack", xaxis_title="contacts")
    return figure.update_yaxes(
        tickvals=places, ticktext=[label(name) for name in order.index], automargin=True
    )


def calendar_map(
    allocation: pd.DataFrame, closed: Mapping[str, Mapping[str, Mapping[date, str]]], start: date, days: int
) -> go.Figure:
    """Heat map of contacts by day: a row a channel, below them a row a campaign.

    `closed` maps `channel` and `campaign` to the rows' names, each to its days that are `closed` or
    `blackout`. Shades are logarithmic, so that ten calls and ten thousand e-mails both show.
    """
    dates = [start + timedelta(offset) for offset in range(days)]
    rows = [(kind, name) for kind in ("campaign", "channel") for name in reversed(list(closed[kind]))]
    counts = np.full((len(rows), days), np.nan)
    ground = np.zeros((len(rows), days))
    offset = (pd.to_datetime(allocation["date"]) - pd.Timestamp(start)).dt.days.to_numpy()
    for index, (kind, name) in enumerate(rows):
        own = (allocation[kind].astype(str) == name).to_numpy()
        totals = np.bincount(offset[own], weights=allocation["contacts"].to_numpy(float)[own], minlength=days)
        counts[index] = np.where(totals > 0, totals, np.nan)
        ground[index] = [_ground(closed[kind][name].get(when), when) for when in dates]
    figure = go.Figure()
    _add_grounds(figure, ground)
    _add_counts(figure, counts, [[when.isoformat() for when in dates]] * len(rows))
    laid_out(figure, height=120 + 24 * len(rows))
    ticks, labels = _day_labels(dates)
    figure.update_xaxes(tickvals=ticks, ticktext=labels, side="top", showgrid=False, tickangle=0)
    names = [label(name) for _, name in rows]
    figure.update_yaxes(tickvals=list(range(len(rows))), ticktext=names, automargin=True, showgrid=False)
    figure.add_hline(y=len(closed["campaign"]) - 0.5, line={"color": "#222222", "width": 1.5})
    return figure


def _ground(closed: str | None, when: date) -> int:
    if closed is not None:
        return _BLACKOUT if closed == "blackout" else _CLOSED
    return _WEEKEND if when.weekday() >= 5 else _OPEN


def _add_grounds(figure: go.Figure, ground: np.ndarray) -> None:
    colours = list(GROUNDS.values())
    steps = [(edge / 4, colour) for i, colour in enumerate(colours) for edge in (i, i + 1)]
    marks = np.where(ground == _BLACKOUT, "×", "")
    figure.add_heatmap(
        z=ground, zmin=-0.5, zmax=3.5, colorscale=steps, showscale=False, hoverinfo="skip",
        text=marks, texttemplate="%{text}", textfont={"color": "#222222", "size": 12}, xgap=1, ygap=1,
    )  # fmt: skip


def _add_counts(figure: go.Figure, counts: np.ndarray, dates: list[list[str]]) -> None:
    top = float(np.nanmax(counts)) if np.isfinite(counts).any() else 1.0
    decades = max(1, math.ceil(math.log10(top) - 1e-9)) if top > 1 else 1
    ticks = list(range(decades + 1))
    labels = [f"{10**tick:,}" for tick in ticks]
    figure.add_heatmap(
        z=np.log10(counts), zmin=0, zmax=decades, colorscale=_SHADES, xgap=1, ygap=1,
        customdata=counts, text=dates, hovertemplate="%{text}: %{customdata:,} contacts<extra></extra>",
        hoverongaps=False,
        colorbar={"title": "contacts", "tickvals": ticks, "ticktext": labels, "thickness": 12},
    )  # fmt: skip


def _day_labels(dates: list[date]) -> tuple[list[int], list[str]]:
    """Weekday initial and day of the month; the month where it begins; only Mondays in long periods."""
    ticks: list[int] = []
    labels: list[str] = []
    for index, when in enumerate(dates):
        if len(dates) > 35 and when.weekday() != 0:
            continue
        initial = WEEKDAYS[when.weekday()][:2]
        number = f"<b>{when.day}</b>" if when.weekday() >= 5 else str(when.day)
        month = MONTHS[when.month - 1] if _names_month(dates, index, ticks) else " "
        ticks.append(index)
        labels.append(f"{month}<br>{initial}<br>{number}")
    return ticks, labels


def _names_month(dates: list[date], index: int, ticks: list[int]) -> bool:
    """Whether a day is the first labelled of its month, and the next month's name would not touch it."""
    if ticks:
        return dates[ticks[-1]].month != dates[index].month
    return dates[min(index + 1, len(dates) - 1)].month == dates[index].month


def label(name: str, most: int = 30) -> str:
    """A name as text: Plotly reads markup in labels, so it is escaped; beyond `most` signs it is cut."""
    return escape(name if len(name) <= most else f"{name[: most - 1]}…")


def _marker(index: int) -> dict[str, object]:
    shape = _PATTERNS[index // len(PALETTE) % len(_PATTERNS)]
    return {"color": PALETTE[index % len(PALETTE)], "pattern": {"shape": shape}}


def laid_out(figure: go.Figure, *, height: int, **more: object) -> go.Figure:
    """The figure with the page's width, type and legend; `height` in pixels, `more` as in Plotly's layout."""
    return figure.update_layout(
        template="plotly_white", width=_WIDTH, height=height, separators=".,",
        margin={"l": 10, "r": 10, "t": 30, "b": 10}, font={"family": "system-ui, sans-serif", "size": 13},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "traceorder": "normal"},
        **more,
    )  # fmt: skip
