from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.__main__ import main
from ingestion.lake import Lake
from ingestion.payload import SourceError
from ingestion.settings import Secret, Settings
from ingestion.sources.stripe import StripeSource, _Part
from ingestion.streams import stream_named
from ingestion.sync import SyncResult, sync
from ingestion.warehouses.duckdb import DuckDBWarehouse
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


def test_a_repair_is_told_on_the_command_line(
    stripe: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_objects(stripe, invoices=[_invoice(1, NOW - 60 * DAY)], events=[])
    with served(Stripe(stripe.parent, KEY)) as base:
        for name, value in (
            ("TIEOUT_HOME", str(settings.home)),
            ("STRIPE_API_KEY", KEY),
            ("STRIPE_API_BASE", base),
            ("STRIPE_REQUESTS_PER_SECOND", "10000"),
        ):
            monkeypatch.setenv(name, value)
        assert main(["stripe.invoices"]) == 0
        assert capsys.readouterr().err == ""
        assert main(["stripe.invoices"]) == 0
        assert "stripe.invoices: stood at " in capsys.readouterr().err


def test_events_that_stripe_no_longer_keeps_are_told_of(run: Sync, stripe: Path) -> None:
    write_objects(stripe, events=[_event(1, "invoice.paid", {}, NOW - 40 * DAY)])
    assert run("events").remarks == ()
    (remark,) = run("events").remarks
    assert re.fullmatch(r"stripe\.events: stood at .*; those before .* are lost\.", remark)


def test_a_state_older_than_the_event_feed_reads_the_whole_list_again(
    run: Sync, stripe: Path, settings: Settings
) -> None:
    old = _invoice(1, NOW - 60 * DAY)
    write_objects(stripe, invoices=[old], events=[])
    run("invoices")
    write_objects(stripe, invoices=[{**old, "status": "void"}])
    repaired = run("invoices")
    assert repaired.rows == 1
    (remark,) = repaired.remarks
    assert re.fullmatch(
        r"stripe\.invoices: stood at .*, before what Stripe's events reach back to; .* read again\.", remark
    )
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


def test_a_line_that_a_draft_lost_lands_as_a_deletion_and_so_do_all_lines_of_a_deleted_draft(
    run: Sync, stripe: Path, settings: Settings
) -> None:
    drafts = [_invoice(number, NOW - 9 * DAY, lines=2) for number in (1, 2, 3)]
    write_objects(stripe, invoices=drafts, events=[])
    assert run("invoice_lines").rows == 6
    write_objects(
        stripe,
        invoices=[_invoice(1, NOW - 9 * DAY, lines=1), drafts[2]],
        events=[_event(1, "invoice.updated", drafts[0], NOW - DAY), _event(2, "invoice.deleted", drafts[1], NOW - DAY)],
    )
    assert run("invoice_lines").rows == 3
    assert run("invoice_lines").rows == 0
    deleted = [row[0] for row in landed(settings, "raw_stripe.invoice_lines") if row[1]]
    assert deleted == ["il_in_1_001", "il_in_2_000", "il_in_2_001"]


def test_every_page_of_a_list_is_read(run: Sync, stripe: Path, settings: Settings) -> None:
    charges = [{"id": f"ch_{n:04}", "object": "charge", "created": NOW - n} for n in range(1234)]
    write_objects(stripe, charges=charges)
    assert run("charges").rows == 1234


class Asked:
    """Answers as the company does, and keeps what it was asked and answered: (path, query, ids)."""

    def __init__(self, company: Callable[[Request], Reply]) -> None:
        self._company, self.answers = company, list[tuple[str, dict[str, str], list[str]]]()

    def __call__(self, request: Request) -> Reply:
        reply = self._company(request)
        found = msgspec.json.decode(reply.body).get("data", [])
        self.answers.append((request.path, dict(request.query), [one["id"] for one in found]))
        return reply

    def of(self, path: str) -> list[tuple[dict[str, str], list[str]]]:
        return [(query, ids) for asked, query, ids in self.answers if asked == path]


HISTORIES: dict[str, list[int]] = {
    "even": [NOW - n * 600 for n in range(4_000)],
    "a burst long ago": [NOW - n * DAY for n in range(300)] + [NOW - 900 * DAY - n // 20 for n in range(3_000)],
    "all in one second": [NOW - DAY] * 1_500,
    "years of silence": [NOW - n for n in range(1_000)] + [1_400_000_000 + n for n in range(1_000)],
}


@pytest.mark.parametrize("history", HISTORIES)
def test_the_parts_of_a_long_list_meet_without_gap_or_overlap(settings: Settings, stripe: Path, history: str) -> None:
    charges = [{"id": f"ch_{n:04}", "object": "charge", "created": at} for n, at in enumerate(HISTORIES[history])]
    write_objects(stripe, charges=charges)
    asked = Asked(Stripe(stripe.parent, KEY))
    with served(asked) as base:
        assert sync(CHARGES, _from(settings, base)).rows == len(charges)
    pages = [(query, ids) for query, ids in asked.of("/v1/charges") if query["limit"] == "100"]
    # every object was on one page, and of each part's end nothing was left when it was asked for again
    assert Counter(key for _, ids in pages for key in ids) == Counter(one["id"] for one in charges)
    assert len({(query.get("created[gte]"), query.get("created[lt]")) for query, _ in pages}) > 1


@given(st.data(), st.integers(0, 10), st.sampled_from([1, DAY]))
def test_every_second_of_a_part_is_in_one_of_its_pieces(data: st.DataObject, idle: int, grain: int) -> None:
    since = data.draw(st.none() | st.integers(0, 10 * DAY))
    until = data.draw(st.none() | st.integers((since or 0) + 2, 200 * DAY))
    newest = data.draw(st.integers((since or 0) + 1, (until or 200 * DAY) - 1))
    oldest = data.draw(st.integers(since or 0, newest))
    part = _Part("/v1/charges", since=since, until=until, after="ch_1")
    pieces = part.cut(newest, oldest, idle, grain)
    assert [(piece.since, piece.until) for piece in reversed(pieces)] == list(
        pairwise([since, *(piece.until for piece in reversed(pieces))])
    )
    assert pieces[0].until == until
    # what was read is not read again: the first goes on where the page ended, the others begin below it
    assert [piece.after for piece in pieces] == ["ch_1", *[None] * (len(pieces) - 1)]
    assert all(piece.until is not None and piece.until <= oldest for piece in pieces[1:])
    assert len(pieces) <= idle + 1


def test_an_object_made_while_a_long_list_is_read_is_found_by_the_next_run(
    run: Sync, stripe: Path, settings: Settings
) -> None:
    charges = [{"id": f"ch_{n:04}", "object": "charge", "created": NOW - 60 - n} for n in range(1_000)]
    write_objects(stripe, charges=charges, events=[])
    later = {"id": "ch_new", "object": "charge", "created": NOW - 30}
    write_objects(stripe.parent.parent / "after" / "stripe", charges=[*charges, later], events=[])
    companies = [Stripe(stripe.parent, KEY), Stripe(stripe.parent.parent / "after", KEY)]
    pages: list[str] = []

    def answers(request: Request) -> Reply:
        pages.append(request.path)
        return companies[len(pages) > 5](request)

    with served(answers) as base:
        sync(CHARGES, _from(settings, base))
        sync(CHARGES, _from(settings, base))
    found = [row[0] for row in landed(settings, "raw_stripe.charges", "object_id")]
    assert len(found) == len(set(found)) == 1_001


def test_a_page_of_another_time_than_was_asked_for_is_not_taken_for_the_end_of_a_part(
    stripe: Path, settings: Settings
) -> None:
    write_objects(stripe, charges=[{"id": f"ch_{n:04}", "object": "charge", "created": NOW - n} for n in range(4_000)])
    company = Stripe(stripe.parent, KEY)
    newest = Request("GET", "/v1/charges", [("limit", "100")], {"authorization": f"Bearer {KEY}"}, b"")

    def answers(request: Request) -> Reply:
        asks_for_older = "created[lt]" in dict(request.query)
        return company(newest if asks_for_older else request)

    with served(answers) as base, pytest.raises(SourceError, match=r"objects of another time .* Run again"):
        sync(CHARGES, _from(settings, base))


def test_many_changed_objects_are_read_in_pages_of_the_list_and_not_one_by_one(
    run: Sync, stripe: Path, settings: Settings
) -> None:
    customers = [{"id": f"cus_{n:03}", "object": "customer", "created": NOW - 90 * DAY - n} for n in range(600)]
    write_objects(stripe, customers=customers, events=[_event(999, "charge.failed", {}, NOW - DAY)])
    run("customers")
    # a bulk edit of half of them; one of those is gone by now
    changed = [{**one, "name": "new"} for one in customers[:300]]
    events = [_event(n, "customer.updated", one, NOW - 3600 - n) for n, one in enumerate(changed)]
    write_objects(stripe, customers=changed[1:] + customers[300:], events=events)
    asked = Asked(Stripe(stripe.parent, KEY))
    with served(asked) as base:
        assert sync(stream_named("stripe.customers"), _from(settings, base)).rows == 299
    single = [path for path, _, _ in asked.answers if path.startswith("/v1/customers/")]
    assert single == ["/v1/customers/cus_000"]
    assert len(asked.of("/v1/customers")) < 30


def test_an_object_that_is_there_again_after_its_deletion_is_not_deleted(
    run: Sync, stripe: Path, settings: Settings
) -> None:
    product = {"id": "prod_mine", "object": "product", "created": NOW - 9 * DAY, "name": "old"}
    write_objects(stripe, products=[product], events=[])
    run("products")
    again = {**product, "created": NOW - 8 * DAY, "name": "new"}
    # of the same second, and Stripe does not say which came first
    events = [
        _event(1, "product.deleted", product, NOW - DAY),
        _event(2, "product.created", again, NOW - DAY),
    ]
    write_objects(stripe, products=[again], events=events)
    assert run("products").rows == 1
    assert landed(settings, "raw_stripe.products", "payload ->> 'name', is_deleted") == [("old", False), ("new", False)]


def test_a_payout_that_is_reconciled_late_has_its_transactions_read_then(
    run: Sync, stripe: Path, settings: Settings
) -> None:
    payout = {
        "id": "po_1",
        "object": "payout",
        "created": NOW - 25 * DAY,
        "automatic": True,
        "reconciliation_status": "in_progress",
    }
    other = {**payout, "id": "po_2", "created": NOW - DAY, "reconciliation_status": "not_applicable"}
    transaction = {"id": "txn_1", "object": "balance_transaction", "created": NOW - 26 * DAY}
    write_objects(
        stripe,
        payouts=[other, payout],
        balance_transactions=[transaction],
        payout_transactions=[{"payout": "po_1", "balance_transaction": "txn_1"}],
        events=[],
    )
    first = run("payout_transactions")
    assert (first.rows, first.cursor_to) == (0, None)
    completed = {**payout, "reconciliation_status": "completed"}
    write_objects(
        stripe,
        payouts=[other, completed],
        events=[_event(1, "payout.reconciliation_completed", completed, NOW - 3600)],
    )
    assert run("payout_transactions").rows == 1
    asked = Asked(Stripe(stripe.parent, KEY))
    with served(asked) as base:
        assert sync(stream_named("stripe.payout_transactions"), _from(settings, base)).rows == 0
    # the next run reads from where this one stood, not from the beginning
    assert all("created[gte]" in query for query, _ in asked.of("/v1/payouts") if query["limit"] == "100")


def test_what_stripe_allows_is_kept_to_without_a_refusal(settings: Settings, stripe: Path) -> None:
    write_objects(stripe, charges=[{"id": f"ch_{n:04}", "object": "charge", "created": NOW - n} for n in range(6_000)])
    company, statuses = Stripe(stripe.parent, KEY, Limits(account=160, endpoint=40)), Counter[int]()

    def answers(request: Request) -> Reply:
        reply = company(request)
        statuses[reply.status] += 1
        return reply

    with served(answers) as base:
        paced = Settings(**{**vars(_from(settings, base)), "stripe_requests_per_second": 160})
        assert sync(CHARGES, paced).rows == 6_000
    assert statuses.keys() == {200}


@pytest.mark.parametrize(
    ("key", "asked_for", "allowed"),
    [
        ("sk_live_x", None, 100),
        ("rk_live_x", None, 100),
        ("sk_test_x", None, 25),
        ("rk_test_x", None, 25),
        ("sk_test_x", 7, 7),
    ],
)
def test_a_key_is_used_as_often_a_second_as_its_mode_allows(
    settings: Settings, key: str, asked_for: int | None, allowed: int
) -> None:
    keyed = {**vars(settings), "stripe_api_key": Secret(key), "stripe_requests_per_second": asked_for}
    with DuckDBWarehouse(Path(":memory:"), Lake(settings.lake)) as nothing_landed:
        source = StripeSource.connect(Settings(**keyed), nothing_landed, lambda: datetime.now(UTC))
    assert source.limits.account == allowed


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


def test_requests_go_through_the_proxy_that_the_environment_names_with_its_password_and_the_key(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[Request] = []

    def relays(request: Request) -> Reply:
        asked.append(request)
        return Reply(200, b'{"object": "list", "data": [], "has_more": false}')

    (tmp_path / ".netrc").write_text("default login somebody password else")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("no_proxy", raising=False)
    with served(relays) as base:
        monkeypatch.setenv("http_proxy", base.replace("//", "//reader:pass@"))
        sync(CHARGES, _from(settings, "http://api.stripe.example"))
    assert {request.headers["host"] for request in asked} == {"api.stripe.example"}
    assert {request.headers["authorization"] for request in asked} == {f"Bearer {KEY}"}
    assert {request.headers["proxy-authorization"] for request in asked} == {"Basic cmVhZGVyOnBhc3M="}


@pytest.mark.usefixtures("at_once")
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


@pytest.mark.usefixtures("at_once")
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
