from __future__ import annotations

from decimal import Decimal

import duckdb
import psycopg
import pytest

from ingestion.payload import SourceError
from ingestion.settings import Secret, Settings
from ingestion.streams import stream_named
from ingestion.sync import SyncResult, rebuild, sync

USAGE = stream_named("app.usage_events")
CUSTOMERS = stream_named("app.customers")

CREATE_USAGE = """
create table usage_events (
    event_id text primary key, customer_id text, input_tokens bigint, megapixels numeric(18, 6), occurred_at timestamptz
)
"""


def _sync_usage(settings: Settings) -> SyncResult:
    return sync(USAGE, settings)


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


@pytest.mark.parametrize("value", ["'NaN'::numeric"])
def test_a_value_that_no_decimal_holds_is_an_error_and_not_a_zero(
    app_settings: Settings, database: str, value: str
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(CREATE_USAGE)
        connection.execute(f"insert into usage_events (event_id, megapixels) values ('a', {value})")
    with pytest.raises(SourceError, match=r"app\.usage_events: a value of table usage_events does not fit its column"):
        _sync_usage(app_settings)


def test_a_numeric_without_precision_is_refused_with_advice(app_settings: Settings, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("create table usage_events (event_id text primary key, quantity numeric)")
    with pytest.raises(SourceError, match="declare numeric with precision and scale"):
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
