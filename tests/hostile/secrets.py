"""Looks for secrets in everything that a run wrote, whatever form they were written in."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import duckdb
import pyarrow.parquet as pq


def leaks(home: Path, said: str, secrets: Iterable[str]) -> list[str]:
    """Where in the files under `home`, or in what was said, one of the secrets stands; Parquet and DuckDB are read."""
    forms = [form for secret in secrets for form in _forms(secret.encode())]
    places = {"said": said.encode()} | {f"{path.relative_to(home)} {part}": text for path, part, text in _written(home)}
    return [f"{form.decode()} in {place}" for place, text in places.items() for form in forms if form in text]


def _forms(secret: bytes) -> Iterator[bytes]:
    """As it is, in a URL, and in base64 wherever it may begin there, less the ends that depend on its neighbours."""
    yield from dict.fromkeys(
        [secret, quote(secret).encode(), quote(secret, safe="").encode(), quote_plus(secret).encode()]
    )
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(b"\0" * before + secret)[4 if before else 0 : -4]


def _written(home: Path) -> Iterator[tuple[Path, str, bytes]]:
    for path in sorted(path for path in home.rglob("*") if path.is_file()):
        yield path, "bytes", path.read_bytes()
        match path.suffix:
            case ".parquet":
                table = pq.read_table(path)
                yield path, "metadata", repr(table.schema.metadata).encode()
                for name in table.schema.names:
                    yield path, name, repr(table[name].to_pylist()).encode()
            case ".duckdb":
                with duckdb.connect(str(path), read_only=True) as connection:
                    tables = connection.execute(
                        "select table_schema, table_name from information_schema.tables"
                    ).fetchall()
                    for schema, table in tables:
                        rows = connection.execute(f"select * from {schema}.{table}").fetchall()
                        yield path, f"{schema}.{table}", repr(rows).encode()
