"""One check a suite, on the asset of the mart that the suite is about. All suites run in one step."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg

from expectations.runner import run_suites
from expectations.suite import SuiteResult, read_suites
from ingestion.settings import read_settings


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
                blocking=True,
                description=" ".join(f"{expectation.expects}." for expectation in suite.expectations),
            )
            for suite in suites
        ],
    )
    def expectations() -> Iterator[dg.AssetCheckResult]:
        settings = read_settings()
        for result in run_suites(settings.warehouse, settings.home / "expectations"):
            yield _check(result, marts[result.name])

    return dg.Definitions(asset_checks=[expectations])


def _check(result: SuiteResult, asset: dg.AssetKey) -> dg.AssetCheckResult:
    """A critical promise that does not hold is an error and stops the run; a warning is shown and stops nothing."""
    return dg.AssetCheckResult(
        check_name=f"{result.name}_suite",
        asset_key=asset,
        passed=not result.failed,
        severity=dg.AssetCheckSeverity.WARN if result.success else dg.AssetCheckSeverity.ERROR,
        description="; ".join(f"{failure.expects}: {failure.observed}" for failure in result.failed) or None,
        metadata={
            "evaluated": dg.MetadataValue.int(result.evaluated),
            "failed": dg.MetadataValue.int(len(result.failed)),
            "docs": dg.MetadataValue.path(str(result.docs)),
        },
    )
