"""A public mart as a file for people without SQL: CSV, Parquet or a workbook, row by row, of any size.

Decimals are exact. A spreadsheet holds 15 digits: what has more is text there, and so is an instant with a fraction of a second.
"""

from __future__ import annotations

import calendar
import csv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import duckdb

from reporting.marts import ReportUnavailable, Streams, named, require_month, streamed

if TYPE_CHECKING:
    import pyarrow as pa
    from xlsxwriter.format import Format as CellFormat
    from xlsxwriter.worksheet import Worksheet

LAYERS = ("marts", "reconciliation", "close")
"""The schemas of the models that anybody may read."""

PERIODS = (
    "period", "booked_period", "revenue_date", "usage_date", "ageing_date", "rate_date", "valid_from", "invoice_date",
    "booked_on", "period_start", "created_at",
)  # fmt: skip
"""What `period` is asked of: the first of these columns that a mart has."""

_MOST_ROWS = 1_048_576
_MOST_CHARACTERS = 32_767
_MOST_DIGITS = 15
_ROW_GROUP = 32_000_000


@dataclass(frozen=True)
class Exported:
    """What was written where, and the column that the period was asked of."""

    mart: str
    rows: int
    column: str | None
    path: Path


def export(
    warehouse: Path | Streams,
    mart: str,
    period: str | None,
    format: Literal["csv", "parquet", "xlsx"],
    output: Path | None,
) -> Exported:
    """Write a mart, or one month of it, to `output` or to a file of its name in this folder; an older one is replaced when all is
    written. Raises ReportUnavailable: there is no such mart, it has no months, or a spreadsheet cannot hold it."""
    name = _found(warehouse, mart)
    path = output or Path("-".join(filter(None, (mart, period))) + f".{format}")
    if not path.parent.is_dir():
        raise ReportUnavailable(f"there is no folder {path.parent} to write to")
    column, condition = _asked(warehouse, name, period) if period else (None, None)
    with streamed(warehouse, name, condition) as rows, _replaced(path) as unfinished:
        match format:
            case "csv":
                count = _write_csv(rows, unfinished)
            case "parquet":
                count = _write_parquet(rows, unfinished)
            case "xlsx":
                count = _write_workbook(rows, mart, unfinished)
    return Exported(name, count, column, path)


def _found(warehouse: Path | Streams, mart: str) -> str:
    names = {name.partition(".")[2]: name for name in named(warehouse, LAYERS)}
    if mart not in names:
        nearest = get_close_matches(mart, names, n=3, cutoff=0.6)
        raise ReportUnavailable(
            f"no public mart is called {mart}; "
            + (f"the nearest are {', '.join(nearest)}" if nearest else "none is near")
        )
    return names[mart]


def _asked(warehouse: Path | Streams, name: str, period: str) -> tuple[str, str]:
    """The mart's own column for the period, and the rows of the month as a condition that both engines understand."""
    require_month(period)
    with streamed(warehouse, name, None) as rows:
        kinds = {field.name: str(field.type) for field in rows.schema}
    column = next((column for column in PERIODS if column in kinds), None)
    if column is None:
        raise ReportUnavailable(f"{name} has no month to ask for: leave --period out")
    if kinds[column].startswith(("string", "large_string")):
        return column, f"{column} = '{period}'"
    year, month = map(int, period.split("-"))
    last = date(year, month, calendar.monthrange(year, month)[1])
    if kinds[column].startswith("date"):
        return column, f"{column} between date '{period}-01' and date '{last}'"
    return column, f"{column} >= timestamp '{period}-01' and {column} <= timestamp '{last} 23:59:59.999999'"


@contextmanager
def _replaced(path: Path) -> Iterator[Path]:
    """A name beside the file to write to; it becomes the file when all is written, and is gone when that fails."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _write_csv(rows: pa.RecordBatchReader, path: Path) -> int:
    """Every value as DuckDB spells it; a decimal without zeros at its end."""
    texts = ", ".join(
        f"""rtrim(rtrim("{field.name}"::varchar, '0'), '.') as "{field.name}\""""
        if getattr(field.type, "scale", 0) > 0
        else f'"{field.name}"::varchar as "{field.name}"'
        for field in rows.schema
    )
    count = 0
    with duckdb.connect() as connection, path.open("w", encoding="utf-8", newline="") as file:
        connection.execute("set TimeZone = 'UTC'")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(rows.schema.names)
        for batch in rows:
            written = connection.from_arrow(batch).project(texts).to_arrow_table()
            writer.writerows(zip(*(column.to_pylist() for column in written.columns), strict=True))
            count += batch.num_rows
    return count


def _write_parquet(rows: pa.RecordBatchReader, path: Path) -> int:
    """Batches become row groups of some megabytes: a reader opens each of them by itself."""
    import pyarrow as pa
    from pyarrow import parquet

    held: list[pa.RecordBatch] = []
    count = 0
    with parquet.ParquetWriter(path, rows.schema) as writer:
        for batch in rows:
            held.append(batch)
            count += batch.num_rows
            if sum(each.nbytes for each in held) > _ROW_GROUP:
                writer.write_table(pa.Table.from_batches(held))
                held.clear()
        writer.write_table(pa.Table.from_batches(held, rows.schema))
    return count


def _write_workbook(rows: pa.RecordBatchReader, mart: str, path: Path) -> int:
    """As many sheets as it takes: one holds 1,048,576 rows, its head among them."""
    from xlsxwriter import Workbook

    count = 0
    with Workbook(path, {"constant_memory": True, "use_zip64": True}) as book:
        formats = {
            Decimal: book.add_format({"num_format": "#,##0.00#######"}),
            date: book.add_format({"num_format": "yyyy-mm-dd"}),
            datetime: book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
            str: book.add_format({"bold": True}),
        }
        page = _opened(book.add_worksheet(mart[:28]), rows, formats[str])
        for batch in rows:
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                sheet, at = divmod(count, _MOST_ROWS - 1)
                if sheet and not at:
                    page = _opened(book.add_worksheet(f"{mart[:28]} {sheet + 1}"), rows, formats[str])
                for column, value in enumerate(row):
                    _write(page, at + 1, column, value, formats)
                count += 1
    return count


def _opened(page: Worksheet, rows: pa.RecordBatchReader, bold: CellFormat) -> Worksheet:
    page.freeze_panes(1, 0)
    page.set_column(0, len(rows.schema) - 1, 18)
    page.write_row(0, 0, rows.schema.names, bold)
    return page


def _write(page: Worksheet, at: int, column: int, value: Any, formats: Mapping[type, CellFormat]) -> None:
    match value:
        case None:
            return
        case bool():
            page.write_boolean(at, column, value)
        case Decimal() | int():
            text = f"{Decimal(value):f}"
            # Decimal.normalize would round to 28 digits.
            shortest = text.rstrip("0").rstrip(".") if "." in text else text
            if len(shortest.lstrip("-").replace(".", "").strip("0")) <= _MOST_DIGITS:
                page.write_number(at, column, value, formats[Decimal] if isinstance(value, Decimal) else None)
            else:
                page.write_string(at, column, shortest)
        case datetime() if value.microsecond == 0:
            page.write_datetime(at, column, value.replace(tzinfo=None), formats[datetime])
        case date() if not isinstance(value, datetime):
            page.write_datetime(at, column, value, formats[date])
        case _:
            text = str(value)
            if len(text) > _MOST_CHARACTERS:
                raise ReportUnavailable(
                    f"row {at:,} has a text of {len(text):,} characters and a cell of Excel holds {_MOST_CHARACTERS:,}: "
                    "ask for csv or parquet"
                )
            page.write_string(at, column, text)
