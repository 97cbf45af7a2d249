"""The true books against what the systems show of a world without defects: they are made apart and must say the same."""

from __future__ import annotations

import json
from collections import defaultdict
from decimal import Decimal

from tests.sandbox.world.conftest import Dataset, major
from tests.sandbox.world.test_books import sells_credit


def totals(dataset: Dataset, *figures: str) -> dict[str, Decimal]:
    """What figures come to in each currency over all customers and days."""
    found: dict[str, Decimal] = defaultdict(Decimal)
    for posting in dataset.objects("answer_key_books"):
        if posting["figure"] in figures:
            found[posting["currency"]] += Decimal(posting["amount"])
    return {currency: amount for currency, amount in found.items() if amount}


def internal(dataset: Dataset) -> set[str]:
    """The product's ids of staff and test tenants."""
    customers = dataset.table("customers").to_pylist()
    return {customer["id"] for customer in customers if customer["account_type"] != "customer"}


def test_the_liability_is_what_is_left_of_the_blocks_that_were_paid_for(clean: Dataset) -> None:
    ledgers = {entry["credit_block"]["id"]: entry for entry in clean.objects("orb/credit_ledger")}
    tenants = internal(clean)
    left: dict[str, Decimal] = defaultdict(Decimal)
    for block in clean.objects("orb/credit_blocks"):
        entry = ledgers[block["id"]]
        if entry["customer"]["external_customer_id"] not in tenants:
            left[entry["currency"]] += Decimal(block["balance"]) * Decimal(block["per_unit_cost_basis"])
    assert totals(clean, "credit_liability") == {currency: amount for currency, amount in left.items() if amount}


def test_the_receivable_is_what_stripe_still_asks_customers_for(clean: Dataset) -> None:
    customers = {c["id"]: c["metadata"]["app_customer_id"] for c in clean.objects("stripe/customers")}
    tenants = internal(clean)
    asked: dict[str, Decimal] = defaultdict(Decimal)
    for invoice in clean.objects("stripe/invoices"):
        if invoice["status"] == "open" and customers[invoice["customer"]] not in tenants:
            asked[invoice["currency"].upper()] += major(invoice["amount_remaining"], invoice["currency"])
    assert totals(clean, "receivable") == dict(asked)


def test_money_is_what_stripe_charged_gave_back_and_kept(clean: Dataset) -> None:
    charged: dict[str, Decimal] = defaultdict(Decimal)
    for charge in clean.objects("stripe/charges"):
        if charge["paid"]:
            charged[charge["currency"].upper()] += major(charge["amount"], charge["currency"])
    assert totals(clean, "payments") == dict(charged)
    refunded: dict[str, Decimal] = defaultdict(Decimal)
    for refund in clean.objects("stripe/refunds"):
        refunded[refund["currency"].upper()] += major(refund["amount"], refund["currency"])
    assert totals(clean, "refunds") == dict(refunded)
    kept: dict[str, Decimal] = defaultdict(Decimal)
    for transaction in clean.objects("stripe/balance_transactions"):
        kept[transaction["currency"].upper()] += major(transaction["fee"], transaction["currency"])
    assert totals(clean, "fees") == dict(kept)


def test_what_customers_earned_us_is_what_orb_billed_them_and_has_on_drafts_so_far(clean: Dataset) -> None:
    tenants = internal(clean)
    billed: dict[str, Decimal] = defaultdict(Decimal)
    for invoice in clean.objects("orb/invoices"):
        is_owed = invoice["status"] != "void" and not sells_credit(invoice)
        if is_owed and invoice["customer"]["external_customer_id"] not in tenants:
            for line in invoice["line_items"]:
                is_draft = invoice["status"] == "draft"
                is_fee = line["price"]["price_type"] == "fixed_price"
                # a draft's fee has no adjustment but the minimum, which its end decides
                owed = line["subtotal"] if is_draft and is_fee else "0" if is_draft else line["adjusted_subtotal"]
                billed[invoice["currency"]] += Decimal(owed)
    assert totals(clean, "usage", "discount", "fixed_fee", "percent_fee", "minimum") == dict(billed)


def test_a_fee_in_advance_is_owed_in_services_until_its_days_have_come(clean: Dataset) -> None:
    """What invoices ask for is earned, unbilled before or deferred after: at each date the three come to one another."""
    tenants = internal(clean)
    asked: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for invoice in clean.objects("orb/invoices"):
        customer = invoice["customer"]["external_customer_id"]
        if invoice["status"] in ("issued", "synced", "paid") and customer not in tenants:
            net = sum(Decimal(line["amount"]) for line in invoice["line_items"])
            asked[customer, invoice["currency"], invoice["invoice_date"][:7]] += net
    moved: dict[tuple[str, str, str], dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for posting in clean.objects("answer_key_books"):
        if posting["figure"] in ("unbilled", "deferred", "usage", "discount", "fixed_fee", "percent_fee", "minimum"):
            key = posting["customer_id"], posting["currency"], posting["day"][:7]
            moved[key][posting["figure"]] += Decimal(posting["amount"])
    contracts = {row["customer_id"]: json.loads(row["price_overrides"]) for row in clean.table("contracts").to_pylist()}
    ahead = {c for c, prices in contracts.items() if prices["platform_fee"].get("billing_mode") == "in_advance"}
    for (customer, currency, month), figures in moved.items():
        if customer in contracts:
            earned = sum(amount for figure, amount in figures.items() if figure not in ("unbilled", "deferred"))
            assert earned == asked[customer, currency, month] + figures["unbilled"] - figures["deferred"]
            assert customer in ahead or not figures["deferred"]
    yearly = {c for c in ahead if "billing_cycle_months" in contracts[c]["platform_fee"]}
    to_date: dict[str, Decimal] = defaultdict(Decimal)
    for (customer, _, month), figures in sorted(moved.items(), key=lambda item: item[0][2]):
        to_date[customer] += figures["deferred"]
        assert to_date[customer] > 0 if customer in yearly and month < "2027-06" else to_date[customer] == 0
    assert len(ahead) > len(yearly) > 0


def test_the_credit_sold_is_used_lost_given_back_or_still_owed(clean: Dataset) -> None:
    owed = totals(clean, "credit_liability")
    for currency in owed:
        gone = ("credit_used", "credit_expired", "credit_voided", "credit_refunded")
        assert totals(clean, "credit_sold")[currency] - totals(clean, *gone).get(currency, 0) == owed[currency]
