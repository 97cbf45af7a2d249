"""The project as dbt sees it: parses without deprecations, compiles for BigQuery with nothing behind it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from expectations.suite import read_suites
from tests.dbt_project.bigquery_stub import BigQueryStub, serve
from tests.dbt_project.conftest import ROOT, Dbt

# what BigQuery has not, and a macro should have hidden: each would be an error or another number there
_DUCKDB_ONLY = {
    "a DuckDB JSON function": r"\bjson_extract_string\b|->>|\bjson_valid\b",
    "a DuckDB type": r"\b(timestamptz|hugeint|varchar|double)\b|\bdecimal\s*\(",
    "a double-colon cast": r"::",
    "a DuckDB list or sampling function": r"\blist_(sum|filter|transform)\b|\barg_max\b|\bbool_or\b|\bgenerate_series\b",
    "DuckDB's star": r"\bexclude\s*\(|\bgroup by all\b|\border by all\b|\bunion by name\b",
    "a DuckDB date function": r"\bdate_trunc\('|\bdate_diff\('|\bstrftime\b|\bto_(days|months|hours)\b",
}


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
    may_be_empty = {"settled__failed_payouts_vs_returns"}
    assert set(expected) == {name.removeprefix("rec_") for name in in_register} - may_be_empty


@pytest.fixture(scope="module", params=["first build", "later build"])
def bigquery(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The manifest compiled for BigQuery: with no table there, and with every incremental model's table there."""
    target = tmp_path_factory.mktemp("bigquery")
    incremental: dict[str, frozenset[str]] = {}
    if request.param == "later build":
        manifest = request.getfixturevalue("dbt").manifest
        for node in manifest.nodes.values():
            if node.config.materialized in ("incremental", "snapshot"):
                incremental[node.schema] = incremental.get(node.schema, frozenset()) | {node.alias}
        if not incremental:
            pytest.skip("no incremental model: the later build is the first build")
    with serve(BigQueryStub(incremental)) as stub:
        environment = os.environ | {
            "BIGQUERY_METHOD": "oauth-secrets",
            "BIGQUERY_TOKEN": "none",
            "BIGQUERY_ENDPOINT": stub.endpoint,
            "DO_NOT_TRACK": "1",
        }
        compile_ = [
            str(Path(sys.executable).with_name("dbt")),
            "--quiet",
            "--no-use-colors",
            "compile",
            "--target",
            "bigquery",
        ]
        run = subprocess.run(
            [*compile_, "--profiles-dir", str(ROOT), "--target-path", str(target), "--log-path", str(target)],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
        )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    assert stub.queries == []
    compiled: dict[str, Any] = json.loads((target / "manifest.json").read_text())
    return compiled


def test_every_model_and_test_compiles_for_bigquery(bigquery: dict[str, Any]) -> None:
    nodes = [node for node in bigquery["nodes"].values() if node["resource_type"] in ("model", "test")]
    assert len(nodes) > 200
    assert [node["name"] for node in nodes if not node.get("compiled_code")] == []


@pytest.mark.parametrize("kind", _DUCKDB_ONLY)
def test_no_dialect_leaks_out_of_the_portability_macros(bigquery: dict[str, Any], kind: str) -> None:
    leaks = []
    for node in bigquery["nodes"].values():
        code = re.sub(r"--[^\n]*|'(?:[^'\\]|\\.)*'", "''", node.get("compiled_code") or "")
        pattern = _DUCKDB_ONLY[kind].replace("('", "(''")
        leaks += [f"{node['name']}: {found.group()}" for found in re.finditer(pattern, code, re.IGNORECASE)]
    assert leaks == []
