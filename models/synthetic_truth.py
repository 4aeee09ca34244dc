"""What is true of the synthetic bank: its segments, campaigns, channels and response rates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Array = npt.NDArray[Any]

CHANNELS = ("email", "sms", "app", "mail", "phone")
CHANNEL_STRENGTH = (1.0, 1.1, 1.25, 1.6, 5.0)
DELIVERED = (0.97, 0.98, 0.93, 0.985, 0.75)
TYPES = ("promotional", "service", "recognition", "research", "brand", "functional")
HOLD_OUT_TYPES = ("promotional", "research", "recognition", "brand")
REGIONS = ("north", "south", "east", "west", "centre")
REASONS = ("complaint", "debt", "deceased", "objects_to_profiling")
NAMED_EXPERIMENT = 4000  # contacts of the experiment whose sampling error the response_rates table states


@dataclass(frozen=True)
class ValueSegment:
    """A latent value segment: means of its customers' figures, and how they respond and consent.

    `margin` is the median yearly margin, `balance` the median balance, `transactions` the payments a
    month, `response` a factor on every response rate, `consent` the share of granted permissions by
    channel (order of `CHANNELS`).
    """

    name: str
    share: float
    age: float
    balance: float
    margin: float
    products: float
    transactions: float
    response: float
    consent: tuple[float, float, float, float, float]


@dataclass(frozen=True)
class SyntheticCampaign:
    """A campaign of the synthetic bank.

    `rate` is the response rate by e-mail in a segment of factor 1; `past_weight` its share of the past
    contacts (0 = never sent before); `planned` says whether the example's plan contains it.
    """

    name: str
    type: str
    business_unit: str
    channels: tuple[str, ...]
    rate: float
    revenue: float
    margin: float
    past_weight: float
    planned: bool = True


SEGMENTS = (
    ValueSegment("private clients", 0.02, 58, 180_000, 1_900, 5.0, 3.0, 1.5, (0.80, 0.45, 0.50, 0.70, 0.55)),
    ValueSegment("affluent", 0.08, 52, 60_000, 620, 4.0, 2.5, 1.35, (0.78, 0.45, 0.50, 0.60, 0.40)),
    ValueSegment("families", 0.15, 43, 14_000, 330, 3.4, 2.2, 1.15, (0.75, 0.50, 0.50, 0.50, 0.30)),
    ValueSegment("young professionals", 0.15, 30, 5_000, 150, 2.4, 2.0, 1.1, (0.85, 0.60, 0.70, 0.30, 0.15)),
    ValueSegment("savers", 0.18, 61, 22_000, 110, 1.9, 0.8, 0.9, (0.50, 0.25, 0.20, 0.60, 0.35)),
    ValueSegment("basic accounts", 0.30, 41, 1_200, 38, 1.3, 1.0, 0.7, (0.60, 0.40, 0.40, 0.30, 0.20)),
    ValueSegment("dormant", 0.12, 50, 300, 6, 1.0, 0.1, 0.3, (0.35, 0.20, 0.10, 0.30, 0.10)),
)

CAMPAIGNS = (
    SyntheticCampaign(
        "savings_bonus", "promotional", "savings", ("email", "app", "mail"), 0.020, 60, 40, 0.12
    ),
    SyntheticCampaign(
        "card_upgrade", "promotional", "cards", ("email", "sms", "app", "phone"), 0.025, 90, 55, 0.12
    ),
    SyntheticCampaign("card_reminder", "promotional", "cards", ("email", "sms", "app"), 0.012, 90, 55, 0.04),
    SyntheticCampaign(
        "mortgage_review", "promotional", "lending", ("email", "mail", "phone"), 0.005, 900, 420, 0.05
    ),
    SyntheticCampaign(
        "personal_loan", "promotional", "lending", ("email", "sms", "mail", "phone"), 0.008, 320, 160, 0.10
    ),
    SyntheticCampaign(
        "investment_talk", "promotional", "investments", ("email", "mail", "phone"), 0.010, 500, 300, 0.05
    ),
    SyntheticCampaign("account_check", "service", "service", ("email", "app", "mail"), 0.060, 4, 3, 0.12),
    SyntheticCampaign("app_onboarding", "service", "digital", ("email", "sms", "app"), 0.080, 6, 4, 0.08),
    SyntheticCampaign("thank_you", "recognition", "service", ("email", "mail", "phone"), 0.015, 30, 20, 0.05),
    SyntheticCampaign(
        "satisfaction_survey", "research", "insight", ("email", "sms", "phone"), 0.100, 0, 2, 0.05
    ),
    SyntheticCampaign("green_bank", "brand", "communications", ("email", "app", "mail"), 0.006, 60, 40, 0.0),
    SyntheticCampaign("terms_change", "functional", "legal", ("email", "app", "mail"), 0.010, 0, 0, 0.0),
    SyntheticCampaign(
        "spring_loan", "promotional", "lending", ("email", "sms", "mail"), 0.008, 320, 160, 0.07, False
    ),
    SyntheticCampaign(
        "winter_savings", "promotional", "savings", ("email", "mail"), 0.018, 60, 40, 0.05, False
    ),
    SyntheticCampaign("newsletter", "brand", "communications", ("email", "app"), 0.008, 60, 40, 0.07, False),
    SyntheticCampaign(
        "fraud_warning", "service", "service", ("email", "sms", "app"), 0.030, 0, 0, 0.03, False
    ),
)


@dataclass(frozen=True)
class SyntheticTruth:
    """What the synthetic history was drawn from.

    `rates[s, c, k]` is the response rate of segment s+1 to campaign c by channel k (orders of `SEGMENTS`,
    `CAMPAIGNS`, `CHANNELS`) with no other contact in the `fatigue_days` before; 0 where the campaign does
    not use the channel. It is multiplied by `fatigue_keep`^k for k such contacts. A customer who got
    nothing (undelivered, or held out as control) responds at `spontaneous` times the rate.
    """

    rates: Array
    fatigue_keep: float = 0.85
    fatigue_days: int = 28
    spontaneous: float = 0.3

    def response_rates(self) -> pd.DataFrame:
        """Return the rates as the contract's `response_rates` table.

        `standard_error` is that of an experiment of 4,000 contacts: sqrt(rate (1 - rate) / 4000).
        """
        rows = [
            (segment + 1, campaign.name, channel, float(self.rates[segment, c, k]))
            for segment in range(len(SEGMENTS))
            for c, campaign in enumerate(CAMPAIGNS)
            for k, channel in enumerate(CHANNELS)
            if channel in campaign.channels
        ]
        table = pd.DataFrame(rows, columns=["segment", "campaign", "channel", "response_rate"])
        rate = table["response_rate"]
        table["standard_error"] = np.sqrt(rate * (1 - rate) / NAMED_EXPERIMENT).round(6)
        return table


def draw_truth(seed: int) -> SyntheticTruth:
    """Draw the true response rates, shape (segments, campaigns, channels), from a seed.

    rate = campaign's rate × segment's factor × channel's strength × a lognormal factor of sigma 0.25 for
    each combination, rounded to 6 places and at most 0.6.
    """
    rng = np.random.default_rng([seed, 1])
    segment = np.array([s.response for s in SEGMENTS])[:, None, None]
    campaign = np.array([c.rate for c in CAMPAIGNS])[None, :, None]
    channel = np.array(CHANNEL_STRENGTH)[None, None, :]
    own = np.exp(rng.normal(0.0, 0.25, (len(SEGMENTS), len(CAMPAIGNS), len(CHANNELS))))
    uses = np.array([[k in c.channels for k in CHANNELS] for c in CAMPAIGNS])
    rates = np.minimum(segment * campaign * channel * own, 0.6).round(6)
    return SyntheticTruth(rates=np.where(uses[None], rates, 0.0))
