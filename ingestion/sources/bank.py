"""The bank's statements: CSV files in one directory, read with the standard library's csv (RFC 4180).

Columns: line_id, account_id, booked_on, value_on, amount, currency, description, reference, balance. Dates are ISO 8601,
amounts decimal text; every value lands as the text that the bank wrote. Lines stand oldest first, and `balance` is the
account's after the line: from the first line to the last it has to follow from the amounts, or a line is missing or was
changed. A file of which one line can't be understood is no statement: it goes to quarantine whole, because what is left of it
would not add up, and the other files are read.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.csv as pacsv

from ingestion.payload import Item, Page, Rejected, Row, SourceRefused
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

_DECIMAL = re.compile(r"-?\d+(\.\d+)?")
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
        for _, lines in self._files(stream):
            if isinstance(lines, Rejected):
                yield Page(rejected=[lines])
            else:
                yield Page(lines)

    def _files(self, stream: Stream) -> Iterator[tuple[Path, list[Row] | Rejected]]:
        for path in sorted(self.statements.glob(stream.endpoint)):
            try:
                yield path, list(_lines(stream, path))
            except (csv.Error, ValueError) as error:
                yield path, Rejected(path.read_bytes(), f"{path.name} is not a statement: {error}")
            except OSError as error:
                raise SourceRefused(
                    f"{stream}: {path.name} can't be read ({error.strerror}): give this user the right to read it."
                ) from error

    def tally(self, stream: Stream, window: Window) -> Mapping[Measure, Decimal]:
        return tallied(stream, self.roster(stream, window))

    def roster(self, stream: Stream, window: Window) -> Iterator[Item]:
        """Lines as the statements have them, read with pyarrow: another reader than that of `read`."""
        for path, lines in self._files(stream):
            if isinstance(lines, Rejected):
                continue
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
    """Raises ValueError or csv.Error, in words that follow "is not a statement:"."""
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file, strict=True)
        if tuple(reader.fieldnames or ()) != _COLUMNS:
            raise ValueError(f"its columns are {reader.fieldnames}, not {', '.join(_COLUMNS)}")
        balances: dict[str, Decimal] = {}
        for line in reader:
            if None in line or None in line.values():
                raise ValueError(f"line {reader.line_num} has more or fewer values than columns")
            for name in ("amount", "balance"):
                if not _DECIMAL.fullmatch(line[name]):
                    raise ValueError(f"{name} of line {reader.line_num} is not a decimal: {line[name][:40]!r}")
            account, amount, balance = line["account_id"], Decimal(line["amount"]), Decimal(line["balance"])
            before = balances.get(account, balance - amount)
            if before + amount != balance:
                raise ValueError(
                    f"a balance of {before} and the amount of line {reader.line_num}, {amount}, make {before + amount}, not "
                    f"{balance}: a line is missing or was changed"
                )
            balances[account] = balance
            yield Row(
                f"{account}/{line[stream.key]}",
                msgspec.json.encode(line),
                "sweep",
                parent_id=account,
                source_at=datetime.fromisoformat(line["booked_on"]).replace(tzinfo=UTC),
            )
