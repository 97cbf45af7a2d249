from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import psycopg
import pytest

from ingestion.certificate import certify
from ingestion.payload import SourceError
from ingestion.settings import Secret, Settings
from ingestion.sources.orb import _is_sampled
from ingestion.streams import stream_named
from ingestion.sync import SyncResult, sync
from sandbox.servers.http import Reply, Request
from sandbox.servers.orb import Orb
from tests.ingestion.conftest import landed, served, write_objects

KEY = "orb_test_hidden_from_everyone"
NOW = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
CUSTOMERS: list[dict[str, object]] = [
    {"id": f"c_{n}", "external_customer_id": f"acct_{n}", "created_at": "2026-07-01T00:00:00+00:00", "currency": "USD"}
    for n in range(3)
]

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# Another day: the first run of a UTC day is a sweep.
TOMORROW = NOW + DAY


class Run(Protocol):
    """One sync of a stream, at a moment, from a server that has read the dataset as it is now; certified if `certified`."""

    def __call__(self, name: str, at: datetime = NOW, *, certified: bool = False) -> SyncResult: ...


@pytest.fixture
def orb(tmp_path: Path) -> Path:
    return tmp_path / "dataset" / "orb"


@pytest.fixture
def asked() -> list[Request]:
    """What Orb was asked in the last run."""
    return []


@pytest.fixture
def run(settings: Settings, orb: Path, asked: list[Request]) -> Run:
    def sync_once(name: str, at: datetime = NOW, *, certified: bool = False) -> SyncResult:
        asked.clear()
        server = Orb(orb.parent, KEY, at)

        def answer(request: Request) -> Reply:
            asked.append(request)
            return server(request)

        with served(answer) as base:
            connected = _from(settings, base)
            result = sync(stream_named(f"orb.{name}"), connected, lambda: at)
            if certified:
                assert certify(result, connected, lambda: at).is_complete
            return result

    return sync_once


def _from(settings: Settings, base: str, key: str = KEY) -> Settings:
    return Settings(**{**vars(settings), "orb_api_key": Secret(key), "orb_api_base": f"{base}/v1"})


def _day(days_ago: int, quantity: object) -> dict[str, object]:
    start = NOW.replace(hour=0) - timedelta(days=days_ago)
    return {
        "quantity": quantity,
        "timeframe_start": start.isoformat(),
        "timeframe_end": (start + timedelta(days=1)).isoformat(),
    }


def _usage(*days: dict[str, object]) -> dict[str, Any]:
    start = (NOW.replace(hour=0) - timedelta(days=40)).isoformat()
    return {
        "subscriptions": [
            {
                "id": "s_1",
                "customer": {"id": "c_0", "timezone": "Etc/UTC"},
                "status": "active",
                "created_at": start,
                "start_date": start,
            }
        ],
        "subscription_usage": [
            {
                "subscription_id": "s_1",
                "billable_metric": {"id": "m_1", "name": "megapixels"},
                "view_mode": "periodic",
                "usage": list(days),
            }
        ],
    }


def test_drafts_and_voided_invoices_are_read_and_an_issued_one_lands_again(
    run: Run, orb: Path, settings: Settings
) -> None:
    invoices: list[dict[str, object]] = [
        {
            "id": f"i_{status}",
            "status": status,
            "invoice_date": NOW.isoformat(),
            "total": "1.00",
            "customer": {"id": "c_0"},
        }
        for status in ("draft", "issued", "paid", "synced", "void")
    ]
    write_objects(orb, invoices=invoices)
    assert run("invoices").rows == 5
    write_objects(orb, invoices=[{**invoices[0], "status": "issued"}, *invoices[1:]])
    assert run("invoices").rows == 1
    assert run("invoices").rows == 0
    versions = landed(settings, "raw_orb.invoices", "object_id, payload ->> 'status'")
    assert versions[-1] == ("i_draft", "issued")


def test_every_ledger_entry_of_every_customer_lands_with_its_digits(run: Run, orb: Path, settings: Settings) -> None:
    entries = [
        {
            "id": f"e_{customer['id']}_{n:04}",
            "customer": {"id": customer["id"]},
            "currency": unit,
            "amount": Decimal("0.12345678901234567890"),
            "ledger_sequence_number": n,
            "entry_status": "committed",
            "entry_type": "increment",
            "credit_block": {"id": "b_1"},
            "created_at": (NOW - timedelta(minutes=n)).isoformat(),
        }
        for customer in CUSTOMERS
        for n, unit in enumerate(["USD"] * 1100 + ["credits"] * 2)
    ]
    write_objects(orb, customers=CUSTOMERS, credit_ledger=entries)
    assert run("credit_ledger").rows == 3 * 1102
    assert run("credit_ledger").rows == 0
    rows = landed(
        settings,
        "raw_orb.credit_ledger",
        "distinct payload ->> 'amount', json_type(payload, '$.amount'), load_order, parent_id as object_id",
    )
    assert {row[:2] for row in rows} == {("0.12345678901234567890", "VARCHAR")}
    assert {row[3] for row in rows} == {"c_0", "c_1", "c_2"}


def test_a_day_without_usage_lands_only_where_usage_stood_before(run: Run, orb: Path, settings: Settings) -> None:
    write_objects(orb, **_usage(_day(3, Decimal("41.50")), _day(2, 7)))
    assert run("subscription_usage").rows == 2
    write_objects(orb, **_usage(_day(3, Decimal("41.50"))))
    assert run("subscription_usage").rows == 1
    assert run("subscription_usage").rows == 0
    rows = landed(
        settings, "raw_orb.subscription_usage", "payload ->> '$.usage.quantity', is_deleted, parent_id, object_id"
    )
    assert [row[:3] for row in rows] == [("41.50", False, "s_1"), ("7", False, "s_1"), ("0", True, "s_1")]


def test_usage_corrected_within_the_look_back_lands_again(run: Run, orb: Path, settings: Settings) -> None:
    write_objects(orb, **_usage(_day(30, 5)))
    run("subscription_usage")
    write_objects(orb, **_usage(_day(30, 6)))
    assert run("subscription_usage").rows == 1


def test_every_hour_of_the_event_volume_lands_once(run: Run, orb: Path, settings: Settings) -> None:
    hours = [
        {
            "timeframe_start": (NOW - timedelta(hours=n)).isoformat(),
            "timeframe_end": (NOW - timedelta(hours=n - 1)).isoformat(),
            "count": n,
        }
        for n in range(1, 300)
    ]
    write_objects(orb, event_volume=hours, subscriptions=_usage()["subscriptions"])
    assert run("event_volume").rows == 299
    assert run("event_volume").rows == 0


def test_the_sampled_events_are_looked_up_by_id_however_old_they_are(
    run: Run, orb: Path, settings: Settings, database: str
) -> None:
    occurred_at = NOW - timedelta(days=100)
    ids = [f"event_{n}" for n in range(2000)]
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("create table usage_events (event_id text primary key, occurred_at timestamptz)")
        connection.execute("insert into usage_events select unnest(%s::text[]), %s", [ids, occurred_at])
    sync(stream_named("app.usage_events"), Settings(**{**vars(settings), "app_database_url": Secret(database)}))
    events = [
        {
            "id": event_id,
            "event_name": "image",
            "timestamp": occurred_at.isoformat(),
            "properties": {},
            "deprecated": False,
        }
        for event_id in ids
    ]
    write_objects(orb, events=events)
    sampled = [event_id for event_id in ids if _is_sampled(event_id)]
    assert 5 < len(sampled) < 60
    assert run("events").rows == len(sampled)
    assert run("events").rows == 0
    assert {row[0] for row in landed(settings, "raw_orb.events")} == set(sampled)


def test_a_refused_key_is_one_sentence_with_the_variable_and_without_the_key(orb: Path, settings: Settings) -> None:
    write_objects(orb, items=[])
    with served(Orb(orb.parent, KEY, NOW)) as base, pytest.raises(SourceError, match=r"check ORB_API_KEY\.") as raised:
        sync(stream_named("orb.items"), _from(settings, base, "wrong_and_hidden"))
    assert "wrong_and_hidden" not in str(raised.value)


def test_a_list_that_never_ends_is_refused(settings: Settings) -> None:
    def repeats(request: Request) -> Reply:
        return Reply(200, b'{"data": [{"id": "a"}], "pagination_metadata": {"has_more": true, "next_cursor": "x"}}')

    with served(repeats) as base, pytest.raises(SourceError, match="without a new next_cursor"):
        sync(stream_named("orb.items"), _from(settings, base))
    assert landed(settings, "raw_orb.items") == []


@pytest.mark.parametrize("second", [b'{"data": [{"id": "b"}]', b'{"data": []'], ids=["A, B, A", "an empty page"])
def test_a_list_that_leads_nowhere_is_refused(settings: Settings, second: bytes) -> None:
    def leads_nowhere(request: Request) -> Reply:
        data, cursor = (second, b"a") if ("cursor", "b") in request.query else (b'{"data": [{"id": "a"}]', b"b")
        return Reply(200, data + b', "pagination_metadata": {"has_more": true, "next_cursor": "%s"}}' % cursor)

    with served(leads_nowhere) as base, pytest.raises(SourceError, match="without a new next_cursor"):
        sync(stream_named("orb.items"), _from(settings, base))


def test_street_addresses_do_not_reach_the_lake(run: Run, orb: Path, settings: Settings) -> None:
    address = {"line1": "1 Secret Street", "line2": None, "postal_code": "SE1", "country": "GB"}
    write_objects(orb, customers=[{**CUSTOMERS[0], "billing_address": address}])
    run("customers")
    ((payload,),) = landed(settings, "raw_orb.customers", "payload")
    assert "Secret" not in str(payload)
    assert '"country":"GB"' in str(payload)
