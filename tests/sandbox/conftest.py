"""A company small enough to write by hand, and the real one's servers on it, once per session."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from sandbox.serve import Company, serve
from sandbox.servers.http import Reply, Request

NOW = datetime(2026, 11, 20, tzinfo=UTC)
# More digits than a float holds: whoever reads and writes this number again changes it.
EXACT = "0.12345678901234567890123"


def write_lines(path: Path, objects: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(value) + "\n" for value in objects)
    path.write_text(text.replace('"EXACT"', EXACT))


class Direct(httpx.BaseTransport):
    """Hands a client's requests to an API in this process."""

    def __init__(self, api: Callable[[Request], Reply]) -> None:
        self._api = api

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        query = parse_qsl(request.url.query.decode(), keep_blank_values=True)
        reply = self._api(Request(request.method, request.url.path, query, request.headers, request.read()))
        headers = {"content-type": "application/json", **reply.headers}
        return httpx.Response(reply.status, headers=headers, content=reply.body)


def client(api: Callable[[Request], Reply], key: str | None, path: str = "") -> httpx.Client:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return httpx.Client(transport=Direct(api), base_url=f"http://sandbox{path}", headers=headers)


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _stripe(folder: Path) -> None:
    def objects(kind: str, prefix: str, count: int, **fields: Any) -> list[dict[str, Any]]:
        """`count` objects, two to each second of creation; a field that is a function is called with the number."""
        return [
            {"id": f"{prefix}_{n:03d}", "object": kind, "created": 1_790_000_000 + n // 2}
            | {name: value(n) if callable(value) else value for name, value in fields.items()}
            for n in range(count)
        ]

    def customer(n: int) -> str:
        return f"cus_{n % 5:03d}"

    lines = [
        {"id": f"il_{n:03d}", "object": "line_item", "invoice": "in_000", "amount": n, "subscription": None}
        for n in range(23)
    ]
    resources = {
        "customers": [
            *objects("customer", "cus", 27, email=lambda n: f"{n}@example.com", metadata={"rate": "EXACT"}),
            {"id": "cus_gone", "object": "customer", "deleted": True},
        ],
        "products": objects("product", "prod", 12, active=lambda n: n % 2 == 0, url=None, default_price=None),
        "prices": objects(
            "price",
            "price",
            12,
            active=True,
            currency=lambda n: "usd" if n % 3 else "eur",
            lookup_key=lambda n: f"key_{n}",
            product=lambda n: f"prod_{n:03d}",
            type=lambda n: "recurring" if n % 2 else "one_time",
            recurring=lambda n: {"interval": "month", "usage_type": "licensed"} if n % 2 else None,
        ),
        "subscriptions": objects(
            "subscription",
            "sub",
            12,
            customer=customer,
            status=lambda n: ("active", "past_due", "canceled", "incomplete_expired")[n % 4],
            latest_invoice="in_001",
            items=lambda n: {
                "object": "list",
                "data": [
                    {
                        "id": f"si_{n}",
                        "object": "subscription_item",
                        "current_period_end": 1_790_000_000 + n,
                        "price": {"id": f"price_{n:03d}", "object": "price", "product": f"prod_{n:03d}"},
                    }
                ],
            },
        ),
        "invoices": objects(
            "invoice",
            "in",
            31,
            customer=customer,
            status=lambda n: "paid" if n % 2 else "open",
            due_date=lambda n: 1_790_100_000 + n if n % 3 else None,
            parent=lambda n: {"subscription_details": {"subscription": "sub_000"}} if n < 4 else None,
            lines=lambda n: {
                "object": "list",
                "data": lines[:10]
                if n == 0
                else [{"id": f"il_{n}_only", "object": "line_item", "invoice": f"in_{n:03d}"}],
                "has_more": n == 0,
            },
        ),
        "invoice_lines": lines,
        "invoice_payments": objects(
            "invoice_payment",
            "inpay",
            15,
            invoice=lambda n: f"in_{n:03d}",
            payment=lambda n: {"type": "payment_intent", "payment_intent": f"pi_{n:03d}"},
            status=lambda n: "paid" if n % 2 else "open",
        ),
        "invoiceitems": [
            {**item, "date": item.pop("created")}
            for item in objects(
                "invoiceitem", "ii", 11, customer=customer, invoice=lambda n: "in_001" if n % 2 else None
            )
        ],
        "credit_notes": objects(
            "credit_note",
            "cn",
            11,
            customer=customer,
            invoice=lambda n: f"in_{n:03d}",
            lines=lambda n: {
                "object": "list",
                "data": [{"id": f"cnli_{n}_{m}", "object": "credit_note_line_item", "amount": m} for m in range(3)],
                "has_more": False,
            },
        ),
        "charges": objects(
            "charge",
            "ch",
            123,
            customer=customer,
            payment_intent=lambda n: f"pi_{n:03d}" if n < 40 else None,
            balance_transaction=lambda n: f"txn_{n:03d}",
            transfer_group=None,
            metadata={"rate": "EXACT"},
        ),
        "payment_intents": objects(
            "payment_intent", "pi", 40, customer=customer, latest_charge=lambda n: f"ch_{n:03d}"
        ),
        "refunds": objects("refund", "re", 14, charge=lambda n: f"ch_{n % 2:03d}", payment_intent="pi_001"),
        "disputes": objects(
            "dispute", "du", 11, charge=lambda n: f"ch_{n:03d}", payment_intent=lambda n: f"pi_{n:03d}"
        ),
        "balance_transactions": objects(
            "balance_transaction",
            "txn",
            130,
            source=lambda n: f"ch_{n:03d}" if n < 123 else f"po_{n - 123:03d}",
            currency=lambda n: "usd" if n % 2 else "jpy",
            type=lambda n: "charge" if n < 123 else "payout",
            exchange_rate="EXACT",
        ),
        "payouts": objects(
            "payout",
            "po",
            11,
            automatic=lambda n: n < 10,
            arrival_date=lambda n: 1_790_200_000 + n,
            status="paid",
            destination="ba_1",
        ),
        "payout_transactions": [
            {"payout": f"po_{n % 5:03d}", "balance_transaction": f"txn_{n:03d}"} for n in range(100)
        ],
        "events": objects(
            "event",
            "evt",
            25,
            type=lambda n: ("charge.succeeded", "charge.refunded", "invoice.paid")[n % 3],
            pending_webhooks=lambda n: n % 2,
            data=lambda n: {"object": {"id": f"ch_{n:03d}", "object": "charge"}},
        ),
    }
    for name, values in resources.items():
        write_lines(folder / f"{name}.jsonl", values)


def _orb(folder: Path) -> None:
    def objects(prefix: str, count: int, **fields: Any) -> list[dict[str, Any]]:
        return [
            {"id": f"{prefix}_{n:03d}", "created_at": f"2026-07-{1 + n // 2:02d}T00:00:00+00:00"}
            | {name: value(n) if callable(value) else value for name, value in fields.items()}
            for n in range(count)
        ]

    def customer(n: int) -> dict[str, str]:
        return {"id": f"cust_{n % 3:03d}", "external_customer_id": f"acct_{n % 3:04d}"}

    usage = [
        {
            "quantity": "EXACT",
            "timeframe_start": "2026-08-02T00:00:00+00:00",
            "timeframe_end": "2026-08-03T00:00:00+00:00",
        },
        {"quantity": 5, "timeframe_start": "2026-08-04T00:00:00+00:00", "timeframe_end": "2026-08-05T00:00:00+00:00"},
    ]
    resources = {
        "customers": objects(
            "cust",
            23,
            external_customer_id=lambda n: f"acct_{n:04d}",
            timezone="UTC",
            currency=lambda n: "JPY" if n == 2 else "USD",
        ),
        "plans": objects("plan", 21, status=lambda n: "active" if n % 2 else "archived", external_plan_id=lambda n: f"ext_{n}"),
        "prices": objects("pr", 21, external_price_id=lambda n: f"ext_{n}", unit_config={"unit_amount": "0.001"}),
        "items": objects("item", 21),
        "metrics": [
            {"id": f"met_{n:03d}", "item": {"id": "item_000", "created_at": f"2026-07-{n + 1:02d}T00:00:00+00:00"}}
            for n in range(21)
        ],
        "subscriptions": objects(
            "subs",
            24,
            customer=lambda n: {**customer(n), "timezone": "UTC"},
            plan=lambda n: {"id": f"plan_{n % 2:03d}", "external_plan_id": f"ext_{n % 2}"},
            status=lambda n: ("active", "ended", "upcoming")[n // 8],
            current_billing_period_start_date="2026-08-01T00:00:00+00:00",
            current_billing_period_end_date="2026-09-01T00:00:00+00:00",
        ),
        "invoices": objects(
            "inv",
            45,
            customer=customer,
            subscription=lambda n: {"id": f"subs_{n % 24:03d}"},
            status=lambda n: ("draft", "issued", "paid", "synced", "void")[n % 5],
            invoice_date=lambda n: f"2026-{8 + n % 3:02d}-01T00:00:00+00:00",
            due_date=lambda n: f"2026-{9 + n % 3:02d}-01T00:00:00+00:00" if n % 5 else None,
            total=lambda n: f"{n}.50",
            invoice_source=lambda n: "subscription" if n % 2 else "one_off",
        ),
        "credit_notes": objects("crn", 21, customer=customer),
        "backfills": objects("bf", 21),
        "credit_ledger": objects(
            "led", 40,
            ledger_sequence_number=lambda n: n,
            customer=customer,
            entry_type=lambda n: "increment" if n < 6 else "decrement",
            entry_status=lambda n: "committed" if n % 4 else "pending",
            currency=lambda n: "JPY" if n % 3 == 2 else "USD",
            amount=lambda n: "EXACT" if n < 6 else -n,
            credit_block=lambda n: {"id": f"block_{n % 6:03d}"},
        ),
        "credit_blocks": [
            {
                "customer_id": f"cust_{n % 3:03d}",
                "id": f"block_{n:03d}",
                "balance": "EXACT" if n < 4 else 0,
                "effective_date": "2026-07-01T00:00:00+00:00",
                "expiry_date": "2026-10-01T00:00:00+00:00" if n == 3 else None,
            }
            for n in range(6)
        ],
        "subscription_usage": [
            {"subscription_id": "subs_000", "billable_metric": {"id": f"met_{n:03d}", "name": "m"}, "usage": usage}
            for n in range(2)
        ],
        "event_volume": [
            {"timeframe_start": f"2026-08-01T{h}:00:00+00:00", "timeframe_end": f"2026-08-01T{h + 1}:00:00+00:00", "count": h}
            for h in (13, 15)
        ],
        "events": [
            {
                "id": f"event_{n:04d}",
                "event_name": "gpu_job",
                "timestamp": f"2026-{10 + n % 2}-{15 + n % 10}T00:00:00+00:00",
                "properties": {"gpu_seconds": "EXACT"},
            }
            for n in range(700)
        ],
    }  # fmt: skip
    for name, values in resources.items():
        write_lines(folder / f"{name}.jsonl", values)


def _app(folder: Path) -> None:
    folder.mkdir()
    tables = {
        "usage_events": {
            "event_id": ["event_1", "event_2"],
            "customer_id": ["acct_0000", "acct_0001"],
            "event_name": ["text_generation", "image_generation"],
            "model": ["small", None],
            "input_tokens": pa.array([2**53 + 1, None], pa.int64()),
            "megapixels": pa.array([None, Decimal("123456789012.123456")], pa.decimal128(18, 6)),
            "occurred_at": pa.array([datetime(2026, 7, 1, 0, 0, 0, 1, UTC), NOW], pa.timestamp("us", "UTC")),
            "recorded_at": pa.array([NOW, NOW], pa.timestamp("us", "UTC")),
        },
        "price_book": {
            "id": ["pb_1"],
            "product_code": ['quoted "and", comma'],
            "product_name": [""],
            "price_model": ["unit"],
            "currency": ["JPY"],
            "config": ['{"unit_amount": 0.12345678901234567890123}'],
            "effective_from": pa.array([date(2026, 7, 1)], pa.date32()),
            "updated_at": pa.array([NOW], pa.timestamp("us", "UTC")),
        },
        "wallet_transactions": {
            "id": ["wt_1"],
            "customer_id": ["acct_0000"],
            "kind": ["usage"],
            "amount": pa.array([Decimal("-12345678901234567890123456789.123456789")], pa.decimal128(38, 9)),
            "currency": ["USD"],
            "occurred_at": pa.array([NOW], pa.timestamp("us", "UTC")),
            "recorded_at": pa.array([NOW], pa.timestamp("us", "UTC")),
        },
    }
    for name, columns in tables.items():
        parquet.write_table(pa.table(columns), folder / f"{name}.parquet")


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dataset")
    (folder / "dataset.json").write_text(json.dumps({"now": NOW.isoformat()}))
    _stripe(folder / "stripe")
    _orb(folder / "orb")
    _app(folder / "app")
    (folder / "bank").mkdir()
    return folder


@pytest.fixture(scope="session")
def company(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    with serve(dataset, tmp_path_factory.mktemp("state")) as opened:
        yield opened
