"""Every dbt model, seed and snapshot as an asset, every dbt test as its check, built by two `dbt build`s.

Between the two, ingestion looks up in Orb the events that the first one has found to differ: see `raw_orb.events`.
"""

# No `from __future__ import annotations` here: Dagster reads a step's annotations as types and refuses their text.
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtProject, dbt_assets
from dagster_dbt.core.dbt_event_iterator import DbtDagsterEventType
from dagster_shared.record import replace

from orchestration.dbt import Dbt, DbtError, at_work, dbt_project

FULL_REFRESH = "tieout/full_refresh"
_FAILED = {"error", "fail", "runtime error"}


@dg.definitions
def defs() -> dg.Definitions:
    """The dbt project at the repository's root. Its unit tests are for development: production never runs them."""
    drilled = "source:raw_orb.events+"
    return dg.Definitions(assets=[_built("transformation", exclude=drilled), _built("reconciliation", select=drilled)])


def _built(name: str, select: str = "fqn:*", exclude: str = "") -> dg.AssetsDefinition:
    project = dbt_project()

    @dbt_assets(
        name=name,
        manifest=project.manifest_path,
        project=project,
        dagster_dbt_translator=_Translator(DagsterDbtTranslatorSettings(enable_source_tests_as_checks=True)),
        select=select,
        exclude=exclude,
    )
    def build(context: dg.AssetExecutionContext, dbt: Dbt) -> Iterator[DbtDagsterEventType]:
        # dbt's debug log is 10 MB a run; what it says of errors is in the results.
        args = ["build", "--exclude-resource-type", "unit_test", "--log-level-file", "info"]
        # Of a part of the models, a test of one that it has and one of the later part would find the later table missing.
        args += ["--indirect-selection", "buildable"]
        if context.run.tags.get(FULL_REFRESH) == "true":
            args.append("--full-refresh")
        results = project.project_dir / project.target_path / "run_results.json"
        results.unlink(missing_ok=True)
        with at_work(dbt, args, context=context, target_path=project.target_path) as (invocation, events):
            for event in events:
                if event.raw_event["info"]["name"] == "LogStartLine":
                    start = event.raw_event["data"]
                    context.log.info("dbt %s of %s %s", start["index"], start["total"], start["node_info"]["node_name"])
                yield from event.to_default_asset_events(
                    manifest=invocation.manifest,
                    dagster_dbt_translator=invocation.dagster_dbt_translator,
                    context=context,
                    target_path=invocation.target_path,
                    project=invocation.project,
                )
        if error := invocation.get_error():
            raise dg.Failure("\n".join(failures(results)) or str(DbtError(error)), allow_retries=False)

    return build


class _Translator(DagsterDbtTranslator):
    """Tests of sources do not block: `raw_orb.events` is read between dbt's two runs, and Dagster would cut them into more.
    dbt itself builds nothing on a source whose test failed."""

    def get_asset_check_spec(
        self, asset_spec: dg.AssetSpec, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> dg.AssetCheckSpec | None:
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        is_of_source = any(parent.startswith("source.") for parent in manifest["parent_map"].get(unique_id, []))
        return replace(spec, blocking=False) if spec and is_of_source else spec


def failures(results: Path) -> Iterator[str]:
    """A sentence for each node that failed; none when dbt failed before it ran any."""
    if not results.exists():
        return
    for result in json.loads(results.read_text())["results"]:
        if result["status"] in _FAILED:
            kind, _, name, *_ = result["unique_id"].split(".")
            yield f"dbt {kind} {name} failed: {' '.join(str(result['message']).split())}"
