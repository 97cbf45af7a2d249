"""Messages on the wire: the real client, the vendors' own addresses, receivers that hold a payload against the vendor's shape."""

from __future__ import annotations

import html
import json
import socket
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from ingestion.settings import Secret
from orchestration.alerting.delivery import beat, deliver, say
from orchestration.alerting.finding import Kind
from orchestration.alerting.router import Alert, Message, News, Told
from orchestration.alerting.rules import read_rules
from tests.orchestration.alerting.receivers import SHAPES, Receiver, receiving
from tests.orchestration.alerting.world import NOON, finding

RULES = read_rules()
SLACK = Secret("https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7aQ")
TEAMS = Secret("workflows://prod-01.westeurope.logic.azure.com:443/643e69f8/4RNXgJm0W/")
PAGER = Secret(f"pagerduty://{'0a1b' * 8}@tieout")
BREAK = finding(
    Kind.BREAK_OVER_LIMIT,
    "invoice_not_synced",
    what="3 open breaks of 2 customers (invoiced): Orb issued <it> & Stripe *lacks* it.",
    remedy="Sync the invoice from Orb.",
    since=NOON - timedelta(hours=7, minutes=1),
    amounts={"JPY": Decimal("900"), "USD": Decimal("12400.10")},
    customers=("acct_0001", "acct_0002"),
    breaks=("0123456789abcdef",),
    asset=("reconciliation", "fct_breaks"),
)
LOUD = Alert(BREAK, "critical", "finance-operations", BREAK.since, NOON)
LATE = Alert(finding(Kind.NOT_FRESH, "stripe"), "warning", "data-engineering", NOON, NOON)
SAID = (
    BREAK.what, "2026-12-01 04:59 UTC", "900 JPY, 12,400.10 USD", "finance-operations", "acct_0001", BREAK.remedy,
    "tieout explain 01234567", "http://localhost:3000/assets/reconciliation/fct_breaks", "docs/runbooks/break_over_limit.md",
)  # fmt: skip


@pytest.fixture
def receiver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiving(tmp_path) as one:
        for name, value in one.environment.items():
            monkeypatch.setenv(name, value)
        yield one


def message(*news: tuple[News, Alert]) -> Message:
    return Message("oncall", news or ((News.NEW, LOUD),))


@pytest.mark.parametrize(
    ("address", "host"), zip((SLACK, PAGER, TEAMS), SHAPES, strict=True), ids=("slack", "pagerduty", "teams")
)
def test_a_message_has_the_vendors_shape_and_says_what_since_when_how_much_whose_and_what_to_do(
    receiver: Receiver, address: Secret, host: str
) -> None:
    assert deliver(message(), address, RULES) is None
    assert receiver.refused == []
    (payload,) = receiver.of(host)
    # As the vendor shows it: without what keeps its own markup from reading ours.
    shown = html.unescape(json.dumps(payload)).replace("\\\\", "")
    assert [said for said in SAID if said not in shown] == []


def test_many_alerts_are_one_message_in_a_chat(receiver: Receiver) -> None:
    for address in (SLACK, TEAMS):
        assert deliver(message((News.NEW, LOUD), (News.STILL, LATE)), address, RULES) is None
    assert len(receiver.received) == 2
    assert all("2 alerts: 1 critical, 1 warning" in json.dumps(one.payload) for one in receiver.received)


def test_an_incident_is_resolved_by_the_key_that_it_was_triggered_with(receiver: Receiver) -> None:
    for news in (News.NEW, News.STILL, News.OVER):
        assert deliver(message((news, LOUD)), PAGER, RULES) is None
    told = [(one["event_action"], one["dedup_key"]) for one in receiver.of("events.pagerduty.com")]
    assert told == [(action, BREAK.fingerprint) for action in ("trigger", "trigger", "resolve")]


def test_what_came_and_went_is_an_incident_that_is_triggered_and_resolved(receiver: Receiver) -> None:
    assert deliver(message((News.MISSED, LOUD)), PAGER, RULES) is None
    assert [one["event_action"] for one in receiver.of("events.pagerduty.com")] == ["trigger", "resolve"]


def test_a_webhook_gets_every_field_with_amounts_digit_for_digit(receiver: Receiver) -> None:
    told = {"oncall": Told(NOON, News.NEW, "critical", (), 1)}
    again = Alert(BREAK, "critical", "finance-operations", BREAK.since, NOON, told=told)
    assert deliver(message((News.STILL, again)), Secret(f"json://127.0.0.1:{receiver.port}/hook"), RULES) is None
    ((one,),) = (payload["alerts"] for payload in receiver.of("127.0.0.1"))
    assert one["amounts"] == {"JPY": "900", "USD": "12400.10"}
    assert (one["news"], one["message"], one["owner"]) == ("still", 2, "finance-operations")
    assert one["asset_url"] == "http://localhost:3000/assets/reconciliation/fct_breaks"


class Inbox:
    """What an SMTP server does with mail."""

    def __init__(self) -> None:
        self.mail: list[Envelope] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.mail.append(envelope)
        return "250 OK"


def test_a_mail_arrives_with_all_that_is_to_be_said() -> None:
    inbox = Inbox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Controller(inbox, hostname="127.0.0.1", port=port)
    server.start()
    try:
        address = Secret(f"mailto://127.0.0.1:{port}?from=tieout@acme.example&to=finance@acme.example")
        assert deliver(message(), address, RULES) is None
    finally:
        server.stop()
    (mail,) = inbox.mail
    assert mail.rcpt_tos == ["finance@acme.example"]
    assert isinstance(mail.content, bytes)
    read: Any = message_from_bytes(mail.content, policy=default)
    assert read["Subject"] == "New, critical: break over limit: invoice_not_synced, 900 JPY, 12,400.10 USD"
    shown = html.unescape(read.get_body(("plain", "html")).get_content())
    assert [said for said in SAID if said not in shown] == []


def test_a_payload_of_another_shape_is_refused_by_the_receiver(receiver: Receiver) -> None:
    short = Secret("pagerduty://0a1b@tieout")
    assert "error=400" in str(deliver(message(), short, RULES))
    assert receiver.refused == ["pagerduty: $.routing_key: '0a1b' is too short"]


def test_a_receiver_that_is_down_is_told_of_without_its_secret(receiver: Receiver) -> None:
    receiver.is_down = lambda host: True
    gone = Secret("json://user:pass-of-mine@127.0.0.1:9/hook")
    for address in (SLACK, TEAMS, PAGER, gone):
        reason = str(deliver(message(), address, RULES))
        assert "Failed to send" in reason or "onnection" in reason
        assert not any(secret in reason for secret in ("TIiajkdnlazkcOXrIdevi7aQ", "4RNXgJm0W", "0a1b", "pass-of-mine"))


def test_an_address_that_is_none_and_one_that_is_two_are_refused_with_the_reason() -> None:
    two = Secret("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7aQ/%23alerts/%23finance")
    assert deliver(message(), two, RULES) == "its address names 2 receivers: make a channel of each"
    assert "none that apprise knows" in str(deliver(message(), Secret("https://example.com/hook"), RULES))


def test_a_test_message_says_that_nothing_is_wrong(receiver: Receiver) -> None:
    assert say("oncall", SLACK) is None
    assert "Nothing is wrong" in json.dumps(receiver.of("hooks.slack.com"))


def test_the_heartbeat_calls_the_address_of_the_monitor_as_it_is(receiver: Receiver) -> None:
    assert beat(Secret("https://hc-ping.com/5f1d/tieout?create=1"), "run-1") is None
    ((host, path),) = ((one.host, one.path) for one in receiver.received)
    assert (host, path) == ("hc-ping.com", "/5f1d/tieout?create=1")
