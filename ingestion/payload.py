"""From the bytes of an API answer to rows of the raw envelope, digit for digit.

Both engines would read a JSON number with a fraction or an exponent as a double. Such numbers are landed as JSON
strings with the digits that the source sent; integers and everything else stay verbatim (design, part 4).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import msgspec
import pyarrow as pa


class SourceError(Exception):
    """A source answered something that can't be landed. Names the stream, the object and the remedy."""


class SourceRefused(SourceError):
    """The source, or what it sends, has to be changed by somebody first: trying again can't help."""


@dataclass(frozen=True)
class Row:
    """One version of one object. `payload` is JSON text; `source_at` is when the source says it came to be so."""

    object_id: str
    payload: bytes
    origin: str
    parent_id: str | None = None
    source_at: datetime | None = None
    is_deleted: bool = False

    @property
    def payload_hash(self) -> str:
        return hashlib.sha256(b"deleted:" * self.is_deleted + self.payload).hexdigest()


@dataclass(frozen=True)
class Page:
    """What a source yields: rows, or a typed table, in the order read.

    `cursor` is set when everything before it, this page included, may count as read once it has landed.
    `is_complete_listing` on the last page says that an object not seen in this read is gone at the source.
    """

    rows: tuple[Row, ...] = ()
    table: pa.Table | None = None
    cursor: str | None = None
    is_complete_listing: bool = False


ENVELOPE = pa.schema(
    [
        ("object_id", pa.string()),
        ("parent_id", pa.string()),
        ("payload", pa.string()),
        ("payload_hash", pa.string()),
        ("source_at", pa.timestamp("us", tz="UTC")),
        ("is_deleted", pa.bool_()),
        ("origin", pa.string()),
    ]
)

_HAS_INEXACT = re.compile(rb"(?:^|[:\[,])\s*-?\d+[.eE]")
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?')


def exact(payload: bytes) -> bytes:
    """The same JSON with every number that has a fraction or an exponent as a string of the same digits."""
    if not _HAS_INEXACT.search(payload):
        return payload
    return _TOKEN.sub(_quote_inexact, payload)


def _quote_inexact(token: re.Match[bytes]) -> bytes:
    text = token.group()
    if text.startswith(b'"') or not (b"." in text or b"e" in text or b"E" in text):
        return text
    return b'"' + text + b'"'


class _Head(msgspec.Struct):
    id: str
    created: int | None = None


T = TypeVar("T")


def decode(stream: object, raw: bytes | msgspec.Raw, kind: type[T]) -> T:
    """The fields of an answer that reading needs. Raises SourceError for one that does not have them."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.MsgspecError as error:
        raise SourceError(
            f"{stream}: the answer is not what the API document says ({error}): {bytes(raw)[:120]!r}. "
            "Run again; if it stays so, compare with the document of the API version that the stream is read with."
        ) from error


def head(stream: object, raw: msgspec.Raw) -> _Head:
    """An object's id and `created` (Unix seconds). Raises SourceError for what is not an object with an id."""
    try:
        return msgspec.json.decode(raw, type=_Head)
    except msgspec.MsgspecError as error:
        raise SourceError(
            f"{stream}: an object without a usable id ({error}): {bytes(raw)[:120]!r}. "
            "Look the request up in the source's own log; nothing of this page was landed."
        ) from error


def envelope(rows: Iterable[Row]) -> pa.Table:
    """Rows in the raw envelope, without `batch_id` and `read_at`; of an object read twice the last reading stands."""
    newest = {row.object_id: row for row in rows}.values()
    return pa.Table.from_pydict(
        {
            "object_id": [row.object_id for row in newest],
            "parent_id": [row.parent_id for row in newest],
            "payload": [row.payload.decode() for row in newest],
            "payload_hash": [row.payload_hash for row in newest],
            "source_at": [row.source_at for row in newest],
            "is_deleted": [row.is_deleted for row in newest],
            "origin": [row.origin for row in newest],
        },
        schema=ENVELOPE,
    )
