"""One check a suite, on the asset of the mart that the suite is about. All suites run in one step."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg

from expectations.runner import run_suites
from expectations.suite import SuiteResult, read_suites
from ingestion.settings import read_settings
from orchestration.built import built


@dg.definitions
def defs() -> dg.Definitions:
    """Great Expectations takes seconds to import: it is imported once, when the step runs."""
    suites = read_suites()
    marts = {suite.name: dg.AssetKey(suite.mart.split(".")) for suite in suites}

    @dg.multi_asset_check(
        name="expectations",
        specs=[
            dg.AssetCheckSpec(
                f"{suite.name}_suite",
                asset=marts[suite.name],
                description=" ".join(f"{expectation.expects}." for expectation in suite.expectations),
            )
            for suite in suites
        ],
    )
    def expectations() -> Iterator[dg.AssetCheckResult]:
        settings = read_settings()
        results = run_suites(built(settings), settings.home / "expectations")
        for result in results:
            yield _check(result, marts[result.name])
        # Not a blocking check: those stand between a mart and its readers in dbt, which would cut dbt's one run in pieces.
        if broken := [_sentence(result) for result in results if not result.success]:
            raise dg.Failure("\n".join(broken), allow_retries=False)

    return dg.Definitions(asset_checks=[expectations])


def _check(result: SuiteResult, asset: dg.AssetKey) -> dg.AssetCheckResult:
    """A critical promise that does not hold is an error and fails the run; a warning is shown and fails nothing."""
    return dg.AssetCheckResult(
        check_name=f"{result.name}_suite",
        asset_key=asset,
        passed=not result.failed,
        severity=dg.AssetCheckSeverity.WARN if result.success else dg.AssetCheckSeverity.ERROR,
        description=_sentence(result) if result.failed else None,
        metadata={
            "evaluated": dg.MetadataValue.int(result.evaluated),
            "failed": dg.MetadataValue.int(len(result.failed)),
            "docs": dg.MetadataValue.path(str(result.docs)),
        },
    )


def _sentence(result: SuiteResult) -> str:
    return f"{result.mart}: " + "; ".join(f"{failure.expects}: {failure.observed}" for failure in result.failed)
