"""What a plan file may say but probably does not mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

from optimizer.plan_schema import Campaign, PlanBlocks


def plan_warnings(
    blocks: PlanBlocks, campaigns: Mapping[str, Campaign], start: date, end: date
) -> Iterator[str]:
    """Yield a plan's warnings for the days `start` to `end`; the windows of `campaigns` are filled in."""
    if not campaigns:
        yield "campaigns: there are none, so nothing will be planned."
    elif blocks.objective.goal == "cost" and not _asks_for_contacts(blocks):
        yield (
            "objective: minimize: cost, and no campaign, volume or reach of the plan has a minimum: "
            "nothing will be planned."
        )
    for name, campaign in campaigns.items():
        if campaign.to < start or campaign.from_ > end:
            yield (
                f"campaigns.{name}: its window {campaign.from_} to {campaign.to} misses the period "
                f"{start} to {end}; it will not be planned."
            )
        elif without := _worth_nothing(campaign, blocks.objective.goal):
            yield (
                f"campaigns.{name}: a contact is worth nothing ({without} 0 or less); it will be planned "
                "only where a minimum asks for it."
            )
    yield from _odd_limits(blocks, campaigns)


def _asks_for_contacts(blocks: PlanBlocks) -> bool:
    """Say whether anything keeps the empty plan from being the cheapest; shares of no contacts do not."""
    asked = [campaign.contacts.min for campaign in blocks.campaigns.values()]
    asked += [volume.min for volume in blocks.volume]
    wanted = [reach.share or reach.customers for reach in blocks.reach]
    return any(asked) or any(wanted) or blocks.period.keep_provisional > 0


def _worth_nothing(campaign: Campaign, goal: str) -> str:
    """The figures that would make a contact worth something under the objective, if none of them does."""
    if goal == "expected_margin" and campaign.margin_per_response <= 0 and campaign.value_per_contact <= 0:
        return "margin_per_response and value_per_contact are"
    if goal == "expected_revenue" and campaign.revenue_per_response <= 0:
        return "revenue_per_response is"
    return ""


def _odd_limits(blocks: PlanBlocks, campaigns: Mapping[str, Campaign]) -> Iterator[str]:
    """Limits that no campaign of the plan meets, or that every contact meets."""
    units = {campaign.business_unit for campaign in campaigns.values()} - {None}
    named = [(f"budget[{index}]", budget.business_unit) for index, budget in enumerate(blocks.budget)]
    named += [(f"volume[{index}]", volume.business_unit) for index, volume in enumerate(blocks.volume)]
    named += [(f"reach[{index}]", reach.business_unit) for index, reach in enumerate(blocks.reach)]
    for where, unit in named:
        if unit is not None and unit not in units:
            yield f"{where}: no campaign of the plan has the business unit {unit!r}."
    for index, volume in enumerate(blocks.volume):
        shares = (volume.min_share, volume.max_share)
        kind = (volume.business_unit, volume.type, volume.channel, volume.campaign)
        if shares != (None, None) and kind == (None, None, None, None):
            yield (
                f"volume[{index}]: a share with no business_unit, type, channel or campaign named; it is of "
                "all contacts in the same segments, so it is always 1."
            )
