"""How far a run is: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

from optimizer import console
from optimizer.console import printable

SECONDS_BETWEEN_LINES = 5.0


class RunProgress:
    """The stages of a run as they pass: bars on a terminal, plain lines elsewhere.

    A context manager; call it with a stage's name and a detail such as "round 7, gap 0.4 %".
    """

    def __init__(self) -> None:
        self._console = console.errors()
        self._live = self._console.is_terminal and not self._console.is_dumb_terminal
        self._bars = Progress(*_progress_columns(), console=self._console)
        self._task: TaskID | None = None
        self._stage = self._detail = ""
        self._shown = (0.0, "")  # when the last plain line was printed, and its detail

    def __enter__(self) -> Self:
        if self._live:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close_stage(done=kind is None)
        if self._live:
            self._bars.stop()

    def __call__(self, stage: str, detail: str = "") -> None:
        """Say that `stage` is under way and how far it is."""
        stage, detail = printable(stage), printable(detail)
        begins = stage != self._stage
        if begins:
            self._close_stage(done=True)
            self._stage = stage
        self._detail = detail
        if self._live:
            self._show_bar(begins)
        elif begins or time.monotonic() - self._shown[0] > SECONDS_BETWEEN_LINES:
            self._show_line()

    def _show_bar(self, begins: bool) -> None:
        if begins or self._task is None:
            self._task = self._bars.add_task(self._stage, total=None, detail=self._detail)
        else:
            self._bars.update(self._task, detail=self._detail)

    def _show_line(self) -> None:
        self._shown = (time.monotonic(), self._detail)
        line = f"{self._stage}: {self._detail}" if self._detail else self._stage
        self._console.print(Text(line), soft_wrap=True)

    def _close_stage(self, done: bool) -> None:
        if not self._stage:
            return
        if not self._live and self._detail != self._shown[1]:
            self._show_line()  # the last word of a stage is not left out for want of time
        if self._task is not None:
            if done:
                self._bars.update(self._task, total=1, completed=1)
            else:
                self._bars.stop_task(self._task)


def _progress_columns() -> tuple[SpinnerColumn, TextColumn, BarColumn, TextColumn, TimeElapsedColumn]:
    one_line = {"no_wrap": True, "overflow": "ellipsis"}
    return (
        SpinnerColumn(finished_text="✓", table_column=Column(min_width=1, no_wrap=True)),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=12),
        TextColumn("{task.fields[detail]}", markup=False, table_column=Column(ratio=1, **one_line)),  # type: ignore[arg-type]
        TimeElapsedColumn(table_column=Column(min_width=7, no_wrap=True)),
    )
