"""Growing the stream graph: compiled loops from send day to send day, equal states found by hashing.

A state is a sorted row of codes `tracker * width + remembered day`, repeats allowed, padded with FREE.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from optimizer.compiled import compiled

FREE = np.int16(32767)


class Memory(NamedTuple):
    """What the states are made of.

    `expires[code]` is the last send day on which a remembered contact counts. `adds[t, q]` are the codes
    that sending kind q on day t adds (padded with -1) and `sends[t, q]` whether it can be sent at all;
    `bounds[q]` are the trackers that bind it (padded with -1), `most[tracker]` how many remembered
    contacts each allows. `spared[q]` are those that bind it only where beside[tracker] remembers a
    contact too. Beyond `keeps[tracker]` contacts a tracker forgets the oldest. `width` is the number of
    send days.
    """

    expires: Any
    adds: Any
    sends: Any
    bounds: Any
    spared: Any
    beside: Any
    most: Any
    keeps: Any
    width: Any


@compiled
def _held(memory, state, tracker):
    """How many contacts the tracker remembers."""
    held = 0
    for n in range(state.shape[0]):
        if state[n] == FREE:
            break
        if state[n] // memory.width == tracker:
            held += 1
    return held


@compiled
def _allowed(memory, state, q):
    for b in range(memory.bounds.shape[1]):
        tracker = memory.bounds[q, b]
        if tracker < 0:
            break
        if _held(memory, state, tracker) > memory.most[tracker]:
            return False
    for b in range(memory.spared.shape[1]):
        tracker = memory.spared[q, b]
        if tracker < 0:
            break
        full = _held(memory, state, tracker) > memory.most[tracker]
        if full and _held(memory, state, memory.beside[tracker]) > 0:
            return False
    return True


@compiled
def _forget(memory, state, size, tracker):
    """Takes out the oldest contact of a tracker that remembers too many; the size that is left."""
    held, oldest = 0, -1
    for n in range(size):
        if state[n] // memory.width == tracker:
            held += 1
            if oldest < 0:
                oldest = n
    if held <= memory.keeps[tracker]:
        return size
    for n in range(oldest, size - 1):
        state[n] = state[n + 1]
    return size - 1


@compiled
def _next_state(memory, state, t, q, fresh):
    """Fills `fresh` with the state after day t: what expires is dropped, what kind q adds is put in."""
    size = 0
    for n in range(state.shape[0]):
        if state[n] == FREE:
            break
        if memory.expires[state[n]] > t:
            fresh[size] = state[n]
            size += 1
    if q >= 0:
        for a in range(memory.adds.shape[2]):
            code = memory.adds[t, q, a]
            if code < 0:
                break
            place = size
            while place > 0 and fresh[place - 1] > code:
                fresh[place] = fresh[place - 1]
                place -= 1
            fresh[place] = code
            size += 1
            if memory.keeps[code // memory.width] < memory.width:
                size = _forget(memory, fresh, size, code // memory.width)
    fresh[size:] = FREE


@compiled
def _hash(state):
    mixed = np.uint64(1469598103934665603)
    for n in range(state.shape[0]):
        if state[n] == FREE:
            break
        mixed = (mixed ^ np.uint64(state[n] + 1)) * np.uint64(1099511628211)
    return mixed ^ (mixed >> np.uint64(29))


@compiled
def _equal(one, other):
    for n in range(one.shape[0]):
        if one[n] != other[n]:
            return False
        if one[n] == FREE:
            break
    return True


@compiled
def _rehashed(states, begin, end, slots):
    """A larger table that holds the nodes of the growing layer."""
    table = np.full(slots, -1, dtype=np.int64)
    for node in range(begin, end):
        slot = np.int64(_hash(states[node]) % np.uint64(slots))
        while table[slot] >= 0:
            slot = (slot + 1) % slots
        table[slot] = node
    return table


@compiled
def _wider(rows, size):
    more = np.empty((2 * size, rows.shape[1]), dtype=rows.dtype)
    more[:size] = rows[:size]
    return more


@compiled
def grow(memory, length, most_nodes):
    """Grows all layers. Returns (states, send day of each node, after, skip); empty beyond `most_nodes`.

    `length` is the room for a state's codes. `after[n, q]` and `skip[n]` are -1 in the last layer.
    """
    days, kinds = memory.sends.shape
    states = np.full((1024, length), FREE, dtype=np.int16)
    links = np.full((1024, kinds + 1), -1, dtype=np.int32)
    layer = np.zeros(days + 2, dtype=np.int64)
    layer[1] = 1
    count = 1
    fresh = np.empty(length, dtype=np.int16)
    for t in range(days):
        table = np.full(1024, -1, dtype=np.int64)
        for node in range(layer[t], layer[t + 1]):
            for q in range(-1, kinds):
                if q >= 0 and not (memory.sends[t, q] and _allowed(memory, states[node], q)):
                    continue
                _next_state(memory, states[node], t, q, fresh)
                slot = np.int64(_hash(fresh) % np.uint64(table.shape[0]))
                while table[slot] >= 0 and not _equal(states[table[slot]], fresh):
                    slot = (slot + 1) % table.shape[0]
                if table[slot] < 0:
                    if count == states.shape[0]:
                        states, links = _wider(states, count), _wider(links, count)
                    states[count] = fresh
                    links[count, :] = -1
                    table[slot] = count
                    count += 1
                    links[node, q + 1] = count - 1
                    if 2 * (count - layer[t + 1]) > table.shape[0]:
                        table = _rehashed(states, layer[t + 1], count, 4 * table.shape[0])
                else:
                    links[node, q + 1] = table[slot]
            if count > most_nodes:
                return states[:0], layer, links[:0]
        layer[t + 2] = count
    return states[:count], layer, links[:count]
