"""Figures of what holds the plan back: how full limits are, what looser rules and permissions bring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from optimizer.figures import label, laid_out

_BINDS, _FREE, _TRACK = "#D55E00", "#56B4E9", "#EEF0F3"
_SHADES = ((0.0, "#F7FBFF"), (0.35, "#9ECAE1"), (0.7, "#2171B5"), (1.0, "#08306B"))
_LONGEST = 46  # signs of a path; the longest of the contract's limits have about 40
_ROW = 24


@dataclass(frozen=True)
class Bar:
    """A bar with words at its end. `priced` marks it as a limit with a price, `hatched` as a minimum."""

    name: str
    size: float
    words: str
    priced: bool = True
    hatched: bool = False


def limit_bars(bars: Sequence[Bar]) -> go.Figure:
    """How full each limit is, in percent of its bound, its price at the end; the first bar on top.

    Limits with a price are orange, minimums are hatched.
    """
    figure, places = go.Figure(), _places(bars)
    figure.add_bar(
        x=[100] * len(bars), y=places, orientation="h", marker={"color": _TRACK}, hoverinfo="skip",
        showlegend=False,
    )  # fmt: skip
    for priced, hatched in ((True, False), (False, False), (True, True), (False, True)):
        own = [n for n, bar in enumerate(bars) if (bar.priced, bar.hatched) == (priced, hatched)]
        if own:
            name = f"{'minimum' if hatched else 'limit'} {'with' if priced else 'without'} a price"
            _add_bars(figure, [bars[n] for n in own], [places[n] for n in own], name)
    _add_words(figure, bars, places, [102.0] * len(bars))
    laid_out(figure, height=100 + _ROW * len(bars), barmode="overlay", xaxis_title="used, % of the bound")
    figure.update_xaxes(range=[0, 150], tickvals=[0, 25, 50, 75, 100], zeroline=False)
    return _named(figure, bars, places)


def gain_bars(bars: Sequence[Bar], title: str) -> go.Figure:
    """Horizontal bars from 0, each with its words at the end; the first bar on top."""
    figure, places = go.Figure(), _places(bars)
    _add_bars(figure, bars, places, title)
    most = max((bar.size for bar in bars), default=0.0) or 1.0
    _add_words(figure, bars, places, [bar.size + 0.02 * most for bar in bars])
    laid_out(figure, height=90 + _ROW * len(bars), xaxis_title=title, showlegend=False)
    figure.update_xaxes(range=[0, 1.3 * most], zeroline=False)
    return _named(figure, bars, places)


def permission_map(means: pd.DataFrame, words: pd.DataFrame, title: str) -> go.Figure:
    """Heat map of `means` (a row a segment, a column a channel) with `words` in its fields; NaN is blank."""
    values = means.to_numpy(dtype=float)
    known = np.isfinite(values)
    figure = go.Figure()
    figure.add_heatmap(
        z=[[float(v) if ok else None for v, ok in zip(row, has, strict=True)]
           for row, has in zip(values, known, strict=True)],
        y=list(range(len(means))), x=list(range(len(means.columns))),
        text=words.to_numpy().tolist(), texttemplate="%{text}", hoverongaps=False, hoverinfo="text",
        zmin=0, zmax=max(float(values[known].max(initial=0.0)), 1e-9), colorscale=_SHADES, xgap=2, ygap=2,
        colorbar={"title": title, "thickness": 12},
    )  # fmt: skip
    laid_out(figure, height=110 + 30 * len(means))
    ticks = [label(str(name)) for name in means.columns]
    figure.update_xaxes(tickvals=list(range(len(ticks))), ticktext=ticks, side="top", showgrid=False)
    names = [label(str(name)) for name in means.index]
    return figure.update_yaxes(
        tickvals=list(range(len(names))),
        ticktext=names,
        automargin=True,
        showgrid=False,
        autorange="reversed",
    )


def _places(bars: Sequence[Bar]) -> list[int]:
    return list(range(len(bars) - 1, -1, -1))


def _add_bars(figure: go.Figure, bars: Sequence[Bar], places: Sequence[int], name: str) -> None:
    first = bars[0] if bars else Bar("", 0.0, "")
    marker = {
        "color": _BINDS if first.priced else _FREE,
        "pattern": {"shape": "/" if first.hatched else "", "solidity": 0.35},
    }
    figure.add_bar(
        x=[bar.size for bar in bars], y=list(places), orientation="h", name=name, marker=marker, width=0.62,
        customdata=[label(bar.name, _LONGEST) for bar in bars], hovertemplate="%{customdata}: %{x:,.4~g}",
    )  # fmt: skip


def _add_words(figure: go.Figure, bars: Sequence[Bar], places: Sequence[int], ends: Sequence[float]) -> None:
    figure.add_scatter(
        x=list(ends), y=list(places), mode="text", text=[label(bar.words, 80) for bar in bars],
        textposition="middle right", showlegend=False, hoverinfo="skip", cliponaxis=False,
    )  # fmt: skip


def _named(figure: go.Figure, bars: Sequence[Bar], places: Sequence[int]) -> go.Figure:
    names = [label(bar.name, _LONGEST) for bar in bars]
    return figure.update_yaxes(
        tickvals=list(places), ticktext=names, automargin=True, range=[-0.6, len(bars) - 0.4], showgrid=False
    )
