"""What a source hides or refuses is said before a run depends on it, and never skipped."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from ingestion.access import check_access
from ingestion.payload import SourceRefused
from ingestion.settings import Secret, Settings
from ingestion.streams import STREAMS, stream_named
from ingestion.sync import sync
from sandbox.servers.http import Reply, Request
from tests.ingestion.conftest import served

STRIPE = [stream for stream in STREAMS if stream.source == "stripe"]
ORB = [stream for stream in STREAMS if stream.source == "orb"]
_NOBODY = 65534


def _complaints(settings: Settings) -> dict[str, str | None]:
    return {str(stream): complaint for stream, complaint in check_access(settings)}


def _stripe(settings: Settings, base: str) -> Settings:
    return Settings(**{**vars(settings), "stripe_api_key": Secret("sk_hidden"), "stripe_api_base": base})


def _orb(settings: Settings, base: str) -> Settings:
    return Settings(**{**vars(settings), "orb_api_key": Secret("orb_hidden"), "orb_api_base": f"{base}/v1"})


def _refuses(paths: Container[str], status: int) -> Callable[[Request], Reply]:
    """An API that has one object in each list and refuses these paths."""

    def answer(request: Request) -> Reply:
        if request.path in paths:
            return Reply(status, b'{"error": {"type": "invalid_request_error", "message": "lacks rak_x_read"}}')
        one = b'{"id": "x_1", "created": 1, "created_at": "2026-07-01T00:00:00Z"}'
        return Reply(
            200,
            b'{"data": [%s], "has_more": false, "pagination_metadata": {"has_more": false, "next_cursor": null}}' % one,
        )

    return answer


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (401, "check STRIPE_API_KEY"),
        (403, "lacks rak_x_read.): give the restricted key read permission"),
        (404, "it hides what a key may not see; give the restricted key read permission"),
    ],
)
@pytest.mark.parametrize("name", ["charges", "balance_transactions", "payout_transactions"])
def test_a_resource_that_stripe_refuses_or_hides_stops_its_streams_with_what_to_grant(
    settings: Settings, name: str, status: int, remedy: str
) -> None:
    stream = stream_named(f"stripe.{name}")
    with served(_refuses([stream.endpoint], status)) as base:
        found = _complaints(_stripe(settings, base))
        with pytest.raises(SourceRefused) as raised:
            sync(stream, _stripe(settings, base))
    for said in (found[str(stream)] or "", str(raised.value)):
        assert said.startswith(f"{stream}: ")
        assert remedy in said
        assert "hidden" not in said
    refused = {str(each) for each in STRIPE if each.endpoint == stream.endpoint}
    assert {str(each) for each in STRIPE if found[str(each)]} == refused


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (401, "check ORB_API_KEY"),
        (403, "give the key read permission for this resource"),
        (404, "may not see it: check ORB_API_BASE and the key's permissions"),
    ],
)
def test_what_orb_refuses_or_hides_is_named_for_each_stream_with_what_to_grant(
    settings: Settings, status: int, remedy: str
) -> None:
    paths = {str(stream): f"/v1{stream.endpoint.format(id='x_1')}" for stream in ORB}
    with served(_refuses(paths.values(), status)) as base:
        all_refused = _complaints(_orb(settings, base))
    below = {stream: path for stream, path in paths.items() if "x_1" in path}
    with served(_refuses(below.values(), status)) as base:
        found = _complaints(_orb(settings, base))
    for stream in ORB:
        said = all_refused[str(stream)] or ""
        assert said.startswith(f"{stream}: Orb answered {status} to ")
        assert remedy in said
        assert "hidden" not in said
        assert (found[str(stream)] is None) == (str(stream) not in below)
    assert all(path.removeprefix("/v1") in (found[stream] or "") for stream, path in below.items())


@pytest.mark.parametrize(
    ("status", "remedy"), [(401, "ORB_API_KEY"), (403, "read permission"), (404, "may not see it")]
)
@pytest.mark.parametrize("name", ["invoices", "credit_ledger"])
def test_a_stream_that_orb_refuses_or_hides_fails_and_lands_nothing(
    settings: Settings, name: str, status: int, remedy: str
) -> None:
    stream = stream_named(f"orb.{name}")
    path = f"/v1{stream.endpoint.format(id='x_1')}"
    with served(_refuses([path], status)) as base, pytest.raises(SourceRefused, match=remedy) as raised:
        sync(stream, _orb(settings, base))
    assert "It has landed 0 rows in this run and stands at the beginning" in str(raised.value)


@pytest.fixture
def reader(app_settings: Settings, database: str) -> Settings:
    """A role that may read customers, in a database where somebody else owns them."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("drop role if exists reader")
        connection.execute("create role reader login")
        connection.execute("create table customers (id text primary key)")
        connection.execute("insert into customers values ('acct_1')")
        connection.execute("grant select on customers to reader")
    return _as(app_settings, database, user="reader")


def _as(settings: Settings, database: str, **changes: str) -> Settings:
    url = psycopg.conninfo.make_conninfo(database, **changes)
    return Settings(**{**vars(settings), "app_database_url": Secret(url)})


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        (
            "revoke select on customers from reader",
            "permission denied for table customers: grant select on table customers",
        ),
        ("revoke usage on schema public from public", "grant usage on its schema"),
        ("drop table customers", "create it, grant usage on its schema to the reading role, or correct the stream"),
        (
            "alter table customers enable row level security",
            "where policies hide rows from it, bypassrls too",
        ),
    ],
    ids=["no grant", "no schema", "no table", "hidden rows"],
)
def test_what_postgres_refuses_or_hides_is_named_with_what_to_grant(
    reader: Settings, database: str, change: str, remedy: str
) -> None:
    assert _complaints(reader)["app.customers"] is None
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(change)
    assert remedy in (_complaints(reader)["app.customers"] or "")
    with pytest.raises(SourceRefused, match=r"app\.customers: "):
        sync(stream_named("app.customers"), reader)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"user": "nobody_knows"}, 'role "nobody_knows" does not exist'),
        ({"dbname": "none"}, 'database "none" does not exist'),
    ],
)
def test_a_role_or_database_that_is_not_there_is_named_with_the_variable(
    app_settings: Settings, database: str, changes: dict[str, str], reason: str
) -> None:
    said = _complaints(_as(app_settings, database, **changes))["app.customers"] or ""
    assert reason in said
    assert "check APP_DATABASE_URL" in said


@contextmanager
def _unprivileged(folder: Path) -> Iterator[None]:
    """Who runs this may not read the folder: root would, so root is somebody else meanwhile."""
    folder.chmod(0)
    if os.geteuid():
        yield
        return
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_directory_of_statements_that_may_not_be_read_is_named_with_what_to_do(settings: Settings) -> None:
    with tempfile.TemporaryDirectory() as folder:
        connected = Settings(**{**vars(settings), "bank_statements": Path(folder)})
        with _unprivileged(Path(folder)):
            said = _complaints(connected)["bank.statement_lines"] or ""
        Path(folder).chmod(0o700)
    assert f"{folder} can't be opened (Permission denied): let this user read it" in said


def test_what_is_missing_is_named_for_each_stream_and_nothing_is_written(settings: Settings, tmp_path: Path) -> None:
    found = _complaints(Settings(**{**vars(settings), "bank_statements": tmp_path}))
    assert found.keys() == {str(stream) for stream in STREAMS}
    assert "STRIPE_API_KEY is not set" in (found["stripe.charges"] or "")
    assert "ORB_API_KEY is not set" in (found["orb.customers"] or "")
    assert "APP_DATABASE_URL is not set" in (found["app.customers"] or "")
    assert "there is no *.csv, *.xml, *.sta, *.mt940 or *.940" in (found["bank.statement_lines"] or "")
    assert not settings.warehouse.exists()
