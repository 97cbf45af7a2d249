"""Who signs in to BigQuery, what a query may cost and where a developer builds: by variables alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from dbt.adapters.bigquery.credentials import BigQueryCredentials
from dbt.config.renderer import ProfileRenderer
from dbt_common.context import set_invocation_context

ROOT = Path(__file__).parents[2]


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> Any:
    def of(**environment: str) -> Any:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        set_invocation_context(os.environ)
        profiles = yaml.safe_load((ROOT / "profiles.yml").read_text())
        rendered = ProfileRenderer({}).render_data(profiles["tieout"]["outputs"]["bigquery"])
        del rendered["type"], rendered["threads"]
        BigQueryCredentials.validate(rendered)
        return BigQueryCredentials.from_dict(BigQueryCredentials.translate_aliases(rendered))

    return of


def test_left_alone_it_is_application_default_credentials_in_production(credentials: Any) -> None:
    found = credentials(BIGQUERY_PROJECT="books")
    assert (found.method, found.database, found.schema, found.location) == ("oauth", "books", "tieout", "US")
    assert not found.impersonate_service_account
    assert found.maximum_bytes_billed == 0


def test_a_key_file_an_impersonation_a_limit_and_a_priority_are_variables(credentials: Any) -> None:
    found = credentials(
        BIGQUERY_METHOD="service-account",
        BIGQUERY_KEY_FILE="/secrets/dbt.json",
        BIGQUERY_IMPERSONATE="dbt@books.iam.gserviceaccount.com",
        BIGQUERY_LOCATION="EU",
        BIGQUERY_PRIORITY="batch",
        BIGQUERY_MAXIMUM_BYTES_BILLED="1000000000",
    )
    assert (found.method, found.keyfile) == ("service-account", "/secrets/dbt.json")
    assert found.impersonate_service_account == "dbt@books.iam.gserviceaccount.com"
    assert (found.location, found.priority, found.maximum_bytes_billed) == ("EU", "batch", 1_000_000_000)


@pytest.mark.parametrize(("dataset", "prefix"), [("", ""), ("alice", "alice_")])
def test_every_layer_has_a_dataset_and_a_developer_has_them_for_himself(
    tmp_path: Path, dataset: str, prefix: str
) -> None:
    subprocess.run(
        [
            Path(sys.executable).with_name("dbt"),
            *("--quiet", "parse", "--target", "bigquery", "--no-partial-parse"),
            *("--project-dir", ROOT, "--profiles-dir", ROOT, "--target-path", tmp_path, "--log-path", tmp_path),
        ],
        env={**os.environ, "BIGQUERY_DATASET": dataset, "BIGQUERY_PROJECT": "books"},
        check=True,
    )
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    nodes = [node for node in manifest["nodes"].values() if node["resource_type"] in ("model", "seed")]
    layers = ("staging", "intermediate", "marts", "reconciliation", "close", "seeds")
    assert {node["schema"] for node in nodes} == {f"{prefix}{layer}" for layer in layers}
    raw = {source["schema"] for source in manifest["sources"].values()}
    assert all(schema.startswith("raw_") for schema in raw), "raw is one, and production's"
