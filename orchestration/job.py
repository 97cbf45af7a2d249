"""The production job, run in this process and watched: progress, what each source brought, and what failed in a sentence."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluation
from dagster._core.execution.plan.objects import StepFailureData
from dagster_shared.error import SerializableErrorInfo

from ingestion.lake import LakeError
from ingestion.payload import SourceError
from ingestion.settings import MissingSetting, Settings
from ingestion.streams import EVIDENCE, STREAMS
from ingestion.warehouses.base import WarehouseError
from orchestration.progress import Progress, Stage

INGEST, TRANSFORM, RECONCILE, EXPECTATIONS = "ingest", "transform", "reconcile", "expectations"
STAGES = ("pipeline", INGEST, TRANSFORM, RECONCILE, EXPECTATIONS)
_STAGE_OF = {
    "certificates": INGEST,
    "transformation": TRANSFORM,
    "raw_orb__events": RECONCILE,
    "reconciliation": RECONCILE,
    "reconciliation__register": RECONCILE,
    "alerting__findings": RECONCILE,
    "expectations": EXPECTATIONS,
}
_AT_FIRST = {
    TRANSFORM: "starting dbt",
    RECONCILE: "looking up in Orb the events that differ",
    EXPECTATIONS: "Great Expectations on the marts",
}
_DBT_STARTS = re.compile(r"dbt (?P<index>\d+) of (?P<total>\d+) (?P<node>\S+)$")
_TOLD = {error.__name__ for error in (SourceError, LakeError, WarehouseError, MissingSetting)}
_INTERRUPTS = {"DagsterExecutionInterruptedError", "KeyboardInterrupt"}


@dataclass(frozen=True)
class Outcome:
    """How a run ended. `is_built` when every model is; `rows`: how many new rows each stream brought; a failure or a warning
    is one sentence."""

    success: bool
    is_built: bool
    rows: dict[tuple[str, str], int]
    failures: tuple[str, ...]
    warnings: tuple[str, ...]


def dagster_home(settings: Settings) -> Path:
    """The folder that Dagster keeps its runs in, with the instance's configuration."""
    home = settings.home / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(Path(__file__).with_name("dagster.yaml"), home / "dagster.yaml")
    return home


def run_job(progress: Progress, *, from_lake: bool = False) -> Outcome:
    """Run the job of `orchestration.definitions`; `from_lake` leaves the sources alone and builds from what has landed.

    Raises KeyboardInterrupt when it was interrupted, after Dagster has let go of everything.
    """
    with progress.stage("pipeline", "parsing the dbt project and loading the definitions") as stage:
        job = _load()
        assets, checks = set(job.asset_layer.executable_asset_keys), job.asset_layer.asset_graph.asset_check_keys
        stage.outcome = f"{len(assets)} assets, {len(checks)} checks"
    if not from_lake:
        return watched(job, progress)
    return watched(job, progress, assets - {dg.AssetKey(stream.asset_key) for stream in (*STREAMS, *EVIDENCE)})


def watched(job: dg.JobDefinition, progress: Progress, selection: Set[dg.AssetKey] = frozenset()) -> Outcome:
    """Run a job, or the selected assets of it, in this process. Raises KeyboardInterrupt as `run_job` does."""
    progress.start(TRANSFORM if selection else INGEST, "planning the run")
    watch = _Watch(progress)
    run_id = dg.DagsterRun(job_name=job.name).run_id
    # In memory: writing a thousand events into Dagster's files takes longer than the models do. What Dagster itself starts
    # is in its history; what a person starts is in front of them and in the log.
    with dg.DagsterInstance.ephemeral(settings={"telemetry": {"enabled": False}}) as instance:
        instance.add_event_listener(run_id, watch)
        result = job.execute_in_process(
            instance=instance, run_id=run_id, raise_on_error=False, asset_selection=sorted(selection) or None
        )
    if watch.is_interrupted:
        raise KeyboardInterrupt
    watch.close(result.success)
    # One cause can fail every stream in the same words.
    failures, warnings = (tuple(dict.fromkeys(told)) for told in (watch.failures, watch.warnings))
    return Outcome(result.success, watch.is_built, watch.rows, failures, warnings)


def _load() -> dg.JobDefinition:
    # Imported here because Dagster and dbt take four seconds, which `tieout --help` need not spend.
    from orchestration.definitions import defs
    from orchestration.defs.schedules import JOB

    return defs().resolve_job_def(JOB)


@dataclass
class _Watch:
    """Called with every event of the run, as it happens."""

    progress: Progress
    rows: dict[tuple[str, str], int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    is_built: bool = False
    is_interrupted: bool = False
    _counts: Counter[str] = field(default_factory=Counter)

    def __call__(self, entry: dg.EventLogEntry) -> None:
        event, step = entry.dagster_event, entry.step_key
        if step is None:
            if event and event.is_job_failure and event.job_failure_data.error:
                self._stop_if_interrupted(event.job_failure_data.error)
            return
        stage = self.progress[_STAGE_OF.get(step, INGEST)]
        if event is None:
            if found := _DBT_STARTS.search(entry.user_message):
                stage.at(int(found["index"]) - 1, int(found["total"]), found["node"])
                self.progress.moved(stage)
            return
        match event.event_type:
            case dg.DagsterEventType.STEP_START:
                self._step_starts(step, stage)
            case dg.DagsterEventType.STEP_SUCCESS if step == "reconciliation":
                self.is_built = True
            case dg.DagsterEventType.STEP_UP_FOR_RETRY:
                retry = event.step_retry_data
                stage.doing = (
                    f"{_stream(step)} again in {retry.seconds_to_wait or 0:.0f} s: {_sentence(step, retry.error)}"
                )
                self._stop_if_interrupted(retry.error)
            case dg.DagsterEventType.STEP_FAILURE:
                self._step_fails(step, event.step_failure_data)
            case dg.DagsterEventType.ASSET_MATERIALIZATION:
                self._materialized(step, event.step_materialization_data.materialization)
            case dg.DagsterEventType.ASSET_CHECK_EVALUATION:
                self._checked(step, event.asset_check_evaluation_data)
        self.progress.moved(stage)

    def close(self, success: bool) -> None:
        """End what is still shown as running; a stage that never started stays so."""
        for name in STAGES[1:]:
            self.progress.end(name, "done" if success else "failed", self._outcome(name))

    def _step_starts(self, step: str, stage: Stage) -> None:
        for earlier in STAGES[1 : STAGES.index(stage.name)]:
            self.progress.end(earlier, "done", self._outcome(earlier))
        if stage.name == INGEST:
            stage.at(len(self.rows), len(STREAMS), _stream(step))
        else:
            self.progress.start(stage.name, _AT_FIRST[stage.name])

    def _step_fails(self, step: str, data: StepFailureData) -> None:
        assert data.error
        self._stop_if_interrupted(data.error)
        self.failures.extend(reasons(step, data))

    def _materialized(self, step: str, materialization: dg.AssetMaterialization) -> None:
        self._counts[f"{step} assets"] += 1
        if step.startswith("raw_"):
            rows = materialization.metadata["rows"].value
            assert isinstance(rows, int)
            schema, name = materialization.asset_key.path
            self.rows[schema.removeprefix("raw_"), name] = rows
            if remarks := materialization.metadata.get("remarks"):
                self.warnings.append(str(remarks.value))

    def _checked(self, step: str, check: AssetCheckEvaluation) -> None:
        self._counts[f"{step} checks"] += 1
        if check.passed:
            return
        if check.severity is dg.AssetCheckSeverity.WARN:
            self.warnings.append(
                check.description or f"{'.'.join(check.asset_key.path)}: {check.check_name} does not hold"
            )

    def _outcome(self, stage: str) -> str:
        match stage:
            case "ingest":
                new = sum(self.rows.values())
                return f"{len(self.rows)} streams, " + (f"{new:,} rows new" if new else "nothing new")
            case "expectations":
                return f"{self._counts['expectations checks']} suites"
        build = next(step for step, of in _STAGE_OF.items() if of == stage and not step.startswith("raw_"))
        return f"{self._counts[f'{build} assets']} models, {self._counts[f'{build} checks']} tests"

    def _stop_if_interrupted(self, error: SerializableErrorInfo) -> None:
        """Dagster takes Ctrl-C in a step that has a retry policy for a failure to be retried: the person meant the run."""
        if not self.is_interrupted and any(link.cls_name in _INTERRUPTS for link in _chain(error)):
            self.is_interrupted = True
            raise KeyboardInterrupt


def reasons(step: str, data: StepFailureData) -> list[str]:
    """Why a step failed, a sentence each: what it says itself, or the words of the error behind it."""
    assert data.error
    said = data.user_failure_data and data.user_failure_data.description
    return said.splitlines() if said else [_sentence(step, data.error)]


def _stream(step: str) -> str:
    """`raw_stripe__charges` is the step of the stream `stripe.charges`."""
    return step.removeprefix("raw_").replace("__", ".", 1)


def _chain(error: SerializableErrorInfo) -> Iterator[SerializableErrorInfo]:
    link: SerializableErrorInfo | None = error
    while link:
        yield link
        link = link.cause


def _sentence(step: str, error: SerializableErrorInfo) -> str:
    """What ingestion says of it; of an error that nobody foresaw, the words of the one that started it. With the stream's
    name in front if they lack it."""
    chain = list(_chain(error))
    told = next((link for link in chain if link.cls_name in _TOLD), chain[-1])
    said = " ".join(re.sub(r"^[\w.]+: ", "", told.message).split())
    return said if _stream(step) in said else f"{_stream(step)}: {said}"
