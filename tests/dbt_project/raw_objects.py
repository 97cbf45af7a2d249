"""What lands in raw for the staging tests: Stripe's own fixtures, and objects made by hand, each for one trap."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from tests.dbt_project.staging_expectations import FIXTURE_PAYOUT, STRIPE

_FIXTURES = Path(__file__).parents[2] / "../shared/specs/stripe-fixtures.json"

RATED_MODELS = (
    "unit",
    "package",
    "package_with_allocation",
    "tiered",
    "tiered_package",
    "bulk",
    "matrix",
    "threshold_total_amount",
    "percent",
)

JULY, AUGUST, SEPTEMBER = (datetime(2026, month, 1, tzinfo=UTC) for month in (7, 8, 9))


@dataclass(frozen=True)
class Landed:
    """One version of an object in raw. `document` is the API's JSON text, verbatim."""

    object_id: str
    document: str
    parent_id: str | None = None
    is_deleted: bool = False
    batch_id: str = "batch_1"
    read_at: datetime = JULY
    origin: str = "backfill"


def fixtures() -> Mapping[str, dict[str, Any]]:
    """Stripe's example objects by resource; empty where ../shared is not there."""
    if not _FIXTURES.exists():
        return {}
    resources: dict[str, dict[str, Any]] = json.loads(_FIXTURES.read_text(), parse_float=Decimal)["resources"]
    return resources


def _fixture_rows(stream: str) -> list[Landed]:
    staged, found = STRIPE[stream], fixtures().get(STRIPE[stream].resource)
    if found is None:
        return []
    parent = {"invoice_lines": found.get("invoice"), "payout_transactions": FIXTURE_PAYOUT}.get(stream)
    return [Landed(str(staged.key(found)), json.dumps(found, default=float), parent)]


_BY_HAND: Mapping[tuple[str, str], Sequence[Landed]] = {
    ("stripe", "customers"): [
        Landed("cus_renamed", '{"id":"cus_renamed","name":"Before"}'),
        Landed("cus_renamed", '{"id":"cus_renamed","name":"After"}', read_at=AUGUST, batch_id="batch_2"),
        Landed("cus_gone", '{"id":"cus_gone","name":"Gone"}'),
        Landed("cus_gone", '{"id":"cus_gone","deleted":true}', is_deleted=True, read_at=AUGUST, batch_id="batch_2"),
        Landed("cus_back", '{"id":"cus_back","name":"First"}'),
        Landed("cus_back", '{"id":"cus_back","deleted":true}', is_deleted=True, read_at=AUGUST, batch_id="batch_2"),
        Landed("cus_back", '{"id":"cus_back","name":"Again"}', read_at=SEPTEMBER, batch_id="batch_3"),
        Landed("cus_stub", '{"id":"cus_stub","deleted":true}', is_deleted=True, origin="event"),
        Landed("cus_tie", '{"id":"cus_tie","name":"Earlier batch"}', batch_id="batch_1"),
        Landed("cus_tie", '{"id":"cus_tie","name":"Later batch"}', batch_id="batch_2"),
        Landed(
            "cus_edge", '{"id":"cus_edge","name":"O\'Hara \\"Z\\u00fcrich\\" \\\\ {x}","email":null,"address":null}'
        ),
    ],
    ("stripe", "invoices"): [
        Landed(
            "in_before_2025",
            '{"id":"in_before_2025","customer":"cus_1","charge":"ch_before_2025","payment_intent":"pi_before_2025",'
            '"subscription":"sub_before_2025","paid_out_of_band":true,"status":"paid","currency":"jpy","total":1999,'
            '"total_excluding_tax":1817,"amount_due":1999,"amount_paid":1999,"livemode":true,"created":1735689600}',
        ),
    ],
    ("stripe", "charges"): [
        Landed(
            "ch_before_2025",
            '{"id":"ch_before_2025","invoice":"in_before_2025","currency":"bhd","amount":12345,"amount_refunded":5,'
            '"status":"succeeded","livemode":true,"created":1735689600}',
        ),
    ],
    ("stripe", "prices"): [
        Landed(
            "price_tiny", '{"id":"price_tiny","product":"p","currency":"usd","unit_amount_decimal":"0.000000000001"}'
        ),
    ],
    ("stripe", "balance_transactions"): [
        Landed(
            "txn_converted",
            '{"id":"txn_converted","type":"charge","currency":"eur","amount":-1,"fee":0,"net":-1,"exchange_rate":1.12345678901}',
        ),
    ],
    ("orb", "customers"): [
        Landed("orb_1", '{"id":"orb_1","external_customer_id":"acct_1","currency":"usd","balance":"-0.10"}'),
    ],
    ("orb", "items"): [
        Landed(
            "item_1",
            '{"id":"item_1","metadata":{"product_code":"text_input"},"external_connections":['
            '{"external_connection_name":"netsuite","external_entity_id":"ns_1"},'
            '{"external_connection_name":"stripe","external_entity_id":"prod_1"}]}',
        ),
        Landed("item_2", '{"id":"item_2","metadata":{},"external_connections":[]}'),
    ],
    ("orb", "prices"): [
        Landed(f"price_{model}", f'{{"id":"price_{model}","model_type":"{model}","{model}_config":{{"of":"{model}"}}}}')
        for model in RATED_MODELS
    ],
    ("orb", "invoices"): [
        Landed(
            "inv_1",
            '{"id":"inv_1","status":"draft","currency":"USD","customer":{"id":"orb_1"},"subtotal":"3.00","total":"3.00",'
            '"amount_due":"3.00","line_items":[{"id":"line_1","amount":"1.00","quantity":1,"adjustments":[],"tax_amounts":[]},'
            '{"id":"line_draft_only","amount":"2.00","quantity":1,"adjustments":[],"tax_amounts":[]}],"payment_attempts":[]}',
        ),
        Landed(
            "inv_1",
            '{"id":"inv_1","status":"synced","currency":"USD","customer":{"id":"orb_1","external_customer_id":"acct_1"},'
            '"subscription":{"id":"sub_1"},"subtotal":"100.123456789","total":"99.00","amount_due":"99.00",'
            '"invoice_date":"2026-08-01T00:00:00+00:00","issued_at":"2026-08-01T12:34:56.789012+00:00","line_items":['
            '{"id":"line_1","name":"Input tokens","amount":"99.00","subtotal":"100.123456789","adjusted_subtotal":"90.111",'
            '"credits_applied":"0.00","partially_invoiced_amount":"0.00","quantity":12345678901.123456789012345678,'
            '"start_date":"2026-07-01T00:00:00+00:00","end_date":"2026-08-01T00:00:00+00:00","grouping":null,'
            '"price":{"id":"price_tiered","item":{"id":"item_1"},"billable_metric":{"id":"metric_1"},"model_type":"tiered",'
            '"price_type":"usage_price","tiered_config":{"tiers":[{"first_unit":0,"last_unit":null,"unit_amount":"0.0000000001"}]}},'
            '"adjustments":[{"adjustment_type":"percentage_discount","amount":"-10.012345678"},'
            '{"adjustment_type":"tiered_percentage_discount","amount":"-0.000000001"},'
            '{"adjustment_type":"minimum","amount":"5.5"},{"adjustment_type":"usage_discount","amount":"-1"}],'
            '"tax_amounts":[{"amount":"8.88"},{"amount":"0.009"}],"sub_line_items":[{"type":"tier","amount":"1"}]},'
            '{"id":"line_2","amount":"0.00","quantity":0,"adjustments":[],"tax_amounts":[],"price":null}],'
            '"payment_attempts":[{"id":"try_1","payment_provider":"stripe","payment_provider_id":"pi_1","amount":"99.00",'
            '"succeeded":false,"created_at":"2026-08-02T00:00:00Z"},{"id":"try_2","payment_provider":"stripe",'
            '"payment_provider_id":"pi_1","amount":"99.00","succeeded":true,"created_at":"2026-08-03T09:00:00+09:00"}]}',
            read_at=AUGUST,
            batch_id="batch_2",
        ),
    ],
    ("orb", "credit_ledger"): [
        Landed(
            "entry_1",
            '{"id":"entry_1","ledger_sequence_number":7,"customer":{"id":"orb_1"},"currency":"USD","amount":-0.100000001,'
            '"starting_balance":12345678901234567.123456789,"ending_balance":12345678901234567.023456788,"entry_type":"decrement",'
            '"credit_block":{"id":"block_1","per_unit_cost_basis":"1.00","expiry_date":null},"created_at":"2026-08-01T00:00:00Z"}',
            "orb_1",
        ),
        Landed(
            "entry_2",
            '{"id":"entry_2","ledger_sequence_number":8,"customer":{"id":"orb_1"},"currency":"USD","amount":1e-7,'
            '"starting_balance":0,"ending_balance":1e-7,"entry_type":"increment","metadata":{"payment_intent":"pi_2"}}',
            "orb_1",
        ),
    ],
    ("orb", "subscription_usage"): [
        Landed(
            f"sub_1/metric_1/2026-07-0{day}",
            f'{{"subscription_id":"sub_1","billable_metric":{{"id":"metric_1","name":"megapixels"}},"usage":{{"quantity":{quantity},'
            f'"timeframe_start":"2026-07-0{day}T00:00:00+00:00","timeframe_end":"2026-07-0{day + 1}T00:00:00+00:00"}}}}',
            "sub_1",
        )
        for day, quantity in ((1, "0.123456789012345678"), (2, "98765432109876"))
    ],
    ("app", "customers"): [
        Landed("acct_1", '{"id":"acct_1","currency":"USD","account_type":"customer","deleted_at":null}'),
        Landed("acct_2", '{"id":"acct_2","currency":"USD","deleted_at":"2026-07-02T00:00:00+00:00"}'),
    ],
    ("app", "contracts"): [
        Landed(
            "contract_1",
            '{"id":"contract_1","customer_id":"acct_2","currency":"EUR","start_date":"2026-07-01","end_date":null,'
            '"monthly_commitment":1000.100000001,"discount_percent":12.5,"net_terms_days":30,"price_overrides":{"text_input":{"a":1}},'
            '"adjustments":[{"adjustment_type":"maximum","value":60.5}]}',
        ),
    ],
    ("app", "exchange_rates"): [
        Landed(
            "jpy_usd_2026-07-01",
            '{"id":"jpy_usd_2026-07-01","currency":"jpy","quote_currency":"USD","rate":0.006712340000000001,'
            '"publisher":"H.10","published_on":"2026-07-01"}',
        ),
    ],
    ("app", "serving_costs"): [
        Landed(
            "text_input/any",
            '{"id":"text_input/any","product_code":"text_input","model":null,"unit_cost":0.000006123456789012,"currency":"USD",'
            '"effective_from":"2026-01-01","effective_to":null}',
        ),
    ],
    ("bank", "statement_lines"): [
        Landed(
            "usd/1",
            '{"line_id":"1","account_id":"usd","booked_on":"2026-07-03","value_on":"","amount":"1234.50",'
            '"currency":"USD","description":"STRIPE PAYOUT","reference":"","balance":""}',
        ),
        Landed(
            "usd/2",
            '{"line_id":"2","account_id":"usd","booked_on":"2026-07-04","value_on":"2026-07-04","amount":"-1",'
            '"currency":"USD","description":"Sweep","reference":"R","balance":"0.5"}',
        ),
    ],
}

OBJECTS: Mapping[tuple[str, str], Sequence[Landed]] = {
    **_BY_HAND,
    **{("stripe", stream): [*_fixture_rows(stream), *_BY_HAND.get(("stripe", stream), ())] for stream in STRIPE},
}

_AMOUNT, _QUANTITY, _INSTANT = pa.decimal128(38, 9), pa.decimal128(18, 6), pa.timestamp("us", tz="UTC")

USAGE_EVENTS = pa.table(
    {
        "event_id": ["event_1", "event_1", "event_2"],
        "customer_id": ["acct_1"] * 3,
        "event_name": ["text_generation", "text_generation", "image_generation"],
        "model": ["small"] * 3,
        "input_tokens": pa.array([1, 2, None], pa.int64()),
        "output_tokens": pa.array([1, 1, None], pa.int64()),
        "megapixels": pa.array([None, None, Decimal("1.500001")], _QUANTITY),
        "video_seconds": pa.array([None] * 3, _QUANTITY),
        "gpu_seconds": pa.array([None] * 3, _QUANTITY),
        "occurred_at": pa.array([JULY] * 3, _INSTANT),
        "recorded_at": pa.array([JULY] * 3, _INSTANT),
        "batch_id": ["batch_1", "batch_2", "batch_2"],
        "read_at": pa.array([JULY, AUGUST, AUGUST], _INSTANT),
    }
)

WALLET_TRANSACTIONS = pa.table(
    {
        "id": ["wallet_1"],
        "customer_id": ["acct_1"],
        "kind": ["usage"],
        "amount": pa.array([Decimal("-0.000000001")], _AMOUNT),
        "currency": ["JPY"],
        "stripe_payment_intent_id": pa.array([None], pa.string()),
        "occurred_at": pa.array([JULY], _INSTANT),
        "recorded_at": pa.array([JULY], _INSTANT),
        "batch_id": ["batch_1"],
        "read_at": pa.array([JULY], _INSTANT),
    }
)

TYPED = {"usage_events": USAGE_EVENTS, "wallet_transactions": WALLET_TRANSACTIONS}
LANDING = (pa.field("batch_id", pa.string()), pa.field("read_at", pa.timestamp("us", tz="UTC")))
"""What the lake adds to every row."""
