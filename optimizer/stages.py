"""A run's stages: their progress is told, and the seconds that each took are kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

Progress = Callable[[str, str], None]
"""Takes a stage and a detail of it (the empty text at its start)."""


@dataclass
class Stages:
    """Tells progress; `seconds` of the stages that have ended, by name."""

    progress: Progress
    seconds: dict[str, float] = field(default_factory=dict)
    _began: float = field(default_factory=time.perf_counter)
    _stage: str = ""

    def start(self, stage: str, detail: str = "") -> None:
        """End the stage under way and begin another; the empty text only ends."""
        now = time.perf_counter()
        if self._stage:
            self.seconds[self._stage] = round(now - self._began, 3)
        self._stage, self._began = stage, now
        if stage:
            self.progress(stage, detail)

    def detail(self, text: str) -> None:
        """Tell how far the stage is."""
        self.progress(self._stage, text)
