"""A suite is the promises about one mart, written as data in suites/<mart>.yml; here they are read and their form checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

SUITES = Path(__file__).parent / "suites"
SEVERITIES = ("critical", "warning")


class SuiteError(ValueError):
    """A suite cannot be read, or its mart is not there; the sentence names the file, the entry and the remedy."""


@dataclass(frozen=True)
class Expectation:
    """One promise about a mart: what it `expects` and `why`, in the reader's words, and how it is checked."""

    expects: str
    why: str
    severity: str
    type: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Suite:
    """The promises about one mart. `name` is the file's name, `mart` is `schema.table`."""

    name: str
    mart: str
    expectations: tuple[Expectation, ...]


@dataclass(frozen=True)
class FailedExpectation:
    """A promise that does not hold; `observed` says in how many rows and shows the first of them."""

    expects: str
    type: str
    column: str | None
    severity: str
    why: str
    observed: str


@dataclass(frozen=True)
class SuiteResult:
    """How one suite came out. `success` is false when a critical expectation failed; warnings do not fail a suite."""

    name: str
    mart: str
    success: bool
    failed: tuple[FailedExpectation, ...]
    evaluated: int
    docs: Path


def read_suites(names: Sequence[str] | None = None, folder: Path = SUITES) -> tuple[Suite, ...]:
    """The suites of `folder`, all or the named ones, in order of name; Great Expectations is not needed for it.

    Raises SuiteError for a name without a file and for a file or entry that does not have the form of the others.
    """
    files = {path.stem: path for path in sorted(folder.glob("*.yml"))}
    if unknown := sorted(set(names or ()) - set(files)):
        raise SuiteError(f"no suite named {', '.join(unknown)} in {folder}; there are: {', '.join(files)}")
    return tuple(_read_suite(path) for name, path in files.items() if names is None or name in names)


def _read_suite(path: Path) -> Suite:
    try:
        content = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise SuiteError(f"{path.name} is not YAML: {error}") from error
    if not isinstance(content, dict) or set(content) != {"mart", "expectations"}:
        raise SuiteError(f"{path.name}: a suite has exactly two keys, mart and expectations")
    if not isinstance(content["mart"], str) or content["mart"].count(".") != 1:
        raise SuiteError(f"{path.name}: mart is {content['mart']!r}, write it as schema.table")
    if not isinstance(content["expectations"], list) or not content["expectations"]:
        raise SuiteError(f"{path.name}: expectations is a list with at least one entry")
    entries = enumerate(content["expectations"], start=1)
    expectations = tuple(_read_expectation(path, number, entry) for number, entry in entries)
    if repeated := [text for text, times in Counter(each.expects for each in expectations).items() if times > 1]:
        raise SuiteError(f"{path.name}: expects is what tells entries apart, this is there twice: {repeated[0]}")
    return Suite(path.stem, content["mart"], expectations)


def _read_expectation(path: Path, number: int, entry: object) -> Expectation:
    where = f"{path.name}, expectation {number}"
    if not isinstance(entry, dict):
        raise SuiteError(f"{where}: an entry is a mapping, this is {entry!r}")
    for key in ("expects", "why", "severity", "type"):
        if not isinstance(entry.get(key), str) or not entry[key].strip():
            raise SuiteError(f"{where}: {key} is missing or not text")
    if entry["severity"] not in SEVERITIES:
        raise SuiteError(f"{where}: severity is {entry['severity']!r}, it is one of {', '.join(SEVERITIES)}")
    arguments = {key: value for key, value in entry.items() if key not in ("expects", "why", "severity", "type")}
    return Expectation(entry["expects"], entry["why"], entry["severity"], entry["type"], arguments)
