"""Every alert has its page, and what a page tells to type can be typed. The pages say themselves what they were tried on."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import pytest
import typer.main
from dagster._cli import create_dagster_cli
from dagster._daemon.cli import create_dagster_daemon_cli
from dbt.cli.main import cli as dbt

from orchestration.alerting.finding import Kind
from orchestration.cli import app

ROOT = Path(__file__).parents[3]
PAGES = sorted((ROOT / "docs" / "runbooks").glob("*.md"))
PROGRAMS: dict[str, Any] = {
    "tieout": typer.main.get_command(app),
    "dagster": create_dagster_cli(),  # type: ignore[no-untyped-call]
    "dagster-daemon": create_dagster_daemon_cli(),
    "dbt": dbt,
}
SHELL = {".", "set", "export"}


def commands(page: str) -> Iterator[list[str]]:
    """Each command of the page's shell blocks, in words."""
    for block in re.findall(r"^ *```sh\n(.*?)^ *```", page, re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            while words:
                end = next((at for at, word in enumerate(words) if word.endswith(";") or word == "&&"), len(words))
                command = [word.rstrip(";") for word in words[: end + 1]]
                # A variable in front of a command is no command.
                yield [word for at, word in enumerate(command) if at or "=" not in word]
                words = words[end + 1 :]


def complaint(words: list[str]) -> str | None:
    """What is wrong with a command; None when all of its names are there."""
    program, *rest = words
    if program == "python":
        return None if find_spec(rest[1]) else f"there is no module {rest[1]}"
    if program not in PROGRAMS:
        return None if program in SHELL or shutil.which(program) else f"there is no {program}"
    command = PROGRAMS[program]
    # typer's commands are those of a copy of click.
    while hasattr(command, "get_command"):
        name = rest.pop(0) if rest else ""
        found = command.get_command(click.Context(command), name)
        if found is None:
            return f"{program} has no command {name}"
        command = found
    options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    return next(
        (f"{program} {command.name} has no {word}" for word in rest if word[0] == "-" and word not in options), None
    )


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_of_alert_has_a_page_with_steps_that_was_tried(kind: Kind) -> None:
    page = (ROOT / "docs" / "runbooks" / f"{kind}.md").read_text()
    assert page.startswith(f"# {kind}\n")
    assert "\n1. " in page
    assert "\nTried" in page
    assert f"[{kind}]({kind}.md)" in (ROOT / "docs" / "runbooks" / "README.md").read_text()


@pytest.mark.parametrize("page", [*PAGES, ROOT / "docs" / "alerting.md"], ids=lambda page: page.stem)
def test_what_a_page_tells_to_type_can_be_typed(page: Path) -> None:
    typed = list(commands(page.read_text()))
    assert typed
    assert [said for words in typed if (said := complaint(words))] == []


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("tieout explode BREAK", "tieout has no command explode"),
        ("tieout breaks --opened", "tieout breaks has no --opened"),
        ("dagster job lunch -j JOB", "dagster has no command lunch"),
        ("set -a; unheard-of", "there is no unheard-of"),
    ],
)
def test_a_command_that_is_not_there_is_noticed(typed: str, said: str) -> None:
    assert [complaint(words) for words in commands(f"```sh\n{typed}\n```")][-1] == said
