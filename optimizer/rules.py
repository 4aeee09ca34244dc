"""The contact policy's rules about one customer's contacts over time.

One small class a rule. Each says which contacts it counts (`names`) and which planned contacts it
binds (`binds`); the streams, the effect of earlier contacts and the audit are all built on these.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from optimizer.plan_file import Cap, Plan


class Contact(Protocol):
    """What a rule looks at: an option of the plan, or a contact of the history (type None = unknown)."""

    @property
    def campaign(self) -> str: ...  # noqa: D102
    @property
    def channel(self) -> str: ...  # noqa: D102
    @property
    def type(self) -> str | None: ...  # noqa: D102


OWN_LIMIT = "customers.max_contacts"
"""Where a customer's own limit stands."""


@dataclass(frozen=True)
class FrequencyCap:
    """At most `contacts` of the contacts it names in any `days` consecutive days.

    None in `channels`, `campaigns` or `types` names all of them. A contact whose type is unknown
    counts as every type. Campaigns in `uncounted` are not named; a stretch is broken only by a planned
    contact of a campaign that is not in `ignoring`.
    """

    path: str
    breach: str
    contacts: int
    days: int
    channels: tuple[str, ...] | None = None
    campaigns: tuple[str, ...] | None = None
    types: tuple[str, ...] | None = None
    uncounted: tuple[str, ...] = ()
    ignoring: tuple[str, ...] = ()

    @property
    def reach(self) -> int:
        """The greatest distance in days at which two contacts still feel each other."""
        return self.days - 1

    @property
    def own(self) -> bool:
        """Whether this is the customers' own limit: less than `contacts` for each who has one."""
        return self.path == OWN_LIMIT

    def names(self, contact: Contact) -> bool:
        """Whether the cap counts this contact."""
        return (
            (self.channels is None or contact.channel in self.channels)
            and (self.campaigns is None or contact.campaign in self.campaigns)
            and (self.types is None or contact.type is None or contact.type in self.types)
            and contact.campaign not in self.uncounted
        )

    def binds(self, contact: Contact) -> bool:
        """Whether the contact, if planned, may not stand in a stretch that holds too many."""
        return contact.campaign not in self.ignoring and self.names(contact)

    def spares(self, contact: Contact) -> bool:
        """Whether the contact is counted and may yet stand where only contacts like it are planned."""
        return contact.campaign in self.ignoring and self.names(contact)


@dataclass(frozen=True)
class NeverTogether:
    """Contacts of different campaigns of the list keep more than `days` days apart."""

    path: str
    campaigns: tuple[str, ...]
    days: int

    @property
    def reach(self) -> int:
        """The greatest distance in days at which two contacts still feel each other."""
        return self.days

    def names(self, contact: Contact) -> bool:
        """Whether the contact's campaign is in the list."""
        return contact.campaign in self.campaigns

    binds = names

    def clash(self, one: Contact, other: Contact) -> bool:
        """Whether the two may not stand within `days` of each other."""
        return one.campaign != other.campaign and self.names(one) and self.names(other)


@dataclass(frozen=True)
class OnlyAfter:
    """A contact of `campaign` needs one of `after` at least `first` and at most `last` days before."""

    path: str
    campaign: str
    after: str
    first: int
    last: int

    @property
    def reach(self) -> int:
        """The greatest distance in days at which the earlier contact still counts."""
        return self.last

    def names(self, contact: Contact) -> bool:
        """Whether the contact opens the window."""
        return contact.campaign == self.after

    def binds(self, contact: Contact) -> bool:
        """Whether the contact needs the window."""
        return contact.campaign == self.campaign


@dataclass(frozen=True)
class ContactRules:
    """Every rule of a plan that speaks about a customer's contacts over time."""

    caps: tuple[FrequencyCap, ...]
    never_together: tuple[NeverTogether, ...]
    only_after: tuple[OnlyAfter, ...]
    fatigue_keep: float
    fatigue_days: int

    @classmethod
    def of(cls, plan: Plan) -> ContactRules:
        """The rules of a plan; the spacing is the cap of one contact in so many days."""
        policy = plan.policy
        uncounted = tuple(name for name, c in plan.campaigns.items() if not c.counts_towards_caps)
        ignoring = tuple(name for name, c in plan.campaigns.items() if c.ignores_caps)
        caps = [*_caps("policy.max_per_customer", policy.max_per_customer)]
        if policy.min_days_between > 0:
            caps.append(FrequencyCap("policy.min_days_between", "spacing", 1, policy.min_days_between))
        for name, channel in plan.channels.items():
            caps += _caps(f"channels.{name}.max_per_customer", channel.max_per_customer, channels=(name,))
        caps = [
            cap if cap.breach == "spacing" else replace(cap, uncounted=uncounted, ignoring=ignoring)
            for cap in caps
        ]
        for name, campaign in plan.campaigns.items():
            caps += _caps(
                f"campaigns.{name}.max_per_customer",
                campaign.max_per_customer,
                breach="duplicate",
                campaigns=(name,),
            )
        return cls(
            tuple(caps),
            tuple(
                NeverTogether(f"policy.never_together[{n}]", rule.campaigns, rule.days)
                for n, rule in enumerate(policy.never_together)
            ),
            tuple(
                OnlyAfter(f"policy.only_after[{n}]", rule.campaign, rule.after, *rule.days)
                for n, rule in enumerate(policy.only_after)
            ),
            plan.fatigue.keep,
            plan.fatigue.days,
        )

    def with_own_limits(self, contacts: int, days: int) -> ContactRules:
        """The rules with the customers' own limits in any `days` days, as one cap.

        It holds for nobody as it stands: what a customer's limit is short of `contacts` counts as used.
        """
        return replace(self, caps=(*self.caps, FrequencyCap(OWN_LIMIT, "frequency_cap", contacts, days)))

    @property
    def lookback(self) -> int:
        """How many days before a contact the oldest contact may lie that still matters to it."""
        fatigue = self.fatigue_days if self.fatigue_keep < 1 else 0
        reaches = [
            *(cap.reach for cap in self.caps),
            *(rule.reach for rule in self.never_together),
            *(rule.reach for rule in self.only_after),
        ]
        return max((fatigue, *reaches))


def _caps(
    path: str,
    caps: Iterable[Cap],
    breach: str = "frequency_cap",
    channels: tuple[str, ...] | None = None,
    campaigns: tuple[str, ...] | None = None,
) -> list[FrequencyCap]:
    return [
        FrequencyCap(
            f"{path}[{n}]",
            breach,
            cap.contacts,
            cap.days,
            _both(channels, cap.channels),
            _both(campaigns, cap.campaigns),
            cap.types,
        )
        for n, cap in enumerate(caps)
    ]


def _both(own: tuple[str, ...] | None, named: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """What both lists name; None names everything."""
    if own is None or named is None:
        return named if own is None else own
    return tuple(word for word in own if word in named)
