"""An alert in words: what, since when, how much money, whose, what to do, and where to look."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from orchestration.alerting.router import Alert, Message, News
from orchestration.alerting.rules import Links

_SHORT = 8
"""Characters of a break's id that `tieout explain` takes."""

_LONGEST = 600
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
    """A line a fact, a paragraph an alert, under its title where there are several."""
    return "\n\n".join(
        "\n".join([*_over(message, news, alert), *map(": ".join, facts(alert, message.channel, links).items())])
        for news, alert in message.news
    )


def markdown(message: Message, links: Links) -> str:
    """The same for what joins lines that are not a list."""
    return "\n\n".join(
        "\n".join(
            [
                *(f"**{_escaped(line)}**\n" for line in _over(message, news, alert)),
                *(f"- {name}: {_marked(fact)}" for name, fact in facts(alert, message.channel, links).items()),
            ]
        )
        for news, alert in message.news
    )


def facts(alert: Alert, channel: str, links: Links) -> dict[str, str]:
    """All that is to be said of an alert, by name, in the order in which it is read."""
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


def number(alert: Alert, channel: str) -> int:
    """The how-manieth message about the alert it is that the channel gets: one that comes twice has its number twice."""
    return alert.told[channel].times + 1 if channel in alert.told else 1


def _facts(alert: Alert, channel: str, links: Links) -> Iterator[tuple[str, str]]:
    finding = alert.finding
    yield "What", finding.what if len(finding.what) <= _LONGEST else f"{finding.what[:_LONGEST].rstrip()} …"
    yield "Since", f"{alert.since:%Y-%m-%d %H:%M} UTC" + (f", over {alert.over_at:%H:%M} UTC" if alert.over_at else "")
    if finding.amounts:
        yield "How much", finding.money
    customers = f"; customers {_listed(finding.customers)}" if finding.customers else ""
    yield "Whose", f"{alert.owner}{customers}"
    if not alert.over_at:
        yield "What to do", finding.remedy
    if finding.breaks:
        yield "Break", _listed([f"tieout explain {break_id[:_SHORT]}" for break_id in finding.breaks])
    if link := asset_link(alert, links):
        yield "Asset", link
    if link := run_link(alert, links):
        yield "Run", link
    yield "Runbook", runbook(alert, links)
    yield "Alert", f"{finding.fingerprint}, message {number(alert, channel)}"


def _is_past(news: News) -> bool:
    return news in (News.OVER, News.MISSED)


def _over(message: Message, news: News, alert: Alert) -> list[str]:
    return [title(news, alert)] if len(message.news) > 1 else []


def _marked(fact: str) -> str:
    return f"[{fact}]({fact})" if fact.startswith("http") else _escaped(fact)


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>#])", r"\\\1", text)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (" and others" if len(names) > _SHOWN else "")
