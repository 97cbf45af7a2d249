"""What landed against what was there: the promise that every hostile run is held to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import duckdb

from ingestion.lake import Lake
from ingestion.settings import Settings
from ingestion.streams import EVIDENCE, Stream
from tests.hostile.company import READ, Company, canonical, parsed


@dataclass(frozen=True)
class Comparison:
    """Objects in words. `missing`: the source's present version is not the newest in raw. `twice`: raw has a version once more
    than the source had it. `invented`: raw has what never was at the source. `stray`: where lake and ledger disagree."""

    missing: tuple[str, ...] = ()
    twice: tuple[str, ...] = ()
    invented: tuple[str, ...] = ()
    stray: tuple[str, ...] = ()

    @property
    def is_equal(self) -> bool:
        return not (self.missing or self.twice or self.invented or self.stray)

    @property
    def sentences(self) -> Iterator[str]:
        """What is not equal, one object a sentence."""
        for name in self.missing:
            yield f"{name} is not in raw as it is at the source."
        for name in self.twice:
            yield f"{name} is in raw more often than the source changed."
        for name in self.invented:
            yield f"{name} is in raw as it never was at the source."
        for where in self.stray:
            yield f"{where}."


def compare(company: Company, settings: Settings, streams: Sequence[Stream] = READ) -> Comparison:
    """Every version of every object in raw against every version that the source had, in order."""
    missing: list[str] = []
    twice: list[str] = []
    invented: list[str] = []
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for stream in streams:
            landed: dict[str, list[str | None]] = defaultdict(list)
            for object_id, version in _landed(stream, connection):
                landed[object_id].append(version)
            for object_id in landed.keys() | company.versions[stream].keys():
                there, here = company.versions[stream].get(object_id, []), landed.get(object_id, [])
                name = f"{stream} {object_id}"
                # What came and went between two reads, or is only just gone, need not have landed.
                if (here[-1] if here else None) != (there[-1] if there else None):
                    missing.append(name)
                surplus = _surplus(here, there)
                twice.extend(name for version in surplus if version in there)
                invented.extend(name for version in surplus if version not in there)
        stray = tuple(_stray(settings, connection, (*streams, *EVIDENCE)))
    return Comparison(tuple(missing), tuple(twice), tuple(invented), stray)


def _landed(stream: Stream, connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, str | None]]:
    """Every row of the raw table, in the order in which they were loaded."""
    table = ".".join(stream.asset_key)
    ordered = f"from {table} as landed inner join ingestion.batches using (batch_id) order by load_order"
    if stream.is_typed:
        cursor = connection.execute(f"select landed.* exclude (batch_id, read_at) {ordered}")
        key = [name for name, *_ in cursor.description].index(stream.key)
        for row in cursor.fetchall():
            yield row[key], canonical(list(row))
    else:
        rows = connection.execute(f"select object_id, is_deleted, payload {ordered}").fetchall()
        for object_id, is_deleted, payload in rows:
            yield object_id, None if is_deleted else canonical(parsed(payload))


def _surplus(here: Sequence[str | None], there: Sequence[str | None]) -> list[str | None]:
    """The landed versions that are left when the others are found, in order, among those that there were. One that only
    repeats the one before it is left too."""
    surplus: list[str | None] = []
    position = 0
    for version, before in zip(here, [object(), *here], strict=False):
        if version == before or version not in there[position:]:
            surplus.append(version)
        else:
            position = there.index(version, position) + 1
    return surplus


def _stray(settings: Settings, connection: duckdb.DuckDBPyConnection, streams: Sequence[Stream]) -> Iterator[str]:
    """Files of the lake that were not loaded exactly once, and raw tables that do not hold what the ledger says."""
    lake = Lake(settings.lake)
    for stream in streams:
        loaded = connection.execute(
            "select lake_path, row_count from ingestion.batches where source = ? and stream = ?",
            [stream.source, stream.name],
        ).fetchall()
        paths = sorted(path for path, _ in loaded)
        if paths != lake.paths(stream):
            yield f"{stream}: {len(paths)} batches are in the ledger and {len(lake.paths(stream))} in the lake"
        ((rows,),) = connection.execute(f"select count(*) from {'.'.join(stream.asset_key)}").fetchall()
        if rows != sum(count for _, count in loaded):
            yield f"{stream}: {rows} rows are in raw and {sum(count for _, count in loaded)} in the ledger"
