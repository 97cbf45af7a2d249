"""The rows of one relation from two engines, compared column by column: decimals by their digits, instants by the microsecond,
JSON by what it says. The order of rows is nobody's promise and doesn't count."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tests.referee.googlesql import Table

Row = tuple[Hashable, ...]


@dataclass(frozen=True)
class Difference:
    """`rows` rows are not the same in these columns, for example one; a row that one side has not differs in all of them."""

    columns: tuple[str, ...]
    rows: int
    duckdb: str | None
    googlesql: str | None

    def __str__(self) -> str:
        return f"{self.rows} rows differ in {', '.join(self.columns)}: DuckDB {self.duckdb}, GoogleSQL {self.googlesql}"


def compare(duckdb: Table, googlesql: Table, named_anew: Collection[str] = ()) -> Difference | None:
    """None where both have the same rows. Of columns `named_anew` only which rows share a value is compared, not the value."""
    names = tuple(googlesql.columns)
    left, right = (Counter(_canonical(table, names, googlesql, named_anew)) for table in (duckdb, googlesql))
    only_left, only_right = (
        sorted((one - other).elements(), key=repr) for one, other in ((left, right), (right, left))
    )
    if not only_left and not only_right:
        return None
    if len(only_left) != len(only_right):
        first_left, first_right = (repr(rows[0]) if rows else None for rows in (only_left, only_right))
        return Difference(names, max(len(only_left), len(only_right)), first_left, first_right)
    pairs = list(zip(only_left, only_right, strict=True))
    wrong = [index for index, _ in enumerate(names) if any(one[index] != other[index] for one, other in pairs)]
    for one, other in pairs:
        at = next(index for index in wrong if one[index] != other[index])
        return Difference(tuple(names[index] for index in wrong), len(pairs), repr(one[at]), repr(other[at]))
    return None


def _canonical(table: Table, names: Sequence[str], typed: Table, named_anew: Collection[str]) -> Iterable[Row]:
    order = [list(table.columns).index(name) for name in names]
    kinds = list(typed.columns.values())
    rows = [tuple(_value(row[at], kind) for at, kind in zip(order, kinds, strict=True)) for row in table.rows]
    for name in named_anew:
        rows = _renamed(rows, list(names).index(name))
    return rows


def _renamed(rows: list[Row], at: int) -> list[Row]:
    """Each value of a column replaced by the rest of all the rows that have it: the same on both sides if they share alike."""
    sharing: dict[Hashable, list[str]] = defaultdict(list)
    for row in rows:
        sharing[row[at]].append(repr((*row[:at], *row[at + 1 :])))
    names = {value: value and ("shared by", *sorted(rest)) for value, rest in sharing.items()}
    return [(*row[:at], names[row[at]], *row[at + 1 :]) for row in rows]


def _value(value: Any, kind: str) -> Hashable:
    """With its type, for Python takes 1, 1.0 and true for the same."""
    if value is None:
        return None
    if kind == "JSON":
        return ("JSON", _json(json.loads(value, parse_float=Decimal)))
    if isinstance(value, Decimal):
        return ("decimal", str(value.normalize() + 0) if value else "0")
    if isinstance(value, datetime):
        return (
            "instant",
            value.replace(tzinfo=UTC).isoformat() if value.tzinfo is None else value.astimezone(UTC).isoformat(),
        )
    return (type(value).__name__, value if isinstance(value, Hashable) else repr(value))


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=lambda number: f"{number:f}")
