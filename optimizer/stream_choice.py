"""Every fine cell's best stream of a menu at given prices, compiled.

Which streams a cell may have is told by bits that come apart: those that its kind may be sent at all, those
that leave room for each earlier contact by itself, those that keep each cap which several of them fill.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import prange

from optimizer.choosers import BEGIN, END, FILLED, TIRED
from optimizer.compiled import compiled
from optimizer.menu import BITS

EMPTY = -1
"""The place of the empty stream, which is on no menu and worth nothing."""


class MenuWorth(NamedTuple):
    """What the menu is worth at the prices: gain[f, i] times fatigue for a contact of option i to customers
    with figures f, less fee[g, s] for the stream.

    Where costs differ, a contact costs beyond[f, i] more, and money[g, t, i] for each unit of money that it
    is dearer. `most[g, s]` is the most a stream can be worth to anybody, `rest[g, w]` the most of those in
    word w or after it. `stay` is earned for every contact that stays as it was planned.
    """

    gain: Any
    beyond: Any
    money: Any
    fee: Any
    most: Any
    rest: Any
    stay: float


@compiled(inline=True)
def _word(ch, n, w):
    """Word w of the bits of the streams that cell n may have."""
    k, own = ch.kind[n], ch.lists[ch.listed[n]]
    g, word = ch.segment[k], ch.by_kind[k, w]
    for place in range(own[BEGIN], own[END]):
        word &= ch.by_code[ch.codes[place], g, w]
    for c in range(ch.owns.shape[0]):
        word &= ch.room[ch.room_begin[c] + own[FILLED + c] * ch.owns[c] + ch.own[c, k], g, w]
    return word


@compiled(inline=True)
def _fitting(ch, n, words):
    """Fill `words` with the bits of the streams that cell n may have."""
    for w in range(words.shape[0]):
        words[w] = _word(ch, n, w)


@compiled(inline=True)
def _worth(ch, worth, n, s):
    """What stream s is worth to cell n."""
    k, e = ch.kind[n], ch.lists[ch.listed[n], TIRED]
    g, f = ch.segment[k], ch.figures[n]
    total = -worth.fee[g, s]
    for c in range(ch.first[g, s], ch.first[g, s + 1]):
        i = ch.option[c]
        total += worth.gain[f, i] * ch.power[ch.fatigue[e, ch.day[c]] + ch.tired_by_own[c]]
        if worth.beyond.shape[0] > 0:
            total -= worth.beyond[f, i] + worth.money[g, ch.day[c], i] * ch.dearer[f, i]
        if worth.stay > 0.0 and ch.planned[ch.kept[k], ch.day[c]] == ch.option[c]:
            total += worth.stay
    return total


@compiled(inline=True)
def _best(ch, worth, n, former):
    """The cell's best stream and its worth; of equals the former one, then the first on the menu."""
    g, best, which = ch.segment[ch.kind[n]], 0.0, EMPTY
    if former >= 0:
        own = _worth(ch, worth, n, former)
        if own > best:
            best, which = own, former
    for w in range(ch.by_kind.shape[1]):
        if worth.rest[g, w] <= best:
            break
        left, s = _word(ch, n, w), w * BITS
        while left:
            if not left & 0xFF:
                left >>= 8
                s += 8
                continue
            if left & 1 and worth.most[g, s] > best:
                own = _worth(ch, worth, n, s)
                if own > best:
                    best, which = own, s
            left >>= 1
            s += 1
    return which, best


@compiled(inline=True)
def _offered(ch, worth, n, gain, fee):
    """What every offer of the segment brings cell n, fatigue by earlier contacts included, and costs it."""
    k, e, f = ch.kind[n], ch.lists[ch.listed[n], TIRED], ch.figures[n]
    g = ch.segment[k]
    for o in range(ch.offers[g], ch.offers[g + 1]):
        t, i, here = ch.offer_day[o], ch.offer_option[o], o - ch.offers[g]
        gain[here] = worth.gain[f, i] * ch.power[ch.fatigue[e, t]]
        fee[here] = 0.0
        if worth.beyond.shape[0] > 0:
            fee[here] = worth.beyond[f, i] + worth.money[g, t, i] * ch.dearer[f, i]
        if worth.stay > 0.0 and ch.planned[ch.kept[k], t] == i:
            fee[here] -= worth.stay


@compiled(inline=True)
def _best_offered(ch, worth, n, former, words, gain, fee):
    """As _best, where customers have figures of their own: no stream is out of the question beforehand."""
    _fitting(ch, n, words)
    _offered(ch, worth, n, gain, fee)
    costs = worth.beyond.shape[0] > 0 or worth.stay > 0.0
    g, best, which = ch.segment[ch.kind[n]], 0.0, EMPTY
    for w in range(words.shape[0]):
        left, s = words[w], w * BITS
        while left:
            if not left & 0xFF:
                left >>= 8
                s += 8
                continue
            if left & 1:
                own = -worth.fee[g, s]
                for c in range(ch.first[g, s], ch.first[g, s + 1]):
                    own += gain[ch.at[c]] * ch.rested[c]
                    if costs:
                        own -= fee[ch.at[c]]
                if own > best or (s == former and own == best and own > 0.0):
                    best, which = own, s
            left >>= 1
            s += 1
    return which, best


@compiled(parallel=True)
def choose_offered(ch, worth, blocks, which, total, count):
    """As `choose`, where customers have figures of their own."""
    most = np.int64(0)
    for g in range(ch.offers.shape[0] - 1):
        most = max(most, ch.offers[g + 1] - ch.offers[g])
    for b in prange(blocks.shape[0] - 1):
        words = np.empty(ch.by_kind.shape[1], dtype=np.int64)
        gain, fee = np.empty(most), np.empty(most)
        for n in range(blocks[b], blocks[b + 1]):
            s, own = _best_offered(ch, worth, n, which[n], words, gain, fee)
            which[n] = s
            total[b] += own * ch.customers[n]
            if s >= 0:
                count[b, s] += ch.customers[n]


@compiled(parallel=True)
def choose(ch, worth, blocks, which, total, count):
    """Each cell's best stream, put into `which`, which holds the former ones, or EMPTY.

    By block of cells (from blocks[b] to blocks[b + 1]) the sum of their worth is put into total[b], and how
    many customers get each stream into count[b, s].
    """
    for b in prange(blocks.shape[0] - 1):
        for n in range(blocks[b], blocks[b + 1]):
            s, own = _best(ch, worth, n, which[n])
            which[n] = s
            total[b] += own * ch.customers[n]
            if s >= 0:
                count[b, s] += ch.customers[n]


@compiled(parallel=True)
def worth_of_chosen(ch, worth, blocks, which, total):
    """By block the sum of what the chosen streams are worth to their cells."""
    for b in prange(blocks.shape[0] - 1):
        for n in range(blocks[b], blocks[b + 1]):
            if which[n] >= 0:
                total[b] += _worth(ch, worth, n, which[n]) * ch.customers[n]


@compiled(parallel=True)
def worth_of_pairs(ch, worth, cells, streams, value):
    """What stream streams[m] is worth to cell cells[m]."""
    for m in prange(cells.shape[0]):
        value[m] = 0.0
        if streams[m] >= 0:
            value[m] = _worth(ch, worth, cells[m], streams[m])


@compiled(parallel=True)
def best_few(ch, worth, cells, few):
    """Fill few[m] with the best streams of cells[m] at the prices, the best first, EMPTY where no more fit.

    Streams that are worth less than nothing are among them: a minimum may ask for them.
    """
    for m in prange(cells.shape[0]):
        words = np.empty(ch.by_kind.shape[1], dtype=np.int64)
        own = np.full(few.shape[1], -np.inf)
        _fitting(ch, cells[m], words)
        few[m, :] = EMPTY
        g, last = ch.segment[ch.kind[cells[m]]], few.shape[1] - 1
        for s in range(worth.most.shape[1]):
            if words[s // BITS] >> (s % BITS) & 1 and worth.most[g, s] > own[last]:
                value, at = _worth(ch, worth, cells[m], s), last
                if value > own[at]:
                    while at > 0 and value > own[at - 1]:
                        own[at], few[m, at] = own[at - 1], few[m, at - 1]
                        at -= 1
                    own[at], few[m, at] = value, s
