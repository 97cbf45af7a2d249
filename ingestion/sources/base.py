"""What every source promises."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from ingestion.payload import Page
from ingestion.streams import Stream


class Source(Protocol):
    """Reads streams of one system. `api_version` goes into every manifest."""

    @property
    def api_version(self) -> str: ...

    def read(self, stream: Stream, cursor: str | None) -> Iterator[Page]:
        """Pages from where `cursor` stands (None: from the beginning). Raises SourceError, never skips."""
