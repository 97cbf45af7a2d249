"""A period is closed: everything is built as it was known at one moment, checked, frozen in the close ledger, and locked.

What the checks are is in `fct_close_checks`, in dbt's tests and in the suites; what is frozen is in `fct_close_figures` and
`fct_journal_entries`; how what is known later is booked is in `fct_journal_entries` too.
"""

from __future__ import annotations

import getpass
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from dagster._core.errors import DagsterExecutionInterruptedError

from expectations.runner import run_suites
from expectations.suite import read_suites
from ingestion.payload import Row
from ingestion.settings import Settings
from ingestion.streams import CLOSE_LEDGER, CLOSES, Stream
from ingestion.sync import append, inputs
from orchestration.built import built
from orchestration.dbt import at_work, dbt_command
from orchestration.defs.transformation import failures
from orchestration.progress import Progress, Stage
from reporting.close import Closed, closes, content_hash, failed_checks, frozen, schema_of
from reporting.marts import require_month

STAGES = ("inputs", "build", "checks", "ledger")
_LAYERS = ("marts", "reconciliation", "close")


class CloseRefused(ValueError):
    """The period cannot be closed; a sentence each of what is in the way, with the remedy."""

    def __init__(self, *sentences: str) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences


@dataclass(frozen=True)
class Outcome:
    """A close, and whether it stood already: then it was built once more and came out the same, to the byte."""

    closed: Closed
    accepted: tuple[str, ...]
    rows: int
    is_proof: bool


def close(
    period: str, as_of: datetime | None, accepted_reason: str | None, settings: Settings, progress: Progress
) -> Outcome:
    """Close a month, as it is known now or was known at `as_of`; `accepted_reason` says why it is closed though checks fail.

    A month that is closed already is built once more when `as_of` is the moment of its close, and must come out the same.
    Raises CloseRefused.
    """
    _refuse_unless_over(period, as_of or datetime.now(UTC))
    with progress.stage("inputs", "loading what the lake has") as stage:
        moment, known = inputs(settings, as_of)
        stage.outcome = f"{sum(map(len, known.values())):,} batches known at {moment:%Y-%m-%d %H:%M:%S} UTC"
    if not any(known.values()):
        raise CloseRefused(
            f"nothing has landed in {settings.lake} by then: `tieout run` or `tieout demo` reads the sources"
        )
    before = closes(built(settings))
    standing = next((one for one in before if one.period == period), None)
    _refuse_if_closed(period, as_of, standing, before[-1].period if before else "")
    close_id = f"{period}/{moment.isoformat()}"
    target = settings.home / "close" / period / "dbt"
    variables = json.dumps({"as_of": moment.isoformat(), "close_period": period})
    with progress.stage("build", "starting dbt") as stage:
        command = ["build", "--full-refresh", "--exclude-resource-type", "test", "--exclude-resource-type", "unit_test"]
        if failed := _dbt([*command, "--vars", variables], target, stage, progress):
            raise CloseRefused(*failed)
        stage.outcome = f"as of that moment, in {schema_of(period, '*')}"
    with progress.stage("checks", "starting dbt") as stage:
        tests = ["test", "--exclude", "test_type:unit source:*"]
        failed = (
            *map(str, failed_checks(built(settings), period)),
            *_dbt([*tests, "--vars", variables], target, stage, progress),
            *_broken_suites(settings, period, stage),
        )
        stage.outcome = f"{len(failed)} do not hold" if failed else "all hold"
    if failed and accepted_reason is None and standing is None:
        raise CloseRefused(*failed, "Mend these, or say why it is closed all the same: --accept REASON")
    with progress.stage("ledger", "freezing") as stage:
        rows = frozen(built(settings), period, close_id)
        frozen_hash = content_hash(rows)
        if standing and standing.content_hash != frozen_hash:
            raise CloseRefused(
                f"{period} was closed with {standing.content_hash[:12]} and comes out as {frozen_hash[:12]} now: the models "
                "are not those of the close; check out the code of that day to show it again."
            )
        closed = Closed(close_id, period, moment, frozen_hash)
        if standing is None:
            # The rows first: a close counts from its own line on, and a crash before it leaves nothing that counts.
            append(CLOSE_LEDGER, [Row(row_id, payload.encode(), "sweep") for row_id, payload in rows], settings)
            append(CLOSES, [_header(closed, known, accepted_reason, failed)], settings)
        stage.outcome = f"{len(rows):,} figures and journal lines, {frozen_hash[:12]}"
    return Outcome(closed, failed, len(rows), standing is not None)


def _refuse_unless_over(period: str, moment: datetime) -> None:
    require_month(period)
    year, month = map(int, period.split("-"))
    following = date(year + month // 12, month % 12 + 1, 1)
    if moment.date() < following:
        raise CloseRefused(f"{period} is not over at {moment:%Y-%m-%d %H:%M} UTC: it can be closed from {following} on")


def _refuse_if_closed(period: str, as_of: datetime | None, standing: Closed | None, closed_through: str) -> None:
    if standing and as_of != standing.as_of:
        raise CloseRefused(
            f"{period} is closed as of {standing.as_of.isoformat()}. What has become known since is in fct_restatements, and "
            f"booked on the first open day; to build the close once more: --as-of {standing.as_of.isoformat()}"
        )
    if standing is None and period <= closed_through:
        raise CloseRefused(f"{period} is closed with {closed_through}, which froze all months before it that were open")


def _dbt(arguments: list[str], target: Path, stage: Stage, progress: Progress) -> tuple[str, ...]:
    """Run dbt, and say what failed; it writes into a target of its own, for its variables differ from the daily run's."""
    (target / "run_results.json").unlink(missing_ok=True)
    try:
        logged = [*arguments, "--log-level-file", "info"]
        with at_work(dbt_command(), logged, target_path=target) as (invocation, events):
            for event in events:
                if event.raw_event["info"]["name"] == "LogStartLine":
                    start = event.raw_event["data"]
                    stage.at(int(start["index"]) - 1, int(start["total"]), start["node_info"]["node_name"])
                    progress.moved(stage)
    except DagsterExecutionInterruptedError as interrupted:
        raise KeyboardInterrupt from interrupted
    if error := invocation.get_error():
        return tuple(failures(target / "run_results.json")) or (" ".join(str(error).split()),)
    return ()


def _broken_suites(settings: Settings, period: str, stage: Stage) -> tuple[str, ...]:
    """What the suites promise of the marts and the close does not keep. The bridge's is left to `fct_close_checks`, which knows
    what is material."""
    stage.say("Great Expectations on the close's marts")
    suites = [suite.name for suite in read_suites() if suite.name != "rec_bridge"]
    schemas = {layer: schema_of(period, layer) for layer in _LAYERS}
    results = run_suites(built(settings), settings.home / "close" / period / "expectations", suites, schemas=schemas)
    return tuple(
        f"{result.mart}: {failure.expects}: {failure.observed}"
        for result in results
        for failure in result.failed
        if failure.severity == "critical"
    )


def _header(
    closed: Closed, known: Mapping[Stream, Mapping[str, str]], accepted_reason: str | None, failed: tuple[str, ...]
) -> Row:
    known_batches = json.dumps({str(stream): batches for stream, batches in known.items() if batches}, sort_keys=True)
    header = {
        "close_id": closed.close_id,
        "period": closed.period,
        "as_of": closed.as_of.isoformat(),
        "closed_by": getpass.getuser(),
        "accepted_reason": accepted_reason if failed else None,
        "accepted": json.dumps(failed),
        "inputs": known_batches,
        "input_hash": hashlib.sha256(known_batches.encode()).hexdigest(),
        "content_hash": closed.content_hash,
    }
    return Row(closed.close_id, json.dumps(header).encode(), "sweep")
