"""A JSONL file of API objects, ordered and indexed as an API lists it. The objects stay bytes in the file."""

from __future__ import annotations

import mmap
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from operator import neg
from pathlib import Path
from typing import Any

import msgspec

Object = dict[str, Any]
Read = Callable[[Object], Any]

# Numbers with a fraction are read as decimals, so that a filter on an amount never compares a float.
_decode_object = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode


class _Identified(msgspec.Struct):
    id: str


_decode_id = msgspec.json.Decoder(_Identified).decode


class DatasetError(ValueError):
    """A file of the dataset cannot be served. Says which file, which line and why."""


@dataclass(frozen=True)
class Range:
    """Bounds of one column; None is open. `above` and `below` are exclusive, the others inclusive."""

    above: Any = None
    least: Any = None
    most: Any = None
    below: Any = None

    def __contains__(self, value: Any) -> bool:
        return (
            value is not None
            and (self.above is None or value > self.above)
            and (self.least is None or value >= self.least)
            and (self.most is None or value <= self.most)
            and (self.below is None or value < self.below)
        )


@dataclass(frozen=True)
class Collection:
    """Objects by rank: 0 is the first that the API lists. Deleted stubs rank last: retrieved by id, never listed."""

    buffer: bytes | mmap.mmap
    spans: Sequence[tuple[int, int]]
    ids: Sequence[str]
    ranks: Mapping[str, int]
    listed: int
    columns: Mapping[str, Sequence[Any]]
    order: str | None
    _postings: dict[str, dict[Any, array[int]]] = field(default_factory=dict)

    @staticmethod
    def load(
        path: Path,
        *,
        key: Read = lambda value: value["id"],
        columns: Mapping[str, Read] | None = None,
        order: str | None = None,
    ) -> Collection:
        """Index the file. Objects are listed by the column `order`, integers, descending (of equals the later line
        first), or as they stand.

        A file that does not exist is an empty collection. Raises DatasetError on a line that cannot be served.
        """
        if not path.exists() or path.stat().st_size == 0:
            return Collection.of(b"", [], columns=columns, order=order)
        with path.open("rb") as file:
            buffer = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        spans: list[tuple[int, int]] = []
        end = 0
        while end < len(buffer):
            start, end = end, (buffer.find(b"\n", end) + 1) or len(buffer)
            spans.append((start, end))
        return Collection.of(buffer, spans, key=key, columns=columns, order=order, source=path)

    @staticmethod
    def of(
        buffer: bytes | mmap.mmap,
        spans: Iterable[tuple[int, int]],
        *,
        key: Read = lambda value: value["id"],
        columns: Mapping[str, Read] | None = None,
        order: str | None = None,
        source: Path | None = None,
    ) -> Collection:
        columns = columns or {}
        live: list[tuple[int, int, str, tuple[int, int], tuple[Any, ...]]] = []
        deleted: list[tuple[str, tuple[int, int]]] = []
        seen: dict[str, int] = {}
        for line, (start, end) in enumerate(spans, 1):
            raw = buffer[start:end]
            if not (stripped := raw.strip()):
                continue
            span = (start, start + len(raw.rstrip()))
            try:
                value = _decode_object(stripped)
                identity = key(value)
                if value.get("deleted") is True:
                    deleted.append((identity, span))
                else:
                    position = int(columns[order](value)) if order else -line
                    live.append((position, line, identity, span, tuple(read(value) for read in columns.values())))
            except (msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
                reason = f"it has no {error}" if isinstance(error, KeyError) else str(error)
                raise DatasetError(f"{source} line {line} cannot be served: {reason}") from error
            if identity in seen:
                raise DatasetError(
                    f"{source} line {line} repeats {identity}, which is on line {seen[identity]} already"
                )
            seen[identity] = line
        live.sort(key=lambda entry: entry[:2], reverse=True)
        ids = [entry[2] for entry in live] + [identity for identity, _ in deleted]
        table = {name: [entry[4][n] for entry in live] for n, name in enumerate(columns)}
        return Collection(
            buffer=buffer,
            spans=[entry[3] for entry in live] + [span for _, span in deleted],
            ids=ids,
            ranks={identity: rank for rank, identity in enumerate(ids)},
            listed=len(live),
            columns=table,
            order=order,
        )

    def raw(self, rank: int) -> bytes:
        start, end = self.spans[rank]
        return bytes(self.buffer[start:end])

    def get(self, identity: str) -> bytes | None:
        rank = self.ranks.get(identity)
        return None if rank is None else self.raw(rank)

    def select(self, wanted: Mapping[str, Range | frozenset[Any]]) -> Sequence[int]:
        """Ranks, ascending, of the listed objects that satisfy all conditions: a column in a range or in a set."""
        chosen: Sequence[int] | None = None
        for name, condition in wanted.items():
            if isinstance(condition, frozenset):
                postings = self._posted(name)
                hits = [postings[value] for value in condition if value in postings]
                ranks: Sequence[int] = hits[0] if len(hits) == 1 else sorted({rank for hit in hits for rank in hit})
            elif name == self.order:
                ranks = _slice(self.columns[name], condition)
            else:
                column = self.columns[name]
                ranks = [rank for rank in range(self.listed) if _satisfies(column[rank], condition)]
            chosen = ranks if chosen is None else sorted(set(chosen).intersection(ranks))
        return range(self.listed) if chosen is None else chosen

    def _posted(self, name: str) -> Mapping[Any, Sequence[int]]:
        """The ranks of each value of a column, collected when the column is first asked for."""
        if name not in self._postings:
            postings = self._postings[name] = {}
            for rank, value in enumerate(self.columns[name]):
                for single in dict.fromkeys(value) if isinstance(value, tuple) else (value,):
                    postings.setdefault(single, array("I")).append(rank)
        return self._postings[name]


@dataclass(frozen=True)
class Lookup:
    """Objects found by id only: for files of many lines, whose bytes and parsed objects must not stay in memory."""

    buffer: bytes | mmap.mmap
    offsets: array[int]
    positions: Mapping[str, int]

    @staticmethod
    def load(path: Path) -> Lookup:
        if not path.exists() or path.stat().st_size == 0:
            return Lookup(b"", array("Q"), {})
        offsets, positions, start = array("Q"), dict[str, int](), 0
        with path.open("rb") as file:
            for line, raw in enumerate(file, 1):
                if not raw.isspace():
                    try:
                        identity = _decode_id(raw).id
                    except msgspec.MsgspecError as error:
                        raise DatasetError(f"{path} line {line} cannot be served: {error}") from error
                    if positions.setdefault(identity, len(offsets)) != len(offsets):
                        raise DatasetError(f"{path} line {line} repeats {identity}")
                    offsets.append(start)
                start += len(raw)
            return Lookup(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), offsets, positions)

    def get(self, identity: str) -> bytes | None:
        position = self.positions.get(identity)
        if position is None:
            return None
        start = self.offsets[position]
        end = self.buffer.find(b"\n", start)
        return bytes(self.buffer[start : end if end >= 0 else len(self.buffer)]).strip()


def window(ranks: Sequence[int], limit: int, after: int | None, before: int | None) -> tuple[Sequence[int], bool]:
    """The page of at most `limit` ranks after (or just before) a rank, and whether more follow in that direction."""
    if before is not None:
        end = bisect_left(ranks, before)
        return ranks[max(0, end - limit) : end], end > limit
    start = 0 if after is None else bisect_right(ranks, after)
    return ranks[start : start + limit], start + limit < len(ranks)


def at(*paths: str) -> Read:
    """Reads the first of the dotted paths that is there; through a list it reads a tuple, of an object its id."""

    def read(value: Object) -> Any:
        return next((found for path in paths if (found := _walk(value, path.split("."))) is not None), None)

    return read


def _walk(value: Any, keys: Sequence[str]) -> Any:
    if isinstance(value, list):
        return tuple(_walk(item, keys) for item in value)
    if not keys:
        return value.get("id") if isinstance(value, dict) else value
    return _walk(value.get(keys[0]), keys[1:]) if isinstance(value, dict) else None


def _slice(descending: Sequence[int], bounds: Range) -> range:
    start, end = 0, len(descending)
    if bounds.most is not None:
        start = max(start, bisect_left(descending, -bounds.most, key=neg))
    if bounds.below is not None:
        start = max(start, bisect_right(descending, -bounds.below, key=neg))
    if bounds.least is not None:
        end = min(end, bisect_right(descending, -bounds.least, key=neg))
    if bounds.above is not None:
        end = min(end, bisect_left(descending, -bounds.above, key=neg))
    return range(start, max(start, end))


def _satisfies(value: Any, bounds: Range) -> bool:
    return any(single in bounds for single in value) if isinstance(value, tuple) else value in bounds
