"""Judges of the tests: a second reading of the contract that shares no code with the product."""

from __future__ import annotations

from .brute_force import Oracle, optimum
from .calendars import calendar_of
from .checker import breaches, objective_of, penalties_of, penalty_costs_of
from .contract_rules import allowed, stream_breaches, stream_is_valid
from .limits import limits_of
from .listing import TooManyStreams, allowed_contacts, streams_of
from .random_plans import small_workspaces
from .random_workspace import random_workspace
from .reading import read_world
from .values import stream_cost, stream_value
from .workspace_files import write_workspace
from .world import Contact

__all__ = [
    "Contact",
    "Oracle",
    "TooManyStreams",
    "allowed",
    "allowed_contacts",
    "breaches",
    "calendar_of",
    "limits_of",
    "objective_of",
    "optimum",
    "penalties_of",
    "penalty_costs_of",
    "random_workspace",
    "read_world",
    "small_workspaces",
    "stream_breaches",
    "stream_cost",
    "stream_is_valid",
    "stream_value",
    "streams_of",
    "write_workspace",
]
