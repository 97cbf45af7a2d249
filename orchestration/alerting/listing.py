"""What is wrong now, for the person who asks: the same findings and rules as the sensor's, with nobody told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg
from dagster._core.instance.config import is_dagster_home_set

from ingestion.settings import Settings
from orchestration.alerting.collection import explained, from_instance, from_warehouse, watched
from orchestration.alerting.delivery import say
from orchestration.alerting.evaluation import recall
from orchestration.alerting.router import State, advance
from orchestration.alerting.rules import read_rules
from orchestration.built import built
from orchestration.job import dagster_home


def firing(settings: Settings) -> State:
    """What the sensor would tell now. Dagster is asked where it has run anything: `tieout run` says itself what failed.

    Raises ReportUnavailable when there is no warehouse, or a run is writing it; RulesError.
    """
    rules, now = read_rules(), datetime.now(UTC)
    found = from_warehouse(built(settings), now)
    home = None if is_dagster_home_set() else dagster_home(settings)
    with dg.DagsterInstance.from_config(str(home)) if home else dg.DagsterInstance.get() as instance:
        if instance.get_runs_count():
            from orchestration.definitions import defs

            repository = defs().get_repository_def()
            found += from_instance(instance, *watched(repository), now)
        return advance(recall(instance), explained(found), rules, now)


def told(state: State) -> Iterator[tuple[str, ...]]:
    """A row an alert that is not over, the loudest first: severity, kind, subject, since, how much, whose, who was told when."""
    loudness = list(read_rules().severities)
    for alert in sorted(state.alerts.values(), key=lambda alert: (loudness.index(alert.severity), alert.since)):
        if alert.over_at is None and not alert.finding.explained_by:
            finding = alert.finding
            heard = ", ".join(f"{channel} {said.at:%m-%d %H:%M}" for channel, said in alert.told.items())
            since = f"{alert.since:%Y-%m-%d %H:%M}"
            yield (
                f"  {alert.severity}",
                finding.kind,
                finding.subject,
                since,
                finding.money,
                alert.owner,
                heard or "nobody",
            )


def tried(settings: Settings) -> dict[str, str | None]:
    """Each channel of the rules, and why a test message did not arrive there."""
    return {
        channel: say(channel, settings.channels[channel])
        if channel in settings.channels
        else f"has no address: set TIEOUT_CHANNEL_{channel.upper()}"
        for channel in read_rules().channels
    }
