"""What every warehouse promises."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Protocol

import pyarrow as pa

from ingestion.lake import Batch
from ingestion.payload import Item
from ingestion.sources.base import Landed, Measure, Window
from ingestion.streams import Stream


class WarehouseError(Exception):
    """The warehouse can't be used. One sentence with the remedy."""


class Warehouse(Landed, Protocol):
    """Raw tables and the ledger of the batches that are in them. There is no other state.

    Next to the ledger stands an index of the newest version of each object, written in the ledger's transactions from the same
    files: what a sync costs follows from what is new, not from what has landed.
    """

    def cursor(self, stream: Stream) -> str | None:
        """Where the stream stands: `cursor_to` of its newest loaded batch."""

    def paths(self, stream: Stream) -> set[str]:
        """Where the lake's files of the stream's loaded batches are."""

    def known_batches(self, stream: Stream, moment: datetime) -> Mapping[str, str]:
        """Content hash by id of the stream's loaded batches that were finished by the moment, in the order of their ids."""

    def load(self, batches: Iterable[Batch], now: Callable[[], datetime]) -> None:
        """Load batches of one stream, oldest first. A batch's ledger line stands once all of its rows do, and not before; one
        that is in the ledger is left alone."""

    def ensure(self, stream: Stream, schema: pa.Schema) -> None:
        """The raw table exists, empty if nothing has landed. `schema` is that of its rows in the lake."""

    def news(self, stream: Stream, rows: pa.Table) -> pa.Table:
        """Those envelope rows that differ from the newest landed version of their object, in the order given.

        A deletion of an object that never landed, or is deleted already, is no news.
        """

    def tally(self, stream: Stream, window: Window) -> Mapping[Measure, Decimal]:
        """What has landed, counted as `Source.tally` counts what is there."""

    def roster(self, stream: Stream, window: Window) -> Iterator[Item]:
        """The objects that `tally` counts, one by one."""

    def certify(self, rows: pa.Table) -> None:
        """Keep these rows of `CERTIFICATES` as the newest of their streams and days."""

    def unlanded_certificates(self) -> pa.Table:
        """Those of the rows kept that no batch has brought."""

    def certified_through(self, stream: Stream) -> datetime | None:
        """Up to where every certificate of the stream that is not superseded says complete."""

    def differing(self, stream: Stream) -> Mapping[Measure, tuple[Decimal, Decimal]]:
        """What the newest certificates of the stream's days say that differs: at the source, and landed."""
