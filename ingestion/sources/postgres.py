"""The product's PostgreSQL, through psycopg.

`snapshot` reads a small table whole, as JSON rows. `horizon` streams a big one with `COPY … csv` to typed Arrow tables: a serial
id or timestamp cursor loses rows whose transaction commits late, so a run reads the rows of the transactions that ended
between two xmin horizons (https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-SNAPSHOT): below the
horizon no transaction is open, so nothing can appear there later; an updated row has a new xmin and is read again.
A run reads block range by block range, and each batch says in its cursor how far it came: `<system identifier>:<xid>` after a
window, `<system identifier>:<xid>:<horizon>:<file>:<block>` in the middle of one. A crash there goes on at that block with the
same horizon: what has landed does not land twice. Another cluster behind the same address (a restore, a failover to a copy), or a
table that was rewritten in the middle of a window, is read whole, and rows that have landed as they are now are left out.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.csv as pacsv
from psycopg import sql

from ingestion.payload import Item, Page, Rejected, Row, SourceError, SourceRefused, head
from ingestion.settings import Secret, Settings
from ingestion.sources.base import Landed, Measure, Window, tallied
from ingestion.streams import Stream

# A scan that joins another one in the middle of the table would cut other batches when a read is repeated.
_OPTIONS = "-c TimeZone=UTC -c synchronize_seqscans=off"
_ROWS_A_PAGE = 1_000
_ROWS_A_BATCH = 250_000

_COLUMNS = """
select attname, format_type(atttypid, atttypmod)
from pg_attribute
where attrelid = %s::regclass and attnum > 0 and not attisdropped
order by attnum
"""

# How many transactions before the next one a row was written: a row's xmin has 32 bits and wraps.
_AGE = "(age(xmin)::bigint & 4294967295)"
_BLOCKS_A_BATCH = 8192

_SNAPSHOT = """
select
    (select system_identifier::text from pg_control_system()),
    pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
    pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
    pg_snapshot_xmax(pg_current_snapshot())::text::bigint + age(pg_snapshot_xmax(pg_current_snapshot())::xid)
"""

# A partitioned table has no rows of its own; a plain one is its own leaf.
_LEAVES = """
select oid::regclass::text, pg_relation_filenode(oid), pg_relation_size(oid) / current_setting('block_size')::bigint
from pg_class
where relkind = 'r' and oid in (select relid from pg_partition_tree(%(name)s) union select %(name)s::regclass)
order by 2
"""

_KEYED = """
select exists (
    select 1
    from pg_index
    inner join pg_attribute on attrelid = indrelid and attnum = any(indkey)
    where indrelid = %s::regclass and indisunique and attname = %s
)
"""


@dataclass(frozen=True)
class _Place:
    """How far a table has been read: all of the transactions below `since`, and, in the middle of a window that ends at
    `horizon`, the blocks of the files up to this one."""

    cluster: str | None
    since: int
    horizon: int = 0
    file: int | None = None
    block: int = 0

    @staticmethod
    def of(cursor: str | None) -> _Place:
        cluster, *numbers = (cursor or "").split(":")
        return _Place(cluster or None, *map(int, numbers or ["0"]))


@dataclass(frozen=True)
class PostgresSource:
    """See `Source`. `landed` says which rows have landed, for when the cursor has lost its meaning."""

    url: Secret
    landed: Landed
    api_version: str = "postgresql"

    @staticmethod
    def connect(settings: Settings, landed: Landed, now: Callable[[], datetime]) -> PostgresSource:
        settings.require(["app"])
        assert settings.app_database_url is not None
        return PostgresSource(settings.app_database_url, landed)

    def read(self, stream: Stream, cursor: str | None) -> Iterator[Page]:
        with self._connected(stream) as connection:
            yield from (
                self._snapshot(stream, connection)
                if stream.reads == "snapshot"
                else self._horizon(stream, connection, cursor)
            )

    @contextmanager
    def _connected(self, stream: Stream) -> Iterator[psycopg.Connection]:
        """A connection that sees one moment and changes nothing."""
        try:
            with psycopg.connect(self.url.reveal(), options=_OPTIONS) as connection:
                connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                connection.read_only = True
                yield connection
        except psycopg.OperationalError as error:
            raise SourceError(
                f"{stream}: PostgreSQL can't be reached or broke off ({_first_line(error)}): check APP_DATABASE_URL and "
                "that the server runs; run again."
            ) from error
        except psycopg.errors.InsufficientPrivilege as error:
            raise SourceRefused(
                f"{stream}: {_first_line(error)}: grant select on table {stream.endpoint} to the reading role."
            ) from error
        except psycopg.errors.UndefinedTable as error:
            raise SourceRefused(
                f"{stream}: {_first_line(error)}: create it, or correct the stream in ingestion/streams.py."
            ) from error

    def _snapshot(self, stream: Stream, connection: psycopg.Connection) -> Iterator[Page]:
        statement = sql.SQL("select {key}::text, row_to_json(t)::text from {table} as t order by {key}").format(
            key=sql.Identifier(stream.key), table=_table(stream)
        )
        with connection.cursor(name="snapshot") as rows:
            rows.execute(statement)
            while page := rows.fetchmany(_ROWS_A_PAGE):
                yield Page([Row(key, payload.encode(), "sweep") for key, payload in page])
        yield Page(is_complete_listing=True)

    def _horizon(self, stream: Stream, connection: psycopg.Connection, cursor: str | None) -> Iterator[Page]:
        leaves = self._leaves(stream, connection)
        found = connection.execute(_SNAPSHOT).fetchone()
        assert found is not None
        cluster, horizon, next_xid, base = found
        place = _Place.of(cursor)
        is_known = place.cluster == cluster and (place.file is None or place.file in {file for _, file, _ in leaves})
        if not is_known:
            place = _Place(cluster, 0)
        windows = [(place, place.horizon)] if place.horizon else []
        windows.append((_Place(cluster, place.horizon or place.since), horizon))
        schema = self._schema(stream, connection)
        yield Page(table=schema.empty_table())
        for start, end in windows:
            has_rows = start.file is not None
            for leaf, file, blocks in leaves:
                if start.file is not None and file < start.file:
                    continue
                for block in range(start.block if file == start.file else 0, blocks, _BLOCKS_A_BATCH):
                    statement = sql.SQL(
                        "copy (select {columns} from {leaf} where ctid >= {first} and ctid < {last} {written}) "
                        "to stdout with (format csv)"
                    ).format(
                        columns=sql.SQL(", ").join(map(sql.Identifier, schema.names)),
                        leaf=sql.SQL(leaf),
                        first=sql.Literal(f"({block},0)"),
                        last=sql.Literal(f"({block + _BLOCKS_A_BATCH},0)"),
                        written=_written(start.since, end, next_xid, base),
                    )
                    with connection.cursor() as work, work.copy(statement) as copied:
                        tables = list(_tables(stream, schema, _CopyBytes(copied)))
                    if tables:
                        table = pa.concat_tables(tables)
                        has_rows = True
                        yield Page(
                            table=table if is_known or cursor is None else self.landed.unlanded(stream, table),
                            cursor=f"{cluster}:{start.since}:{end}:{file}:{block + _BLOCKS_A_BATCH}",
                        )
            yield Page(table=schema.empty_table(), cursor=f"{cluster}:{end}", is_checkpoint=has_rows)

    def _leaves(self, stream: Stream, connection: psycopg.Connection) -> list[tuple[str, int, int]]:
        """(name, file, blocks) of each table that holds rows. Refuses what has no place to go on from."""
        (is_keyed,) = connection.execute(_KEYED, [stream.endpoint, stream.key]).fetchone() or (False,)
        leaves = connection.execute(_LEAVES, {"name": stream.endpoint}).fetchall()
        if leaves and is_keyed:
            return [(str(name), int(file), int(blocks)) for name, file, blocks in leaves]
        raise SourceRefused(
            f"{stream}: {stream.endpoint} can't be read incrementally: "
            + (f"{stream.key} has no unique index" if leaves else "it is no table with rows of its own")
            + "; name the table beneath it, give the column a primary key, or make it a `snapshot` in ingestion/streams.py."
        )

    def tally(self, stream: Stream, window: Window) -> Mapping[Measure, Decimal]:
        if not stream.is_typed:
            return tallied(stream, self.roster(stream, window))
        with self._connected(stream) as connection:
            schema = self._schema(stream, connection)
            sums = [
                field.name for field in schema if pa.types.is_integer(field.type) or pa.types.is_decimal(field.type)
            ]
            columns = sql.SQL("").join(sql.SQL(", sum({})").format(sql.Identifier(name)) for name in sums)
            totals: dict[Measure, Decimal] = {}
            for day, objects, *values in self._counted(
                stream,
                window,
                connection,
                sql.SQL("select {created}::date, count(*) {sums}").format(created=_created(stream), sums=columns),
                "group by 1",
            ):
                totals[Measure(day, "objects")] = Decimal(objects)
                totals |= {
                    Measure(day, name): value
                    for name, value in zip(sums, map(_decimal, values), strict=True)
                    if value is not None
                }
            return totals

    def roster(self, stream: Stream, window: Window) -> Iterator[Item]:
        with self._connected(stream) as connection:
            if stream.is_typed:
                wanted = sql.SQL("select {key}::text, {created}").format(
                    key=sql.Identifier(stream.key), created=_created(stream)
                )
                for key, at in self._counted(stream, window, connection, wanted, ""):
                    yield Item(key, at)
                return
            rows = connection.execute(
                sql.SQL("select row_to_json(t)::text from {table} as t").format(table=_table(stream))
            )
            for (payload,) in rows:
                found = head(stream, payload.encode())
                if not isinstance(found, Rejected):
                    yield found.item()

    def probe(self, stream: Stream) -> None:
        with self._connected(stream) as connection:
            connection.execute(sql.SQL("select 1 from {} limit 1").format(_table(stream)))
            if stream.is_typed:
                self._leaves(stream, connection)
                self._schema(stream, connection)

    def _counted(
        self, stream: Stream, window: Window, connection: psycopg.Connection, select: sql.Composed, tail: str
    ) -> list[tuple[Any, ...]]:
        """Rows of the transactions that the cursor has passed, created in the window."""
        found = connection.execute(_SNAPSHOT).fetchone()
        assert found is not None
        cluster, horizon, next_xid, base = found
        place = _Place.of(window.cursor)
        until = min(place.since, horizon) if place.cluster == cluster else horizon
        statement = sql.SQL(
            "{select} from {table} where {created} < {until} and {created} >= {since} {written} {tail}"
        ).format(
            select=select,
            table=_table(stream),
            created=_created(stream),
            until=sql.Literal(window.until),
            since=sql.Literal(window.since or datetime.min.replace(tzinfo=UTC)),
            written=_written(0, until, next_xid, base),
            tail=sql.SQL(tail),
        )
        return connection.execute(statement).fetchall()

    def _schema(self, stream: Stream, connection: psycopg.Connection) -> pa.Schema:
        columns = connection.execute(_COLUMNS, [stream.endpoint]).fetchall()
        return pa.schema([(name, _arrow_type(stream, name, kind)) for name, kind in columns])


class _CopyBytes(io.RawIOBase):
    """The bytes of a running `COPY` as a file, so that no more than one block of the table is in memory."""

    def __init__(self, copied: psycopg.Copy) -> None:
        self._blocks = iter(copied)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = bytes(block)
        count = min(len(view), len(self._rest))
        view[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def _tables(stream: Stream, schema: pa.Schema, source: io.RawIOBase) -> Iterator[pa.Table]:
    """Typed tables of at most `_ROWS_A_BATCH` rows. A value that its type can't hold exactly is an error, never rounded."""
    buffered = io.BufferedReader(source, 1 << 20)
    if not buffered.peek(1):
        return
    pending: list[pa.RecordBatch] = []
    try:
        for batch in pacsv.open_csv(
            buffered,
            read_options=pacsv.ReadOptions(column_names=schema.names, block_size=8 << 20),
            parse_options=pacsv.ParseOptions(newlines_in_values=True),
            convert_options=pacsv.ConvertOptions(
                column_types=schema,
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                true_values=["t"],
                false_values=["f"],
            ),
        ):
            pending.append(batch)
            if sum(part.num_rows for part in pending) >= _ROWS_A_BATCH:
                yield pa.Table.from_batches(pending)
                pending = []
    except pa.ArrowInvalid as error:
        raise SourceRefused(
            f"{stream}: a value of table {stream.endpoint} does not fit its column ({error}); nothing of this read was "
            "landed. Correct the row or the column's type."
        ) from error
    if pending:
        yield pa.Table.from_batches(pending)


_ARROW_TYPES = {
    "text": pa.string(),
    "character varying": pa.string(),
    "character": pa.string(),
    "uuid": pa.string(),
    "jsonb": pa.string(),
    "json": pa.string(),
    "smallint": pa.int64(),
    "integer": pa.int64(),
    "bigint": pa.int64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp with time zone": pa.timestamp("us", tz="UTC"),
}


def _arrow_type(stream: Stream, column: str, kind: str) -> pa.DataType:
    name, _, arguments = kind.partition("(")
    if name == "numeric" and arguments:
        precision, scale = (int(part) for part in arguments.rstrip(")").split(","))
        return pa.decimal128(precision, scale)
    if name in _ARROW_TYPES:
        return _ARROW_TYPES[name]
    raise SourceRefused(
        f"{stream}: column {column} of table {stream.endpoint} has type {kind}, which can't be landed exactly; "
        "declare numeric with precision and scale, or timestamps with time zone."
    )


def _written(since: int, end: int, next_xid: int, base: int) -> sql.Composed:
    """The rows that transactions from `since` to before `end` wrote. Without a lower bound none is too old; where no transaction
    is open every row that can be seen is old enough."""
    bounds = [sql.SQL(f"and {_AGE} > {{}}").format(sql.Literal(base - end))] if end < next_xid else []
    if since:
        bounds.append(sql.SQL(f"and {_AGE} <= {{}}").format(sql.Literal(base - since)))
    return sql.SQL(" ").join(bounds)


def _created(stream: Stream) -> sql.Identifier:
    assert stream.created is not None
    return sql.Identifier(stream.created)


def _decimal(value: Any) -> Decimal | None:
    return None if value is None else Decimal(value)


def _table(stream: Stream) -> sql.Identifier:
    return sql.Identifier(*stream.endpoint.split("."))


def _first_line(error: psycopg.Error) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
