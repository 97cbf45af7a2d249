"""The rules of a company: read exactly, and refused with the line and the reason."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import jsonschema
import pytest
import yaml

from orchestration.alerting.finding import Kind
from orchestration.alerting.rules import RULES, RulesError, read_rules, schema
from tests.orchestration.alerting.world import finding

SHIPPED = RULES.read_text()


@pytest.mark.parametrize(
    ("before", "after", "named", "reason"),
    [
        ("alert: not_fresh", "alert: not_flesh", "not_flesh", "Invalid enum value 'not_flesh'"),
        (
            "severity: warning",
            "severity: loud",
            "severity: loud",
            "no severity loud; there are critical, warning, minor",
        ),
        ("owner: finance-operations", "owners: finance", "owners: finance", "unknown field `owners`"),
        ("time_zone: UTC", "time_zone: Europe/Atlantis", "Atlantis", "there is no time zone Europe/Atlantis"),
        ('from: "20:00"', 'from: "25:00"', "25:00", "matching regex"),
        ("over_after: 90m", "over_after: a while", "a while", "matching regex"),
        ("to: [oncall, finance]", "to: [https://hooks.slack.com/services/T/B/x]", "hooks.slack.com", "matching regex"),
        ("JPY: 750000", "JPY: much", "JPY: much", "Invalid decimal string"),
        ("JPY: 750000", "JPY: nan", "JPY: nan", "NaN is no limit"),
        ("JPY: 750000", "JPY: -1", "JPY: -1", "-1 is no limit"),
        ("JPY: 750000", "EUR: 750000", "EUR: 750000", "EUR stands there twice"),
        ("again_after: 24h", 'again_after: 24h, digest_at: "08:00"', "digest_at", "either again_after or digest_at"),
        ("time_zone: UTC", "time_zone: UTC: x", "UTC: x", "not YAML"),
        ("alert: exception_expired", "alert: run_failed", "run_failed", "a rule above it takes every run_failed"),
        ("    level: error\n", "", "check_failed", "a rule above it takes every check_failed"),
        (
            "alert: not_fresh",
            "alert: not_fresh\n    over: {USD: 1}",
            "over: {USD: 1}",
            "only break_over_limit has limits",
        ),
        ("alert: not_fresh", "alert: not_fresh\n    subject: orb", "rules:", "no rule takes every not_fresh"),
    ],
)
def test_wrong_rules_are_refused_with_line_and_reason(
    before: str, after: str, named: str, reason: str, tmp_path: Path
) -> None:
    assert before in SHIPPED
    path = tmp_path / "rules.yml"
    path.write_text(SHIPPED.replace(before, after, 1))
    with pytest.raises(RulesError, match=r"^rules.yml, line \d+: ") as refused:
        read_rules(path)
    assert reason in str(refused.value)
    line = int(str(refused.value).split("line ")[1].split(":")[0])
    assert named in path.read_text().splitlines()[line - 1], refused.value


def test_the_schema_that_editors_read_is_that_of_the_rules_and_takes_those_that_are_shipped() -> None:
    kept = json.loads(RULES.with_name("rules.schema.json").read_text())
    assert kept == schema()
    jsonschema.validate(yaml.safe_load(SHIPPED), kept)


def test_a_limit_is_read_digit_for_digit(tmp_path: Path) -> None:
    path = tmp_path / "rules.yml"
    path.write_text(SHIPPED.replace("USD: 5000", "USD: 0.1000000000000000055", 1))
    limits = [rule.over for rule in read_rules(path).rules if rule.alert is Kind.BREAK_OVER_LIMIT]
    assert Decimal("0.1000000000000000055") in [over.get("USD") for over in limits]


@pytest.mark.parametrize(
    ("amounts", "severity"),
    [
        ({"USD": "100.00", "EUR": "100.00", "JPY": "15000"}, None),
        ({"USD": "100.01"}, "minor"),
        ({"USD": "5000.01"}, "critical"),
        ({"USD": "60.00", "JPY": "750001"}, "critical"),
        ({"CHF": "0.01"}, "critical"),
        ({"CHF": "0.00"}, None),
    ],
)
def test_each_currency_is_held_against_its_own_limit_and_one_without_limit_against_nothing(
    amounts: dict[str, str], severity: str | None
) -> None:
    exact = {unit: Decimal(amount) for unit, amount in amounts.items()}
    rule = read_rules().rule_for(finding(Kind.BREAK_OVER_LIMIT, "invoice_not_synced", amounts=exact))
    assert (rule.severity if rule else None) == severity


def test_what_nobody_can_explain_is_told_whatever_it_comes_to() -> None:
    rule = read_rules().rule_for(finding(Kind.BREAK_OVER_LIMIT, "unexplained", amounts={"USD": Decimal("0.01")}))
    assert rule
    assert rule.severity == "critical"
