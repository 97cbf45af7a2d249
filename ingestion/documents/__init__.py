"""What the sources' API documents say of each stream's objects, in the versions that the streams are read with.

`stripe.json` and `orb.json` are distilled from the published OpenAPI documents by `ingestion/documents/distil.py`; nothing in
them is written by hand.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec

DOCUMENTED = ("orb", "stripe")
"""The sources whose API has a document."""


class Field(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a document says of a value: its JSON types (none: any) and, of a text, what it may be (none: anything).

    `shape` names the fields of an object, `each` says what every element of a list, or every key that the sender is free to
    choose, holds. A field that `is_required` is there whenever its object is, as null where there is nothing to say.
    """

    types: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    is_required: bool = False
    shape: str | None = None
    each: Field | None = None


class Document(msgspec.Struct, frozen=True):
    """`streams`: what the payload of each stream is. `shapes`: by the name that the API gives it, an object's fields."""

    api_version: str
    streams: dict[str, Field]
    shapes: dict[str, dict[str, Field]]

    def to_json(self) -> str:
        """Sorted, a line a field: what a new version of the API changes is what a diff shows."""
        shapes = ",\n".join(f'"{name}": {_lines(fields)}' for name, fields in sorted(self.shapes.items()))
        version = msgspec.json.encode(self.api_version).decode()
        return f'{{"api_version": {version}, "streams": {_lines(self.streams)}, "shapes": {{\n{shapes}\n}}}}\n'


@cache
def document(source: str) -> Document:
    """The document of the API of a source, one of `DOCUMENTED`."""
    return msgspec.json.decode(Path(__file__).with_name(f"{source}.json").read_bytes(), type=Document)


def _lines(fields: dict[str, Field]) -> str:
    lines = ",\n".join(f'"{name}": {msgspec.json.encode(field).decode()}' for name, field in sorted(fields.items()))
    return f"{{\n{lines}\n}}" if lines else "{}"
