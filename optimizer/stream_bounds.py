"""What a cell's streams can be worth at most: the graph's longest path, and prices on repeats.

A path of the graph may send a once-only campaign twice and earn a reach bonus with every contact. Each
such breach is priced: penalty c is paid for every contact of campaign c and given back once, and
likewise for bonuses. For any penalties the longest path is an upper bound on every valid stream
(Lagrangean relaxation); the penalties are improved by subgradient steps (Held, Wolfe and Crowder,
Mathematical Programming 6, 1974), and paths with their repeats left out are streams.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from optimizer.compiled import compiled
from optimizer.stream_ground import NOTHING, bonus_of, fee, fits, has_room

FALLING = 0.5
STALE = 2
NEGLIGIBLE = 1e-3


class Work(NamedTuple):
    """What is worked out for one cell after another; each worker has its own.

    `options[t, :counts[t]]` may be worth sending on send day t. `top[t, q, k]` is the most one contact
    of kind q is worth there at fatigue k, `pick` its option. The cell's part of the graph: `node[m]` is
    the graph's node at place m, `layer[t]` where the places of send day t begin, `skip[m]` the place
    reached by sending nothing, `kind[a]` and `to[a]` the arcs first[m] to first[m + 1]; `ahead[m]` is
    the most that can follow place m. `place` is -1 everywhere between uses.
    """

    options: Any
    counts: Any
    top: Any
    pick: Any
    place: Any
    node: Any
    layer: Any
    skip: Any
    first: Any
    kind: Any
    to: Any
    ahead: Any


@compiled
def new_work(ground):
    """Room to work in."""
    days, options = ground.allowed.shape[1], ground.kind.shape[0]
    nodes, kinds = ground.after.shape
    tired = ground.node_fatigue.max() + 1
    return Work(
        np.empty((days, options), dtype=np.int32),
        np.empty(days, dtype=np.int32),
        np.empty((days, kinds, tired)),
        np.empty((days, kinds, tired), dtype=np.int32),
        np.full(nodes, NOTHING, dtype=np.int32),
        np.empty(nodes, dtype=np.int32),
        np.empty(days + 2, dtype=np.int32),
        np.empty(nodes, dtype=np.int32),
        np.empty(nodes + 1, dtype=np.int32),
        np.empty(nodes * kinds, dtype=np.int8),
        np.empty(nodes * kinds, dtype=np.int32),
        np.empty(nodes),
    )


@compiled
def prepare(ground, worth, cell, least, work):
    """Finds the options and the part of the graph that may be worth more than `least` to the cell."""
    _candidates(ground, worth, cell, least, work)
    _tops(ground, worth, cell, np.zeros(ground.once.max() + 1 + ground.reach_names.shape[0]), work)
    _reachable(ground, cell, least, work)


@compiled
def bound_with(ground, worth, cell, penalty, work):
    """The bound on the cell's streams under the penalties; `work.ahead` and `work.pick` go with it.

    penalty[c] is for once-only campaign c, then penalty[once_count + b] for reach row b.
    """
    _tops(ground, worth, cell, penalty, work)
    _longest(ground, work)
    return work.ahead[0] + penalty.sum()


@compiled
def _candidates(ground, worth, cell, least, work):
    f, g = ground.figures[cell], ground.segment[cell]
    p, e = ground.pattern[cell], ground.profile[cell]
    for t in range(work.counts.shape[0]):
        work.counts[t] = 0
        for i in range(ground.kind.shape[0]):
            if ground.allowed[p, t, i] and ground.open[e, t, i]:
                net = worth.gain[f, i] * ground.power[ground.fatigue[e, t]] - fee(ground, worth, cell, t, i)
                net += bonus_of(ground, worth, g, i, np.int64(0))[0]
                if net > least or ground.opens[i]:
                    work.options[t, work.counts[t]] = i
                    work.counts[t] += 1


@compiled
def _tops(ground, worth, cell, penalty, work):
    f, g, e = ground.figures[cell], ground.segment[cell], ground.profile[cell]
    campaigns = penalty.shape[0] - ground.reach_names.shape[0]
    work.top[:, :, :] = -np.inf
    work.pick[:, :, :] = NOTHING
    for t in range(work.counts.shape[0]):
        for n in range(work.counts[t]):
            i = work.options[t, n]
            q, gain, rest = ground.kind[i], worth.gain[f, i], -fee(ground, worth, cell, t, i)
            if ground.once[i] >= 0:
                rest -= penalty[ground.once[i]]
            for b in range(ground.reach_names.shape[0]):
                if ground.reach_names[b, i]:
                    rest += worth.bonus[g, b] - penalty[campaigns + b]
            for k in range(work.top.shape[2]):
                net = gain * ground.power[ground.fatigue[e, t] + k] + rest
                if net > work.top[t, q, k]:
                    work.top[t, q, k], work.pick[t, q, k] = net, i


@compiled
def _reachable(ground, cell, least, work):
    """Collects the places and arcs that the cell may use, given the most of every contact."""
    work.node[0], work.layer[0] = 0, 0
    begin, count, arcs = 0, 1, 0
    for t in range(work.counts.shape[0]):
        end = count
        work.layer[t + 1] = end
        tight = ground.used[ground.profile[cell], :, t, :].max() > 0 if ground.cap_most.shape[0] else False
        for m in range(begin, end):
            here, work.first[m] = work.node[m], arcs
            work.skip[m], count = _place_of(work, ground.skip[here], count)
            k = ground.node_fatigue[here]
            for q in range(work.top.shape[1]):
                i, then = work.pick[t, q, k], ground.after[here, q]
                if i < 0 or then < 0 or not (work.top[t, q, k] > least or ground.opens[i]):
                    continue
                if has_room(ground, cell, here, t, i, tight):
                    work.kind[arcs] = q
                    work.to[arcs], count = _place_of(work, then, count)
                    arcs += 1
        for m in range(begin, end):
            work.place[work.node[m]] = NOTHING
        begin = end
    work.layer[work.counts.shape[0] + 1] = count
    work.first[begin : count + 1] = arcs
    for m in range(begin, count):
        work.place[work.node[m]] = NOTHING


@compiled
def _place_of(work, node, count):
    """The place of a node, a new one if it has none, and how many places there are."""
    if work.place[node] < 0:
        work.place[node], work.node[count] = count, node
        count += 1
    return work.place[node], count


@compiled
def _longest(ground, work):
    """The most that can follow each place, whatever is repeated."""
    days = work.counts.shape[0]
    work.ahead[work.layer[days] : work.layer[days + 1]] = 0.0
    for t in range(days - 1, -1, -1):
        for m in range(work.layer[t], work.layer[t + 1]):
            most, k = work.ahead[work.skip[m]], ground.node_fatigue[work.node[m]]
            for a in range(work.first[m], work.first[m + 1]):
                most = max(most, work.top[t, work.kind[a], k] + work.ahead[work.to[a]])
            work.ahead[m] = most


@compiled
def _trace(ground, work, path):
    """The longest path from the start, as options by send day."""
    m = 0
    for t in range(work.counts.shape[0]):
        path[t] = NOTHING
        k, then = ground.node_fatigue[work.node[m]], work.skip[m]
        most = work.ahead[then]
        for a in range(work.first[m], work.first[m + 1]):
            value = work.top[t, work.kind[a], k] + work.ahead[work.to[a]]
            if value > most:
                most, then, path[t] = value, work.to[a], work.pick[t, work.kind[a], k]
        m = then


@compiled
def _drop_repeats(ground, worth, cell, path):
    """Leaves each once-only campaign the contact of the path that is worth more before fatigue."""
    f, e = ground.figures[cell], ground.profile[cell]
    for t in range(path.shape[0]):
        for u in range(t):
            i, j = path[t], path[u]
            if i >= 0 and j >= 0 and ground.once[i] >= 0 and ground.once[i] == ground.once[j]:
                later = worth.gain[f, i] * ground.power[ground.fatigue[e, t]]
                sooner = worth.gain[f, j] * ground.power[ground.fatigue[e, u]]
                later, sooner = (
                    later - fee(ground, worth, cell, t, i),
                    sooner - fee(ground, worth, cell, u, j),
                )
                path[u if sooner < later else t] = NOTHING


@compiled
def _worth_of(ground, worth, cell, path):
    """The path's worth at the prices; -inf where the cell may not have it."""
    f, g, e = ground.figures[cell], ground.segment[cell], ground.profile[cell]
    node, total, mask = 0, 0.0, np.int64(0)
    for t in range(path.shape[0]):
        i = path[t]
        if i < 0:
            node = ground.skip[node]
            continue
        to = fits(ground, cell, node, t, i)
        if to < 0:
            return -np.inf
        extra, mask = bonus_of(ground, worth, g, i, mask)
        total += worth.gain[f, i] * ground.power[ground.fatigue[e, t] + ground.node_fatigue[node]]
        total += extra - fee(ground, worth, cell, t, i)
        node = to
    return total


@compiled
def cut_penalties(ground, worth, cell, penalty):
    """No penalty on a reach row may exceed its bonus: the bound would not hold."""
    campaigns = penalty.shape[0] - ground.reach_names.shape[0]
    for b in range(ground.reach_names.shape[0]):
        penalty[campaigns + b] = min(penalty[campaigns + b], worth.bonus[ground.segment[cell], b])


@compiled
def _slope(ground, worth, cell, path, penalty, slope):
    """How the bound rises with each penalty, 0 where the penalty is at its end; returns its square."""
    g = ground.segment[cell]
    campaigns = penalty.shape[0] - ground.reach_names.shape[0]
    slope[:] = 1.0
    for t in range(path.shape[0]):
        i = path[t]
        if i >= 0:
            if ground.once[i] >= 0:
                slope[ground.once[i]] -= 1.0
            for b in range(ground.reach_names.shape[0]):
                if ground.reach_names[b, i]:
                    slope[campaigns + b] -= 1.0
    square = 0.0
    for c in range(penalty.shape[0]):
        most = np.inf if c < campaigns else worth.bonus[g, c - campaigns]
        if (penalty[c] <= 0.0 and slope[c] > 0.0) or (penalty[c] >= most and slope[c] < 0.0):
            slope[c] = 0.0
        square += slope[c] * slope[c]
    return square


@compiled
def relax(ground, worth, cell, floor, slack, turns, penalty, path, work):
    """Improves the penalties until the bound is within `slack` of a stream, or `turns` are over.

    `path` gets the best stream found if it is worth more than the floor. Returns its worth (or the
    floor) and the bound, which is that of `penalty`.
    """
    cut_penalties(ground, worth, cell, penalty)
    trial, slope = penalty.copy(), np.empty(penalty.shape[0])
    tried = np.empty(path.shape[0], dtype=path.dtype)
    best, bound, pace, stale = floor, np.inf, 1.0, 0
    path[:] = NOTHING
    for _ in range(turns):
        now = bound_with(ground, worth, cell, trial, work)
        stale = 0 if bound - now > NEGLIGIBLE * (now - best) else stale + 1
        if now < bound:
            bound, penalty[:] = now, trial
        if stale >= STALE:
            pace, stale = pace * FALLING, 0
        _trace(ground, work, tried)
        square = _slope(ground, worth, cell, tried, trial, slope)
        _drop_repeats(ground, worth, cell, tried)
        value = _worth_of(ground, worth, cell, tried)
        if value > best:
            best, path[:] = value, tried
        if bound <= best + slack or square <= 0.0:
            break
        trial = np.maximum(0.0, trial - pace * (now - best) / square * slope)
        cut_penalties(ground, worth, cell, trial)
    return best, bound
