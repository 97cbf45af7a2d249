"""Whether every stream can be read: one cheap request each, before a run depends on it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from ingestion.lake import Lake
from ingestion.payload import SourceError
from ingestion.settings import MissingSetting, Settings
from ingestion.streams import STREAMS, Stream
from ingestion.sync import connect
from ingestion.warehouses.duckdb import DuckDBWarehouse


def check_access(settings: Settings) -> Iterator[tuple[Stream, str | None]]:
    """Every stream with None, or with the sentence that says what is missing and what to grant. Nothing is written."""
    with DuckDBWarehouse(Path(":memory:"), Lake(settings.lake)) as nothing_landed:
        for stream in STREAMS:
            try:
                settings.require([stream.source])
                connect(stream, settings, nothing_landed, lambda: datetime.now(UTC)).probe(stream)
            except (SourceError, MissingSetting) as error:
                yield stream, str(error)
            else:
                yield stream, None
