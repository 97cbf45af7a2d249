from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import duckdb
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.job import dagster_home
from tests.hostile.company import ORB_API_KEY, STRIPE_API_KEY, Company
from tests.hostile.secrets import leaks

PASSWORD = "p@ss/of+the:hostile=reader"
REFUSED = "sk_live_a-key/that+nobody=knows"
# Everything that any library logs: whoever looks for a fault turns this on.
_LOUDLY = """
import logging, sys
logging.basicConfig(level=logging.DEBUG)
from ingestion.__main__ import main
sys.exit(main(sys.argv[1:]))
"""
_MATERIALIZE = """
import sys
import dagster as dg
from orchestration.defs.ingestion import defs
wanted = {dg.AssetKey(name.split(".")) for name in sys.argv[1:]}
assets = [asset for asset in defs().assets if asset.key in wanted]
result = dg.materialize(assets, instance=dg.DagsterInstance.get(), raise_on_error=False)
sys.exit(not result.success)
"""
_ONE_OF_EACH = ("stripe.products", "orb.items", "app.contracts", "bank.statement_lines")


@pytest.fixture
def environment(company: Company, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The company, with a role of its own to read as."""
    with psycopg.connect(company.database, autocommit=True) as connection:
        connection.execute(f"create role reader login password '{PASSWORD}' in role pg_read_all_data, pg_monitor")
        yield {
            **company.environment,
            "APP_DATABASE_URL": _url(company.database, PASSWORD),
            "TIEOUT_HOME": str(tmp_path),
        }
        connection.execute("drop role reader")


def _url(database: str, password: str) -> str:
    return f"postgresql://reader:{quote(password, safe='')}@{database.split('@')[1]}"


def _said(environment: dict[str, str], *streams: str, code: int, script: str = _LOUDLY) -> str:
    run = subprocess.run(
        [sys.executable, "-c", script, *streams],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == code, run.stderr[-2000:]
    return run.stdout + run.stderr


def test_no_secret_is_in_what_a_run_writes_or_says(environment: dict[str, str], tmp_path: Path) -> None:
    said = _said(environment, code=0)
    assert "/v1/products" in said
    assert leaks(tmp_path, said, [STRIPE_API_KEY, ORB_API_KEY, PASSWORD]) == []


def test_no_secret_is_in_what_a_refused_run_writes_or_says(environment: dict[str, str], tmp_path: Path) -> None:
    refused = {
        "STRIPE_API_KEY": REFUSED,
        "ORB_API_KEY": REFUSED,
        "APP_DATABASE_URL": _url(environment["APP_DATABASE_URL"], REFUSED),
    }
    said = _said(environment | refused, *_ONE_OF_EACH, code=1)
    for remedy in ("check STRIPE_API_KEY", "check ORB_API_KEY", "check APP_DATABASE_URL"):
        assert remedy in said
    assert leaks(tmp_path, said, [REFUSED]) == []


def test_no_secret_is_in_what_a_run_without_a_connection_writes_or_says(
    environment: dict[str, str], tmp_path: Path
) -> None:
    nowhere = {
        "STRIPE_API_BASE": "http://127.0.0.1:1",
        "ORB_API_BASE": "http://127.0.0.1:1/v1",
        "APP_DATABASE_URL": f"postgresql://reader:{quote(PASSWORD, safe='')}@127.0.0.1:1/app",
    }
    said = _said(environment | nowhere, *_ONE_OF_EACH, code=1)
    assert said.count("can't be reached") == 2
    assert leaks(tmp_path, said, [STRIPE_API_KEY, ORB_API_KEY, PASSWORD]) == []


@pytest.mark.parametrize("password", ["100%Zq7xVb9", "Zq7xVb9@Kj4wPn2"])
def test_a_password_that_was_not_encoded_is_not_quoted(company: Company, tmp_path: Path, password: str) -> None:
    broken = {**company.environment, "TIEOUT_HOME": str(tmp_path)}
    broken["APP_DATABASE_URL"] = f"postgresql://reader:{password}@127.0.0.1:1/app"
    said = _said(broken, "app.contracts", code=1)
    assert "APP_DATABASE_URL" in said
    assert "Traceback" not in said
    assert leaks(tmp_path, said, [password, *password.split("@")]) == []


def test_no_secret_is_in_the_orchestrators_logs(company: Company, environment: dict[str, str], tmp_path: Path) -> None:
    home = dagster_home(company.settings(tmp_path))
    logged = environment | {"STRIPE_API_KEY": REFUSED, "DAGSTER_HOME": str(home)}
    names = (f"raw_{name}" for name in _ONE_OF_EACH)
    said = _said(logged, *names, code=1, script=_MATERIALIZE)
    assert "check STRIPE_API_KEY" in said
    assert any(home.rglob("*.db"))
    assert leaks(tmp_path, said, [REFUSED, ORB_API_KEY, PASSWORD]) == []


@pytest.mark.parametrize("form", ["{0}", "token={1}", "Basic {2}"])
@pytest.mark.parametrize("place", ["log", "parquet", "metadata", "duckdb", "said"])
def test_a_planted_secret_is_found_wherever_it_stands(tmp_path: Path, place: str, form: str) -> None:
    basic = base64.b64encode(f"user:{STRIPE_API_KEY}:".encode()).decode()
    text = form.format(STRIPE_API_KEY, quote(STRIPE_API_KEY, safe=""), basic)
    table = pa.table({"payload": [text] * 9 if place == "parquet" else [""]})
    match place:
        case "log":
            (tmp_path / "run.log").write_text(text)
        case "parquet" | "metadata":
            noted = table.replace_schema_metadata({"tieout": text if place == "metadata" else ""})
            pq.write_table(noted, tmp_path / "batch.parquet", compression="zstd")
        case "duckdb":
            with duckdb.connect(str(tmp_path / "tieout.duckdb")) as connection:
                connection.execute("create table payloads as select ? as payload", [text])
    assert leaks(tmp_path, text if place == "said" else "", [STRIPE_API_KEY])
