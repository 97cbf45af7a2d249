"""What every source promises, and what it may ask of the warehouse."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Protocol

import pyarrow as pa

from ingestion.payload import Item, Page
from ingestion.streams import Stream


@dataclass(frozen=True)
class Window:
    """Objects created from `since` (None: ever) to before `until`, as they stood when the stream's cursor was `cursor`."""

    since: datetime | None
    until: datetime
    cursor: str | None


@dataclass(frozen=True)
class Measure:
    """What a certificate compares: `objects`, or a field that is added up in its unit, of one UTC day (None: undated)."""

    day: date | None
    name: str
    unit: str | None = None


def tallied(stream: Stream, items: Iterable[Item]) -> dict[Measure, Decimal]:
    """Number of objects and sum of amounts by UTC day and unit, each object counted once."""
    totals: dict[Measure, Decimal] = defaultdict(Decimal)
    for item in {item.object_id: item for item in items}.values():
        day = item.at.astimezone(UTC).date() if item.at else None
        totals[Measure(day, "objects")] += 1
        if stream.amount and item.amount is not None:
            totals[Measure(day, stream.amount, item.unit)] += item.amount
    return dict(totals)


class Landed(Protocol):
    """What a source may ask about what has landed of a stream."""

    def live_objects(self, stream: Stream) -> set[str]:
        """Ids of the objects whose newest landed version is not a deletion."""

    def open_objects(self, stream: Stream) -> set[str]:
        """Ids of the live objects whose newest version's status is not final."""

    def settled_sequence(self, stream: Stream) -> Mapping[tuple[str, str], int]:
        """By parent id and unit, the highest `sequence` number up to which every live object that landed is final."""

    def live_children(self, stream: Stream, parents: Collection[str]) -> Mapping[str, set[str]]:
        """By parent id, for those of these parents that have any, ids of the live objects that landed with it."""

    def unlanded(self, stream: Stream, rows: pa.Table) -> pa.Table:
        """Those typed rows whose newest landed version, if any, is another: for reading a table again after its cursor lost its
        meaning."""

    def asked(self, stream: Stream) -> Sequence[tuple[str, datetime]]:
        """Id and instant of the objects that `Stream.asked_by` names, if it is there, and of the live ones, oldest first."""

    def sightings(self, stream: Stream) -> tuple[datetime, Sequence[tuple[str, str]]]:
        """What the comparisons find now, as (break id, JSON text), and the moment whose knowledge they show."""

    def batch_paths_since(self, stream: Stream, batch_id: str | None) -> Sequence[tuple[str, str]]:
        """(batch id, lake path) of the stream's batches loaded after this one, oldest first."""


class Source(Protocol):
    """Reads streams of one system. `api_version` goes into every manifest."""

    @property
    def api_version(self) -> str: ...

    def read(self, stream: Stream, cursor: str | None) -> Iterator[Page]:
        """Pages from where `cursor` stands (None: from the beginning). Raises SourceError, never skips."""

    def tally(self, stream: Stream, window: Window) -> Mapping[Measure, Decimal]:
        """What the source says it has, counted by other requests than those that `read` makes. Raises SourceError."""

    def roster(self, stream: Stream, window: Window) -> Iterator[Item]:
        """The objects that `tally` counts, one by one: asked only where the counts differ. Raises SourceError."""

    def probe(self, stream: Stream) -> None:
        """One cheap request that shows whether the stream can be read. Raises SourceError with what is missing."""
