"""The bank's statements: the files of one directory, in the formats of `statements.py`, told apart by their suffix.

Every file is read on every run, in the order of names. A statement counts whole or not at all: a file with one that does not
is in quarantine with the reason, and its other statements land. What comes twice counts once; what comes again and says
something else is in quarantine, and what came before stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from fnmatch import fnmatch
from io import BytesIO
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.csv as pacsv

from ingestion.payload import Item, Page, Rejected, Row, SourceError, SourceRefused
from ingestion.settings import Settings
from ingestion.sources.base import Landed, Measure, Window, tallied
from ingestion.sources.statements import COLUMNS, Line, NotUnderstood, Statement, statements
from ingestion.streams import Stream

_TEXT = pacsv.ConvertOptions(column_types=dict.fromkeys(COLUMNS, pa.string()))
_MULTILINE = pacsv.ParseOptions(newlines_in_values=True)


@dataclass(frozen=True)
class BankSource:
    """See `Source`. Lines that have landed unchanged do not land again."""

    directory: Path
    api_version: str = "statements"

    @staticmethod
    def connect(settings: Settings, landed: Landed, now: Callable[[], datetime]) -> BankSource:
        settings.require(["bank"])
        assert settings.bank_statements is not None
        return BankSource(settings.bank_statements)

    def read(self, stream: Stream, cursor: str | None) -> Iterator[Page]:
        for file in self._files(stream):
            rows = tuple(
                Row(
                    _object_id(line),
                    msgspec.json.encode(line),
                    "sweep",
                    parent_id=line["account_id"],
                    source_at=_booked_at(line),
                )
                for line in file.lines
            )
            reason = f"{file.name}: {'; '.join(file.reasons)}"
            yield Page(rows, rejected=(Rejected(file.content, reason),) if file.reasons else ())

    def tally(self, stream: Stream, window: Window) -> Mapping[Measure, Decimal]:
        return tallied(stream, self.roster(stream, window))

    def roster(self, stream: Stream, window: Window) -> Iterator[Item]:
        """Lines of the statements that count. CSV is read with pyarrow, another reader than that of `read`.

        CAMT and MT940 carry the bank's own count: their lines are what lies between two balances that the bank wrote.
        """
        for file in self._files(stream):
            for line in _read_otherwise(stream, file) if file.is_csv and not file.reasons else file.lines:
                at = _booked_at(line)
                if at < window.until and (window.since is None or at >= window.since):
                    yield Item(_object_id(line), at, Decimal(line["amount"]), line["currency"])

    def probe(self, stream: Stream) -> None:
        self._paths(stream)

    def _files(self, stream: Stream) -> Iterator[_File]:
        came = _Came()
        for path in self._paths(stream):
            try:
                content = path.read_bytes()
            except OSError as error:
                raise SourceRefused(
                    f"{stream}: {path.name} can't be opened ({error.strerror}): let this user read it, or take it away."
                ) from error
            lines: list[Line] = []
            reasons: list[str] = []
            for found in statements(path.suffix.lower(), content):
                try:
                    lines += came.what_is_new(found)
                except NotUnderstood as reason:
                    reasons.append(str(reason))
            yield _File(path.name, content, lines, reasons)

    def _paths(self, stream: Stream) -> list[Path]:
        patterns = stream.endpoint.split()
        try:
            found = [
                path
                for path in sorted(self.directory.iterdir())
                if not path.is_dir() and any(fnmatch(path.name.lower(), pattern) for pattern in patterns)
            ]
        except OSError as error:
            raise SourceRefused(
                f"{stream}: {self.directory} can't be opened ({error.strerror}): let this user read it, or correct "
                "BANK_STATEMENTS."
            ) from error
        if not found:
            raise SourceRefused(
                f"{stream}: there is no {', '.join(patterns[:-1])} or {patterns[-1]} in {self.directory}: put the bank's "
                "statements there, or correct BANK_STATEMENTS."
            )
        return found


@dataclass(frozen=True)
class _File:
    """One file: the lines that count and did not come in a file before, and why its other statements don't count."""

    name: str
    content: bytes
    lines: Sequence[Line]
    reasons: Sequence[str]

    @property
    def is_csv(self) -> bool:
        return self.name.lower().endswith(".csv")


@dataclass(frozen=True)
class _Came:
    """What the statements read so far in a run said: of each line, by object id, its day, amount and currency."""

    statements: dict[str, Mapping[str, object]] = field(default_factory=dict)
    lines: dict[str, object] = field(default_factory=dict)

    def what_is_new(self, statement: Statement | NotUnderstood) -> Sequence[Line]:
        """Lines of a statement that did not come before. Raises NotUnderstood when it says otherwise than what came before."""
        if isinstance(statement, NotUnderstood):
            raise statement
        said = {
            _object_id(line): (line["booked_on"], Decimal(line["amount"]), line["currency"]) for line in statement.lines
        }
        if statement.name is not None:
            if self.statements.get(statement.name, said) != said:
                raise NotUnderstood(f"{statement.name} came before with other lines")
            self.statements[statement.name] = said
        for object_id, line in said.items():
            if self.lines.get(object_id, line) != line:
                raise NotUnderstood(f"line {object_id} came before with another day or amount")
        new = [line for line in statement.lines if _object_id(line) not in self.lines]
        self.lines.update(said)
        return new


def _read_otherwise(stream: Stream, file: _File) -> Sequence[Line]:
    try:
        table = pacsv.read_csv(BytesIO(file.content), parse_options=_MULTILINE, convert_options=_TEXT)
    except pa.ArrowInvalid as error:
        raise SourceError(
            f"{stream}: {file.name} was read, and can't be read again to be counted ({error}): export it again."
        ) from error
    lines: Sequence[Line] = table.to_pylist()
    return lines


def _object_id(line: Line) -> str:
    return f"{line['account_id']}/{line['line_id']}"


def _booked_at(line: Line) -> datetime:
    return datetime.fromisoformat(line["booked_on"]).replace(tzinfo=UTC)
