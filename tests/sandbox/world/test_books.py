"""In a world without defects everything ties: the promises that the pipeline's comparisons rest on."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import duckdb

from sandbox.pricing import MINOR_DIGITS, rate
from tests.sandbox.world.conftest import Dataset, major

ISSUED = ("issued", "synced", "paid")


def collected(dataset: Dataset) -> dict[str, dict[str, Any]]:
    """Orb invoices that Stripe must have, by id: not those that a top-up's own payment collected."""
    return {
        i["id"]: i
        for i in dataset.objects("orb/invoices")
        if i["status"] in ISSUED and Decimal(i["amount_due"]) > 0 and not sells_credit(i)
    }


def sells_credit(invoice: dict[str, Any]) -> bool:
    """Whether Orb made the invoice for a top-up: it is of no subscription."""
    return invoice["subscription"] is None


def app_usage(dataset: Dataset, metric: str) -> dict[tuple[str, str], Decimal]:
    """The product's own sums by customer and day."""
    quantity = "count(*)" if metric == "requests" else f"sum({metric})"
    condition = "event_name = 'text_generation'" if metric == "requests" else f"{metric} is not null"
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        rows = connection.execute(
            f"select customer_id, cast(cast(occurred_at as date) as varchar), cast({quantity} as varchar) "
            f"from '{dataset.path}/app/usage_events.parquet' where {condition} group by all"
        ).fetchall()
    return {(customer, day): Decimal(total) for customer, day, total in rows}


def orb_usage(dataset: Dataset, metric: str) -> dict[tuple[str, str], Decimal]:
    """Orb's usage by customer and day."""
    customers = {s["id"]: s["customer"]["external_customer_id"] for s in dataset.objects("orb/subscriptions")}
    return {
        (customers[record["subscription_id"]], day["timeframe_start"][:10]): Decimal(day["quantity"])
        for record in dataset.objects("orb/subscription_usage")
        if record["billable_metric"]["name"] == metric
        for day in record["usage"]
    }


METRICS = ("input_tokens", "output_tokens", "requests", "megapixels", "video_seconds", "gpu_seconds")


def test_orb_usage_is_the_products_by_customer_metric_and_day(clean: Dataset) -> None:
    for metric in METRICS:
        assert orb_usage(clean, metric) == app_usage(clean, metric), metric


def test_orb_events_are_the_products(clean: Dataset) -> None:
    app = set(clean.table("usage_events")["event_id"].to_pylist())
    orb = [event["id"] for event in clean.objects("orb/events")]
    assert len(orb) == len(set(orb))
    assert set(orb) == app
    assert sum(hour["count"] for hour in clean.objects("orb/event_volume")) == len(orb)


def test_invoice_lines_rerate_from_usage_and_the_products_own_prices(clean: Dataset) -> None:
    """Independent of how the world rates: quantities from the product's events, prices from its price book."""
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        rows = connection.execute(
            "select customer_id, strftime(occurred_at, '%Y-%m'), event_name, model, cast(count(*) as varchar), "
            "cast(sum(input_tokens) as varchar), cast(sum(output_tokens) as varchar), cast(sum(megapixels) as varchar), "
            "cast(sum(video_seconds) as varchar), cast(sum(gpu_seconds) as varchar) "
            f"from '{clean.path}/app/usage_events.parquet' group by all"
        ).fetchall()
    used: dict[tuple[str, str, str], dict[str, Decimal]] = defaultdict(dict)
    for customer, month, event_name, model, count, *sums in rows:
        summed = ("text_input", "text_output", "image_generation", "video_generation", "gpu_compute")
        products = dict(zip(summed, sums, strict=True))
        if event_name == "text_generation":
            products["text_requests"] = count
        for product, quantity in products.items():
            if quantity is not None:
                used[customer, month, product][model] = Decimal(quantity)
    prices = {row["orb_price_id"]: row for row in clean.table("price_book").to_pylist()}
    for contract in clean.table("contracts").to_pylist():
        for product, override in json.loads(contract["price_overrides"]).items():
            prices[override["orb_price_id"]] = override | {
                "config": json.dumps(override["config"]),
                "product_code": product,
                "currency": contract["currency"],
            }
    rated = 0
    for invoice in clean.objects("orb/invoices"):
        digit = Decimal(1).scaleb(-MINOR_DIGITS[invoice["currency"]])
        for line in invoice["line_items"]:
            if line["price"]["price_type"] == "usage_price":
                price = prices[line["price"]["id"]]
                key = invoice["customer"]["external_customer_id"], line["start_date"][:7], price["product_code"]
                by_model = used.get(key, {})
                quantity = sum(by_model.values(), Decimal(0))
                amount = rate(price["price_model"], json.loads(price["config"]), quantity, by_model)
                assert (price["currency"], Decimal(line["quantity"])) == (invoice["currency"], quantity)
                assert Decimal(line["subtotal"]) == amount.quantize(digit, ROUND_HALF_UP)
                rated += bool(quantity)
    assert rated > 50


ORDER = ("usage_discount", "amount_discount", "percentage_discount", "maximum", "minimum")


def test_invoice_arithmetic_holds_from_subtotal_to_amount_due(clean: Dataset) -> None:
    contracts = {row["customer_id"]: row for row in clean.table("contracts").to_pylist()}
    for invoice in clean.objects("orb/invoices"):
        digit = Decimal(1).scaleb(-MINOR_DIGITS[invoice["currency"]])
        contract = contracts.get(invoice["customer"]["external_customer_id"])
        total = committed = Decimal(0)
        has_usage = any(line["price"]["price_type"] == "usage_price" for line in invoice["line_items"])
        for line in invoice["line_items"]:
            adjusted = Decimal(line["subtotal"])
            kinds = [adjustment["adjustment_type"] for adjustment in line["adjustments"]]
            assert kinds == sorted(kinds, key=ORDER.index)
            for adjustment in line["adjustments"]:
                amount = Decimal(adjustment["amount"])
                match adjustment["adjustment_type"]:
                    case "percentage_discount":
                        assert contract is not None
                        assert amount == (adjusted * contract["discount_percent"] / 100).quantize(digit, ROUND_HALF_UP)
                    case "amount_discount":
                        assert amount == min(adjusted, Decimal(adjustment["amount_discount"]))
                    case "maximum":
                        assert amount == adjusted - Decimal(adjustment["maximum_amount"])
                assert amount > 0
                adjusted += amount if adjustment["adjustment_type"] == "minimum" else -amount
            assert Decimal(line["adjusted_subtotal"]) == adjusted
            assert Decimal(line["amount"]) == adjusted - Decimal(line["credits_applied"]) >= 0
            for tax in line["tax_amounts"]:
                share = Decimal(tax["tax_rate_percentage"]) / 100
                assert Decimal(tax["amount"]) == (Decimal(line["amount"]) * share).quantize(digit, ROUND_HALF_UP)
                total += Decimal(tax["amount"])
            total += Decimal(line["amount"])
            is_fee = line["price"]["price_type"] != "usage_price" and "minimum" not in kinds
            committed += 0 if is_fee else adjusted
        assert Decimal(invoice["total"]) == Decimal(invoice["amount_due"]) == total
        if contract and has_usage:
            assert committed >= contract["monthly_commitment"]


def test_each_collected_invoice_is_once_in_stripe_with_the_same_money(clean: Dataset) -> None:
    orb = collected(clean)
    stripe = [i for i in clean.objects("stripe/invoices") if i["status"] != "void"]
    assert Counter(i["metadata"]["orb_invoice_id"] for i in stripe) == Counter(list(orb))
    for invoice in stripe:
        other = orb[invoice["metadata"]["orb_invoice_id"]]
        currency = invoice["currency"].upper()
        assert (currency, invoice["number"]) == (other["currency"], other["invoice_number"])
        assert major(invoice["total"], currency) == Decimal(other["amount_due"])
        attempts = [a for a in other["payment_attempts"] if a["succeeded"]]
        assert major(invoice["amount_paid"], currency) == sum(Decimal(a["amount"]) for a in attempts)
        assert (invoice["status"] == "paid") is (other["status"] == "paid") is bool(attempts)


def test_credit_that_orb_sells_on_an_invoice_is_granted_by_it_and_paid_once_by_its_top_up(any_world: Dataset) -> None:
    charges = {c["payment_intent"]: c for c in any_world.objects("stripe/charges") if c["status"] == "succeeded"}
    sold = {i["id"]: i for i in any_world.objects("orb/invoices") if sells_credit(i)}
    assert sold
    for entry in any_world.objects("orb/credit_ledger"):
        for named in entry.get("created_invoices") or []:
            invoice, charge = sold.pop(named["id"]), charges[entry["metadata"]["payment_intent"]]
            (line,), (paid,) = invoice["line_items"], [a for a in invoice["payment_attempts"] if a["succeeded"]]
            assert named == invoice
            assert paid["payment_provider_id"] == charge["payment_intent"]
            assert (
                entry["amount"] == Decimal(line["amount"]) == Decimal(invoice["amount_due"]) == Decimal(paid["amount"])
            )
            assert entry["amount"] == major(charge["amount"], charge["currency"])
            assert line["end_date"] in (line["start_date"], entry["credit_block"]["expiry_date"])
    assert not sold


def test_stripe_invoices_are_their_lines_and_their_payments(any_world: Dataset) -> None:
    lines: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in any_world.objects("stripe/invoice_lines"):
        lines[line["invoice"]].append(line)
    items = {item["id"]: item for item in any_world.objects("stripe/invoiceitems")}
    intents = {intent["id"]: intent for intent in any_world.objects("stripe/payment_intents")}
    paid: dict[str, int] = defaultdict(int)
    for payment in any_world.objects("stripe/invoice_payments"):
        if payment["payment"]["type"] == "payment_intent":
            received = intents[payment["payment"]["payment_intent"]]["amount_received"]
            assert received == (payment["amount_paid"] or 0)
        paid[payment["invoice"]] += payment["amount_paid"] or 0
    invoices = any_world.objects("stripe/invoices")
    assert set(lines) == {invoice["id"] for invoice in invoices} >= set(paid)
    assert len(items) == sum(map(len, lines.values()))
    for invoice in invoices:
        own = lines[invoice["id"]]
        for line in own:
            item = items[line["parent"]["invoice_item_details"]["invoice_item"]]
            assert (item["amount"], item["currency"], item["invoice"]) == (
                line["amount"],
                line["currency"],
                invoice["id"],
            )
            assert line["currency"] == invoice["currency"]
        assert invoice["subtotal"] == sum(line["amount"] for line in own)
        assert invoice["total"] == invoice["subtotal"] + sum(t["amount"] for line in own for t in line["taxes"])
        assert invoice["amount_paid"] == paid[invoice["id"]]
        if invoice["status"] != "void":
            over = invoice["amount_overpaid"]
            assert invoice["amount_remaining"] == invoice["amount_due"] - invoice["amount_paid"] + over


def test_ledger_adds_up_and_blocks_run_down_in_order(clean: Dataset) -> None:
    entries: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for entry in clean.objects("orb/credit_ledger"):
        entries[entry["customer"]["id"]].append(entry)
    for ledger in entries.values():
        left: dict[str, Decimal] = defaultdict(Decimal)
        order: dict[str, tuple[str, str]] = {}
        balance = Decimal(0)
        for number, entry in enumerate(ledger, 1):
            block = entry["credit_block"]
            assert entry["ledger_sequence_number"] == number
            assert entry["starting_balance"] == balance
            balance += entry["amount"]
            assert entry["ending_balance"] == balance
            order[block["id"]] = (block["expiry_date"], block["per_unit_cost_basis"])
            if entry["entry_type"] == "decrement":
                assert entry["amount"] < 0
                assert entry["created_at"] < order[block["id"]][0]
                assert not [b for b in left if left[b] and order[b] < order[block["id"]]]
            left[block["id"]] += entry["amount"]
            assert left[block["id"]] >= 0
        assert [e["created_at"] for e in ledger] == sorted(e["created_at"] for e in ledger)
        balances = {b["id"]: b["balance"] for b in clean.objects("orb/credit_blocks") if b["id"] in left}
        assert balances == left


def test_draws_on_an_invoice_are_its_credits_applied(clean: Dataset) -> None:
    """World sizes here stay out of the cheaper bulk tier, where a draw would be given back as an amendment."""
    drawn: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for entry in clean.objects("orb/credit_ledger"):
        assert entry["entry_type"] != "amendment"
        if entry["entry_type"] == "decrement":
            drawn[entry["invoice_id"], entry["price_id"]] -= entry["amount"]
    applied = {
        (invoice["id"], line["price"]["id"]): Decimal(line["credits_applied"])
        for invoice in clean.objects("orb/invoices")
        for line in invoice["line_items"]
        if Decimal(line["credits_applied"])
    }
    assert applied == drawn


def test_the_products_wallet_is_orbs_balance(clean: Dataset) -> None:
    orb: dict[str, Decimal] = defaultdict(Decimal)
    for entry in clean.objects("orb/credit_ledger"):
        orb[entry["customer"]["external_customer_id"]] += entry["amount"]
    wallet: dict[str, Decimal] = defaultdict(Decimal)
    for row in clean.table("wallet_transactions").to_pylist():
        wallet[row["customer_id"]] += row["amount"]
    assert wallet == orb


def test_every_paid_grant_is_a_top_up_that_stripe_collected(clean: Dataset) -> None:
    collected_by_intent = {
        charge["payment_intent"]: major(charge["amount"], charge["currency"])
        for charge in clean.objects("stripe/charges")
        if charge["status"] == "succeeded" and charge["metadata"].get("purpose") == "top_up"
    }
    granted = {
        block["metadata"]["payment_intent"]: block["maximum_initial_balance"]
        for block in clean.objects("orb/credit_blocks")
        if block["per_unit_cost_basis"] == "1.00"
    }
    wallet = {
        row["stripe_payment_intent_id"]: row["amount"]
        for row in clean.table("wallet_transactions").to_pylist()
        if row["kind"] == "top_up"
    }
    assert collected_by_intent == granted == wallet


def test_balance_transactions_account_for_every_movement_once(clean: Dataset) -> None:
    expected = {c["id"]: c["amount"] for c in clean.objects("stripe/charges") if c["status"] == "succeeded"}
    expected |= {r["id"]: -r["amount"] for r in clean.objects("stripe/refunds")}
    expected |= {p["id"]: 0 if p["status"] == "failed" else -p["amount"] for p in clean.objects("stripe/payouts")}
    disputes = {d["id"]: d for d in clean.objects("stripe/disputes")}
    expected |= {i: 0 if d["status"] == "won" else -d["amount"] for i, d in disputes.items()}
    by_source: dict[str, int] = defaultdict(int)
    converted = 0
    for transaction in clean.objects("stripe/balance_transactions"):
        assert transaction["net"] == transaction["amount"] - transaction["fee"]
        assert transaction["fee"] == sum(fee["amount"] for fee in transaction["fee_details"])
        source, rate = transaction["source"], transaction["exchange_rate"]
        amount = transaction["amount"]
        if rate:
            own = abs(expected[source]) or disputes[source]["amount"]
            assert abs(amount) == int((own * rate).to_integral_value(ROUND_HALF_UP))
            amount = own if amount > 0 else -own
            converted += 1
        by_source[source] += amount
    assert by_source == expected
    assert converted


def test_automatic_payouts_are_what_they_pay_out_and_those_by_hand_pay_out_the_rest(clean: Dataset) -> None:
    transactions = {t["id"]: t for t in clean.objects("stripe/balance_transactions")}
    members = clean.objects("stripe/payout_transactions")
    listed = {member["balance_transaction"] for member in members}
    assert len(listed) == len(members)
    paid_out: dict[str, int] = defaultdict(int)
    for member in members:
        transaction = transactions[member["balance_transaction"]]
        if transaction["type"] != "payout":
            paid_out[member["payout"]] += transaction["net"]
    payouts = clean.objects("stripe/payouts")
    assert paid_out == {payout["id"]: payout["amount"] for payout in payouts if payout["automatic"]}
    by_hand = [payout for payout in payouts if not payout["automatic"]]
    assert {payout["method"] for payout in by_hand} == {"standard", "instant"}
    for currency in ("usd", "eur", "jpy"):
        last = max((p["created"] for p in by_hand if p["currency"] == currency), default=0)
        rest = [t for t in transactions.values() if t["currency"] == currency and t["id"] not in listed]
        assert sum(t["net"] for t in rest if t["created"] <= last) == 0


def test_a_failed_payout_is_back_in_the_balance(clean: Dataset) -> None:
    transactions = {t["id"]: t for t in clean.objects("stripe/balance_transactions")}
    failed = [payout for payout in clean.objects("stripe/payouts") if payout["status"] == "failed"]
    assert failed
    for payout in failed:
        returned = transactions[payout["failure_balance_transaction"]]
        assert (returned["type"], returned["source"]) == ("payout_failure", payout["id"])
        assert returned["net"] == payout["amount"]


def test_every_payout_reaches_the_bank_on_its_day(clean: Dataset) -> None:
    booked = Counter(
        (line["currency"], Decimal(line["amount"]), line["booked_on"])
        for lines in clean.statements.values()
        for line in lines
        if Decimal(line["amount"]) > 0
    )
    paid = Counter(
        (
            p["currency"].upper(),
            major(p["amount"], p["currency"]),
            str(datetime.fromtimestamp(p["arrival_date"], UTC).date()),
        )
        for p in clean.objects("stripe/payouts")
        if p["status"] == "paid"
    )
    assert booked == paid


def test_statements_balance_and_end_with_a_debit_today(any_world: Dataset) -> None:
    now = json.loads((any_world.path / "dataset.json").read_text())["now"][:10]
    assert set(any_world.statements) == {"usd_collections", "eur_collections", "jpy_collections"}
    ids = [line["line_id"] for lines in any_world.statements.values() for line in lines]
    assert len(ids) == len(set(ids))
    for lines in any_world.statements.values():
        balance = Decimal(0)
        for line in lines:
            balance += Decimal(line["amount"])
            assert Decimal(line["balance"]) == balance
        assert [line["booked_on"] for line in lines] == sorted(line["booked_on"] for line in lines)
        assert lines[-1]["booked_on"] == now
        assert Decimal(lines[-1]["amount"]) < 0


def test_deposits_without_reference_are_told_apart_by_amount(clean: Dataset) -> None:
    for lines in clean.statements.values():
        amounts = Counter(line["amount"] for line in lines)
        unreferenced = [line for line in lines if line["description"] == "STRIPE PAYOUT"]
        assert all(amounts[line["amount"]] == 1 and not line["reference"] for line in unreferenced)


def test_the_change_feed_has_the_last_thirty_days_with_objects_as_they_are(any_world: Dataset) -> None:
    now = datetime.fromisoformat(json.loads((any_world.path / "dataset.json").read_text())["now"]).timestamp()
    current = {
        found["id"]: found
        for path in (any_world.path / "stripe").glob("*.jsonl")
        if path.stem not in ("events", "payout_transactions")
        for found in any_world.objects(f"stripe/{path.stem}")
    }
    events = any_world.objects("stripe/events")
    assert len({event["id"] for event in events}) == len(events)
    assert {"charge.succeeded", "invoice.created", "payout.paid"} <= {event["type"] for event in events}
    for event in events:
        assert now - 30 * 86400 <= event["created"] < now
        assert event["data"]["object"] == current[event["data"]["object"]["id"]]
        assert event["livemode"] is event["data"]["object"].get("livemode", True)


def test_all_three_systems_know_each_customer_by_one_another(any_world: Dataset) -> None:
    app = {row["id"]: row for row in any_world.table("customers").to_pylist()}
    orb = {customer["id"]: customer for customer in any_world.objects("orb/customers")}
    stripe = {customer["id"]: customer for customer in any_world.objects("stripe/customers")}
    for customer_id, row in app.items():
        assert orb[row["orb_customer_id"]]["external_customer_id"] == customer_id
        assert orb[row["orb_customer_id"]]["payment_provider_id"] == row["stripe_customer_id"]
        assert stripe[row["stripe_customer_id"]]["metadata"]["app_customer_id"] == customer_id
    subscriptions = Counter(s["customer"]["id"] for s in any_world.objects("orb/subscriptions"))
    assert subscriptions == Counter(list(orb))


def test_even_the_smallest_world_has_every_currency_and_billing_model(tiny_clean: Dataset) -> None:
    kinds = {(r["currency"], r["billing_model"]) for r in tiny_clean.table("customers").to_pylist()}
    assert kinds == {(c, m) for c in ("USD", "EUR", "JPY") for m in ("prepaid", "contract")}
    assert {r["account_type"] for r in tiny_clean.table("customers").to_pylist()} == {"customer", "internal", "test"}


def test_the_world_has_all_that_can_happen_to_money(medium_clean: Dataset) -> None:
    blocks = medium_clean.objects("orb/credit_blocks")
    now = json.loads((medium_clean.path / "dataset.json").read_text())["now"]
    assert {b["per_unit_cost_basis"] for b in blocks if b["expiry_date"] < now} == {"0.00", "1.00"}
    assert {e["entry_type"] for e in medium_clean.objects("orb/credit_ledger")} == {
        "increment",
        "decrement",
        "credit_block_expiry",
        "void",
    }
    assert {p["model_type"] for p in medium_clean.objects("orb/prices")} == {
        "unit",
        "package",
        "package_with_allocation",
        "tiered",
        "tiered_package",
        "bulk",
        "matrix",
        "threshold_total_amount",
        "percent",
    }
    invoices = medium_clean.objects("orb/invoices")
    assert {i["status"] for i in invoices} == {"draft", "synced", "paid", "void"}
    assert sum(i["status"] == "void" for i in invoices) == 1
    assert all(i["will_auto_issue"] for i in invoices if i["status"] == "draft")
    adjustments = {a["adjustment_type"] for i in invoices for line in i["line_items"] for a in line["adjustments"]}
    assert adjustments == set(ORDER)
    assert {n["type"] for n in medium_clean.objects("orb/credit_notes")} == {"refund", "adjustment"}
    assert {n["type"] for n in medium_clean.objects("stripe/credit_notes")} == {"post_payment", "pre_payment"}
    assert {d["status"] for d in medium_clean.objects("stripe/disputes")} >= {"won", "lost"}
    assert {t["type"] for t in medium_clean.objects("stripe/balance_transactions")} >= {
        "charge",
        "payment",
        "refund",
        "adjustment",
        "payout",
    }
    assert {c["status"] for c in medium_clean.objects("stripe/charges")} == {"succeeded", "failed"}
    assert max(Counter(p["invoice"] for p in medium_clean.objects("stripe/invoice_payments")).values()) == 2
    assert "ended" in {s["status"] for s in medium_clean.objects("orb/subscriptions")}
    assert {s["status"] for s in medium_clean.objects("stripe/subscriptions")} == {"canceled"}
