from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from ingestion import sync as sync_module
from ingestion.lake import Lake, LakeError
from ingestion.payload import SourceError
from ingestion.settings import Secret, Settings
from ingestion.streams import STREAMS, stream_named
from ingestion.sync import rebuild, sync
from ingestion.warehouses import duckdb as duckdb_module
from ingestion.warehouses.base import WarehouseError
from ingestion.warehouses.duckdb import DuckDBWarehouse
from sandbox.servers.http import Reply
from sandbox.servers.stripe import Stripe
from tests.ingestion.conftest import served, write_objects

LINES = stream_named("bank.statement_lines")
HEADER = "line_id,account_id,booked_on,value_on,amount,currency,description,reference,balance\n"


@pytest.fixture
def bank(tmp_path: Path, settings: Settings) -> Settings:
    statements = tmp_path / "statements"
    statements.mkdir()
    _statement(statements, "1", "2")
    return Settings(**{**vars(settings), "bank_statements": statements})


def _statement(statements: Path, *line_ids: str, amount: str = "10.00") -> None:
    lines = (
        f"{line},usd,2026-07-01,2026-07-02,{amount},USD,STRIPE PAYOUT,ref{line},{count * Decimal(amount)}\n"
        for count, line in enumerate(line_ids, start=1)
    )
    (statements / "usd.csv").write_text(HEADER + "".join(lines))


@pytest.fixture
def clock() -> Callable[[], datetime]:
    """A clock that moves a second each time it is asked."""
    ticks: Iterator[datetime] = (datetime(2026, 7, 3, tzinfo=UTC) + timedelta(seconds=n) for n in range(1000))
    return lambda: next(ticks)


def _landed(settings: Settings) -> list[tuple[str, str]]:
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        return connection.execute(
            "select object_id, payload ->> 'amount' from raw_bank.statement_lines order by all"
        ).fetchall()


def test_every_stream_has_a_name_of_its_own_and_says_what_it_is() -> None:
    assert len({stream.asset_key for stream in STREAMS}) == len(STREAMS)
    assert all(stream.description.endswith(".") for stream in STREAMS)


def test_a_second_run_lands_only_what_is_new(bank: Settings, clock: Callable[[], datetime]) -> None:
    assert bank.bank_statements is not None
    assert sync(LINES, bank, clock).rows == 2
    assert sync(LINES, bank, clock).rows == 0
    _statement(bank.bank_statements, "1", "2", "3")
    assert sync(LINES, bank, clock).rows == 1
    assert _landed(bank) == [("usd/1", "10.00"), ("usd/2", "10.00"), ("usd/3", "10.00")]


def test_a_changed_object_lands_as_a_new_version_and_the_old_one_stays(
    bank: Settings, clock: Callable[[], datetime]
) -> None:
    assert bank.bank_statements is not None
    sync(LINES, bank, clock)
    _statement(bank.bank_statements, "1", amount="11.00")
    sync(LINES, bank, clock)
    assert _landed(bank) == [("usd/1", "10.00"), ("usd/1", "11.00"), ("usd/2", "10.00")]


def test_an_object_that_goes_back_to_an_earlier_version_lands_once_more(
    bank: Settings, clock: Callable[[], datetime]
) -> None:
    assert bank.bank_statements is not None
    for amount in ("10.00", "11.00", "10.00"):
        _statement(bank.bank_statements, "1", amount=amount)
        assert sync(LINES, bank, clock).rows >= 1
    assert sync(LINES, bank, clock).rows == 0
    with duckdb.connect(str(bank.warehouse), read_only=True) as connection:
        versions = connection.execute(
            "select payload ->> 'amount' from raw_bank.statement_lines where object_id = 'usd/1' order by read_at"
        ).fetchall()
    assert versions == [("10.00",), ("11.00",), ("10.00",)]


def test_a_crash_between_lake_and_load_is_mended_by_the_next_run_with_nothing_twice(
    bank: Settings, clock: Callable[[], datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(DuckDBWarehouse, "load", dies)
        with pytest.raises(KeyboardInterrupt):
            sync(LINES, bank, clock)
    assert len(Lake(bank.lake).paths(LINES)) == 1
    assert sync(LINES, bank, clock).rows == 0
    assert len(_landed(bank)) == 2


def test_a_crash_while_the_file_is_written_leaves_no_batch(
    bank: Settings, clock: Callable[[], datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    def half_written(table: object, path: str, **_: object) -> None:
        Path(path).write_bytes(b"PAR1 and then the power went")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pq, "write_table", half_written)
        with pytest.raises(KeyboardInterrupt):
            sync(LINES, bank, clock)
    assert Lake(bank.lake).paths(LINES) == []
    assert sync(LINES, bank, clock).rows == 2


def test_rows_that_the_ledger_has_not_committed_are_not_in_the_raw_table(
    bank: Settings, clock: Callable[[], datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bank.bank_statements is not None
    sync(LINES, bank, clock)
    _statement(bank.bank_statements, "1", "2", "3")
    with monkeypatch.context() as patch:
        patch.setattr(DuckDBWarehouse, "load", lambda *_: None)
        sync(LINES, bank, clock)
    assert len(_landed(bank)) == 2


def test_the_same_batch_loads_once_however_often_it_is_loaded(bank: Settings, clock: Callable[[], datetime]) -> None:
    sync(LINES, bank, clock)
    lake = Lake(bank.lake)
    (path,) = lake.paths(LINES)
    batch = lake.batch(path)
    with DuckDBWarehouse(bank.warehouse, lake) as warehouse:
        warehouse.load([batch], clock)
        warehouse.load([batch, batch], clock)
    assert len(_landed(bank)) == 2


def test_an_error_in_the_middle_of_a_read_does_not_move_the_cursor(
    bank: Settings, clock: Callable[[], datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bank.bank_statements is not None
    (bank.bank_statements / "zzz.csv").symlink_to("nowhere")
    monkeypatch.setattr(sync_module, "_ROWS_A_BATCH", 1)
    with pytest.raises(SourceError, match=r"zzz\.csv can't be opened .* take it away"):
        sync(LINES, bank, clock)
    (bank.bank_statements / "zzz.csv").unlink()
    with DuckDBWarehouse(bank.warehouse, Lake(bank.lake)) as warehouse:
        assert warehouse.cursor(LINES) is None
    sync(LINES, bank, clock)
    assert len(_landed(bank)) == 2


def _hold(path: Path, lake: Path, opened: object, release: object) -> None:
    with DuckDBWarehouse(path, Lake(lake)):
        opened.set()  # type: ignore[attr-defined]
        release.wait(30)  # type: ignore[attr-defined]


def test_a_read_whose_last_rows_are_no_news_keeps_its_cursor(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync_module, "_ROWS_A_BATCH", 1)
    write_objects(tmp_path / "dataset" / "stripe", charges=[{"id": "ch_1", "created": 1_780_000_000}])
    with served(Stripe(tmp_path / "dataset", "sk_test_x")) as base:
        stripe = Settings(**{**vars(settings), "stripe_api_key": Secret("sk_test_x"), "stripe_api_base": base})
        assert sync(stream_named("stripe.charges"), stripe).cursor_to == "1780000000"


def test_an_object_of_50_mb_goes_to_quarantine_whole_and_the_others_land(settings: Settings) -> None:
    huge = b'{"id": "item_huge", "name": "%s"}' % (b"x" * (50 << 20))
    page = b'{"data": [%s, {"id": "item_1"}], "pagination_metadata": {"has_more": false, "next_cursor": null}}' % huge
    with served(lambda request: Reply(200, page)) as base:
        orb = Settings(**{**vars(settings), "orb_api_key": Secret("orb_x"), "orb_api_base": base})
        result = sync(stream_named("orb.items"), orb)
    assert (result.rows, result.rejected) == (1, 1)
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        ((original, reason),) = connection.execute("select original, reason from raw_quarantine.rejected").fetchall()
    assert original == huge
    assert reason == f"item_huge: {len(huge):,} bytes are more than the 10,485,760 that a row may have"


def test_a_second_writer_is_refused_with_a_sentence(bank: Settings, clock: Callable[[], datetime]) -> None:
    context = multiprocessing.get_context("spawn")
    opened, release = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(bank.warehouse, bank.lake, opened, release))
    holder.start()
    try:
        assert opened.wait(30)
        with pytest.raises(WarehouseError, match="DuckDB has one writer at a time; wait for the other run to end"):
            sync(LINES, bank, clock)
    finally:
        release.set()
        holder.join()


def test_raw_rebuilt_from_the_lake_alone_equals_the_original(bank: Settings, clock: Callable[[], datetime]) -> None:
    assert bank.bank_statements is not None
    sync(LINES, bank, clock)
    _statement(bank.bank_statements, "1", amount="11.00")
    sync(LINES, bank, clock)
    with duckdb.connect(str(bank.warehouse), read_only=True) as connection:
        before = connection.execute("select * from raw_bank.statement_lines order by all").fetchall()
    bank.warehouse.unlink()
    rebuild(bank, now=clock)
    with duckdb.connect(str(bank.warehouse), read_only=True) as connection:
        assert connection.execute("select * from raw_bank.statement_lines order by all").fetchall() == before
    assert sync(LINES, bank, clock).rows == 0


def test_a_load_that_lacked_memory_is_made_again_whole(
    bank: Settings, clock: Callable[[], datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bank.bank_statements is not None
    _statement(bank.bank_statements, *map(str, range(30_000)))
    sync(LINES, bank, clock)
    bank.warehouse.unlink()
    monkeypatch.setattr(duckdb_module, "_FEWEST_MEGABYTES", 2)
    rebuild(bank, now=clock)
    assert len(_landed(bank)) == 30_000
    assert sync(LINES, bank, clock).rows == 0


def test_a_warehouse_is_not_mixed_from_two_lakes(bank: Settings, clock: Callable[[], datetime], tmp_path: Path) -> None:
    sync(LINES, bank, clock)
    elsewhere = Settings(**{**vars(bank), "lake": tmp_path / "another_lake"})
    with pytest.raises(WarehouseError, match="was loaded from another lake"):
        sync(LINES, elsewhere, clock)
    assert len(_landed(bank)) == 2


def test_a_foreign_file_in_the_lake_is_named_with_what_to_do(bank: Settings, clock: Callable[[], datetime]) -> None:
    sync(LINES, bank, clock)
    stray = Path(Lake(bank.lake).folder(LINES)) / "stray.parquet"
    stray.write_bytes(b"not parquet")
    with pytest.raises(LakeError, match=r"stray\.parquet is not a batch of the lake"):
        sync(LINES, bank, clock)


def test_a_batch_that_the_lake_has_lost_is_an_error_and_not_a_silent_gap(
    bank: Settings, clock: Callable[[], datetime]
) -> None:
    sync(LINES, bank, clock)
    (path,) = Lake(bank.lake).paths(LINES)
    Path(path).unlink()
    with pytest.raises(LakeError, match="1 batches that were loaded are gone from the lake"):
        sync(LINES, bank, clock)


def test_a_second_run_in_the_same_process_is_refused_with_a_sentence(
    bank: Settings, clock: Callable[[], datetime]
) -> None:
    with (
        sync_module.opened(bank, Lake(bank.lake)),
        pytest.raises(WarehouseError, match=r"another run is reading into .* wait for it to end"),
    ):
        sync(LINES, bank, clock)
