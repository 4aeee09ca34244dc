"""The search for a cell's best stream at given prices: compiled loops over the stream graph.

The bound (stream_bounds) comes first and mostly settles it. Where it does not, labels (node of the
graph, campaigns and reach rows remembered) move forward from send day to send day; equal labels keep
only the better one, and labels that cannot beat the best stream known are dropped. Remembered are the
campaigns with a penalty, and those the best stream would otherwise send twice (state space relaxation,
tightened until the stream is valid; see Righini and Salani, Networks 51, 2008).
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from optimizer.stream_bounds import candidates, longest, reachable, relax, tops
from optimizer.stream_ground import NOTHING, Ground, Worth, bonus_of, fits

__all__ = ["NOTHING", "Ground", "Worth"]

TURNS = 20
FIRST_LABELS = 1 << 12
HOPE = 0.5
CLOSE = 1e-9


@njit(cache=True)
def _remembered(ground, worth, g, memory, bits):
    """The bit of each option's once-only campaign; 0 where the campaign is not remembered."""
    rows = ground.reach_names.shape[0]
    place = np.zeros(max(1, memory.shape[0]), dtype=np.int64)
    for c in range(memory.shape[0]):
        if memory[c]:
            place[c] = np.int64(1) << rows
            rows += 1
    for i in range(bits.shape[0]):
        bits[i] = place[ground.once[i]] if ground.once[i] >= 0 else 0


@njit(cache=True)
def _closing(ground, bits, options, counts, penalty, closing, left):
    """closing[t]: the part of a mask that send days from t on can still feel; left[t, bit]: its penalties."""
    days, rows = options.shape[0], ground.reach_names.shape[0]
    campaigns = penalty.shape[0] - rows
    closing[days] = 0
    left[:] = 0.0
    for t in range(days - 1, -1, -1):
        closing[t] = closing[t + 1]
        for n in range(counts[t]):
            i = options[t, n]
            closing[t] |= bits[i]
            for b in range(rows):
                if ground.reach_names[b, i]:
                    closing[t] |= np.int64(1) << b
                    left[b] = penalty[campaigns + b]
            if bits[i]:
                at = 0
                while bits[i] >> at != 1:
                    at += 1
                left[at] = penalty[ground.once[i]]


@njit(cache=True)
def _owed(mask, left):
    """The penalties given back for what is open in the mask."""
    total = 0.0
    for at in range(left.shape[0]):
        if mask >> at & 1:
            total += left[at]
    return total


@njit(cache=True)
def _spread(ground, worth, cell, floor, least, options, counts, net, ahead, bits, closing, left, room, space):
    """Moves labels through the days. Returns the last label of the best stream and its value.

    The label is -1 where nothing beats the floor, -2 where `space` is too small.
    """
    _, node, _, skip, first, kind, to = net
    value, spot, mask, before, sent, table, stamp = space
    g, e = ground.segment[cell], ground.profile[cell]
    size = table.shape[0]
    value[0], spot[0], mask[0], before[0], sent[0] = 0.0, 0, 0, -1, NOTHING
    begin, end = 0, 1
    days = options.shape[0]
    for t in range(days):
        stamp[0] += 1
        fresh = end
        for label in range(begin, end):
            here, held = spot[label], mask[label]
            factor = ground.power[ground.fatigue[e, t] + ground.node_fatigue[node[here]]]
            for a in range(first[here] - 1, first[here + 1]):
                skips = a < first[here]
                target = skip[here] if skips else to[a]
                for n in range(1 if skips else counts[t]):
                    if skips:
                        worth_now, then, i = value[label], held, NOTHING
                    else:
                        i = options[t, n]
                        if ground.kind[i] != kind[a] or held & bits[i]:
                            continue
                        extra, then = bonus_of(ground, worth, g, i, held)
                        gain = worth.gain[g, i] * factor - worth.charge[g, t, i] + extra
                        if gain <= least and not ground.opens[i]:
                            continue
                        worth_now = value[label] + gain
                        then |= bits[i]
                    then &= closing[t + 1]
                    if worth_now + ahead[target] + _owed(closing[t + 1] & ~then, left) <= floor:
                        continue
                    slot = (target * 2654435761 + then * 40503) & (size - 1)
                    while stamp[slot + 1] == stamp[0] and not (
                        spot[table[slot]] == target and mask[table[slot]] == then
                    ):
                        slot = (slot + 1) & (size - 1)
                    if stamp[slot + 1] == stamp[0]:
                        at = table[slot]
                        if worth_now <= value[at]:
                            continue
                    else:
                        if fresh >= room:
                            return -2, floor
                        at = fresh
                        table[slot], stamp[slot + 1] = at, stamp[0]
                        fresh += 1
                    value[at], spot[at], mask[at], before[at], sent[at] = worth_now, target, then, label, i
        begin, end = end, fresh
    best, most = -1, floor
    for label in range(begin, end):
        if value[label] > most:
            best, most = label, value[label]
    return best, most


@njit(cache=True)
def _space(labels, slots):
    return (
        np.empty(labels),
        np.empty(labels, dtype=np.int32),
        np.empty(labels, dtype=np.int64),
        np.empty(labels, dtype=np.int32),
        np.empty(labels, dtype=np.int32),
        np.empty(slots, dtype=np.int32),
        np.zeros(slots + 1, dtype=np.int64),
    )


@njit(cache=True)
def _net(ground, days):
    """Room for a cell's part of the graph, see stream_bounds.reachable."""
    nodes, kinds = ground.after.shape
    return (
        np.full(nodes, NOTHING, dtype=np.int32),
        np.empty(nodes, dtype=np.int32),
        np.empty(days + 2, dtype=np.int32),
        np.empty(nodes, dtype=np.int32),
        np.empty(nodes + 1, dtype=np.int32),
        np.empty(nodes * kinds, dtype=np.int8),
        np.empty(nodes * kinds, dtype=np.int32),
    )


@njit(cache=True)
def _repeats(ground, path, memory):
    """Remembers the once-only campaigns that the path sends twice; whether there are any."""
    found = False
    for t in range(path.shape[0]):
        for u in range(t):
            if path[t] >= 0 and path[u] >= 0:
                c = ground.once[path[t]]
                if c >= 0 and c == ground.once[path[u]]:
                    memory[c] = True
                    found = True
    return found


@njit(cache=True, parallel=True)
def search(ground, worth, cells, floor, slack, most_labels, penalty, value, bound, path, workers):
    """For each of `cells` a stream worth more than its floor at the prices, and a bound on all of them.

    value[n] and path[n, t] (option or -1) get the stream, or the floor and an empty path; no stream of
    the cell is worth more than bound[n]. The bound is brought within `slack` of the
    value, unless this takes more than `most_labels`. penalty[n] is what the cell's search starts from
    and leaves behind. `workers` share the work.
    """
    days, options_count = ground.allowed.shape[1], ground.kind.shape[0]
    # A contact worth nothing can be left out, unless tiring later ones is a gain.
    least = 0.0 if worth.gain.min() >= 0.0 else -np.inf
    tired = ground.node_fatigue.max() + 1
    kinds = ground.after.shape[1]
    rows = ground.reach_names.shape[0]
    campaigns = penalty.shape[1] - rows
    for worker in prange(workers):
        options = np.empty((days, options_count), dtype=np.int32)
        counts = np.empty(days, dtype=np.int32)
        top, pick = np.empty((days, kinds, tired)), np.empty((days, kinds, tired), dtype=np.int32)
        net = _net(ground, days)
        ahead = np.empty(ground.after.shape[0])
        bits = np.empty(options_count, dtype=np.int64)
        closing = np.empty(days + 1, dtype=np.int64)
        left = np.empty(64)
        memory = np.empty(campaigns, dtype=np.bool_)
        nothing = np.zeros(penalty.shape[1])
        space = _space(FIRST_LABELS, 2 * FIRST_LABELS)
        trail = np.empty(days, dtype=path.dtype)
        for n in range(worker, cells.shape[0], workers):
            cell = cells[n]
            candidates(ground, worth, cell, least, options, counts)
            tops(ground, worth, cell, options, counts, nothing, top, pick)
            reachable(ground, cell, top, pick, least, net)
            value[n], bound[n] = relax(
                ground,
                worth,
                cell,
                floor[n],
                slack,
                TURNS,
                options,
                counts,
                net,
                ahead,
                top,
                pick,
                penalty[n],
                path[n],
            )
            if bound[n] <= value[n] + slack:
                continue
            tops(ground, worth, cell, options, counts, penalty[n], top, pick)
            longest(ground, top, net, ahead)
            for c in range(campaigns):
                memory[c] = penalty[n, c] > 0.0
            room, hope = FIRST_LABELS, 0.0
            while bound[n] > value[n] + slack:
                floor_now = value[n] + max(slack, hope * (bound[n] - value[n]))
                _remembered(ground, worth, ground.segment[cell], memory, bits)
                _closing(ground, bits, options, counts, penalty[n], closing, left)
                label, most = _spread(
                    ground,
                    worth,
                    cell,
                    floor_now,
                    least,
                    options,
                    counts,
                    net,
                    ahead,
                    bits,
                    closing,
                    left,
                    room,
                    space,
                )
                close = bound[n] - value[n] <= slack + CLOSE * abs(bound[n])
                if label == -2 and hope == 0.0 and not close:
                    hope = HOPE
                elif label == -2:
                    room *= 2
                    if room > most_labels:
                        break
                    if room > space[0].shape[0]:
                        space = _space(room, 2 * room)
                elif label < 0:
                    bound[n] = floor_now
                    hope = 0.0 if close else hope
                else:
                    last = label
                    for t in range(days - 1, -1, -1):
                        trail[t] = space[4][last]
                        last = space[3][last]
                    if not _repeats(ground, trail, memory):
                        value[n] = most
                        bound[n] = most
                        path[n, :] = trail


@njit(cache=True)
def _walk(ground, worth, cell, stream, start, stop):
    """The stream's worth in the cell at the prices; -inf where the cell may not have it."""
    g, e = ground.segment[cell], ground.profile[cell]
    node, total, mask, t = 0, 0.0, np.int64(0), 0
    for n in range(start, stop):
        day, i = stream[n, 0], stream[n, 1]
        while t < day:
            node = ground.skip[node]
            t += 1
        to = fits(ground, cell, node, t, i)
        if to < 0:
            return -np.inf
        factor = ground.power[ground.fatigue[e, t] + ground.node_fatigue[node]]
        extra, mask = bonus_of(ground, worth, g, i, mask)
        total += worth.gain[g, i] * factor - worth.charge[g, t, i] + extra
        node = to
        t += 1
    return total


@njit(cache=True, parallel=True)
def best_known(ground, worth, cells, stream, begin, value, which):
    """For each of `cells` the best of the known streams at the prices: its worth and its number.

    Stream s is the rows (send day, option) begin[s] to begin[s + 1] of `stream`. Of equals the first.
    """
    for n in prange(cells.shape[0]):
        value[n], which[n] = -np.inf, NOTHING
        for s in range(begin.shape[0] - 1):
            total = _walk(ground, worth, cells[n], stream, begin[s], begin[s + 1])
            if total > value[n]:
                value[n], which[n] = total, s


@njit(cache=True)
def known_above(ground, worth, cells, stream, begin, floor, pairs):
    """Fills `pairs` with the (place in cells, stream) whose worth is at least the cell's floor.

    Returns how many there are, also beyond the room in `pairs`.
    """
    found = 0
    for n in range(cells.shape[0]):
        for s in range(begin.shape[0] - 1):
            if _walk(ground, worth, cells[n], stream, begin[s], begin[s + 1]) >= floor[n]:
                if found < pairs.shape[0]:
                    pairs[found, 0], pairs[found, 1] = n, s
                found += 1
    return found


@njit(cache=True, parallel=True)
def worth_of(ground, worth, cells, streams, stream, begin, value):
    """The worth at the prices of stream streams[n] in cells[n]; -inf where it may not have it."""
    for n in prange(cells.shape[0]):
        s = streams[n]
        value[n] = _walk(ground, worth, cells[n], stream, begin[s], begin[s + 1])


MOST_FATIGUE = 12


@njit(cache=True)
def _best_by_day(ground, worth, cell, options, counts, by_day):
    """by_day[t, k]: the most that one contact on send day t can be worth at fatigue k, at least 0."""
    g, e = ground.segment[cell], ground.profile[cell]
    by_day[:, :] = 0.0
    for t in range(options.shape[0]):
        for k in range(by_day.shape[1]):
            factor = ground.power[ground.fatigue[e, t] + k]
            for n in range(counts[t]):
                i = options[t, n]
                net = max(0.0, worth.gain[g, i]) * factor - worth.charge[g, t, i]
                by_day[t, k] = max(by_day[t, k], net)


@njit(cache=True)
def _outlook(ground, worth, cell, options, counts, rest):
    """rest[t, k, r]: at most this much can come from r more contacts from send day t on at fatigue k.

    The lower of two relaxations: every day may have its best contact, each tiring the next ones (where
    fatigue lasts the period); every once-only campaign has its best day. All reach bonuses are added.
    """
    g, e = ground.segment[cell], ground.profile[cell]
    days, tired, most = rest.shape
    every = 0.0
    for b in range(ground.reach_names.shape[0]):
        every += worth.bonus[g, b]
    once = ground.once.max() + 1
    by_day, by_campaign = np.zeros((days, tired)), np.empty(once + days)
    _best_by_day(ground, worth, cell, options, counts, by_day)
    rest[days - 1, :, :] = 0.0
    for t in range(days - 2, -1, -1):
        for k in range(tired):
            then = min(k + 1, tired - 1) if ground.lasting else k
            rest[t, k, 0] = 0.0
            for r in range(1, most):
                rest[t, k, r] = max(rest[t + 1, k, r], by_day[t, k] + rest[t + 1, then, r - 1])
    for k in range(tired):
        best_once, best_free = np.zeros(max(1, once)), np.zeros(days)
        for t in range(days - 2, -1, -1):
            factor = ground.power[ground.fatigue[e, t] + k]
            for n in range(counts[t]):
                i = options[t, n]
                net = max(0.0, worth.gain[g, i]) * factor - worth.charge[g, t, i]
                c = ground.once[i]
                if c >= 0:
                    best_once[c] = max(best_once[c], net)
                else:
                    best_free[t] = max(best_free[t], net)
            by_campaign[:once] = best_once[:once]
            by_campaign[once:] = 0.0
            by_campaign[once + t :] = best_free[t:]
            items, total = np.sort(by_campaign), 0.0
            for r in range(1, most):
                if r <= items.shape[0]:
                    total += items[items.shape[0] - r]
                rest[t, k, r] = min(rest[t, k, r], total)
    rest[: days - 1] += every


@njit(cache=True)
def _ahead(ground, rest, t, node):
    """The bound on what can follow a node."""
    k = min(ground.node_fatigue[node] if ground.lasting else ground.least_fatigue[node], rest.shape[1] - 1)
    return rest[t, k, min(ground.most_more[node], rest.shape[2] - 1)]


@njit(cache=True)
def streams_above(ground, worth, cell, floor, most, most_steps):
    """All streams of a cell worth at least `floor` at the prices, as rows of options by send day.

    Returns (found, paths, steps); found is -1 where there are more than `most`, or where the search
    would take more than `most_steps`.
    """
    days, options_count = ground.allowed.shape[1], ground.kind.shape[0]
    options = np.empty((days, options_count), dtype=np.int32)
    counts = np.empty(days, dtype=np.int32)
    candidates(ground, worth, cell, -np.inf, options, counts)
    longest = 0
    for n in range(ground.most_more.shape[0]):
        longest = max(longest, ground.most_more[n])
    rest = np.zeros((days + 1, MOST_FATIGUE, longest + 1))
    _outlook(ground, worth, cell, options, counts, rest)
    paths = np.full((most, days), NOTHING, dtype=np.int32)
    g, e = ground.segment[cell], ground.profile[cell]
    found, t = 0, 0
    choice = np.full(days + 1, -2, dtype=np.int32)
    path = np.full(days, NOTHING, dtype=np.int32)
    node = np.zeros(days + 1, dtype=np.int32)
    value = np.zeros(days + 1)
    mask = np.zeros(days + 1, dtype=np.int64)
    used = np.zeros(ground.once.max() + 2, dtype=np.bool_)
    steps = 0
    while t >= 0:
        steps += 1
        if steps > most_steps:
            return -1, paths, steps
        if t == days:
            if value[t] >= floor:
                if found == most:
                    return -1, paths, steps
                paths[found] = path
                found += 1
            t -= 1
            continue
        if path[t] >= 0 and ground.once[path[t]] >= 0:
            used[ground.once[path[t]]] = False
        path[t] = NOTHING
        choice[t] += 1
        n = choice[t]
        if n >= counts[t]:
            choice[t] = -2
            t -= 1
            continue
        if n == -1:
            to, now, then = ground.skip[node[t]], value[t], mask[t]
        else:
            i = options[t, n]
            if ground.once[i] >= 0 and used[ground.once[i]]:
                continue
            to = fits(ground, cell, node[t], t, i)
            if to < 0:
                continue
            factor = ground.power[ground.fatigue[e, t] + ground.node_fatigue[node[t]]]
            extra, then = bonus_of(ground, worth, g, i, mask[t])
            now = value[t] + worth.gain[g, i] * factor - worth.charge[g, t, i] + extra
        if now + _ahead(ground, rest, t + 1, to) < floor:
            continue
        if n >= 0:
            path[t] = options[t, n]
            if ground.once[path[t]] >= 0:
                used[ground.once[path[t]]] = True
        node[t + 1], value[t + 1], mask[t + 1] = to, now, then
        t += 1
    return found, paths, steps


def empty_paths(count: int, days: int) -> NDArray[np.int32]:
    """Room for `count` paths: an option for each send day, all of them none."""
    return np.full((count, days), NOTHING, dtype=np.int32)
