"""What differs between top-ups, blocks, ledger, wallet and invoice lines, found without the product: match key to both
references and the difference. What one comparison names is left out of those that it must show in again."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

from tests.sandbox.world.conftest import Dataset, major

Found = dict[str, tuple[str | None, str | None, Decimal]]
NOTHING = Decimal(0)


def ledgers(dataset: Dataset) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for entry in dataset.objects("orb/credit_ledger"):
        found[entry["customer"]["external_customer_id"]].append(entry)
    return found


def blocks(dataset: Dataset) -> dict[str, dict[str, Any]]:
    return {block["id"]: block for block in dataset.objects("orb/credit_blocks")}


def top_up_charges(dataset: Dataset) -> dict[str, dict[str, Any]]:
    """By payment intent."""
    charges = dataset.objects("stripe/charges")
    return {c["payment_intent"]: c for c in charges if c["paid"] and c["metadata"].get("purpose") == "top_up"}


def topups_vs_grants(dataset: Dataset) -> Found:
    grants = {}
    for entry in dataset.objects("orb/credit_ledger"):
        if entry["entry_type"] == "increment" and Decimal(entry["credit_block"]["per_unit_cost_basis"]):
            grants[entry["metadata"].get("payment_intent", entry["id"])] = entry
    found: Found = {}
    for intent, charge in top_up_charges(dataset).items():
        paid = major(charge["amount"], charge["currency"])
        grant = grants.pop(intent, None)
        granted = grant["amount"] if grant else NOTHING
        if paid != granted:
            found[charge["id"]] = (charge["id"], grant["id"] if grant else None, paid - granted)
    return found | {grant["id"]: (None, grant["id"], -grant["amount"]) for grant in grants.values()}


def refunds_vs_voids(dataset: Dataset) -> Found:
    intents = {block_id: block["metadata"].get("payment_intent") for block_id, block in blocks(dataset).items()}
    voids = {
        intents[entry["credit_block"]["id"]]: entry
        for entry in dataset.objects("orb/credit_ledger")
        if entry["entry_type"] == "void"
    }
    refunds = {r["payment_intent"]: r for r in dataset.objects("stripe/refunds")}
    found: Found = {}
    for intent in refunds.keys() & top_up_charges(dataset).keys():
        refund, void = refunds[intent], voids.get(intent)
        difference = major(refund["amount"], refund["currency"]) + (void["amount"] if void else NOTHING)
        if difference:
            found[refund["id"]] = (refund["id"], void["id"] if void else None, difference)
    return found


def movements_vs_balances(dataset: Dataset) -> Found:
    found: Found = {}
    for ledger in ledgers(dataset).values():
        for entry in ledger:
            off = entry["starting_balance"] + entry["amount"] - entry["ending_balance"]
            if off:
                found[entry["id"]] = (entry["id"], entry["id"], off)
        for earlier, later in pairwise(ledger):
            if later["ledger_sequence_number"] != earlier["ledger_sequence_number"] + 1:
                missing = earlier["starting_balance"] + earlier["amount"] - later["starting_balance"]
                found[later["id"]] = (later["id"], later["id"], missing)
    return found


def draw_order_vs_ledger(dataset: Dataset) -> Found:
    found: Found = {}
    for ledger in ledgers(dataset).values():
        left = {block_id: -off for block_id, off in lost_of_blocks(dataset).items()}
        order: dict[str, tuple[str, Decimal]] = {}
        for entry in ledger:
            block, amount = entry["credit_block"], entry["amount"]
            order[block["id"]] = own = (block["expiry_date"], Decimal(block["per_unit_cost_basis"]))
            if entry["entry_type"] == "decrement":
                live = [left[i] for i, key in order.items() if entry["created_at"] < key[0] and key < own]
                passed_over = sum((balance for balance in live if balance > 0), NOTHING)
                wrong = -amount if block["expiry_date"] <= entry["created_at"] else min(-amount, passed_over)
                if wrong:
                    found[entry["id"]] = (entry["id"], entry["id"], -wrong)
            left[block["id"]] = left.get(block["id"], NOTHING) + amount
    return found


def lost_of_blocks(dataset: Dataset) -> dict[str, Decimal]:
    """How much more the ledger leaves of a block than Orb says, where it does."""
    moved: Counter[str] = Counter()
    for entry in dataset.objects("orb/credit_ledger"):
        moved[entry["credit_block"]["id"]] += entry["amount"]
    lost = {block_id: moved[block_id] - block["balance"] for block_id, block in blocks(dataset).items()}
    return {block_id: off for block_id, off in lost.items() if off}


def without_consequences(found: Found, upstream: Iterable[Decimal]) -> Found:
    """Without a difference for each that is named elsewhere."""
    named = Counter(upstream)
    new: Found = {}
    for key, difference in found.items():
        if named[difference[2]]:
            named[difference[2]] -= 1
        else:
            new[key] = difference
    return new


def ledger_vs_blocks(dataset: Dataset) -> Found:
    found: Found = {block_id: (block_id, block_id, off) for block_id, off in lost_of_blocks(dataset).items()}
    return without_consequences(found, (off for *_, off in movements_vs_balances(dataset).values()))


def wallet_vs_ledger(dataset: Dataset) -> Found:
    sides: tuple[dict[str, Decimal], dict[str, Decimal]] = ({}, {})
    ids: tuple[dict[str, str], dict[str, str]] = ({}, {})
    intents = {block_id: block["metadata"] for block_id, block in blocks(dataset).items()}

    def add(side: int, key: str, object_id: str, amount: Decimal) -> None:
        sides[side][key] = sides[side].get(key, NOTHING) + amount
        ids[side].setdefault(key, key if "/" in key else object_id)

    for row in dataset.table("wallet_transactions").to_pylist():
        day: datetime = row["occurred_at"]
        key = {"refund": row["stripe_payment_intent_id"], "top_up": row["id"], "promotional_grant": row["id"]}.get(
            row["kind"], f"{row['customer_id']}/{row['kind']}/{day:%Y-%m-%d}/{row['currency']}"
        )
        add(0, key, row["id"], row["amount"])
    for entry in dataset.objects("orb/credit_ledger"):
        named, customer = intents[entry["credit_block"]["id"]], entry["customer"]["external_customer_id"]
        of_a_day = {"decrement": "usage", "amendment": "usage", "credit_block_expiry": "expiry"}.get(
            entry["entry_type"]
        )
        key = f"{customer}/{of_a_day}/{entry['created_at'][:10]}/{entry['currency']}"
        if not of_a_day:
            name = "payment_intent" if entry["entry_type"] == "void" else "wallet_transaction_id"
            key = named.get(name, entry["id"])
        add(1, key, entry["id"], entry["amount"])
    found: Found = {}
    for key in sides[0].keys() | sides[1].keys():
        difference = sides[0].get(key, NOTHING) - sides[1].get(key, NOTHING)
        if difference:
            left, right = ids[0].get(key), ids[1].get(key)
            found[left or right or key] = (left, right, difference)
    upstream = [off for _, _, off in topups_vs_grants(dataset).values()]
    upstream += [-off for _, _, off in movements_vs_balances(dataset).values()]
    upstream += [-off for _, _, off in due_expiries_vs_ledger(dataset).values()]
    return without_consequences(found, upstream)


def due_expiries_vs_ledger(dataset: Dataset) -> Found:
    """Only of what the ledger holds together: a lost entry of an expired block is named as such."""
    now = max(entry["created_at"] for entry in dataset.objects("orb/credit_ledger"))
    return {
        block_id: (block_id, None, block["balance"])
        for block_id, block in blocks(dataset).items()
        if block["expiry_date"] <= now and block["balance"]
    }


def prepaid_lines_vs_use(dataset: Dataset) -> Found:
    """Lines that sell credit and serve for no time: what of the credit is left."""
    kept = {block_id: block["balance"] for block_id, block in blocks(dataset).items()}
    found: Found = {}
    for entry in dataset.objects("orb/credit_ledger"):
        for invoice in entry.get("created_invoices") or []:
            (line,) = invoice["line_items"]
            block = entry["credit_block"]["id"]
            if line["start_date"] == line["end_date"] and kept[block]:
                found[line["id"]] = (line["id"], block, kept[block])
    return found


def draws_vs_invoice_lines(dataset: Dataset) -> Found:
    """World sizes here stay out of the cheaper bulk tier, where a draw would be given back as an amendment."""
    drawn: Counter[str] = Counter()
    for entry in dataset.objects("orb/credit_ledger"):
        if entry["entry_type"] == "decrement":
            drawn[f"{entry['invoice_id']}/{entry['price_id']}"] -= entry["amount"]
    applied = {
        f"{invoice['id']}/{line['price']['id']}": Decimal(line["credits_applied"])
        for invoice in dataset.objects("orb/invoices")
        for line in invoice["line_items"]
    }
    off = {key: drawn[key] - applied.get(key, NOTHING) for key in drawn.keys() | applied.keys()}
    found: Found = {key: (key, key, difference) for key, difference in off.items() if difference}
    return without_consequences(found, (-off for *_, off in movements_vs_balances(dataset).values()))


COMPARISONS = {
    "credits__topups_vs_grants": topups_vs_grants,
    "credits__refunds_vs_voids": refunds_vs_voids,
    "credits__movements_vs_balances": movements_vs_balances,
    "credits__draw_order_vs_ledger": draw_order_vs_ledger,
    "credits__ledger_vs_blocks": ledger_vs_blocks,
    "credits__wallet_vs_ledger": wallet_vs_ledger,
    "credits__draws_vs_invoice_lines": draws_vs_invoice_lines,
    "recognised__due_expiries_vs_ledger": due_expiries_vs_ledger,
    "recognised__prepaid_lines_vs_use": prepaid_lines_vs_use,
}
