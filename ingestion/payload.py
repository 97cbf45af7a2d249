"""From the bytes of an API answer to rows of the raw envelope, digit for digit.

Both engines would read a JSON number with a fraction or an exponent as a double. Such numbers are landed as JSON
strings with the digits that the source sent; integers and everything else stay verbatim (design, part 4).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import cache
from typing import TypeVar

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.streams import CERTIFICATES, DIFFERENCES, REJECTED, Stream


class SourceError(Exception):
    """A source answered something that can't be landed. Names the stream, the object and the remedy."""


class SourceRefused(SourceError):
    """The source, or what it sends, has to be changed by somebody first: trying again can't help."""


class Row(msgspec.Struct, frozen=True):
    """One version of one object as it was read. `source_at` is when the source says it came to be so."""

    object_id: str
    payload: bytes
    origin: str
    parent_id: str | None = None
    source_at: datetime | None = None
    is_deleted: bool = False


class Rejected(msgspec.Struct, frozen=True):
    """What a source sent and nobody can understand: the bytes as they came, and why in one clause."""

    original: bytes
    reason: str


@dataclass(frozen=True)
class Page:
    """What a source yields: rows, or a typed table, in the order read.

    `cursor` is set when everything before it, this page included, may count as read once it has landed. `is_checkpoint` asks
    for a batch even when nothing is new, because the cursor alone is worth keeping. `is_complete_listing` on the last page
    says that an object not seen in this read is gone at the source. `remark` is a sentence for who runs the sync.
    """

    rows: Sequence[Row] = ()
    table: pa.Table | None = None
    rejected: Sequence[Rejected] = ()
    cursor: str | None = None
    is_checkpoint: bool = False
    is_complete_listing: bool = False
    remark: str | None = None


class Item(msgspec.Struct, frozen=True):
    """What a certificate counts: one object, when it was created, and the amount it carries with its unit (a currency)."""

    object_id: str
    at: datetime | None
    amount: Decimal | None = None
    unit: str | None = None


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

_VALUE_TYPE = pa.decimal128(38, 9)
_INSTANT = pa.timestamp("us", tz="UTC")
SCHEMAS: Mapping[Stream, pa.Schema] = {
    REJECTED: pa.schema(
        [
            ("object_id", pa.string()),
            ("stream", pa.string()),
            ("reason", pa.string()),
            ("original", pa.binary()),
            ("payload_hash", pa.string()),
            ("is_deleted", pa.bool_()),
        ]
    ),
    CERTIFICATES: pa.schema(
        [
            ("stream", pa.string()),
            ("day", pa.date32()),
            ("measure", pa.string()),
            ("unit", pa.string()),
            ("source_value", _VALUE_TYPE),
            ("landed_value", _VALUE_TYPE),
            ("certified_from", _INSTANT),
            ("certified_through", _INSTANT),
            ("certified_at", _INSTANT),
        ]
    ),
    DIFFERENCES: pa.schema(
        [
            ("stream", pa.string()),
            ("day", pa.date32()),
            ("object_id", pa.string()),
            ("difference", pa.string()),
            ("source_amount", _VALUE_TYPE),
            ("landed_amount", _VALUE_TYPE),
            ("certified_at", _INSTANT),
        ]
    ),
}
"""Columns of what ingestion says of its own work, `batch_id` and `read_at` apart."""

_NULL = msgspec.Raw(b"null")
_NINE_PLACES, _38_DIGITS = Decimal("1e-9"), Context(prec=38, rounding=ROUND_HALF_UP)
_LARGEST_PAYLOAD = 10 << 20
_DECIMAL = re.compile(rb'null|-?\d+(\.\d+)?([eE][+-]?\d+)?|"-?\d+(\.\d+)?"')
_HAS_INEXACT = re.compile(rb"(?:^|[:\[,])\s*-?\d+[.eE]")
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?')


def exact(payload: bytes) -> bytes:
    """The same JSON with every number that has a fraction or an exponent as a string of the same digits."""
    if not _HAS_INEXACT.search(payload):
        return payload
    return _TOKEN.sub(_quote_inexact, payload)


def _value(depth: int) -> str:
    """A JSON value other than null, in RE2's syntax, with objects and lists in it down to `depth`."""
    string = r'"(?:[^"\\]|\\.)*"'
    inner = rf'(?:[^{{}}\[\]"]|{string})*'
    for _ in range(depth):
        inner = rf'(?:[^{{}}\[\]"]|{string}|[{{\[]{inner}[}}\]])*'
    return rf'(?:{string}|[{{\[]{inner}[}}\]]|[^n\s,{{}}\[\]"][^\s,{{}}\[\]"]*)'


_VALUE = _value(depth=5)


def _quote_inexact(token: re.Match[bytes]) -> bytes:
    text = token.group()
    if text.startswith(b'"') or not (b"." in text or b"e" in text or b"E" in text):
        return text
    return b'"' + text + b'"'


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


def certified(amount: Decimal) -> Decimal:
    """To nine places, halves away from zero: the warehouse counts no finer than that."""
    return amount.quantize(_NINE_PLACES, context=_38_DIGITS)


class Head(msgspec.Struct):
    """What reading needs of an object; all but the id may be absent, or of a type that nobody foresaw."""

    id: str
    created: msgspec.Raw = _NULL
    amount: msgspec.Raw = _NULL
    currency: msgspec.Raw = _NULL

    @property
    def created_second(self) -> int | None:
        """Unix seconds, where the source writes them."""
        text = bytes(self.created)
        return int(text) if text.isdigit() else None

    def item(self) -> Item:
        """As a certificate counts it."""
        second, text = self.created_second, bytes(self.created).strip(b'"').decode()
        try:
            at = datetime.fromtimestamp(second, UTC) if second is not None else datetime.fromisoformat(text)
        except ValueError:
            at = None
        amount = bytes(self.amount).strip(b'"').decode()
        unit = bytes(self.currency).strip(b'"').decode()
        return Item(
            self.id,
            at,
            None if amount == "null" else certified(Decimal(amount)),
            None if unit == "null" else unit,
        )


@cache
def _head_decoder(
    key: str, created: str | None, amount: str | None, currency: str | None
) -> msgspec.json.Decoder[Head]:
    names = {"id": key, "created": created, "amount": amount, "currency": currency}
    renamed = msgspec.defstruct(
        "Head",
        [("id", str), *((name, msgspec.Raw, _NULL) for name in ("created", "amount", "currency"))],
        bases=(Head,),
        rename={name: field or f"no {name}" for name, field in names.items()},
    )
    return msgspec.json.Decoder(renamed)


def head(stream: Stream, raw: msgspec.Raw | bytes) -> Head | Rejected:
    """An object's id, creation and amount; or, when it is no object, has no id or its amount is no decimal, why not."""
    try:
        found = _head_decoder(stream.key, stream.created, stream.amount, stream.currency).decode(raw)
    except msgspec.MsgspecError as error:
        return Rejected(bytes(raw), f"not an object with a usable {stream.key} ({error})")
    if not _DECIMAL.fullmatch(bytes(found.amount)):
        return Rejected(bytes(raw), f"{stream.amount} of {found.id} is not a decimal: {bytes(found.amount)[:40]!r}")
    return found


def heads(stream: Stream, raws: Sequence[msgspec.Raw]) -> tuple[list[tuple[Head, msgspec.Raw]], list[Rejected]]:
    """Those of some objects that have a head, with it; and why the others have none."""
    found: list[tuple[Head, msgspec.Raw]] = []
    rejected: list[Rejected] = []
    for raw in raws:
        match head(stream, raw):
            case Rejected() as one:
                rejected.append(one)
            case about:
                found.append((about, raw))
    return found, rejected


def envelope(stream: Stream, rows: Iterable[Row]) -> tuple[pa.Table, list[Rejected]]:
    """Rows in the raw envelope, without `batch_id` and `read_at`, and those whose bytes can't be kept as text.

    Numbers with a fraction become strings, the stream's personal data is dropped; everything else is verbatim.
    """
    kept, rejected = [], []
    for row in rows:
        reason = _unkeepable(row.payload)
        if reason is None:
            kept.append(row)
        else:
            rejected.append(Rejected(row.payload, f"{row.object_id}: {reason}"))
    payload = _kept(pa.array([row.payload for row in kept], pa.string()), stream.personal)
    hashes = [
        hashlib.sha256(b"deleted:" + text.as_buffer() if row.is_deleted else text.as_buffer()).hexdigest()
        for row, text in zip(kept, payload, strict=True)
    ]
    table = pa.Table.from_arrays(
        [
            pa.array([row.object_id for row in kept], pa.string()),
            pa.array([row.parent_id for row in kept], pa.string()),
            payload,
            pa.array(hashes, pa.string()),
            pa.array([row.source_at for row in kept], pa.timestamp("us", tz="UTC")),
            pa.array([row.is_deleted for row in kept], pa.bool_()),
            pa.array([row.origin for row in kept], pa.string()),
        ],
        schema=ENVELOPE,
    )
    return table, rejected


def last_readings(envelopes: Sequence[pa.Table]) -> pa.Table:
    """Envelopes as one; of an object read twice the last reading stands."""
    table = pa.concat_tables([ENVELOPE.empty_table(), *envelopes])
    last = {object_id: position for position, object_id in enumerate(table["object_id"].to_pylist())}
    return table if len(last) == table.num_rows else table.take(pa.array(last.values(), pa.int64()))


def _unkeepable(payload: bytes) -> str | None:
    if len(payload) > _LARGEST_PAYLOAD:
        return f"{len(payload):,} bytes are more than the {_LARGEST_PAYLOAD:,} that a row may have"
    try:
        payload.decode()
    except UnicodeDecodeError as error:
        return f"not UTF-8 ({error})"
    return None


def _kept(payloads: pa.Array, personal: Sequence[str]) -> pa.Array:
    """Payloads with the values of the personal keys replaced by null, at whatever depth they stand, and numbers as `exact`."""
    unusual, keys = _HAS_INEXACT.pattern.decode(), "|".join(map(re.escape, personal))
    nested = rf'"(?:{keys})"\s*:\s*[^n\s]'
    if personal:
        payloads = pc.replace_substring_regex(payloads, rf'("(?:{keys})"\s*:\s*){_VALUE}', r"\1null")
        unusual += f"|{nested}"
    # Fractions, and what is nested deeper than the expression reaches: rare enough to be taken apart one by one.
    is_unusual = pc.match_substring_regex(payloads, unusual)
    if not pc.any(is_unusual).as_py():
        return payloads
    texts = [exact(text.as_buffer().to_pybytes()) for text in payloads.filter(is_unusual)]
    plain = [
        msgspec.json.encode(_emptied(msgspec.json.decode(text), personal))
        if personal and re.search(nested.encode(), text)
        else text
        for text in texts
    ]
    return pc.replace_with_mask(payloads, is_unusual, pa.array(plain, pa.string()))


def _emptied(value: object, keys: Sequence[str]) -> object:
    match value:
        case dict():
            return {key: None if key in keys else _emptied(inner, keys) for key, inner in value.items()}
        case list():
            return [_emptied(inner, keys) for inner in value]
    return value
