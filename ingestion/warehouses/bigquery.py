"""The production warehouse: a BigQuery project.

A raw table holds its rows: a batch's Parquet file is appended by one load job, from Cloud Storage by its address or from this
machine by upload. The job's id is the batch's with the table's (a table that was dropped and made again is another), and a job
id is used once: a job that was sent and whose answer was lost is found, a repeat finds itself done. A load job's rows come
together or not at all. The ledger line is written after them, so that a crash between the two is mended by loading once more.

What a stream's newest versions are stands in one table for all of them, merged from each batch's partition.

https://cloud.google.com/bigquery/docs/batch-loading-data and /loading-data-cloud-storage-parquet, and for what is asked again
/docs/error-messages.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from itertools import chain, count, islice
from types import TracebackType
from typing import Any, TypeAlias, TypeVar

import duckdb
import google.auth
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import requests
import stamina
from google.api_core.exceptions import Conflict, Forbidden, GoogleAPICallError, NotFound, Unauthorized
from google.auth import impersonated_credentials
from google.auth.exceptions import GoogleAuthError, TransportError
from google.cloud import bigquery
from google.oauth2 import credentials, service_account

from ingestion.lake import Batch, Lake, LakeError, Manifest
from ingestion.payload import SCHEMAS, Item
from ingestion.settings import BigQuery
from ingestion.sources.base import Measure, Window
from ingestion.streams import CERTIFICATES, EVIDENCE, REJECTED, STREAMS, Stream, stream_named
from ingestion.warehouses.base import WarehouseError

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_ATTEMPTS, _LONGEST_WAIT, _SECONDS_IN_ALL = 8, 32.0, 600.0
_SECONDS_BETWEEN_LOOKS = 1.0
_JOBS_AT_ONCE = 8
_BATCHES_AT_ONCE = 200
# A request with its parameters may have 10 MB, and a parameter's JSON takes some times its value.
_VALUES_A_QUERY = 20_000
_ROWS_A_QUERY = 1_000
_EVER = datetime(1, 1, 1, tzinfo=UTC)
_LANDING = (pa.field("batch_id", pa.string()), pa.field("read_at", pa.timestamp("us", tz="UTC")))
_MEANS = {
    "object_id": "The object's id at the source.",
    "parent_id": "The id of the object that it was listed under.",
    "payload": "The object's JSON text as it was sent; numbers with a fraction are strings of their digits.",
    "payload_hash": "SHA-256 of the payload.",
    "source_at": "When the source says it came to be so.",
    "is_deleted": "Whether it is gone at the source.",
    "origin": "What it was read by: backfill, event or sweep.",
    "batch_id": "The batch of the lake that it came in.",
    "read_at": "When that batch was finished.",
}
_NEVER_NULL = ("object_id", "payload_hash", "is_deleted", "batch_id", "read_at")
_PERSONAL = ("payload", "original")
_TYPES = {
    pa.types.is_string: "STRING",
    pa.types.is_timestamp: "TIMESTAMP",
    pa.types.is_date: "DATE",
    pa.types.is_boolean: "BOOLEAN",
    pa.types.is_integer: "INTEGER",
    pa.types.is_floating: "FLOAT",
    pa.types.is_binary: "BYTES",
}
_READ = {
    "STRING": pa.string(),
    "TIMESTAMP": pa.timestamp("us"),
    "DATE": pa.date32(),
    "BOOLEAN": pa.bool_(),
    "INTEGER": pa.int64(),
    "NUMERIC": pa.decimal128(38, 9),
}
"""What a mart's column is read as, by its type in BigQuery: those are the types that contracts have."""
_FIELDS = ("parent_id", "status", "sequence", "created_at", "amount", "unit")
_IN_WINDOW = "not is_deleted and (created_at is null or (created_at >= @since and created_at < @until))"
# What the documentation says to send again after a while. A quota of the day is not among them: it refills in hours.
_PASSING = (
    "backendError",
    "badGateway",
    "internalError",
    "jobRateLimitExceeded",
    "rateLimitExceeded",
    "tableUnavailable",
)
_PASSING_CODES = (408, 429, 500, 502, 503, 504)
_LOST = (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError, requests.exceptions.Timeout)

T = TypeVar("T")
Parameter: TypeAlias = "bigquery.ScalarQueryParameter | bigquery.ArrayQueryParameter"


@dataclass(frozen=True)
class _Layout:
    """A table as it is made where there is none."""

    columns: tuple[bigquery.SchemaField, ...]
    description: str
    clusters: tuple[str, ...]
    partition: str | None = None
    is_filter_required: bool = False


def _columns(**kinds: str) -> tuple[bigquery.SchemaField, ...]:
    """Of kinds like `STRING` and, where it is never null, `STRING!`."""
    return tuple(
        bigquery.SchemaField(name, kind.rstrip("!"), "REQUIRED" if kind.endswith("!") else "NULLABLE")
        for name, kind in kinds.items()
    )


_BATCHES = _Layout(
    _columns(
        batch_id="STRING!",
        source="STRING!",
        stream="STRING!",
        cursor_from="STRING",
        cursor_to="STRING",
        row_count="INTEGER!",
        byte_count="INTEGER!",
        content_hash="STRING!",
        api_version="STRING!",
        started_at="TIMESTAMP!",
        finished_at="TIMESTAMP!",
        loaded_at="TIMESTAMP!",
        lake_path="STRING!",
        first_at="TIMESTAMP",
        last_at="TIMESTAMP",
    ),
    "The ledger: one line a batch whose rows are in raw.",
    clusters=("source", "stream"),
)
_NEWEST = _Layout(
    _columns(
        stream="STRING!",
        object_id="STRING!",
        payload_hash="STRING!",
        is_deleted="BOOLEAN!",
        parent_id="STRING",
        status="STRING",
        sequence="INTEGER",
        created_at="TIMESTAMP",
        amount="NUMERIC",
        unit="STRING",
        batch_id="STRING!",
        read_at="TIMESTAMP!",
    ),
    "The newest version of each object, of all streams.",
    clusters=("stream", "object_id"),
)
_CERTIFIED = _Layout(
    _columns(
        stream="STRING!",
        day="DATE",
        measure="STRING!",
        unit="STRING",
        source_value="NUMERIC!",
        landed_value="NUMERIC!",
        certified_from="TIMESTAMP",
        certified_through="TIMESTAMP!",
        certified_at="TIMESTAMP!",
    ),
    "What was certified: also of what has not landed in raw_tieout.certificates yet.",
    clusters=("stream",),
)
_OWN = {"batches": _BATCHES, "newest_versions": _NEWEST, "certified": _CERTIFIED}


@dataclass(frozen=True)
class _Line:
    """A line of the ledger. Of a table of the product's it says from when to when its rows are: dbt reads no other partitions."""

    manifest: Manifest
    loaded_at: datetime
    lake_path: str
    first_at: datetime | None = None
    last_at: datetime | None = None


@dataclass(frozen=True)
class _File:
    """A batch's file that fits its table; `columns` are those of the table that it has, `span` from when to when its rows are."""

    batch: Batch
    table: bigquery.Table
    columns: tuple[bigquery.SchemaField, ...]
    span: tuple[datetime | None, datetime | None]


class _JobFailed(Exception):
    """A job that ended without having changed anything, in BigQuery's words."""

    def __init__(self, job_id: str, said: Mapping[str, str]) -> None:
        super().__init__(f"job {job_id} failed and changed nothing: {said.get('message', '')}")
        self.reason = said.get("reason", "")


class BigQueryWarehouse(AbstractContextManager["BigQueryWarehouse"]):
    """See `Warehouse`. What of the ledger was read is kept: there is one writer at a time."""

    def __init__(self, settings: BigQuery, lake: Lake) -> None:
        self._settings, self._lake = settings, lake
        self._ledger: dict[str, list[_Line]] = {}
        self._tables: dict[str, bigquery.Table] = {}
        self._datasets: set[str] = set()
        self._client: Any = _client(settings)  # its annotations don't know that None is "ask once"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def cursor(self, stream: Stream) -> str | None:
        lines = self._lines(stream)
        return lines[-1].manifest.cursor_to if lines else None

    def paths(self, stream: Stream) -> set[str]:
        return {line.lake_path for line in self._lines(stream)}

    def known_batches(self, stream: Stream, moment: datetime) -> Mapping[str, str]:
        known = [line.manifest for line in self._lines(stream) if line.manifest.finished_at <= moment]
        return {manifest.batch_id: manifest.content_hash for manifest in sorted(known, key=lambda each: each.batch_id)}

    def batch_paths_since(self, stream: Stream, batch_id: str | None) -> Sequence[tuple[str, str]]:
        loaded = [(line.manifest.batch_id, line.lake_path) for line in self._lines(stream)]
        ids = [each for each, _ in loaded]
        return loaded[ids.index(batch_id) + 1 if batch_id in ids else 0 :]

    def load(self, batches: Iterable[Batch], now: Callable[[], datetime]) -> None:
        waiting = iter(batches)
        while portion := list(islice(waiting, _BATCHES_AT_ONCE)):
            stream = stream_named(f"{portion[0].manifest.source}.{portion[0].manifest.stream}")
            there = {line.manifest.batch_id for line in self._lines(stream)}
            new = {batch.manifest.batch_id: batch for batch in portion if batch.manifest.batch_id not in there}
            files = [self._checked(stream, batch) for batch in new.values() if batch.manifest.row_count]
            with ThreadPoolExecutor(_JOBS_AT_ONCE) as pool:
                list(pool.map(self._append, files))
            if files and not stream.is_typed:
                self._merge(stream, [file.batch.manifest for file in files])
            spans = {file.batch.path: file.span for file in files}
            lines = [
                _Line(batch.manifest, now(), batch.path, *spans.get(batch.path, (None, None))) for batch in new.values()
            ]
            if lines:
                self._write_lines(stream, lines)

    def ensure(self, stream: Stream, schema: pa.Schema) -> None:
        # Which columns a table of the product's has only its first batch says.
        if stream.reads == "horizon" and stream.key not in schema.names:
            return
        self._raw(stream, pa.schema([*schema, *_LANDING]))

    def news(self, stream: Stream, rows: pa.Table) -> pa.Table:
        if not rows.num_rows:
            return rows
        known: dict[str, tuple[str, bool]] = {}
        for ids in _portions(rows["object_id"].to_pylist() if self._lines(stream) else [], _VALUES_A_QUERY):
            found = self._rows(
                f"""
                select object_id, payload_hash, is_deleted
                from {self._own("newest_versions")}
                where stream = @stream and object_id in unnest(@object_ids)
                """,
                _text("stream", str(stream)),
                _texts("object_ids", ids),
            )
            known |= {object_id: (payload_hash, is_deleted) for object_id, payload_hash, is_deleted in found}
        columns = (rows[name].to_pylist() for name in ("object_id", "payload_hash", "is_deleted"))
        is_news = [
            payload_hash != known.get(object_id, ("", True))[0]
            and not (is_deleted and known.get(object_id, ("", True))[1])
            for object_id, payload_hash, is_deleted in zip(*columns, strict=True)
        ]
        return rows.filter(pa.array(is_news))

    def live_objects(self, stream: Stream) -> set[str]:
        return {object_id for (object_id,) in self._newest(stream, "object_id", "not is_deleted")}

    def open_objects(self, stream: Stream) -> set[str]:
        is_open = "not is_deleted and ifnull(status, '') not in unnest(@final)"
        return {object_id for (object_id,) in self._newest(stream, "object_id", is_open, _texts("final", stream.final))}

    def live_children(self, stream: Stream, parents: Collection[str]) -> Mapping[str, set[str]]:
        children: dict[str, set[str]] = {}
        for some in _portions(list(parents), _VALUES_A_QUERY):
            is_child = "not is_deleted and parent_id in unnest(@parents)"
            for parent, child in self._newest(stream, "parent_id, object_id", is_child, _texts("parents", some)):
                children.setdefault(parent, set()).add(child)
        return children

    def settled_sequence(self, stream: Stream) -> Mapping[tuple[str, str], int]:
        found = self._newest(
            stream,
            """
            parent_id,
            unit,
            ifnull(min(if(ifnull(status, '') not in unnest(@final), sequence, null)) - 1, max(sequence))
            """,
            "not is_deleted and sequence is not null group by parent_id, unit",
            _texts("final", stream.final),
        )
        return {(parent_id, unit): number for parent_id, unit, number in found}

    def unlanded(self, stream: Stream, rows: pa.Table) -> pa.Table:
        if not self._lines(stream):
            return rows
        names, is_new = rows.schema.names, []
        for some in rows.to_batches(_VALUES_A_QUERY):
            created = some[stream.created]
            landed = self._rows(
                f"""
                select {", ".join(names)}
                from {self._name(*stream.asset_key)}
                where {stream.created} between @first and @last and {stream.key} in unnest(@keys)
                qualify row_number() over (partition by {stream.key} order by read_at desc, batch_id desc) = 1
                """,
                _texts("keys", some[stream.key].to_pylist()),
                *_instants(first=pc.min(created).as_py() or _EVER, last=pc.max(created).as_py() or _EVER),
            )
            known = set(landed)
            is_new += [row not in known for row in zip(*(column.to_pylist() for column in some.columns), strict=True)]
        return rows.filter(pa.array(is_new, pa.bool_()))

    def asked(self, stream: Stream) -> Sequence[tuple[str, datetime]]:
        assert stream.asked_by is not None
        asked = list(self._newest(stream, "object_id, created_at", "not is_deleted"))
        layer, table = stream.asked_by.split(".")
        dataset = self._settings.layer(layer)
        if self._found(dataset, table):
            asked += self._rows(f"select event_id, occurred_at from {self._name(dataset, table)}")
        earliest: dict[str, datetime] = {}
        for object_id, at in asked:
            earliest[object_id] = min(at, earliest.get(object_id, at))
        return sorted(earliest.items())

    def sightings(self, stream: Stream) -> tuple[datetime, Sequence[tuple[str, str]]]:
        assert stream.asked_by is not None
        clock = self._name(self._settings.layer("intermediate"), "int_core__known_at")
        layer, table = stream.asked_by.split(".")
        ((known_at,),) = self._rows(f"select known_at from {clock}")
        found = self._rows(f"select break_id, sighting from {self._name(self._settings.layer(layer), table)}")
        return known_at, [(break_id, sighting) for break_id, sighting in sorted(found)]

    def tally(self, stream: Stream, window: Window) -> Mapping[Measure, Decimal]:
        if stream.is_typed:
            return self._tally_typed(stream, window)
        totals: dict[Measure, Decimal] = {}
        for day, unit, objects, amount in self._newest(
            stream,
            "date(created_at), unit, count(*), sum(amount)",
            f"{_IN_WINDOW} group by 1, 2",
            *_bounds(window),
        ):
            measure = Measure(day, "objects")
            totals[measure] = totals.get(measure, Decimal(0)) + objects
            if stream.amount and amount is not None:
                totals[Measure(day, stream.amount, unit)] = amount
        return totals

    def roster(self, stream: Stream, window: Window) -> Iterator[Item]:
        if not stream.is_typed:
            found = self._newest(stream, "object_id, created_at, amount, unit", _IN_WINDOW, *_bounds(window))
            return (Item(*row) for row in found)
        rows = self._rows(
            f"""
            select distinct {stream.key}, {stream.created}
            from {self._name(*stream.asset_key)}
            where {stream.created} >= @since and {stream.created} < @until
            """,
            *_bounds(window),
        )
        return (Item(*row) for row in rows)

    def certify(self, rows: pa.Table) -> None:
        names = [column.name for column in _CERTIFIED.columns]
        for some in _portions(rows.to_pylist(), _ROWS_A_QUERY):
            self._rows(
                f"""
                insert into {self._own("certified")} ({", ".join(names)})
                select {", ".join(f"certificate.{name}" for name in names)}
                from unnest(@certificates) as certificate
                """,
                _records("certificates", _CERTIFIED.columns, some),
            )

    def unlanded_certificates(self) -> pa.Table:
        schema = SCHEMAS[CERTIFICATES]
        names = ", ".join(schema.names)
        has_landed = "logical_or(has_landed) over (partition by stream, day, certified_at)"
        rows = self._rows(f"select {names} from ({self._certificates('true')} and not {has_landed})")
        return pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema=schema)

    def certified_through(self, stream: Stream) -> datetime | None:
        ((has_undated, first_day, through),) = self._rows(
            f"""
            select
                logical_or(source_value <> landed_value and day is null),
                timestamp(min(if(source_value <> landed_value, day, null))),
                max(certified_through)
            from ({self._certificates("stream = @stream")})
            """,
            _text("stream", str(stream)),
        )
        return None if has_undated else first_day or through

    def differing(self, stream: Stream) -> Mapping[Measure, tuple[Decimal, Decimal]]:
        found = self._rows(
            f"""
            select day, measure, unit, source_value, landed_value
            from ({self._certificates("stream = @stream")})
            where source_value <> landed_value
            """,
            _text("stream", str(stream)),
        )
        return {Measure(day, name, unit): (said, landed) for day, name, unit, said, landed in found}

    def drop(self) -> None:
        """Drop the raw tables and the ledger: the lake alone brings them back. Raises WarehouseError."""
        for dataset, name in (
            *(stream.asset_key for stream in (*STREAMS, *EVIDENCE)),
            *(("ingestion", own) for own in _OWN),
        ):
            path = f"{self._settings.project}.{dataset}.{name}"
            self._asked(partial(self._client.delete_table, path, not_found_ok=True, retry=None), path)
        self._tables.clear()
        self._ledger.clear()

    def _lines(self, stream: Stream) -> list[_Line]:
        """The stream's lines, in the order in which they were loaded. What every run looks at is fetched together."""
        if str(stream) not in self._ledger:
            wanted = [each for each in {stream, *EVIDENCE} if str(each) not in self._ledger]
            names = ", ".join(column.name for column in _BATCHES.columns)
            found = self._rows(
                f"""
                select {names}
                from {self._own("batches")}
                where concat(source, '.', stream) in unnest(@streams)
                order by loaded_at, finished_at, batch_id
                """,
                _texts("streams", map(str, wanted)),
            )
            self._ledger |= {str(each): [] for each in wanted}
            for *fields, loaded_at, lake_path, first_at, last_at in found:
                line = _Line(Manifest(*fields), loaded_at, lake_path, first_at, last_at)
                self._refuse_another_lake(line)
                self._ledger[f"{line.manifest.source}.{line.manifest.stream}"].append(line)
        return self._ledger[str(stream)]

    def _refuse_another_lake(self, line: _Line) -> None:
        if not line.lake_path.startswith(f"{self._lake.root}/"):
            raise WarehouseError(
                f"{self._settings.project} was loaded from another lake than {self._lake.root}: point TIEOUT_LAKE at that one, "
                "name another project, or make this one again with `tieout rebuild`."
            )

    def _checked(self, stream: Stream, batch: Batch) -> _File:
        """BigQuery would find a fault only at the end of the upload, and say less of it. Raises LakeError or WarehouseError."""
        try:
            with self._lake.open(batch.path) as file:
                parquet = pq.ParquetFile(file)
                schema = parquet.schema_arrow
                table = self._raw(stream, schema)
                needed = [column.name for column in table.schema if column.mode == "REQUIRED"]
                keys = parquet.read([name for name in needed if name in schema.names])
                span = pc.min_max(keys[stream.created]).as_py() if stream.reads == "horizon" else {}
        except (pa.ArrowInvalid, OSError) as error:
            raise LakeError(f"{batch.path} can't be read ({error}): bring the file back, or move it away.") from error
        if missing := [name for name in needed if name not in keys.column_names or keys[name].null_count]:
            raise WarehouseError(
                f"{stream}: {batch.path} has rows without {', '.join(missing)}, which {table.reference} needs: move the file "
                "away and run again; what it held is read again."
            )
        columns = tuple(column for column in table.schema if column.name in schema.names)
        return _File(batch, table, columns, (span.get("min"), span.get("max")))

    def _raw(self, stream: Stream, schema: pa.Schema) -> bigquery.Table:
        """The stream's raw table; made where there is none, and where a source's table has grown, given the new columns."""
        dataset, name = stream.asset_key
        layout = _layout(stream, schema, self._settings.policy_tag)
        table = self._table(dataset, name, layout)
        there = {column.name: column.field_type for column in table.schema}
        new = [column for column in layout.columns if column.name not in there]
        changed = [each for each in layout.columns if each.field_type != there.get(each.name, each.field_type)]
        if changed or (new and not stream.is_typed):
            told = ", ".join(f"{each.name} as {each.field_type}" for each in changed or new)
            raise WarehouseError(
                f"{stream}: a batch has {told}, which {table.reference} has not so: change it back at the source, or let "
                "`tieout rebuild` make raw again."
            )
        if new:
            table.schema = [*table.schema, *(_nullable(column) for column in new)]
            table = self._asked(partial(self._client.update_table, table, ["schema"], retry=None), str(table.reference))
            self._tables[f"{dataset}.{name}"] = table
        return table

    def _own(self, name: str) -> str:
        """One of the ingestion's own tables, as a statement names it."""
        self._table("ingestion", name, _OWN[name])
        return self._name("ingestion", name)

    def _name(self, dataset: str, table: str) -> str:
        return f"`{self._settings.project}`.`{dataset}`.`{table}`"

    def _found(self, dataset: str, table: str) -> bigquery.Table | None:
        path = f"{self._settings.project}.{dataset}.{table}"
        try:
            found: bigquery.Table = self._asked(partial(self._client.get_table, path, retry=None), path, NotFound)
        except NotFound:
            return None
        return found

    def _table(self, dataset: str, name: str, layout: _Layout) -> bigquery.Table:
        key = f"{dataset}.{name}"
        if key not in self._tables:
            self._require(dataset)
            self._tables[key] = self._found(dataset, name) or self._made(dataset, name, layout)
        return self._tables[key]

    def _require(self, dataset: str) -> None:
        """A dataset, made where there is none. One in another location is refused: BigQuery would say that it is not there."""
        path, location = f"{self._settings.project}.{dataset}", self._settings.location
        if path in self._datasets:
            return
        try:
            found = self._asked(partial(self._client.get_dataset, path, retry=None), path, NotFound)
        except NotFound:
            new = bigquery.Dataset(path)
            new.location, new.labels = location, {"made_by": "tieout"}
            found = self._asked(partial(self._client.create_dataset, new, exists_ok=True, retry=None), path)
        if found.location.upper() != location.upper():
            raise WarehouseError(
                f"dataset {path} is in {found.location}, and BIGQUERY_LOCATION is {location}: name that location, or another "
                "project."
            )
        self._datasets.add(path)

    def _made(self, dataset: str, name: str, layout: _Layout) -> Any:
        table = bigquery.Table(f"{self._settings.project}.{dataset}.{name}", layout.columns)
        table.description, table.labels = layout.description, {"made_by": "tieout"}
        table.clustering_fields = list(layout.clusters)
        if layout.partition:
            table.time_partitioning = bigquery.TimePartitioning(field=layout.partition)
            table.require_partition_filter = layout.is_filter_required
        return self._asked(partial(self._client.create_table, table, exists_ok=True, retry=None), str(table.reference))

    def _append(self, file: _File) -> None:
        """Append a file's rows to its table by the one load job of this batch and table that succeeds."""
        manifest, path, table = file.batch.manifest, file.batch.path, file.table
        made = hashlib.sha256(f"{table.reference} {table.created}".encode()).hexdigest()
        config = bigquery.LoadJobConfig(
            source_format=bigquery.SourceFormat.PARQUET,
            write_disposition=bigquery.WriteDisposition.WRITE_APPEND,
            create_disposition=bigquery.CreateDisposition.CREATE_NEVER,
            decimal_target_types=["NUMERIC", "BIGNUMERIC"],
            # Without it a file's columns count as nullable, and are refused by a table whose are not.
            schema=file.columns,
            labels={"tieout": "load", "stream": f"{manifest.source}__{manifest.stream}"},
        )

        def send(job_id: str) -> Any:
            where = {"job_id": job_id, "location": self._settings.location, "job_config": config}
            if self._lake.is_stored:
                return self._client.load_table_from_uri(f"gs://{path}", table.reference, retry=None, **where)
            with self._lake.open(path) as opened:
                return self._client.load_table_from_file(
                    opened, table.reference, size=opened.size(), num_retries=0, **where
                )

        self._done(send, f"{manifest.batch_id}-{made[:8]}", f"{table.reference}, {path}")

    def _merge(self, stream: Stream, manifests: Sequence[Manifest]) -> None:
        """Bring the newest versions up to what some batches brought. To do it again changes nothing."""
        values = {column.name: f"cast(null as {_type(column)})" for column in _NEWEST.columns if column.name in _FIELDS}
        if stream != REJECTED:
            paths = (stream.status, stream.sequence, stream.created, stream.amount, stream.currency)
            found = dict(zip(_FIELDS[1:], map(_json_value, paths), strict=True))
            at = found["created_at"]
            values = {
                **found,
                "parent_id": "parent_id",
                "sequence": f"safe_cast({found['sequence']} as int64)",
                "created_at": f"ifnull(timestamp_seconds(safe_cast({at} as int64)), safe_cast({at} as timestamp))",
                "amount": f"safe_cast({found['amount']} as numeric)",
            }
        names = [column.name for column in _NEWEST.columns]
        carried = [name for name in names if name not in ("stream", "object_id")]
        self._rows(
            f"""
            merge {self._own("newest_versions")} as newest
            using (
                select
                    object_id,
                    payload_hash,
                    is_deleted,
                    {", ".join(f"{value} as {name}" for name, value in values.items())},
                    batch_id,
                    read_at
                from {self._name(*stream.asset_key)}
                where read_at between @first and @last and batch_id in unnest(@batch_ids)
                qualify row_number() over (partition by object_id order by read_at desc, batch_id desc) = 1
            ) as landed
            on newest.stream = @stream and newest.object_id = landed.object_id
            when matched and (
                landed.read_at > newest.read_at or (landed.read_at = newest.read_at and landed.batch_id >= newest.batch_id)
            )
                then update set {", ".join(f"{name} = landed.{name}" for name in carried)}
            when not matched
                then insert (stream, object_id, {", ".join(carried)})
                values (@stream, landed.object_id, {", ".join(f"landed.{name}" for name in carried)})
            """,
            _text("stream", str(stream)),
            _texts("batch_ids", [manifest.batch_id for manifest in manifests]),
            *_instants(
                first=min(manifest.finished_at for manifest in manifests),
                last=max(manifest.finished_at for manifest in manifests),
            ),
        )

    def _write_lines(self, stream: Stream, lines: Sequence[_Line]) -> None:
        names = [column.name for column in _BATCHES.columns]
        self._rows(
            f"""
            insert into {self._own("batches")} ({", ".join(names)})
            select {", ".join(f"line.{name}" for name in names)}
            from unnest(@lines) as line
            left join {self._own("batches")} as there on there.batch_id = line.batch_id
            where there.batch_id is null
            """,
            _records(
                "lines",
                _BATCHES.columns,
                [{**vars(line.manifest), **vars(line)} for line in lines],
            ),
        )
        self._lines(stream).extend(lines)

    def _newest(self, stream: Stream, what: str, where: str, *values: Parameter) -> list[tuple[Any, ...]]:
        return self._rows(
            f"select {what} from {self._own('newest_versions')} where stream = @stream and {where}",
            _text("stream", str(stream)),
            *values,
        )

    def _tally_typed(self, stream: Stream, window: Window) -> Mapping[Measure, Decimal]:
        found = self._found(*stream.asset_key)
        if found is None:
            return {}
        sums = [column.name for column in found.schema if column.field_type in ("INTEGER", "NUMERIC", "BIGNUMERIC")]
        totals: dict[Measure, Decimal] = {}
        for day, objects, *values in self._rows(
            f"""
            select
                date({stream.created}),
                count(*),
                {"".join(f"cast(sum({name}) as numeric)," for name in sums)}
            from (
                select *
                from {self._name(*stream.asset_key)}
                where {stream.created} >= @since and {stream.created} < @until
                qualify row_number() over (partition by {stream.key} order by read_at desc, batch_id desc) = 1
            )
            group by 1
            """,
            *_bounds(window),
        ):
            totals[Measure(day, "objects")] = Decimal(objects)
            totals |= {Measure(day, name): value for name, value in zip(sums, values, strict=True) if value is not None}
        return totals

    def _certificates(self, where: str) -> str:
        """Statement of the newest certificate of each stream and day: a day is certified as a whole."""
        names = ", ".join(column.name for column in _CERTIFIED.columns)
        return f"""
            select *
            from (
                select {names}, true as has_landed
                from {self._name(*CERTIFICATES.asset_key)}
                union all
                select {names}, false as has_landed
                from {self._own("certified")}
            )
            where {where}
            qualify rank() over (partition by stream, day order by certified_at desc) = 1"""

    def _rows(self, sql: str, *values: Parameter) -> list[tuple[Any, ...]]:
        """All rows of a statement, which runs once: where its answer is lost its job is found."""
        config = bigquery.QueryJobConfig(
            query_parameters=values, maximum_bytes_billed=self._settings.most_bytes, labels={"tieout": "ingestion"}
        )
        location = self._settings.location

        def send(job_id: str) -> Any:
            return self._client.query(
                sql, job_config=config, job_id=job_id, location=location, retry=None, job_retry=None
            )

        job = self._done(send, f"tieout-{uuid.uuid4()}", self._settings.project)
        return self._asked(lambda: [tuple(row) for row in job.result(retry=None, job_retry=None)], str(job.job_id))

    def _done(self, send: Callable[[str], Any], job_id: str, about: str) -> Any:
        """The job of this id, which has succeeded: sent now, or found where it was sent before."""
        ids = chain([job_id], (f"{job_id}-{number}" for number in count(2)))
        trying, is_sent = next(ids), False

        def attempt() -> Any:
            nonlocal trying, is_sent
            while True:
                was_sent, is_sent = is_sent, True
                job, is_of_another_run = self._sent(send, trying, was_sent)
                while not job.done(retry=None):
                    time.sleep(_SECONDS_BETWEEN_LOOKS)
                if job.error_result is None:
                    return job
                # It has changed nothing, and its id is used up.
                failed, trying, is_sent = trying, next(ids), False
                if not is_of_another_run:
                    raise _JobFailed(failed, job.error_result)

        return self._asked(attempt, about)

    def _sent(self, send: Callable[[str], Any], job_id: str, was_sent: bool) -> tuple[Any, bool]:
        """The job of this id, and whether an earlier run has sent it. What `was_sent` and not answered may be there."""
        find = partial(self._client.get_job, job_id, location=self._settings.location, retry=None)
        if was_sent:
            try:
                return find(), False
            except NotFound:
                pass
        try:
            return send(job_id), False
        except Conflict:
            return find(), True

    def _asked(self, ask: Callable[[], T], about: str, *expected: type[Exception]) -> T:
        """What BigQuery answers, asked again where the trouble may pass. Raises WarehouseError; what is `expected`, as it is."""
        try:
            for attempt in stamina.retry_context(
                on=_may_pass, attempts=_ATTEMPTS, timeout=_SECONDS_IN_ALL, wait_initial=1.0, wait_max=_LONGEST_WAIT
            ):
                with attempt:
                    return ask()
        except expected:
            raise
        except (_JobFailed, GoogleAPICallError, GoogleAuthError, *_LOST) as error:
            raise WarehouseError(_sentence(error, about, self._settings)) from error
        raise AssertionError("stamina raises what the last attempt raised")


@dataclass(frozen=True)
class Built:
    """What dbt has built, table by table. Rows are listed, not queried: that bills nothing."""

    settings: BigQuery

    def copy(self, names: Iterable[str], into: duckdb.DuckDBPyConnection) -> list[str]:
        """Copy tables, called like `layer.table`, into a DuckDB database, and say which of them are not there. Raises ValueError
        with what is wrong."""
        missing = []
        with _client(self.settings) as client:
            for name in names:
                if (rows := self._rows(client, name)) is None:
                    missing.append(name)
                    continue
                into.register("copied", rows)
                into.execute(f"create schema if not exists {name.split('.')[0]}; create table {name} as from copied")
                into.unregister("copied")
        return missing

    def names(self, layers: Iterable[str]) -> list[str]:
        """The tables there are in these layers, called like `layer.table`. Raises ValueError with what is wrong."""
        found: list[str] = []
        with _client(self.settings) as client:
            for layer in layers:
                dataset = f"{self.settings.project}.{self.settings.layer(layer)}"
                with self._asked(dataset), suppress(NotFound):
                    found += sorted(f"{layer}.{table.table_id}" for table in client.list_tables(dataset))
        return found

    def rows(self, name: str, condition: str | None) -> pa.RecordBatchReader:
        """The rows of `layer.table`, page by page; those that a condition is true of are queried for. Instants are UTC, without a
        zone. Raises ValueError with what is wrong, also while they are read."""
        layer, table = name.split(".")
        path = f"{self.settings.project}.{self.settings.layer(layer)}.{table}"
        with _client(self.settings) as client, self._asked(path):
            found = client.get_table(path)
        schema = pa.schema([(field.name, _READ[field.field_type]) for field in found.schema])
        return pa.RecordBatchReader.from_batches(schema, self._batches(found, condition, schema))

    def _batches(self, table: bigquery.Table, condition: str | None, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        name = f"`{table.project}`.`{table.dataset_id}`.`{table.table_id}`"
        with _client(self.settings) as client, self._asked(str(table.reference)):
            if condition or table.table_type == "VIEW":
                rows = client.query(f"select * from {name} where {condition or 'true'}").result()
            else:
                rows = client.list_rows(table)
            for batch in rows.to_arrow_iterable():
                if batch.num_rows:
                    yield batch.cast(schema)

    def payload(self, batch_id: str, payload_hash: str) -> str:
        """What a batch brought, by the hash of its text. Raises ValueError with what is wrong."""
        with _client(self.settings) as client, self._asked(f"batch {batch_id}"):
            of_batch = bigquery.QueryJobConfig(query_parameters=[_text("batch_id", batch_id)])
            ((source, stream, read_at),) = client.query(
                f"""
                select source, stream, finished_at
                from `{self.settings.project}`.`ingestion`.`batches`
                where batch_id = @batch_id
                """,
                job_config=of_batch,
            ).result()
            values = [_text("batch_id", batch_id), _text("payload_hash", payload_hash), *_instants(read_at=read_at)]
            ((payload,),) = client.query(
                f"""
                select payload
                from `{self.settings.project}`.`raw_{source}`.`{stream}`
                where read_at = @read_at and batch_id = @batch_id and payload_hash = @payload_hash
                limit 1
                """,
                job_config=bigquery.QueryJobConfig(query_parameters=values),
            ).result()
        return str(payload)

    def _rows(self, client: bigquery.Client, name: str) -> pa.Table | None:
        layer, table = name.split(".")
        dataset = layer if layer.startswith("raw_") else self.settings.layer(layer)
        path = f"{self.settings.project}.{dataset}.{table}"
        statement = f"select * from `{self.settings.project}`.`{dataset}`.`{table}`"
        with self._asked(path):
            try:
                found = client.get_table(path)
                rows = client.query(statement).result() if found.table_type == "VIEW" else client.list_rows(found)
                return rows.to_arrow(create_bqstorage_client=False)
            except NotFound:
                return None

    @contextmanager
    def _asked(self, about: str) -> Iterator[None]:
        try:
            yield
        except (GoogleAPICallError, GoogleAuthError, *_LOST) as error:
            raise ValueError(_sentence(error, about, self.settings)) from error

    def __str__(self) -> str:
        return f"BigQuery's project {self.settings.project}"


def _client(settings: BigQuery) -> bigquery.Client:
    held: Any
    try:
        if settings.token:
            held = credentials.Credentials(settings.token.reveal())  # type: ignore[no-untyped-call]
        elif settings.key_file:
            held = service_account.Credentials.from_service_account_file(settings.key_file, scopes=[_SCOPE])  # type: ignore[no-untyped-call]
        else:
            held, _ = google.auth.default(scopes=[_SCOPE])
    except (GoogleAuthError, ValueError) as error:
        raise WarehouseError(_sentence(error, settings.project, settings)) from error
    if settings.impersonate:
        held = impersonated_credentials.Credentials(held, settings.impersonate, [_SCOPE])  # type: ignore[no-untyped-call]
    return bigquery.Client(
        settings.project, held, location=settings.location, client_options={"api_endpoint": settings.endpoint}
    )


def _may_pass(error: Exception) -> bool:
    if isinstance(error, GoogleAPICallError):
        return _reason(error) in _PASSING or error.code in _PASSING_CODES
    return error.reason in _PASSING if isinstance(error, _JobFailed) else isinstance(error, (TransportError, *_LOST))


def _reason(error: GoogleAPICallError) -> str:
    return str(error.errors[0].get("reason", "")) if error.errors and isinstance(error.errors[0], dict) else ""


def _sentence(error: Exception, about: str, settings: BigQuery) -> str:
    """What is wrong and what to do. Google's own message names the permission, the quota or the location that is missing."""
    said = " ".join((error.message if isinstance(error, GoogleAPICallError) else str(error)).split()).rstrip(".")
    reason = _reason(error) if isinstance(error, GoogleAPICallError) else getattr(error, "reason", "")
    match error:
        case Unauthorized() | GoogleAuthError() | ValueError():
            remedy = (
                "The credential has expired or is not valid: `gcloud auth application-default login`, or another "
                "BIGQUERY_KEY_FILE or BIGQUERY_TOKEN"
            )
        case _ if reason == "quotaExceeded":
            remedy = "That quota refills within a day; docs/bigquery.md says how to stay below it"
        case Forbidden() if reason not in _PASSING:
            remedy = "docs/bigquery.md says which roles ingestion needs"
        case NotFound() if "location" in said:
            remedy = f"BIGQUERY_LOCATION is {settings.location}: it has to be where the datasets are"
        case _:
            remedy = "Run again once that is mended; nothing is loaded twice"
    return f"BigQuery, {about}: {said}. {remedy}."


def _layout(stream: Stream, schema: pa.Schema, policy_tag: str | None) -> _Layout:
    """A raw table: partitioned by the day of reading, a table of the product's by the day of its rows, which nobody may read
    without saying which days."""
    is_by_event = stream.reads == "horizon"
    partition = str(stream.created) if is_by_event else "read_at"
    clusters = [name for name in ("customer_id", stream.key, "object_id", "stream") if name in schema.names]
    tag = policy_tag if stream.personal or stream == REJECTED else None
    return _Layout(
        tuple(_column(stream, field, partition, tag) for field in schema),
        stream.description,
        tuple(clusters),
        partition,
        is_filter_required=is_by_event,
    )


def _column(stream: Stream, field: pa.Field, partition: str, policy_tag: str | None) -> bigquery.SchemaField:
    name, kind = field.name, next((kind for is_type, kind in _TYPES.items() if is_type(field.type)), None)
    if pa.types.is_decimal(field.type):
        fits = field.type.scale <= 9 and field.type.precision - field.type.scale <= 29
        kind = "NUMERIC" if fits else "BIGNUMERIC"
    if kind is None:
        raise WarehouseError(
            f"{stream}: {name} is {field.type}, which raw on BigQuery has no column for: cast it at the source."
        )
    is_needed = name in (*_NEVER_NULL, partition, stream.key)
    told: dict[str, Any] = {"description": _MEANS[name]} if name in _MEANS else {}
    if policy_tag and name in _PERSONAL:
        told["policy_tags"] = bigquery.PolicyTagList([policy_tag])
    return bigquery.SchemaField(name, kind, "REQUIRED" if is_needed else "NULLABLE", **told)


def _nullable(column: bigquery.SchemaField) -> bigquery.SchemaField:
    """BigQuery adds no column to a table that its rows would have to have."""
    return bigquery.SchemaField.from_api_repr({**column.to_api_repr(), "mode": "NULLABLE"})


def _json_value(path: str | None) -> str:
    return f"json_value(payload, '$.{path}')" if path else "cast(null as string)"


def _type(column: bigquery.SchemaField) -> str:
    return {"INTEGER": "INT64", "BOOLEAN": "BOOL"}.get(column.field_type, column.field_type)


def _text(name: str, value: str) -> bigquery.ScalarQueryParameter:
    return bigquery.ScalarQueryParameter(name, "STRING", value)


def _texts(name: str, values: Iterable[str]) -> bigquery.ArrayQueryParameter:
    return bigquery.ArrayQueryParameter(name, "STRING", list(values))


def _instants(**values: datetime) -> list[bigquery.ScalarQueryParameter]:
    return [bigquery.ScalarQueryParameter(name, "TIMESTAMP", value) for name, value in values.items()]


def _bounds(window: Window) -> list[bigquery.ScalarQueryParameter]:
    return _instants(since=window.since or _EVER, until=window.until)


def _records(
    name: str, columns: Sequence[bigquery.SchemaField], rows: Sequence[Mapping[str, Any]]
) -> bigquery.ArrayQueryParameter:
    records = [
        bigquery.StructQueryParameter(
            None, *(bigquery.ScalarQueryParameter(each.name, _type(each), row[each.name]) for each in columns)
        )
        for row in rows
    ]
    return bigquery.ArrayQueryParameter(name, "STRUCT", records)


def _portions(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (values[start : start + size] for start in range(0, len(values), size))
