"""The bank's statements: CSV files in one directory, read with the standard library's csv (RFC 4180).

Columns: line_id, account_id, booked_on, value_on, amount, currency, description, reference, balance. Dates are ISO 8601,
amounts decimal text; every value lands as the text that the bank wrote.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ingestion.payload import Page, Row, SourceRefused
from ingestion.settings import Settings
from ingestion.streams import Stream

_COLUMNS = (
    "line_id",
    "account_id",
    "booked_on",
    "value_on",
    "amount",
    "currency",
    "description",
    "reference",
    "balance",
)


@dataclass(frozen=True)
class BankSource:
    """See `Source`. Every file is read on every run; lines that have landed unchanged do not land again."""

    statements: Path
    api_version: str = "csv"

    @staticmethod
    def connect(settings: Settings) -> BankSource:
        settings.require(["bank"])
        assert settings.bank_statements is not None
        return BankSource(settings.bank_statements)

    def read(self, stream: Stream, cursor: str | None) -> Iterator[Page]:
        for path in sorted(self.statements.glob(stream.endpoint)):
            yield Page(tuple(_lines(stream, path)))


def _lines(stream: Stream, path: Path) -> Iterator[Row]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, strict=True)
            if tuple(reader.fieldnames or ()) != _COLUMNS:
                raise SourceRefused(
                    f"{stream}: {path.name} has the columns {reader.fieldnames}, not {', '.join(_COLUMNS)}; "
                    "export the statement again in this layout."
                )
            for line in reader:
                if None in line or None in line.values():
                    raise SourceRefused(
                        f"{stream}: line {reader.line_num} of {path.name} has more or fewer values than columns; "
                        "export the statement again."
                    )
                yield Row(
                    f"{line['account_id']}/{line[stream.key]}",
                    msgspec.json.encode(line),
                    "sweep",
                    parent_id=line["account_id"],
                    source_at=datetime.fromisoformat(line["booked_on"]).replace(tzinfo=UTC),
                )
    except (csv.Error, UnicodeDecodeError, ValueError) as error:
        raise SourceRefused(
            f"{stream}: {path.name} can't be read as a statement ({error}); export it again."
        ) from error
