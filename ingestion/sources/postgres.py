"""The product's PostgreSQL, through psycopg and, for the rows of big tables, ADBC.

`snapshot` reads a small table whole, as JSON rows. `horizon` streams a big one with binary `COPY` to typed Arrow tables: a serial
id or timestamp cursor loses rows whose transaction commits late, so a run reads the rows of the transactions that ended
between two xmin horizons (https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-SNAPSHOT): below the
horizon no transaction is open, so nothing can appear there later; an updated row has a new xmin and is read again.
A run reads block range by block range, and each batch says in its cursor how far it came: `<system identifier>:<xid>` after a
window, `<system identifier>:<xid>:<horizon>:<file>:<block>` in the middle of one. A crash there goes on at that block with the
same horizon: what has landed does not land twice. Another cluster behind the same address (a restore, a failover to a copy), or a
table that was rewritten in the middle of a window, is read whole (its xid is -1), and rows whose newest landed version is as they
are now are left out.

A number that is not finite or a date outside the years 1 to 9999 can't be kept exactly: its row goes to quarantine as PostgreSQL
wrote it, the others of the range land.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import adbc_driver_manager.dbapi as adbc
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from adbc_driver_postgresql.dbapi import connect as connect_columnar
from psycopg import sql

from ingestion.payload import Item, Page, Rejected, Row, SourceError, SourceRefused, head
from ingestion.settings import Secret, Settings
from ingestion.sources.base import Landed, Measure, Window, tallied
from ingestion.streams import Stream

# One moment, and nothing is changed. A scan that joins another one in the middle of the table would cut other batches when a
# read is repeated. With row security on, rows that a policy hides from the role would be missing without a word.
_OPTIONS = (
    "-c TimeZone=UTC -c DateStyle=ISO -c client_encoding=UTF8 -c synchronize_seqscans=off -c row_security=off "
    r"-c default_transaction_isolation=repeatable\ read -c default_transaction_read_only=on"
)
_ROWS_A_PAGE = 1_000

_COLUMNS = """
select attname, format_type(atttypid, atttypmod)
from pg_attribute
where attrelid = %s::regclass and attnum > 0 and not attisdropped
order by attnum
"""

# How many transactions before the next one a row was written: a row's xmin has 32 bits and wraps.
_AGE = "(age(xmin)::bigint & 4294967295)"
# On disk, with what PostgreSQL keeps beside the rows. Two batches are in memory at a time: one being read, one being written.
_BYTES_A_BATCH = 32 << 20
_AGAIN = -1

_SNAPSHOT = """
select
    (select system_identifier::text from pg_control_system()),
    pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
    pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
    pg_snapshot_xmax(pg_current_snapshot())::text::bigint + age(pg_snapshot_xmax(pg_current_snapshot())::xid)
"""

# A partitioned table has no rows of its own; a plain one is its own leaf.
_LEAVES = """
select
    oid::regclass::text,
    pg_relation_filenode(oid),
    pg_relation_size(oid) / current_setting('block_size')::bigint,
    pg_table_size(oid)
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
    """How far a table has been read: all of the transactions below `since` (`_AGAIN`: none, but rows have landed), and, in the
    middle of a window that ends at `horizon`, the blocks of the files up to this one."""

    cluster: str | None
    since: int
    horizon: int = 0
    file: int | None = None
    block: int = 0

    @staticmethod
    def of(cursor: str | None) -> _Place:
        cluster, *numbers = (cursor or "").split(":")
        return _Place(cluster or None, *map(int, numbers or ["0"]))


class _Leaf(NamedTuple):
    """A table that holds rows: its name, the number of its file, its blocks, and its bytes with those kept beside the rows."""

    name: str
    file: int
    blocks: int
    size: int

    @property
    def step(self) -> int:
        """Blocks a batch."""
        return max(1, self.blocks * _BYTES_A_BATCH // max(1, self.size))


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
        if not _is_usable(settings.app_database_url.reveal()):
            raise SourceRefused(
                "APP_DATABASE_URL is no PostgreSQL URL: in its user and password, characters such as @ : / % have to be "
                "percent-encoded (% is %25, @ is %40)."
            )
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
                yield connection
        except psycopg.OperationalError as error:
            raise SourceError(
                f"{stream}: PostgreSQL can't be reached or broke off ({_first_line(error)}): check APP_DATABASE_URL and "
                "that the server runs; run again."
            ) from error
        except psycopg.errors.InsufficientPrivilege as error:
            raise SourceRefused(
                f"{stream}: {_first_line(error)}: grant select on table {stream.endpoint}, and usage on its schema, to the "
                "reading role; where policies hide rows from it, bypassrls too."
            ) from error
        except psycopg.errors.CharacterNotInRepertoire as error:
            raise SourceRefused(
                f"{stream}: {_first_line(error)}: correct the row; table {stream.endpoint} holds bytes that are no text."
            ) from error
        except psycopg.errors.UndefinedTable as error:
            raise SourceRefused(
                f"{stream}: {_first_line(error)}: create it, grant usage on its schema to the reading role, or correct "
                "the stream in ingestion/streams.py."
            ) from error

    @contextmanager
    def _columnar(self, connection: psycopg.Connection) -> Iterator[adbc.Cursor]:
        """A cursor that sees what the connection sees and gives Arrow, parsed from binary `COPY` in native code. It raises
        psycopg's errors."""
        (snapshot,) = connection.execute("select pg_export_snapshot()").fetchone() or ("",)
        same_moment = sql.SQL("set transaction snapshot {}").format(sql.Literal(snapshot))
        try:
            with (
                connect_columnar(psycopg.conninfo.make_conninfo(self.url.reveal(), options=_OPTIONS)) as columnar,
                columnar.cursor() as cursor,
            ):
                cursor.execute(same_moment.as_string(connection))
                yield cursor
        except adbc.Error as error:
            raise _of_psycopg(error) from error

    def _snapshot(self, stream: Stream, connection: psycopg.Connection) -> Iterator[Page]:
        columns = _columns(stream, connection)
        statement = sql.SQL(
            "select {key}::text, row_to_json(t)::text, {inexact} from {table} as t order by {key}"
        ).format(key=sql.Identifier(stream.key), inexact=_inexact(columns), table=_named(stream))
        with connection.cursor(name="snapshot") as rows:
            rows.execute(statement)
            while page := rows.fetchmany(_ROWS_A_PAGE):
                yield Page(
                    [Row(key, payload.encode(), "sweep") for key, payload, inexact in page if inexact is None],
                    rejected=[
                        Rejected(payload.encode(), _why(columns[inexact]))
                        for _, payload, inexact in page
                        if inexact is not None
                    ],
                )
        yield Page(is_complete_listing=True)

    def _horizon(self, stream: Stream, connection: psycopg.Connection, cursor: str | None) -> Iterator[Page]:
        leaves = self._leaves(stream, connection)
        ((cluster, horizon, next_xid, base),) = connection.execute(_SNAPSHOT).fetchall()
        place = _Place.of(cursor)
        if place.cluster != cluster or (place.file is not None and place.file not in {leaf.file for leaf in leaves}):
            place = _Place(cluster, _AGAIN if self.landed.batch_paths_since(stream, None) else 0)
        windows = [(place, place.horizon)] if place.horizon else []
        windows.append((_Place(cluster, place.horizon or place.since), horizon))
        columns = _columns(stream, connection)
        schema = _schema(stream, columns)
        yield Page(table=schema.empty_table())

        def pages(columnar: adbc.Cursor) -> Generator[Page]:
            for start, end in windows:
                if start.since == end:
                    continue
                has_rows = start.file is not None
                written = _written(start.since, end, next_xid, base)
                for leaf in leaves:
                    if start.file is not None and leaf.file < start.file:
                        continue
                    for block in range(start.block if leaf.file == start.file else 0, leaf.blocks, leaf.step):
                        rows = sql.SQL("from {leaf} where ctid >= {first} and ctid < {last} {written}").format(
                            leaf=sql.SQL(leaf.name),
                            first=sql.Literal(f"({block},0)"),
                            last=sql.Literal(f"({block + leaf.step},0)"),
                            written=written,
                        )
                        table, rejected = _copied(stream, connection, columnar, columns, schema, rows)
                        if table.num_rows or rejected:
                            has_rows = True
                            reached = f"{cluster}:{start.since}:{end}:{leaf.file}:{block + leaf.step}"
                            yield Page(table=table, rejected=rejected, cursor=reached)
                yield Page(table=schema.empty_table(), cursor=f"{cluster}:{end}", is_checkpoint=has_rows)

        with self._columnar(connection) as columnar, closing(_ahead(pages(columnar))) as ahead:
            for page in ahead:
                assert page.table is not None
                yield replace(page, table=self.landed.unlanded(stream, page.table)) if place.since == _AGAIN else page

    def _leaves(self, stream: Stream, connection: psycopg.Connection) -> list[_Leaf]:
        """Each table that holds rows, in the order of their files. Refuses what has no place to go on from."""
        (is_keyed,) = connection.execute(_KEYED, [stream.endpoint, stream.key]).fetchone() or (False,)
        leaves = connection.execute(_LEAVES, {"name": stream.endpoint}).fetchall()
        if leaves and is_keyed:
            return [_Leaf(*leaf) for leaf in leaves]
        raise SourceRefused(
            f"{stream}: {stream.endpoint} can't be read incrementally: "
            + (f"{stream.key} has no unique index" if leaves else "it is no table with rows of its own")
            + "; name the table beneath it, give the column a primary key, or make it a `snapshot` in ingestion/streams.py."
        )

    def tally(self, stream: Stream, window: Window) -> Mapping[Measure, Decimal]:
        if not stream.is_typed:
            return tallied(stream, self.roster(stream, window))
        with self._connected(stream) as connection:
            columns = _columns(stream, connection)
            sums = [
                field.name
                for field in _schema(stream, columns)
                if pa.types.is_integer(field.type) or pa.types.is_decimal(field.type)
            ]
            summed = sql.SQL("").join(sql.SQL(", sum({})").format(sql.Identifier(name)) for name in sums)
            totals: dict[Measure, Decimal] = {}
            for day, objects, *values in self._counted(
                stream,
                window,
                connection,
                columns,
                sql.SQL("select {created}::date, count(*) {sums}").format(created=_created(stream), sums=summed),
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
            columns = _columns(stream, connection)
            if stream.is_typed:
                wanted = sql.SQL("select {key}::text, {created}").format(
                    key=sql.Identifier(stream.key), created=_created(stream)
                )
                for key, at in self._counted(stream, window, connection, columns, wanted, ""):
                    yield Item(key, at)
                return
            rows = connection.execute(
                sql.SQL("select row_to_json(t)::text from {table} as t where {inexact} is null").format(
                    table=_named(stream), inexact=_inexact(columns)
                )
            )
            for (payload,) in rows:
                found = head(stream, payload.encode())
                if not isinstance(found, Rejected):
                    yield found.item()

    def probe(self, stream: Stream) -> None:
        with self._connected(stream) as connection:
            connection.execute(sql.SQL("select 1 from {} limit 1").format(_named(stream)))
            if stream.is_typed:
                self._leaves(stream, connection)
                _schema(stream, _columns(stream, connection))

    def _counted(
        self,
        stream: Stream,
        window: Window,
        connection: psycopg.Connection,
        columns: Sequence[_Column],
        select: sql.Composed,
        tail: str,
    ) -> list[tuple[Any, ...]]:
        """Rows that can be landed, of the transactions that the cursor has passed, created in the window."""
        ((cluster, horizon, next_xid, base),) = connection.execute(_SNAPSHOT).fetchall()
        place = _Place.of(window.cursor)
        until = min(place.since, horizon) if place.cluster == cluster else horizon
        statement = sql.SQL(
            "{select} from {table} where {created} < {until} and {created} >= {since} {written} "
            "and {inexact} is null {tail}"
        ).format(
            select=select,
            table=_named(stream),
            created=_created(stream),
            until=sql.Literal(window.until),
            since=sql.Literal(window.since or datetime.min.replace(tzinfo=UTC)),
            written=_written(0, until, next_xid, base),
            inexact=_inexact(columns),
            tail=sql.SQL(tail),
        )
        return connection.execute(statement).fetchall()


def _ahead(pages: Generator[Page]) -> Generator[Page]:
    """The same pages, each read in a thread of its own while the one before it is being landed."""
    with closing(pages), ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, pages, None)
        while page := coming.result():
            coming = reader.submit(next, pages, None)
            yield page


def _copied(
    stream: Stream,
    connection: psycopg.Connection,
    columnar: adbc.Cursor,
    columns: Sequence[_Column],
    schema: pa.Schema,
    rows: sql.Composed,
) -> tuple[pa.Table, list[Rejected]]:
    """The rows of a `from … where …` as a table, and those that no table can hold as PostgreSQL wrote them."""

    def table(condition: sql.Composable) -> pa.Table:
        values = sql.SQL(", ").join(column.as_copied for column in columns)
        columnar.execute(sql.SQL("select {} {} {}").format(values, rows, condition).as_string(connection))
        return _exact(columnar.fetch_arrow_table(), schema)

    try:
        return table(sql.SQL("")), []
    except pa.ArrowInvalid:
        inexact = _inexact(columns)
    names = sql.SQL(", ").join(map(sql.Identifier, schema.names))
    statement = sql.SQL("copy (select {}, {} {} and {} is not null) to stdout with (format csv)")
    with connection.cursor() as cursor, cursor.copy(statement.format(inexact, names, rows, inexact)) as copy:
        # PostgreSQL sends a row a block.
        lines = [bytes(line).removesuffix(b"\n").split(b",", 1) for line in copy]
    rejected = [Rejected(original, _why(columns[int(place)])) for place, original in lines]
    try:
        return table(sql.SQL("and {} is null").format(inexact)), rejected
    except pa.ArrowInvalid as error:
        raise SourceRefused(
            f"{stream}: a value of table {stream.endpoint} does not fit its column ({error}); nothing of this range was "
            "landed. Correct the row or the column's type."
        ) from error


def _exact(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The same values in these types. Raises ArrowInvalid for one that its type can't hold exactly: nothing is rounded."""
    for name, kind in zip(schema.names, schema.types, strict=True):
        if kind in _BOUNDS:
            # An infinite date comes as one far outside.
            least, most = (pa.scalar(bound, kind) for bound in _BOUNDS[kind])
            if pc.any(pc.or_(pc.less(table[name], least), pc.greater(table[name], most))).as_py():
                raise pa.ArrowInvalid(f"{name} is not in the years 1 to 9999")
    return table.cast(schema)


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
_BOUNDS = {
    pa.date32(): (date.min, date.max),
    pa.timestamp("us", tz="UTC"): (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)),
}


class _Column(NamedTuple):
    """A column and its type as PostgreSQL writes it."""

    name: str
    kind: str

    @property
    def base(self) -> str:
        """The type without its precision."""
        return re.sub(r"\(.*\)", "", self.kind)

    @property
    def as_copied(self) -> sql.Composable:
        """A number crosses as its digits, which the server writes faster than ADBC does; the others have no type in Arrow."""
        name = sql.Identifier(self.name)
        return sql.SQL("{}::text").format(name) if self.base in ("numeric", "uuid", "json", "jsonb") else name

    @property
    def is_number(self) -> bool:
        return self.base in ("numeric", "real", "double precision")

    @property
    def is_date(self) -> bool:
        return self.base in ("date", "timestamp with time zone", "timestamp without time zone")


def _columns(stream: Stream, connection: psycopg.Connection) -> list[_Column]:
    return [_Column(*found) for found in connection.execute(_COLUMNS, [stream.endpoint])]


def _inexact(columns: Sequence[_Column]) -> sql.Composable:
    """Expression that names, by its place in the list, a column whose value neither JSON nor Arrow can hold; null without one."""
    cases = [
        sql.SQL("when {column} in ('NaN', 'Infinity', '-Infinity') then {place}").format(
            column=sql.Identifier(column.name), place=sql.Literal(place)
        )
        if column.is_number
        else sql.SQL("when {column} < '0001-01-01' or {column} >= '10000-01-01' then {place}").format(
            column=sql.Identifier(column.name), place=sql.Literal(place)
        )
        for place, column in enumerate(columns)
        if column.is_number or column.is_date
    ]
    return sql.SQL("(case {} end)").format(sql.SQL(" ").join(cases)) if cases else sql.SQL("null::int")


def _why(column: _Column) -> str:
    return f"{column.name} is no finite number" if column.is_number else f"{column.name} is not in the years 1 to 9999"


def _schema(stream: Stream, columns: Sequence[_Column]) -> pa.Schema:
    return pa.schema([(column.name, _arrow_type(stream, column)) for column in columns])


def _arrow_type(stream: Stream, column: _Column) -> pa.DataType:
    if digits := re.fullmatch(r"numeric\((\d+),(\d+)\)", column.kind):
        precision, scale = map(int, digits.groups())
        if scale <= precision <= 38:
            return pa.decimal128(precision, scale)
    if column.base in _ARROW_TYPES:
        return _ARROW_TYPES[column.base]
    raise SourceRefused(
        f"{stream}: column {column.name} of table {stream.endpoint} has type {column.kind}, which can't be landed exactly; "
        "declare numeric with a precision of at most 38 and a scale, or timestamps with time zone."
    )


def _written(since: int, end: int, next_xid: int, base: int) -> sql.Composed:
    """The rows that transactions from `since` to before `end` wrote. Without a lower bound none is too old; where no transaction
    is open every row that can be seen is old enough."""
    bounds = [sql.SQL(f"and {_AGE} > {{}}").format(sql.Literal(base - end))] if end < next_xid else []
    if since > 0:
        bounds.append(sql.SQL(f"and {_AGE} <= {{}}").format(sql.Literal(base - since)))
    return sql.SQL(" ").join(bounds)


def _created(stream: Stream) -> sql.Identifier:
    assert stream.created is not None
    return sql.Identifier(stream.created)


def _decimal(value: Any) -> Decimal | None:
    return None if value is None else Decimal(value)


def _named(stream: Stream) -> sql.Identifier:
    return sql.Identifier(*stream.endpoint.split("."))


def _of_psycopg(error: adbc.Error) -> psycopg.Error:
    """The same error as psycopg says it: by SQLSTATE, without what ADBC puts before the server's words."""
    try:
        kind = psycopg.errors.lookup(error.sqlstate or "")
    except KeyError:
        kind = psycopg.OperationalError
    return kind(str(error).partition(":  ")[2] or str(error))


def _is_usable(url: str) -> bool:
    """Whether the driver will take the URL apart as it was meant: where it can't, its error quotes the password."""
    try:
        host = psycopg.conninfo.conninfo_to_dict(url).get("host")
    except psycopg.ProgrammingError:
        return False
    return "@" not in str(host)


def _first_line(error: psycopg.Error) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
