"""The company as a whole: opens, says where it is, and never outlives the process that opened it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

from sandbox.serve import Company, SandboxError, serve
from sandbox.servers.__main__ import world_clock
from tests.sandbox.conftest import write_lines

OPEN = """
import sys
from pathlib import Path
from sandbox.serve import serve

with serve(Path(sys.argv[1]), Path(sys.argv[2])) as company:
    print(company.stripe_api_base, flush=True)
    sys.stdin.read()
"""


@contextmanager
def opened_elsewhere(dataset: Path, state: Path) -> Iterator[tuple[psutil.Popen, list[psutil.Process]]]:
    """Another process that opened the company, and all the processes that the company consists of."""
    command = [sys.executable, "-c", OPEN, str(dataset), str(state)]
    with psutil.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as process:
        try:
            assert process.stdout.readline().startswith(b"http://127.0.0.1:")
            servers = process.children(recursive=True)
            assert {"postgres"} < {server.name() for server in servers}
            yield process, servers
        finally:
            with suppress(psutil.NoSuchProcess):
                process.kill()


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One database for all the companies that are killed here: it must survive that anyway."""
    return tmp_path_factory.mktemp("state")


def test_environment_points_the_pipeline_at_the_company(company: Company, dataset: Path) -> None:
    environment = company.environment()
    assert set(environment) == {
        "STRIPE_API_BASE", "STRIPE_API_KEY", "STRIPE_REQUESTS_PER_SECOND", "ORB_API_BASE", "ORB_API_KEY",
        "APP_DATABASE_URL", "BANK_STATEMENTS",
    }  # fmt: skip
    stripe = {"authorization": f"Bearer {environment['STRIPE_API_KEY']}"}
    assert httpx.get(f"{environment['STRIPE_API_BASE']}/v1/charges", headers=stripe).status_code == 200
    orb = {"authorization": f"Bearer {environment['ORB_API_KEY']}"}
    assert httpx.get(f"{environment['ORB_API_BASE']}/ping", headers=orb).json() == {"response": "pong"}
    with psycopg.connect(environment["APP_DATABASE_URL"]) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    assert environment["BANK_STATEMENTS"] == str(dataset / "bank")


def test_killed_parent_leaves_no_process(dataset: Path, state: Path) -> None:
    with opened_elsewhere(dataset, state) as (parent, servers):
        parent.kill()
        _, alive = psutil.wait_procs(servers, timeout=10)
        assert alive == []
    with serve(dataset, state) as company, psycopg.connect(company.app_database_url) as connection:
        assert connection.execute("select count(*) from usage_events").fetchone() == (2,)


def test_killed_servers_leave_no_database(dataset: Path, state: Path) -> None:
    with opened_elsewhere(dataset, state) as (_, servers):
        owner = next(server for server in servers if server.name() != "postgres")
        owner.kill()
        _, alive = psutil.wait_procs([server for server in servers if server != owner], timeout=10)
        assert alive == []


def test_interrupt_closes_everything_in_order(dataset: Path, state: Path) -> None:
    with opened_elsewhere(dataset, state) as (parent, servers):
        parent.send_signal(signal.SIGINT)
        _, alive = psutil.wait_procs([parent, *servers], timeout=10)
        assert alive == []
    assert "database system is shut down" in (state / "postgres.log").read_text()


def test_interrupt_while_opening_leaves_no_process(dataset: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", OPEN, str(dataset), str(tmp_path)]
    with psutil.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as process:
        while not (tmp_path / "postgres/PG_VERSION").exists():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(10) != 0
    assert [
        each for each in psutil.process_iter(["cmdline"]) if str(tmp_path) in " ".join(each.info["cmdline"] or [])
    ] == []


def test_company_that_cannot_open_says_why(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="no dataset directory"), serve(tmp_path / "none", tmp_path / "state"):
        pass
    (tmp_path / "stripe").mkdir()
    (tmp_path / "stripe/charges.jsonl").write_text('{"id": "ch_1"')
    with (
        pytest.raises(SandboxError, match=r"charges\.jsonl line 1 cannot be served"),
        serve(tmp_path, tmp_path / "state"),
    ):
        pass


def test_second_company_on_one_state_is_refused(dataset: Path, state: Path) -> None:
    with (
        opened_elsewhere(dataset, state),
        pytest.raises(SandboxError, match="Another sandbox runs"),
        serve(dataset, state),
    ):
        pass


def test_clock_of_a_foreign_dataset_is_its_newest_creation(tmp_path: Path) -> None:
    assert world_clock(tmp_path) == datetime(1970, 1, 1, tzinfo=UTC)
    write_lines(
        tmp_path / "stripe/charges.jsonl", [{"id": "ch_1", "created": 1_790_000_000, "due_date": 1_999_999_999}]
    )
    assert world_clock(tmp_path) == datetime.fromtimestamp(1_790_000_000, UTC)
    write_lines(tmp_path / "orb/customers.jsonl", [{"id": "c", "created_at": "2026-10-01T00:00:00+00:00"}])
    assert world_clock(tmp_path) == datetime(2026, 10, 1, tzinfo=UTC)
    (tmp_path / "dataset.json").write_text('{"now": "2026-12-01T00:00:00Z"}')
    assert world_clock(tmp_path) == datetime(2026, 12, 1, tzinfo=UTC)
