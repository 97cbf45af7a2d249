"""What every warehouse promises, asked of each: the embedded one, and BigQuery over the wire."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from ingestion.certificate import certify, land_certificates
from ingestion.lake import Batch, Lake, LakeError
from ingestion.payload import ENVELOPE, SCHEMAS, Row, envelope
from ingestion.settings import Secret, Settings, read_settings
from ingestion.sources.base import Measure, Window
from ingestion.streams import CERTIFICATES, Stream, stream_named
from ingestion.sync import discard, opened, rebuild, recover, sync
from ingestion.warehouses.base import WarehouseError
from sandbox.servers.http import Reply
from tests.emulator.warehouse import Project
from tests.ingestion.conftest import served

LINES, INVOICES, LEDGER = map(stream_named, ("bank.statement_lines", "orb.invoices", "orb.credit_ledger"))
WALLET = stream_named("app.wallet_transactions")
HEADER = "line_id,account_id,booked_on,value_on,amount,currency,description,reference,balance\n"
JULY = datetime(2026, 7, 1, tzinfo=UTC)
EVER = Window(None, datetime(2027, 1, 1, tzinfo=UTC), None)


@dataclass(frozen=True)
class Target:
    """A warehouse to be filled, and a way to look into it."""

    settings: Settings
    rows: Callable[[str], list[tuple[Any, ...]]]

    @property
    def lake(self) -> Lake:
        return Lake(self.settings.lake)


@pytest.fixture(params=["duckdb", "bigquery"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    statements = tmp_path / "statements"
    statements.mkdir()
    _statement(statements, "1", "2")
    environment: Mapping[str, str] = {"TIEOUT_HOME": str(tmp_path), "BANK_STATEMENTS": str(statements)}
    if request.param == "bigquery":
        project: Project = request.getfixturevalue("bigquery_project")
        return Target(read_settings({**environment, **project.environment}), project.rows)
    settings = read_settings(environment)

    def rows(query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            return connection.execute(query).fetchall()

    return Target(settings, rows)


@pytest.fixture
def clock() -> Callable[[], datetime]:
    """A clock that moves a second each time it is asked."""
    ticks: Iterator[datetime] = (JULY + timedelta(seconds=n) for n in range(10_000))
    return lambda: next(ticks)


def _statement(statements: Path, *line_ids: str, amount: str = "10.00") -> None:
    lines = (
        f"{line},usd,2026-07-01,2026-07-02,{amount},USD,STRIPE PAYOUT,ref{line},{count * Decimal(amount)}\n"
        for count, line in enumerate(line_ids, start=1)
    )
    (statements / "usd.csv").write_text(HEADER + "".join(lines))


def _landed(target: Target) -> list[tuple[Any, ...]]:
    rows = target.rows("select object_id, payload from raw_bank.statement_lines")
    return sorted((object_id, json.loads(payload)["amount"]) for object_id, payload in rows)


def _written(target: Target, stream: Stream, table: pa.Table, at: datetime) -> Batch:
    return target.lake.write(
        stream, table, cursor_from=None, cursor_to=None, api_version="1", started_at=at, finished_at=at
    )


def _objects(stream: Stream, *rows: Row) -> pa.Table:
    return envelope(stream, rows)[0]


def _invoice(number: int, status: str = "issued", total: str = "10.50") -> Row:
    fields = {
        "id": f"in_{number}",
        "status": status,
        "total": total,
        "currency": "USD",
        "invoice_date": f"2026-07-0{number}T10:00:00+00:00",
    }
    return Row(f"in_{number}", json.dumps(fields).encode(), "sweep", parent_id=f"c_{number % 2}")


def _movements(**amounts: str | None) -> pa.Table:
    return pa.table(
        {
            "id": list(amounts),
            "customer_id": ["acct_1"] * len(amounts),
            "amount": pa.array([value and Decimal(value) for value in amounts.values()], pa.decimal128(38, 9)),
            "occurred_at": pa.array([JULY + timedelta(hours=3)] * len(amounts), pa.timestamp("us", tz="UTC")),
        }
    )


class TestEveryWarehouse:
    def test_a_second_run_lands_only_what_is_new(self, target: Target, clock: Callable[[], datetime]) -> None:
        assert target.settings.bank_statements is not None
        assert sync(LINES, target.settings, clock).rows == 2
        assert sync(LINES, target.settings, clock).rows == 0
        _statement(target.settings.bank_statements, "1", "2", "3")
        assert sync(LINES, target.settings, clock).rows == 1
        assert [line for line, _ in _landed(target)] == ["usd/1", "usd/2", "usd/3"]

    def test_an_object_that_changes_and_changes_back_lands_each_time(
        self, target: Target, clock: Callable[[], datetime]
    ) -> None:
        assert target.settings.bank_statements is not None
        for amount in ("10.00", "11.00", "10.00"):
            _statement(target.settings.bank_statements, "1", amount=amount)
            assert sync(LINES, target.settings, clock).rows >= 1
        assert [amount for line, amount in _landed(target) if line == "usd/1"] == ["10.00", "10.00", "11.00"]
        assert sync(LINES, target.settings, clock).rows == 0

    def test_the_same_batch_loads_once_however_often_it_is_loaded(
        self, target: Target, clock: Callable[[], datetime]
    ) -> None:
        sync(LINES, target.settings, clock)
        (path,) = target.lake.paths(LINES)
        for _ in range(2):
            with opened(target.settings, target.lake) as warehouse:
                warehouse.load([target.lake.batch(path)] * 2, clock)
        assert len(_landed(target)) == 2
        assert target.rows("select count(*) from ingestion.batches where stream = 'statement_lines'") == [(1,)]

    def test_a_crash_between_lake_and_load_is_mended_by_the_next_run(
        self, target: Target, clock: Callable[[], datetime], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with opened(target.settings, target.lake) as warehouse:
            kind = type(warehouse)
        with monkeypatch.context() as patch:
            patch.setattr(kind, "load", _dies)
            with pytest.raises(KeyboardInterrupt):
                sync(LINES, target.settings, clock)
        assert len(target.lake.paths(LINES)) == 1
        assert sync(LINES, target.settings, clock).rows == 0
        assert len(_landed(target)) == 2

    def test_what_nobody_understands_is_kept_in_quarantine_byte_for_byte(self, target: Target) -> None:
        broken = b'{"id": "item_broken", "name": "\xff\xfe"}'
        page = b'{"data": [%s, {"id": "item_1"}], "pagination_metadata": {"has_more": false, "next_cursor": null}}'
        with served(lambda request: Reply(200, page % broken)) as base:
            connected = replace(target.settings, orb_api_key=Secret("orb_x"), orb_api_base=base)
            for rejected in (1, 0):
                result = sync(stream_named("orb.items"), connected)
                assert result.rejected == rejected
        assert target.rows("select object_id from raw_orb.items") == [("item_1",)]
        ((original, stream),) = target.rows("select original, stream from raw_quarantine.rejected")
        assert (original, stream) == (broken, "orb.items")

    def test_a_rebuild_from_the_lake_alone_brings_back_the_same_rows(
        self, target: Target, clock: Callable[[], datetime]
    ) -> None:
        assert target.settings.bank_statements is not None
        for amount in ("10.00", "11.00", "12.00"):
            _statement(target.settings.bank_statements, "1", amount=amount)
            certify(sync(LINES, target.settings, clock), target.settings, clock)
            land_certificates(target.settings, clock)
        everything = "select * from raw_bank.statement_lines order by object_id, batch_id"
        before = target.rows(everything)
        with opened(target.settings, target.lake) as warehouse:
            through = warehouse.certified_through(LINES)
        discard(target.settings)
        rebuild(target.settings, now=clock)
        assert target.rows(everything) == before
        assert sync(LINES, target.settings, clock).rows == 0
        with opened(target.settings, target.lake) as warehouse:
            assert warehouse.certified_through(LINES) == through

    def test_a_batch_that_the_lake_has_lost_is_an_error(self, target: Target, clock: Callable[[], datetime]) -> None:
        sync(LINES, target.settings, clock)
        (path,) = target.lake.paths(LINES)
        Path(path).unlink()
        with pytest.raises(LakeError, match="1 batches that were loaded are gone from the lake"):
            sync(LINES, target.settings, clock)

    def test_a_warehouse_is_not_mixed_from_two_lakes(
        self, target: Target, clock: Callable[[], datetime], tmp_path: Path
    ) -> None:
        sync(LINES, target.settings, clock)
        elsewhere = replace(target.settings, lake=tmp_path / "another_lake")
        with pytest.raises(WarehouseError, match="was loaded from another lake"):
            sync(LINES, elsewhere, clock)

    def test_a_certificate_counts_what_has_landed_and_lands_itself_once(
        self, target: Target, clock: Callable[[], datetime]
    ) -> None:
        for _ in range(2):
            assert certify(sync(LINES, target.settings, clock), target.settings, clock).is_complete
        land_certificates(target.settings, clock)
        land_certificates(target.settings, clock)
        assert len(target.lake.paths(CERTIFICATES)) == 1
        counted = "select measure, unit, source_value, landed_value from raw_tieout.certificates where day = date '2026-07-01'"
        assert sorted(target.rows(counted)) == [("amount", "USD", 20, 20), ("objects", None, 2, 2)]

    def test_a_crash_while_certificates_land_neither_loses_one_nor_lets_an_old_one_stand(
        self, target: Target, clock: Callable[[], datetime], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        certify(sync(LINES, target.settings, clock), target.settings, clock)
        with opened(target.settings, target.lake) as warehouse:
            kind = type(warehouse)
        with monkeypatch.context() as patch:
            patch.setattr(kind, "load", _dies)
            with pytest.raises(KeyboardInterrupt):
                land_certificates(target.settings, clock)
        certificate = certify(sync(LINES, target.settings, clock), target.settings, clock)
        land_certificates(target.settings, clock)
        with opened(target.settings, target.lake) as warehouse:
            assert warehouse.certified_through(LINES) == certificate.window.until
            assert warehouse.unlanded_certificates().num_rows == 0
        assert target.rows("select count(distinct certified_at) from raw_tieout.certificates") == [(2,)]

    def test_a_day_that_differs_holds_the_certificate_back(self, target: Target) -> None:
        rows = [
            (date(2026, 7, 2), "objects", None, "3", "3", JULY),
            (date(2026, 7, 3), "objects", None, "5", "4", JULY),
            (date(2026, 7, 3), "objects", None, "5", "5", JULY + timedelta(hours=1)),
            (date(2026, 7, 4), "amount", "USD", "1.5", "0", JULY + timedelta(hours=1)),
        ]
        with opened(target.settings, target.lake) as warehouse:
            warehouse.ensure(CERTIFICATES, SCHEMAS[CERTIFICATES])
            for row in rows:
                warehouse.certify(_certificates(row))
            assert warehouse.certified_through(LINES) == datetime(2026, 7, 4, tzinfo=UTC)
            assert warehouse.differing(LINES) == {
                Measure(date(2026, 7, 4), "amount", "USD"): (Decimal("1.5"), Decimal(0))
            }
            assert warehouse.unlanded_certificates().num_rows == 3

    def test_news_is_what_differs_from_the_newest_version(self, target: Target, clock: Callable[[], datetime]) -> None:
        with opened(target.settings, target.lake) as warehouse:
            first = _objects(INVOICES, _invoice(1), _invoice(2), _gone(9))
            assert _ids(warehouse.news(INVOICES, first)) == ["in_1", "in_2"]
            warehouse.load([_written(target, INVOICES, warehouse.news(INVOICES, first), JULY)], clock)
            again = _objects(INVOICES, _invoice(2), _invoice(1, "paid"), _invoice(3), _gone(2), _gone(8))
            assert _ids(warehouse.news(INVOICES, again)) == ["in_1", "in_3", "in_2"]

    def test_what_is_live_open_and_whose_is_known_of_the_newest_versions(
        self, target: Target, clock: Callable[[], datetime]
    ) -> None:
        with opened(target.settings, target.lake) as warehouse:
            batches = [
                _written(target, INVOICES, _objects(INVOICES, *map(_invoice, range(1, 6))), JULY),
                _written(
                    target,
                    INVOICES,
                    _objects(INVOICES, _invoice(1, "paid"), _invoice(2, "void", "3.25"), _gone(3)),
                    JULY + timedelta(hours=1),
                ),
            ]
            warehouse.load(batches, clock)
            assert warehouse.live_objects(INVOICES) == {"in_1", "in_2", "in_4", "in_5"}
            assert warehouse.open_objects(INVOICES) == {"in_4", "in_5"}
            assert warehouse.live_children(INVOICES, ["c_1", "c_7"]) == {"c_1": {"in_1", "in_5"}}
            assert warehouse.tally(INVOICES, EVER)[Measure(date(2026, 7, 2), "total", "USD")] == Decimal("3.25")
            since = Window(datetime(2026, 7, 4, tzinfo=UTC), datetime(2026, 7, 5, tzinfo=UTC), None)
            assert [item.object_id for item in warehouse.roster(INVOICES, since)] == ["in_4"]
            moment = JULY + timedelta(minutes=1)
            assert list(warehouse.known_batches(INVOICES, moment)) == [batches[0].manifest.batch_id]
            assert warehouse.batch_paths_since(INVOICES, batches[0].manifest.batch_id) == [
                (batches[1].manifest.batch_id, batches[1].path)
            ]

    def test_a_ledger_is_settled_up_to_its_first_open_entry(
        self, target: Target, clock: Callable[[], datetime]
    ) -> None:
        entries = [
            Row(
                f"e_{number}",
                f'{{"id":"e_{number}","ledger_sequence_number":{number},"entry_status":"{status}","currency":"USD"}}'.encode(),
                "sweep",
                parent_id="c_1",
            )
            for number, status in enumerate(("committed", "committed", "pending", "committed"), start=1)
        ]
        with opened(target.settings, target.lake) as warehouse:
            warehouse.load([_written(target, LEDGER, _objects(LEDGER, *entries), JULY)], clock)
            assert warehouse.settled_sequence(LEDGER) == {("c_1", "USD"): 2}

    def test_typed_rows_are_counted_in_their_newest_version_and_known_again(
        self, target: Target, clock: Callable[[], datetime]
    ) -> None:
        with opened(target.settings, target.lake) as warehouse:
            recover(WALLET, target.lake, warehouse, clock)  # nothing says yet which columns there are
            first, second = _movements(a="1.000000001", b="2.5"), _movements(b="3.5", c=None)
            for number, table in enumerate((first, second)):
                warehouse.load([_written(target, WALLET, table, JULY + timedelta(hours=number))], clock)
            warehouse.ensure(WALLET, first.schema)
            assert warehouse.tally(WALLET, EVER) == {
                Measure(JULY.date(), "objects"): Decimal(3),
                Measure(JULY.date(), "amount"): Decimal("4.500000001"),
            }
            assert {item.object_id for item in warehouse.roster(WALLET, EVER)} == {"a", "b", "c"}
            assert warehouse.unlanded(WALLET, _movements(a="1.000000001", b="2.5", d="1"))["id"].to_pylist() == [
                "b",
                "d",
            ]

    def test_a_column_that_a_source_table_gains_is_there_from_then_on(
        self, target: Target, clock: Callable[[], datetime]
    ) -> None:
        grown = _movements(b="2").append_column("note", pa.array(["new"]))
        with opened(target.settings, target.lake) as warehouse:
            for number, table in enumerate((_movements(a="1"), grown)):
                warehouse.load([_written(target, WALLET, table, JULY + timedelta(hours=number))], clock)
                warehouse.ensure(WALLET, table.schema)
        assert target.rows("select id, note from raw_app.wallet_transactions order by id") == [
            ("a", None),
            ("b", "new"),
        ]

    def test_a_table_that_nothing_has_landed_in_can_be_read(self, target: Target) -> None:
        with opened(target.settings, target.lake) as warehouse:
            warehouse.ensure(INVOICES, ENVELOPE)
        assert target.rows("select object_id, batch_id, read_at from raw_orb.invoices") == []

    def test_numbers_of_a_payload_are_kept_digit_for_digit(self, target: Target, clock: Callable[[], datetime]) -> None:
        exact = b'{"id":"in_1","amount":-0.123456789012345678901,"count":12345678901234567890123}'
        with opened(target.settings, target.lake) as warehouse:
            warehouse.load([_written(target, INVOICES, _objects(INVOICES, Row("in_1", exact, "sweep")), JULY)], clock)
            warehouse.ensure(INVOICES, ENVELOPE)
        ((payload,),) = target.rows("select payload from raw_orb.invoices")
        assert payload == '{"id":"in_1","amount":"-0.123456789012345678901","count":12345678901234567890123}'


def _dies(*_: object) -> None:
    raise KeyboardInterrupt


def _gone(number: int) -> Row:
    return Row(f"in_{number}", b"{}", "sweep", is_deleted=True)


def _ids(table: pa.Table) -> list[str]:
    ids: list[str] = table["object_id"].to_pylist()
    return ids


def _certificates(row: tuple[date, str, str | None, str, str, datetime]) -> pa.Table:
    day, measure, unit, said, landed, at = row
    return pa.Table.from_pylist(
        [
            {
                "stream": str(LINES),
                "day": day,
                "measure": measure,
                "unit": unit,
                "source_value": Decimal(said),
                "landed_value": Decimal(landed),
                "certified_from": None,
                "certified_through": datetime(2026, 7, 10, tzinfo=UTC),
                "certified_at": at,
            }
        ],
        schema=SCHEMAS[CERTIFICATES],
    )
