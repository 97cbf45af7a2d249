from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ingestion.certificate import Certificate, certify, land_certificates
from ingestion.lake import Lake
from ingestion.settings import Secret, Settings
from ingestion.streams import CERTIFICATES, stream_named
from ingestion.sync import opened, rebuild, sync
from ingestion.warehouses.duckdb import DuckDBWarehouse
from sandbox.servers.stripe import Stripe
from tests.ingestion.conftest import served, write_objects

KEY = "sk_test_hidden_from_everyone"
NOW = int(time.time())
DAY = 24 * 3600
CHARGES = stream_named("stripe.charges")


def _charge(number: int, created: int, amount: int = 100, currency: str = "usd") -> dict[str, Any]:
    return {"id": f"ch_{number}", "object": "charge", "created": created, "amount": amount, "currency": currency}


@pytest.fixture
def stripe(tmp_path: Path) -> Path:
    return tmp_path / "dataset" / "stripe"


@pytest.fixture
def run(settings: Settings, stripe: Path) -> Callable[[], Certificate]:
    """A run of one stream, from a server that has read the dataset as it is now."""

    def sync_and_certify() -> Certificate:
        with served(Stripe(stripe.parent, KEY)) as base:
            connected = Settings(**{**vars(settings), "stripe_api_key": Secret(KEY), "stripe_api_base": base})
            certificate = certify(sync(CHARGES, connected), connected)
            land_certificates(connected)
            return certificate

    return sync_and_certify


def _rows(settings: Settings, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_objects_and_money_are_counted_per_day_and_currency_on_both_sides(
    run: Callable[[], Certificate], stripe: Path, settings: Settings
) -> None:
    write_objects(stripe, charges=[_charge(1, NOW - DAY), _charge(2, NOW - DAY, 250), _charge(3, NOW - DAY, 7, "jpy")])
    assert run().is_complete
    assert _rows(
        settings, "select measure, unit, source_value, landed_value from raw_tieout.certificates order by measure, unit"
    ) == [("amount", "jpy", 7, 7), ("amount", "usd", 350, 350), ("objects", None, 3, 3)]


def test_an_object_that_the_sync_missed_is_found_and_read_again(
    run: Callable[[], Certificate], stripe: Path, settings: Settings
) -> None:
    write_objects(stripe, charges=[_charge(1, NOW - 60), _charge(2, NOW - 7200)], events=[])
    run()
    # created before the cursor, with no event: nothing that is read incrementally can show it
    write_objects(stripe, charges=[_charge(1, NOW - 60), _charge(2, NOW - 7200), _charge(3, NOW - 7000)], events=[])
    assert run().is_complete
    assert _rows(settings, "select object_id from raw_stripe.charges order by 1") == [("ch_1",), ("ch_2",), ("ch_3",)]


def test_an_object_that_the_source_no_longer_has_is_named_until_it_is_back(
    run: Callable[[], Certificate], stripe: Path, settings: Settings
) -> None:
    both = [_charge(1, NOW - 60), _charge(2, NOW - 7200)]
    write_objects(stripe, charges=both, events=[])
    run()
    write_objects(stripe, charges=both[:1], events=[])
    certificate = run()
    assert not certificate.is_complete
    assert "1 unknown on 1 days (ch_2)" in str(certificate)
    assert _rows(settings, "select object_id, difference, landed_amount from raw_tieout.differences") == [
        ("ch_2", "unknown", 100)
    ]
    write_objects(stripe, charges=both, events=[])
    assert run().is_complete


def test_what_reading_again_did_not_bring_is_not_read_for_again_until_something_else_differs(
    run: Callable[[], Certificate], stripe: Path, caplog: pytest.LogCaptureFixture
) -> None:
    charges = [_charge(number, NOW - 7200) for number in range(4)]
    for remaining, readings in ((4, 0), (3, 1), (3, 1), (2, 2)):
        write_objects(stripe, charges=charges[:remaining], events=[])
        assert run().is_complete == (remaining == 4)
        assert caplog.text.count("again from the beginning") == readings


def test_how_far_a_stream_is_certified_is_known_from_the_lake_alone(
    run: Callable[[], Certificate], stripe: Path, settings: Settings
) -> None:
    write_objects(stripe, charges=[_charge(1, NOW - 60)], events=[])
    until = run().window.until
    settings.warehouse.unlink()
    rebuild(settings)
    with opened(settings, Lake(settings.lake)) as warehouse:
        assert warehouse.certified_through(CHARGES) == until


def test_the_certificates_of_a_run_land_in_one_batch(settings: Settings, stripe: Path) -> None:
    write_objects(stripe, charges=[_charge(1, NOW - 60)], customers=[_charge(2, NOW - 60)], events=[])
    with served(Stripe(stripe.parent, KEY)) as base:
        connected = Settings(**{**vars(settings), "stripe_api_key": Secret(KEY), "stripe_api_base": base})
        for _ in range(2):
            for stream in (CHARGES, stream_named("stripe.customers")):
                certify(sync(stream, connected), connected)
            land_certificates(connected)
        land_certificates(connected)
    assert len(Lake(settings.lake).paths(CERTIFICATES)) == 2
    landed = _rows(
        settings, "select stream, count(distinct certified_at) from raw_tieout.certificates group by 1 order by 1"
    )
    assert landed == [("stripe.charges", 2), ("stripe.customers", 2)]


def test_a_crash_while_certificates_land_neither_loses_one_nor_puts_an_old_one_over_a_new_one(
    run: Callable[[], Certificate], settings: Settings, stripe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    write_objects(stripe, charges=[_charge(1, NOW - 60)], events=[])
    run()
    with monkeypatch.context() as patch:
        patch.setattr(DuckDBWarehouse, "load", dies)
        with pytest.raises(KeyboardInterrupt):
            run()
    until = run().window.until
    assert _rows(settings, "select count(distinct certified_at) from raw_tieout.certificates") == [(3,)]
    with opened(settings, Lake(settings.lake)) as warehouse:
        assert warehouse.certified_through(CHARGES) == until
        assert warehouse.unlanded_certificates().num_rows == 0


def test_the_next_certificate_counts_only_what_is_new_and_the_day_before(
    run: Callable[[], Certificate], stripe: Path
) -> None:
    write_objects(stripe, charges=[_charge(1, NOW - 40 * DAY), _charge(2, NOW - 60)], events=[])
    assert run().objects == 2
    assert run().objects == 1


@pytest.mark.parametrize("name", ["invoice_lines", "invoice_items", "payout_transactions"])
def test_a_stream_whose_objects_do_not_say_when_they_were_created_is_certified_again_and_again(
    settings: Settings, stripe: Path, name: str
) -> None:
    then = NOW - 40 * DAY
    line = {"id": "il_1", "object": "line_item", "amount": 5, "currency": "usd"}
    page = {"object": "list", "data": [line], "has_more": False, "url": "/v1/invoices/in_1/lines"}
    payout = {
        "id": "po_1",
        "object": "payout",
        "created": then,
        "automatic": True,
        "reconciliation_status": "completed",
    }
    write_objects(
        stripe,
        events=[],
        invoices=[{"id": "in_1", "object": "invoice", "created": then, "lines": page}],
        invoiceitems=[{"id": "ii_1", "object": "invoiceitem", "date": then, "amount": 5, "currency": "usd"}],
        payouts=[payout],
        balance_transactions=[{"id": "txn_1", "object": "balance_transaction", "created": then - 3 * DAY, "amount": 5}],
        payout_transactions=[{"payout": "po_1", "balance_transaction": "txn_1"}],
    )
    stream = stream_named(f"stripe.{name}")
    with served(Stripe(stripe.parent, KEY)) as base:
        connected = Settings(**{**vars(settings), "stripe_api_key": Secret(KEY), "stripe_api_base": base})
        for _ in range(2):
            result = sync(stream, connected)
            assert certify(result, connected).is_complete
