"""What a cell's streams can be worth at most: the graph's longest path, and prices on repeats.

A path of the graph may send a once-only campaign twice and earn a reach bonus with every contact. Each
such breach is priced: penalty c is paid for every contact of campaign c and given back once, and
likewise for bonuses. For any penalties the longest path is an upper bound on every valid stream
(Lagrangean relaxation); the penalties are improved by subgradient steps (Held, Wolfe and Crowder,
Mathematical Programming 6, 1974), and paths with their repeats left out are streams.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from optimizer.stream_ground import NOTHING, bonus_of, fits, has_room

FALLING = 0.5
STALE = 2


@njit(cache=True)
def candidates(ground, worth, cell, least, options, counts):
    """Fills `options[t, :counts[t]]` with what may be worth more than `least` on send day t."""
    g, p, e = ground.segment[cell], ground.pattern[cell], ground.profile[cell]
    for t in range(options.shape[0]):
        counts[t] = 0
        for i in range(ground.kind.shape[0]):
            if ground.allowed[p, t, i] and ground.open[e, t, i]:
                net = worth.gain[g, i] * ground.power[ground.fatigue[e, t]] - worth.charge[g, t, i]
                net += bonus_of(ground, worth, g, i, np.int64(0))[0]
                if net > least or ground.opens[i]:
                    options[t, counts[t]] = i
                    counts[t] += 1


@njit(cache=True)
def tops(ground, worth, cell, options, counts, penalty, top, pick):
    """top[t, q, k]: the most one contact of kind q is worth on send day t at fatigue k; `pick` is its option.

    penalty[c] for once-only campaign c, then penalty[once_count + b] for reach row b.
    """
    g, e = ground.segment[cell], ground.profile[cell]
    campaigns = penalty.shape[0] - ground.reach_names.shape[0]
    top[:, :, :] = -np.inf
    pick[:, :, :] = NOTHING
    for t in range(options.shape[0]):
        for n in range(counts[t]):
            i = options[t, n]
            q, gain, rest = ground.kind[i], worth.gain[g, i], -worth.charge[g, t, i]
            if ground.once[i] >= 0:
                rest -= penalty[ground.once[i]]
            for b in range(ground.reach_names.shape[0]):
                if ground.reach_names[b, i]:
                    rest += worth.bonus[g, b] - penalty[campaigns + b]
            for k in range(top.shape[2]):
                net = gain * ground.power[ground.fatigue[e, t] + k] + rest
                if net > top[t, q, k]:
                    top[t, q, k], pick[t, q, k] = net, i


@njit(cache=True)
def reachable(ground, cell, top, pick, least, net):
    """Collects the nodes and arcs of the graph that the cell may use, given every contact's most.

    `net` is (place, node, layer, skip, first, kind, to): node[m] is the graph's node, layer[t] where
    those of send day t begin, skip[m] the place reached by sending nothing, and kind[a], to[a] the arcs
    first[m] to first[m + 1]. `place` is -1 everywhere before and after.
    """
    place, node, layer, skip, first, kind, to = net
    e, days = ground.profile[cell], top.shape[0]
    node[0], count, arcs = 0, 1, 0
    layer[0] = 0
    tight = np.zeros(days, dtype=np.bool_)
    for t in range(days):
        for s in range(ground.cap_most.shape[0]):
            tight[t] |= ground.used[e, s, t, :].max() > 0
    begin = 0
    for t in range(days):
        end = count
        layer[t + 1] = end
        for m in range(begin, end):
            here = node[m]
            first[m] = arcs
            then = ground.skip[here]
            if place[then] < 0:
                place[then], node[count] = count, then
                count += 1
            skip[m] = place[then]
            k = ground.node_fatigue[here]
            for q in range(top.shape[1]):
                i = pick[t, q, k]
                if i < 0 or not (top[t, q, k] > least or ground.opens[i]):
                    continue
                then = ground.after[here, q]
                if then < 0 or not has_room(ground, cell, here, t, i, tight[t]):
                    continue
                if place[then] < 0:
                    place[then], node[count] = count, then
                    count += 1
                kind[arcs], to[arcs] = q, place[then]
                arcs += 1
        for m in range(begin, end):
            place[node[m]] = NOTHING
        begin = end
    layer[days + 1] = count
    for m in range(begin, count):
        first[m] = arcs
        place[node[m]] = NOTHING
    first[count] = arcs
    return count


@njit(cache=True)
def longest(ground, top, net, ahead):
    """ahead[m]: the most that can follow node m, whatever is repeated."""
    _, node, layer, skip, first, kind, to = net
    days = top.shape[0]
    for m in range(layer[days], layer[days + 1]):
        ahead[m] = 0.0
    for t in range(days - 1, -1, -1):
        for m in range(layer[t], layer[t + 1]):
            most, k = ahead[skip[m]], ground.node_fatigue[node[m]]
            for a in range(first[m], first[m + 1]):
                most = max(most, top[t, kind[a], k] + ahead[to[a]])
            ahead[m] = most


@njit(cache=True)
def trace(ground, top, pick, net, ahead, path):
    """The longest path from the start, as options by send day."""
    _, node, _, skip, first, kind, to = net
    m = 0
    for t in range(top.shape[0]):
        path[t] = NOTHING
        k, then = ground.node_fatigue[node[m]], skip[m]
        most = ahead[then]
        for a in range(first[m], first[m + 1]):
            if top[t, kind[a], k] + ahead[to[a]] > most:
                most, then = top[t, kind[a], k] + ahead[to[a]], to[a]
                path[t] = pick[t, kind[a], k]
        m = then


@njit(cache=True)
def without_repeats(ground, worth, cell, path):
    """Leaves each once-only campaign its best contact of the path; the worth of what is left, or -inf."""
    g, e = ground.segment[cell], ground.profile[cell]
    for t in range(path.shape[0]):
        for u in range(t):
            i, j = path[t], path[u]
            if i >= 0 and j >= 0 and 0 <= ground.once[i] == ground.once[j]:
                later = worth.gain[g, i] * ground.power[ground.fatigue[e, t]] - worth.charge[g, t, i]
                sooner = worth.gain[g, j] * ground.power[ground.fatigue[e, u]] - worth.charge[g, u, j]
                path[u if sooner < later else t] = NOTHING
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
        total += worth.gain[g, i] * ground.power[ground.fatigue[e, t] + ground.node_fatigue[node]]
        total += extra - worth.charge[g, t, i]
        node = to
    return total


@njit(cache=True)
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


@njit(cache=True)
def relax(ground, worth, cell, floor, slack, turns, options, counts, net, ahead, top, pick, penalty, path):
    """Improves the penalties until the bound is within `slack` of a stream, or `turns` are over.

    `path` gets the best stream found if it is worth more than the floor. Returns its worth (or the
    floor) and the bound; `penalty`, `ahead` are those of the bound.
    """
    g, rows = ground.segment[cell], ground.reach_names.shape[0]
    campaigns = penalty.shape[0] - rows
    for b in range(rows):
        penalty[campaigns + b] = min(penalty[campaigns + b], worth.bonus[g, b])
    trial, slope = penalty.copy(), np.empty(penalty.shape[0])
    tried = np.empty(path.shape[0], dtype=path.dtype)
    best, bound, pace, stale = floor, np.inf, 1.0, 0
    path[:] = NOTHING
    for _ in range(turns):
        tops(ground, worth, cell, options, counts, trial, top, pick)
        longest(ground, top, net, ahead)
        now = ahead[0] + trial.sum()
        if now < bound:
            stale = 0 if now < bound - 1e-3 * abs(bound - best) else stale + 1
            bound, penalty[:] = now, trial
        else:
            stale += 1
        if bound <= best + slack:
            break
        if stale >= STALE:
            pace, stale = pace * FALLING, 0
        trace(ground, top, pick, net, ahead, tried)
        square = _slope(ground, worth, cell, tried, trial, slope)
        value = without_repeats(ground, worth, cell, tried)
        if value > best:
            best, path[:] = value, tried
        if bound <= best + slack or square <= 0.0:
            break
        for c in range(trial.shape[0]):
            most = np.inf if c < campaigns else worth.bonus[g, c - campaigns]
            trial[c] = min(most, max(0.0, trial[c] - pace * (now - best) / square * slope[c]))
    return best, bound
