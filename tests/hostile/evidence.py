"""What a clean run landed, object by object, and one change of it: what a source would have sent had it been otherwise."""

from __future__ import annotations

import copy
import json
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fnmatch import fnmatchcase
from hashlib import md5
from pathlib import Path
from typing import Any

import duckdb
import yaml

from ingestion.streams import STREAMS, Stream

Object = dict[str, Any]
Place = tuple[str | int, ...]

_LISTS = Path(__file__).with_name("money_fields.yml")
_EVERYWHERE = "everywhere"
_ENVELOPE = {"batch_id", "read_at"}
_MONTH, _YEAR = timedelta(days=31), timedelta(days=365)
_OF_WHOLE = {"currency", "reference", "date", "status", "dropped", "doubled"}
"""What changes an object with all that it is worth: of one that is worth nothing there is nothing to see."""
_TEMPLATE = re.compile(r"\{([^:}]+)(?::([^}]+))?\}")


class Unlisted(Exception):
    """Fields that landed and that nobody has looked at. Says which, and where they belong."""


@dataclass(frozen=True)
class Field:
    """Something that carries money. `path`: its place in the objects of the stream, `[]` for an element of a list; of a part or
    of the whole object (path "") the kind is what happens to it: dropped or doubled."""

    stream: str
    path: str
    kind: str
    values: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return f"{self.stream} {self.path or 'object'}: {self.kind}"


@dataclass(frozen=True)
class Mutation:
    """One change of one object. `payload`: what it is now, None if it is gone; `twin`: a second one like it, by id; `whole`: what
    it refers to no longer, and now: if that is what it was landed as a part of, it is a part of the other now.

    `names`: patterns of what the register may call the object or the part that changed; `amounts`: in major units, signs aside,
    what it may say of the difference. None: a price or a date has no amount of its own, to be named is enough.
    """

    field: Field
    object_id: str
    payload: Object | None
    twin: tuple[str, Object] | None
    whole: tuple[str, str] | None
    names: frozenset[str]
    amounts: frozenset[Decimal] | None
    told: str

    def apply(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Raises AssertionError when the raw table does not have the object once."""
        stream = _STREAM[self.field.stream]
        table, key = ".".join(stream.asset_key), stream.key if stream.is_typed else "object_id"
        ((count,),) = connection.execute(f"select count(*) from {table} where {key} = ?", [self.object_id]).fetchall()
        assert count == 1, f"{stream} has {self.object_id} {count} times."
        if self.twin:
            object_id, payload = self.twin
            new = payload if stream.is_typed else _envelope(object_id, payload)
            columns = ", ".join(f"? as {name}" for name in new)
            connection.execute(
                f"insert into {table} select * replace ({columns}) from {table} where {key} = ?",
                [*new.values(), self.object_id],
            )
        elif self.payload is None:
            connection.execute(f"delete from {table} where {key} = ?", [self.object_id])
        else:
            new = self.payload if stream.is_typed else _envelope(self.object_id, self.payload)
            columns = ", ".join(f"{name} = ?" for name in new)
            connection.execute(f"update {table} set {columns} where {key} = ?", [*new.values(), self.object_id])
            if self.whole and not stream.is_typed:
                old, other = self.whole
                connection.execute(
                    f"update {table} set parent_id = ? where object_id = ? and parent_id = ?",
                    [other, self.object_id, old],
                )


_STREAM: Mapping[str, Stream] = {str(stream): stream for stream in STREAMS}


class Evidence:
    """All that landed. Raises Unlisted when a field of it is neither on the list of money nor on the one of the rest."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._lists = yaml.safe_load(_LISTS.read_text())
        self._units = {
            currency: Decimal(1).scaleb(-exponent)
            for currency, exponent in connection.execute("select currency, exponent from seeds.currencies").fetchall()
        }
        self._objects = {name: dict(_landed(stream, connection)) for name, stream in _STREAM.items()}
        self._places: dict[Field, list[tuple[str, Place]]] = defaultdict(list)
        unlisted: set[str] = set()
        for name, objects in self._objects.items():
            counts = self._lists.get(name, {}).get("counts", {})
            for object_id, payload in objects.items():
                if not _counts(payload, counts):
                    continue
                for place in _places(payload):
                    self._place(name, object_id, payload, place, unlisted)
        if unlisted:
            raise Unlisted(
                f"{_LISTS.name} does not know {', '.join(sorted(unlisted))}: under money if a reader may add it up, else under "
                "no_money with the reason."
            )

    @property
    def fields(self) -> Sequence[Field]:
        """What can be changed, in a fixed order."""
        return sorted(self._places, key=str)

    def mutation(self, field: Field, chance: random.Random) -> Mutation | None:
        """A change of this kind to an object by chance; None where no object has another value to be changed to."""
        places = self._places[field]
        for object_id, place in chance.sample(places, len(places)):
            if found := self._mutation(field, object_id, place, chance):
                return found
        return None

    def _place(self, name: str, object_id: str, payload: Object, place: Place, unlisted: set[str]) -> None:
        path, value, listed = _pattern(place), _at(payload, place), self._lists.get(name, {})
        if not path:
            for kind in listed.get("objects", ()):
                self._places[Field(name, "", kind)].append((object_id, place))
        elif isinstance(value, dict):
            if path in listed.get("parts", {}) and _counts(value, listed["parts"][path].get("counts", {})):
                for kind in ("dropped", "doubled"):
                    self._places[Field(name, path, kind)].append((object_id, place))
        elif (kind := _found(listed.get("money", {}), path)) and not _is_listed(listed, path):
            ((kind, values),) = kind.items() if isinstance(kind, dict) else ((kind, ()),)
            self._places[Field(name, path, kind, tuple(values))].append((object_id, place))
        elif not _is_listed(listed, path) and not _is_listed({"no_money": self._lists[_EVERYWHERE]}, path):
            unlisted.add(f"{name} {path}")

    def _mutation(self, field: Field, object_id: str, place: Place, chance: random.Random) -> Mutation | None:
        before = self._objects[field.stream][object_id]
        if field.kind in _OF_WHOLE and self._own_worth(field, before, place) == {Decimal(0)}:
            return None
        if field.kind in ("dropped", "doubled"):
            return self._counted_otherwise(field, object_id, before, place)
        value, (new, by) = _at(before, place), self._changed(field, before, place, chance)
        if new is None:
            return None
        after = copy.deepcopy(before)
        _at(after, place[:-1])[place[-1]] = new
        worth = self._worth(field, before, place)
        match field.kind:
            case "currency":
                amounts = worth | self._worth(field, after, place)
            case "reference" | "date" | "status":
                amounts = worth | {Decimal(0)}
            case "quantity":
                amounts = frozenset({Decimal(1), Decimal(0)})
            case _:
                amounts = frozenset() if by is None else frozenset({by})
        whole = (value, new) if field.kind == "reference" else None
        told = f"{'.'.join(map(str, place))} {value} -> {new}"
        return self._told(field, object_id, (before, after), place, amounts, told, payload=after, whole=whole)

    def _counted_otherwise(self, field: Field, object_id: str, before: Object, place: Place) -> Mutation:
        """The object, or a part of it, is not there, or is there twice."""
        amounts, told = self._worth(field, before, place), ".".join(map(str, place))
        if field.path:
            after = copy.deepcopy(before)
            parts = _at(after, place[:-1])
            if field.kind == "dropped":
                parts.pop(place[-1])
            else:
                part = copy.deepcopy(parts[place[-1]])
                parts.append({**part, **{key: _other_id(value) for key, value in part.items() if key == "id"}})
            return self._told(field, object_id, (before, after), place, amounts, told, payload=after)
        if field.kind == "dropped":
            return self._told(field, object_id, (before,), place, amounts, told)
        twin = self._twin(field.stream, object_id, before)
        return self._told(field, object_id, (before, twin[1]), place, amounts, told, twin=twin)

    def _told(
        self,
        field: Field,
        object_id: str,
        versions: Sequence[Object],
        place: Place,
        amounts: frozenset[Decimal],
        told: str,
        *,
        payload: Object | None = None,
        twin: tuple[str, Object] | None = None,
        whole: tuple[str, str] | None = None,
    ) -> Mutation:
        names = {name for each in versions for name in self._names(field, object_id, each, place)}
        names |= {twin[0]} if twin else set()
        # What is worth nothing but for the change itself says nothing of the amount.
        wanted = amounts if amounts - {Decimal(0)} else None
        return Mutation(field, object_id, payload, twin, whole, frozenset(names), wanted, told)

    def _changed(
        self, field: Field, payload: Object, place: Place, chance: random.Random
    ) -> tuple[Any, Decimal | None]:
        """The new value and, where it has one, the amount by which it differs."""
        value, sign = _at(payload, place), chance.choice((-1, 1))
        match field.kind:
            case "minor":
                return _like(value, Decimal(value) + sign), self._unit(payload, place)
            case "major":
                unit = self._unit(payload, place) or Decimal(1).scaleb(int(Decimal(str(value)).as_tuple().exponent))
                return _like(value, Decimal(str(value)) + sign * unit), unit
            case "quantity":
                return _like(value, Decimal(str(value)) + sign), Decimal(1)
            case "rate":
                digits = Decimal(str(value)).normalize().as_tuple().exponent
                return _like(value, Decimal(str(value)) + Decimal(1).scaleb(min(int(digits), 0))), None
            case "percent":
                return _like(value, (Decimal(str(value)) * Decimal("1.01")).normalize()), None
            case "class":
                return chance.choice([other for other in field.values if other != value]), None
            case "since" | "until":
                return _shifted(value, _YEAR if field.kind == "since" else -_YEAR), None
            case "currency":
                others = [code for code in ("EUR", "JPY", "USD") if code != value.upper()]
                new = chance.choice(others)
                return new.lower() if value.islower() else new, None
            case "date" | "span":
                return _shifted(value, sign * _MONTH), None
            case "status":
                return chance.choice([other for other in field.values if other != value]), None
        others = sorted(
            {_at(self._objects[field.stream][other], where) for other, where in self._places[field]} - {value}
        )
        return (chance.choice(others), None) if others else (None, None)

    def _own_worth(self, field: Field, payload: Object, place: Place) -> frozenset[Decimal]:
        """Of the innermost part that the place is in, and of the object where it is in none."""
        for length in range(len(place), -1, -1):
            if found := self._worth(field, payload, place, range(length, length + 1)):
                return found
        return frozenset()

    def _worth(self, field: Field, payload: Object, place: Place, depths: range | None = None) -> frozenset[Decimal]:
        listed, found = self._lists[field.stream], set()
        for length in depths or range(len(place) + 1):
            paths = (
                listed.get("worth", ())
                if length == 0
                else listed.get("parts", {}).get(_pattern(place[:length]), {}).get("worth", ())
            )
            for path in paths:
                value = path if isinstance(path, int) else _lookup(_at(payload, place[:length]), path)
                if value is not None:
                    is_minor = field.stream.startswith("stripe.")
                    unit = (self._unit(payload, place) or Decimal("0.01")) if is_minor else Decimal(1)
                    found.add(abs(Decimal(str(value)) * unit))
        return frozenset(found)

    def _unit(self, payload: Object, place: Place) -> Decimal | None:
        for length in range(len(place), -1, -1):
            whole = _at(payload, place[:length])
            if isinstance(whole, dict) and isinstance(whole.get("currency"), str):
                return self._units.get(whole["currency"].upper())
        return None

    def _names(self, field: Field, object_id: str, payload: Object, place: Place) -> Iterator[str]:
        yield object_id
        for length in range(len(place) + 1):
            try:
                part = _at(payload, place[:length])
            except (IndexError, KeyError):
                break
            if isinstance(part, dict) and isinstance(part.get("id"), str):
                yield part["id"]
        known = {**payload, "parent": object_id.rpartition("/")[0] or None}
        for template in self._lists[field.stream].get("called", ()):
            try:
                yield _TEMPLATE.sub(lambda found: _told(_lookup(known, found[1]), found[2]), template)
            except (TypeError, ValueError):
                continue

    def _twin(self, name: str, object_id: str, payload: Object) -> tuple[str, Object]:
        key, twin = self._lists[name].get("key", _STREAM[name].key), copy.deepcopy(payload)
        if name == "stripe.payout_transactions":
            # A transaction has one id; what is there twice is its place in a payout's list.
            payout = object_id.split("/")[0]
            other = next(o.split("/")[0] for o in sorted(self._objects[name]) if o.split("/")[0] != payout)
            return f"{other}/{payload['id']}", twin
        twin[key] = _other_id(payload[key])
        for path in self._lists[name].get("parts", {}):
            for part in _lookup(twin, path.removesuffix("[]")) or ():
                part |= {key: _other_id(value) for key, value in part.items() if key == "id"}
        return object_id.replace(payload[key], twin[key]), twin


def _landed(stream: Stream, connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, Object]]:
    table = ".".join(stream.asset_key)
    if stream.is_typed:
        rows = connection.execute(f"select * from {table} order by {stream.key}")
        names = [column[0] for column in rows.description or ()]
        for values in rows.fetchall():
            row = {name: value for name, value in zip(names, values, strict=True) if name not in _ENVELOPE}
            yield str(row[stream.key]), row
    else:
        for object_id, payload in connection.execute(
            f"select object_id, payload from {table} order by object_id"
        ).fetchall():
            yield object_id, json.loads(payload)


def _envelope(object_id: str, payload: Object) -> Object:
    text = json.dumps(payload, separators=(",", ":"), ensure_ascii=False)
    return {"object_id": object_id, "payload": text, "payload_hash": md5(text.encode()).hexdigest()}


def _places(value: Any, place: Place = ()) -> Iterator[Place]:
    """Of the object, of every object inside it, and of every value that is not null."""
    match value:
        case dict():
            yield place
            for key, inner in value.items():
                yield from _places(inner, (*place, key))
        case list():
            for number, inner in enumerate(value):
                yield from _places(inner, (*place, number))
        case None:
            return
        case _:
            yield place


def _pattern(place: Place) -> str:
    return "".join("[]" if isinstance(step, int) else f".{step}" for step in place).removeprefix(".")


def _at(value: Any, place: Place) -> Any:
    for step in place:
        value = value[step]
    return value


def _lookup(value: Any, path: str) -> Any:
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _counts(value: Object, counts: Mapping[str, Any]) -> bool:
    for path, values in counts.items():
        if (
            (_lookup(value, path) in values["not"])
            if isinstance(values, dict)
            else (_lookup(value, path) not in values)
        ):
            return False
    return True


def _found(patterns: Mapping[str, Any], path: str) -> Any:
    return patterns.get(path) or next(
        (kind for pattern, kind in patterns.items() if fnmatchcase(path, _literal(pattern))), None
    )


def _is_listed(listed: Mapping[str, Any], path: str) -> bool:
    """On the list without money; a field that money names as it is stays there, whatever pattern of the other list it fits."""
    if path in listed.get("money", {}):
        return False
    return any(
        fnmatchcase(path, _literal(pattern))
        for reviewed in listed.get("no_money", ())
        for pattern in reviewed["fields"]
    )


def _literal(pattern: str) -> str:
    return pattern.replace("[]", "[[]]")


def _like(old: Any, new: Decimal) -> Any:
    return str(new) if isinstance(old, str) else type(old)(new)


def _other_id(object_id: str) -> str:
    """As long and as unlikely: the last letters in another order, and never the old one."""
    return f"{object_id[:-1]}{'Y' if object_id.endswith('X') else 'X'}"


def _shifted(value: Any, by: timedelta) -> Any:
    match value:
        case int():
            return value + int(by.total_seconds())
        case datetime() | date():
            return value + by
    if len(value) == len("2026-01-01"):
        return (date.fromisoformat(value) + by).isoformat()
    return (datetime.fromisoformat(value) + by).isoformat()


def _told(value: Any, form: str | None) -> str:
    if value is None:
        raise TypeError
    if form is None:
        return str(value)
    if form == "upper":
        return str(value).upper()
    instant = datetime.fromtimestamp(value, UTC) if isinstance(value, int) else value
    if isinstance(instant, str):
        instant = datetime.fromisoformat(instant)
    return str(instant.astimezone(UTC).strftime(form))
