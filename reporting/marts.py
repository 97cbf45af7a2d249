"""A built warehouse, opened to be read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

import duckdb

if TYPE_CHECKING:
    import pyarrow as pa


_MEMORY = "128MB"
_BATCH = 2_048


class Tables(Protocol):
    """A warehouse that gives its tables one by one. As text it is its name."""

    def copy(self, names: Iterable[str], into: duckdb.DuckDBPyConnection) -> list[str]:
        """Copy tables, called like `schema.table`, into a DuckDB database, and say which of them are not there."""

    def payload(self, batch_id: str, payload_hash: str) -> str:
        """What a batch brought, by the hash of its text."""


class Streams(Protocol):
    """A warehouse that gives a table's rows as they come. As text it is its name."""

    def names(self, layers: Sequence[str]) -> list[str]:
        """The tables there are in these layers, called like `schema.table`."""

    def rows(self, name: str, condition: str | None) -> pa.RecordBatchReader:
        """The rows of a table, or those that a condition is true of, as they come."""


Warehouse: TypeAlias = Path | Tables
"""A DuckDB file, or another warehouse, of which what is asked for is copied into one in memory first."""


class ReportUnavailable(ValueError):
    """There is nothing to report from; the sentence says what is missing and what to do."""


@contextmanager
def opened(warehouse: Warehouse, marts: Sequence[str]) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse, read only, that has these marts. Raises ReportUnavailable."""
    if isinstance(warehouse, Path):
        with _read_only(warehouse) as connection:
            present = _tables(connection)
            _require(warehouse, [mart for mart in marts if mart not in present])
            yield connection
        return
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        _require(warehouse, warehouse.copy(marts, connection))
        yield connection


def named(warehouse: Path | Streams, layers: Sequence[str]) -> list[str]:
    """The tables there are in these layers, called like `schema.table`. Raises ReportUnavailable."""
    if not isinstance(warehouse, Path):
        return warehouse.names(layers)
    with _read_only(warehouse) as connection:
        return sorted(name for name in _tables(connection) if name.partition(".")[0] in layers)


@contextmanager
def streamed(warehouse: Path | Streams, name: str, condition: str | None) -> Iterator[pa.RecordBatchReader]:
    """The rows of a mart, or those that a condition is true of, as they come: never all of them in memory."""
    if not isinstance(warehouse, Path):
        yield warehouse.rows(name, condition)
        return
    with _read_only(warehouse) as connection:
        connection.execute(f"set memory_limit = '{_MEMORY}'; set enable_progress_bar = false")
        yield connection.sql(f"from {name} where {condition or 'true'}").to_arrow_reader(_BATCH)


@contextmanager
def _read_only(warehouse: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    if not warehouse.is_file():
        raise ReportUnavailable(
            f"there is no warehouse at {warehouse}: run the job first (`tieout run` or `tieout demo`)"
        )
    try:
        connection = duckdb.connect(str(warehouse), read_only=True)
    except duckdb.Error as error:
        raise ReportUnavailable(f"{warehouse} cannot be read now, is a run writing it? DuckDB says: {error}") from error
    with connection:
        connection.execute("set TimeZone = 'UTC'")
        yield connection


def _tables(connection: duckdb.DuckDBPyConnection) -> set[str]:
    tables = connection.execute("select table_schema || '.' || table_name from information_schema.tables")
    return {name for (name,) in tables.fetchall()}


def _require(warehouse: Warehouse, missing: Sequence[str]) -> None:
    if missing:
        raise ReportUnavailable(f"{warehouse} has no {', '.join(missing)} yet: the job has not built the marts")


def require_month(month: str) -> None:
    """Raises ReportUnavailable when `month` is not written like 2026-08."""
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", month):
        raise ReportUnavailable(f"a month is written like 2026-08; {month!r} is not one")


def exponents_of(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """The decimals of each currency (ISO 4217)."""
    return dict(connection.execute("select currency, exponent from seeds.currencies").fetchall())
