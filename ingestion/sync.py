"""The one loop: where were we -> read -> write batch -> load batch -> moved on.

There is no state file. Where a stream stands is the newest line of the batch ledger, so it moves exactly when rows moved. A
crash after a batch reached the lake and before it was loaded is mended first thing: what the lake has and the ledger has not
is loaded before anything is read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
from stamina.instrumentation import LoggingOnRetryHook, set_on_retry_hooks

from ingestion.lake import Batch, Lake
from ingestion.payload import ENVELOPE, Page, Row, SourceError, SourceRefused, envelope
from ingestion.settings import Settings
from ingestion.sources.bank import BankSource
from ingestion.sources.base import Source
from ingestion.sources.orb import OrbSource
from ingestion.sources.postgres import PostgresSource
from ingestion.sources.stripe import StripeSource
from ingestion.streams import STREAMS, Stream
from ingestion.warehouses.base import Warehouse
from ingestion.warehouses.duckdb import DuckDBWarehouse

_ROWS_A_BATCH = 20_000
_MOST_THAT_MAY_VANISH = 0.2
_FEW = 10


@dataclass(frozen=True)
class SyncResult:
    """What one sync of one stream landed: new rows, their bytes in memory, batches, cursors, and wall seconds."""

    stream: Stream
    rows: int
    bytes: int
    batches: tuple[str, ...]
    cursor_from: str | None
    cursor_to: str | None
    seconds: float


def sync(stream: Stream, settings: Settings, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> SyncResult:
    """Land what is new of one stream. Raises SourceError, WarehouseError, LakeError or MissingSetting."""
    settings.require([stream.source])
    started = time.monotonic()
    lake = Lake(settings.lake)
    with DuckDBWarehouse(settings.warehouse, lake) as warehouse:
        _recover(stream, lake, warehouse, now)
        cursor_from = warehouse.cursor(stream)
        source = _connect(stream, settings, warehouse, now)
        landed = list(_land(stream, source, lake, warehouse, cursor_from, now))
        return SyncResult(
            stream,
            rows=sum(batch.manifest.row_count for batch in landed),
            bytes=sum(batch.manifest.byte_count for batch in landed),
            batches=tuple(batch.manifest.batch_id for batch in landed),
            cursor_from=cursor_from,
            cursor_to=warehouse.cursor(stream),
            seconds=time.monotonic() - started,
        )


def rebuild(
    settings: Settings,
    on_stream: Callable[[Stream, int], None] = lambda stream, rows: None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """Load a warehouse's raw tables from the lake alone, in the order in which the batches were read."""
    lake = Lake(settings.lake)
    with DuckDBWarehouse(settings.warehouse, lake) as warehouse:
        for stream in STREAMS:
            on_stream(stream, _recover(stream, lake, warehouse, now))


def _recover(stream: Stream, lake: Lake, warehouse: Warehouse, now: Callable[[], datetime]) -> int:
    """Load the batches that the lake has and the ledger has not, and say how many rows they hold."""
    rows = 0
    for batch in lake.batches(stream):
        if not warehouse.has(batch.manifest.batch_id):
            warehouse.load(batch, now())
            rows += batch.manifest.row_count
    warehouse.ensure(stream, ENVELOPE)
    return rows


def _connect(stream: Stream, settings: Settings, warehouse: Warehouse, now: Callable[[], datetime]) -> Source:
    # stamina would print every retry, with the request in it, to standard output where structlog is installed
    set_on_retry_hooks([LoggingOnRetryHook])
    match stream.source:
        case "stripe":
            return StripeSource.connect(settings)
        case "orb":

            def audit_batches(since: str | None) -> Iterator[tuple[str, Sequence[tuple[str, datetime]]]]:
                (audited,) = (other for other in STREAMS if str(other) in stream.after)
                for batch_id, path in warehouse.batch_paths_since(audited, since):
                    events = pq.read_table(path, columns=[audited.key, "occurred_at"])
                    yield batch_id, list(zip(*(column.to_pylist() for column in events.columns), strict=True))

            return OrbSource.connect(settings, audit_batches, now)
        case "app":
            return PostgresSource.connect(settings, warehouse.unlanded)
        case "bank":
            return BankSource.connect(settings)
    raise SourceRefused(f"{stream}: there is no source {stream.source!r}; see ingestion/streams.py.")


def _land(
    stream: Stream,
    source: Source,
    lake: Lake,
    warehouse: Warehouse,
    cursor_from: str | None,
    now: Callable[[], datetime],
) -> Iterator[Batch]:
    """Read pages, cut them into batches, land each. Only the last batch carries the new cursor: a crash before it
    leaves the cursor where it was, and what landed already is no news on the next run."""
    started_at = now()
    reading = (
        _typed(source.read(stream, cursor_from))
        if stream.is_typed
        else _objects(stream, warehouse, source.read(stream, cursor_from))
    )
    for table, cursor in reading:
        if not stream.is_typed:
            table = warehouse.news(stream, table)
        # The first reading of an empty typed table lands without rows: only its file says which columns raw must have.
        if table.num_rows == 0 and not (stream.is_typed and cursor_from is None):
            continue
        batch = lake.write(
            stream,
            table,
            cursor_from=cursor_from,
            cursor_to=cursor or cursor_from,
            api_version=source.api_version,
            started_at=started_at,
            finished_at=now(),
        )
        warehouse.load(batch, now())
        warehouse.ensure(stream, table.schema)
        yield batch


def _typed(pages: Iterator[Page]) -> Iterator[tuple[pa.Table, str | None]]:
    """Tables as read, each with the cursor that holds once it has landed."""
    held: pa.Table | None = None
    for page in pages:
        assert page.table is not None
        if held is not None and page.table.num_rows:
            yield held, None
            held = None
        held = page.table if held is None or page.table.num_rows else held
        if page.cursor:
            yield held, page.cursor
            held = None


def _objects(stream: Stream, warehouse: Warehouse, pages: Iterator[Page]) -> Iterator[tuple[pa.Table, str | None]]:
    """Envelope tables of a bounded number of rows; the last one has the newest cursor and the deletions."""
    pending: list[Row] = []
    seen: set[str] = set()
    cursor: str | None = None
    is_complete_listing = False
    for page in pages:
        pending.extend(page.rows)
        seen.update(row.object_id for row in page.rows)
        cursor = page.cursor or cursor
        is_complete_listing = page.is_complete_listing
        if len(pending) >= _ROWS_A_BATCH:
            yield envelope(pending), None
            pending = []
    if is_complete_listing:
        pending.extend(_deletions(stream, warehouse.live_objects(stream), seen))
    yield envelope(pending), cursor


def _deletions(stream: Stream, live: set[str], seen: set[str]) -> Iterator[Row]:
    """Objects that a complete listing no longer has. A listing cut short must not look like a mass deletion."""
    gone = live - seen
    if len(gone) > max(_FEW, _MOST_THAT_MAY_VANISH * len(live)):
        raise SourceError(
            f"{stream}: {len(gone)} of {len(live)} objects are gone from {stream.endpoint} at once, which looks like a "
            "listing cut short; nothing of this read's end was landed. If they were deleted on purpose, delete in steps."
        )
    for object_id in sorted(gone):
        yield Row(object_id, b"{}", "sweep", is_deleted=True)
