"""The rules: who is told of what, and how loudly. Read from rules.yml, and refused with the line and the reason."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import yaml
from msgspec import Meta

from orchestration.alerting.finding import Finding, Kind

RULES = Path(__file__).with_name("rules.yml")

Channel = Annotated[str, Meta(pattern="^[a-z][a-z0-9_]*$", description="Its address is in TIEOUT_CHANNEL_<NAME>.")]
Clock = Annotated[str, Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$", description="An hour of the day, like 07:30.")]
Span = Annotated[str, Meta(pattern="^[1-9][0-9]*[mhd]$", description="Minutes, hours or days: 90m, 4h, 1d.")]
Words = Annotated[str, Meta(min_length=1)]
Limit = Annotated[Decimal, Meta(description="Exact, in the unit beside it.")]

_UNIT = {"m": "minutes", "h": "hours", "d": "days"}
_WHERE = re.compile(r"^(?P<reason>.*?)(?: - at `(?P<path>\$.*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.(?P<key>\w+)|\[(?P<index>\d+)\]")


class RulesError(ValueError):
    """The rules cannot be used; the sentence names the file, the line and the reason."""


class QuietHours(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"since": "from", "until": "to"}):
    """From one hour of the day to another, which may be of the day after."""

    since: Clock
    until: Clock


class Links(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a message's links lead: Dagster's address, and the folder or address that has the runbooks' pages."""

    dagster: Words
    runbooks: Words


class Severity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How loud it is: told at once and, while it lasts, again after `again_after`; or once a day at `digest_at`."""

    to: Annotated[tuple[Channel, ...], Meta(min_length=1)]
    again_after: Span | None = None
    digest_at: Clock | None = None
    in_quiet_hours: bool = False


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which findings it decides on, how loud they are, and who owns them. `subject` may have wildcards.

    `over`: by currency, what the open breaks of a cause come to at most without an alert; a unit that is not named has 0.
    """

    alert: Kind
    severity: str
    owner: Words
    subject: Words = "*"
    level: Words | None = None
    over: dict[str, Limit] = {}

    def decides_on(self, finding: Finding) -> bool:
        return (
            finding.kind is self.alert
            and fnmatchcase(finding.subject, self.subject)
            and self.level in (None, finding.level)
            and self._is_enough(finding)
        )

    @property
    def takes_all(self) -> bool:
        return self.subject == "*" and self.level is None

    def _is_enough(self, finding: Finding) -> bool:
        if finding.kind is not Kind.BREAK_OVER_LIMIT:
            return True
        return any(amount > self.over.get(unit, 0) for unit, amount in finding.amounts.items())


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of rules.yml."""

    time_zone: Words
    quiet_hours: QuietHours
    over_after: Span
    links: Links
    severities: Annotated[dict[str, Severity], Meta(min_length=1)]
    rules: Annotated[tuple[Rule, ...], Meta(min_length=1)]

    def rule_for(self, finding: Finding) -> Rule | None:
        """The first rule that decides on it; None below every limit."""
        return next((rule for rule in self.rules if rule.decides_on(finding)), None)

    @property
    def channels(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for severity in self.severities.values() for name in severity.to))

    def is_quiet(self, now: datetime) -> bool:
        local = f"{now.astimezone(ZoneInfo(self.time_zone)):%H:%M}"
        since, until = self.quiet_hours.since, self.quiet_hours.until
        return since <= local < until if since <= until else local >= since or local < until

    def last_digest(self, severity: Severity, now: datetime) -> datetime:
        """When the latest digest of the severity was due."""
        assert severity.digest_at
        zone = ZoneInfo(self.time_zone)
        at = time.fromisoformat(severity.digest_at)

        def on(day: date) -> datetime:
            return datetime.combine(day, at, zone).astimezone(UTC)

        today = now.astimezone(zone).date()
        return on(today) if on(today) <= now else on(today - timedelta(days=1))


def span(text: str) -> timedelta:
    """`90m`, `4h` or `1d`."""
    return timedelta(**{_UNIT[text[-1]]: int(text[:-1])})


def schema() -> dict[str, Any]:
    """What rules.yml may say, as JSON Schema; rules.schema.json has it, for editors."""
    found = msgspec.json.schema(Rules)
    # An editor takes what YAML calls a number for one; `read_rules` reads its digits.
    found["$defs"]["Rule"]["properties"]["over"]["additionalProperties"]["type"] = ["number", "string"]
    return found


def read_rules(path: Path = RULES) -> Rules:
    """Raises RulesError, with the line and the reason."""
    text = path.read_text()
    try:
        # Text stays text: YAML's own reading makes a float of 0.10 and seconds of 22:00.
        node, content = yaml.compose(text, yaml.BaseLoader), yaml.load(text, yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise RulesError(f"{path.name}, line {line}: not YAML: {error.problem}") from error
    if double := next(_doubles(node), None):
        raise RulesError(f"{path.name}, line {double.start_mark.line + 1}: {double.value} stands there twice")
    try:
        rules = msgspec.convert(content, Rules, strict=False)
    except msgspec.ValidationError as error:
        said = _WHERE.match(str(error))
        assert said
        unknown = re.search(r"unknown field `(\w+)`", said["reason"])
        where = _with_keys(content, said["path"] or "$", str(error)) + (f".{unknown[1]}" if unknown else "")
        raise RulesError(f"{path.name}, line {_line(node, where)}: {said['reason']} ({where})") from error
    for where, reason in _contradictions(rules):
        raise RulesError(f"{path.name}, line {_line(node, where)}: {reason} ({where})")
    return rules


def _contradictions(rules: Rules) -> Iterator[tuple[str, str]]:
    """What no schema sees: where, and why it cannot be."""
    try:
        ZoneInfo(rules.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        yield "$.time_zone", f"there is no time zone {rules.time_zone}"
    for name, severity in rules.severities.items():
        if (severity.again_after is None) == (severity.digest_at is None):
            yield f"$.severities.{name}", "a severity has either again_after or digest_at"
    for number, rule in enumerate(rules.rules):
        if rule.severity not in rules.severities:
            told = ", ".join(rules.severities)
            yield f"$.rules[{number}].severity", f"there is no severity {rule.severity}; there are {told}"
        if rule.over and rule.alert is not Kind.BREAK_OVER_LIMIT:
            yield (
                f"$.rules[{number}].over",
                f"only break_over_limit has limits, {rule.alert} has no amount to hold against one",
            )
        for unit, limit in rule.over.items():
            if not limit.is_finite() or limit < 0:
                yield f"$.rules[{number}].over.{unit}", f"{limit} is no limit: an amount from zero on is"
        before = [earlier for earlier in rules.rules[:number] if earlier.alert is rule.alert]
        if any(earlier.takes_all and not earlier.over for earlier in before):
            yield f"$.rules[{number}]", f"a rule above it takes every {rule.alert}: this one is never asked"
    for kind in Kind:
        if not any(rule.takes_all for rule in rules.rules if rule.alert is kind):
            yield "$.rules", f"no rule takes every {kind}: what none matches would be silent"


def _with_keys(content: Any, path: str, error: str) -> str:
    """The path with the key in the place of `[...]`: the one that is wrong though all beside it are left out."""
    while "[...]" in path:
        before, _, after = path.partition("[...]")
        for key in _at(content, before):
            alone = copy.deepcopy(content)
            mapping = _at(alone, before)
            for other in mapping.keys() - {key}:
                del mapping[other]
            try:
                msgspec.convert(alone, Rules, strict=False)
            except msgspec.ValidationError as again:
                if str(again) == error:
                    break
        path = f"{before}.{key}{after}"
    return path


def _at(content: Any, path: str) -> Any:
    for step in _STEP.finditer(path):
        content = content[step["key"]] if step["key"] else content[int(step["index"])]
    return content


def _doubles(node: yaml.Node | None) -> Iterator[yaml.Node]:
    """Keys that stand in one mapping twice: YAML would take the last and say nothing."""
    match node:
        case yaml.MappingNode():
            seen = set()
            for key, value in node.value:
                if key.value in seen:
                    yield key
                seen.add(key.value)
                yield from _doubles(value)
        case yaml.SequenceNode():
            for value in node.value:
                yield from _doubles(value)


def _line(node: yaml.Node | None, path: str) -> int:
    """The line of what a path like `$.rules[2].severity` leads to, or of the last thing on the way that is there."""
    line = 1
    for step in _STEP.finditer(path):
        match node:
            case yaml.MappingNode() if step["key"]:
                key, node = next(((k, v) for k, v in node.value if k.value == step["key"]), (None, None))
                line = key.start_mark.line + 1 if key else line
            case yaml.SequenceNode() if step["index"]:
                node = node.value[int(step["index"])]
                line = node.start_mark.line + 1
            case _:
                break
    return line
