"""What can go wrong between this machine and BigQuery: it passes, or it is said in a sentence, and nothing lands twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from google.cloud import bigquery

from ingestion.lake import Batch, Lake
from ingestion.payload import Row, envelope
from ingestion.settings import BigQuery, MissingSetting, Settings, read_settings
from ingestion.streams import CERTIFICATES, STREAMS, stream_named
from ingestion.sync import opened, recover
from ingestion.warehouses.base import Warehouse, WarehouseError
from ingestion.warehouses.bigquery import BigQueryWarehouse, Built
from tests.emulator.environment import BUCKET, cloud_storage
from tests.emulator.proxy import Answer, Asked, Fault, error
from tests.emulator.warehouse import Project

ITEMS, WALLET = stream_named("orb.items"), stream_named("app.wallet_transactions")
JULY = datetime(2026, 7, 1, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("at_once")


@pytest.fixture
def settings(bigquery_project: Project, tmp_path: Path) -> Settings:
    return read_settings({"TIEOUT_HOME": str(tmp_path), **bigquery_project.environment})


@pytest.fixture
def batch(settings: Settings) -> Batch:
    return _written(Lake(settings.lake), *(Row(f"item_{number}", b"{}", "sweep") for number in range(3)))


def _written(lake: Lake, *rows: Row, at: datetime = JULY, table: pa.Table | None = None) -> Batch:
    return lake.write(
        ITEMS,
        envelope(ITEMS, rows)[0] if table is None else table,
        cursor_from=None,
        cursor_to=None,
        api_version="1",
        started_at=at,
        finished_at=at,
    )


def _recover(settings: Settings) -> int:
    lake = Lake(settings.lake)
    with opened(settings, lake) as warehouse:
        return recover(ITEMS, lake, warehouse, lambda: JULY)


def _landed(project: Project) -> int:
    ((rows,),) = project.rows("select count(*) from raw_orb.items")
    ((lines,),) = project.rows("select count(*) from ingestion.batches where stream = 'items'")
    assert rows == 3 * lines
    return int(rows)


def _at_load(times: int, befalls: Fault) -> Fault:
    """That many times, of the requests that bring a load job."""
    left = [times]

    def fault(asked: Asked, passed_on: Callable[[], Answer]) -> Answer | None:
        if not asked.is_load or not left[0]:
            return None
        left[0] -= 1
        return befalls(asked, passed_on)

    return fault


def _lost(asked: Asked, passed_on: Callable[[], Answer]) -> Answer:
    return replace(passed_on(), is_lost=True)


@pytest.mark.parametrize(
    ("befalls", "times"),
    [
        pytest.param(lambda asked, on: error(403, "rateLimitExceeded", "Exceeded rate limits"), 3, id="rate limit"),
        pytest.param(lambda asked, on: error(503, "backendError", "try again"), 3, id="503"),
        pytest.param(lambda asked, on: Answer(0, {}, b"", is_lost=True), 2, id="connection lost before it was heard"),
    ],
)
def test_what_passes_is_waited_for(
    settings: Settings, batch: Batch, bigquery_project: Project, befalls: Fault, times: int
) -> None:
    bigquery_project.endpoint.befall = _at_load(times, befalls)
    assert _recover(settings) == 3
    assert _landed(bigquery_project) == 3


def test_a_job_whose_answer_was_lost_is_found_and_not_sent_again(
    settings: Settings, batch: Batch, bigquery_project: Project
) -> None:
    bigquery_project.endpoint.befall = _at_load(1, _lost)
    assert _recover(settings) == 3
    assert _landed(bigquery_project) == 3
    assert len(bigquery_project.endpoint.sent) == 1


def test_a_run_that_died_between_rows_and_ledger_line_finds_its_job_done(
    settings: Settings, batch: Batch, bigquery_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(BigQueryWarehouse, "_write_lines", dies)
        with pytest.raises(KeyboardInterrupt):
            _recover(settings)
    assert bigquery_project.rows("select count(*) from raw_orb.items") == [(3,)]
    assert _recover(settings) == 3
    assert _landed(bigquery_project) == 3
    assert len(bigquery_project.endpoint.sent) == 1


def test_a_job_that_failed_on_its_way_is_made_again_under_another_id(
    settings: Settings, batch: Batch, bigquery_project: Project
) -> None:
    endpoint = bigquery_project.endpoint
    endpoint.befall = _at_load(2, lambda asked, on: endpoint.fail(asked, "backendError", "The job failed halfway."))
    assert _recover(settings) == 3
    assert _landed(bigquery_project) == 3


def test_a_job_that_will_not_do_is_told_and_loads_once_it_does(
    settings: Settings, batch: Batch, bigquery_project: Project
) -> None:
    endpoint = bigquery_project.endpoint
    endpoint.befall = _at_load(1, lambda asked, on: endpoint.fail(asked, "invalid", "Error while reading data."))
    with pytest.raises(
        WarehouseError, match=r"raw_orb\.items, .* failed and changed nothing: Error while reading data\."
    ):
        _recover(settings)
    assert _recover(settings) == 3
    assert _landed(bigquery_project) == 3


@pytest.mark.parametrize(
    ("befalls", "says"),
    [
        pytest.param(
            lambda asked, on: error(401, "authError", "Request had invalid authentication credentials."),
            r"The credential has expired or is not valid: `gcloud auth",
            id="token expired",
        ),
        pytest.param(
            lambda asked, on: error(
                403, "accessDenied", "Access Denied: Table t: Permission bigquery.tables.updateData denied"
            ),
            r"Permission bigquery\.tables\.updateData denied.* docs/bigquery\.md says which roles",
            id="permission missing",
        ),
        pytest.param(
            lambda asked, on: error(403, "quotaExceeded", "Quota exceeded: Your table exceeded quota for imports"),
            r"exceeded quota for imports.* refills within a day",
            id="quota of the day",
        ),
        pytest.param(
            lambda asked, on: error(404, "notFound", "Not found: Dataset p:raw_orb was not found in location EU"),
            r"BIGQUERY_LOCATION is US: it has to be where the datasets are",
            id="another location",
        ),
        pytest.param(
            lambda asked, on: error(503, "backendError", "Service unavailable"), "Run again once", id="down for good"
        ),
    ],
)
def test_what_does_not_pass_is_said_in_a_sentence_and_the_next_run_goes_on(
    settings: Settings, batch: Batch, bigquery_project: Project, befalls: Fault, says: str
) -> None:
    bigquery_project.endpoint.befall = _at_load(99, befalls)
    with pytest.raises(WarehouseError, match=says):
        _recover(settings)
    bigquery_project.endpoint.befall = lambda asked, on: None
    assert _recover(settings) == 3
    assert _landed(bigquery_project) == 3


def test_a_statement_whose_answer_was_lost_ran_once(
    settings: Settings, batch: Batch, bigquery_project: Project
) -> None:
    lost: list[str] = []

    def befall(asked: Asked, passed_on: Callable[[], Answer]) -> Answer | None:
        query = asked.job and asked.job.get("configuration", {}).get("query", {}).get("query", "")
        if query and "insert into" in query and not lost:
            lost.append(query)
            return _lost(asked, passed_on)
        return None

    bigquery_project.endpoint.befall = befall
    assert _recover(settings) == 3
    assert lost
    assert _landed(bigquery_project) == 3


def test_a_dataset_in_another_location_is_named_before_anything_is_sent(
    settings: Settings, batch: Batch, bigquery_project: Project
) -> None:
    elsewhere = bigquery.Dataset(f"{bigquery_project.name}.raw_orb")
    elsewhere.location = "EU"
    with bigquery_project.client as client:
        client.create_dataset(elsewhere)
    with pytest.raises(WarehouseError, match=r"raw_orb is in EU, and BIGQUERY_LOCATION is US"):
        _recover(settings)
    assert bigquery_project.endpoint.sent == []


def test_many_batches_load_side_by_side_and_the_newest_version_stands(
    settings: Settings, bigquery_project: Project
) -> None:
    for number in range(20):
        rows = [Row(f"item_{item}", b'{"version":"%d"}' % number, "sweep") for item in range(3)]
        last = _written(Lake(settings.lake), *rows, at=JULY + timedelta(minutes=number))
    assert _recover(settings) == 60
    assert len(set(bigquery_project.endpoint.sent)) == 20
    assert bigquery_project.rows("select distinct batch_id from ingestion.newest_versions") == [
        (last.manifest.batch_id,)
    ]
    with opened(settings, Lake(settings.lake)) as warehouse:
        assert [path for _, path in warehouse.batch_paths_since(ITEMS, None)] == Lake(settings.lake).paths(ITEMS)


def test_a_lake_in_cloud_storage_is_loaded_by_address_and_nothing_is_uploaded(
    settings: Settings, bigquery_project: Project, emulator_folder: Path
) -> None:
    sources: list[str] = []

    def befall(asked: Asked, passed_on: Callable[[], Answer]) -> Answer | None:
        if asked.is_load and asked.job:
            sources.extend(asked.job["configuration"]["load"]["sourceUris"])
        assert not asked.path.startswith("/upload")
        return None

    bigquery_project.endpoint.befall = befall
    with cloud_storage(emulator_folder) as filesystem:
        stored = replace(settings, lake=Path(f"gs:/{BUCKET}/lake"))
        lake = Lake(stored.lake, filesystem)
        batch = _written(lake, *(Row(f"item_{number}", b"{}", "sweep") for number in range(3)))
        with opened(stored, lake) as warehouse:
            assert recover(ITEMS, lake, warehouse, lambda: JULY) == 3
            assert warehouse.paths(ITEMS) == {batch.path}
    assert sources == [f"gs://{batch.path}"]
    assert _landed(bigquery_project) == 3


def test_what_a_batch_brought_is_found_by_the_hash_of_its_text(settings: Settings, bigquery_project: Project) -> None:
    rows = [Row(f"item_{number}", b'{"id":"item_%d"}' % number, "sweep") for number in range(3)]
    batch = _written(Lake(settings.lake), *rows)
    _recover(settings)
    ((payload_hash,),) = bigquery_project.rows("select payload_hash from raw_orb.items where object_id = 'item_1'")
    assert settings.bigquery is not None
    assert Built(settings.bigquery).payload(batch.manifest.batch_id, payload_hash) == '{"id":"item_1"}'


def _opened(settings: Settings, check: Callable[[Warehouse], None]) -> None:
    with opened(settings, Lake(settings.lake)) as warehouse:
        check(warehouse)


def test_rows_without_what_a_table_needs_are_refused_before_they_are_sent(
    settings: Settings, bigquery_project: Project
) -> None:
    table = envelope(ITEMS, [Row("item_1", b"{}", "sweep")])[0]
    bare = table.set_column(0, "object_id", pa.array([None], pa.string()))
    batch = _written(Lake(settings.lake), table=bare)
    with pytest.raises(WarehouseError, match=rf"orb\.items: {batch.path} has rows without object_id"):
        _recover(settings)
    assert bigquery_project.endpoint.sent == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda table: table.append_column("colour", pa.array(["red"])), "a batch has colour as STRING"),
        (lambda table: table.set_column(5, "is_deleted", pa.array([0])), "a batch has is_deleted as INTEGER"),
        (
            lambda table: table.append_column("odd", pa.array([[1]])),
            r"odd is list<.*>, which raw on BigQuery has no column",
        ),
    ],
)
def test_columns_that_a_table_has_not_are_refused_before_they_are_sent(
    settings: Settings, batch: Batch, bigquery_project: Project, change: Callable[[pa.Table], pa.Table], says: str
) -> None:
    _recover(settings)
    _written(
        Lake(settings.lake),
        table=change(envelope(ITEMS, [Row("item_9", b"{}", "sweep")])[0]),
        at=JULY + timedelta(hours=1),
    )
    with pytest.raises(WarehouseError, match=says):
        _recover(settings)
    assert len(bigquery_project.endpoint.sent) == 1


def test_a_raw_table_is_partitioned_clustered_and_described_as_its_stream_says(
    settings: Settings, bigquery_project: Project
) -> None:
    assert settings.bigquery is not None
    tag = "projects/p/locations/us/taxonomies/1/policyTags/2"
    tagged = replace(settings, bigquery=replace(settings.bigquery, policy_tag=tag))
    movements = pa.schema(
        [("id", pa.string()), ("customer_id", pa.string()), ("occurred_at", pa.timestamp("us", "UTC"))]
    )
    sent: dict[str, dict[str, object]] = {}

    def befall(asked: Asked, passed_on: Callable[[], Answer]) -> Answer | None:
        if asked.method == "POST" and asked.path.split("?")[0].endswith("/tables"):
            table = json.loads(asked.body)
            sent[table["tableReference"]["tableId"]] = table
        return None

    bigquery_project.endpoint.befall = befall
    for stream, schema in (
        (WALLET, movements),
        (stream_named("stripe.charges"), envelope(ITEMS, [])[0].schema),
        (CERTIFICATES, pa.schema([("stream", pa.string())])),
    ):
        _opened(tagged, lambda warehouse, stream=stream, schema=schema: warehouse.ensure(stream, schema))  # type: ignore[misc]
    wallet, charges = sent["wallet_transactions"], sent["charges"]
    assert wallet["timePartitioning"] == {"type": "DAY", "field": "occurred_at"}
    assert wallet["requirePartitionFilter"]
    assert wallet["clustering"] == {"fields": ["customer_id", "id"]}
    assert charges["timePartitioning"] == {"type": "DAY", "field": "read_at"}
    assert charges["description"] == stream_named("stripe.charges").description
    assert charges["labels"] == {"made_by": "tieout"}
    columns = {each["name"]: each for each in charges["schema"]["fields"]}  # type: ignore[index]
    assert columns["payload"]["policyTags"] == {"names": [tag]}
    assert columns["object_id"]["mode"] == "REQUIRED"
    assert "policyTags" not in columns["object_id"]


def test_no_statement_of_the_ingestion_is_one_that_bigquery_would_refuse(
    settings: Settings, batch: Batch, bigquery_project: Project
) -> None:
    _recover(settings)
    assert bigquery_project.endpoint.refused == []


def test_every_stream_of_personal_data_has_a_column_that_the_tag_is_put_on() -> None:
    assert all(not stream.is_typed for stream in STREAMS if stream.personal)


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"DBT_TARGET": "snowflake"}, "DBT_TARGET is 'snowflake'; there are duckdb and bigquery"),
        ({"DBT_TARGET": "bigquery"}, "BIGQUERY_PROJECT is not set"),
        ({"BIGQUERY_METHOD": "password"}, "BIGQUERY_METHOD is 'password'; there are oauth"),
        ({"BIGQUERY_METHOD": "service-account"}, "BIGQUERY_KEY_FILE is not set"),
        ({"BIGQUERY_METHOD": "service-account", "BIGQUERY_KEY_FILE": "/nowhere"}, "which is not a file"),
        ({"BIGQUERY_MAXIMUM_BYTES_BILLED": "many"}, "BIGQUERY_MAXIMUM_BYTES_BILLED is 'many'"),
        ({"DBT_TARGET": "duckdb", "TIEOUT_LAKE": "gs://bucket/lake"}, "which DuckDB does not read in place"),
    ],
)
def test_a_setting_that_will_not_do_is_named(environment: dict[str, str], says: str) -> None:
    project = {} if says.startswith("BIGQUERY_PROJECT") else {"BIGQUERY_PROJECT": "p"}
    with pytest.raises(MissingSetting, match=says):
        read_settings({"DBT_TARGET": "bigquery", **project, **environment})


def test_a_developers_layers_have_datasets_of_their_own() -> None:
    production, alice = (
        read_settings({"DBT_TARGET": "bigquery", "BIGQUERY_PROJECT": "p", "BIGQUERY_DATASET": name}).bigquery
        for name in ("", "alice")
    )
    assert isinstance(production, BigQuery)
    assert isinstance(alice, BigQuery)
    assert (production.layer("marts"), alice.layer("marts")) == ("marts", "alice_marts")
