"""A plan file, read and checked: every fault is named, with its path and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from optimizer.faults import BadInput, Fault
from optimizer.plan_checks import cross_faults
from optimizer.plan_faults import faults_of
from optimizer.plan_rules import (
    CONTACT_TYPES,
    Budget,
    Cap,
    Capacity,
    ContactRange,
    NeverTogether,
    Objective,
    OnlyAfter,
    Policy,
    Reach,
    Restriction,
    ReturnOnCost,
    Volume,
)
from optimizer.plan_schema import (
    Campaign,
    Channel,
    Data,
    Export,
    Fatigue,
    HoldOut,
    Period,
    PlanBlocks,
    Response,
    Segmentation,
)
from optimizer.plan_values import nearest, suggestion
from optimizer.plan_warnings import plan_warnings
from optimizer.plan_yaml import plain_value, read_yaml

__all__ = [
    "CONTACT_TYPES",
    "Budget",
    "Campaign",
    "Cap",
    "Capacity",
    "Channel",
    "ContactRange",
    "Data",
    "Export",
    "Fatigue",
    "HoldOut",
    "NeverTogether",
    "Objective",
    "OnlyAfter",
    "Period",
    "Plan",
    "Policy",
    "Reach",
    "Response",
    "Restriction",
    "ReturnOnCost",
    "Segmentation",
    "Volume",
    "load_plan",
    "nearest",
    "suggestion",
]


class Plan(PlanBlocks):
    """A checked plan, with every default filled in. Attributes are the keys of the plan file.

    `folder` is where the plan file lies, `raw` the mapping as it was read, `warnings` what is
    allowed but probably not meant.
    """

    folder: Path
    raw: dict[str, Any] = Field(repr=False)
    warnings: tuple[str, ...] = ()

    @property
    def last_day(self) -> date:
        """The last day of the period."""
        return self.period.start + timedelta(days=self.period.days - 1)

    def patched(self, patch: Mapping[str, Any]) -> Plan:
        """Return the plan with a patch laid over it: mappings are merged, everything else is replaced.

        A value of None puts the key back to its default. Raises BadInput with all faults. The plan's
        scenarios are kept; they are checked anew only if the patch holds scenarios itself.
        """
        plain, faults = plain_value(dict(patch))
        if faults:
            raise BadInput(faults)
        return _checked(self.folder, merged(self.raw, plain), with_scenarios="scenarios" in plain)


def load_plan(path: Path) -> Plan:
    """Read a plan from its file, or from the `plan.yaml` of its folder.

    Raises BadInput with every fault found; the path of each is that in the plan file, such as
    `channels.email.capacity[0].per`.
    """
    file = Path(path)
    if file.is_dir():
        file = file / "plan.yaml"
    value, faults = read_yaml(file)
    if value is None and faults:
        raise BadInput(faults)
    if not isinstance(value, dict):
        raise BadInput([*faults, Fault(file.name, "", "is not a mapping", "Begin with name: and data:.")])
    raw, unknown_kinds = plain_value(value)
    return _checked(file.parent, raw, before=[*faults, *unknown_kinds])


def merged(base: dict[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with `patch` over it: mappings merged at every level, everything else replaced."""
    result = dict(base)
    for key, value in patch.items():
        below = result.get(key)
        both = isinstance(below, dict) and isinstance(value, Mapping)
        result[key] = merged(below, value) if both and isinstance(below, dict) else value
    return result


def _checked(
    folder: Path, raw: dict[str, Any], before: list[Fault] | None = None, with_scenarios: bool = True
) -> Plan:
    """Build the plan of a mapping, or raise BadInput with `before` and all faults of the mapping."""
    blocks, own = _blocks(raw)
    faults = [*(before or []), *own]
    if with_scenarios:
        faults += _scenario_faults(raw, own)
    if faults or blocks is None:
        raise BadInput(dict.fromkeys(faults))
    return _with_defaults(blocks, folder, raw)


def _blocks(raw: dict[str, Any]) -> tuple[PlanBlocks | None, list[Fault]]:
    """Validate a mapping without its scenarios' contents."""
    between = cross_faults(raw)
    try:
        return PlanBlocks.model_validate(raw), between
    except ValidationError as error:
        return None, [*faults_of(error, PlanBlocks), *between]


def _scenario_faults(raw: dict[str, Any], own: list[Fault]) -> Iterator[Fault]:
    """Faults that a scenario brings: those of the patched plan that the plan itself has not."""
    scenarios = raw.get("scenarios")
    if not isinstance(scenarios, dict):
        return
    base = {key: value for key, value in raw.items() if key != "scenarios"}
    for name, patch in scenarios.items():
        where = f"scenarios.{name}"
        if not isinstance(patch, dict):
            continue  # the model says so
        if "scenarios" in patch:
            yield Fault(f"{where}.scenarios", "", "a scenario holds no scenarios", "Take them out.")
        patched = {**merged(base, patch), "scenarios": {}}
        for fault in _blocks(patched)[1]:
            if fault not in own:
                yield Fault(f"{where}.{fault.where}", "", fault.rule, fault.remedy)


def _with_defaults(blocks: PlanBlocks, folder: Path, raw: dict[str, Any]) -> Plan:
    """Fill in the defaults that depend on other blocks, and say what looks wrong."""
    start = blocks.period.start
    end = start + timedelta(days=blocks.period.days - 1)
    values = {name: getattr(blocks, name) for name in PlanBlocks.model_fields}
    if "commit_days" not in blocks.period.model_fields_set:
        commit_days = min(blocks.period.commit_days, blocks.period.days)
        values["period"] = blocks.period.model_copy(update={"commit_days": commit_days})
    values["campaigns"] = {
        name: campaign.model_copy(
            update={
                "channels": campaign.channels or tuple(blocks.channels),
                "from_": min(start, campaign.to) if campaign.from_ == date.min else campaign.from_,
                "to": max(end, campaign.from_) if campaign.to == date.max else campaign.to,
            }
        )
        for name, campaign in blocks.campaigns.items()
    }
    if not blocks.hold_out.key:
        values["hold_out"] = blocks.hold_out.model_copy(update={"key": blocks.name})
    values["warnings"] = tuple(plan_warnings(blocks, values["campaigns"], start, end))
    return Plan(folder=folder, raw=raw, **values)
