"""The bank's statements: CSV files in one directory, read with the standard library's csv (RFC 4180).

Columns: line_id, account_id, booked_on, value_on, amount, currency, description, reference, balance. Dates are ISO 8601,
amounts decimal text; every value lands as the text that the bank wrote.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.csv as pacsv

from ingestion.payload import Item, Page, Row, SourceRefused
from ingestion.settings import Settings
from ingestion.sources.base import Landed, Measure, Window, tallied
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

_TEXT = pacsv.ConvertOptions(column_types=dict.fromkeys(_COLUMNS, pa.string()))


@dataclass(frozen=True)
class BankSource:
    """See `Source`. Every file is read on every run; lines that have landed unchanged do not land again."""

    statements: Path
    api_version: str = "csv"

    @staticmethod
    def connect(settings: Settings, landed: Landed, now: Callable[[], datetime]) -> BankSource:
        settings.require(["bank"])
        assert settings.bank_statements is not None
        return BankSource(settings.bank_statements)

    def read(self, stream: Stream, cursor: str | None) -> Iterator[Page]:
        for path in sorted(self.statements.glob(stream.endpoint)):
            yield Page(tuple(_lines(stream, path)))

    def tally(self, stream: Stream, window: Window) -> Mapping[Measure, Decimal]:
        return tallied(stream, self.roster(stream, window))

    def roster(self, stream: Stream, window: Window) -> Iterator[Item]:
        """Lines as the files have them, read with pyarrow: another reader than that of `read`."""
        for path in sorted(self.statements.glob(stream.endpoint)):
            for line in pacsv.read_csv(path, convert_options=_TEXT).to_pylist():
                at = datetime.fromisoformat(line["booked_on"]).replace(tzinfo=UTC)
                if at < window.until and (window.since is None or at >= window.since):
                    yield Item(
                        f"{line['account_id']}/{line[stream.key]}", at, Decimal(line["amount"]), line["currency"]
                    )

    def probe(self, stream: Stream) -> None:
        if next(self.statements.glob(stream.endpoint), None) is None:
            raise SourceRefused(
                f"{stream}: there is no {stream.endpoint} in {self.statements}: put the bank's statements there, or correct "
                "BANK_STATEMENTS."
            )


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
