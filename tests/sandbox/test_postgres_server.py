"""The sandbox's database: the dataset's values in PostgreSQL's types, loaded once, stopped with its owner."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from sandbox.serve import Company
from sandbox.servers import postgres
from sandbox.servers.collection import DatasetError
from tests.sandbox.conftest import EXACT, NOW

CLUSTER = "select system_identifier from pg_control_system()"


def value(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def test_values_are_the_parquet_files_to_the_last_digit(company: Company) -> None:
    with psycopg.connect(company.app_database_url) as connection:
        events = connection.execute("select * from usage_events order by event_id").fetchall()
        book = connection.execute("select *, config::text from price_book").fetchone()
        wallet = connection.execute("select amount from wallet_transactions").fetchone()
        empty = connection.execute(
            "select (select count(*) from customers), (select count(*) from contracts)"
        ).fetchone()
    assert events[0][:5] == ("event_1", "acct_0000", "text_generation", "small", 2**53 + 1)
    assert events[0][9] == datetime(2026, 7, 1, 0, 0, 0, 1, UTC)
    assert events[1][3:7] == (None, None, None, Decimal("123456789012.123456"))
    assert book is not None
    assert book[1:3] == ('quoted "and", comma', "")
    assert (book[9], book[10], book[11]) == (date(2026, 7, 1), None, NOW)
    assert book[-1] == f'{{"unit_amount": {EXACT}}}'
    assert wallet == (Decimal("-12345678901234567890123456789.123456789"),)
    assert empty == (0, 0)


def test_tables_have_the_types_and_keys_that_readers_expect(company: Company) -> None:
    with psycopg.connect(company.app_database_url) as connection:
        types = {
            f"{table}.{column}": kind
            for table, column, kind in connection.execute(
                "select relname, attname, format_type(atttypid, atttypmod) from pg_attribute join pg_class on oid = attrelid "
                "where relnamespace = 'public'::regnamespace and relkind = 'r' and attnum > 0"
            )
        }
        keys = connection.execute(
            "select conrelid::regclass::text, a.attname from pg_constraint join pg_attribute as a "
            "on a.attrelid = conrelid and a.attnum = conkey[1] where contype = 'p' "
            "and connamespace = 'public'::regnamespace"
        ).fetchall()
        version, zone = connection.execute("select version(), current_setting('timezone')").fetchone() or ("", "")
    assert types["usage_events.megapixels"] == "numeric(18,6)"
    assert types["wallet_transactions.amount"] == "numeric(38,9)"
    assert types["price_book.config"] == "jsonb"
    assert types["customers.currency"] == "character(3)"
    assert types["contracts.start_date"] == "date"
    assert types["usage_events.occurred_at"] == "timestamp with time zone"
    assert dict(keys) == {table: "event_id" if table == "usage_events" else "id" for table in postgres.TABLES}
    assert (version.split(".")[0], zone) == ("PostgreSQL 18", "UTC")


def test_cluster_is_reached_over_loopback_only_and_with_the_password_only(company: Company) -> None:
    url = urlsplit(company.app_database_url)
    # By its port: the workers of a cluster come and go, a list of its processes holds some that are gone.
    listening = {
        connection.laddr.ip: connection.pid
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == url.port
    }
    assert list(listening) == ["127.0.0.1"]
    assert psutil.Process(listening["127.0.0.1"]).uids().real != 0
    assert url.password
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(company.app_database_url.replace(url.password, "guess"))


def test_cluster_is_kept_while_the_files_are_the_same_and_loaded_anew_when_they_are_not(
    dataset: Path, tmp_path: Path
) -> None:
    changing, state = tmp_path / "dataset", tmp_path / "state"
    shutil.copytree(dataset / "app", changing / "app")
    # A load that broke off: a cluster is there, the record that is written last is not.
    (state / "postgres/base").mkdir(parents=True)
    (state / "postgres/PG_VERSION").write_text("18")
    with postgres.serve(changing, state) as url:
        first = value(url, CLUSTER)
        assert value(url, "delete from usage_events where event_id = 'event_2' returning event_id") == "event_2"
    with postgres.serve(changing, state) as url:
        assert value(url, CLUSTER) == first
        assert value(url, "select count(*) from usage_events") == 1
    (changing / "app/price_book.parquet").unlink()
    with postgres.serve(changing, state) as url:
        assert value(url, CLUSTER) != first
        assert value(url, "select count(*) from usage_events") == 2
        assert value(url, "select count(*) from price_book") == 0
    assert (state / "loaded.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("column", "values", "reason"),
    [
        ("megapixels", pa.array([0.1]), "column megapixels is double: write it as decimal"),
        ("tokens", pa.array([1]), "has a column tokens that table usage_events does not"),
        ("input_tokens", pa.array(["many"]), "many"),
        ("event_id", pa.array([None], pa.string()), "event_id"),
        ("event_id", pa.array(["a", "a"]), "could not create unique index"),
    ],
)
def test_file_that_does_not_fit_its_table_is_refused_with_its_name(
    company: Company, tmp_path: Path, column: str, values: pa.Array, reason: str
) -> None:
    (tmp_path / "app").mkdir()
    rows = len(values)
    row = {
        "event_id": ["a"] * rows,
        "customer_id": ["c"] * rows,
        "event_name": ["e"] * rows,
        "occurred_at": pa.array([NOW] * rows, pa.timestamp("us", "UTC")),
        "recorded_at": pa.array([NOW] * rows, pa.timestamp("us", "UTC")),
    }
    parquet.write_table(pa.table(row | {column: values}), tmp_path / "app/usage_events.parquet")
    with psycopg.connect(company.app_database_url) as connection:
        connection.execute("create schema scratch")
        connection.execute("set local search_path to scratch")
        with pytest.raises(DatasetError, match=f"usage_events.parquet.*{reason}"):
            postgres.load_table(connection, "usage_events", tmp_path / "app/usage_events.parquet")
        connection.rollback()
