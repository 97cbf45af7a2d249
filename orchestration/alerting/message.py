"""An alert in words: what, since when, how much money, whose, what to do, and where to look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from orchestration.alerting.router import Alert, Message, News
from orchestration.alerting.rules import Links

_SHORT = 8
"""Characters of a break's id that `tieout explain` takes."""

_SHOWN = 3


def headline(message: Message) -> str:
    """One line: the alert's, or how many there are of which severity."""
    if len(message.news) == 1:
        return title(*message.news[0])
    counted = Counter("over" if _is_past(news) else alert.severity for news, alert in message.news)
    return f"{len(message.news)} alerts: " + ", ".join(f"{count} {what}" for what, count in counted.items())


def title(news: News, alert: Alert) -> str:
    """`New, critical: run failed: hourly`; `Over: not fresh: stripe`."""
    said = "Came and went" if news is News.MISSED else news.capitalize()
    loud = "" if _is_past(news) else f", {alert.severity}"
    finding = alert.finding
    money = f", {finding.money}" if finding.amounts else ""
    return f"{said}{loud}: {finding.kind.replace('_', ' ')}: {finding.subject}{money}"


def body(message: Message, links: Links) -> str:
    """Markdown: a list of facts an alert, under its title where there are several."""
    return "\n\n".join(
        ("" if len(message.news) == 1 else f"**{title(news, alert)}**\n\n")
        + "\n".join(f"- {name}: {fact}" for name, fact in facts(alert, message.channel, links).items())
        for news, alert in message.news
    )


def facts(alert: Alert, channel: str, links: Links) -> dict[str, str]:
    """All that is to be said of an alert, by name, in the order in which it is read; values are Markdown."""
    return dict(_facts(alert, channel, links))


def asset_link(alert: Alert, links: Links) -> str | None:
    """The asset's page in Dagster."""
    asset = alert.finding.asset
    return f"{links.dagster}/assets/{'/'.join(asset)}" if asset else None


def run_link(alert: Alert, links: Links) -> str | None:
    """The run's page in Dagster."""
    return f"{links.dagster}/runs/{alert.finding.run_id}" if alert.finding.run_id else None


def runbook(alert: Alert, links: Links) -> str:
    """The page of the alert's kind."""
    return f"{links.runbooks}/{alert.finding.kind}.md"


def _facts(alert: Alert, channel: str, links: Links) -> Iterator[tuple[str, str]]:
    finding = alert.finding
    yield "What", finding.what
    yield "Since", f"{alert.since:%Y-%m-%d %H:%M} UTC" + (f", over {alert.over_at:%H:%M} UTC" if alert.over_at else "")
    if finding.amounts:
        yield "How much", finding.money
    customers = f"; customers {_listed(finding.customers)}" if finding.customers else ""
    yield "Whose", f"{alert.owner}{customers}"
    if not alert.over_at:
        yield "What to do", finding.remedy
    if finding.breaks:
        yield "Break", _listed(f"tieout explain {break_id[:_SHORT]}" for break_id in finding.breaks)
    if link := asset_link(alert, links):
        yield "Asset", f"[{'.'.join(finding.asset)}]({link})"
    if link := run_link(alert, links):
        yield "Run", f"[{finding.run_id}]({link})"
    yield "Runbook", f"[{finding.kind}]({runbook(alert, links)})"
    times = alert.told[channel].times if channel in alert.told else 0
    yield "Alert", f"`{finding.fingerprint}`, message {times + 1}"


def _is_past(news: News) -> bool:
    return news in (News.OVER, News.MISSED)


def _listed(names: Iterable[str]) -> str:
    told = [f"`{name}`" for name in names]
    return ", ".join(told[:_SHOWN]) + (" and others" if len(told) > _SHOWN else "")
