from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal

import duckdb
import psycopg
import pytest
from adbc_driver_postgresql.dbapi import connect as connect_columnar

from ingestion.certificate import certify
from ingestion.lake import Batch, Lake
from ingestion.payload import Item, SourceError, SourceRefused
from ingestion.settings import Secret, Settings
from ingestion.sources import postgres
from ingestion.sources.base import Measure, Window
from ingestion.streams import Stream, stream_named
from ingestion.sync import SyncResult, rebuild, sync
from ingestion.warehouses.duckdb import DuckDBWarehouse

USAGE = stream_named("app.usage_events")
CUSTOMERS = stream_named("app.customers")

CREATE_USAGE = """
create table usage_events (
    event_id text primary key, customer_id text, input_tokens bigint, megapixels numeric(18, 6), occurred_at timestamptz
)
"""


def _sync_usage(settings: Settings) -> SyncResult:
    return sync(USAGE, settings)


def _dies_at_the_load(number: int, monkeypatch: pytest.MonkeyPatch, run: Callable[[], object]) -> None:
    load, loads = DuckDBWarehouse.load, iter(range(number - 1))

    def dies(self: DuckDBWarehouse, batches: Iterable[Batch], now: Callable[[], datetime]) -> None:
        for batch in batches:
            if next(loads, None) is None:
                raise KeyboardInterrupt
            load(self, [batch], now)

    with monkeypatch.context() as patch:
        patch.setattr(DuckDBWarehouse, "load", dies)
        with pytest.raises(KeyboardInterrupt):
            run()


def _landed(
    settings: Settings, columns: str = "event_id", table: str = "raw_app.usage_events"
) -> list[tuple[object, ...]]:
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        return connection.execute(f"select {columns} from {table} order by all").fetchall()


def test_rows_of_a_transaction_held_open_for_the_whole_sync_arrive_with_the_next_one(
    app_settings: Settings, database: str
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(CREATE_USAGE)
        connection.execute("insert into usage_events values ('before')")
        with psycopg.connect(database) as slow:
            slow.execute("insert into usage_events values ('slow')")
            connection.execute("insert into usage_events values ('overtakes')")
            _sync_usage(app_settings)
            assert _landed(app_settings) == [("before",)]
            slow.commit()
        _sync_usage(app_settings)
    assert _landed(app_settings) == [("before",), ("overtakes",), ("slow",)]


def test_a_row_that_is_committed_after_the_horizon_was_taken_is_not_read_under_it(
    app_settings: Settings, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(CREATE_USAGE)
        connection.execute("insert into usage_events values ('before')")

        def connect_late(url: str) -> object:
            connection.execute("insert into usage_events values ('late')")
            return connect_columnar(url)

        with monkeypatch.context() as patch:
            patch.setattr(postgres, "connect_columnar", connect_late)
            _sync_usage(app_settings)
            assert _landed(app_settings) == [("before",)]
        _sync_usage(app_settings)
    assert _landed(app_settings) == [("before",), ("late",)]


def test_a_second_run_lands_nothing_and_a_third_only_what_is_new(app_settings: Settings, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(CREATE_USAGE)
        connection.execute("insert into usage_events select i::text from generate_series(1, 1000) as i")
        assert _sync_usage(app_settings).rows == 1000
        assert _sync_usage(app_settings).rows == 0
        connection.execute("insert into usage_events values ('new')")
        assert _sync_usage(app_settings).rows == 1
    assert len(_landed(app_settings)) == 1001


def test_an_updated_row_lands_again_as_a_new_version(app_settings: Settings, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(CREATE_USAGE)
        connection.execute("insert into usage_events values ('a', 'acct_1', 5)")
        _sync_usage(app_settings)
        connection.execute("update usage_events set input_tokens = 6")
        _sync_usage(app_settings)
    assert _landed(app_settings, "event_id, input_tokens") == [("a", 5), ("a", 6)]


def test_values_land_to_the_last_digit(app_settings: Settings, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(CREATE_USAGE)
        connection.execute(
            "insert into usage_events values "
            "('a', '', 9223372036854775807, 123456789012.123456, '2026-07-01 23:59:59.999999+02'), "
            "('b', null, null, 0.000001, null), (E'c\n\"quoted\", it', 'x', 0, -0.5, 'epoch')"
        )
        _sync_usage(app_settings)
    rows = _landed(app_settings, "event_id, customer_id, input_tokens, megapixels, occurred_at::varchar")
    assert rows == [
        ("a", "", 9223372036854775807, Decimal("123456789012.123456"), "2026-07-01 21:59:59.999999+00"),
        ("b", None, None, Decimal("0.000001"), None),
        ('c\n"quoted", it', "x", 0, Decimal("-0.500000"), "1970-01-01 00:00:00+00"),
    ]


def test_every_type_that_can_be_kept_exactly_lands_as_it_is(app_settings: Settings, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "create table usage_events (event_id uuid primary key, padded char(5), short varchar(9), small smallint, "
            "number integer, flag boolean, day date, at timestamp(0) with time zone, wide numeric(38, 18), whole numeric(5), "
            "binary_json jsonb, as_written json)"
        )
        connection.execute(
            "insert into usage_events values "
            "('00000000-0000-0000-0000-00000000000a', 'ab', 'x', -32768, 2147483647, true, '9999-12-31', "
            "'9999-12-31 23:59:59', 12345678901234567890.123456789012345678, -99999, "
            "'{\"b\": 1.50}', '{ \"a\": 1e3 }'), "
            "('00000000-0000-0000-0000-00000000000b', null, null, null, null, false, '0001-01-01', '0001-01-01', "
            "-0.000000000000000001, 0, null, null)"
        )
        _sync_usage(app_settings)
    columns = '* exclude (batch_id, read_at) replace (cast("at" as varchar) as "at", cast(day as varchar) as day)'
    assert _landed(app_settings, columns) == [
        (
            "00000000-0000-0000-0000-00000000000a", "ab   ", "x", -32768, 2147483647, True, "9999-12-31",
            "9999-12-31 23:59:59+00", Decimal("12345678901234567890.123456789012345678"), Decimal(-99999),
            '{"b": 1.50}', '{ "a": 1e3 }',
        ),
        (
            "00000000-0000-0000-0000-00000000000b", None, None, None, None, False, "0001-01-01",
            "0001-01-01 00:00:00+00", Decimal("-0.000000000000000001"), Decimal(0), None, None,
        ),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("column", "value", "written", "reason"),
    [
        ("megapixels", "NaN", b"bad,acct_1,,NaN,", "megapixels is no finite number"),
        ("occurred_at", "infinity", b"bad,acct_1,,,infinity", "occurred_at is not in the years 1 to 9999"),
        ("occurred_at", "-infinity", b"bad,acct_1,,,-infinity", "occurred_at is not in the years 1 to 9999"),
        (
            "occurred_at",
            "0044-03-15 BC",
            b"bad,acct_1,,,0044-03-15 00:00:00+00 BC",
            "occurred_at is not in the years 1 to 9999",
        ),
        (
            "occurred_at",
            "10000-01-01",
            b"bad,acct_1,,,10000-01-01 00:00:00+00",
            "occurred_at is not in the years 1 to 9999",
        ),
    ],
)
def test_a_row_with_a_value_that_no_table_can_hold_is_kept_apart_and_the_others_land(
    app_settings: Settings, database: str, column: str, value: str, written: bytes, reason: str
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(CREATE_USAGE)
        connection.execute("insert into usage_events (event_id) values ('before')")
        connection.execute(
            f"insert into usage_events (event_id, customer_id, {column}) values ('bad', 'acct_1', '{value}')"
        )
        connection.execute("insert into usage_events values ('after', 'acct_2', 1, 0.5, 'epoch')")
        result = _sync_usage(app_settings)
        assert (result.rows, result.rejected) == (2, 1)
        assert certify(result, app_settings).is_complete
        assert (_sync_usage(app_settings).rows, _sync_usage(app_settings).rejected) == (0, 0)
    assert _landed(app_settings) == [("after",), ("before",)]
    quarantined = _landed(app_settings, "stream, reason, original", "raw_quarantine.rejected")
    assert quarantined == [("app.usage_events", reason, written)]


def test_a_table_of_nothing_but_rows_that_no_table_can_hold_is_read_once(
    app_settings: Settings, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "_BYTES_A_BATCH", 1)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(CREATE_USAGE)
        connection.execute(
            "insert into usage_events (event_id, megapixels) select i::text, 'NaN' from generate_series(1, 500) as i"
        )
        first, second = _sync_usage(app_settings), _sync_usage(app_settings)
        assert (first.rejected, second.rejected) == (500, 0)
        assert second.cursor_from == first.cursor_to is not None
        connection.execute("update usage_events set megapixels = 1 where event_id = '7'")
        assert _sync_usage(app_settings).rows == 1
    assert _landed(app_settings) == [("7",)]


def test_a_row_of_a_small_table_that_json_cannot_hold_is_kept_apart_and_not_deleted(
    app_settings: Settings, database: str
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("create table customers (id text primary key, credit numeric, valid daterange, until date)")
        connection.execute("insert into customers values ('a', 1.5), ('b', 2.5), ('c', 3)")
        assert sync(CUSTOMERS, app_settings).rows == 3
        connection.execute("update customers set credit = 'Infinity' where id = 'a'")
        connection.execute("update customers set until = 'infinity' where id = 'b'")
        connection.execute("update customers set credit = 4 where id = 'c'")
        result = sync(CUSTOMERS, app_settings)
        assert (result.rows, result.rejected) == (1, 2)
    assert _landed(app_settings, "object_id, payload ->> 'credit', is_deleted", "raw_app.customers") == [
        ("a", "1.5", False),
        ("b", "2.5", False),
        ("c", "3", False),
        ("c", "4", False),
    ]
    assert _landed(app_settings, "reason, original", "raw_quarantine.rejected") == [
        ("credit is no finite number", b'{"id":"a","credit":"Infinity","valid":null,"until":null}'),
        ("until is not in the years 1 to 9999", b'{"id":"b","credit":2.5,"valid":null,"until":"infinity"}'),
    ]


def _usage_in(settings: Settings, cluster: str, encoding: str, event_id: str) -> Settings:
    """Settings for a database of its own in this encoding, with one usage event; `event_id` is an SQL literal."""
    url = psycopg.conninfo.make_conninfo(cluster, dbname=encoding.lower())
    with psycopg.connect(cluster, autocommit=True) as connection:
        connection.execute(f"drop database if exists {encoding}")
        connection.execute(f"create database {encoding} encoding '{encoding}' locale 'C' template template0")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(CREATE_USAGE)
        connection.execute(f"insert into usage_events values ({event_id})")
    return Settings(**{**vars(settings), "app_database_url": Secret(url)})


def test_text_of_a_database_in_another_encoding_lands_as_it_reads(settings: Settings, cluster: str) -> None:
    latin = _usage_in(settings, cluster, "LATIN1", "'Zürich'")
    _sync_usage(latin)
    assert _landed(latin) == [("Zürich",)]


def test_text_that_is_in_no_encoding_is_refused_in_one_sentence(settings: Settings, cluster: str) -> None:
    anything = _usage_in(settings, cluster, "SQL_ASCII", "E'\\xff'")
    with pytest.raises(SourceRefused, match=r"app\.usage_events: invalid byte sequence .*: correct the row"):
        _sync_usage(anything)


@pytest.mark.parametrize("kind", ["numeric", "numeric(39, 9)", "numeric(3, 5)", "numeric(5, -2)", "double precision"])
def test_a_type_that_no_decimal_holds_exactly_is_refused_with_advice(
    app_settings: Settings, database: str, kind: str
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"create table usage_events (event_id text primary key, quantity {kind})")
    with pytest.raises(SourceRefused, match=r"quantity .* declare numeric with a precision of at most 38 and a scale"):
        _sync_usage(app_settings)


def test_another_cluster_behind_the_address_is_read_whole_without_doubling_a_row(
    app_settings: Settings, database: str
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(CREATE_USAGE)
        connection.execute("insert into usage_events values ('a'), ('b')")
        _sync_usage(app_settings)
        with duckdb.connect(str(app_settings.warehouse)) as warehouse:
            warehouse.execute("update ingestion.batches set cursor_to = '4711:99999999'")
        connection.execute("insert into usage_events values ('c')")
        assert _sync_usage(app_settings).rows == 1
        assert _sync_usage(app_settings).rows == 0
    assert _landed(app_settings) == [("a",), ("b",), ("c",)]


def test_a_row_that_a_restore_took_back_to_an_earlier_version_lands_again(
    app_settings: Settings, database: str
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(CREATE_USAGE)
        connection.execute("insert into usage_events values ('a', 'acct_1', 5, null, 'yesterday')")
        for number in (6, 5):
            _sync_usage(app_settings)
            connection.execute(f"update usage_events set input_tokens = {number} where event_id = 'a'")
        with duckdb.connect(str(app_settings.warehouse)) as warehouse:
            warehouse.execute("update ingestion.batches set cursor_to = '4711:99999999'")
        result = _sync_usage(app_settings)
        assert result.rows == 1
        assert certify(result, app_settings).is_complete
    assert _landed(app_settings, "event_id, input_tokens") == [("a", 5), ("a", 5), ("a", 6)]


def test_counting_a_big_table_leaves_duckdb_no_more_memory_than_the_count_took(
    app_settings: Settings, database: str
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(CREATE_USAGE)
        connection.execute("insert into usage_events values ('a')")
    _sync_usage(app_settings)
    with DuckDBWarehouse(app_settings.warehouse, Lake(app_settings.lake)) as warehouse:
        warehouse.tally(USAGE, Window(None, datetime.now(UTC), None))
        ((left, threads),) = warehouse._rows("select current_setting('memory_limit'), current_setting('threads')")
    with duckdb.connect() as connection:
        connection.execute(f"set memory_limit = '{128 * threads}MB'")
        assert connection.execute("select current_setting('memory_limit')").fetchone() == (left,)


def test_a_crash_while_a_table_is_read_again_doubles_no_row(
    app_settings: Settings, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "_BYTES_A_BATCH", 1)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(CREATE_USAGE)
        # updated rows stay in the table's first block
        connection.execute("alter table usage_events set (fillfactor = 50)")
        connection.execute("insert into usage_events select i::text from generate_series(1, 1000) as i")
        _sync_usage(app_settings)
        connection.execute("update usage_events set input_tokens = 7 where event_id::int <= 10")
        _dies_at_the_load(2, monkeypatch, lambda: sync(USAGE, app_settings, from_the_beginning=True))
        connection.execute("insert into usage_events values ('new')")
        _sync_usage(app_settings)
    rows = _landed(app_settings, "event_id, input_tokens")
    assert len(rows) == len(set(rows)) == 1011


def test_rows_that_are_kept_beside_the_table_make_its_batches_smaller(
    app_settings: Settings, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "_BYTES_A_BATCH", 1 << 16)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("create table usage_events (event_id text primary key, prompt text)")
        connection.execute("alter table usage_events alter prompt set storage external")
        connection.execute("insert into usage_events select i, repeat('x', 10000) from generate_series(1, 400) as i")
        assert len(_sync_usage(app_settings).batches) > 2
    assert len(_landed(app_settings)) == 400


def test_reading_again_from_the_beginning_doubles_no_row(app_settings: Settings, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(CREATE_USAGE)
        connection.execute("insert into usage_events values ('a'), ('b')")
        _sync_usage(app_settings)
        connection.execute("update usage_events set input_tokens = 1 where event_id = 'b'")
        assert sync(USAGE, app_settings, from_the_beginning=True).rows == 1
    assert _landed(app_settings, "event_id, input_tokens") == [("a", None), ("b", 1), ("b", None)]


def test_an_empty_table_still_has_its_raw_table_with_its_types(app_settings: Settings, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(CREATE_USAGE)
    _sync_usage(app_settings)
    assert _landed(app_settings, "event_id, input_tokens, occurred_at, batch_id, read_at") == []


def test_an_empty_table_has_its_types_in_a_warehouse_rebuilt_from_the_lake_too(
    app_settings: Settings, database: str
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(CREATE_USAGE)
        _sync_usage(app_settings)
        app_settings.warehouse.unlink()
        rebuild(app_settings)
        assert _landed(app_settings, "event_id, input_tokens, occurred_at, batch_id, read_at") == []
        connection.execute("insert into usage_events values ('first')")
        assert _sync_usage(app_settings).rows == 1
    assert _landed(app_settings) == [("first",)]


def test_updates_and_deletes_of_a_small_table_land_as_versions(app_settings: Settings, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("create table customers (id text primary key, limit_amount numeric)")
        connection.execute("insert into customers values ('a', 0.10), ('b', 7)")
        assert sync(CUSTOMERS, app_settings).rows == 2
        assert sync(CUSTOMERS, app_settings).rows == 0
        connection.execute("update customers set limit_amount = 0.100000000000000000001 where id = 'a'")
        connection.execute("delete from customers where id = 'b'")
        assert sync(CUSTOMERS, app_settings).rows == 2
        assert sync(CUSTOMERS, app_settings).rows == 0
    rows = _landed(app_settings, "object_id, payload, is_deleted", "raw_app.customers")
    assert rows == [
        ("a", '{"id":"a","limit_amount":"0.10"}', False),
        ("a", '{"id":"a","limit_amount":"0.100000000000000000001"}', False),
        ("b", '{"id":"b","limit_amount":7}', False),
        ("b", "{}", True),
    ]


def test_a_listing_cut_short_does_not_look_like_a_mass_deletion(app_settings: Settings, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("create table customers (id text primary key)")
        connection.execute("insert into customers select i::text from generate_series(1, 100) as i")
        sync(CUSTOMERS, app_settings)
        connection.execute("delete from customers where id::int > 50")
    with pytest.raises(SourceError, match="50 of 100 objects are gone from customers at once"):
        sync(CUSTOMERS, app_settings)


def test_a_missing_grant_is_named(app_settings: Settings, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("create table customers (id text primary key)")
        connection.execute("drop role if exists nobody_reads")
        connection.execute("create role nobody_reads login")
        url = psycopg.conninfo.make_conninfo(database, user="nobody_reads")
    with pytest.raises(SourceError, match="grant select on table customers"):
        sync(CUSTOMERS, Settings(**{**vars(app_settings), "app_database_url": Secret(url)}))


def test_an_unreachable_server_is_one_sentence_with_the_variable(settings: Settings) -> None:
    away = Settings(**{**vars(settings), "app_database_url": Secret("postgresql://u:hidden@127.0.0.1:1/app")})
    with pytest.raises(SourceError, match="check APP_DATABASE_URL") as raised:
        sync(CUSTOMERS, away)
    assert "hidden" not in str(raised.value)


def test_a_server_that_breaks_off_in_the_middle_of_a_table_is_one_sentence(
    app_settings: Settings, database: str
) -> None:
    with (
        psycopg.connect(database) as locked,
        psycopg.connect(database, autocommit=True) as watching,
        ThreadPoolExecutor(1) as reader,
    ):
        watching.execute(CREATE_USAGE)
        watching.execute("insert into usage_events values ('a')")
        locked.execute("lock table usage_events in access exclusive mode")
        reading = reader.submit(_sync_usage, app_settings)
        while not watching.execute("select pg_terminate_backend(pid) from pg_locks where not granted").fetchone():
            assert not reading.done()
        with pytest.raises(SourceError, match=r"app\.usage_events: PostgreSQL .* broke off \(terminating connection"):
            reading.result()
        locked.rollback()
        assert _sync_usage(app_settings).rows == 1


def test_a_crash_in_the_middle_of_a_table_goes_on_where_it_was_with_nothing_twice_or_lost(
    app_settings: Settings, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "_BYTES_A_BATCH", 1)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(CREATE_USAGE)
        connection.execute("insert into usage_events select i::text from generate_series(1, 1000) as i")
        _dies_at_the_load(4, monkeypatch, lambda: _sync_usage(app_settings))
        landed = len(_landed(app_settings))
        assert 0 < landed < 1000
        # rows of blocks that were read move to others, rows of blocks to come leave theirs
        connection.execute("update usage_events set input_tokens = 7 where event_id::int % 250 = 0")
        connection.execute("delete from usage_events where event_id = '999'")
        connection.execute("vacuum usage_events")
        connection.execute("insert into usage_events select i::text from generate_series(1001, 1100) as i")
        _sync_usage(app_settings)
        _sync_usage(app_settings)
    rows = _landed(app_settings, "event_id, input_tokens")
    assert len(rows) == len(set(rows))
    assert {(str(n), 7 if n % 250 == 0 and n <= 1000 else None) for n in range(1, 1101) if n != 999} <= set(rows)


def test_a_table_that_was_rewritten_in_the_middle_of_a_window_is_read_whole_without_doubling_a_row(
    app_settings: Settings, database: str
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(CREATE_USAGE)
        connection.execute("insert into usage_events values ('a', 'acct_1', 5), ('b', 'acct_1', 5)")
        _sync_usage(app_settings)
        with duckdb.connect(str(app_settings.warehouse)) as warehouse:
            warehouse.execute("update ingestion.batches set cursor_to = cursor_to || ':99999999:1:0'")
        connection.execute("update usage_events set input_tokens = 6 where event_id = 'a'")
        _sync_usage(app_settings)
    assert _landed(app_settings, "event_id, input_tokens") == [("a", 5), ("a", 6), ("b", 5)]


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ("create table usage_events (event_id text)", "event_id has no unique index; .* give the column a primary key"),
        (
            "create view usage_events as select 'a' as event_id",
            "it is no table with rows of its own; name the table beneath",
        ),
    ],
)
def test_a_table_without_a_usable_cursor_is_refused_with_advice(
    app_settings: Settings, database: str, table: str, complaint: str
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(table)
    with pytest.raises(SourceRefused, match=complaint):
        _sync_usage(app_settings)


def test_every_partition_of_a_table_is_read(app_settings: Settings, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "create table usage_events (event_id text, n int, primary key (event_id, n)) partition by list (n)"
        )
        for n in (1, 2):
            connection.execute(f"create table events_{n} partition of usage_events for values in ({n})")
        connection.execute("insert into usage_events values ('a', 1), ('b', 2)")
        assert _sync_usage(app_settings).rows == 2
        connection.execute("insert into usage_events values ('c', 1)")
        assert _sync_usage(app_settings).rows == 1
    assert _landed(app_settings) == [("a",), ("b",), ("c",)]


def test_rows_are_counted_against_the_source_by_day_and_column(app_settings: Settings, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(CREATE_USAGE)
        connection.execute(
            "insert into usage_events values "
            "('a', 'acct_1', 5, 0.5, 'today'::timestamptz - interval '1 hour'), ('b', 'acct_1', 7, 0.25, 'today')"
        )
        result = _sync_usage(app_settings)
        # committed after the sync's horizon: neither side may count it
        connection.execute("insert into usage_events values ('late', 'acct_1', 9, 1, 'today')")
        certificate = certify(result, app_settings)
        assert certificate.is_complete
        assert certificate.objects == 2
        assert certificate.source[Measure(datetime.now(UTC).date(), "input_tokens")] == 7
        connection.execute("delete from usage_events where event_id = 'a'")
        certificate = certify(_sync_usage(app_settings), app_settings)
    assert not certificate.is_complete
    assert [(one.object_id, one.kind) for one in certificate.differences] == [("a", "unknown")]


def test_a_row_that_was_updated_is_counted_once_and_as_it_is_now(app_settings: Settings, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(CREATE_USAGE)
        connection.execute(
            "insert into usage_events values ('a', 'acct_1', 5, null, 'today'), ('b', 'acct_1', 7, null, 'today')"
        )
        for number in (6, 8):
            _sync_usage(app_settings)
            connection.execute(f"update usage_events set input_tokens = {number} where event_id = 'a'")
        certificate = certify(_sync_usage(app_settings), app_settings)
    assert certificate.is_complete
    assert len(_landed(app_settings)) == 4
    assert certificate.landed[Measure(datetime.now(UTC).date(), "input_tokens")] == 15


def test_only_the_days_that_differ_are_searched_row_by_row(
    app_settings: Settings, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[object] = []
    roster = DuckDBWarehouse.roster

    def watched(self: DuckDBWarehouse, stream: Stream, window: Window) -> Iterator[Item]:
        for item in roster(self, stream, window):
            listed.append(item.object_id)
            yield item

    monkeypatch.setattr(DuckDBWarehouse, "roster", watched)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(CREATE_USAGE)
        connection.execute(
            "insert into usage_events (event_id, occurred_at) values ('old', 'yesterday'), ('a', 'today'), ('b', 'today')"
        )
        certify(_sync_usage(app_settings), app_settings)
        connection.execute("delete from usage_events where event_id = 'b'")
        certificate = certify(_sync_usage(app_settings), app_settings)
    assert [one.object_id for one in certificate.differences] == ["b"]
    assert set(listed) == {"a", "b"}
