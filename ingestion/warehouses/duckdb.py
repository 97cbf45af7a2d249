"""The embedded warehouse: one DuckDB file, one writer.

A raw table is a view over the lake's Parquet, restricted to the batches that the ledger has: a batch counts from the moment
its ledger line commits, and payloads are not copied.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.lake import Batch, Lake
from ingestion.payload import SCHEMAS, Item
from ingestion.sources.base import Measure, Window, tallied
from ingestion.streams import CERTIFICATES, REJECTED, Stream, stream_named
from ingestion.warehouses.base import WarehouseError

_FEWEST_MEGABYTES = 64

T = TypeVar("T")

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
create table if not exists ingestion.newest_certificates (
    stream varchar not null,
    day date,
    measure varchar not null,
    unit varchar,
    source_value decimal(38, 9) not null,
    landed_value decimal(38, 9) not null,
    certified_from timestamptz,
    certified_through timestamptz not null,
    certified_at timestamptz not null,
    has_landed boolean not null
);
"""


class DuckDBWarehouse(AbstractContextManager["DuckDBWarehouse"]):
    """See `Warehouse`. Holds the file open for writing: a second writer is refused with a sentence."""

    def __init__(self, path: Path, lake: Lake) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lake = lake
        self._indexed: set[Stream] = set()
        try:
            self._connection = duckdb.connect(str(path))
        except duckdb.IOException as error:
            raise WarehouseError(
                f"{path} can't be opened for writing: {_first_line(error)} "
                "DuckDB has one writer at a time; wait for the other run to end, or close the program that has it open."
            ) from error
        self._connection.execute("set TimeZone = 'UTC'")
        self._allow(_FEWEST_MEGABYTES)
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

    def paths(self, stream: Stream) -> set[str]:
        found = self._rows(
            "select lake_path from ingestion.batches where source = ? and stream = ?", stream.source, stream.name
        )
        return {path for (path,) in found}

    def known_batches(self, stream: Stream, moment: datetime) -> Mapping[str, str]:
        return dict(
            self._rows(
                "select batch_id, content_hash from ingestion.batches "
                "where source = ? and stream = ? and finished_at <= ? order by batch_id",
                stream.source,
                stream.name,
                moment,
            )
        )

    def load(self, batches: Iterable[Batch], now: Callable[[], datetime]) -> None:
        for batch in batches:
            if self._rows("select 1 from ingestion.batches where batch_id = ?", batch.manifest.batch_id):
                continue
            commit = partial(self._commit, batch, now())
            try:
                self._sparing(partial(commit, "insert"))
            except duckdb.ConstraintException:
                # Slower, so not where everything is new; and to look first goes through the whole index.
                self._sparing(partial(commit, "insert or replace"))

    def _commit(self, batch: Batch, loaded_at: datetime, insert: str) -> None:
        """Rows and ledger line, in one transaction; `insert` brings objects into the index of newest versions."""
        manifest = batch.manifest
        with self._transaction():
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
            if manifest.row_count:
                self._index(stream_named(f"{manifest.source}.{manifest.stream}"), batch.path, insert)

    def ensure(self, stream: Stream, schema: pa.Schema) -> None:
        schema_name, table = stream.asset_key
        views = self._rows("select sql from duckdb_views() where schema_name = ? and view_name = ?", schema_name, table)
        has_landed = bool(self.paths(stream))
        # Making the view again opens every file of the lake, so it is made again only when it would come out different.
        is_current = bool(views) and ("read_parquet" in views[0][0]) == has_landed
        if is_current and set(schema.names) <= self._columns(schema_name, table).keys():
            return
        self._connection.execute(f"create schema if not exists {schema_name}")
        if has_landed:
            rows = f"""
                select * from read_parquet({_literal(self._lake.folder(stream) + "/*.parquet")}, union_by_name = true)
                where batch_id in (
                    select batch_id from ingestion.batches
                    where source = {_literal(stream.source)} and stream = {_literal(stream.name)}
                )"""
        else:
            typed = schema.append(pa.field("batch_id", pa.string())).append(
                pa.field("read_at", pa.timestamp("us", tz="UTC"))
            )
            columns = self._connection.from_arrow(typed.empty_table())
            nulls = (f"null::{kind} as {name}" for name, kind in zip(columns.columns, columns.types, strict=True))
            rows = f"select {', '.join(nulls)} where false"
        self._connection.execute(f"create or replace view {schema_name}.{table} as {rows}")

    def news(self, stream: Stream, rows: pa.Table) -> pa.Table:
        if not rows.num_rows:
            return rows
        # Of a first reading nothing is known: that is told by the ids alone, in half the time.
        if not self._select(f"from candidates semi join {self._index_of(stream)} using (object_id)", rows).num_rows:
            return rows.filter(pc.invert(rows["is_deleted"])) if pc.any(rows["is_deleted"]).as_py() else rows
        return self._select(
            f"""
            select candidates.*
            from candidates
            left join {self._index_of(stream)} as newest using (object_id)
            where candidates.payload_hash is distinct from newest.payload_hash
                and not (candidates.is_deleted and coalesce(newest.is_deleted, true))
            """,
            rows,
        )

    def live_objects(self, stream: Stream) -> set[str]:
        live = self._rows(f"select object_id from {self._index_of(stream)} where not is_deleted")
        return {object_id for (object_id,) in live}

    def open_objects(self, stream: Stream) -> set[str]:
        found = self._rows(
            f"""
            select object_id
            from {self._index_of(stream)}
            where not is_deleted and not list_contains(?::varchar[], coalesce(status, ''))
            """,
            list(stream.final),
        )
        return {object_id for (object_id,) in found}

    def live_children(self, stream: Stream, parents: Collection[str]) -> Mapping[str, set[str]]:
        found = self._rows(
            f"""
            select parent_id, list(object_id)
            from {self._index_of(stream)}
            where list_contains(?::varchar[], parent_id) and not is_deleted
            group by parent_id
            """,
            list(parents),
        )
        return {parent: set(children) for parent, children in found}

    def settled_sequence(self, stream: Stream) -> Mapping[tuple[str, str], int]:
        found = self._rows(
            f"""
            select
                parent_id,
                unit,
                coalesce(
                    min(sequence) filter (not list_contains(?::varchar[], coalesce(status, ''))) - 1, max(sequence)
                )
            from {self._index_of(stream)}
            where not is_deleted and sequence is not null
            group by parent_id, unit
            """,
            list(stream.final),
        )
        return {(parent_id, unit): number for parent_id, unit, number in found}

    def unlanded(self, stream: Stream, rows: pa.Table) -> pa.Table:
        if not self.paths(stream):
            return rows
        same = " and ".join(f"newest.{name} is not distinct from candidates.{name}" for name in rows.schema.names)
        return self._select(
            f"""
            select *
            from candidates
            anti join (
                select landed.*
                from {".".join(stream.asset_key)} as landed
                inner join ingestion.batches using (batch_id)
                semi join candidates using ({stream.key})
                qualify row_number() over (partition by {stream.key} order by load_order desc) = 1
            ) as newest on {same}
            """,
            rows,
        )

    def asked(self, stream: Stream) -> Sequence[tuple[str, datetime]]:
        assert stream.asked_by is not None
        found = f"select object_id, created_at from {self._index_of(stream)} where not is_deleted"
        if self._columns(*stream.asked_by.split(".")):
            found += f" union all select event_id, occurred_at from {stream.asked_by}"
        return self._rows(f"select object_id, min(created_at) from ({found}) group by object_id order by all")

    def sightings(self, stream: Stream) -> tuple[datetime, Sequence[tuple[str, str]]]:
        ((known_at,),) = self._rows("select known_at from intermediate.int_core__known_at")
        return known_at.replace(tzinfo=UTC), self._rows(
            f"select break_id, sighting from {stream.asked_by} order by break_id"
        )

    def tally(self, stream: Stream, window: Window) -> Mapping[Measure, Decimal]:
        if not stream.is_typed:
            return tallied(stream, self.roster(stream, window))
        # DuckDB would take most of the machine's memory before it uses its disk; it needs 125 MB a thread.
        ((threads,),) = self._rows("select current_setting('threads')")
        self._allow(max(self._megabytes, 128 * threads))
        columns = self._columns(*stream.asset_key)
        sums = [name for name, kind in columns.items() if kind == "BIGINT" or kind.startswith("DECIMAL")]
        totals: dict[Measure, Decimal] = {}
        for day, objects, *values in self._rows(
            f"""
            select
                cast({stream.created} as date),
                count(*),
                {"".join(f"sum({name})::decimal(38, 9)," for name in sums)}
            from ({self._newest_typed(stream)})
            group by all
            """,
            named={"since": window.since, "until": window.until},
        ):
            totals[Measure(day, "objects")] = Decimal(objects)
            totals |= {Measure(day, name): value for name, value in zip(sums, values, strict=True) if value is not None}
        return totals

    def roster(self, stream: Stream, window: Window) -> Iterator[Item]:
        if stream.is_typed:
            rows = self._rows(
                f"""
                select distinct {stream.key}, {stream.created}, null, null
                from {".".join(stream.asset_key)}
                where {stream.created} < $until and {stream.created} >= coalesce($since, '-infinity'::timestamptz)
                """,
                named={"since": window.since, "until": window.until},
            )
        else:
            rows = self._rows(
                f"""
                select object_id, created_at, amount, unit
                from {self._index_of(stream)}
                where not is_deleted
                    and (created_at is null
                        or (created_at < $until and created_at >= coalesce($since, '-infinity'::timestamptz)))
                """,
                named={"since": window.since, "until": window.until},
            )
        return (Item(*row) for row in rows)

    def certify(self, rows: pa.Table) -> None:
        self._connection.register("certificates", rows)
        with self._transaction():
            self._certify("(select *, false as has_landed from certificates)")
        self._connection.unregister("certificates")

    def unlanded_certificates(self) -> pa.Table:
        schema = SCHEMAS[CERTIFICATES]
        found = self._rows(f"select {', '.join(schema.names)} from ingestion.newest_certificates where not has_landed")
        return pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in found], schema=schema)

    def certified_through(self, stream: Stream) -> datetime | None:
        ((through,),) = self._rows(
            """
            select
                case
                    when bool_or(source_value <> landed_value and day is null) then null
                    else coalesce(
                        min(day) filter (where source_value <> landed_value)::timestamptz, max(certified_through)
                    )
                end
            from ingestion.newest_certificates
            where stream = ?
            """,
            str(stream),
        )
        return through if isinstance(through, datetime) else None

    def differing(self, stream: Stream) -> Mapping[Measure, tuple[Decimal, Decimal]]:
        found = self._rows(
            """
            select day, measure, unit, source_value, landed_value
            from ingestion.newest_certificates
            where stream = ? and source_value <> landed_value
            """,
            str(stream),
        )
        return {Measure(day, name, unit): (said, landed) for day, name, unit, said, landed in found}

    def _index(self, stream: Stream, path: str, insert: str) -> None:
        """Bring the index of newest versions up to what a batch's file says."""
        file = f"read_parquet({_literal(path)})"
        if stream == CERTIFICATES:
            self._certify(f"(select * exclude (batch_id, read_at), true as has_landed from {file})")
        if stream.is_typed:
            return
        parent_id = status = sequence = created = amount = unit = "null"
        if stream != REJECTED:
            names = (
                stream.created or "no created",
                stream.amount or "no amount",
                stream.currency or "no currency",
                stream.status,
                stream.sequence or "no sequence",
            )
            paths = ", ".join(_literal(f"$.{name}" if " " not in name else f'$."{name}"') for name in names)
            created, amount, unit, status, sequence = (f"list_extract(found, {n})" for n in range(1, 6))
            parent_id = "parent_id"
            file = f"(select *, json_extract_string(payload, [{paths}]) as found from {file})"
        self._connection.execute(
            f"""
            {insert} into {self._index_of(stream)}
            select
                object_id,
                payload_hash,
                is_deleted,
                {parent_id},
                {status},
                try_cast({sequence} as bigint),
                coalesce(
                    to_timestamp(try_cast({created} as bigint)),
                    try_cast({created} as timestamptz)
                ),
                try_cast({amount} as decimal(38, 9)),
                {unit}
            from {file}
            """
        )

    def _certify(self, rows: str) -> None:
        """A day is certified as a whole. A batch that a crash made late does not replace what was certified since."""
        same_day = "newest.stream = again.stream and newest.day is not distinct from again.day"
        self._connection.execute(
            f"""
            delete from ingestion.newest_certificates as newest
            using (select distinct stream, day, certified_at from {rows}) as again
            where {same_day} and newest.certified_at <= again.certified_at
            """
        )
        self._connection.execute(
            f"""
            insert into ingestion.newest_certificates by name
            select again.* from {rows} as again anti join ingestion.newest_certificates as newest on {same_day}
            """
        )

    def _index_of(self, stream: Stream) -> str:
        """The stream's index of newest versions; made, empty, where there is none."""
        name = f"ingestion.newest_{stream.source}__{stream.name}"
        if stream not in self._indexed:
            self._connection.execute(
                f"""
                create table if not exists {name} (
                    object_id varchar primary key,
                    payload_hash varchar not null,
                    is_deleted boolean not null,
                    parent_id varchar,
                    status varchar,
                    sequence bigint,
                    created_at timestamptz,
                    amount decimal(38, 9),
                    unit varchar
                )
                """
            )
            self._indexed.add(stream)
        return name

    def _newest_typed(self, stream: Stream) -> str:
        """Statement of the newest version of each row of a typed table created from $since to before $until: a row that was
        updated has landed more than once.

        A run reads one moment, in which no key stands twice, so that a row of the first run is looked for in the others only:
        ranking the rows would hold all of them in memory.
        """
        landed = f"""
            select *
            from {".".join(stream.asset_key)}
            inner join (
                select batch_id, started_at, min(started_at) over () as first_started_at
                from ingestion.batches
                where source = {_literal(stream.source)} and stream = {_literal(stream.name)}
            ) using (batch_id)
            where {stream.created} < $until and {stream.created} >= coalesce($since, '-infinity'::timestamptz)
        """
        return f"""
            select *
            from ({landed}) as landed
            where not exists (
                select 1
                from ({landed}) as later
                where later.{stream.key} = landed.{stream.key}
                    and later.started_at > landed.started_at
                    and later.started_at > later.first_started_at
            )
        """

    def _columns(self, schema: str, table: str) -> dict[str, str]:
        return dict(
            self._rows(
                "select column_name, data_type from duckdb_columns() where schema_name = ? and table_name = ?",
                schema,
                table,
            )
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.begin()
        try:
            yield
        except BaseException:
            self._connection.rollback()
            # An index that was made in it is gone.
            self._indexed.clear()
            raise
        self._connection.commit()

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

    def _rows(self, sql: str, *values: object, named: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]:
        """All rows: DuckDB refuses other work on a connection while a result is half read."""
        return self._sparing(lambda: self._connection.execute(sql, named or values).fetchall())

    def _sparing(self, work: Callable[[], T]) -> T:
        """What `work` returns. DuckDB keeps what it has read of its file for as long as there is room: it gets no more than work
        needs, or the index of all objects would come to be in memory."""
        while True:
            try:
                return work()
            except duckdb.OutOfMemoryException:
                self._allow(2 * self._megabytes)

    def _allow(self, megabytes: int) -> None:
        self._megabytes = megabytes
        self._connection.execute(f"set memory_limit = '{megabytes}MB'")

    def _select(self, sql: str, candidates: pa.Table) -> pa.Table:
        """Rows of `candidates` that the statement keeps, in the order and with the schema they came in."""
        positions = pa.array(range(candidates.num_rows), pa.int64())
        self._connection.register("candidates", candidates.append_column("_position", positions))
        try:
            kept = self._rows(f"select _position from ({sql}) order by _position")
        finally:
            self._connection.unregister("candidates")
        if len(kept) == candidates.num_rows:
            return candidates
        # To take none would make one piece of all the pieces first.
        return (
            candidates.take(pa.array([position for (position,) in kept], pa.int64()))
            if kept
            else candidates.slice(0, 0)
        )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") + "."
