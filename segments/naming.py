"""Names for segments, in words, from what sets them apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

CLEAR = 0.3
"""A segment stands out in a feature from this far from the mean on, in robust standard deviations."""
STRONG = 1.25
"""From here on a "high" is "very high"."""
WORDS = 3
MOST_WORDS = 5

_TRAITS = {  # feature: theme, words when high, words when low
    "margin_12m": ("value", "high margin", "low margin"),
    "amount_12m": ("value", "high spend", "low spend"),
    "recency_days": ("recency", "lapsed", "recent"),
    "orders": ("frequency", "frequent", "infrequent"),
    "tenure_days": ("tenure", "long-standing", "new"),
    "response_rate": ("response", "responsive", "unresponsive"),
    "contacts_12m": ("contact", "often contacted", "rarely contacted"),
}
_SUFFIXES = {
    "_response_rate": ("response", "{} responsive", "{} unresponsive"),
    "_contact_share": ("contact", "mostly {}", "little {}"),
}
_ORDER = ("value", "recency", "frequency", "tenure", "response", "contact")
_CHANNELS = {"email": "e-mail", "sms": "SMS"}


def segment_names(contrasts: NDArray[np.float64], features: Sequence[str]) -> tuple[str, ...]:
    """Return one name a segment, all different.

    `contrasts` (segments × features) is how far the segment's centre lies from the mean of all customers, in
    robust standard deviations. A name has the three themes that stand out most, more where two names are
    alike, and a number where that does not help.
    """
    if len(contrasts) == 1:
        return ("all customers",)
    phrases = [_phrases(row, features) for row in contrasts]
    sizes = [WORDS] * len(phrases)
    for _ in range(MOST_WORDS - WORDS):
        names = [_join(found, size) for found, size in zip(phrases, sizes, strict=True)]
        sizes = [size + (names.count(name) > 1) for name, size in zip(names, sizes, strict=True)]
    names = [_join(found, size) for found, size in zip(phrases, sizes, strict=True)]
    return tuple(
        name if names.count(name) == 1 else f"{name} ({names[: i + 1].count(name)})"
        for i, name in enumerate(names)
    )


def _phrases(contrasts: NDArray[np.float64], features: Sequence[str]) -> list[tuple[int, str]]:
    """Places in the name and phrases of what stands out, the clearest first, one a theme."""
    found: dict[str, tuple[int, str]] = {}
    for i in sorted(range(len(features)), key=lambda i: (-abs(round(float(contrasts[i]), 6)), i)):
        contrast = float(contrasts[i])
        theme, high, low = _trait(features[i])
        if abs(contrast) < CLEAR or theme in found:
            continue
        phrase = high if contrast > 0 else low
        if abs(contrast) >= STRONG and phrase.startswith(("high ", "low ")):
            phrase = f"very {phrase}"
        place = _ORDER.index(theme) if theme in _ORDER else len(_ORDER) + i
        found[theme] = (place, phrase)
    return list(found.values())


def _trait(feature: str) -> tuple[str, str, str]:
    """Theme of a feature, and the words for a high and a low figure."""
    if feature in _TRAITS:
        return _TRAITS[feature]
    for suffix, (theme, high, low) in _SUFFIXES.items():
        if feature.endswith(suffix):
            channel = feature.removesuffix(suffix)
            word = _CHANNELS.get(channel, channel.replace("_", " "))
            return theme, high.format(word), low.format(word)
    words = feature.replace("_", " ")
    return f"own {feature}", f"high {words}", f"low {words}"


def _join(phrases: list[tuple[int, str]], size: int) -> str:
    return ", ".join(phrase for _, phrase in sorted(phrases[:size])) or "average"
