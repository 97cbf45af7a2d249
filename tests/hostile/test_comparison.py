"""The comparison that every hostile run ends with, shown to see what it looks for."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingestion.certificate import certify, land_certificates
from ingestion.lake import Lake
from ingestion.settings import Settings
from ingestion.streams import Stream, stream_named
from ingestion.sync import opened, sync
from tests.hostile.company import Company
from tests.hostile.comparison import Comparison, compare

PRODUCTS, EVENTS = stream_named("stripe.products"), stream_named("app.usage_events")
BOTH = pytest.mark.parametrize("stream", [PRODUCTS, EVENTS], ids=str)


def _read(company: Company, home: Path, stream: Stream) -> Settings:
    settings = company.settings(home)
    certify(sync(stream, settings), settings)
    land_certificates(settings)
    return settings


def _largest(settings: Settings, stream: Stream) -> str:
    return max(Lake(settings.lake).paths(stream), key=lambda path: pq.read_metadata(path).num_rows)


def _land_again(settings: Settings, stream: Stream, column: str | None = None) -> None:
    """The rows of the stream's largest batch once more, with another value in one column of one row."""
    lake, now = Lake(settings.lake), datetime.now(UTC)
    rows = pq.read_table(_largest(settings, stream)).drop_columns(["batch_id", "read_at"])
    if column:
        values = ['{"id":"another"}' if column == "payload" else None, *rows[column].to_pylist()[1:]]
        at = rows.schema.get_field_index(column)
        rows = rows.set_column(at, column, pa.array(values, rows.schema.field(column).type))
    with opened(settings, lake) as warehouse:
        again = lake.write(
            stream,
            rows,
            cursor_from=None,
            cursor_to=warehouse.cursor(stream),
            api_version="",
            started_at=now,
            finished_at=now,
        )
        warehouse.load([again], lambda: now)


@BOTH
def test_what_landed_whole_equals_the_source(company: Company, tmp_path: Path, stream: Stream) -> None:
    assert compare(company, _read(company, tmp_path, stream), [stream]) == Comparison()


@BOTH
def test_an_object_that_did_not_land_is_missing(company: Company, tmp_path: Path, stream: Stream) -> None:
    settings = _read(company, tmp_path, stream)
    company.change(stream)
    company.settle()
    found = compare(company, settings, [stream])
    assert found.missing
    assert found == Comparison(missing=found.missing)


@BOTH
def test_a_batch_that_landed_again_is_there_twice(company: Company, tmp_path: Path, stream: Stream) -> None:
    settings = _read(company, tmp_path, stream)
    _land_again(settings, stream)
    assert len(compare(company, settings, [stream]).twice) == len(company.present(stream))


@BOTH
def test_a_version_that_never_was_is_invented(company: Company, tmp_path: Path, stream: Stream) -> None:
    settings = _read(company, tmp_path, stream)
    _land_again(settings, stream, "model" if stream.is_typed else "payload")
    assert len(compare(company, settings, [stream]).invented) == 1


@BOTH
def test_a_file_that_the_ledger_does_not_have_is_stray(company: Company, tmp_path: Path, stream: Stream) -> None:
    settings = _read(company, tmp_path, stream)
    path = _largest(settings, stream)
    shutil.copy(path, path.replace(".parquet", "-again.parquet"))
    assert len(compare(company, settings, [stream]).stray) == 2
