"""Judges of the tests: a second reading of the contract that shares no code with the product."""

from __future__ import annotations

from .brute_force import Oracle, TooManyStreams, calendar_of, optimum, streams_of
from .checker import breaches
from .contract_rules import allowed, stream_breaches, stream_cost, stream_is_valid, stream_value
from .limits import limits_of
from .random_plans import small_workspaces
from .random_workspace import random_workspace
from .reading import read_world
from .workspace_files import write_workspace
from .world import Contact

__all__ = [
    "Contact",
    "Oracle",
    "TooManyStreams",
    "allowed",
    "breaches",
    "calendar_of",
    "limits_of",
    "optimum",
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
