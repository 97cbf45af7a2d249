"""Every object is one that the APIs' own documents allow."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from tests.sandbox.world.conftest import Dataset, shared

STRIPE = {
    "customers": "customer",
    "products": "product",
    "prices": "price",
    "subscriptions": "subscription",
    "invoices": "invoice",
    "invoice_lines": "line_item",
    "invoice_payments": "invoice_payment",
    "invoiceitems": "invoiceitem",
    "credit_notes": "credit_note",
    "charges": "charge",
    "payment_intents": "payment_intent",
    "refunds": "refund",
    "disputes": "dispute",
    "balance_transactions": "balance_transaction",
    "payouts": "payout",
    "events": "event",
}
ORB = {
    "customers": "Customer",
    "plans": "Plan",
    "prices": "Price",
    "items": "Item",
    "metrics": "BillableMetric",
    "subscriptions": "Subscription",
    "invoices": "Invoice",
    "credit_notes": "CreditNote",
    "credit_ledger": "CreditLedgerEntry",
    "credit_blocks": "CustomerCreditBalance",
    "backfills": "Backfill",
    "event_volume": "EventVolume",
    "events": "Event",
    "subscription_usage": "UngroupedSubscriptionUsageRecord",
}
# What a line of the dataset says beside the object, so that the server knows whose it is.
BESIDE = {"credit_blocks": {"customer_id"}, "subscription_usage": {"subscription_id"}}
# Stripe still answers it, as its published example does, though the schema no longer declares it.
UNDECLARED = {"products": {"type"}}


def as_json_schema(schema: Any) -> Any:
    """OpenAPI as JSON Schema: `nullable` (3.0) becomes a choice with null, "one of null and X" becomes any of them.

    Orb's document says the latter also where X itself may be null, which then no null could satisfy.
    """
    if isinstance(schema, list):
        return [as_json_schema(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    converted = {name: as_json_schema(part) for name, part in schema.items() if name != "nullable"}
    if {"type": "null"} in converted.get("oneOf", []):
        converted["anyOf"] = converted.pop("oneOf")
    if schema.get("nullable") is True:
        return {"anyOf": [converted, {"type": "null"}]}
    return converted


@cache
def document(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(shared(f"specs/{name}-openapi.json").read_text())
    return {"components": {"schemas": as_json_schema(found["components"]["schemas"])}}


@cache
def validator(name: str, schema: str) -> Draft202012Validator:
    resource: Resource[Any] = Resource.from_contents(document(name), default_specification=DRAFT202012)
    registry: Registry[Any] = Registry().with_resource("urn:api", resource)
    return Draft202012Validator({"$ref": f"urn:api#/components/schemas/{schema}"}, registry=registry)


def faults(name: str, schema: str, found: dict[str, Any]) -> list[str]:
    return [
        f"{found.get('id')}: {error.json_path} {error.message[:200]}"
        for error in validator(name, schema).iter_errors(found)
    ]


@pytest.mark.parametrize("resource", STRIPE)
def test_stripe_objects_are_valid(tiny: Dataset, resource: str) -> None:
    objects = tiny.objects(f"stripe/{resource}")
    assert objects
    declared = set(document("stripe")["components"]["schemas"][STRIPE[resource]]["properties"])
    for found in objects:
        assert not faults("stripe", STRIPE[resource], found)
        assert set(found) <= declared | UNDECLARED.get(resource, set())


@pytest.mark.parametrize("resource", ORB)
def test_orb_objects_are_valid(tiny: Dataset, resource: str) -> None:
    objects = tiny.objects(f"orb/{resource}")
    assert objects
    for found in objects[:400]:
        own = {name: value for name, value in found.items() if name not in BESIDE.get(resource, set())}
        assert not faults("orb", ORB[resource], own)


def test_every_dataset_file_is_validated(tiny: Dataset) -> None:
    files = {(path.parent.name, path.stem) for path in tiny.path.glob("*/*.jsonl")}
    validated = {("stripe", name) for name in STRIPE} | {("orb", name) for name in ORB}
    assert files == validated | {("stripe", "payout_transactions")}


def test_a_wrong_object_is_noticed(tiny: Dataset) -> None:
    charge = tiny.objects("stripe/charges")[0]
    assert faults("stripe", "charge", charge | {"amount": "12.00"})
    assert faults("stripe", "charge", {name: value for name, value in charge.items() if name != "status"})
    invoice = tiny.objects("orb/invoices")[0]
    assert faults("orb", "Invoice", invoice | {"amount_due": 12})


def test_amounts_are_written_digit_for_digit(tiny: Dataset) -> None:
    text = (tiny.path / "orb/credit_ledger.jsonl").read_text()
    assert '"starting_balance":0.00,' in text
    assert "e-" not in text.partition("starting_balance")[2][:60]


def test_only_the_first_ten_lines_are_embedded(tiny: Dataset) -> None:
    lines = tiny.objects("stripe/invoice_lines")
    truncated = 0
    for invoice in tiny.objects("stripe/invoices"):
        own = [line for line in lines if line["invoice"] == invoice["id"]]
        assert invoice["lines"]["data"] == own[:10]
        assert invoice["lines"]["has_more"] is (len(own) > 10)
        truncated += len(own) > 10
    assert truncated
