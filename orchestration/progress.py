"""What is running, how far, how long: a live table on a terminal, a line now and then anywhere else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

_SECONDS_BETWEEN_LINES = 10.0
_WIDTH = 100


@dataclass
class Stage:
    """One line of the display. `doing` is what is running now, `outcome` what is said once it is done."""

    name: str
    clock: Callable[[], float]
    state: str = "waiting"
    done: int = 0
    total: int = 0
    doing: str = ""
    outcome: str = ""
    started: float = 0.0
    ended: float = 0.0

    def at(self, done: int, total: int, doing: str = "") -> None:
        """`done` of `total` steps are over and `doing` is running."""
        self.done, self.total, self.doing = done, total, doing

    def say(self, doing: str) -> None:
        """`doing` is running, nobody knows for how long."""
        self.doing = doing

    @property
    def seconds(self) -> float:
        return (self.ended or self.clock()) - self.started if self.started else 0.0


class Progress:
    """A display of named stages, entered in their order.

    On a terminal the table redraws itself eight times a second; elsewhere a stage writes a line when it starts, when it
    ends, and at most one every ten seconds between.
    """

    def __init__(self, console: Console, stages: Sequence[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._started = clock()
        self._spinner = Spinner("dots", style="cyan")
        self._stages = {name: Stage(name, clock) for name in stages}
        # Live would print on the person's terminal what is meant for the log.
        self._live = Live(
            console=console,
            get_renderable=self._table,
            refresh_per_second=8,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._last_line = 0.0

    def __enter__(self) -> Progress:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def __getitem__(self, name: str) -> Stage:
        return self._stages[name]

    @property
    def seconds(self) -> float:
        """Wall seconds since the display was made."""
        return self._clock() - self._started

    @contextmanager
    def stage(self, name: str, doing: str = "") -> Iterator[Stage]:
        """The stage runs while the block does; one that raises is marked as failed."""
        stage = self.start(name, doing)
        try:
            yield stage
        except BaseException:
            self.end(name, "failed")
            raise
        self.end(name, "done")

    def start(self, name: str, doing: str = "") -> Stage:
        """Start a stage whose end is not the end of a block; a stage that has started is left as it is."""
        stage = self._stages[name]
        if stage.state == "waiting":
            stage.state, stage.started, stage.doing = "running", self._clock(), doing
            self._line(stage)
        return stage

    def end(self, name: str, state: str, outcome: str = "") -> None:
        """End a stage as `done` or `failed`; one that has ended is left as it is."""
        stage = self._stages[name]
        if stage.state == "running":
            stage.state, stage.ended = state, self._clock()
            stage.outcome = outcome or stage.outcome
            self._line(stage)

    def moved(self, stage: Stage) -> None:
        """Say how far a stage got, where nothing redraws itself."""
        if stage.total and self._clock() - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._line(stage)

    def _line(self, stage: Stage) -> None:
        if self._console.is_terminal or stage.state == "waiting":
            return
        self._last_line = self._clock()
        said = {
            "running": f"{stage.done:,} of {stage.total:,}  {stage.doing}" if stage.total else stage.doing or "...",
            "done": stage.outcome or "done",
            "failed": f"failed: {stage.outcome}" if stage.outcome else "failed",
        }[stage.state]
        took = "" if stage.state == "running" else f"  ({duration(stage.seconds)})"
        self._console.print(
            f"{duration(self.seconds):>7}  {stage.name:<14} {said}{took}", highlight=False, soft_wrap=True
        )

    def _table(self) -> RenderableType:
        table = Table.grid(padding=(0, 1), expand=True)
        table.add_column(width=2, justify="right")
        table.add_column(width=14)
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        table.add_column(width=7, justify="right", style="dim")
        for stage in self._stages.values():
            table.add_row(*self._cells(stage))
        table.add_row("", "", "", duration(self.seconds))
        frame = Table.grid()
        frame.add_column(width=min(self._console.width, _WIDTH))
        frame.add_row(table)
        return frame

    def _cells(self, stage: Stage) -> tuple[RenderableType, ...]:
        match stage.state:
            case "waiting":
                return Text("·", style="dim"), Text(stage.name, style="dim"), "", ""
            case "running":
                return self._spinner, Text(stage.name, style="bold"), _how_far(stage), duration(stage.seconds)
            case "done":
                return Text("✓", style="green"), stage.name, Text(stage.outcome), duration(stage.seconds)
            case _:
                outcome = Text(stage.outcome or "failed", style="red")
                return Text("✗", style="red"), Text(stage.name, style="red"), outcome, duration(stage.seconds)


def _how_far(stage: Stage) -> RenderableType:
    if not stage.total:
        return Text(stage.doing, style="cyan")
    row = Table.grid(padding=(0, 1))
    row.add_column(width=20)
    row.add_column(justify="right", min_width=len(f"{stage.total:,} of {stage.total:,}"))
    row.add_column(no_wrap=True, overflow="ellipsis")
    bar = ProgressBar(total=stage.total, completed=stage.done, width=20, complete_style="cyan", finished_style="cyan")
    row.add_row(bar, f"{stage.done:,} of {stage.total:,}", Text(stage.doing, style="cyan"))
    return row


def duration(seconds: float) -> str:
    """Tenths below a minute, else minutes and seconds: `8.1 s`, `1:02`."""
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds) // 60}:{int(seconds) % 60:02}"
