"""How a run is told: small jobs whose steps have the names of the real ones, run in process and watched."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.errors import DagsterExecutionInterruptedError
from rich.console import Console

from ingestion.payload import SourceError
from orchestration.defs.transformation import failures
from orchestration.job import STAGES, Outcome, watched
from orchestration.progress import Progress

RETRY = dg.RetryPolicy(max_retries=1, delay=0)


def stream(key: list[str], land: Callable[[], int]) -> dg.AssetsDefinition:
    @dg.asset(key=dg.AssetKey(key), retry_policy=RETRY)
    def asset() -> dg.MaterializeResult[None]:
        return dg.MaterializeResult(metadata={"rows": land()})

    return asset


def run(*assets: dg.AssetsDefinition) -> tuple[Outcome, str]:
    out = io.StringIO()
    job = dg.Definitions(
        assets=assets, jobs=[dg.define_asset_job("tieout")], executor=dg.in_process_executor
    ).resolve_job_def("tieout")
    return watched(job, Progress(Console(file=out, width=200), STAGES)), out.getvalue()


def refuse() -> int:
    raise SourceError("stripe.charges: GET /v1/charges answered 401; check STRIPE_API_KEY.")


def lose_the_line() -> int:
    try:
        raise ConnectionRefusedError("HTTPConnectionPool(host='127.0.0.1', port=9): Max retries exceeded")
    except ConnectionRefusedError as error:
        raise SourceError("stripe.charges: Stripe did not answer; run again: the cursor has not moved.") from error


def stumble() -> int:
    raise OverflowError("value too large")


def interrupt() -> int:
    raise DagsterExecutionInterruptedError


def test_rows_are_told_by_stream() -> None:
    outcome, said = run(
        stream(["raw_stripe", "charges"], lambda: 12), stream(["raw_bank", "statement_lines"], lambda: 0)
    )
    assert outcome.success
    assert outcome.rows == {("stripe", "charges"): 12, ("bank", "statement_lines"): 0}
    assert "2 streams, 12 rows new" in said


def test_what_a_sync_had_to_repair_is_told_at_the_end() -> None:
    remark = (
        "stripe.charges: stood at 2026-07-01, before what Stripe's events reach back to; the whole list was read again."
    )

    @dg.asset(key=dg.AssetKey(["raw_stripe", "charges"]))
    def repaired() -> dg.MaterializeResult[None]:
        return dg.MaterializeResult(metadata={"rows": 1, "remarks": remark})

    outcome, _ = run(repaired)
    assert outcome.warnings == (remark,)


def test_a_failed_stream_is_told_in_ingestions_words_and_not_in_those_of_a_library_below() -> None:
    outcome, _ = run(stream(["raw_stripe", "charges"], lose_the_line))
    assert outcome.failures == ("stripe.charges: Stripe did not answer; run again: the cursor has not moved.",)


def test_what_fails_every_stream_in_the_same_words_is_told_once() -> None:
    def locked() -> int:
        raise dg.Failure("demo.duckdb can't be opened for writing", allow_retries=False)

    outcome, _ = run(stream(["raw_stripe", "charges"], locked), stream(["raw_orb", "items"], locked))
    assert outcome.failures == ("demo.duckdb can't be opened for writing",)


def test_a_failed_stream_is_told_in_the_words_of_its_error_once() -> None:
    outcome, said = run(stream(["raw_stripe", "charges"], refuse), stream(["raw_bank", "statement_lines"], lambda: 3))
    assert not outcome.success
    assert outcome.failures == ("stripe.charges: GET /v1/charges answered 401; check STRIPE_API_KEY.",)
    assert outcome.rows == {("bank", "statement_lines"): 3}
    assert "failed" not in said.splitlines()[0]


def test_an_error_that_does_not_name_its_stream_gets_the_name() -> None:
    outcome, _ = run(stream(["raw_orb", "credit_ledger"], stumble))
    assert outcome.failures == ("orb.credit_ledger: value too large",)


def test_ctrl_c_in_a_step_that_retries_stops_the_run() -> None:
    tried = []

    def once() -> int:
        tried.append(1)
        return interrupt()

    with pytest.raises(KeyboardInterrupt):
        run(stream(["raw_stripe", "charges"], once))
    assert len(tried) == 1


def test_a_step_that_succeeds_when_tried_again_is_no_failure() -> None:
    tried = []

    def second_time() -> int:
        tried.append(1)
        return refuse() if len(tried) == 1 else 7

    outcome, _ = run(stream(["raw_stripe", "charges"], second_time))
    assert outcome == Outcome(True, False, {("stripe", "charges"): 7}, (), ())


def test_each_failed_dbt_node_is_a_sentence(tmp_path: Path) -> None:
    results = tmp_path / "run_results.json"
    results.write_text(
        json.dumps(
            {
                "results": [
                    {"unique_id": "model.tieout.fct_invoices", "status": "success", "message": "OK"},
                    {
                        "unique_id": "test.tieout.unique_fct_x.0a1b",
                        "status": "fail",
                        "message": "Got 3 results,\n  want 0",
                    },
                    {"unique_id": "test.tieout.not_null_y.77", "status": "warn", "message": "Got 1 result"},
                    {"unique_id": "model.tieout.dim_z", "status": "error", "message": "Runtime Error"},
                    {"unique_id": "model.tieout.after_z", "status": "skipped", "message": None},
                ]
            }
        )
    )
    assert list(failures(results)) == [
        "dbt test unique_fct_x failed: Got 3 results, want 0",
        "dbt model dim_z failed: Runtime Error",
    ]
    assert list(failures(tmp_path / "none.json")) == []
