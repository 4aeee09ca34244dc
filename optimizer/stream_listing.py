"""All streams of a cell near its best one, for the proof that no better whole-number plan exists."""

from __future__ import annotations

import numpy as np

from optimizer.compiled import compiled
from optimizer.stream_bounds import bound_with, cut_penalties, new_work, prepare
from optimizer.stream_ground import NOTHING, bonus_of, fee


@compiled
def _arc(work, m, q):
    """The place reached from place m by sending kind q, or -1."""
    for a in range(work.first[m], work.first[m + 1]):
        if work.kind[a] == q:
            return work.to[a]
    return NOTHING


@compiled
def _owed(ground, penalty, used, mask):
    """The penalties given back for campaigns not yet used and reach rows not yet earned."""
    total, campaigns = 0.0, penalty.shape[0] - ground.reach_names.shape[0]
    for c in range(campaigns):
        if not used[c]:
            total += penalty[c]
    for b in range(ground.reach_names.shape[0]):
        if not mask >> b & 1:
            total += penalty[campaigns + b]
    return total


@compiled
def streams_above(ground, worth, cell, floor, penalty, most, most_steps):
    """All streams of a cell worth at least `floor` at the prices, as rows of options by send day.

    `penalty` is that of the cell's last search: it makes the bound on what can follow tight. Returns
    (found, paths, steps); found is -1 where there are more than `most`, or where the search would take
    more than `most_steps`.
    """
    days, work, penalty = ground.allowed.shape[1], new_work(ground), penalty.copy()
    cut_penalties(ground, worth, cell, penalty)
    prepare(ground, worth, cell, -np.inf, work)
    bound_with(ground, worth, cell, penalty, work)
    paths = np.full((most, days), NOTHING, dtype=np.int32)
    f, g, e = ground.figures[cell], ground.segment[cell], ground.profile[cell]
    found, steps, t = 0, 0, 0
    choice = np.full(days + 1, -2, dtype=np.int32)
    path = np.full(days, NOTHING, dtype=np.int32)
    spot = np.zeros(days + 1, dtype=np.int32)
    value = np.zeros(days + 1)
    mask = np.zeros(days + 1, dtype=np.int64)
    used = np.zeros(penalty.shape[0] + 1, dtype=np.bool_)
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
        if n >= work.counts[t]:
            choice[t] = -2
            t -= 1
            continue
        if n == -1:
            to, now, then = work.skip[spot[t]], value[t], mask[t]
        else:
            i = work.options[t, n]
            if ground.once[i] >= 0 and used[ground.once[i]]:
                continue
            to = _arc(work, spot[t], ground.kind[i])
            if to < 0:
                continue
            factor = ground.power[ground.fatigue[e, t] + ground.node_fatigue[work.node[spot[t]]]]
            extra, then = bonus_of(ground, worth, g, i, mask[t])
            now = value[t] + worth.gain[f, i] * factor - fee(ground, worth, cell, t, i) + extra
        if n >= 0:
            path[t] = work.options[t, n]
            if ground.once[path[t]] >= 0:
                used[ground.once[path[t]]] = True
        if now + work.ahead[to] + _owed(ground, penalty, used, then) < floor:
            continue
        spot[t + 1], value[t + 1], mask[t + 1] = to, now, then
        t += 1
    return found, paths, steps
