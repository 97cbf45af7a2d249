"""The embedded warehouse: one DuckDB file, one writer.

A raw table is a view over the lake's Parquet, restricted to the batches that the ledger has: a batch counts from the moment
its ledger line commits, and payloads are not copied.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb
import pyarrow as pa

from ingestion.lake import Batch, Lake
from ingestion.streams import Stream
from ingestion.warehouses.base import WarehouseError

_LEDGER = """
create schema if not exists ingestion;
create sequence if not exists ingestion.load_order;
create table if not exists ingestion.batches (
    batch_id varchar primary key,
    source varchar not null,
    stream varchar not null,
    cursor_from varchar,
    cursor_to varchar,
    row_count bigint not null,
    byte_count bigint not null,
    content_hash varchar not null,
    api_version varchar not null,
    started_at timestamptz not null,
    finished_at timestamptz not null,
    loaded_at timestamptz not null,
    lake_path varchar not null,
    load_order bigint not null default nextval('ingestion.load_order')
);
"""


class DuckDBWarehouse(AbstractContextManager["DuckDBWarehouse"]):
    """See `Warehouse`. Holds the file open for writing: a second writer is refused with a sentence."""

    def __init__(self, path: Path, lake: Lake) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lake = lake
        try:
            self._connection = duckdb.connect(str(path))
        except duckdb.IOException as error:
            raise WarehouseError(
                f"{path} can't be opened for writing: {_first_line(error)} "
                "DuckDB has one writer at a time; wait for the other run to end, or close the program that has it open."
            ) from error
        self._connection.execute("set TimeZone = 'UTC'")
        self._connection.execute(_LEDGER)
        self._refuse_another_lake(path)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def cursor(self, stream: Stream) -> str | None:
        newest = self._rows(
            "select cursor_to from ingestion.batches where source = ? and stream = ? order by load_order desc limit 1",
            stream.source,
            stream.name,
        )
        return newest[0][0] if newest else None

    def has(self, batch_id: str) -> bool:
        return bool(self._rows("select 1 from ingestion.batches where batch_id = ?", batch_id))

    def load(self, batch: Batch, loaded_at: datetime) -> None:
        if self.has(batch.manifest.batch_id):
            return
        manifest = batch.manifest
        self._connection.execute(
            "insert into ingestion.batches by name select ? as batch_id, ? as source, ? as stream, ? as cursor_from, "
            "? as cursor_to, ? as row_count, ? as byte_count, ? as content_hash, ? as api_version, ? as started_at, "
            "? as finished_at, ? as loaded_at, ? as lake_path",
            [
                manifest.batch_id,
                manifest.source,
                manifest.stream,
                manifest.cursor_from,
                manifest.cursor_to,
                manifest.row_count,
                manifest.byte_count,
                manifest.content_hash,
                manifest.api_version,
                manifest.started_at,
                manifest.finished_at,
                loaded_at,
                batch.path,
            ],
        )

    def ensure(self, stream: Stream, schema: pa.Schema) -> None:
        schema_name, table = stream.asset_key
        self._connection.execute(f"create schema if not exists {schema_name}")
        if self._has_landed(stream):
            rows = f"""
                select * from read_parquet({_literal(self._lake.folder(stream) + "/*.parquet")}, union_by_name = true)
                where batch_id in (
                    select batch_id from ingestion.batches
                    where source = {_literal(stream.source)} and stream = {_literal(stream.name)}
                )"""
        else:
            landed = schema.append(pa.field("batch_id", pa.string())).append(
                pa.field("read_at", pa.timestamp("us", tz="UTC"))
            )
            columns = self._connection.from_arrow(landed.empty_table())
            typed = (f"null::{kind} as {name}" for name, kind in zip(columns.columns, columns.types, strict=True))
            rows = f"select {', '.join(typed)} where false"
        self._connection.execute(f"create or replace view {schema_name}.{table} as {rows}")

    def news(self, stream: Stream, rows: pa.Table) -> pa.Table:
        if not self._has_landed(stream):
            return rows.filter(pa.compute.invert(rows["is_deleted"]))
        return self._select(
            f"""
            with newest as (
                select
                    object_id,
                    arg_max(payload_hash, load_order) as payload_hash,
                    arg_max(is_deleted, load_order) as is_deleted,
                from {".".join(stream.asset_key)}
                inner join ingestion.batches using (batch_id)
                where object_id in (select object_id from candidates)
                group by object_id
            )

            select candidates.*
            from candidates
            left join newest using (object_id)
            where candidates.payload_hash is distinct from newest.payload_hash
                and not (candidates.is_deleted and coalesce(newest.is_deleted, true))
            """,
            rows,
        )

    def live_objects(self, stream: Stream) -> set[str]:
        if not self._has_landed(stream):
            return set()
        live = self._rows(
            f"""
            select object_id
            from {".".join(stream.asset_key)}
            inner join ingestion.batches using (batch_id)
            group by object_id
            having not arg_max(is_deleted, load_order)
            """
        )
        return {object_id for (object_id,) in live}

    def unlanded(self, stream: Stream, rows: pa.Table) -> pa.Table:
        if not self._has_landed(stream):
            return rows
        return self._select(
            f"select * from candidates anti join {'.'.join(stream.asset_key)} using ({stream.key})", rows
        )

    def batch_paths_since(self, stream: Stream, batch_id: str | None) -> Sequence[tuple[str, str]]:
        return self._rows(
            """
            select batch_id, lake_path
            from ingestion.batches
            where source = ? and stream = ?
                and load_order > coalesce((select load_order from ingestion.batches where batch_id = ?), 0)
            order by load_order
            """,
            stream.source,
            stream.name,
            batch_id,
        )

    def _refuse_another_lake(self, path: Path) -> None:
        """Raw tables read the lake in place: with another lake behind the ledger they would quietly lose their rows."""
        strays = self._rows(
            "select 1 from ingestion.batches where not starts_with(lake_path, ?) limit 1", f"{self._lake.root}/"
        )
        if strays:
            self._connection.close()
            raise WarehouseError(
                f"{path} was loaded from another lake than {self._lake.root}: point TIEOUT_LAKE at that one, name another "
                "warehouse file, or make this one again with `tieout rebuild`."
            )

    def _has_landed(self, stream: Stream) -> bool:
        return bool(
            self._rows(
                "select 1 from ingestion.batches where source = ? and stream = ? limit 1", stream.source, stream.name
            )
        )

    def _rows(self, sql: str, *values: str | None) -> list[tuple[Any, ...]]:
        """All rows: DuckDB refuses other work on a connection while a result is half read."""
        rows: list[tuple[Any, ...]] = self._connection.execute(sql, values).fetchall()
        return rows

    def _select(self, sql: str, candidates: pa.Table) -> pa.Table:
        """Rows of `candidates` that the statement keeps, in the order and with the schema they came in."""
        positions = pa.array(range(candidates.num_rows), pa.int64())
        self._connection.register("candidates", candidates.append_column("_position", positions))
        try:
            kept = self._rows(f"select _position from ({sql}) order by _position")
        finally:
            self._connection.unregister("candidates")
        return candidates.take(pa.array([position for (position,) in kept], pa.int64()))


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") + "."
