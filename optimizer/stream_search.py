"""The search for a cell's best stream at given prices: compiled loops over the stream graph.

Labels (node of the graph, campaigns and reach rows remembered) move forward from send day to send day,
and equal labels keep only the better one. A once-only campaign is remembered only in cells whose best
stream would otherwise send it twice (state space relaxation, tightened until the stream is valid; see
Righini and Salani, Networks 51, 2008). Labels that cannot beat `floor` are dropped: a relaxation with
penalties for what may be sent only once bounds what can follow them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

MOST_FATIGUE = 12
STEPS = 12
NOTHING = -1


class Ground(NamedTuple):
    """What no price changes: the graph, the cells, and what each cell may be sent.

    Arrays as in StreamGraph, Cells and Leeway; `cap_binds[s, i]` and `cap_most[s]` describe the shared
    caps, `needs[i, r]` marks the options that wait for only-after rule r, `opens[i]` those that open
    one, `power[k]` is the fatigue factor of k earlier contacts, `reach_names[b, i]` tells whether option
    i counts for reach row b, `lasting` whether a planned contact tires all later ones of the period.
    """

    kind: Any
    after: Any
    skip: Any
    node_fatigue: Any
    node_ready: Any
    counted: Any
    most_more: Any
    least_fatigue: Any
    once: Any
    segment: Any
    pattern: Any
    profile: Any
    allowed: Any
    open: Any
    used: Any
    fatigue: Any
    ready: Any
    cap_binds: Any
    cap_most: Any
    needs: Any
    opens: Any
    power: Any
    reach_names: Any
    lasting: Any


class Worth(NamedTuple):
    """What a contact is worth at the prices, by segment g, send day t and option i.

    A contact with k tiring contacts before it is worth gain[g, i] * power[k] - charge[g, t, i], and a
    stream that has a contact of reach row b earns bonus[g, b] once. bonus is never negative.
    """

    gain: Any
    charge: Any
    bonus: Any


@njit(cache=True)
def _fits(ground, cell, node, t, i):
    """Whether the cell may be sent option i on send day t at this node; the node after it, or -1."""
    e = ground.profile[cell]
    if not (ground.allowed[ground.pattern[cell], t, i] and ground.open[e, t, i]):
        return NOTHING
    to = ground.after[node, ground.kind[i]]
    if to < 0:
        return NOTHING
    for r in range(ground.needs.shape[1]):
        if ground.needs[i, r] and not (ground.ready[e, t, r] or ground.node_ready[node, r]):
            return NOTHING
    wide = ground.used.shape[3] - 1
    for s in range(ground.cap_most.shape[0]):
        if ground.cap_binds[s, i]:
            count = 0
            while count < ground.counted.shape[2] and ground.counted[node, s, count] >= 0:
                count += 1
            for j in range(count):
                first = min(ground.counted[node, s, j], wide)
                if count - j + 1 + ground.used[e, s, t, first] > ground.cap_most[s]:
                    return NOTHING
    return to


@njit(cache=True)
def _bonus(ground, worth, g, i, mask):
    """The reach bonuses that option i earns beyond those in the mask, and the mask with them."""
    extra = 0.0
    for b in range(ground.reach_names.shape[0]):
        if worth.bonus[g, b] > 0.0 and ground.reach_names[b, i] and not mask >> b & 1:
            extra += worth.bonus[g, b]
            mask |= np.int64(1) << b
    return extra, mask


@njit(cache=True)
def _candidates(ground, worth, cell, least, options, counts):
    """Fills `options[t, :counts[t]]` with what may be worth more than `least` on send day t."""
    g, p, e = ground.segment[cell], ground.pattern[cell], ground.profile[cell]
    for t in range(options.shape[0]):
        counts[t] = 0
        for i in range(ground.kind.shape[0]):
            if ground.allowed[p, t, i] and ground.open[e, t, i]:
                net = worth.gain[g, i] * ground.power[ground.fatigue[e, t]] - worth.charge[g, t, i]
                net += _bonus(ground, worth, g, i, np.int64(0))[0]
                if net > least or ground.opens[i]:
                    options[t, counts[t]] = i
                    counts[t] += 1


@njit(cache=True)
def _best_by_day(ground, worth, cell, options, counts, penalty, by_day, pick):
    """by_day[t, k]: the most one contact on send day t brings at fatigue k, less its campaign's penalty.

    At least 0; pick[t, k] is the once-only campaign of that contact, or -1.
    """
    g, e = ground.segment[cell], ground.profile[cell]
    by_day[:, :] = 0.0
    pick[:, :] = NOTHING
    for t in range(options.shape[0]):
        for n in range(counts[t]):
            i = options[t, n]
            c = ground.once[i]
            off = worth.charge[g, t, i] + (penalty[c] if c >= 0 else 0.0)
            gain = max(0.0, worth.gain[g, i])
            for k in range(by_day.shape[1]):
                net = gain * ground.power[ground.fatigue[e, t] + k] - off
                if net > by_day[t, k]:
                    by_day[t, k], pick[t, k] = net, c


@njit(cache=True)
def _outlook(ground, worth, cell, options, counts, penalty, rest, by_day, pick):
    """rest[t, k, r]: at most this much can come from r more contacts from send day t on at fatigue k.

    Every day may have its best contact, each tiring the next ones (where fatigue lasts the period).
    What may be sent or earned once only is not in it: its penalty or bonus comes on top, see _ahead.
    """
    days, tired, most = rest.shape
    _best_by_day(ground, worth, cell, options, counts, penalty, by_day, pick)
    rest[days - 1, :, :] = 0.0
    for t in range(days - 2, -1, -1):
        for k in range(tired):
            then = min(k + 1, tired - 1) if ground.lasting else k
            rest[t, k, 0] = 0.0
            for r in range(1, most):
                rest[t, k, r] = max(rest[t + 1, k, r], by_day[t, k] + rest[t + 1, then, r - 1])


@njit(cache=True)
def _sent_by_bound(ground, rest, by_day, pick, sent):
    """Counts in `sent` how often the outlook's best plan sends each once-only campaign."""
    days, tired, most = rest.shape
    sent[:] = 0
    k, r = 0, most - 1
    for t in range(days - 1):
        then = min(k + 1, tired - 1) if ground.lasting else k
        if r > 0 and by_day[t, k] > 0.0 and by_day[t, k] + rest[t + 1, then, r - 1] > rest[t + 1, k, r]:
            if pick[t, k] >= 0:
                sent[pick[t, k]] += 1
            k, r = then, r - 1


@njit(cache=True)
def _penalise(ground, worth, cell, floor, options, counts, penalty, rest, by_day, pick):
    """Finds penalties on once-only campaigns that make the outlook tight, by subgradient steps.

    The Lagrangian relaxation of "sent at most once" (Held, Wolfe and Crowder, Mathematical Programming
    6, 1974). Leaves the best penalties and their outlook; returns the bound on the whole stream.
    """
    g = ground.segment[cell]
    every = 0.0
    for b in range(ground.reach_names.shape[0]):
        every += worth.bonus[g, b]
    sent = np.zeros(penalty.shape[0], dtype=np.int64)
    best, least = np.zeros(penalty.shape[0]), np.inf
    penalty[:] = 0.0
    for _ in range(STEPS):
        _outlook(ground, worth, cell, options, counts, penalty, rest, by_day, pick)
        bound = rest[0, 0, rest.shape[2] - 1] + every + penalty.sum()
        if bound < least:
            least = bound
            best[:] = penalty
        _sent_by_bound(ground, rest, by_day, pick, sent)
        size = 0.0
        for c in range(penalty.shape[0]):
            if sent[c] > 1 or (sent[c] == 0 and penalty[c] > 0.0):
                size += (sent[c] - 1.0) ** 2
        if least <= floor or size == 0.0:
            break
        step = (bound - floor) / size
        for c in range(penalty.shape[0]):
            penalty[c] = max(0.0, penalty[c] + step * (sent[c] - 1.0))
    penalty[:] = best
    _outlook(ground, worth, cell, options, counts, penalty, rest, by_day, pick)
    return least


@njit(cache=True)
def _ahead(ground, rest, t, node, prizes, left):
    """The bound on what can follow a node; `left` are the bits of the mask not yet set."""
    k = ground.node_fatigue[node] if ground.lasting else ground.least_fatigue[node]
    bound = rest[t, min(k, rest.shape[1] - 1), min(ground.most_more[node], rest.shape[2] - 1)]
    for n in range(prizes.shape[0]):
        if left >> n & 1:
            bound += prizes[n]
    return bound


@njit(cache=True)
def _prizes(ground, worth, cell, penalty, memory):
    """What each bit of a mask is worth as long as it is not set: reach bonuses, then penalties."""
    g, rows = ground.segment[cell], ground.reach_names.shape[0]
    prizes = np.zeros(rows + memory.sum())
    prizes[:rows] = worth.bonus[g]
    n = rows
    for c in range(memory.shape[0]):
        if memory[c]:
            prizes[n] = penalty[c]
            n += 1
    return prizes


@njit(cache=True)
def _remembered(ground, memory, bits):
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
def _spread(ground, worth, cell, floor, least, options, counts, rest, prizes, bits, closing, space):
    """Moves labels through the days. Returns the last label of the best stream and its value.

    The label is -1 where nothing beats the floor, -2 where `space` is too small.
    """
    value, node, mask, before, sent, table, stamp = space
    g, e = ground.segment[cell], ground.profile[cell]
    size = table.shape[0]
    value[0], node[0], mask[0], before[0], sent[0] = 0.0, 0, 0, -1, NOTHING
    begin, end = 0, 1
    days = options.shape[0]
    for t in range(days):
        stamp[0] += 1
        fresh = end
        for label in range(begin, end):
            here, held = node[label], mask[label]
            factor = ground.power[ground.fatigue[e, t] + ground.node_fatigue[here]]
            for n in range(-1, counts[t]):
                if n < 0:
                    to, worth_now, then, i = ground.skip[here], value[label], held, NOTHING
                else:
                    i = options[t, n]
                    if held & bits[i]:
                        continue
                    extra, then = _bonus(ground, worth, g, i, held)
                    net = worth.gain[g, i] * factor - worth.charge[g, t, i] + extra
                    if net <= least and not ground.opens[i]:
                        continue
                    to = _fits(ground, cell, here, t, i)
                    if to < 0:
                        continue
                    worth_now = value[label] + net
                    then |= bits[i]
                then &= closing[t + 1]
                if worth_now + _ahead(ground, rest, t + 1, to, prizes, closing[t + 1] & ~then) <= floor:
                    continue
                slot = (to * 2654435761 + then * 40503) & (size - 1)
                while stamp[slot + 1] == stamp[0] and not (
                    node[table[slot]] == to and mask[table[slot]] == then
                ):
                    slot = (slot + 1) & (size - 1)
                if stamp[slot + 1] == stamp[0]:
                    at = table[slot]
                    if worth_now <= value[at]:
                        continue
                else:
                    if fresh >= value.shape[0] or 2 * (fresh - end) >= size:
                        return -2, floor
                    at = fresh
                    table[slot], stamp[slot + 1] = at, stamp[0]
                    fresh += 1
                value[at], node[at], mask[at], before[at], sent[at] = worth_now, to, then, label, i
        begin, end = end, fresh
    best, top = -1, floor
    for label in range(begin, end):
        if value[label] > top:
            best, top = label, value[label]
    return best, top


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
def _closing(ground, bits, options, counts, closing):
    """closing[t]: the part of a mask that send days from t on can still feel."""
    days = options.shape[0]
    closing[days] = 0
    for t in range(days - 1, -1, -1):
        closing[t] = closing[t + 1]
        for n in range(counts[t]):
            i = options[t, n]
            closing[t] |= bits[i]
            for b in range(ground.reach_names.shape[0]):
                if ground.reach_names[b, i]:
                    closing[t] |= np.int64(1) << b


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


@njit(cache=True)
def _trace(space, label, path):
    """Writes the label's options by send day into `path`."""
    path[:] = NOTHING
    if label >= 0:
        for t in range(path.shape[0] - 1, -1, -1):
            path[t] = space[4][label]
            label = space[3][label]


@njit(cache=True, parallel=True)
def search(ground, worth, cells, floor, memory, value, path, workers):
    """For each of `cells` the best stream worth more than its floor at the prices.

    value[n] and path[n, t] (option or -1) get the stream, or the floor and an empty path. memory[n] is
    the cell's remembered once-only campaigns, grown where needed. `workers` share the work.
    """
    days, options_count = ground.allowed.shape[1], ground.kind.shape[0]
    most = min(ground.most_more.max(), days) + 1
    # A contact worth nothing can be left out, unless tiring later ones is a gain.
    least = 0.0 if worth.gain.min() >= 0.0 else -np.inf
    for worker in prange(workers):
        options = np.empty((days, options_count), dtype=np.int32)
        counts = np.empty(days, dtype=np.int32)
        tired = min(MOST_FATIGUE, most)
        rest = np.zeros((days + 1, tired, most))
        by_day, pick = np.empty((days, tired)), np.empty((days, tired), dtype=np.int32)
        penalty = np.zeros(memory.shape[1])
        bits = np.empty(options_count, dtype=np.int64)
        closing = np.empty(days + 1, dtype=np.int64)
        space = _space(1 << 14, 1 << 15)
        for n in range(worker, cells.shape[0], workers):
            cell = cells[n]
            value[n], path[n, :] = floor[n], NOTHING
            _candidates(ground, worth, cell, least, options, counts)
            bound = _penalise(
                ground, worth, cell, floor[n], options, counts, penalty, rest, by_day, pick
            )
            if bound <= floor[n]:
                continue
            memory[n] |= penalty > 0.0
            while True:
                _remembered(ground, memory[n], bits)
                _closing(ground, bits, options, counts, closing)
                prizes = _prizes(ground, worth, cell, penalty, memory[n])
                label, top = _spread(
                    ground, worth, cell, floor[n], least, options, counts, rest, prizes, bits, closing, space
                )
                if label == -2:
                    space = _space(2 * space[0].shape[0], 4 * space[0].shape[0])
                    continue
                value[n] = top
                _trace(space, label, path[n])
                if not _repeats(ground, path[n], memory[n]):
                    break


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
        to = _fits(ground, cell, node, t, i)
        if to < 0:
            return -np.inf
        factor = ground.power[ground.fatigue[e, t] + ground.node_fatigue[node]]
        extra, mask = _bonus(ground, worth, g, i, mask)
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


@njit(cache=True)
def streams_above(ground, worth, cell, floor, most, most_steps):
    """All streams of a cell worth at least `floor` at the prices, as rows of options by send day.

    Returns (found, paths, steps); found is -1 where there are more than `most`, or where the search
    would take more than `most_steps`.
    """
    days, options_count = ground.allowed.shape[1], ground.kind.shape[0]
    options = np.empty((days, options_count), dtype=np.int32)
    counts = np.empty(days, dtype=np.int32)
    _candidates(ground, worth, cell, -np.inf, options, counts)
    most_more = min(ground.most_more.max(), days) + 1
    tired = min(MOST_FATIGUE, most_more)
    rest = np.zeros((days + 1, tired, most_more))
    by_day, pick = np.empty((days, tired)), np.empty((days, tired), dtype=np.int32)
    none = np.zeros(max(1, ground.once.max() + 1))
    _outlook(ground, worth, cell, options, counts, none, rest, by_day, pick)
    prizes = _prizes(ground, worth, cell, none, none > 0.0)
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
            to = _fits(ground, cell, node[t], t, i)
            if to < 0:
                continue
            factor = ground.power[ground.fatigue[e, t] + ground.node_fatigue[node[t]]]
            extra, then = _bonus(ground, worth, g, i, mask[t])
            now = value[t] + worth.gain[g, i] * factor - worth.charge[g, t, i] + extra
        if now + _ahead(ground, rest, t + 1, to, prizes, ~then) < floor:
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
