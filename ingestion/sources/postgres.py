"""The product's PostgreSQL, through psycopg.

`snapshot` reads a small table whole, as JSON rows. `horizon` streams a big one with `COPY … csv` to typed Arrow tables: a serial
id or timestamp cursor loses rows whose transaction commits late, so a run reads the rows of the transactions that ended
between two xmin horizons (https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-SNAPSHOT): below the
horizon no transaction is open, so nothing can appear there later; an updated row has a new xmin and is read again.
The cursor is `<system identifier>:<xid>`. Another cluster behind the same address (a restore, a failover to a copy) has another
system identifier: the table is then read whole, and rows whose key has landed are left out.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psycopg
import pyarrow as pa
import pyarrow.csv as pacsv
from psycopg import sql

from ingestion.payload import Page, Row, SourceError, SourceRefused, exact
from ingestion.settings import Secret, Settings
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

# A row's xmin has 32 bits; the snapshot's xmax is above every xid that is in use and gives the missing ones.
_XID = """
((select pg_snapshot_xmax(pg_current_snapshot())::text::bigint)
  - mod(mod((select pg_snapshot_xmax(pg_current_snapshot())::text::bigint) - xmin::text::bigint, 4294967296)
        + 4294967296, 4294967296))
"""


@dataclass(frozen=True)
class PostgresSource:
    """See `Source`. `unlanded` keeps the rows of a typed table whose key has not landed yet."""

    url: Secret
    unlanded: Callable[[Stream, pa.Table], pa.Table]
    api_version: str = "postgresql"

    @staticmethod
    def connect(settings: Settings, unlanded: Callable[[Stream, pa.Table], pa.Table]) -> PostgresSource:
        settings.require(["app"])
        assert settings.app_database_url is not None
        return PostgresSource(settings.app_database_url, unlanded)

    def read(self, stream: Stream, cursor: str | None) -> Iterator[Page]:
        try:
            with psycopg.connect(self.url.reveal(), options=_OPTIONS) as connection:
                connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                connection.read_only = True
                yield from (
                    self._snapshot(stream, connection)
                    if stream.reads == "snapshot"
                    else self._horizon(stream, connection, cursor)
                )
        except psycopg.OperationalError as error:
            raise SourceError(
                f"{stream}: PostgreSQL can't be reached or broke off ({_first_line(error)}): check APP_DATABASE_URL and "
                "that the server runs; run again: the cursor has not moved."
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
                yield Page(tuple(Row(key, exact(payload.encode()), "sweep") for key, payload in page))
        yield Page(is_complete_listing=True)

    def _horizon(self, stream: Stream, connection: psycopg.Connection, cursor: str | None) -> Iterator[Page]:
        found = connection.execute(
            "select system_identifier::text, pg_snapshot_xmin(pg_current_snapshot())::text::bigint from pg_control_system()"
        ).fetchone()
        assert found is not None
        cluster, horizon = found
        read_cluster, _, read_to = (cursor or ":0").partition(":")
        is_same_cluster = read_cluster == cluster
        since = int(read_to) if is_same_cluster else 0

        schema = self._schema(stream, connection)
        statement = sql.SQL(
            "copy (select {columns} from {table} where {xid} >= {since} and {xid} < {horizon}) "
            "to stdout with (format csv)"
        ).format(
            columns=sql.SQL(", ").join(map(sql.Identifier, schema.names)),
            table=_table(stream),
            xid=sql.SQL(_XID),
            since=sql.Literal(since),
            horizon=sql.Literal(horizon),
        )
        yield Page(table=schema.empty_table())
        with connection.cursor() as work, work.copy(statement) as copied:
            for table in _tables(stream, schema, _CopyBytes(copied)):
                yield Page(table=table if is_same_cluster or cursor is None else self.unlanded(stream, table))
        yield Page(table=schema.empty_table(), cursor=f"{cluster}:{horizon}")

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


def _table(stream: Stream) -> sql.Identifier:
    return sql.Identifier(*stream.endpoint.split("."))


def _first_line(error: psycopg.Error) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
