"""The search for a cell's best stream at given prices: compiled loops over the stream graph.

The bound (stream_bounds) comes first and mostly settles it. Where it does not, labels (node of the
graph, campaigns and reach rows remembered) move forward from send day to send day; equal labels keep
only the better one, and labels that cannot beat the best stream known are dropped. Remembered are the
campaigns with a penalty, and those the best stream would otherwise send twice (state space relaxation,
tightened until the stream is valid; see Righini and Salani, Networks 51, 2008).
"""

from __future__ import annotations

import numpy as np
from numba import prange

from optimizer.compiled import compiled
from optimizer.stream_bounds import bound_with, new_work, prepare, relax
from optimizer.stream_ground import NOTHING, bonus_of, fee

TURNS = 20
FIRST_LABELS = 1 << 12
HOPE = 0.5
CLOSE = 1e-9
TOO_MANY = -2
MOST_BITS = 62


@compiled
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


@compiled
def _closing(ground, bits, penalty, work, closing, left):
    """closing[t]: the part of a mask that send days from t on can still feel; left[t, bit]: its penalties."""
    days, rows = work.counts.shape[0], ground.reach_names.shape[0]
    campaigns = penalty.shape[0] - rows
    closing[days] = 0
    left[:] = 0.0
    for t in range(days - 1, -1, -1):
        closing[t] = closing[t + 1]
        for n in range(work.counts[t]):
            i = work.options[t, n]
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


@compiled
def _owed(mask, left):
    """The penalties given back for what is open in the mask."""
    total, at = 0.0, 0
    while mask:
        if mask & 1:
            total += left[at]
        mask >>= 1
        at += 1
    return total


@compiled
def _spread(ground, worth, cell, floor, least, work, bits, closing, left, room, space):
    """Moves labels through the days. Returns the last label of the best stream and its value.

    The label is NOTHING where nothing beats the floor, TOO_MANY where it takes more than `room` labels.
    """
    value, spot, mask, before, sent, table, stamp = space
    f, g, e = ground.figures[cell], ground.segment[cell], ground.profile[cell]
    size = table.shape[0]
    value[0], spot[0], mask[0], before[0], sent[0] = 0.0, 0, 0, -1, NOTHING
    begin, end = 0, 1
    days = work.counts.shape[0]
    for t in range(days):
        stamp[0] += 1
        fresh = end
        for label in range(begin, end):
            here, held = spot[label], mask[label]
            factor = ground.power[ground.fatigue[e, t] + ground.node_fatigue[work.node[here]]]
            for a in range(work.first[here] - 1, work.first[here + 1]):
                skips = a < work.first[here]
                target = work.skip[here] if skips else work.to[a]
                for n in range(1 if skips else work.counts[t]):
                    if skips:
                        worth_now, then, i = value[label], held, NOTHING
                    else:
                        i = work.options[t, n]
                        if ground.kind[i] != work.kind[a] or held & bits[i]:
                            continue
                        extra, then = bonus_of(ground, worth, g, i, held)
                        gain = worth.gain[f, i] * factor - fee(ground, worth, cell, t, i) + extra
                        if gain <= least and not ground.opens[i]:
                            continue
                        worth_now = value[label] + gain
                        then |= bits[i]
                    then &= closing[t + 1]
                    if worth_now + work.ahead[target] + _owed(closing[t + 1] & ~then, left) <= floor:
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
                            return TOO_MANY, floor
                        at = fresh
                        table[slot], stamp[slot + 1] = at, stamp[0]
                        fresh += 1
                    value[at], spot[at], mask[at], before[at], sent[at] = worth_now, target, then, label, i
        begin, end = end, fresh
    best, most = NOTHING, floor
    for label in range(begin, end):
        if value[label] > most:
            best, most = label, value[label]
    return best, most


@compiled
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


@compiled
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


@compiled
def _trail(space, label, trail):
    """The options by send day that led to a label of the last day."""
    before, sent = space[3], space[4]
    for t in range(trail.shape[0] - 1, -1, -1):
        trail[t] = sent[label]
        label = before[label]


@compiled
def _settle(ground, worth, cell, slack, most_labels, least, penalty, value, bound, path, work, space):
    """Brings value and bound within `slack` by labels; returns both, and the space, which may have grown.

    Where the labels above the value are too many, those in the upper half between value and bound come
    first: a better stream among them is the best of all, else the bound falls by half.
    """
    days, campaigns = path.shape[0], penalty.shape[0] - ground.reach_names.shape[0]
    bits, closing = np.empty(ground.kind.shape[0], dtype=np.int64), np.empty(days + 1, dtype=np.int64)
    left, trail, memory = np.empty(64), np.empty_like(path), penalty[:campaigns] > 0.0
    bound_with(ground, worth, cell, penalty, work)
    room, hope = FIRST_LABELS, 0.0
    while bound > value + slack:
        floor = value + max(slack, hope * (bound - value))
        close = bound - value <= slack + CLOSE * abs(bound)
        if ground.reach_names.shape[0] + memory.sum() > MOST_BITS:
            break
        _remembered(ground, memory, bits)
        _closing(ground, bits, penalty, work, closing, left)
        label, most = _spread(ground, worth, cell, floor, least, work, bits, closing, left, room, space)
        if label == TOO_MANY and hope == 0.0 and not close:
            hope = HOPE
        elif label == TOO_MANY:
            room *= 2
            if room > most_labels:
                break
            if room > space[0].shape[0]:
                space = _space(room, 2 * room)
        elif label == NOTHING:
            bound, hope = floor, (0.0 if close else hope)
        else:
            _trail(space, label, trail)
            if not _repeats(ground, trail, memory):
                value, bound, path[:] = most, most, trail
    return value, bound, space


@compiled(parallel=True)
def search(ground, worth, cells, floor, slack, most_labels, penalty, value, bound, path, workers):
    """For each of `cells` a stream worth more than its floor at the prices, and a bound on all of them.

    value[n] and path[n, t] (option or -1) get the stream, or the floor and an empty path; no stream of
    the cell is worth more than bound[n]. The two are within `slack`, unless that takes more than
    `most_labels`. penalty[n] is what the cell's search starts from and leaves behind. `workers` share
    the work.
    """
    # A contact worth nothing can be left out, unless tiring later ones is a gain.
    least = 0.0 if worth.gain.min() >= 0.0 else -np.inf
    for worker in prange(workers):
        work, space = new_work(ground), _space(FIRST_LABELS, 2 * FIRST_LABELS)
        for n in range(worker, cells.shape[0], workers):
            prepare(ground, worth, cells[n], least, work)
            value[n], bound[n] = relax(
                ground, worth, cells[n], floor[n], slack, TURNS, penalty[n], path[n], work
            )
            if bound[n] > value[n] + slack:
                value[n], bound[n], space = _settle(
                    ground, worth, cells[n], slack, most_labels, least, penalty[n], value[n], bound[n],
                    path[n], work, space,
                )  # fmt: skip
