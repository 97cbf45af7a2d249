from __future__ import annotations

import io
import sys

import pytest
from rich.console import Console

from orchestration.progress import Progress, duration


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def plain(clock: Clock) -> tuple[Progress, io.StringIO]:
    out = io.StringIO()
    return Progress(Console(file=out, width=100), ("ingest", "transform"), clock), out


def test_without_a_terminal_a_stage_says_when_it_starts_and_how_it_ended() -> None:
    clock = Clock()
    progress, out = plain(clock)
    with progress, progress.stage("ingest", "planning") as stage:
        clock.now += 65
        stage.outcome = "37 streams"
    assert [line.split() for line in out.getvalue().splitlines()] == [
        ["0.0", "s", "ingest", "planning"],
        ["1:05", "ingest", "37", "streams", "(1:05)"],
    ]


def test_without_a_terminal_there_is_at_most_a_line_in_ten_seconds() -> None:
    clock = Clock()
    progress, out = plain(clock)
    stage = progress.start("ingest")
    for step in range(300):
        clock.now += 0.1
        stage.at(step, 300, "stripe.charges")
        progress.moved(stage)
    lines = out.getvalue().splitlines()
    assert len(lines) <= 1 + 3
    assert "of 300  stripe.charges" in lines[1]


def test_a_stage_that_raises_is_shown_as_failed_and_the_error_goes_on() -> None:
    progress, out = plain(Clock())
    with pytest.raises(ValueError, match="no such file"), progress.stage("ingest"):
        raise ValueError("no such file")
    assert out.getvalue().splitlines()[-1].split() == ["0.0", "s", "ingest", "failed", "(0.0", "s)"]


def test_on_a_terminal_the_table_shows_what_is_running_and_how_far() -> None:
    clock = Clock()
    out = io.StringIO()
    console = Console(file=out, width=100, force_terminal=True, color_system=None)
    with Progress(console, ("ingest", "transform"), clock) as progress:
        with progress.stage("ingest") as stage:
            stage.outcome = "37 streams, 5 rows new"
        clock.now += 12.34
        progress.start("transform").at(87, 395, "fct_invoices")
    last = out.getvalue().rsplit("\x1b[2K", 1)[-1]
    assert "✓ ingest" in last
    assert "37 streams, 5 rows new" in last
    assert "87 of 395 fct_invoices" in last


def test_what_is_printed_meanwhile_does_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    out = io.StringIO()
    with Progress(Console(file=out, width=100, force_terminal=True), ("ingest",)) as progress, progress.stage("ingest"):
        sys.stdout.write("dbt says something\n")
        sys.stderr.write("and Dagster too\n")
    assert capsys.readouterr() == ("dbt says something\n", "and Dagster too\n")
    assert "says" not in out.getvalue()
    assert "too" not in out.getvalue()


@pytest.mark.parametrize(("seconds", "said"), [(0.04, "0.0 s"), (59.94, "59.9 s"), (60, "1:00"), (3725, "62:05")])
def test_a_duration_reads_like_a_clock(seconds: float, said: str) -> None:
    assert duration(seconds) == said
