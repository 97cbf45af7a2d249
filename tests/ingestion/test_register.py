from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from ingestion.settings import Settings
from ingestion.streams import BREAK_SIGHTINGS
from ingestion.sync import rebuild, sync

_FIRST, _SECOND = "2026-07-03 10:00:00", "2026-07-04 10:00:00"


@pytest.fixture
def compared(settings: Settings) -> Settings:
    """A warehouse whose comparisons have found one difference."""
    settings.home.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute(
            """
            create schema intermediate;
            create schema reconciliation;
            create table intermediate.int_core__known_at (known_at timestamp);
            create table reconciliation.rec_sightings (break_id varchar, sighting varchar, seen_at timestamp);
            """
        )
    _find(settings, _FIRST, b1='{"difference":"1.00"}')
    return settings


def _find(settings: Settings, known_at: str, **sightings: str) -> None:
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute("delete from intermediate.int_core__known_at; delete from reconciliation.rec_sightings")
        connection.execute("insert into intermediate.int_core__known_at values (?)", [known_at])
        for break_id, sighting in sightings.items():
            connection.execute(
                "insert into reconciliation.rec_sightings values (?, ?, ?)", [break_id, sighting, known_at]
            )


def _history(warehouse: Path) -> list[tuple[str, str, bool, datetime]]:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        return connection.execute(
            "select object_id, payload, is_deleted, source_at from raw_tieout.break_sightings order by read_at, object_id"
        ).fetchall()


def test_a_difference_lands_when_it_is_new_changed_gone_and_back_and_not_otherwise(compared: Settings) -> None:
    for known_at, sightings in (
        (_FIRST, {"b1": '{"difference":"1.00"}'}),
        (_SECOND, {"b1": '{"difference":"1.00"}'}),
        (_SECOND, {"b1": '{"difference":"2.00"}', "b2": "{}"}),
        (_SECOND, {"b2": "{}"}),
        (_SECOND, {"b2": "{}"}),
        (_SECOND, {"b1": '{"difference":"2.00"}', "b2": "{}"}),
    ):
        _find(compared, known_at, **sightings)
        sync(BREAK_SIGHTINGS, compared)
    first, second = (datetime.fromisoformat(known_at).replace(tzinfo=UTC) for known_at in (_FIRST, _SECOND))
    assert _history(compared.warehouse) == [
        ("b1", '{"difference":"1.00"}', False, first),
        ("b1", '{"difference":"2.00"}', False, second),
        ("b2", "{}", False, second),
        ("b1", "{}", True, second),
        ("b1", '{"difference":"2.00"}', False, second),
    ]


def test_all_differences_may_be_gone_at_once(compared: Settings) -> None:
    _find(compared, _FIRST, **{f"b{number}": "{}" for number in range(50)})
    sync(BREAK_SIGHTINGS, compared)
    _find(compared, _SECOND)
    sync(BREAK_SIGHTINGS, compared)
    assert sum(is_gone for _, _, is_gone, _ in _history(compared.warehouse)) == 50


def test_the_history_comes_back_from_the_lake_alone(compared: Settings) -> None:
    sync(BREAK_SIGHTINGS, compared)
    before = _history(compared.warehouse)
    compared.warehouse.unlink()
    rebuild(compared)
    assert _history(compared.warehouse) == before
