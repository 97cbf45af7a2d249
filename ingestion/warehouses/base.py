"""What every warehouse promises."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import pyarrow as pa

from ingestion.lake import Batch
from ingestion.streams import Stream


class WarehouseError(Exception):
    """The warehouse can't be used. One sentence with the remedy."""


class Warehouse(Protocol):
    """Raw tables and the ledger of the batches that are in them. There is no other state."""

    def cursor(self, stream: Stream) -> str | None:
        """Where the stream stands: `cursor_to` of its newest loaded batch."""

    def has(self, batch_id: str) -> bool:
        """Whether the ledger has this batch."""

    def load(self, batch: Batch, loaded_at: datetime) -> None:
        """Rows and ledger line become visible together. A batch that is in the ledger is left alone."""

    def ensure(self, stream: Stream, schema: pa.Schema) -> None:
        """The raw table exists, empty if nothing has landed. `schema` is that of its rows in the lake."""

    def news(self, stream: Stream, rows: pa.Table) -> pa.Table:
        """Those envelope rows that differ from the newest landed version of their object, in the order given.

        A deletion of an object that never landed, or is deleted already, is no news.
        """

    def live_objects(self, stream: Stream) -> set[str]:
        """Ids of the objects whose newest landed version is not a deletion."""

    def unlanded(self, stream: Stream, rows: pa.Table) -> pa.Table:
        """Those typed rows whose key has not landed: for reading a table again after its cursor lost its meaning."""

    def batch_paths_since(self, stream: Stream, batch_id: str | None) -> Sequence[tuple[str, str]]:
        """(batch id, lake path) of the stream's batches loaded after this one, oldest first."""
