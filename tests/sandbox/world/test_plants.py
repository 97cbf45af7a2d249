"""Each planted defect is where the answer key says, worth what it says, and nothing else differs."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import combinations
from typing import Any

import pytest

from sandbox.defects import PLANTS, codes, rated
from sandbox.defects.metered import CHAIN
from sandbox.generate import generate
from tests.sandbox.world import cash, credits, metered, rerating
from tests.sandbox.world.conftest import TINY, Dataset, major
from tests.sandbox.world.test_books import collected

Found = dict[str, tuple[str | None, str | None, Decimal]]


def live_invoices(dataset: Dataset) -> dict[str | None, list[dict[str, Any]]]:
    """Stripe's invoices that are owed or paid, oldest first, by the Orb invoice they name."""
    found: dict[str | None, list[dict[str, Any]]] = defaultdict(list)
    for invoice in dataset.objects("stripe/invoices"):
        if invoice["livemode"] and invoice["status"] in ("open", "paid", "uncollectible"):
            found[invoice["metadata"].get("orb_invoice_id")].append(invoice)
    return found


def due(dataset: Dataset) -> dict[str, dict[str, Any]]:
    """Orb invoices that Stripe must have: what is to be collected, and drafts that should have been issued by now."""
    invoices = dataset.objects("orb/invoices")
    now = max(entry["created_at"] for entry in dataset.objects("orb/credit_ledger"))
    late = {
        i["id"]: i
        for i in invoices
        if i["status"] == "draft"
        and (i["scheduled_issue_at"] or i["eligible_to_issue_at"]) < now
        and Decimal(i["amount_due"]) > 0
    }
    return collected(dataset) | late


def says_the_same(orb: dict[str, Any], stripe: dict[str, Any], owner: str) -> bool:
    """Whether customer, tax, due date and status agree, the amounts aside."""
    taxes = [Decimal(tax["amount"]) for line in orb["line_items"] for tax in line["tax_amounts"]]
    tax = major(sum(t["amount"] for t in stripe["total_taxes"]), stripe["currency"])
    due_date = stripe["due_date"] and datetime.fromtimestamp(stripe["due_date"], UTC).isoformat()
    return (
        orb["customer"]["external_customer_id"] == owner
        and sum(taxes, Decimal(0)) == tax
        and due_date in (None, orb["due_date"])
        and orb["status"] != "issued"
        and stripe["status"] != "uncollectible"
    )


def invoiced(dataset: Dataset) -> Found:
    found: Found = {}
    stripe, expected = live_invoices(dataset), due(dataset)
    owners = {c["id"]: c["metadata"].get("app_customer_id") for c in dataset.objects("stripe/customers")}
    for orb_id in [None, *(set(stripe) - {None} - set(expected))]:
        for invoice in stripe.pop(orb_id, []):
            found[invoice["id"]] = (None, invoice["id"], -major(invoice["total"], invoice["currency"]))
    for orb_id, orb in expected.items():
        owed = Decimal(orb["amount_due"])
        if not stripe[orb_id]:
            found[orb_id] = (orb_id, None, owed)
            continue
        first, *again = stripe[orb_id]
        difference = owed - major(first["total"], first["currency"])
        if first["currency"].upper() != orb["currency"]:
            found[orb_id] = (orb_id, first["id"], owed)
        elif difference or not says_the_same(orb, first, owners[first["customer"]]):
            found[orb_id] = (orb_id, first["id"], difference)
        for invoice in again:
            found[invoice["id"]] = (orb_id, invoice["id"], -major(invoice["total"], invoice["currency"]))
    return found


def paid(dataset: Dataset) -> Found:
    found: Found = {}
    stripe = live_invoices(dataset)
    for orb_id, orb in collected(dataset).items():
        attempts = sum((Decimal(a["amount"]) for a in orb["payment_attempts"] if a["succeeded"]), Decimal(0))
        if orb["status"] == "paid" and not attempts:
            attempts = Decimal(orb["amount_due"])
        for invoice in stripe[orb_id][:1]:
            difference = attempts - major(invoice["amount_paid"], invoice["currency"])
            if difference:
                found[orb_id] = (orb_id, invoice["id"], difference)
    return found


def claims(dataset: Dataset) -> dict[str, list[str]]:
    """Transaction -> the automatic payouts that list it, earliest first; a payout's own transaction is in none."""
    created = {p["id"]: p["created"] for p in dataset.objects("stripe/payouts")}
    own = {t["id"] for t in dataset.objects("stripe/balance_transactions") if t["type"] == "payout"}
    found: dict[str, list[str]] = defaultdict(list)
    for line in sorted(dataset.objects("stripe/payout_transactions"), key=lambda line: created[line["payout"]]):
        if line["balance_transaction"] not in own:
            found[line["balance_transaction"]].append(line["payout"])
    return found


def live_payouts(dataset: Dataset) -> list[dict[str, Any]]:
    return [payout for payout in dataset.objects("stripe/payouts") if payout["livemode"]]


def composed(dataset: Dataset) -> Found:
    """Automatic payouts against their lists; those by hand against what had come in since the last automatic one."""
    found: Found = {}
    listed = claims(dataset)
    transactions = dataset.objects("stripe/balance_transactions")
    settled: dict[str, int] = defaultdict(int)
    for transaction in transactions:
        if transaction["id"] in listed:
            settled[listed[transaction["id"]][0]] += transaction["net"]
    fees = {t["source"]: t["fee"] for t in transactions if t["type"] == "payout"}
    payouts = live_payouts(dataset)
    instants = [(p["currency"], p["created"]) for p in payouts if p["method"] == "instant"]
    for currency in ("usd", "eur", "jpy"):
        moments: list[tuple[int, int, dict[str, Any]]] = []
        for transaction in transactions:
            is_open = transaction["type"] != "payout" and transaction["id"] not in listed
            if is_open and transaction["currency"] == currency:
                # a refund is available from the start of its day, and an instant payout draws on what is pending
                ready = max(transaction["created"], transaction["available_on"])
                later = [at for money, at in instants if money == currency and at >= transaction["created"]]
                moments.append((min([ready, *later]), 0, transaction))
        moments += [(payout["created"], 1, payout) for payout in payouts if payout["currency"] == currency]
        waiting = 0
        for _, _, moved in sorted(moments, key=lambda moment: moment[:2]):
            if moved["object"] == "balance_transaction":
                waiting += moved["net"]
                continue
            taken, difference = moved["amount"] + fees.get(moved["id"], 0), 0
            if moved["automatic"]:
                difference, waiting = taken - settled[moved["id"]], 0
            elif taken > waiting:
                difference, waiting = taken - waiting, 0
            else:
                waiting -= taken
            if difference:
                has_nothing = difference == taken
                found[moved["id"]] = (moved["id"], None if has_nothing else moved["id"], major(difference, currency))
    return found


def listed_again(dataset: Dataset) -> Found:
    nets = {t["id"]: major(t["net"], t["currency"]) for t in dataset.objects("stripe/balance_transactions")}
    return {
        f"{payout}/{transaction}": (transaction, f"{payout}/{transaction}", -nets[transaction])
        for transaction, payouts in claims(dataset).items()
        for payout in payouts[1:]
    }


def not_returned(dataset: Dataset) -> Found:
    returned = {t["source"] for t in dataset.objects("stripe/balance_transactions") if t["type"] == "payout_failure"}
    return {
        payout["id"]: (payout["id"], None, major(payout["amount"], payout["currency"]))
        for payout in live_payouts(dataset)
        if payout["status"] == "failed" and payout["id"] not in returned
    }


def rolled(dataset: Dataset) -> Found:
    """What payouts settled against what they took from the balance, by currency and month; those that tie."""
    debits: dict[str, int] = defaultdict(int)
    for transaction in dataset.objects("stripe/balance_transactions"):
        if transaction["type"] == "payout":
            debits[transaction["source"]] -= transaction["amount"]
    untied = composed(dataset)
    months: dict[str, Decimal] = defaultdict(Decimal)
    for payout in live_payouts(dataset):
        if payout["id"] not in untied:
            key = f"{payout['currency'].upper()}/{datetime.fromtimestamp(payout['created'], UTC):%Y-%m}"
            months[key] += major(payout["amount"] - debits[payout["id"]], payout["currency"])
    return {key: (key, key, difference) for key, difference in months.items() if difference}


def credited(dataset: Dataset) -> Found:
    found: Found = {}
    stripe = {note["id"]: note for note in dataset.objects("stripe/credit_notes")}
    in_orb = {note["metadata"].get("orb_credit_note_id"): i for i, note in stripe.items()}
    for note in dataset.objects("orb/credit_notes"):
        if note["id"] in in_orb:
            other = stripe.pop(in_orb[note["id"]])
            difference = Decimal(note["total"]) - major(other["total"], other["currency"])
            if difference:
                found[note["id"]] = (note["id"], other["id"], difference)
        else:
            found[note["id"]] = (note["id"], None, Decimal(note["total"]))
    return found | {i: (None, i, -major(note["total"], note["currency"])) for i, note in stripe.items()}


def banked(dataset: Dataset) -> Found:
    """By reference, then by amount, then two payouts in one deposit, then one payout in two deposits."""
    found: Found = {}
    deposits = {
        f"{account}/{line['line_id']}": line
        for account, lines in dataset.statements.items()
        for line in lines
        if Decimal(line["amount"]) > 0
    }
    payouts = {p["id"]: p for p in live_payouts(dataset) if p["status"] == "paid"}
    amount = {i: (p["currency"].upper(), major(p["amount"], p["currency"])) for i, p in payouts.items()}

    def take(payout_id: str, refs: list[str]) -> None:
        difference = amount[payout_id][1] - sum(Decimal(deposits.pop(ref)["amount"]) for ref in refs)
        del payouts[payout_id]
        if difference or len(refs) > 1:
            found[payout_id] = (payout_id, ",".join(refs), difference)

    for payout_id, payout in list(payouts.items()):
        refs = [ref for ref, line in deposits.items() if line["reference"] == payout["trace_id"]["value"]]
        if refs:
            take(payout_id, refs)
    for ref, line in list(deposits.items()):
        for payout_id in list(payouts):
            if amount[payout_id] == (line["currency"], Decimal(line["amount"])) and ref in deposits:
                take(payout_id, [ref])
    for ref, line in list(deposits.items()):
        booked = datetime.fromisoformat(f"{line['booked_on']}T00:00:00+00:00").timestamp()
        near = [i for i in payouts if amount[i][0] == line["currency"]]
        near = sorted(
            (i for i in near if abs(payouts[i]["arrival_date"] - booked) <= 7 * 86400),
            key=lambda i: (payouts[i]["arrival_date"], i),
        )
        pairs = [pair for pair in combinations(near, 2) if sum(amount[i][1] for i in pair) == Decimal(line["amount"])]
        if pairs:
            assert len(pairs) == 1, "a combined deposit that two pairs of payouts would explain"
            found[ref] = (",".join(pairs[0]), ref, Decimal(0))
            del deposits[ref]
            for payout_id in pairs[0]:
                del payouts[payout_id]
    for payout_id in list(payouts):
        own = [ref for ref, line in deposits.items() if line["currency"] == amount[payout_id][0]]
        for pair in combinations(own, 2):
            is_of_a_day = len({deposits[ref]["booked_on"] for ref in pair if ref in deposits}) == 1
            if is_of_a_day and sum(Decimal(deposits[ref]["amount"]) for ref in pair) == amount[payout_id][1]:
                take(payout_id, list(pair))
                break
    found |= {payout_id: (payout_id, None, amount[payout_id][1]) for payout_id in payouts}
    return found | {ref: (None, ref, -Decimal(line["amount"])) for ref, line in deposits.items()}


def known_to_orb(dataset: Dataset) -> Found:
    """What Orb billed for service that began after the product had deleted the customer."""
    found: Found = {}
    rows = {row["id"]: row for row in dataset.table("customers").to_pylist()}
    for invoice in dataset.objects("orb/invoices"):
        row = rows[invoice["customer"]["external_customer_id"]]
        begun = min(line["start_date"] for line in invoice["line_items"])
        is_late = row["deleted_at"] and datetime.fromisoformat(begun) >= row["deleted_at"]
        if is_late and invoice["status"] in ("issued", "synced", "paid") and Decimal(invoice["total"]):
            *_, before = found.get(row["id"], (None, None, Decimal(0)))
            found[row["id"]] = (row["id"], row["orb_customer_id"], before - Decimal(invoice["total"]))
    return found


def known_to_stripe(dataset: Dataset) -> Found:
    """What Stripe collected under customers other than those that the product names."""
    rows = dataset.table("customers").to_pylist()
    named = {row["stripe_customer_id"] for row in rows}
    emails = {row["email"]: row["id"] for row in rows}
    collected: dict[str, Decimal] = defaultdict(Decimal)
    for charge in dataset.objects("stripe/charges"):
        if charge["livemode"] and charge["status"] == "succeeded":
            collected[charge["customer"]] += major(charge["amount"], charge["currency"])
    return {
        customer["id"]: (
            customer["metadata"].get("app_customer_id", emails.get(customer["email"])),
            customer["id"],
            -collected[customer["id"]],
        )
        for customer in dataset.objects("stripe/customers")
        if customer["id"] not in named
    }


COMPARISONS = {
    "metered__app_vs_orb": metered.differences,
    "rated__usage_vs_lines": rerating.differences,
    **credits.COMPARISONS,
    "invoiced__orb_vs_stripe": invoiced,
    "invoiced__orb_paid_vs_stripe_paid": paid,
    "settled__payouts_vs_transactions": composed,
    "settled__transactions_vs_payout_lists": listed_again,
    "settled__failed_payouts_vs_returns": not_returned,
    "settled__rolled_balance_vs_unsettled": rolled,
    "invoiced__orb_vs_stripe_credit_notes": credited,
    "collected__invoices_vs_payments": cash.invoices_and_payments,
    "collected__payments_vs_charges": cash.payments_and_charges,
    "collected__movements_vs_balance_transactions": cash.movements_and_balance,
    "collected__fees_vs_schedule": cash.fees_and_schedule,
    "collected__refunds_vs_credit_notes": cash.refunds_and_credit_notes,
    "banked__payouts_vs_bank": banked,
    "identity__app_vs_orb": known_to_orb,
    "identity__app_vs_stripe": known_to_stripe,
}


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_what_differs_is_what_the_key_says(planted: Dataset, comparison: str) -> None:
    assert COMPARISONS[comparison](planted) == planted.answers_of(comparison)


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_nothing_differs_in_a_clean_world(clean: Dataset, comparison: str) -> None:
    assert COMPARISONS[comparison](clean) == {}


@pytest.mark.parametrize("code", [code for code in codes("all") if code != "internal_account"])
def test_a_class_alone_plants_itself_and_nothing_else(tmp_path: Any, code: str) -> None:
    generate(tmp_path / "dataset", **TINY, defects=[code])
    dataset = Dataset(tmp_path / "dataset")
    assert {answer["cause"] for answer in dataset.answers} == {code, "internal_account"}
    for comparison, differences in COMPARISONS.items():
        assert differences(dataset) == dataset.answers_of(comparison)


def test_every_class_is_planted_once_in_the_smallest_world_and_twice_in_larger_ones(
    tiny: Dataset, medium: Dataset
) -> None:
    for dataset, times in ((tiny, 1), (medium, 2)):
        planted = defaultdict(set)
        for answer in dataset.answers:
            planted[answer["cause"]].add(answer["match_key"])
        assert set(planted) == set(codes("all"))
        assert all(len(keys) >= times for keys in planted.values())


def test_a_class_is_spread_over_customers_and_currencies(medium: Dataset) -> None:
    for code in (*rated.PLANTS, *PLANTS):
        answers = [answer for answer in medium.answers if answer["cause"] == code and answer["comparison"]]
        if answers:
            customers = [answer["customer_id"] for answer in answers if answer["customer_id"]]
            # converted is into dollars only, and few customers' money is; the chain's customer may carry its class again
            if code != "conversion_differs":
                assert len({answer["currency"] for answer in answers}) > 1, code
                assert len(set(customers)) >= len(customers) - (code in CHAIN), code


def test_a_chain_lies_on_one_day_of_a_customer_and_the_invoice_that_bills_it(planted: Dataset) -> None:
    days: dict[tuple[str, str], set[str]] = defaultdict(set)
    for answer in planted.answers:
        if answer["cause"] in CHAIN[:2]:
            customer, _, day, cause = answer["match_key"].split("/")
            days[customer, day].add(cause)
    ((customer, day),) = [on for on, causes in days.items() if causes == set(CHAIN[:2])]
    billed = {
        invoice["id"]
        for invoice in planted.objects("orb/invoices")
        if invoice["customer"]["external_customer_id"] == customer
        and invoice["invoice_date"][:10] == (date.fromisoformat(day) + timedelta(days=1)).isoformat()
    }
    assert billed & {answer["left_ref"] for answer in planted.answers if answer["cause"] == CHAIN[2]}


def test_no_object_carries_two_plants(planted: Dataset) -> None:
    refs: list[str] = []
    for answer in planted.answers:
        own = {answer["match_key"], *(answer["left_ref"] or "").split(","), answer["right_ref"]} - {None, ""}
        if answer["cause"] in ("invoice_synced_twice", "charged_twice", "balance_transaction_duplicated"):
            own.discard(answer["left_ref"])
        refs += own
    assert len(refs) == len(set(refs))


def test_late_deposits_may_still_come_and_missing_ones_may_not(planted: Dataset) -> None:
    arrivals = {p["id"]: p["arrival_date"] for p in planted.objects("stripe/payouts")}
    now = datetime.fromisoformat(json.loads((planted.path / "dataset.json").read_text())["now"])
    week_ago = now.timestamp() - 7 * 86400
    for answer in planted.answers:
        if answer["cause"] == "deposit_late":
            assert arrivals[answer["left_ref"]] > week_ago
            assert answer["status"] == "timing"
        if answer["cause"] == "payout_not_in_bank":
            assert arrivals[answer["left_ref"]] < week_ago


def test_internal_tenants_are_in_the_key_even_of_a_clean_world(clean: Dataset) -> None:
    internal = {r["id"] for r in clean.table("customers").to_pylist() if r["account_type"] != "customer"}
    assert {(a["cause"], a["match_key"]) for a in clean.answers} == {("internal_account", i) for i in internal}
    for answer in clean.answers:
        billed = sum(
            Decimal(i["total"])
            for i in clean.objects("orb/invoices")
            if i["customer"]["external_customer_id"] == answer["match_key"]
            and i["status"] in ("issued", "synced", "paid")
        )
        assert Decimal(answer["difference"]) == billed > 0


def test_test_mode_rows_are_the_only_ones_and_all_in_the_key(planted: Dataset) -> None:
    rows = {
        found["id"]
        for path in (planted.path / "stripe").glob("*.jsonl")
        for found in planted.objects(f"stripe/{path.stem}")
        if found.get("livemode") is False
    }
    assert rows == {a["match_key"] for a in planted.answers if a["cause"] == "test_mode_row"}


def test_an_unknown_class_is_refused_with_the_ones_there_are() -> None:
    with pytest.raises(ValueError, match="rounding_errors cannot be planted; choose from event_late, period_shifted, "):
        codes("deposit_late,rounding_errors")


def test_codes_may_come_as_text_or_list() -> None:
    assert (
        codes("deposit_late, test_mode_row")
        == codes(["test_mode_row", "deposit_late"])
        == ["deposit_late", "test_mode_row"]
    )
    assert codes("none") == []


def test_a_class_without_a_place_is_a_clear_error(tmp_path: Any) -> None:
    with pytest.raises(ValueError, match=r"chain: no customer has .* ask for more events"):
        generate(tmp_path / "dataset", customers=12, months=2, events=5)
    assert not list(tmp_path.iterdir())
