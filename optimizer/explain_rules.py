"""Which rules of the contact policy stand between a customer and one more contact, and until when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from optimizer.earlier_contacts import EarlierContact
from optimizer.rules import ContactRules, FrequencyCap, NeverTogether
from optimizer.wording import counted, day, enumeration

MOST_NAMED = 4


@dataclass(frozen=True)
class Obstacle:
    """A rule that forbids a contact because of others: `code` of the reason, the rule in words.

    `contacts` are those in the way (none for a window that nothing opens); `until` is the last day from
    the period's start on which those before and promised alone forbid it, None where that does not end.
    `apart` tells a rule of distance from one of number.
    """

    code: str
    rule: str
    contacts: tuple[EarlierContact, ...]
    until: int | None = None
    apart: bool = False

    @property
    def verb(self) -> str:
        """What the rule does, to be followed by the names of the contacts."""
        return "keeps it away: it is too near to" if self.apart else "is reached by"


def obstacles(
    rules: ContactRules,
    earlier: Sequence[EarlierContact],
    planned: Sequence[EarlierContact],
    new: EarlierContact,
) -> tuple[Obstacle, ...]:
    """Every rule that forbids `new` beside earlier and planned contacts."""
    return tuple(_obstacles(rules, tuple(earlier), tuple(planned), new))


def _obstacles(
    rules: ContactRules,
    earlier: tuple[EarlierContact, ...],
    planned: tuple[EarlierContact, ...],
    new: EarlierContact,
) -> Iterator[Obstacle]:
    same = tuple(c for c in earlier if _place(c) == _place(new))
    if same:
        yield Obstacle("already_promised", "this very contact is promised already", same, new.day)
    that_day = tuple(c for c in planned if c.day == new.day)
    if that_day:
        yield Obstacle("own_stream", "the one planned contact a day", that_day)
    for cap in rules.caps:
        full = _full_stretch(cap, earlier, planned, new)
        if full is not None:
            until = None if planned else _last_full_day(cap, earlier, new)
            yield Obstacle("cap_reached", cap_in_words(cap), full, until, apart=cap.breach == "spacing")
    for apart in rules.never_together:
        near = _too_near(apart, (*earlier, *planned), new)
        if near:
            until = max(c.day for c in near) + apart.days
            words = f"{apart.path} ({counted(apart.days, 'day')} apart)"
            yield Obstacle("cap_reached", words, near, until, apart=True)
    for rule in rules.only_after:
        ready = any(
            rule.names(c) and rule.first <= new.day - c.day <= rule.last for c in (*earlier, *planned)
        )
        if rule.binds(new) and not ready:
            words = f"{rule.path}: only {rule.first} to {rule.last} days after {rule.after}"
            yield Obstacle("only_after", words, ())


def _full_stretch(
    cap: FrequencyCap,
    earlier: tuple[EarlierContact, ...],
    planned: tuple[EarlierContact, ...],
    new: EarlierContact,
) -> tuple[EarlierContact, ...] | None:
    """The others in the fullest stretch of the cap's days that `new` would overfill; None without one."""
    if not cap.names(new):
        return None
    others = [c for c in (*earlier, *planned) if cap.names(c)]
    bound = [c for c in (*planned, new) if cap.names(c) and cap.binds(c)]
    fullest: tuple[EarlierContact, ...] | None = None
    for first in range(new.day - cap.reach, new.day + 1):
        last = first + cap.reach
        inside = tuple(c for c in others if first <= c.day <= last)
        binds = any(first <= c.day <= last for c in bound)
        if binds and len(inside) >= cap.contacts and (fullest is None or len(inside) > len(fullest)):
            fullest = inside
    return fullest


def _last_full_day(cap: FrequencyCap, earlier: tuple[EarlierContact, ...], new: EarlierContact) -> int | None:
    if cap.contacts == 0:
        return None
    last = new
    while _full_stretch(cap, earlier, (), later := replace(last, day=last.day + 1)) is not None:
        last = later
    return last.day


def _too_near(
    rule: NeverTogether, others: tuple[EarlierContact, ...], new: EarlierContact
) -> tuple[EarlierContact, ...]:
    return tuple(c for c in others if rule.clash(c, new) and abs(c.day - new.day) <= rule.days)


def _place(contact: EarlierContact) -> tuple[int, str, str]:
    return contact.day, contact.channel, contact.campaign


def cap_in_words(cap: FrequencyCap) -> str:
    """The cap's path in the plan with what it allows."""
    if cap.breach == "spacing":
        return f"{cap.path} ({counted(cap.days, 'day')})"
    return f"{cap.path} (at most {counted(cap.contacts, 'contact')} in {counted(cap.days, 'day')})"


def contact_in_words(contact: EarlierContact, start: date) -> str:
    """Such as `sale by email on Mon 30 Nov`."""
    return f"{contact.campaign} by {contact.channel} on {day(start + timedelta(contact.day))}"


def contacts_in_words(contacts: Sequence[EarlierContact], start: date) -> str:
    """The contacts by date; of many the last few and how many more."""
    told = sorted(contacts, key=_place)
    words = [contact_in_words(c, start) for c in told[-MOST_NAMED:]]
    more = len(told) - MOST_NAMED
    return enumeration([*words, f"{more} more before"] if more > 0 else words)
