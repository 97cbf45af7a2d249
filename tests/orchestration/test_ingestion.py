"""A stream as Dagster runs it: its checks fail on what they are there for, and the other streams go on when it gives up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from ingestion.streams import CERTIFICATES, Stream, stream_named
from orchestration.defs.ingestion import defs
from sandbox.servers.http import Reply, Request
from tests.ingestion.conftest import served

CREDIT_NOTES, ITEMS = stream_named("orb.credit_notes"), stream_named("orb.items")
GOOD = b'{"id": "cn_good", "total": "5.00"}'
NOT_UTF_8 = b'{"id": "cn_latin", "reason": "Z\xfcrich"}'
NOT_UNDERSTOOD = {
    b'"a text"': "not an object with a usable id",
    b'{"total": "5.00"}': "not an object with a usable id",
    b'{"id": "cn_comma", "total": "12,50"}': "total of cn_comma is not a decimal",
    NOT_UTF_8: "cn_latin: not UTF-8",
}


@pytest.fixture
def read_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Points the streams at an Orb, with a home of their own."""

    def point_at(base: str) -> None:
        monkeypatch.setenv("TIEOUT_HOME", str(tmp_path))
        monkeypatch.setenv("TIEOUT_WAREHOUSE", "")
        monkeypatch.setenv("TIEOUT_LAKE", "")
        monkeypatch.setenv("ORB_API_KEY", "orb_test")
        monkeypatch.setenv("ORB_API_BASE", f"{base}/v1")

    return point_at


def _with(*credit_notes: bytes) -> Callable[[Request], Reply]:
    """An Orb that has these credit notes, and one item."""
    lists = {"/v1/credit_notes": credit_notes, "/v1/items": (b'{"id": "item_1"}',)}
    end = b'{"has_more": false, "next_cursor": null}'
    return lambda request: Reply(
        200, b'{"data": [%s], "pagination_metadata": %s}' % (b",".join(lists[request.path]), end)
    )


def _asset(stream: Stream) -> dg.AssetsDefinition:
    keys = dg.AssetKey(stream.asset_key)
    return next(each for each in defs().assets or () if isinstance(each, dg.AssetsDefinition) and keys in each.keys)


def _checks(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {check.check_name: check for check in result.get_asset_check_evaluations()}


def _rows(home: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(home / "tieout.duckdb"), read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_what_cannot_be_understood_is_in_quarantine_with_its_bytes_and_fails_the_check_while_the_rest_lands(
    read_from: Callable[[str], None], tmp_path: Path
) -> None:
    with served(_with(GOOD, *NOT_UNDERSTOOD)) as base:
        read_from(base)
        result = dg.materialize([_asset(CREDIT_NOTES)])
    check = _checks(result)["is_understood"]
    assert (check.passed, check.metadata["rejected"].value) == (False, len(NOT_UNDERSTOOD))
    assert "raw_quarantine.rejected has their bytes and the reason" in (check.description or "")
    rejected = dict(
        _rows(tmp_path, "select original, reason from raw_quarantine.rejected where stream = 'orb.credit_notes'")
    )
    assert rejected.keys() == NOT_UNDERSTOOD.keys()
    assert [reason for original, reason in NOT_UNDERSTOOD.items() if reason not in str(rejected[original])] == []
    assert _rows(tmp_path, "select object_id from raw_orb.credit_notes") == [("cn_good",)]


def test_a_sync_that_understands_all_and_lands_all_passes_both_checks(
    read_from: Callable[[str], None], tmp_path: Path
) -> None:
    with served(_with(GOOD)) as base:
        read_from(base)
        result = dg.materialize([_asset(CREDIT_NOTES), _asset(CERTIFICATES)])
    assert {name: check.passed for name, check in _checks(result).items()} == {
        "is_complete": True,
        "is_understood": True,
    }
    assert _rows(tmp_path, "select stream, landed_value from raw_tieout.certificates where measure = 'objects'") == [
        ("orb.credit_notes", 1)
    ]


def test_an_object_that_does_not_land_fails_the_check_of_completeness_and_is_named(
    read_from: Callable[[str], None],
) -> None:
    with served(_with(GOOD, NOT_UTF_8)) as base:
        read_from(base)
        check = _checks(dg.materialize([_asset(CREDIT_NOTES)]))["is_complete"]
    assert not check.passed
    assert "1 missing on 1 days (cn_latin)" in (check.description or "")


def test_a_stream_that_gives_up_says_what_it_has_and_what_is_missing_and_the_others_go_on(
    read_from: Callable[[str], None], tmp_path: Path
) -> None:
    orb = _with(GOOD)

    def refuses(request: Request) -> Reply:
        return Reply(401, b"{}") if request.path == "/v1/credit_notes" else orb(request)

    with served(refuses) as base:
        read_from(base)
        result = dg.materialize([_asset(CREDIT_NOTES), _asset(ITEMS)], raise_on_error=False)
    (failed,) = (event.step_failure_data for event in result.all_events if event.is_step_failure)
    assert failed.user_failure_data is not None
    assert "It has landed 0 rows in this run and stands at the beginning; what changed after that is missing" in str(
        failed.user_failure_data.description
    )
    assert _rows(tmp_path, "select object_id from raw_orb.items") == [("item_1",)]
