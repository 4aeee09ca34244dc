"""What the search knows: the graph, the cells and the prices as plain arrays for compiled code."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from optimizer.cells import Cells, Provisional
from optimizer.compiled import compiled
from optimizer.rules import ContactRules
from optimizer.stream_graph import StreamGraph
from optimizer.timetable import Timetable

NOTHING = -1


class Ground(NamedTuple):
    """What no price changes: the graph, the cells, and what each cell may be sent.

    Arrays as in StreamGraph, Cells and Leeway; `cap_names[s, i]`, `cap_binds[s, i]` and `cap_most[s]`
    describe the shared caps, `planned[provisional[cell], t]` is the option that an earlier run has
    provisionally planned (or -1), `figures[cell]` is the row of the cell's figures (its segment's, or from
    the number of segments on one of its own), `dearer[n, i]` how much more money option i costs in own row
    n than in its segment's, `needs[i, r]` marks the options that wait for only-after rule r, `opens[i]`
    those that open one, `power[k]` is the fatigue factor of k earlier contacts, `reach_names[b, i]` tells
    whether option i counts for reach row b.
    """

    kind: Any
    after: Any
    skip: Any
    node_fatigue: Any
    node_ready: Any
    counted: Any
    binding: Any
    once: Any
    segment: Any
    figures: Any
    dearer: Any
    pattern: Any
    profile: Any
    allowed: Any
    open: Any
    used: Any
    fatigue: Any
    ready: Any
    cap_names: Any
    cap_binds: Any
    cap_most: Any
    needs: Any
    opens: Any
    power: Any
    reach_names: Any
    provisional: Any
    planned: Any


def ground_of(
    graph: StreamGraph,
    rules: ContactRules,
    timetable: Timetable,
    cells: Cells,
    dearer: NDArray[np.float64],
    reach_names: NDArray[np.bool_],
) -> Ground:
    """The ground of these cells; `dearer` and `reach_names` as in Ground."""
    options, leeway, caps = timetable.options, cells.leeway, graph.shared_caps
    none = np.full((1, len(timetable.days)), NOTHING, dtype=np.int32)
    earlier = cells.provisional or Provisional(np.zeros(len(cells), dtype=np.int64), none)
    most_fatigue = int(leeway.fatigue.max(initial=0)) + int(graph.fatigue.max(initial=0))
    arrays: tuple[NDArray[Any], ...] = (
        graph.kind,
        graph.after,
        graph.skip,
        graph.fatigue,
        graph.ready,
        graph.counted,
        graph.binding,
        graph.once,
        cells.segment,
        cells.figures,
        dearer,
        cells.pattern,
        cells.profile,
        cells.allowed,
        leeway.open,
        leeway.used,
        leeway.fatigue,
        leeway.ready,
        _table([[cap.names(option) for option in options] for cap in caps], len(options)),
        _table([[cap.binds(option) for option in options] for cap in caps], len(options)),
        np.array([cap.contacts for cap in caps], dtype=np.int64),
        _table([[rule.binds(option) for option in options] for rule in rules.only_after], len(options)).T,
        np.array([any(rule.names(option) for rule in rules.only_after) for option in options], dtype=bool),
        rules.fatigue_keep ** np.arange(most_fatigue + 1),
        reach_names,
        earlier.number,
        earlier.planned,
    )
    return Ground._make(plain(array) for array in arrays)


def plain(array: NDArray[Any]) -> NDArray[Any]:
    """The array in one memory layout: each other one would be compiled for anew."""
    return np.ascontiguousarray(array)


def _table(rows: list[list[bool]], width: int) -> NDArray[np.bool_]:
    return np.array(rows, dtype=bool).reshape(len(rows), width)


class Worth(NamedTuple):
    """What a contact is worth at the prices, by row of figures f, segment g, send day t and option i.

    A contact with k tiring contacts before it is worth gain[f, i] * power[k] less its fee: charge[g, t, i],
    in own row n of figures beyond[n, i] more and money[g, t, i] for each unit of money that it costs more,
    plus toll[row[cell], i] for the use of its campaign at all, less `stay` where an earlier run had
    planned the same contact. A stream that has a contact of reach row b earns bonus[g, b] once. bonus is
    never negative.
    """

    gain: Any
    charge: Any
    beyond: Any
    money: Any
    bonus: Any
    row: Any
    toll: Any
    stay: Any


@compiled
def fee(ground, worth, cell, t, i):
    """What the contact costs the cell at the prices; its gain is apart because contacts before tire it."""
    g = ground.segment[cell]
    total = worth.charge[g, t, i] + worth.toll[worth.row[cell], i]
    own = ground.figures[cell] - worth.charge.shape[0]
    if own >= 0:
        total += worth.beyond[own, i] + worth.money[g, t, i] * ground.dearer[own, i]
    if ground.planned[ground.provisional[cell], t] == i:
        total -= worth.stay
    return total


@compiled
def fits(ground, cell, node, t, i):
    """Whether the cell may be sent option i on send day t at this node; the node after it, or -1."""
    if not (ground.allowed[ground.pattern[cell], t, i] and ground.open[ground.profile[cell], t, i]):
        return NOTHING
    to = ground.after[node, ground.kind[i]]
    return to if to >= 0 and has_room(ground, cell, node, t, i, True) else NOTHING


@compiled
def has_room(ground, cell, node, t, i, tight):
    """Whether only-after rules and, if `tight`, earlier contacts leave room for option i (or its like)."""
    e = ground.profile[cell]
    for r in range(ground.needs.shape[1]):
        if ground.needs[i, r] and not (ground.ready[e, t, r] or ground.node_ready[node, r]):
            return False
    if not tight:
        return True
    wide = ground.used.shape[3] - 1
    for s in range(ground.cap_most.shape[0]):
        if ground.cap_names[s, i]:
            count = 0
            while count < ground.counted.shape[2] and ground.counted[node, s, count] >= 0:
                count += 1
            for j in range(count):
                # A stretch without a contact that the cap binds is none to break.
                if not ground.cap_binds[s, i] and ground.counted[node, s, j] > ground.binding[node, s]:
                    break
                first = min(ground.counted[node, s, j], wide)
                if count - j + 1 + ground.used[e, s, t, first] > ground.cap_most[s]:
                    return False
    return True


@compiled
def bonus_of(ground, worth, g, i, mask):
    """The reach bonuses that option i earns beyond those in the mask, and the mask with them."""
    extra = 0.0
    for b in range(ground.reach_names.shape[0]):
        if worth.bonus[g, b] > 0.0 and ground.reach_names[b, i] and not mask >> b & 1:
            extra += worth.bonus[g, b]
            mask |= np.int64(1) << b
    return extra, mask
