"""Each planted defect is where the answer key says, worth what it says, and nothing else differs."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from itertools import combinations
from typing import Any

import pytest

from sandbox.defects import PLANTS, codes, rated
from sandbox.generate import generate
from tests.sandbox.world import rerating
from tests.sandbox.world.conftest import TINY, Dataset, major
from tests.sandbox.world.test_books import METRICS, app_usage, collected, orb_usage

Found = dict[str, tuple[str | None, str | None, Decimal]]


def metered(dataset: Dataset) -> Found:
    found: Found = {}
    for metric in METRICS:
        app, orb = app_usage(dataset, metric), orb_usage(dataset, metric)
        for customer, day in set(app) | set(orb):
            difference = app.get((customer, day), Decimal(0)) - orb.get((customer, day), Decimal(0))
            if difference:
                key = f"{customer}/{metric}/{day}"
                found[key] = (key, key, difference)
    return found


def live_invoices(dataset: Dataset) -> dict[str | None, list[dict[str, Any]]]:
    """Stripe's invoices that are owed or paid, oldest first, by the Orb invoice they name."""
    found: dict[str | None, list[dict[str, Any]]] = defaultdict(list)
    for invoice in dataset.objects("stripe/invoices"):
        if invoice["livemode"] and invoice["status"] in ("open", "paid"):
            found[invoice["metadata"].get("orb_invoice_id")].append(invoice)
    return found


def invoiced(dataset: Dataset) -> Found:
    found: Found = {}
    stripe = live_invoices(dataset)
    for invoice in stripe.pop(None, []):
        found[invoice["id"]] = (None, invoice["id"], -major(invoice["total"], invoice["currency"]))
    for orb_id, orb in collected(dataset).items():
        owed = Decimal(orb["amount_due"])
        if not stripe[orb_id]:
            found[orb_id] = (orb_id, None, owed)
            continue
        first, *again = stripe[orb_id]
        if first["currency"].upper() != orb["currency"]:
            found[orb_id] = (orb_id, first["id"], owed)
        elif owed != major(first["total"], first["currency"]):
            found[orb_id] = (orb_id, first["id"], owed - major(first["total"], first["currency"]))
        for invoice in again:
            found[invoice["id"]] = (orb_id, invoice["id"], -major(invoice["total"], invoice["currency"]))
    return found


def paid(dataset: Dataset) -> Found:
    found: Found = {}
    stripe = live_invoices(dataset)
    for orb_id, orb in collected(dataset).items():
        attempts = sum((Decimal(a["amount"]) for a in orb["payment_attempts"] if a["succeeded"]), Decimal(0))
        for invoice in stripe[orb_id][:1]:
            difference = attempts - major(invoice["amount_paid"], invoice["currency"])
            if difference:
                found[orb_id] = (orb_id, invoice["id"], difference)
    return found


def banked(dataset: Dataset) -> Found:
    """By reference, then by amount, then two payouts in one deposit."""
    found: Found = {}
    deposits = {
        f"{account}/{line['line_id']}": line
        for account, lines in dataset.statements.items()
        for line in lines
        if Decimal(line["amount"]) > 0
    }
    payouts = {p["id"]: p for p in dataset.objects("stripe/payouts") if p["livemode"]}
    amount = {i: (p["currency"].upper(), major(p["amount"], p["currency"])) for i, p in payouts.items()}
    for payout_id, payout in list(payouts.items()):
        for ref, line in list(deposits.items()):
            if line["reference"] == payout["trace_id"]["value"]:
                difference = amount[payout_id][1] - Decimal(line["amount"])
                if difference:
                    found[payout_id] = (payout_id, ref, difference)
                del deposits[ref], payouts[payout_id]
    for ref, line in list(deposits.items()):
        for payout_id in list(payouts):
            if amount[payout_id] == (line["currency"], Decimal(line["amount"])) and ref in deposits:
                del deposits[ref], payouts[payout_id]
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
    found |= {payout_id: (payout_id, None, amount[payout_id][1]) for payout_id in payouts}
    return found | {ref: (None, ref, -Decimal(line["amount"])) for ref, line in deposits.items()}


COMPARISONS = {
    "metered__app_vs_orb": metered,
    "rated__usage_vs_lines": rerating.differences,
    "invoiced__orb_vs_stripe": invoiced,
    "invoiced__orb_paid_vs_stripe_paid": paid,
    "banked__payouts_vs_bank": banked,
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
            assert len({answer["currency"] for answer in answers}) > 1, code
            customers = [answer["customer_id"] for answer in answers if answer["customer_id"]]
            assert len(set(customers)) == len(customers), code


def test_no_object_carries_two_plants(planted: Dataset) -> None:
    refs: list[str] = []
    for answer in planted.answers:
        own = {answer["match_key"], *(answer["left_ref"] or "").split(","), answer["right_ref"]} - {None, ""}
        if answer["cause"] == "invoice_synced_twice":
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
    with pytest.raises(
        ValueError, match="rounding_errors cannot be planted; choose from event_missing_in_orb, proration_"
    ):
        codes("deposit_late,rounding_errors")


def test_codes_may_come_as_text_or_list() -> None:
    assert (
        codes("deposit_late, test_mode_row")
        == codes(["test_mode_row", "deposit_late"])
        == ["deposit_late", "test_mode_row"]
    )
    assert codes("none") == []


def test_a_class_without_a_place_is_a_clear_error(tmp_path: Any) -> None:
    with pytest.raises(ValueError, match=r"event_missing_in_orb: no customer has three .* ask for more events"):
        generate(tmp_path / "dataset", customers=12, months=2, events=5)
    assert not list(tmp_path.iterdir())
