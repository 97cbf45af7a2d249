"""The project as dbt sees it: parses without deprecations, says what its models are. What it is on BigQuery: `tests/referee/`."""

from __future__ import annotations

import re

from expectations.suite import read_suites
from tests.dbt_project.conftest import Dbt


def test_parse_has_no_deprecations(dbt: Dbt) -> None:
    assert [event for event in dbt.events if "Deprecat" in event] == []


def test_every_model_says_its_grain_and_every_column_what_it_is(dbt: Dbt) -> None:
    models = [node for node in dbt.manifest.nodes.values() if node.resource_type == "model"]
    assert [model.name for model in models if not re.match(r"(One|Every|Each) ", model.description)] == []
    undescribed = [
        f"{model.name}.{name}" for model in models for name, column in model.columns.items() if not column.description
    ]
    assert undescribed == []


def test_a_comparison_is_in_the_register_and_missed_when_the_bridge_lacks_it(dbt: Dbt) -> None:
    models = {node.name: node for node in dbt.manifest.nodes.values() if node.resource_type == "model"}
    reconciled = {name for name, node in models.items() if "macro.tieout.reconcile" in node.depends_on.macros}
    in_register = {node.rpartition(".")[2] for node in models["rec_match_groups"].depends_on.nodes}
    # Event by event is how a day of metered__app_vs_orb is told: a day that ties has no rows there.
    assert reconciled - {"rec_metered__event_by_event"} == in_register
    (expected,) = [
        each.arguments["value_set"]
        for suite in read_suites()
        for each in suite.expectations
        if suite.name == "rec_bridge" and each.arguments.get("column") == "comparison"
    ]
    may_be_empty = {
        "settled__failed_payouts_vs_returns",
        "recognised__due_expiries_vs_ledger",
        "recognised__prepaid_lines_vs_use",
    }
    assert set(expected) == {name.removeprefix("rec_") for name in in_register} - may_be_empty
