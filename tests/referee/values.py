"""Types and values of GoogleSQL in its protobuf messages, and back.

A type is written as BigQuery writes it: INT64, NUMERIC, ARRAY<STRING>, STRUCT<a INT64, b JSON>. A value is what DuckDB's client
gives for the same type: int, Decimal, str, datetime in UTC, date, bool, list, dict; JSON is its text.
"""

from __future__ import annotations

import decimal
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from zetasql.wasi._pb2.zetasql.public import type_pb2, value_pb2

_KINDS = {
    "INT64": type_pb2.TYPE_INT64,
    "FLOAT64": type_pb2.TYPE_DOUBLE,
    "BOOL": type_pb2.TYPE_BOOL,
    "STRING": type_pb2.TYPE_STRING,
    "BYTES": type_pb2.TYPE_BYTES,
    "DATE": type_pb2.TYPE_DATE,
    "TIMESTAMP": type_pb2.TYPE_TIMESTAMP,
    "DATETIME": type_pb2.TYPE_DATETIME,
    "NUMERIC": type_pb2.TYPE_NUMERIC,
    "BIGNUMERIC": type_pb2.TYPE_BIGNUMERIC,
    "JSON": type_pb2.TYPE_JSON,
    "INTERVAL": type_pb2.TYPE_INTERVAL,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}
_SCALES = {type_pb2.TYPE_NUMERIC: 9, type_pb2.TYPE_BIGNUMERIC: 38}
_FIRST_DAY = date(1970, 1, 1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DIGITS = decimal.Context(prec=90)
"""BIGNUMERIC has 77 digits; more are never asked for, so nothing is rounded."""

# BigQuery's other names for its types, and what dbt's contracts and seeds call them on both engines
_ALIASES = {
    "INTEGER": "INT64",
    "INT": "INT64",
    "BIGINT": "INT64",
    "FLOAT": "FLOAT64",
    "BOOLEAN": "BOOL",
    "DECIMAL": "NUMERIC",
    "BIGDECIMAL": "BIGNUMERIC",
}


def canonical_type(declared: str) -> str:
    """The type of a column as declared, without its length, precision and scale: NUMERIC for `numeric(38, 9)`."""
    bare = re.sub(r"\(.*?\)", "", declared).strip().upper()
    return _ALIASES.get(bare, bare)


def type_of(name: str) -> type_pb2.TypeProto:
    """ValueError: no scalar type of BigQuery."""
    if name not in _KINDS:
        raise ValueError(f"{name!r} is no scalar type of BigQuery: {', '.join(_KINDS)}")
    return type_pb2.TypeProto(type_kind=_KINDS[name])


def type_name(of: type_pb2.TypeProto) -> str:
    if of.type_kind == type_pb2.TYPE_ARRAY:
        return f"ARRAY<{type_name(of.array_type.element_type)}>"
    if of.type_kind == type_pb2.TYPE_STRUCT:
        fields = (f"{field.field_name} {type_name(field.field_type)}".strip() for field in of.struct_type.field)
        return f"STRUCT<{', '.join(fields)}>"
    return _NAMES.get(of.type_kind) or type_pb2.TypeKind.Name(of.type_kind).removeprefix("TYPE_")


def to_proto(value: Any, of: type_pb2.TypeProto) -> value_pb2.ValueProto:
    """A scalar; an instant without a zone is UTC. ValueError: a decimal with more digits than the type has."""
    message, kind = value_pb2.ValueProto(), of.type_kind
    if value is None:
        return message
    if kind in _SCALES:
        content = _to_bytes(value, _SCALES[kind])
        if kind == type_pb2.TYPE_NUMERIC:
            message.numeric_value = content
        else:
            message.bignumeric_value = content
    elif kind == type_pb2.TYPE_TIMESTAMP:
        instant = value if value.tzinfo else value.replace(tzinfo=UTC)
        seconds, microseconds = divmod((instant - _EPOCH) // timedelta(microseconds=1), 1_000_000)
        message.timestamp_value.seconds, message.timestamp_value.nanos = seconds, microseconds * 1000
    elif kind == type_pb2.TYPE_DATE:
        message.date_value = (value - _FIRST_DAY).days
    else:
        setattr(message, f"{_FIELDS[kind]}_value", value)
    return message


_FIELDS = {
    type_pb2.TYPE_INT64: "int64",
    type_pb2.TYPE_DOUBLE: "double",
    type_pb2.TYPE_BOOL: "bool",
    type_pb2.TYPE_STRING: "string",
    type_pb2.TYPE_BYTES: "bytes",
    type_pb2.TYPE_JSON: "json",
}


def from_proto(message: value_pb2.ValueProto, of: type_pb2.TypeProto) -> Any:
    field, kind = message.WhichOneof("value"), of.type_kind
    if field is None:
        return None
    if kind in _SCALES:
        return _from_bytes(getattr(message, field), _SCALES[kind])
    if kind == type_pb2.TYPE_DATE:
        return _FIRST_DAY + timedelta(days=message.date_value)
    if kind == type_pb2.TYPE_TIMESTAMP:
        stamp = message.timestamp_value
        return _EPOCH + timedelta(seconds=stamp.seconds, microseconds=stamp.nanos // 1000)
    if kind == type_pb2.TYPE_ARRAY:
        return [from_proto(element, of.array_type.element_type) for element in message.array_value.element]
    if kind == type_pb2.TYPE_STRUCT:
        parts = zip(message.struct_value.field, of.struct_type.field, strict=True)
        return {field.field_name: from_proto(part, field.field_type) for part, field in parts}
    if kind not in _FIELDS:
        raise ValueError(f"a {type_name(of)} can't be compared: cast it to text")
    return getattr(message, field)


def _to_bytes(value: Decimal, scale: int) -> bytes:
    whole = _DIGITS.scaleb(value, scale)
    if whole != whole.to_integral_value(context=_DIGITS):
        raise ValueError(f"{value} has more than {scale} decimals")
    number = int(whole)
    return number.to_bytes(number.bit_length() // 8 + 1, "little", signed=True)


def _from_bytes(content: bytes, scale: int) -> Decimal:
    return _DIGITS.scaleb(Decimal(int.from_bytes(content, "little", signed=True)), -scale)
