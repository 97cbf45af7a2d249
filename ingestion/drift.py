"""What has landed against what the API documents say: a report, never a reason to stop a load.

Of each stream the newest objects are compared, field by field, with `ingestion/documents/`. What landing itself did to a payload
is no drift: a number with a fraction is a string of its digits, and personal data is null.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import pyarrow.parquet as pq

from ingestion.documents import DOCUMENTED, Document, Field, document
from ingestion.lake import Lake, LakeError
from ingestion.settings import Settings
from ingestion.streams import STREAMS, Stream

NEWEST = 20_000
"""How many objects of a stream are looked at, newest first."""

_ROWS_AT_A_TIME = 500
_COLUMNS = ["object_id", "payload", "is_deleted"]
_MANY = 25
_LONGEST_VALUE = 60
_FRACTION = re.compile(r"-?\d+(\.\d+([eE][+-]?\d+)?|[eE][+-]?\d+)")
_TYPES: Mapping[type, str] = {
    type(None): "null",
    bool: "boolean",
    str: "string",
    int: "integer",
    float: "number",
    dict: "object",
    list: "array",
}


class DriftUnavailable(ValueError):
    """There is nothing to compare; the sentence says what is missing and what to do."""


@dataclass(frozen=True)
class Finding:
    """One way in which payloads and document differ, in how many of the objects looked at, and the id of the newest of them.

    `path` is from the payload's root: `lines.data[].amount`, with `[]` for every element of a list and `*` for every key of an
    object whose keys the sender chooses.
    """

    path: str
    what: str
    objects: int
    example: str


@dataclass(frozen=True)
class Drift:
    """Of one stream: its findings by path, how many `objects` were looked at, how many optional fields none of them has."""

    stream: Stream
    objects: int
    findings: tuple[Finding, ...]
    optional_never_sent: int


def drift(settings: Settings) -> Sequence[Drift]:
    """Of every stream that has a document and of which something is in the lake. Raises DriftUnavailable."""
    lake = Lake(settings.lake)
    documents = {source: document(source) for source in DOCUMENTED}
    try:
        compared = [
            compare(stream, documents[stream.source], _newest(lake, stream, documents[stream.source].api_version))
            for stream in sorted(STREAMS, key=str)
            if stream.source in documents
        ]
    except LakeError as error:
        raise DriftUnavailable(str(error)) from error
    if not any(each.objects for each in compared):
        raise DriftUnavailable(
            f"Nothing is in the lake at {lake.root}: `tieout run` or `tieout demo` reads the sources."
        )
    return [each for each in compared if each.objects]


def compare(stream: Stream, pinned: Document, payloads: Iterable[tuple[str, str]]) -> Drift:
    """(Object id, payload) pairs of a stream, each object once, against the document."""
    comparison = _Comparison(pinned, frozenset(stream.personal))
    objects = 0
    for object_id, payload in payloads:
        objects += 1
        comparison.add(object_id, payload, pinned.streams[stream.name])
    findings = (
        Finding(path, comparison.wording(path, what), seen.objects, seen.example)
        for (path, what), seen in comparison.found.items()
    )
    return Drift(stream, objects, tuple(sorted(findings, key=lambda one: (one.path, one.what))), comparison.unsent)


@dataclass
class _Seen:
    objects: int
    example: str
    newest_counted: str


_LACKING = "lacking"


@dataclass
class _Comparison:
    """What was found so far, object by object."""

    pinned: Document
    personal: frozenset[str]
    found: dict[tuple[str, str], _Seen] = field(default_factory=dict)
    sent: set[str] = field(default_factory=set)
    objects_at: dict[str, str] = field(default_factory=dict)
    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, object_id: str, payload: str, expected: Field) -> None:
        try:
            self._value(object_id, msgspec.json.decode(payload), expected, "")
        except msgspec.MsgspecError as error:
            self._note(object_id, "", f"can't be read ({error})")

    @property
    def unsent(self) -> int:
        """Optional fields, of objects that were sent, which no object has."""
        return sum(
            not expected.is_required and _below(path, name) not in self.sent
            for path, shape in self.objects_at.items()
            for name, expected in self.pinned.shapes[shape].items()
        )

    def wording(self, path: str, what: str) -> str:
        if what != _LACKING:
            return what
        return "always sent, says the document; some objects lack it" if path in self.sent else "in no payload"

    def _value(self, object_id: str, value: object, expected: Field, path: str) -> None:
        kind = _TYPES[type(value)]
        if expected.types and kind not in expected.types and not _is_landed_number(value, expected.types):
            self._note(object_id, path, f"{_named(value)}; documented as {' or '.join(expected.types)}")
            return
        match value:
            case str() if expected.values and value not in expected.values:
                said = f"value {msgspec.json.encode(value).decode()[:_LONGEST_VALUE]} is not in the document"
                self._note(object_id, path, said, (path, "more values that are not in the document"))
            case dict():
                self._object(object_id, value, expected, path)
            case list() if expected.each:
                for element in value:
                    self._value(object_id, element, expected.each, f"{path}[]")

    def _object(self, object_id: str, value: dict[str, object], expected: Field, path: str) -> None:
        fields = self.pinned.shapes[expected.shape] if expected.shape else {}
        if expected.shape:
            self.objects_at[path] = expected.shape
        for name, inner in value.items():
            here = _below(path, name)
            if documented := fields.get(name):
                self.sent.add(here)
                if name not in self.personal:
                    self._value(object_id, inner, documented, here)
            elif expected.each:
                self._value(object_id, inner, expected.each, _below(path, "*"))
            elif expected.shape:
                rest = (_below(path, "*"), "more fields that are not in the document")
                self._note(object_id, here, "not in the document", rest)
        for name, documented in fields.items():
            if documented.is_required and name not in value:
                self._note(object_id, _below(path, name), _LACKING)

    def _note(self, object_id: str, path: str, what: str, rest: tuple[str, str] | None = None) -> None:
        """Count an object once for a finding; beyond many findings of a kind, `rest` stands for all the others."""
        key = (path, what)
        if rest and key not in self.found:
            if self.kinds[rest] == _MANY:
                key = rest
            else:
                self.kinds[rest] += 1
        seen = self.found.setdefault(key, _Seen(0, object_id, ""))
        if seen.newest_counted != object_id:
            seen.objects += 1
            seen.newest_counted = object_id


def _newest(lake: Lake, stream: Stream, api_version: str) -> Iterator[tuple[str, str]]:
    """(Object id, payload) of the newest objects, as they were last read with this version; deleted ones are left out."""
    seen: set[str] = set()
    for path in reversed(lake.paths(stream)):
        if lake.batch(path).manifest.api_version != api_version:
            continue
        with lake.open(path) as opened:
            for rows in pq.ParquetFile(opened).iter_batches(_ROWS_AT_A_TIME, columns=_COLUMNS):
                for object_id, payload, is_deleted in zip(
                    *(column.to_pylist() for column in rows.columns), strict=True
                ):
                    if object_id not in seen:
                        seen.add(object_id)
                        if not is_deleted:
                            yield object_id, payload
                    if len(seen) == NEWEST:
                        return


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _is_landed_number(value: object, types: Iterable[str]) -> bool:
    """An integer where any number may be, or the string that a number with a fraction landed as."""
    return "number" in types and (isinstance(value, int | float) or _is_fraction(value))


def _is_fraction(value: object) -> bool:
    return isinstance(value, str) and bool(_FRACTION.fullmatch(value))


def _named(value: object) -> str:
    return "string or number with a fraction" if _is_fraction(value) else _TYPES[type(value)]
