"""The warehouse's own comparisons as a source: what differs now is landed, so that the register's history is in the lake.

A version of a difference lands when it is new, changed or seen on another day, and a deletion when it is there no more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from ingestion.payload import Item, Page, Row
from ingestion.sources.base import Landed, Measure, Window, tallied
from ingestion.streams import Stream


@dataclass(frozen=True)
class RegisterSource:
    """See `Source`. `landed` has the comparisons' tables and knows which differences were there before."""

    landed: Landed
    api_version: str = "1"

    def read(self, stream: Stream, cursor: str | None) -> Iterator[Page]:
        known_at, sightings = self.landed.sightings(stream)
        gone = self.landed.live_objects(stream) - {break_id for break_id, _ in sightings}
        yield Page(
            [
                *(Row(break_id, text.encode(), "sweep", source_at=known_at) for break_id, text in sightings),
                *(Row(break_id, b"{}", "sweep", source_at=known_at, is_deleted=True) for break_id in sorted(gone)),
            ]
        )

    def tally(self, stream: Stream, window: Window) -> Mapping[Measure, Decimal]:
        return tallied(stream, self.roster(stream, window))

    def roster(self, stream: Stream, window: Window) -> Iterator[Item]:
        _, sightings = self.landed.sightings(stream)
        return (Item(break_id, None) for break_id, _ in sightings)

    def probe(self, stream: Stream) -> None:
        self.landed.sightings(stream)
