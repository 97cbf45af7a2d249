"""One evaluation: who is to know of what is wrong is told, and what they were told is kept before anything else is said.

The state is a value in the storage of Dagster's instance: SQLite in TIEOUT_HOME/dagster on a laptop, PostgreSQL where
dagster.yaml names one. A process that dies between a message and its record sends that message once more, and none is lost.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

import dagster as dg
import msgspec

from ingestion.settings import Secret
from orchestration.alerting.delivery import beat, deliver, most
from orchestration.alerting.finding import Finding
from orchestration.alerting.router import State, advance, delivered, due, refused, settled
from orchestration.alerting.rules import Rules

_KEY = "tieout/alerts"
_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
_log = logging.getLogger(__name__)


def recall(instance: dg.DagsterInstance) -> State:
    """What was kept. What another version kept and this one cannot read is told anew: twice rather than never."""
    kept = instance.daemon_cursor_storage.get_cursor_values({_KEY}).get(_KEY)
    try:
        return msgspec.json.decode(kept, type=State) if kept else State()
    except msgspec.MsgspecError as error:
        _log.warning("The state of the alerts cannot be read (%s): everything that is wrong is told again.", error)
        return State()


def keep(instance: dg.DagsterInstance, state: State) -> None:
    instance.daemon_cursor_storage.set_cursor_values({_KEY: msgspec.json.encode(state).decode()})


def tell(
    instance: dg.DagsterInstance,
    findings: Iterable[Finding],
    rules: Rules,
    addresses: Mapping[str, Secret],
    now: datetime,
) -> State:
    """Send what is due to the channels that have an address, and keep after each message that it was sent."""
    state = advance(recall(instance), findings, rules, now)
    keep(instance, state)
    out_of_reach = set[str]()
    reached = {channel: most(addresses[channel]) for channel in rules.channels if channel in addresses}
    for message in due(state, rules, reached, now):
        if message.channel in out_of_reach:
            continue
        if reason := deliver(message, addresses[message.channel], rules):
            out_of_reach.add(message.channel)
            state = refused(state, message.channel, reason, now)
        else:
            state = delivered(state, message, now)
        keep(instance, state)
    state = settled(state, rules, addresses)
    keep(instance, state)
    return state


def is_waited_for(state: State, rules: Rules, now: datetime) -> bool:
    """Whether somebody is to be told something and was not: a receiver is down, or a channel has no address."""
    return bool(due(msgspec.structs.replace(state, troubles={}), rules, dict.fromkeys(rules.channels, 1), now))


def heartbeat(instance: dg.DagsterInstance, rules: Rules, file: Path, url: Secret | None, now: datetime) -> str | None:
    """Once for every run that has ended, when nobody is waited for: write the file, whose age a monitor can watch, and call the
    monitor at `url`. Says why the monitor did not take it; it is then called again with the next evaluation."""
    state = recall(instance)
    newest = instance.get_run_records(dg.RunsFilter(statuses=_ENDED), limit=1)
    if not newest or newest[0].dagster_run.run_id == state.heard_run or is_waited_for(state, rules, now):
        return None
    run = newest[0].dagster_run
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{now.isoformat(timespec='seconds')} {run.job_name} {run.run_id} {run.status.value}\n")
    if url and (reason := beat(url, run.run_id)):
        return reason
    keep(instance, msgspec.structs.replace(state, heard_run=run.run_id))
    return None
