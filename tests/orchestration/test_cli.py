"""The command line as a person meets it: a process of its own, with nothing in its environment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from ingestion.streams import STREAMS
from sandbox.generate import generate
from tests.processes import running

TIEOUT = (sys.executable, "-c", "from orchestration.cli import app; app(prog_name='tieout')")
INHERITED = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
COMMANDS = (
    (),
    ("demo",),
    ("run",),
    ("rebuild",),
    ("report",),
    ("sandbox",),
    ("sandbox", "generate"),
    ("sandbox", "serve"),
)


def tieout(*arguments: str | Path, **environment: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*TIEOUT, *arguments],
        env=INHERITED | {name: str(value) for name, value in environment.items()},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("world") / "dataset"
    generate(out, customers=24, months=3, events=12_000)
    return out


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_is_everywhere(command: tuple[str, ...]) -> None:
    done = tieout(*command, "--help")
    assert done.returncode == 0
    assert "Usage: tieout" in done.stdout


def test_a_missing_credential_is_one_sentence_before_anything_runs(tmp_path: Path) -> None:
    done = tieout("run", TIEOUT_HOME=tmp_path / "home", ORB_API_KEY="key", BANK_STATEMENTS=tmp_path)
    assert done.returncode == 2
    assert not (tmp_path / "home").exists()
    (sentence,) = (done.stdout + done.stderr).strip().splitlines()
    assert "STRIPE_API_KEY" in sentence
    assert "APP_DATABASE_URL" in sentence
    assert ".env.example" in sentence
    assert "ORB_API_KEY" not in sentence


def test_a_report_without_a_warehouse_is_one_sentence(tmp_path: Path) -> None:
    done = tieout("report", TIEOUT_HOME=tmp_path)
    assert done.returncode == 1
    assert str(tmp_path / "tieout.duckdb") in done.stderr.replace("\n", "")
    assert "Traceback" not in done.stderr


def test_an_unknown_defect_is_one_sentence_that_lists_those_there_are(tmp_path: Path) -> None:
    done = tieout("sandbox", "generate", "--out", tmp_path / "out", "--defects", "gremlins")
    assert done.returncode == 1
    assert "gremlins" in done.stderr
    assert "invoice_not_synced" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_the_same_arguments_write_the_same_bytes(tmp_path: Path) -> None:
    size = ("--customers", "12", "--months", "1", "--events", "1000", "--defects", "none")
    for name in ("one", "two"):
        assert tieout("sandbox", "generate", "--out", tmp_path / name, *size).returncode == 0
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / name).rglob("*.*")} for name in ("one", "two"))
    assert one == two


def test_a_command_is_run_with_the_company_in_its_environment_and_its_exit_code_is_handed_on(
    dataset: Path, tmp_path: Path
) -> None:
    script = "import os; print(os.environ['STRIPE_API_BASE'], os.environ['DAGSTER_HOME']); raise SystemExit(7)"
    command = ("sandbox", "serve", "--dataset", dataset, "--", sys.executable, "-c", script)
    done = tieout(*command, TIEOUT_HOME=tmp_path)
    assert done.returncode == 7
    base, home = done.stdout.split()
    assert base.startswith("http://127.0.0.1:")
    assert (Path(home) / "dagster.yaml").is_file()


def test_check_access_tells_of_every_stream_whether_it_can_be_read_and_what_to_grant(
    dataset: Path, tmp_path: Path
) -> None:
    done = tieout("sandbox", "serve", "--dataset", dataset, "--", *TIEOUT, "check-access", TIEOUT_HOME=tmp_path)
    assert done.returncode == 0, done.stdout
    assert [line.split() for line in done.stdout.splitlines()[1:]] == [[str(stream), "yes"] for stream in STREAMS]
    done = tieout("check-access", TIEOUT_HOME=tmp_path)
    assert done.returncode == 1
    assert [line.split()[1] for line in done.stdout.splitlines() if line.startswith("  stripe.")] == ["no"] * 17
    assert "STRIPE_API_KEY is not set" in " ".join(done.stdout.split())


@contextmanager
def started(dataset: Path, home: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [*TIEOUT, "demo", "--dataset", dataset],
        env=INHERITED | {"TIEOUT_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("stage", ["sources", "ingest", "transform"])
def test_ctrl_c_leaves_no_process_and_nothing_half_written(dataset: Path, tmp_path: Path, stage: str) -> None:
    with started(dataset, tmp_path) as demo:
        assert demo.stdout is not None
        said = next(line for line in demo.stdout if f" {stage} " in line)
        assert "failed" not in said
        me = psutil.Process(demo.pid)
        deadline = time.monotonic() + 60
        children = running(me)
        while stage == "transform" and not any("build" in command for command in children.values()):
            assert time.monotonic() < deadline, "dbt never started"
            children = running(me)
        demo.send_signal(signal.SIGINT)
        rest = demo.stdout.read()
        assert demo.wait(60) == 130, rest
    assert "Stopped." in rest
    assert psutil.wait_procs(list(children), timeout=10)[1] == []
    assert [path.name for path in tmp_path.rglob("*") if ".tmp" in path.name or path.name.endswith(".partial")] == []
    if stage == "transform":
        again = tieout("demo", "--dataset", dataset, TIEOUT_HOME=tmp_path)
        assert again.returncode == 0, again.stdout
        assert "nothing new" in again.stdout
