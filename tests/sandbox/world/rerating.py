"""What Orb's lines should come to, from its usage and the product's prices and contracts, against what they come to."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb

from sandbox.calendar import add_months
from sandbox.pricing import Terms, adjustments, rate, to_major, to_minor
from tests.sandbox.world.conftest import Dataset

Found = dict[str, tuple[str | None, str | None, Decimal]]


@dataclass(frozen=True)
class Price:
    """`months`: how many it bills at once; `is_ahead`: before they begin."""

    model: str
    config: dict[str, Any]
    orb_price_id: str
    months: int = 1
    is_ahead: bool = False


@dataclass(frozen=True)
class Customer:
    """`prices` by product code; `contract` is the product's row."""

    id: str
    currency: str
    prices: dict[str, Price]
    contract: dict[str, Any] | None

    def terms(self, product: str, day: date) -> Terms:
        if self.contract is None:
            return Terms()
        values = {
            found["adjustment_type"]: Decimal(str(found["value"]))
            for found in json.loads(self.contract["adjustments"])
            if found["product_code"] == product
            and found["start_date"] <= day.isoformat() < (found["end_date"] or "9999-12-31")
        }
        return Terms(percentage_discounts=(self.contract["discount_percent"],), **values)

    def service(self, price: Price, used: tuple[date, date], invoice_date: date) -> tuple[date, date, int] | None:
        """The days that an invoice bills of a price, and those of its whole cycle; None where none is due."""
        start, end = used
        if price.is_ahead:
            assert self.contract is not None
            since = self.contract["start_date"]
            passed = (invoice_date.year - since.year) * 12 + invoice_date.month - since.month
            if passed % price.months:
                return None
            start, end = invoice_date, add_months(invoice_date, price.months)
        return (start, end, (end - add_months(end, -price.months)).days) if start < end else None


def differences(dataset: Dataset) -> Found:
    """Match key to left reference, right reference and expected less billed, for all that differs."""
    customers, metrics = _customers(dataset), _metrics(dataset)
    usage = _usage(dataset)
    found: Found = {}
    for invoice in dataset.objects("orb/invoices"):
        if invoice["status"] in ("issued", "synced", "paid") and invoice["invoice_source"] == "subscription":
            customer = customers[invoice["customer"]["external_customer_id"]]
            rows = list(_rows(invoice, customer, metrics, usage))
            if invoice["currency"] == customer.currency:
                found |= {key: (left, right, difference) for key, left, right, difference in rows if difference}
            else:
                key = f"{customer.id}/{_span(invoice['line_items'])[0]}"
                billed = sum((Decimal(line["adjusted_subtotal"]) for line in invoice["line_items"]), Decimal(0))
                found[key] = (key, invoice["id"], sum((row[3] for row in rows), billed))
    return found


def _rows(
    invoice: dict[str, Any],
    customer: Customer,
    metrics: dict[str, str],
    usage: dict[tuple[str, str], dict[str, dict[date, Decimal]]],
) -> Iterator[tuple[str, str | None, str | None, Decimal]]:
    invoice_date = date.fromisoformat(invoice["invoice_date"][:10])
    left = {line["id"]: line for line in invoice["line_items"]}
    lines = [line for line in invoice["line_items"] if line["price"]["price_type"] == "usage_price"]
    used = _span(lines) if lines else (invoice_date, invoice_date)
    subtotals = sum((Decimal(line["subtotal"]) for line in lines), Decimal(0))
    adjusted = sum((Decimal(line["adjusted_subtotal"]) for line in lines), Decimal(0))
    for product, price in customer.prices.items():
        service = customer.service(price, used, invoice_date)
        if service is None:
            continue
        start, end, whole = service
        key = f"{customer.id}/{product}/{start}"
        line = _line_of(left, product, price.orb_price_id)
        terms = Terms()
        if product in metrics:
            days = usage[customer.id, metrics[product]]
            by_model = {model: _within(found, start, end) for model, found in days.items() if model}
            quantity = _within(days[""], start, end)
            if sum(by_model.values()) != quantity and line is not None:
                by_model = {part["name"]: Decimal(part["quantity"]) for part in line["sub_line_items"]}
            terms = customer.terms(product, start)
        elif price.model == "percent":
            quantity, by_model = subtotals, {}
        else:
            quantity, by_model = Decimal(1), {}
        part = ((end - start).days, whole)
        gross = to_minor(rate(price.model, price.config, quantity, by_model, part), customer.currency)
        rest = max(quantity - terms.usage_discount, Decimal(0))
        net = to_minor(rate(price.model, price.config, rest, by_model, part), customer.currency)
        taken = sum(amount for _, amount in adjustments(gross, net, terms, customer.currency))
        yield _row(key, line, to_major(gross - taken, customer.currency))
    if customer.contract is not None and lines:
        line = _line_of(left, "minimum", "")
        missing = max(customer.contract["monthly_commitment"] - adjusted, Decimal(0))
        yield _row(f"{customer.id}/minimum/{used[0]}", line, missing)
    for line in left.values():
        yield line["id"], None, line["id"], -Decimal(line["adjusted_subtotal"])


def _row(key: str, line: dict[str, Any] | None, expected: Decimal) -> tuple[str, str, str | None, Decimal]:
    billed = Decimal(line["adjusted_subtotal"]) if line else Decimal(0)
    return key, key, line["id"] if line else None, expected - billed


def _line_of(left: dict[str, dict[str, Any]], product: str, orb_price_id: str) -> dict[str, Any] | None:
    """Takes the line that bills a product from those that are left: under its agreed price if there is one, then the first by
    its id."""
    fitting = [
        line
        for line in left.values()
        if (line["name"] == "Minimum commitment") is (product == "minimum")
        and product in ("minimum", line["price"]["metadata"]["product_code"])
    ]
    fitting.sort(key=lambda line: (line["price"]["id"] != orb_price_id, line["id"]))
    return left.pop(fitting[0]["id"]) if fitting else None


def _span(lines: list[dict[str, Any]]) -> tuple[date, date]:
    starts = [line["start_date"][:10] for line in lines]
    ends = [line["end_date"][:10] for line in lines]
    return date.fromisoformat(min(starts)), date.fromisoformat(max(ends))


def _within(days: dict[date, Decimal], start: date, end: date) -> Decimal:
    return sum((quantity for day, quantity in days.items() if start <= day < end), Decimal(0))


def _customers(dataset: Dataset) -> dict[str, Customer]:
    listed: dict[str, dict[str, Price]] = defaultdict(dict)
    for row in dataset.table("price_book").to_pylist():
        if row["metric_code"]:
            price = Price(row["price_model"], json.loads(row["config"], parse_float=Decimal), row["orb_price_id"])
            listed[row["currency"]][row["product_code"]] = price
    contracts = {row["customer_id"]: row for row in dataset.table("contracts").to_pylist()}
    customers = {}
    for row in dataset.table("customers").to_pylist():
        contract = contracts.get(row["id"])
        agreed = json.loads(contract["price_overrides"], parse_float=Decimal) if contract else {}
        own = {
            code: Price(
                p["price_model"],
                p["config"],
                p["orb_price_id"],
                p.get("billing_cycle_months", 1),
                p.get("billing_mode") == "in_advance",
            )
            for code, p in agreed.items()
        }
        prices = {**listed[row["currency"]], **own}
        customers[row["id"]] = Customer(row["id"], row["currency"], prices, contract)
    return customers


def _metrics(dataset: Dataset) -> dict[str, str]:
    rows = dataset.table("price_book").to_pylist()
    return {row["product_code"]: row["metric_code"] for row in rows if row["metric_code"]}


def _usage(dataset: Dataset) -> dict[tuple[str, str], dict[str, dict[date, Decimal]]]:
    """By customer and metric: Orb's days under the empty name, the product's megapixels under each model's."""
    usage: dict[tuple[str, str], dict[str, dict[date, Decimal]]] = defaultdict(lambda: defaultdict(dict))
    owners = {s["id"]: s["customer"]["external_customer_id"] for s in dataset.objects("orb/subscriptions")}
    for record in dataset.objects("orb/subscription_usage"):
        metric = record["billable_metric"]["name"]
        for day in record["usage"]:
            on = date.fromisoformat(day["timeframe_start"][:10])
            usage[owners[record["subscription_id"]], metric][""][on] = Decimal(day["quantity"])
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        rows = connection.execute(
            "select customer_id, model, cast(occurred_at as date), sum(megapixels) "
            f"from '{dataset.path}/app/usage_events.parquet' where megapixels is not null group by all"
        ).fetchall()
    for customer, model, day, quantity in rows:
        usage[customer, "megapixels"][model][day] = quantity
    return usage
