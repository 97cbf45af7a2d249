from __future__ import annotations

import json
import socket
import warnings
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import dagster as dg
import pytest

from expectations.suite import read_suites
from ingestion.streams import EVIDENCE, STREAMS, Stream, stream_named
from ingestion.sync import SyncResult
from orchestration.defs.ingestion import _metadata
from orchestration.defs.transformation import FULL_REFRESH
from tests.orchestration.alerting.receivers import receiving

SUITES = {f"{suite.name}_suite": dg.AssetKey(suite.mart.split(".")) for suite in read_suites()}
INGESTED = {"is_complete", "is_understood"}
DBT_RUNS = {"transformation", "reconciliation"}


def assets(definitions: dg.Definitions) -> dict[dg.AssetKey, dg.AssetsDefinition]:
    found: dict[dg.AssetKey, dg.AssetsDefinition] = {}
    for asset in definitions.assets or ():
        if isinstance(asset, dg.AssetsDefinition):
            found |= dict.fromkeys(asset.keys, asset)
    return found


def checks(definitions: dg.Definitions) -> set[dg.AssetCheckKey]:
    return set(definitions.resolve_job_def("tieout").asset_layer.asset_graph.asset_check_keys)


def checks_of_nothing(checked: Iterable[dg.AssetCheckKey], existing: Iterable[dg.AssetKey]) -> set[dg.AssetCheckKey]:
    """Dagster says nothing of a check on an asset that is not there: it just never shows."""
    return {key for key in checked if key.asset_key not in set(existing)}


@pytest.mark.parametrize("stream", STREAMS, ids=str)
def test_a_stream_is_an_asset_of_its_own_name_with_pool_retry_and_freshness(
    definitions: dg.Definitions, stream: Stream
) -> None:
    key = dg.AssetKey(stream.asset_key)
    asset = assets(definitions)[key]
    retry = asset.op.retry_policy
    assert retry is not None
    assert retry.backoff is dg.Backoff.EXPONENTIAL
    assert asset.op.pool == stream.source
    spec = asset.specs_by_key[key]
    assert spec.freshness_policy == dg.FreshnessPolicy.time_window(fail_window=stream.freshness)
    assert spec.group_name == f"raw_{stream.source}"
    asked_by = [dg.AssetKey(stream.asked_by.split("."))] if stream.asked_by else []
    before = [dg.AssetKey(stream_named(name).asset_key) for name in stream.after]
    assert {dep.asset_key for dep in spec.deps} == {*before, *asked_by}


def test_what_a_sync_had_to_repair_is_in_the_metadata_of_its_asset() -> None:
    usual = SyncResult(
        stream_named("stripe.charges"),
        rows=3,
        rejected=0,
        bytes=9_000,
        batches=("a",),
        cursor_from="1",
        cursor_to="2",
        started_at=datetime.now(UTC),
        seconds=0.5,
        remarks=(),
    )
    assert "remarks" not in _metadata(usual)
    repaired = replace(usual, remarks=("stripe.charges: the whole list was read again.",))
    assert _metadata(repaired)["remarks"].value == "stripe.charges: the whole list was read again."


def test_every_dbt_source_has_the_asset_that_lands_it(definitions: dg.Definitions, home: Path) -> None:
    manifest = json.loads((home / "dbt" / "manifest.json").read_text())
    sources = {dg.AssetKey([source["source_name"], source["name"]]) for source in manifest["sources"].values()}
    assert sources == {dg.AssetKey(stream.asset_key) for stream in (*STREAMS, *EVIDENCE)}
    graph = definitions.resolve_asset_graph()
    assert sources <= graph.get_all_asset_keys()


def test_every_model_and_seed_is_an_asset_of_one_of_dbts_two_runs(definitions: dg.Definitions, home: Path) -> None:
    manifest = json.loads((home / "dbt" / "manifest.json").read_text())
    built = [node for node in manifest["nodes"].values() if node["resource_type"] in ("model", "seed", "snapshot")]
    runs = {key.path[-1]: asset.op.name for key, asset in assets(definitions).items() if asset.op.name in DBT_RUNS}
    assert runs.keys() == {node["name"] for node in built}
    after = {name for name, run in runs.items() if run == "reconciliation"}
    assert {"stg_orb__events", "rec_metered__event_by_event", "fct_breaks"} <= after
    assert "int_usage__events_to_look_up" not in after
    steps = definitions.resolve_job_def("tieout").graph.node_dict
    others = {"certificates", "expectations", "reconciliation__register", "alerting__findings"}
    assert {name for name in steps if not name.startswith("raw_")} == DBT_RUNS | others


def test_every_check_is_on_an_asset_that_exists(definitions: dg.Definitions) -> None:
    existing = [*assets(definitions), *(dg.AssetKey(stream.asset_key) for stream in EVIDENCE)]
    assert checks_of_nothing(checks(definitions), existing) == set()
    astray = dg.AssetCheckKey(dg.AssetKey(["marts", "fct_unicorns"]), "horn")
    assert checks_of_nothing([astray], existing) == {astray}


def test_every_suite_is_one_check_on_its_mart(definitions: dg.Definitions) -> None:
    found = {key.name: key.asset_key for key in checks(definitions) if key.name.endswith("_suite")}
    assert found == SUITES


def test_every_stream_is_checked_for_completeness_and_for_what_was_not_understood(definitions: dg.Definitions) -> None:
    found = {(key.asset_key, key.name) for key in checks(definitions) if key.name in INGESTED}
    assert found == {(dg.AssetKey(stream.asset_key), name) for stream in STREAMS for name in INGESTED}


def test_dbt_tests_are_checks_and_unit_tests_are_not(definitions: dg.Definitions, home: Path) -> None:
    manifest = json.loads((home / "dbt" / "manifest.json").read_text())
    found = {key.name for key in checks(definitions)} - SUITES.keys() - INGESTED
    tests = {node["name"] for node in manifest["nodes"].values() if node["resource_type"] == "test"}
    assert found
    assert found <= tests
    assert any(key.asset_key == dg.AssetKey(["raw_stripe", "charges"]) for key in checks(definitions))
    assert not found & {unit_test["name"] for unit_test in manifest["unit_tests"].values()}


def test_one_job_runs_everything_hourly_and_rebuilds_nightly(definitions: dg.Definitions) -> None:
    job = definitions.resolve_job_def("tieout")
    assert set(job.asset_layer.executable_asset_keys) == set(assets(definitions))
    assert job.executor_def is dg.in_process_executor
    hourly, nightly = (definitions.resolve_schedule_def(name) for name in ("hourly", "nightly"))
    assert {hourly.job_name, nightly.job_name} == {"tieout"}
    at = dg.build_schedule_context()
    assert (hourly.cron_schedule, nightly.cron_schedule) == ("0 * * * *", "30 2 * * *")
    (request,) = nightly.evaluate_tick(at).run_requests or ()
    assert request.tags[FULL_REFRESH] == "true"
    (request,) = hourly.evaluate_tick(at).run_requests or ()
    assert FULL_REFRESH not in request.tags


def test_the_sensor_tells_each_channel_of_a_failed_run_once_and_beats_when_all_is_told(
    definitions: dg.Definitions, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sensor = definitions.resolve_sensor_def("alerts")
    with receiving(tmp_path) as receiver, dg.DagsterInstance.ephemeral() as instance:
        instance.report_run_failed(instance.create_run_for_job(definitions.resolve_job_def("tieout")))

        def tick() -> str:
            context = dg.build_sensor_context(instance=instance, definitions=definitions)
            return str(sensor.evaluate_tick(context).skip_message)

        monkeypatch.setenv("TIEOUT_CHANNEL_FINANCE", f"json://127.0.0.1:{receiver.port}/finance")
        assert tick() == "1 alerts; oncall: has no address"
        assert not (home / "heartbeat").exists()
        monkeypatch.setenv("TIEOUT_CHANNEL_ONCALL", f"json://127.0.0.1:{receiver.port}/oncall")
        assert [tick(), tick()] == ["1 alerts", "1 alerts"]
    assert [one.path for one in receiver.received] == ["/finance", "/oncall"]
    assert "FAILURE" in (home / "heartbeat").read_text()


def test_definitions_load_again_without_a_warning_and_without_a_connection(
    definitions: dg.Definitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> NoReturn:
        raise AssertionError("loading the definitions opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    from orchestration.definitions import defs

    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        assets(defs())
    assert [str(warning.message) for warning in heard] == []
