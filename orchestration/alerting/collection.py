"""Collects what is wrong: from the marts, as a run leaves them, and from what Dagster keeps of its runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime, time

import dagster as dg
import msgspec
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluation
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus as Status

from ingestion.streams import STREAMS, stream_named
from orchestration.alerting.finding import Finding, Kind
from orchestration.job import reasons
from reporting.attention import ExpiredException, OpenCause, attention
from reporting.marts import Warehouse
from reporting.report import Standing

FINDINGS = dg.AssetKey(["alerting", "findings"])
"""The asset whose metadata is what the marts of a run showed: a reader beside a run would lock it out of DuckDB."""

_BREAKS = ("reconciliation", "fct_breaks")
_EVALUATED = {Status.SUCCEEDED, Status.FAILED}
_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
# What these say of a stream its certificate says in `dim_streams`.
_TOLD_BY_CERTIFICATES = "is_complete"
_EVERY_SOURCE = "every source"
_SHOWN = 3
_RUNS_BACK = 5


def from_warehouse(warehouse: Warehouse, now: datetime) -> list[Finding]:
    """Open breaks by cause, exceptions that have run out, streams without certificate. Raises ReportUnavailable."""
    found = attention(warehouse)
    return [
        *map(_open, found.causes),
        *map(_expired, found.expired),
        *_uncertified(found.streams, now),
    ]


def from_last_run(instance: dg.DagsterInstance) -> list[Finding]:
    """What `from_warehouse` found in the last run that got so far."""
    event = instance.get_latest_materialization_event(FINDINGS)
    if event is None or event.asset_materialization is None:
        return []
    return msgspec.convert(event.asset_materialization.metadata["findings"].value, list[Finding])


def from_instance(
    instance: dg.DagsterInstance, jobs: Iterable[str], checks: Sequence[dg.AssetCheckKey], now: datetime
) -> list[Finding]:
    """Jobs whose newest run failed, assets whose checks do not hold, sources that were not read in time."""
    failed = [finding for job in jobs if (finding := _failed_run(instance, job))]
    return [*failed, *_failed_checks(instance, checks), *_not_fresh(instance, now)]


def watched(repository: dg.RepositoryDefinition) -> tuple[list[str], list[dg.AssetCheckKey]]:
    """The jobs and checks that alerts are about; what somebody materialises by hand is in front of them."""
    jobs = [name for name in repository.job_names if not name.startswith("__")]
    return jobs, sorted(repository.asset_graph.asset_check_keys)


def explained(findings: Collection[Finding]) -> list[Finding]:
    """The same findings, each consequence with the fingerprint of what it is a consequence of: one alert a cause."""
    return [msgspec.structs.replace(one, explained_by=_cause(one, findings)) for one in findings]


def _cause(one: Finding, findings: Collection[Finding]) -> str | None:
    for other in findings:
        sources, parts = _sources(one), set(other.parts)
        match one.kind, other.kind:
            case ((Kind.NOT_FRESH | Kind.CERTIFICATE_MISSING), Kind.RUN_FAILED):
                # A run that died before its first step has none that failed, and has read nothing.
                is_cause = sources <= parts or not parts
            case Kind.CERTIFICATE_MISSING, Kind.NOT_FRESH:
                is_cause = sources <= _sources(other)
            case Kind.RUN_FAILED, Kind.RUN_FAILED:
                is_cause = set(one.parts) <= parts and one.since < other.since
            case _:
                is_cause = False
        if is_cause:
            return other.fingerprint
    return None


def _sources(one: Finding) -> set[str]:
    return set(one.parts) if one.subject == _EVERY_SOURCE else {one.subject}


def _open(cause: OpenCause) -> Finding:
    whose = f" of {_counted(cause.customers, 'customer')}" if cause.customers else ""
    return Finding(
        kind=Kind.BREAK_OVER_LIMIT,
        subject=cause.cause,
        what=f"{_counted(cause.breaks, 'open break')}{whose} ({cause.hop}): {cause.meaning}",
        remedy=cause.remedy,
        since=cause.first_seen_at,
        amounts=dict(cause.amounts),
        customers=tuple(cause.customer_ids),
        breaks=tuple(cause.break_ids),
        asset=_BREAKS,
    )


def _expired(one: ExpiredException) -> Finding:
    return Finding(
        kind=Kind.EXCEPTION_EXPIRED,
        subject=one.break_id,
        what=f"What {one.owner} accepted until {one.expires_on} ({one.reason}) is open again: {one.cause}. {one.meaning}",
        remedy="Settle the difference, or accept it anew with a later day in seeds/known_exceptions.csv.",
        since=datetime.combine(one.expires_on, time(), UTC),
        amounts={one.currency: abs(one.difference)},
        customers=(one.customer_id,) if one.customer_id else (),
        breaks=(one.break_id,),
        asset=_BREAKS,
        owner=one.owner,
    )


def _uncertified(streams: Iterable[Standing], now: datetime) -> Iterator[Finding]:
    """A source, with its streams that differ from it, were never counted, or not within the time in which they must be read."""
    missing: dict[str, dict[str, str]] = defaultdict(dict)
    since: dict[str, datetime] = defaultdict(lambda: now)
    for one in streams:
        source, name = one.stream.split(".")
        through = one.certified_through
        if one.differing_days:
            reason = f"differs on {_counted(one.differing_days, 'day')}"
        elif through is None and not one.is_looked_up:
            reason = "never certified"
        elif through and now - through > stream_named(one.stream).freshness:
            reason = f"certified through {through:%Y-%m-%d %H:%M} UTC"
        else:
            continue
        missing[source][name] = reason
        since[source] = min(since[source], through or now)
    for source, named in missing.items():
        yield Finding(
            kind=Kind.CERTIFICATE_MISSING,
            subject=source,
            what=f"{source}: {_counted(len(named), 'stream')} without certificate: "
            + _listed([f"{name} {reason}" for name, reason in named.items()]),
            remedy="Read the streams again; an object that stays different is for the source's support.",
            since=since[source],
            parts=tuple(sorted(named)),
            asset=(f"raw_{source}", next(iter(named))),
        )


def _failed_run(instance: dg.DagsterInstance, job: str) -> Finding | None:
    """The newest run of the job that came to an end, if it failed for more than checks that say so themselves."""
    newest = instance.get_run_records(dg.RunsFilter(job_name=job, statuses=_ENDED), limit=1)
    if not newest or newest[0].dagster_run.status is not dg.DagsterRunStatus.FAILURE:
        return None
    ((run, ended_at),) = ((one.dagster_run, one.end_time or one.update_timestamp.timestamp()) for one in newest)
    sentences: dict[str, list[str]] = {}
    broken_checks: dict[str, int] = defaultdict(int)
    last_words = "its process died or was never started"
    wanted = {
        dg.DagsterEventType.STEP_FAILURE,
        dg.DagsterEventType.ASSET_CHECK_EVALUATION,
        dg.DagsterEventType.ENGINE_EVENT,
    }
    for entry in instance.all_logs(run.run_id, of_type=wanted):
        event = entry.dagster_event
        assert event
        if event.event_type is dg.DagsterEventType.ENGINE_EVENT:
            last_words = event.message or last_words
        elif event.event_type is dg.DagsterEventType.STEP_FAILURE:
            assert event.step_key
            sentences[event.step_key] = reasons(event.step_key, event.step_failure_data)
        else:
            check = event.asset_check_evaluation_data
            broken_checks[str(event.step_key)] += not check.passed and check.severity is dg.AssetCheckSeverity.ERROR
    failed = {step: said for step, said in sentences.items() if len(said) > broken_checks[step]}
    if sentences and not failed:
        return None
    said = list(dict.fromkeys(sentence for each in failed.values() for sentence in each))
    return Finding(
        kind=Kind.RUN_FAILED,
        subject=job,
        what=f"{job}: {_listed(said) or last_words}",
        remedy="Mend what it names, then run the job again: it goes on from where it stood.",
        since=datetime.fromtimestamp(ended_at, UTC),
        parts=tuple(sorted({_part(step) for step in failed})),
        run_id=run.run_id,
    )


def _failed_checks(instance: dg.DagsterInstance, checks: Sequence[dg.AssetCheckKey]) -> Iterator[Finding]:
    """By asset, each check as it was last evaluated."""
    failing: dict[dg.AssetKey, list[dg.EventLogEntry]] = defaultdict(list)
    for key, entry in _evaluations(instance, checks).items():
        if not _evaluation(entry).passed and key.name != _TOLD_BY_CERTIFICATES:
            failing[key.asset_key].append(entry)
    for asset, entries in failing.items():
        found = [_evaluation(entry) for entry in entries]
        is_error = any(each.severity is dg.AssetCheckSeverity.ERROR for each in found)
        said = [f"{each.check_name} ({each.description})" if each.description else each.check_name for each in found]
        yield Finding(
            kind=Kind.CHECK_FAILED,
            subject="/".join(asset.path),
            what=f"{_counted(len(found), 'check')} on {'.'.join(asset.path)} {'do' if len(found) > 1 else 'does'} not hold: "
            + _listed(said),
            remedy="Look at the rows that break it before anybody relies on the table.",
            since=datetime.fromtimestamp(min(entry.timestamp for entry in entries), UTC),
            parts=tuple(sorted(each.check_name for each in found)),
            asset=tuple(asset.path),
            run_id=entries[0].run_id,
            level="error" if is_error else "warning",
        )


def _evaluations(
    instance: dg.DagsterInstance, checks: Sequence[dg.AssetCheckKey]
) -> dict[dg.AssetCheckKey, dg.EventLogEntry]:
    """The last evaluation of each check. One that a run has still to evaluate, or died before, stands as it did: it is looked for
    in the runs before, since a query a check would be hundreds a minute."""
    storage = instance.event_log_storage
    newest = storage.get_latest_asset_check_execution_by_key(checks) if checks else {}
    found = {key: one.event for key, one in newest.items() if one.status in _EVALUATED and one.event}
    awaited = newest.keys() - found.keys()
    runs = instance.get_run_records(dg.RunsFilter(statuses=_ENDED), limit=_RUNS_BACK) if awaited else ()
    for run in runs:
        before = {}
        for entry in instance.all_logs(run.dagster_run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION):
            before[_evaluation(entry).asset_check_key] = entry
        found |= {key: before[key] for key in awaited & before.keys()}
        awaited -= before.keys()
    for key in awaited:
        for one in storage.get_asset_check_execution_history(key, limit=1, status=_EVALUATED):
            if one.event:
                found[key] = one.event
    return found


def _evaluation(entry: dg.EventLogEntry) -> AssetCheckEvaluation:
    assert entry.dagster_event
    return entry.dagster_event.asset_check_evaluation_data


def _not_fresh(instance: dg.DagsterInstance, now: datetime) -> Iterator[Finding]:
    """Sources with streams that were last read longer ago than they may be; all of them are one cause."""
    streams = {dg.AssetKey(stream.asset_key): stream for stream in STREAMS}
    read: set[str] = set()
    late: dict[str, dict[str, datetime]] = defaultdict(dict)
    for record in instance.get_asset_records(list(streams)):
        stream, last = streams[record.asset_entry.asset_key], record.asset_entry.last_materialization
        if last is None:
            continue
        read.add(stream.source)
        deadline = datetime.fromtimestamp(last.timestamp, UTC) + stream.freshness
        if deadline < now:
            late[stream.source][stream.name] = deadline
    if len(late) > 1 and late.keys() == read:
        since = min(deadline for names in late.values() for deadline in names.values())
        yield _late(_EVERY_SOURCE, tuple(sorted(late)), since)
        return
    for source, names in late.items():
        yield _late(source, tuple(sorted(names)), min(names.values()))


def _late(subject: str, parts: tuple[str, ...], since: datetime) -> Finding:
    return Finding(
        kind=Kind.NOT_FRESH,
        subject=subject,
        what=f"{subject} has not been read in time: {_listed(parts)}",
        remedy="See that the schedule is on and runs are not stuck in the queue, then run the job.",
        since=since,
        parts=parts,
    )


def _part(step: str) -> str:
    """The source of a stream's step, another step's own name."""
    return step.removeprefix("raw_").split("__")[0] if step.startswith("raw_") else step


def _listed(words: Sequence[str]) -> str:
    rest = len(words) - _SHOWN
    return "; ".join(words[:_SHOWN]) + (f"; and {rest} more" if rest > 0 else "")


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
