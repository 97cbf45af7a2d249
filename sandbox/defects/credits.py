"""Between Stripe's top-ups, Orb's credit blocks and their ledger, and the product's wallet."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

from sandbox import billing, cash
from sandbox.calendar import DAY, HOUR, day_of, instant, iso
from sandbox.catalogue import money
from sandbox.defects.base import Answer, Carrier, Views, choose, month
from sandbox.defects.invoiced import refund
from sandbox.pricing import to_major, to_minor
from sandbox.views import Object, orb

TOPUPS = "credits__topups_vs_grants"
REFUNDS = "credits__refunds_vs_voids"
BALANCES = "credits__movements_vs_balances"
DRAWS = "credits__draw_order_vs_ledger"
WALLET = "credits__wallet_vs_ledger"
EXPIRIES = "recognised__due_expiries_vs_ledger"
PREPAID = "recognised__prepaid_lines_vs_use"


@dataclass(frozen=True)
class _TopUp:
    """A paid block with credit left that nothing but draws has touched. `entries` begin with its grant."""

    block: Object
    entries: list[Object]
    charge: Object


def _customer(entry: Object) -> str:
    found: str = entry["customer"]["external_customer_id"]
    return found


def _ledgers(views: Views) -> dict[str, list[Object]]:
    """Every customer's entries in sequence, by the product's customer id."""
    ledgers: dict[str, list[Object]] = defaultdict(list)
    for entry in views.orb["credit_ledger"]:
        ledgers[_customer(entry)].append(entry)
    return ledgers


def _neighbours(views: Views) -> dict[str, tuple[Object, Object]]:
    """Entries that follow one another in a ledger, where neither they nor their blocks carry a plant; by the first's id."""
    found = {}
    for earlier, later in pairwise(views.orb["credit_ledger"]):
        ids = {earlier["id"], later["id"], earlier["credit_block"]["id"], later["credit_block"]["id"]}
        if earlier["customer"] == later["customer"] and not ids & views.taken:
            found[earlier["id"]] = (earlier, later)
    return found


def _blocks(views: Views) -> Iterator[tuple[Object, list[Object]]]:
    """The blocks that carry no plant, each with its ledger entries in sequence."""
    entries: dict[str, list[Object]] = defaultdict(list)
    for entry in views.orb["credit_ledger"]:
        entries[entry["credit_block"]["id"]].append(entry)
    for block in views.orb["credit_blocks"]:
        if block["id"] not in views.taken:
            yield block, entries[block["id"]]


def _top_ups(views: Views) -> dict[str, _TopUp]:
    """By block id. Those that Orb invoiced are not among them."""
    charges = {charge["payment_intent"]: charge for charge in views.stripe["charges"] if charge["paid"]}
    found = {}
    for block, entries in _blocks(views):
        charge = charges.get(block["metadata"].get("payment_intent"))
        is_plain = {entry["entry_type"] for entry in entries} <= {"increment", "decrement"}
        is_plain &= not entries[0]["created_invoices"]
        if charge and block["balance"] and is_plain and not charge["disputed"] and not charge["amount_refunded"]:
            found[block["id"]] = _TopUp(block, entries, charge)
    return found


def _carrier(carrier_id: str, entry: Object) -> Carrier:
    return Carrier(carrier_id, _customer(entry), entry["currency"])


def _granted(
    code: str, carrier: Carrier, charge: Object | None, entry: Object | None, period: str, difference: Decimal
) -> Answer:
    left, right = charge["id"] if charge else None, entry["id"] if entry else None
    key = left or right
    assert key is not None
    return Answer(code, TOPUPS, "break", key, carrier.customer_id, period, carrier.currency, left, right, difference)


def _in_ledger(code: str, comparison: str, entry: Object, difference: Decimal) -> Answer:
    period, own = entry["created_at"][:7], entry["id"]
    return Answer(code, comparison, "break", own, _customer(entry), period, entry["currency"], own, own, difference)


def _shift(views: Views, entry: Object, amount: Decimal, places: int) -> None:
    """What follows an entry in its ledger starts and ends that much higher, that many places on."""
    for later in _ledgers(views)[_customer(entry)]:
        if later["ledger_sequence_number"] > entry["ledger_sequence_number"]:
            later["ledger_sequence_number"] += places
            later["starting_balance"] += amount
            later["ending_balance"] += amount


def _topup_not_granted(views: Views, code: str) -> list[Answer]:
    """Stripe has the money and the product its row, but Orb never heard of a top-up that nobody has drawn from yet.

    One of the last days might still be on its way.
    """
    long_ago = instant(views.world.calendar.now) - 3 * DAY
    unused = {
        block_id: top_up
        for block_id, top_up in _top_ups(views).items()
        if len(top_up.entries) == 1 and top_up.charge["created"] < long_ago
    }
    carriers = [_carrier(block_id, top_up.entries[0]) for block_id, top_up in unused.items()]
    answers = []
    for carrier in choose(views, code, "top-ups that nobody has drawn from", carriers):
        block, (entry,), charge = unused[carrier.id].block, unused[carrier.id].entries, unused[carrier.id].charge
        _shift(views, entry, -entry["amount"], -1)
        views.orb["credit_ledger"].remove(entry)
        views.orb["credit_blocks"].remove(block)
        views.taken.add(charge["id"])
        answers.append(_granted(code, carrier, charge, None, month(day_of(charge["created"])), entry["amount"]))
    return answers


def _expired_credit_drawn(views: Views, code: str) -> list[Answer]:
    """The last draw from a block came at the end of the day at whose start the block had expired.

    Only a block that the earlier date does not move before another that was drawn meanwhile.
    """
    ledgers = _ledgers(views)
    last: dict[str, tuple[Object, str, list[Object]]] = {}
    for block, entries in _blocks(views):
        grant, final = entries[0], entries[-1]
        expiry = f"{final['created_at'][:10]}T00:00:00+00:00"
        draws = [entry for entry in entries if entry["entry_type"] == "decrement"]
        is_used_up = not block["balance"] and len(draws) == len(entries) - 1
        is_alone = [draw["created_at"] for draw in draws].count(final["created_at"]) == 1
        meanwhile = ledgers[_customer(final)][grant["ledger_sequence_number"] : final["ledger_sequence_number"]]
        expiries = [
            other["credit_block"]["expiry_date"]
            for other in meanwhile
            if other["entry_type"] == "decrement" and other["credit_block"]["id"] != block["id"]
        ]
        if is_used_up and is_alone and grant["created_at"] < expiry > max(expiries, default=""):
            last[block["id"]] = (final, expiry, [block, *(entry["credit_block"] for entry in entries)])
    answers = []
    carriers = [_carrier(block_id, final) for block_id, (final, _, _) in last.items()]
    for carrier in choose(views, code, "blocks that one draw used up", carriers):
        final, expiry, dated = last[carrier.id]
        for shown in dated:
            shown["expiry_date"] = expiry
        views.taken.add(final["id"])
        answers.append(_in_ledger(code, DRAWS, final, final["amount"]))
    return answers


def _draw_order_wrong(views: Views, code: str) -> list[Answer]:
    """Two draws of a day changed places: the later block was drawn while the earlier one still had that much left."""
    pairs = {
        entry_id: (earlier, later)
        for entry_id, (earlier, later) in _neighbours(views).items()
        if earlier["entry_type"] == later["entry_type"] == "decrement"
        and earlier["created_at"] == later["created_at"]
        and earlier["credit_block"]["id"] != later["credit_block"]["id"]
    }
    answers = []
    carriers = [_carrier(entry_id, earlier) for entry_id, (earlier, _) in pairs.items()]
    for carrier in choose(views, code, "days on which a block was used up", carriers):
        earlier, later = pairs[carrier.id]
        views.taken |= {later["id"], earlier["credit_block"]["id"], later["credit_block"]["id"]}
        out_of_order = max(earlier["amount"], later["amount"])
        for name in ("amount", "credit_block", "price_id", "invoice_id", "description"):
            earlier[name], later[name] = later[name], earlier[name]
        later["starting_balance"] = earlier["ending_balance"] = earlier["starting_balance"] + earlier["amount"]
        answers.append(_in_ledger(code, DRAWS, earlier, out_of_order))
    return answers


def _promo_with_cost_basis(views: Views, code: str) -> list[Answer]:
    """Given away with the cost basis of credit that was sold."""
    tenants = {customer.id for customer in views.world.company if customer.is_internal}
    expiries = Counter((block["customer_id"], block["expiry_date"]) for block in views.orb["credit_blocks"])
    promotions = {
        block["id"]: (block, entries)
        for block, entries in _blocks(views)
        if block["per_unit_cost_basis"] == "0.00"
        and _customer(entries[0]) not in tenants
        # with another of the same expiry the cost basis would decide which goes first
        and expiries[block["customer_id"], block["expiry_date"]] == 1
    }
    answers = []
    carriers = [_carrier(block_id, entries[0]) for block_id, (_, entries) in promotions.items()]
    for carrier in choose(views, code, "promotions", carriers):
        block, entries = promotions[carrier.id]
        for shown in (block, *(entry["credit_block"] for entry in entries)):
            shown["per_unit_cost_basis"] = "1.00"
        grant = entries[0]
        answers.append(_granted(code, carrier, None, grant, grant["created_at"][:7], -grant["amount"]))
    return answers


def _grant_amount_differs(views: Views, code: str) -> list[Answer]:
    """Somebody granted a tenth too much, or too little; what is left of the block shows it."""
    top_ups = {
        block_id: top_up
        for block_id, top_up in _top_ups(views).items()
        if top_up.block["balance"] > top_up.block["maximum_initial_balance"] / 5
    }
    answers = []
    carriers = [_carrier(block_id, top_up.entries[0]) for block_id, top_up in top_ups.items()]
    for turn, carrier in enumerate(choose(views, code, "top-ups with a fifth of their credit left", carriers)):
        block, grant, charge = top_ups[carrier.id].block, top_ups[carrier.id].entries[0], top_ups[carrier.id].charge
        change = to_major(charge["amount"] // 10, carrier.currency) * (-1 if turn % 2 else 1)
        _shift(views, grant, change, 0)
        for shown, names in ((grant, ("amount", "ending_balance")), (block, ("balance", "maximum_initial_balance"))):
            for name in names:
                shown[name] += change
        views.taken |= {grant["id"], charge["id"]}
        answers.append(_granted(code, carrier, charge, grant, month(day_of(charge["created"])), -change))
    return answers


def _void_differs(views: Views, code: str) -> list[Answer]:
    """Half of what is left of a top-up was paid back from Stripe's dashboard, and nobody voided the credit.

    After the last payout: the money leaves the balance with the next one.
    """
    keys = views.keys
    payments = {payment.intent_id: payment for payment in views.world.cash.payments}
    at = instant(views.world.calendar.now) - 2 * DAY + HOUR
    top_ups = {block_id: top_up for block_id, top_up in _top_ups(views).items() if top_up.charge["created"] < at}
    answers = []
    carriers = [_carrier(block_id, top_up.entries[0]) for block_id, top_up in top_ups.items()]
    for turn, carrier in enumerate(choose(views, code, "top-ups with credit left", carriers)):
        block, charge = top_ups[carrier.id].block, top_ups[carrier.id].charge
        amount = (to_minor(block["balance"], carrier.currency) + 1) // 2
        made = cash.Refund(
            keys.id("re_3", f"{code}/{block['id']}", 23), payments[charge["payment_intent"]], amount, at + turn
        )
        refund(views, made)
        views.taken |= {made.id, charge["id"]}
        answers.append(
            Answer(
                cause=code,
                comparison=REFUNDS,
                status="break",
                match_key=made.id,
                customer_id=carrier.customer_id,
                period=month(day_of(made.at)),
                currency=carrier.currency,
                left_ref=made.id,
                right_ref=None,
                difference=to_major(amount, carrier.currency),
            )
        )
    return answers


def _grant_not_paid(views: Views, code: str) -> list[Answer]:
    """Typed into Orb by hand as if it had been sold, in the quiet days after the last usage."""
    keys, calendar = views.keys, views.world.calendar
    rng = keys.rng(f"defects/{code}/amounts")
    ledgers = _ledgers(views)
    customers = {c.id: c for c in views.world.company if c.contract is None and not (c.is_internal or c.end)}
    answers = []
    carriers = [Carrier(customer.id, customer.id, customer.currency) for customer in customers.values()]
    for turn, carrier in enumerate(choose(views, code, "prepaid customers", carriers)):
        customer, ledger = customers[carrier.id], ledgers[carrier.id]
        at = instant(calendar.usage_end + timedelta(days=3 + turn)) + 10 * HOUR
        amount = to_minor(money(str(int(rng.integers(30, 90))), carrier.currency), carrier.currency) + 7
        before = [entry for entry in ledger if entry["created_at"] < iso(at)][-1]
        block = billing.Block(
            keys.id("", f"block/{code}/{customer.id}", 16), amount, amount, "1.00", at, at + 365 * DAY, {}
        )
        entry = billing.LedgerEntry(
            id=keys.id("", f"ledger/{code}/{customer.id}", 16),
            sequence=before["ledger_sequence_number"] + 1,
            kind="increment",
            at=at,
            amount=amount,
            starting=to_minor(before["ending_balance"], carrier.currency),
            block=block,
            price=None,
            invoice_id=None,
            description="Credits added",
            metadata={},
        )
        granted = orb.ledger_entry(customer, entry)
        _shift(views, before, granted["amount"], 1)
        views.orb["credit_ledger"].insert(views.orb["credit_ledger"].index(before) + 1, granted)
        views.orb["credit_blocks"].append(orb.credit_block(customer, block))
        views.taken |= {block.id, entry.id}
        answers.append(_granted(code, carrier, None, granted, granted["created_at"][:7], -granted["amount"]))
    return answers


def _prepaid_recognised_early(views: Views, code: str) -> list[Answer]:
    """Orb invoiced a top-up, and nobody gave its line a service period; some of the credit is unused."""
    payments = {payment.intent_id: payment for payment in views.world.cash.payments}
    top_ups = _top_ups(views)
    answers = []
    carriers = [_carrier(block_id, top_up.entries[0]) for block_id, top_up in top_ups.items()]
    for carrier in choose(views, code, "top-ups with credit left", carriers):
        block, grant, charge = top_ups[carrier.id].block, top_ups[carrier.id].entries[0], top_ups[carrier.id].charge
        day = day_of(charge["created"])
        invoice = orb.credit_invoice(views.world, payments[charge["payment_intent"]], day)
        (line,) = invoice["line_items"]
        grant["created_invoices"] = [invoice]
        views.orb["invoices"].append(invoice)
        views.taken |= {charge["id"], grant["id"], invoice["id"]}
        answers.append(
            Answer(
                cause=code,
                comparison=PREPAID,
                status="break",
                match_key=line["id"],
                customer_id=carrier.customer_id,
                period=month(day),
                currency=carrier.currency,
                left_ref=line["id"],
                right_ref=block["id"],
                difference=block["balance"],
            )
        )
    return answers


def _ledger_gap(views: Views, code: str) -> list[Answer]:
    """Orb's list leaves out a day's last draw; the next time an entry repeats the number of the one before it."""
    draws = {
        entry_id: (earlier, later)
        for entry_id, (earlier, later) in _neighbours(views).items()
        if earlier["entry_type"] == "decrement" and earlier["created_at"] < later["created_at"]
    }
    answers = []
    carriers = [_carrier(entry_id, earlier) for entry_id, (earlier, _) in draws.items()]
    for turn, carrier in enumerate(choose(views, code, "draws with an entry on a later day", carriers)):
        draw, later = draws[carrier.id]
        views.taken |= {later["id"], draw["credit_block"]["id"], later["credit_block"]["id"]}
        if turn % 2:
            _shift(views, draw, Decimal(0), -1)
            difference = Decimal(0)
        else:
            views.orb["credit_ledger"].remove(draw)
            difference = -draw["amount"]
        answers.append(_in_ledger(code, BALANCES, later, difference))
    return answers


def _ledger_arithmetic(views: Views, code: str) -> list[Answer]:
    """The balance after an entry is a little off; the next entry starts from the right one."""
    rng = views.keys.rng(f"defects/{code}/amounts")
    entries = {entry_id: earlier for entry_id, (earlier, _) in _neighbours(views).items()}
    answers = []
    carriers = [_carrier(entry_id, entry) for entry_id, entry in entries.items()]
    for turn, carrier in enumerate(choose(views, code, "entries that another follows", carriers)):
        entry = entries[carrier.id]
        off = to_major(int(rng.integers(1, 99)), carrier.currency) * (-1 if turn % 2 else 1)
        entry["ending_balance"] += off
        answers.append(_in_ledger(code, BALANCES, entry, -off))
    return answers


def _breakage_missed(views: Views, code: str) -> list[Answer]:
    """A block that was paid for expired with credit left, and Orb never took it: it stands there as if it could be used.

    One of the last days might still expire.
    """
    long_ago = iso(instant(views.world.calendar.now) - 3 * DAY)
    expired = {
        block["id"]: (block, entries[-1])
        for block, entries in _blocks(views)
        if block["per_unit_cost_basis"] == "1.00"
        and [entry["entry_type"] for entry in entries].count("credit_block_expiry") == 1
        and entries[-1]["entry_type"] == "credit_block_expiry"
        and entries[-1]["created_at"] < long_ago
    }
    answers = []
    carriers = [_carrier(block_id, expiry) for block_id, (_, expiry) in expired.items()]
    for carrier in choose(views, code, "paid blocks that expired with credit left", carriers):
        block, expiry = expired[carrier.id]
        _shift(views, expiry, -expiry["amount"], -1)
        views.orb["credit_ledger"].remove(expiry)
        block["balance"] -= expiry["amount"]
        answers.append(
            Answer(
                cause=code,
                comparison=EXPIRIES,
                status="break",
                match_key=block["id"],
                customer_id=carrier.customer_id,
                period=block["expiry_date"][:7],
                currency=carrier.currency,
                left_ref=block["id"],
                right_ref=None,
                difference=-expiry["amount"],
            )
        )
    return answers


def _wallet_differs(views: Views, code: str) -> list[Answer]:
    """The product took more off a wallet than the day's usage cost."""
    rng = views.keys.rng(f"defects/{code}/amounts")
    rows = {row["id"]: row for row in views.app["wallet_transactions"] if row["kind"] == "usage"}
    answers = []
    carriers = [Carrier(row_id, row["customer_id"], row["currency"]) for row_id, row in rows.items()]
    for carrier in choose(views, code, "days of usage in a wallet", carriers):
        row = rows[carrier.id]
        off = to_major(int(rng.integers(101, 999)), carrier.currency)
        row["amount"] -= off
        key = f"{carrier.customer_id}/usage/{row['occurred_at']:%Y-%m-%d}/{carrier.currency}"
        period = month(row["occurred_at"])
        answers.append(
            Answer(code, WALLET, "break", key, carrier.customer_id, period, carrier.currency, key, key, -off)
        )
    return answers


PLANTS: dict[str, Callable[[Views, str], list[Answer]]] = {
    "topup_not_granted": _topup_not_granted,
    "expired_credit_drawn": _expired_credit_drawn,
    "draw_order_wrong": _draw_order_wrong,
    "promo_with_cost_basis": _promo_with_cost_basis,
    "grant_amount_differs": _grant_amount_differs,
    "void_differs": _void_differs,
    "prepaid_recognised_early": _prepaid_recognised_early,
    "grant_not_paid": _grant_not_paid,
    "ledger_gap": _ledger_gap,
    "ledger_arithmetic": _ledger_arithmetic,
    "wallet_differs": _wallet_differs,
    "breakage_missed": _breakage_missed,
}
