from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ingestion.payload import SourceError
from ingestion.settings import Secret, Settings
from ingestion.streams import stream_named
from ingestion.sync import SyncResult, sync
from sandbox.servers.http import Reply, Request
from sandbox.servers.stripe import Limits, Stripe
from tests.ingestion.conftest import landed, served, write_objects

KEY = "sk_test_hidden_from_everyone"
NOW = int(time.time())
DAY = 24 * 3600
CHARGES = stream_named("stripe.charges")

Sync = Callable[..., SyncResult]


@pytest.fixture
def stripe(tmp_path: Path) -> Path:
    return tmp_path / "dataset" / "stripe"


@pytest.fixture
def run(settings: Settings, stripe: Path) -> Sync:
    """One sync of a stream from a server that has read the dataset as it is now."""

    def sync_once(name: str, limits: Limits | None = None, key: str = KEY) -> SyncResult:
        with served(Stripe(stripe.parent, KEY, *([limits] if limits else []))) as base:
            return sync(stream_named(f"stripe.{name}"), _from(settings, base, key))

    return sync_once


def _from(settings: Settings, base: str, key: str = KEY) -> Settings:
    return Settings(**{**vars(settings), "stripe_api_key": Secret(key), "stripe_api_base": base})


def _event(number: int, kind: str, subject: dict[str, Any], created: int) -> dict[str, Any]:
    return {
        "id": f"evt_{number}",
        "object": "event",
        "type": kind,
        "created": created,
        "api_version": "2019-01-01",
        "data": {"object": subject},
    }


def _invoice(number: int, created: int, lines: int = 1, **more: Any) -> dict[str, Any]:
    invoice_id = f"in_{number}"
    embedded = [_line(invoice_id, n) for n in range(min(lines, 10))]
    page = {"object": "list", "data": embedded, "has_more": lines > 10, "url": f"/v1/invoices/{invoice_id}/lines"}
    return {"id": invoice_id, "object": "invoice", "created": created, "status": "open", "lines": page, **more}


def _line(invoice_id: str, number: int) -> dict[str, Any]:
    return {"id": f"il_{invoice_id}_{number:03}", "object": "line_item", "invoice": invoice_id, "amount": number}


def test_an_object_edited_after_the_first_sync_lands_again_as_it_is_now(
    run: Sync, stripe: Path, settings: Settings
) -> None:
    old = _invoice(1, NOW - 9 * DAY)
    write_objects(stripe, invoices=[old], events=[])
    assert run("invoices").rows == 1
    paid = {**old, "status": "paid", "amount_paid": 5}
    # the event's own copy is of another API version and must not be what lands
    write_objects(stripe, invoices=[paid], events=[_event(1, "invoice.paid", {**old, "status": "stale"}, NOW - DAY)])
    assert run("invoices").rows == 1
    assert run("invoices").rows == 0
    versions = landed(settings, "raw_stripe.invoices", "payload ->> 'status', origin, epoch(source_at)::bigint")
    assert versions == [("open", "backfill", NOW - 9 * DAY), ("paid", "event", NOW - DAY)]


def test_a_new_object_of_the_same_second_as_the_cursor_is_not_passed_by(
    run: Sync, stripe: Path, settings: Settings
) -> None:
    write_objects(stripe, invoices=[_invoice(1, NOW - DAY)], events=[])
    run("invoices")
    write_objects(stripe, invoices=[_invoice(1, NOW - DAY), _invoice(2, NOW - DAY)])
    assert run("invoices").rows == 1
    assert [row[0] for row in landed(settings, "raw_stripe.invoices")] == ["in_1", "in_2"]


def test_a_deletion_lands_as_a_deletion(run: Sync, stripe: Path, settings: Settings) -> None:
    customer = {"id": "cus_1", "object": "customer", "created": NOW - 9 * DAY}
    write_objects(stripe, customers=[customer], events=[])
    run("customers")
    gone = _event(1, "customer.deleted", customer, NOW - DAY)
    write_objects(stripe, customers=[], events=[gone])
    assert run("customers").rows == 1
    assert run("customers").rows == 0
    assert landed(settings, "raw_stripe.customers") == [("cus_1", False, "backfill"), ("cus_1", True, "event")]


def test_a_state_older_than_the_event_feed_reads_the_whole_list_again(
    run: Sync, stripe: Path, settings: Settings
) -> None:
    old = _invoice(1, NOW - 60 * DAY)
    write_objects(stripe, invoices=[old], events=[])
    run("invoices")
    write_objects(stripe, invoices=[{**old, "status": "void"}])
    assert run("invoices").rows == 1
    assert landed(settings, "raw_stripe.invoices", "payload ->> 'status', origin") == [
        ("open", "backfill"),
        ("void", "sweep"),
    ]


@pytest.mark.parametrize("count", [1, 10, 11, 250])
def test_every_line_of_an_invoice_lands_however_many_it_has(
    run: Sync, stripe: Path, settings: Settings, count: int
) -> None:
    write_objects(
        stripe, invoices=[_invoice(1, NOW - DAY, lines=count)], invoice_lines=[_line("in_1", n) for n in range(count)]
    )
    run("invoice_lines")
    rows = landed(settings, "raw_stripe.invoice_lines", "object_id, parent_id")
    assert rows == [(f"il_in_1_{n:03}", "in_1") for n in range(count)]


def test_every_page_of_a_list_is_read(run: Sync, stripe: Path, settings: Settings) -> None:
    charges = [{"id": f"ch_{n:04}", "object": "charge", "created": NOW - n} for n in range(1234)]
    write_objects(stripe, charges=charges)
    assert run("charges").rows == 1234


def test_which_payout_a_transaction_went_into_is_known(run: Sync, stripe: Path, settings: Settings) -> None:
    payout = {
        "id": "po_1",
        "object": "payout",
        "created": NOW - DAY,
        "automatic": True,
        "reconciliation_status": "completed",
    }
    manual = {**payout, "id": "po_2", "automatic": False, "reconciliation_status": "not_applicable"}
    transactions = [
        {"id": f"txn_{n}", "object": "balance_transaction", "created": NOW - DAY, "exchange_rate": Decimal("1.10")}
        for n in range(3)
    ]
    write_objects(
        stripe,
        payouts=[payout, manual],
        balance_transactions=transactions,
        payout_transactions=[{"payout": "po_1", "balance_transaction": f"txn_{n}"} for n in (0, 2)],
    )
    run("payout_transactions")
    rows = landed(settings, "raw_stripe.payout_transactions", "object_id, parent_id, payload ->> 'exchange_rate'")
    assert rows == [("po_1/txn_0", "po_1", "1.10"), ("po_1/txn_2", "po_1", "1.10")]


def test_a_rate_limited_read_waits_and_goes_on(run: Sync, stripe: Path) -> None:
    write_objects(stripe, charges=[{"id": f"ch_{n}", "object": "charge", "created": NOW - n} for n in range(1500)])
    assert run("charges", limits=Limits(account=8, endpoint=8)).rows == 1500


def test_a_refused_key_is_one_sentence_with_the_variable_and_without_the_key(run: Sync, stripe: Path) -> None:
    write_objects(stripe, charges=[])
    with pytest.raises(SourceError, match=r"stripe\.charges: Stripe refused the key .* check STRIPE_API_KEY") as raised:
        run("charges", key="sk_test_wrong_and_hidden")
    assert "wrong_and_hidden" not in str(raised.value)


def test_an_api_that_cannot_be_reached_is_one_sentence(settings: Settings) -> None:
    with pytest.raises(SourceError, match=r"stripe\.charges: Stripe can't be reached: check the network"):
        sync(CHARGES, _from(settings, "http://127.0.0.1:1"))


def test_a_resource_that_the_key_may_not_read_fails_and_says_which_permission_is_missing(settings: Settings) -> None:
    def forbids(request: Request) -> Reply:
        return Reply(
            403, b'{"error": {"type": "invalid_request_error", "message": "The provided key lacks rak_charge_read"}}'
        )

    with served(forbids) as base, pytest.raises(SourceError, match=r"may not read /v1/charges .*rak_charge_read"):
        sync(CHARGES, _from(settings, base))


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"<html>maintenance</html>", "Stripe"),
        (b'{"object": "list", "data": [], "has_more": true}', "has_more after a page of /v1/charges that was empty"),
        (b'{"data": "all of it"}', "not what the API document says"),
    ],
)
def test_an_answer_that_is_none_is_an_error_and_lands_nothing(settings: Settings, body: bytes, complaint: str) -> None:
    with served(lambda request: Reply(200, body)) as base, pytest.raises(SourceError, match=complaint):
        sync(CHARGES, _from(settings, base))
    assert landed(settings, "raw_stripe.charges") == []


def test_an_object_that_is_none_goes_to_quarantine_with_its_bytes_and_the_others_land(
    run: Sync, stripe: Path, settings: Settings
) -> None:
    page = b'{"object": "list", "data": [{"id": "ch_1", "created": 1}, {"no": "id"}], "has_more": false}'
    end = b'{"object": "list", "data": [], "has_more": false}'

    def answers(request: Request) -> Reply:
        return Reply(200, end if ("starting_after", "ch_1") in request.query or "events" in request.path else page)

    with served(answers) as base:
        result = sync(CHARGES, _from(settings, base))
        assert (result.rows, result.rejected) == (1, 1)
        assert sync(CHARGES, _from(settings, base)).rejected == 0
    assert landed(settings, "raw_quarantine.rejected", "rejected.stream, original") == [
        ("stripe.charges", b'{"no": "id"}')
    ]


def test_an_edit_between_the_reading_of_the_events_and_of_the_list_is_seen_by_the_next_run(
    run: Sync, stripe: Path, settings: Settings
) -> None:
    old = _invoice(1, NOW - 9 * DAY)
    write_objects(stripe, invoices=[old], events=[])
    assert run("invoices").rows == 1
    # between the two an old invoice is paid, and a new one made: the list shows the new one, the events read before show nothing
    before, after = stripe.parent.parent / "before", stripe.parent.parent / "after"
    write_objects(before / "stripe", invoices=[old], events=[_event(1, "invoice.sent", old, NOW - 5 * DAY)])
    write_objects(
        after / "stripe",
        invoices=[{**old, "status": "paid"}, _invoice(2, NOW - DAY)],
        events=[_event(1, "invoice.sent", old, NOW - 5 * DAY), _event(2, "invoice.paid", old, NOW - 2 * DAY)],
    )
    companies = [Stripe(before, KEY), Stripe(after, KEY)]
    asked: list[str] = []

    def answers(request: Request) -> Reply:
        asked.append(request.path)
        events_are_read = sum(path == "/v1/events" for path in asked) > 2
        return companies[events_are_read and request.path != "/v1/events"](request)

    with served(answers) as base:
        sync(stream_named("stripe.invoices"), _from(settings, base))
    with served(Stripe(after, KEY)) as base:
        sync(stream_named("stripe.invoices"), _from(settings, base))
    newest = {row[0]: row[1] for row in landed(settings, "raw_stripe.invoices", "object_id, payload ->> 'status'")}
    assert newest == {"in_1": "paid", "in_2": "open"}


def test_an_answer_that_ends_too_early_is_not_taken_for_the_end(run: Sync, stripe: Path, settings: Settings) -> None:
    write_objects(stripe, charges=[{"id": f"ch_{n:03}", "object": "charge", "created": NOW - n} for n in range(250)])
    company, lies = Stripe(stripe.parent, KEY), iter([True])

    def answers(request: Request) -> Reply:
        reply = company(request)
        if ("limit", "100") in request.query and "starting_after" in dict(request.query) and next(lies, False):
            return Reply(200, reply.body.replace(b'"has_more":true', b'"has_more":false'))
        return reply

    with served(answers) as base:
        assert sync(CHARGES, _from(settings, base)).rows == 250


def test_what_no_report_needs_of_a_person_does_not_reach_the_lake(run: Sync, stripe: Path, settings: Settings) -> None:
    charge = {
        "id": "ch_1",
        "object": "charge",
        "created": NOW,
        "billing_details": {"name": "Ada", "address": {"line1": "1 Secret {Street"}},
        "payment_method_details": {"type": "card", "card": {"last4": "4242", "brand": "visa"}},
    }
    write_objects(stripe, charges=[charge])
    run("charges")
    ((payload,),) = landed(settings, "raw_stripe.charges", "payload")
    assert "Secret" not in str(payload)
    assert "4242" not in str(payload)
    assert '"brand":"visa"' in str(payload)
