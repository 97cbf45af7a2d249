"""The one loop: where were we -> read -> write batch -> load batch -> moved on.

There is no state file. Where a stream stands is the newest line of the batch ledger, so it moves exactly when rows moved. A
crash after a batch reached the lake and before it was loaded is mended first thing: what the lake has and the ledger has not
is loaded before anything is read.
"""

from __future__ import annotations

import fcntl
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow as pa
from stamina.instrumentation import set_on_retry_hooks

from ingestion.lake import Batch, Lake, LakeError
from ingestion.payload import (
    ENVELOPE,
    SCHEMAS,
    Page,
    Rejected,
    Row,
    SourceError,
    SourceRefused,
    envelope,
    last_readings,
)
from ingestion.settings import BigQuery, Settings
from ingestion.sources.bank import BankSource
from ingestion.sources.base import Landed, Source
from ingestion.sources.orb import OrbSource
from ingestion.sources.postgres import PostgresSource
from ingestion.sources.register import RegisterSource
from ingestion.sources.stripe import StripeSource
from ingestion.streams import EVIDENCE, REJECTED, STREAMS, Stream
from ingestion.warehouses.base import Warehouse, WarehouseError
from ingestion.warehouses.duckdb import DuckDBWarehouse

if TYPE_CHECKING:
    from ingestion.warehouses.bigquery import BigQueryWarehouse

_ROWS_A_BATCH = 20_000
_BYTES_A_BATCH = 20 << 20
_BYTES_A_PORTION = 2 << 20
_MOST_THAT_MAY_VANISH = 0.2
_FEW = 10


@dataclass(frozen=True)
class SyncResult:
    """What one sync of one stream landed: new rows, newly rejected ones, bytes in memory, batches, cursors, wall seconds.

    `remarks` are sentences on what it had to do besides reading what is new.
    """

    stream: Stream
    rows: int
    rejected: int
    bytes: int
    batches: tuple[str, ...]
    cursor_from: str | None
    cursor_to: str | None
    started_at: datetime
    seconds: float
    remarks: tuple[str, ...]


def sync(
    stream: Stream,
    settings: Settings,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    *,
    from_the_beginning: bool = False,
) -> SyncResult:
    """Land what is new of one stream, `from_the_beginning` of all that the source has.

    Raises SourceError, WarehouseError, LakeError or MissingSetting.
    """
    settings.require([stream.source])
    clock = time.monotonic()
    lake = Lake(settings.lake)
    with opened(settings, lake) as warehouse:
        for each in dict.fromkeys((stream, *EVIDENCE)):
            recover(each, lake, warehouse, now)
        cursor_from, started_at = None if from_the_beginning else warehouse.cursor(stream), now()
        landed: list[Batch] = []
        remarks: list[str] = []
        try:
            source = connect(stream, settings, warehouse, now)
            for batch in _land(stream, source, lake, warehouse, cursor_from, now, remarks):
                landed.append(batch)
        except SourceError as error:
            raise type(error)(f"{error} {_standing(stream, warehouse.cursor(stream), landed)}") from error
        own = [batch.manifest for batch in landed if batch.manifest.stream == stream.name]
        return SyncResult(
            stream,
            rows=sum(manifest.row_count for manifest in own),
            rejected=sum(batch.manifest.row_count for batch in landed) - sum(manifest.row_count for manifest in own),
            bytes=sum(manifest.byte_count for manifest in own),
            batches=tuple(manifest.batch_id for manifest in own),
            cursor_from=cursor_from,
            cursor_to=warehouse.cursor(stream),
            started_at=started_at,
            seconds=time.monotonic() - clock,
            remarks=tuple(remarks),
        )


def rebuild(
    settings: Settings,
    on_stream: Callable[[Stream, int], None] = lambda stream, rows: None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """Load a warehouse's raw tables from the lake alone, in the order in which the batches were read."""
    lake = Lake(settings.lake)
    with opened(settings, lake) as warehouse:
        for stream in (*STREAMS, *EVIDENCE):
            on_stream(stream, recover(stream, lake, warehouse, now))


def append(
    stream: Stream, rows: Sequence[Row], settings: Settings, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> int:
    """Land rows of Tieout's own making in one batch, and say how many were new: what has landed as it is, is no news."""
    lake = Lake(settings.lake)
    with opened(settings, lake) as warehouse:
        recover(stream, lake, warehouse, now)
        table = warehouse.news(stream, envelope(stream, rows)[0])
        if table.num_rows:
            land_own(stream, table, lake, warehouse, now)
        return int(table.num_rows)


def land_own(stream: Stream, table: pa.Table, lake: Lake, warehouse: Warehouse, now: Callable[[], datetime]) -> None:
    """Write rows that no source was asked for into a batch of their own, and load it."""
    at = now()
    batch = lake.write(stream, table, cursor_from=None, cursor_to=None, api_version="1", started_at=at, finished_at=at)
    warehouse.load([batch], now)
    warehouse.ensure(stream, table.schema)


def inputs(
    settings: Settings, moment: datetime | None, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> tuple[datetime, Mapping[Stream, Mapping[str, str]]]:
    """What is known at a moment, or at one from which on no batch can be of before it: the content hash of every batch, by stream
    and batch id. What the lake has and the ledger has not is loaded first."""
    lake = Lake(settings.lake)
    with opened(settings, lake) as warehouse:
        # While nobody else reads into the lake: a batch that is under way would otherwise bear an earlier moment.
        moment = moment or now()
        for stream in (*STREAMS, *EVIDENCE):
            recover(stream, lake, warehouse, now)
        return moment, {stream: warehouse.known_batches(stream, moment) for stream in (*STREAMS, *EVIDENCE)}


@contextmanager
def opened(settings: Settings, lake: Lake) -> Iterator[Warehouse]:
    """The warehouse, for one run at a time: DuckDB lets a second thread of the same process in. Raises WarehouseError."""
    bigquery = settings.bigquery
    settings.home.mkdir(parents=True, exist_ok=True)
    with (settings.home / "ingestion.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise WarehouseError(
                f"another run is reading into {bigquery.project if bigquery else settings.warehouse}: there is one writer at a "
                "time; wait for it to end."
            ) from error
        with _of_bigquery(bigquery, lake) if bigquery else DuckDBWarehouse(settings.warehouse, lake) as warehouse:
            yield warehouse


def _of_bigquery(bigquery: BigQuery, lake: Lake) -> BigQueryWarehouse:
    # Google's client takes a second to import, which a run on DuckDB need not spend.
    from ingestion.warehouses.bigquery import BigQueryWarehouse

    return BigQueryWarehouse(bigquery, lake)


def discard(settings: Settings) -> None:
    """Drop what `rebuild` makes: the DuckDB file, or on BigQuery raw and its ledger. The lake stays. Raises WarehouseError."""
    if settings.bigquery:
        with _of_bigquery(settings.bigquery, Lake(settings.lake)) as warehouse:
            warehouse.drop()
        return
    for file in (settings.warehouse, settings.warehouse.with_name(settings.warehouse.name + ".wal")):
        file.unlink(missing_ok=True)


def recover(stream: Stream, lake: Lake, warehouse: Warehouse, now: Callable[[], datetime]) -> int:
    """Load the batches that the lake has and the ledger has not, and say how many rows they hold.

    Raises LakeError when the lake has lost a batch that was loaded: its rows would be gone from raw without a word.
    """
    rows, loaded = 0, warehouse.paths(stream)
    present = lake.paths(stream)
    if gone := loaded.difference(present):
        raise LakeError(
            f"{stream}: {len(gone)} batches that were loaded are gone from the lake, {min(gone)} among them: bring the files "
            "back; they are the only copy of what was read."
        )

    missing = [path for path in present if path not in loaded]

    def batches() -> Iterator[Batch]:
        nonlocal rows
        for path in missing:
            batch = lake.batch(path)
            rows += batch.manifest.row_count
            yield batch

    if missing:
        warehouse.load(batches(), now)
    warehouse.ensure(stream, SCHEMAS.get(stream, ENVELOPE))
    return rows


def connect(stream: Stream, settings: Settings, landed: Landed, now: Callable[[], datetime]) -> Source:
    """The source that a stream is read from."""
    # stamina would print of every retry a word that names no stream, and the request where structlog is installed.
    set_on_retry_hooks([])
    match stream.source:
        case "stripe":
            return StripeSource.connect(settings, landed, now)
        case "orb":
            return OrbSource.connect(settings, landed, now)
        case "app":
            return PostgresSource.connect(settings, landed, now)
        case "bank":
            return BankSource.connect(settings, landed, now)
        case "tieout":
            return RegisterSource(landed)
    raise SourceRefused(f"{stream}: there is no source {stream.source!r}; see ingestion/streams.py.")


def _land(
    stream: Stream,
    source: Source,
    lake: Lake,
    warehouse: Warehouse,
    cursor_from: str | None,
    now: Callable[[], datetime],
    remarks: list[str],
) -> Iterator[Batch]:
    """Read pages, cut them into batches, land each; what the source remarks goes to `remarks`.

    Of objects only the last batch carries the new cursor: a crash before it leaves the cursor where it was, and what landed
    already is no news on the next run. Of a typed table every batch carries the place up to which it was read.
    """
    started_at = now()
    at, has_landed = cursor_from, False
    reading = _told(source.read(stream, cursor_from), remarks)
    for cut in _typed(reading) if stream.is_typed else _objects(stream, warehouse, reading):
        rejected, table = warehouse.news(REJECTED, _quarantined(stream, cut.rejected)), cut.table
        if not stream.is_typed:
            table = warehouse.news(stream, table)
        is_wanted = (
            cut.is_checkpoint
            # The first reading of an empty typed table lands without rows: only its file says which columns raw must have.
            or (stream.is_typed and at is None)
            # A read whose last rows are no news would leave its cursor behind, and be made again from where it began.
            or (has_landed and cut.cursor is not None and not stream.is_typed)
        )
        for target, rows, cursor, is_needed in (
            (REJECTED, rejected, None, False),
            (stream, table, cut.cursor or at, is_wanted),
        ):
            if rows.num_rows or is_needed:
                batch = lake.write(
                    target,
                    rows,
                    cursor_from=at if target == stream else None,
                    cursor_to=cursor,
                    api_version=source.api_version,
                    started_at=started_at,
                    finished_at=now(),
                )
                warehouse.load([batch], now)
                warehouse.ensure(target, rows.schema)
                if target == stream:
                    at, has_landed = cursor, True
                yield batch
        # While the next batch is read this one must not be in memory too.
        del cut, table, rejected, rows


def _told(pages: Iterator[Page], remarks: list[str]) -> Iterator[Page]:
    for page in pages:
        if page.remark:
            remarks.append(page.remark)
        yield page


@dataclass(frozen=True)
class _Cut:
    """What goes into one batch, with the cursor that holds once it has landed."""

    table: pa.Table
    rejected: Sequence[Rejected] = ()
    cursor: str | None = None
    is_checkpoint: bool = False


def _typed(pages: Iterator[Page]) -> Iterator[_Cut]:
    for page in pages:
        assert page.table is not None
        yield _Cut(page.table, page.rejected, page.cursor, page.is_checkpoint)


def _objects(stream: Stream, warehouse: Warehouse, pages: Iterator[Page]) -> Iterator[_Cut]:
    """Envelope tables of a bounded size; the last one has the newest cursor and the deletions."""
    envelopes: list[pa.Table] = []
    rejected: list[Rejected] = []
    # What a read has seen is asked for where something may be gone: not while nothing has landed, however much there is.
    seen: list[pa.Array] | None = [] if warehouse.paths(stream) else None
    unreadable: list[bytes] = []
    cursor: str | None = None
    is_checkpoint = is_complete_listing = False
    for portion in _portions(pages):
        rows = [row for page in portion for row in page.rows]
        table, unkeepable = envelope(stream, rows)
        envelopes.append(table)
        rejected += unkeepable
        if seen is not None:
            seen.append(pa.array([row.object_id for row in rows], pa.string()))
        for page in portion:
            rejected += page.rejected
            unreadable += [one.original for one in page.rejected]
            cursor = page.cursor or cursor
            is_checkpoint |= page.is_checkpoint
            is_complete_listing = page.is_complete_listing
        if sum(map(len, envelopes)) >= _ROWS_A_BATCH or sum(each.nbytes for each in envelopes) >= _BYTES_A_BATCH:
            yield _Cut(last_readings(envelopes), rejected)
            envelopes, rejected = [], []
    if is_complete_listing and seen:
        there = set(pa.chunked_array(seen).to_pylist())
        gone = _deletions(stream, warehouse.live_objects(stream), there, b"".join(unreadable))
        envelopes.append(envelope(stream, gone)[0])
    yield _Cut(last_readings(envelopes), rejected, cursor, is_checkpoint)


def _portions(pages: Iterator[Page]) -> Iterator[list[Page]]:
    """Pages by the megabyte or two: a row costs least worked at among many, and while they are in the processor's cache."""
    portion: list[Page] = []
    size = 0
    for page in pages:
        portion.append(page)
        size += sum(len(row.payload) for row in page.rows)
        if size >= _BYTES_A_PORTION:
            yield portion
            portion, size = [], 0
    yield portion


def _deletions(stream: Stream, live: set[str], seen: set[str], unreadable: bytes) -> Iterator[Row]:
    """Objects that a complete listing no longer has. A listing cut short must not look like a mass deletion."""
    gone = {object_id for object_id in live - seen if object_id.encode() not in unreadable}
    if len(gone) > max(_FEW, _MOST_THAT_MAY_VANISH * len(live)):
        raise SourceError(
            f"{stream}: {len(gone)} of {len(live)} objects are gone from {stream.endpoint} at once, which looks like a "
            "listing cut short; nothing of this read's end was landed. If they were deleted on purpose, delete in steps."
        )
    for object_id in sorted(gone):
        yield Row(object_id, b"{}", "sweep", is_deleted=True)


def _quarantined(stream: Stream, rejected: Sequence[Rejected]) -> pa.Table:
    """Rows of `raw_quarantine.rejected`: the same bytes of the same stream are one row, however often they are sent."""
    rows = [
        {
            "object_id": hashlib.sha256(f"{stream}:".encode() + one.original).hexdigest(),
            "stream": str(stream),
            "reason": one.reason,
            "original": one.original,
            "is_deleted": False,
        }
        for one in rejected
    ]
    distinct = {row["object_id"]: {**row, "payload_hash": row["object_id"]} for row in rows}
    return pa.Table.from_pylist(list(distinct.values()), schema=SCHEMAS[REJECTED])


def _standing(stream: Stream, cursor: str | None, landed: Sequence[Batch]) -> str:
    rows = sum(batch.manifest.row_count for batch in landed if batch.manifest.stream == stream.name)
    return (
        f"It has landed {rows:,} rows in this run and stands at {cursor or 'the beginning'}; what changed after that is "
        "missing until a run succeeds."
    )
