"""Hands messages to their receivers: Slack, e-mail, PagerDuty, Teams, webhooks, and whatever else apprise knows an address of.

An address is apprise's (https://appriseit.com/services/) and names one receiver: of two, the one that takes a message would get
it again for as long as the other does not.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from ingestion.settings import Secret
from orchestration.alerting.message import asset_link, body, facts, headline, markdown, number, run_link, runbook, title
from orchestration.alerting.router import Alert, Message, News
from orchestration.alerting.rules import Rules

if TYPE_CHECKING:
    from apprise import NotifyBase, NotifyFormat, NotifyType

_LONGEST_SUMMARY = 1000
"""PagerDuty takes 1,024 characters."""

# apprise and the services it knows take half a second to import: they are imported where something is sent.


def most(address: Secret) -> int:
    """Of how many alerts a message to the address may be: an incident has one, by whose key it is opened and resolved."""
    return 1 if address.reveal().startswith("pagerduty:") else 10


def deliver(message: Message, address: Secret, rules: Rules) -> str | None:
    """Send it, and say why it was not taken; None when it was."""
    from apprise import NotifyFormat
    from apprise.plugins.custom_json import NotifyJSON
    from apprise.plugins.pagerduty import NotifyPagerDuty
    from apprise.plugins.workflows import NotifyWorkflows

    receiver = _receiver(address)
    if isinstance(receiver, str):
        return receiver
    if isinstance(receiver, NotifyPagerDuty):
        ((news, alert),) = message.news
        return _incident(receiver, news, alert, rules, message.channel)
    if isinstance(receiver, NotifyWorkflows):
        text, format = markdown(message, rules.links), NotifyFormat.MARKDOWN
    else:
        text, format = body(message, rules.links), NotifyFormat.TEXT
    if isinstance(receiver, NotifyJSON):
        receiver.payload_extras["alerts"] = [
            _record(news, alert, rules, message.channel) for news, alert in message.news
        ]
    return _sent(receiver, text, headline(message), _loudest(message, rules), format)


def say(channel: str, address: Secret) -> str | None:
    """Send a test message, and say why it was not taken; None when it was."""
    from apprise import NotifyType

    receiver = _receiver(address)
    if isinstance(receiver, str):
        return receiver
    sentence = f"Channel {channel} of Tieout works. Nothing is wrong: `tieout alerts --test` asked for this message."
    return _sent(receiver, sentence, "Tieout: a test", NotifyType.INFO)


def beat(url: Secret, run_id: str) -> str | None:
    """Tell the monitor outside that a run has ended and everybody knows of what is wrong; say why it did not take it.

    A POST to an address as https://healthchecks.io/docs/http_api/ describes it: any answer of 2xx is one.
    """
    from apprise import Apprise, NotifyType

    parts = urlsplit(url.reveal())
    secure = parts.scheme == "https"
    receiver = Apprise.instantiate(
        {
            "schema": "jsons" if secure else "json",
            "secure": secure,
            "host": parts.hostname,
            "port": parts.port,
            "fullpath": parts.path,
            "params": dict(parse_qsl(parts.query)),
        }
    )
    if receiver is None:
        return "TIEOUT_HEARTBEAT_URL is no address of the web"
    return _sent(receiver, run_id, "Tieout", NotifyType.SUCCESS)


def _receiver(address: Secret) -> NotifyBase | str:
    """Who is at the address, or why there is nobody."""
    from apprise import Apprise, AppriseAsset
    from apprise.plugins.slack import NotifySlack

    # Without its pictures, which every receiver would fetch from the internet.
    asset = AppriseAsset(app_id="Tieout", app_desc="Tieout", image_url_mask="", image_url_logo="")
    with _heard():
        receiver = Apprise.instantiate(address.reveal(), asset=asset)
    if receiver is None:
        return "its address is none that apprise knows: docs/alerting.md has examples"
    if len(receiver) != 1:
        return f"its address names {len(receiver)} receivers: make a channel of each"
    # Five seconds between two requests would hold up everybody behind the second of two incidents.
    receiver.request_rate_per_sec = 0
    if isinstance(receiver, NotifySlack):
        # In it stands the time as a number with a fraction, which Slack's `ts` is not.
        receiver.include_footer = False
    return receiver


def _record(news: News, alert: Alert, rules: Rules, channel: str) -> dict[str, Any]:
    """An alert for programs; amounts are text, digit for digit."""
    return {
        **msgspec.to_builtins(alert.finding),
        "fingerprint": alert.finding.fingerprint,
        "news": news,
        "message": number(alert, channel),
        "severity": alert.severity,
        "owner": alert.owner,
        "since": alert.since.isoformat(),
        "over_at": alert.over_at and alert.over_at.isoformat(),
        "asset_url": asset_link(alert, rules.links),
        "run_url": run_link(alert, rules.links),
        "runbook": runbook(alert, rules.links),
    }


def _incident(receiver: Any, news: News, alert: Alert, rules: Rules, channel: str) -> str | None:
    """Trigger or resolve the alert's incident; one that came and went is triggered first, or there would be none to see."""
    from apprise import NotifyType

    receiver.action, receiver.dedup = "map", alert.finding.fingerprint
    receiver.source, receiver.component, receiver.class_id = "tieout", alert.finding.subject, alert.finding.kind
    receiver.click = run_link(alert, rules.links) or asset_link(alert, rules.links)
    receiver.details = facts(alert, channel, rules.links)
    loud = _type(News.NEW, alert, rules)
    kinds = {News.OVER: [NotifyType.SUCCESS], News.MISSED: [loud, NotifyType.SUCCESS]}.get(news, [loud])
    refusals = (_sent(receiver, title(news, alert)[:_LONGEST_SUMMARY], "", kind) for kind in kinds)
    return next((refusal for refusal in refusals if refusal), None)


def _loudest(message: Message, rules: Rules) -> NotifyType:
    """The first is the loudest."""
    pressing = [one for one in message.news if one[0] not in (News.OVER, News.MISSED)]
    return _type(*(pressing or message.news)[0], rules)


def _type(news: News, alert: Alert, rules: Rules) -> NotifyType:
    """What apprise, and by it the receiver's colours, call a severity: the loudest is a failure, a digest's is information."""
    from apprise import NotifyType

    if news in (News.OVER, News.MISSED):
        return NotifyType.SUCCESS
    if rules.severities[alert.severity].digest_at:
        return NotifyType.INFO
    return NotifyType.FAILURE if alert.severity == next(iter(rules.severities)) else NotifyType.WARNING


def _sent(
    receiver: NotifyBase, text: str, title: str, kind: NotifyType, format: NotifyFormat | None = None
) -> str | None:
    from apprise import Apprise

    post = Apprise()
    post.add(receiver)
    with _heard() as heard:
        taken = post.notify(body=text, title=title, notify_type=kind, body_format=format)
    return None if taken else " ".join(heard) or "it was not taken, and nothing was said of why"


@contextmanager
def _heard() -> Iterator[list[str]]:
    """What apprise says in the block; it masks what is secret in addresses itself, and says the rest in its debug log."""
    heard: list[str] = []
    logger = logging.getLogger("apprise")

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    ear, level, propagate = Ear(logging.WARNING), logger.level, logger.propagate
    logger.addHandler(ear)
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    try:
        yield heard
    finally:
        logger.removeHandler(ear)
        logger.setLevel(level)
        logger.propagate = propagate
