"""A built warehouse, opened to be read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeAlias

import duckdb


class Tables(Protocol):
    """A warehouse that gives its tables one by one. As text it is its name."""

    def copy(self, names: Iterable[str], into: duckdb.DuckDBPyConnection) -> list[str]:
        """Copy tables, called like `schema.table`, into a DuckDB database, and say which of them are not there."""

    def payload(self, batch_id: str, payload_hash: str) -> str:
        """What a batch brought, by the hash of its text."""


Warehouse: TypeAlias = Path | Tables
"""A DuckDB file, or another warehouse, of which what is asked for is copied into one in memory first."""


class ReportUnavailable(ValueError):
    """There is nothing to report from; the sentence says what is missing and what to do."""


@contextmanager
def opened(warehouse: Warehouse, marts: Sequence[str]) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse, read only, that has these marts. Raises ReportUnavailable."""
    if not isinstance(warehouse, Path):
        with duckdb.connect() as connection:
            connection.execute("set TimeZone = 'UTC'")
            if missing := warehouse.copy(marts, connection):
                raise ReportUnavailable(f"{warehouse} has no {', '.join(missing)} yet: the job has not built the marts")
            yield connection
        return
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
        tables = connection.execute("select table_schema || '.' || table_name from information_schema.tables")
        present = {name for (name,) in tables.fetchall()}
        if missing := [mart for mart in marts if mart not in present]:
            raise ReportUnavailable(f"{warehouse} has no {', '.join(missing)} yet: the job has not built the marts")
        yield connection


def require_month(month: str) -> None:
    """Raises ReportUnavailable when `month` is not written like 2026-08."""
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", month):
        raise ReportUnavailable(f"a month is written like 2026-08; {month!r} is not one")


def exponents_of(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """The decimals of each currency (ISO 4217)."""
    return dict(connection.execute("select currency, exponent from seeds.currencies").fetchall())
