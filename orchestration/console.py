"""What the person sees, and the log that gets everything else."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import typer
from rich.console import Console
from rich.text import Text

from ingestion.settings import MissingSetting

FAILED, MISSING_SETTING, STOPPED = 1, 2, 130
_WIDTH_OF_A_FILE = 100
_LONGEST_SENTENCE = 600


def new_log(home: Path) -> Path:
    """The log of a run that starts now."""
    return home / "logs" / f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%S}.log"


@contextmanager
def attended(console: Console | None = None) -> Iterator[None]:
    """What a person can do something about is told in a sentence, with an exit code; SIGTERM ends things as Ctrl-C does."""
    console = console or Console(stderr=True)
    # Without this a terminated run leaves its servers and dbt behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except MissingSetting as error:
        say_error(console, str(error))
        raise typer.Exit(MISSING_SETTING) from error
    except KeyboardInterrupt as error:
        console.print("\nStopped. What had landed is kept; the next run goes on from there.")
        raise typer.Exit(STOPPED) from error
    except (OSError, ValueError, SystemError) as error:
        say_error(console, str(error))
        raise typer.Exit(FAILED) from error


@contextmanager
def quiet(log: Path) -> Iterator[tuple[Console, Path]]:
    """Everything that this process and its children print goes to `log`; the console given is the only way to the person.

    An error that nobody foresaw is told in a sentence too, and its traceback is in the log.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    held = os.dup(1), os.dup(2)
    with log.open("ab") as file, os.fdopen(os.dup(1), "w", buffering=1) as terminal:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        console = Console(file=terminal, width=None if terminal.isatty() else _WIDTH_OF_A_FILE, highlight=False)
        try:
            with attended(console):
                yield console, log
        except typer.Exit:
            raise
        except Exception as error:
            traceback.print_exc()
            say_error(console, _first_cause(error), f"Everything that was printed is in {shown(log)}.")
            raise typer.Exit(FAILED) from error
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for saved, standard in zip(held, (1, 2), strict=True):
                os.dup2(saved, standard)
                os.close(saved)


def say_error(console: Console, *sentences: str) -> None:
    """What went wrong, after a red cross, and what there is to know beside it."""
    for number, sentence in enumerate(sentences):
        mark = Text("  " if number else "\n✗ ", style="bold red")
        console.print(mark + Text(sentence, style=""), soft_wrap=True)


def shown(path: Path) -> str:
    """A path as a person would type it: relative to where they are, when it is below."""
    absolute = path.absolute()
    return str(absolute.relative_to(Path.cwd())) if absolute.is_relative_to(Path.cwd()) else str(absolute)


def _first_cause(error: BaseException) -> str:
    while cause := error.__cause__ or error.__context__:
        error = cause
    said = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(said)[:_LONGEST_SENTENCE] or type(error).__name__
