"""What is found: in marts of a few rows, and in a real Dagster instance whose jobs failed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import dagster as dg
import msgspec
import pytest

from orchestration.alerting.collection import FINDINGS, explained, from_instance, from_last_run, from_warehouse
from orchestration.alerting.finding import Finding, Kind
from tests.orchestration.alerting.world import NOON, finding
from tests.reporting.open_breaks import build

CHECKED = dg.AssetKey(["marts", "fct_invoices"])


@pytest.fixture(scope="module")
def marts(tmp_path_factory: pytest.TempPathFactory) -> list[Finding]:
    return from_warehouse(build(tmp_path_factory.mktemp("marts") / "tieout.duckdb"), NOON)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as one:
        yield one


class Pipeline:
    """Two jobs of a stream of each of two sources and a mart with checks; what goes wrong in the next run is set from outside."""

    def __init__(self) -> None:
        self.refused: set[str] = set()
        self.broken: set[str] = set()
        self.is_silent = False
        streams = [self._stream("stripe", "charges"), self._stream("orb", "invoices")]

        @dg.multi_asset(
            specs=[dg.AssetSpec(CHECKED, deps=[dg.AssetKey(["raw_orb", "invoices"])])],
            check_specs=[dg.AssetCheckSpec(name, asset=CHECKED) for name in ("ties", "is_likely", "is_complete")],
            name="transformation",
        )
        def transformation() -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
            yield dg.MaterializeResult(asset_key=CHECKED)
            for name in ("ties", "is_likely", "is_complete"):
                severity = dg.AssetCheckSeverity.ERROR if name == "ties" else dg.AssetCheckSeverity.WARN
                yield dg.AssetCheckResult(
                    asset_key=CHECKED,
                    check_name=name,
                    passed=name not in self.broken,
                    severity=severity,
                    description="3 rows",
                )
            if "ties" in self.broken:
                raise dg.Failure("dbt test ties failed: 3 rows", allow_retries=False)

        self.definitions = dg.Definitions(
            assets=[*streams, transformation],
            jobs=[dg.define_asset_job(name) for name in ("hourly", "nightly")],
            executor=dg.in_process_executor,
        )

    def _stream(self, source: str, name: str) -> dg.AssetsDefinition:
        @dg.asset(key=[f"raw_{source}", name])
        def land() -> None:
            if source in self.refused:
                raise dg.Failure(f"{source}.{name}: answered 401; check the key.", allow_retries=False)

        return land

    def run(self, instance: dg.DagsterInstance, job: str = "hourly") -> None:
        self.definitions.resolve_job_def(job).execute_in_process(instance=instance, raise_on_error=False)

    def found(self, instance: dg.DagsterInstance, now: datetime | None = None) -> list[Finding]:
        keys = [dg.AssetCheckKey(CHECKED, name) for name in ("ties", "is_likely", "is_complete")]
        return explained(from_instance(instance, ("hourly", "nightly"), keys, now or datetime.now(UTC)))


def told(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(one.kind, one.subject) for one in findings if one.explained_by is None]


def test_what_the_marts_show_is_found_with_money_customers_breaks_and_owner(marts: list[Finding]) -> None:
    breaks = {one.subject: one for one in marts if one.kind is Kind.BREAK_OVER_LIMIT}
    assert breaks.keys() == {"invoice_not_synced", "event_late"}
    missing = breaks["invoice_not_synced"]
    assert missing.money == "900 JPY, 12,345,678,901,234,567,940.12 USD"
    assert missing.what.startswith("3 open breaks of 3 customers (invoiced): Orb issued the invoice")
    assert (missing.breaks[:1], missing.customers[:1]) == (("b3",), ("acct_3",))
    (expired,) = (one for one in marts if one.kind is Kind.EXCEPTION_EXPIRED)
    assert (expired.subject, expired.owner, expired.amounts) == ("e1", "ada@acme.example", {"USD": Decimal("7.005")})


def test_a_stream_that_differs_was_never_certified_or_not_in_time_is_found_and_one_that_is_looked_up_is_not(
    marts: list[Finding],
) -> None:
    missing = {one.subject: one for one in marts if one.kind is Kind.CERTIFICATE_MISSING}
    assert {subject: one.parts for subject, one in missing.items()} == {
        "stripe": ("charges", "refunds"),
        "app": ("usage_events",),
    }
    assert "charges differs on 2 days; refunds never certified" in missing["stripe"].what
    assert "usage_events certified through 2026-12-01 08:00 UTC" in missing["app"].what


def test_findings_survive_the_metadata_of_a_run(marts: list[Finding], instance: dg.DagsterInstance) -> None:
    @dg.asset(key=FINDINGS)
    def findings() -> dg.MaterializeResult[None]:
        return dg.MaterializeResult(metadata={"findings": dg.MetadataValue.json(msgspec.to_builtins(marts))})

    assert from_last_run(instance) == []
    dg.materialize([findings], instance=instance)
    assert from_last_run(instance) == marts


def test_a_failed_run_is_found_with_its_sentence_and_gone_when_the_job_runs_well(instance: dg.DagsterInstance) -> None:
    pipeline = Pipeline()
    pipeline.refused = {"stripe"}
    pipeline.run(instance)
    (failed,) = pipeline.found(instance)
    assert (failed.kind, failed.subject, failed.parts) == (Kind.RUN_FAILED, "hourly", ("stripe",))
    assert failed.what == "hourly: stripe.charges: answered 401; check the key."
    pipeline.refused = set()
    pipeline.run(instance)
    assert pipeline.found(instance) == []


def test_a_run_that_failed_for_a_check_is_told_of_as_the_check(instance: dg.DagsterInstance) -> None:
    pipeline = Pipeline()
    pipeline.broken = {"ties", "is_likely"}
    pipeline.run(instance)
    (checked,) = pipeline.found(instance)
    assert (checked.kind, checked.subject, checked.level) == (Kind.CHECK_FAILED, "marts/fct_invoices", "error")
    assert checked.parts == ("is_likely", "ties")
    pipeline.broken = {"is_likely"}
    pipeline.run(instance)
    (checked,) = pipeline.found(instance)
    assert (checked.level, checked.parts) == ("warning", ("is_likely",))


def test_a_check_that_a_run_did_not_get_to_stands_as_it_did(instance: dg.DagsterInstance) -> None:
    pipeline = Pipeline()
    pipeline.broken = {"ties"}
    pipeline.run(instance)
    pipeline.refused = {"orb"}
    pipeline.run(instance)
    assert told(pipeline.found(instance)) == [("run_failed", "hourly"), ("check_failed", "marts/fct_invoices")]


def test_a_run_that_died_is_found_though_no_step_failed(instance: dg.DagsterInstance) -> None:
    pipeline = Pipeline()
    run = instance.create_run_for_job(pipeline.definitions.resolve_job_def("hourly"))
    instance.report_run_failed(run)
    (failed,) = pipeline.found(instance)
    assert (failed.subject, failed.parts) == ("hourly", ())
    assert "its process died" in failed.what


def test_what_fails_two_jobs_is_one_alert_until_only_the_older_failure_is_left(instance: dg.DagsterInstance) -> None:
    pipeline = Pipeline()
    pipeline.refused = {"stripe"}
    pipeline.run(instance, "nightly")
    pipeline.run(instance, "hourly")
    assert told(pipeline.found(instance)) == [("run_failed", "hourly")]
    pipeline.refused = set()
    pipeline.run(instance, "hourly")
    assert told(pipeline.found(instance)) == [("run_failed", "nightly")]


def test_a_source_that_was_not_read_in_time_is_found_and_all_of_them_are_one_cause(
    instance: dg.DagsterInstance,
) -> None:
    pipeline = Pipeline()
    pipeline.run(instance)
    soon, late = (datetime.now(UTC) + timedelta(hours=hours) for hours in (1, 4))
    assert pipeline.found(instance, soon) == []
    (every,) = pipeline.found(instance, late)
    assert (every.kind, every.subject, every.parts) == (Kind.NOT_FRESH, "every source", ("orb", "stripe"))


def test_a_source_is_late_because_its_run_failed_and_uncertified_because_it_is_late() -> None:
    failed = finding(Kind.RUN_FAILED, "hourly", parts=("stripe",))
    late, other = (finding(Kind.NOT_FRESH, source, parts=("charges",)) for source in ("stripe", "orb"))
    uncertified = [finding(Kind.CERTIFICATE_MISSING, source, parts=("charges",)) for source in ("stripe", "orb", "app")]
    assert told(explained([failed, late, other, *uncertified])) == [
        ("run_failed", "hourly"),
        ("not_fresh", "orb"),
        ("certificate_missing", "app"),
    ]
    died = finding(Kind.RUN_FAILED, "hourly", parts=())
    assert told(explained([died, late, other, *uncertified])) == [("run_failed", "hourly")]
