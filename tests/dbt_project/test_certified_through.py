"""How far a mart says that its sources are certified: as far as the worst of the streams behind it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ingestion.streams import STREAMS
from tests.dbt_project.conftest import Dbt, copy_of, rows_of

MONDAY, TUESDAY = "2026-08-03 09:30:00", "2026-08-04 09:30:00"
PRODUCTS = ("app.price_book", "orb.items", "orb.metrics")
"""The streams behind dim_products."""


def _marts(manifest: Any) -> list[Any]:
    models = [node for node in manifest.nodes.values() if node.resource_type == "model" and node.schema == "marts"]
    return [model for model in models if model.name != "dim_streams"]


def _streams_behind(manifest: Any, unique_id: str) -> set[str]:
    """By the manifest's lineage, but for what is behind the certificates themselves and behind the clock."""
    if unique_id in manifest.sources:
        source = manifest.sources[unique_id]
        if source.meta.get("is_looked_up"):
            return set()
        return {f"{source.source_name.removeprefix('raw_')}.{source.name}"}
    node = manifest.nodes[unique_id]
    parents = getattr(node.depends_on, "nodes", [])
    aside = (".dim_streams", ".int_core__known_at")
    behind = [_streams_behind(manifest, parent) for parent in parents if not parent.endswith(aside)]
    return set().union(*behind)


def test_every_mart_ends_with_how_far_it_is_certified(dbt: Dbt) -> None:
    marts = _marts(dbt.manifest)
    assert len(marts) >= 13
    assert [mart.name for mart in marts if list(mart.columns)[-1] != "certified_through"] == []


def test_a_mart_is_certified_by_exactly_the_streams_behind_it(dbt: Dbt, staged: Path) -> None:
    compiled = dbt.invoke("compile", "--select", "marts", warehouse=staged)
    assert compiled.success, compiled.exception
    named = {
        result.node.name: set(re.findall(r"'(\w+\.\w+)'", found["streams"])) | {f"{found['count']} streams"}
        for result in compiled.result
        for found in re.finditer(
            r"count\(certified_through\) = (?P<count>\d+) .*?where stream in \((?P<streams>[^)]*)\)",
            result.node.compiled_code or "",
            re.DOTALL,
        )
    }
    behind = {mart.name: _streams_behind(dbt.manifest, mart.unique_id) for mart in _marts(dbt.manifest)}
    assert named == {mart: streams | {f"{len(streams)} streams"} for mart, streams in behind.items()}
    assert behind["dim_products"] == set(PRODUCTS)
    assert set().union(*behind.values()) <= {str(stream) for stream in STREAMS}


def _certificate(stream: str, through: str, *, day: str | None = "2026-08-01", landed: int = 5) -> str:
    """A row of raw_tieout.certificates: the source says that it has 5 objects of the day."""
    instant, date = f"timestamptz '{through} UTC'", f"date '{day}'" if day else "null"
    return f"('{stream}', {date}, 'objects', null, 5, {landed}, null, {instant}, {instant}, 'batch_1', {instant})"


def _certified(dbt: Dbt, staged: Path, folder: Path, *certificates: str) -> Path:
    """A warehouse with these certificates, one thing in quarantine, and a product in the mart that is built on them."""
    warehouse = copy_of(staged, folder)
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"insert into raw_tieout.certificates values {', '.join(certificates)}")
        connection.execute(
            "insert into raw_quarantine.rejected by name "
            "select 'hash' as object_id, 'orb.items' as stream, 'no id' as reason, now() as read_at"
        )
        connection.execute(
            "insert into staging.stg_app__price_book by name "
            "select 'gpu' as product_code, 'GPU' as product_name, 'second' as unit, false as is_deleted"
        )
    select = ("stg_tieout__certificates", "stg_tieout__rejected", "dim_streams", "dim_products")
    built = dbt.invoke("run", "--select", *select, warehouse=warehouse)
    assert built.success, built.exception
    return warehouse


ALL = tuple(_certificate(stream, TUESDAY) for stream in PRODUCTS)


@pytest.mark.parametrize(
    ("certificates", "through"),
    [
        (ALL, TUESDAY),
        ((*ALL[:2], _certificate("orb.metrics", MONDAY)), MONDAY),
        (ALL[:2], None),
        ((*ALL, _certificate("orb.items", TUESDAY, day="2026-07-09", landed=4)), "2026-07-09 00:00:00"),
        ((*ALL, _certificate("orb.metrics", TUESDAY, day=None, landed=4)), None),
        ((*ALL, _certificate("bank.statement_lines", MONDAY)), TUESDAY),
    ],
    ids=["alike", "earliest", "one never certified", "a day differs", "something undated differs", "one not behind it"],
)
def test_a_mart_is_certified_as_far_as_the_worst_stream_behind_it(
    dbt: Dbt, staged: Path, tmp_path: Path, certificates: tuple[str, ...], through: str | None
) -> None:
    warehouse = _certified(dbt, staged, tmp_path, *certificates)
    (product,) = rows_of(warehouse, "select certified_through::varchar as through from marts.dim_products")
    assert product["through"] == through


def test_every_stream_has_a_row_whether_it_was_ever_certified_or_not(dbt: Dbt, staged: Path, tmp_path: Path) -> None:
    warehouse = _certified(dbt, staged, tmp_path, _certificate("orb.items", TUESDAY))
    rows = rows_of(warehouse, "select stream, certified_through::varchar as through from marts.dim_streams")
    assert {row["stream"]: row["through"] for row in rows} == {
        str(stream): TUESDAY if str(stream) == "orb.items" else None for stream in STREAMS
    }


def test_what_is_in_quarantine_is_counted_by_stream_and_fails_a_check(dbt: Dbt, staged: Path, tmp_path: Path) -> None:
    warehouse = _certified(dbt, staged, tmp_path, *ALL)
    rejected = rows_of(warehouse, "select stream, rejected_objects from marts.dim_streams where rejected_objects > 0")
    assert [tuple(row.values()) for row in rejected] == [("orb.items", 1)]
    (checked,) = dbt.invoke("test", "--select", "nothing_is_in_quarantine", warehouse=warehouse).result
    assert (checked.status, checked.failures) == ("warn", 1)
    rows_of(warehouse, "update marts.dim_streams set rejected_objects = 0")
    (checked,) = dbt.invoke("test", "--select", "nothing_is_in_quarantine", warehouse=warehouse).result
    assert checked.status == "pass"
