"""`python -m ingestion`: every stream has its turn, and the exit code says whether all is well."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from ingestion.__main__ import main
from ingestion.lake import Lake
from ingestion.settings import read_settings
from ingestion.sync import opened
from sandbox.servers.http import Reply
from tests.ingestion.conftest import served

ONE = b'{"data": [{"id": "x_1"}], "pagination_metadata": {"has_more": false, "next_cursor": null}}'


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name, value in {
        "TIEOUT_HOME": str(tmp_path),
        "TIEOUT_WAREHOUSE": "",
        "TIEOUT_LAKE": "",
        "ORB_API_KEY": "k",
    }.items():
        monkeypatch.setenv(name, value)
    return tmp_path


def _rows(home: Path, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(home / "tieout.duckdb"), read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_a_stream_that_gives_up_says_what_it_has_and_what_is_missing_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    with served(lambda request: Reply(401, b"{}") if "plans" in request.path else Reply(200, ONE)) as base:
        monkeypatch.setenv("ORB_API_BASE", base)
        assert main(["orb.plans", "orb.items", "orb.metrics"]) == 1
    said = capsys.readouterr()
    assert [line.split()[:2] for line in said.out.splitlines()] == [["orb.items", "1"], ["orb.metrics", "1"]]
    (sentence,) = said.err.splitlines()
    assert sentence.startswith("orb.plans: Orb answered 401 to GET /plans")
    assert (
        "It has landed 0 rows in this run and stands at the beginning; what changed after that is missing" in sentence
    )
    assert _rows(home, "select distinct stream from raw_tieout.certificates order by 1") == [
        ("orb.items",),
        ("orb.metrics",),
    ]


def test_what_was_not_understood_fails_the_run_with_the_count_and_where_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = ONE.replace(b'{"id": "x_1"}', b'{"id": "x_1"}, "a text", 7')
    with served(lambda request: Reply(200, page)) as base:
        monkeypatch.setenv("ORB_API_BASE", base)
        assert main(["orb.items"]) == 1
    assert "orb.items: 2 objects were not understood: see raw_quarantine.rejected." in capsys.readouterr().err


def test_what_fails_every_stream_in_the_same_words_is_told_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = read_settings()
    with served(lambda request: Reply(200, ONE)) as base, opened(settings, Lake(settings.lake)):
        monkeypatch.setenv("ORB_API_BASE", base)
        assert main(["orb.items", "orb.metrics"]) == 1
    (sentence,) = capsys.readouterr().err.splitlines()
    assert "another run is reading into" in sentence


def test_a_run_that_reads_everything_says_so_with_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    with served(lambda request: Reply(200, ONE)) as base:
        monkeypatch.setenv("ORB_API_BASE", base)
        assert main(["orb.items"]) == 0


def test_a_name_that_is_no_stream_and_a_setting_that_is_missing_are_told_before_anything_is_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["orb.unicorns"]) == 2
    assert "no stream is called orb.unicorns; there are app.customers" in capsys.readouterr().err
    monkeypatch.setenv("ORB_API_KEY", "")
    assert main(["orb.items"]) == 2
    assert "ORB_API_KEY is not set" in capsys.readouterr().err
