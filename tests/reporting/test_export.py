"""A mart as a file, as somebody asks for it who has no SQL: by the command line, on a warehouse small enough to check by hand."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner, Result

from orchestration.cli import app
from reporting import export
from tests.emulator.warehouse import Project

ROOT = Path(__file__).parents[2]
COLUMNS = """
    invoice_id string, customer_name string, amount_due decimal(38, 9), lines bigint, is_internal boolean, invoice_date date,
    paid_at timestamp, certified_through timestamp
"""
ROWS: list[tuple[Any, ...]] = [
    (
        "inv_1",
        'Ümlaut, "Works"\nLtd',
        Decimal("99999999999999999999999999999.123456789"),
        2,
        False,
        date(2026, 8, 31),
        datetime.fromisoformat("2026-09-01 12:30:15"),
        datetime.fromisoformat("2026-10-01 00:00:00.123456"),
    ),
    ("inv_2", "=1+1", Decimal("-1234567890.12345"), 2**53 + 1, True, date(2026, 9, 1), None, None),
    ("inv_3", None, Decimal("1234567890.123456"), None, None, date(2026, 9, 30), None, None),
    ("inv_4", "", Decimal("0.1"), 0, False, date(2026, 10, 1), None, None),
    ("inv_5", "JPY", Decimal("649809"), 1, False, date(2026, 9, 15), None, None),
]

Asked = Callable[..., Result]


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """`tieout export …` in a folder of its own, on a warehouse with the invoices above."""
    warehouse = tmp_path / "tieout.duckdb"
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for layer in ("marts", "reconciliation", "close", "intermediate", "close_2026_09_marts"):
            connection.execute(f"create schema {layer}")
        connection.execute(f"create table marts.fct_invoices ({COLUMNS})")
        connection.executemany("insert into marts.fct_invoices values (?, ?, ?, ?, ?, ?, ?, ?)", ROWS)
        connection.execute("create table marts.fct_payments (payment_id string, created_at timestamp)")
        connection.execute(
            "insert into marts.fct_payments values ('a', '2026-08-31 23:59:59.999999'), ('b', '2026-09-01 00:00:00'), "
            "('c', '2026-09-30 23:59:59.999999'), ('d', '2026-10-01 00:00:00')"
        )
        connection.execute(
            "create table close.fct_trial_balance (account_id string, period string, units decimal(38, 0))"
        )
        connection.execute(
            "insert into close.fct_trial_balance values ('cash', '2026-08', 1), ('cash', '2026-09', 1000)"
        )
        connection.execute("create table marts.dim_products (product_id string)")
        connection.execute("create table intermediate.int_secret (secret string)")
        connection.execute("create table close_2026_09_marts.fct_invoices_of_a_close (invoice_id string)")
    monkeypatch.chdir(tmp_path)

    def ask(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["export", *arguments], env={"TIEOUT_WAREHOUSE": str(warehouse)})

    return ask


def test_a_csv_has_every_digit_and_no_more(asked: Asked, tmp_path: Path) -> None:
    done = asked("fct_invoices")
    assert done.output == "5 rows of marts.fct_invoices: fct_invoices.csv\n"
    with (tmp_path / "fct_invoices.csv").open(encoding="utf-8", newline="") as file:
        read = list(csv.DictReader(file))
    amounts = [row["amount_due"] for row in read]
    assert amounts == [
        "99999999999999999999999999999.123456789",
        "-1234567890.12345",
        "1234567890.123456",
        "0.1",
        "649809",
    ]
    assert [row["customer_name"] for row in read] == [row[1] or "" for row in ROWS]
    assert read[0]["certified_through"] == "2026-10-01 00:00:00.123456"


def test_a_parquet_file_is_the_mart(asked: Asked, tmp_path: Path) -> None:
    assert asked("fct_invoices", "--format", "parquet", "--output", "of the mart's.parquet").exit_code == 0
    read = pq.read_table(tmp_path / "of the mart's.parquet")
    assert [tuple(row.values()) for row in read.to_pylist()] == ROWS
    assert str(read.schema.field("amount_due").type) == "decimal128(38, 9)"


def test_in_a_workbook_a_number_is_one_when_a_spreadsheet_holds_its_digits_and_else_text(
    asked: Asked, tmp_path: Path
) -> None:
    assert asked("fct_invoices", "--format", "xlsx").exit_code == 0
    (page,) = openpyxl.load_workbook(tmp_path / "fct_invoices.xlsx").worksheets
    head, *rows = page.iter_rows(values_only=True)
    assert head == tuple(column.split()[0] for column in COLUMNS.replace("(38, 9)", "").split(","))
    amounts = [row[2] for row in rows]
    assert [type(amount) for amount in amounts] == [str, float, str, float, float]
    assert [Decimal(str(amount)) for amount in amounts] == [row[2] for row in ROWS]
    assert [row[3] for row in rows] == [2, str(2**53 + 1), None, 0, 1]
    assert rows[1][1] == "=1+1"
    assert page["B3"].data_type == "s"
    assert rows[0][5:] == (
        datetime.fromisoformat("2026-08-31"),
        datetime.fromisoformat("2026-09-01 12:30:15"),
        "2026-10-01 00:00:00.123456",
    )


def test_what_one_sheet_does_not_hold_goes_on_on_the_next(
    asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_MOST_ROWS", 3)
    assert asked("fct_invoices", "--format", "xlsx").exit_code == 0
    book = openpyxl.load_workbook(tmp_path / "fct_invoices.xlsx")
    assert book.sheetnames == ["fct_invoices", "fct_invoices 2", "fct_invoices 3"]
    of_sheets = [[row[0] for row in page.iter_rows(values_only=True)] for page in book.worksheets]
    assert of_sheets == [["invoice_id", "inv_1", "inv_2"], ["invoice_id", "inv_3", "inv_4"], ["invoice_id", "inv_5"]]


def test_a_text_that_no_cell_holds_is_refused_and_the_older_file_stays(
    asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fct_invoices.xlsx").write_text("older")
    monkeypatch.setattr(export, "_MOST_CHARACTERS", 10)
    done = asked("fct_invoices", "--format", "xlsx")
    assert done.exit_code == 1
    assert "row 1 has a text of 19 characters and a cell of Excel holds 10: ask for csv or parquet" in done.stderr
    assert (tmp_path / "fct_invoices.xlsx").read_text() == "older"
    assert [path.name for path in tmp_path.iterdir() if "unfinished" in path.name] == []


@pytest.mark.parametrize(
    ("mart", "column", "rows"),
    [
        ("fct_invoices", "invoice_date", ["inv_2", "inv_3", "inv_5"]),
        ("fct_payments", "created_at", ["b", "c"]),
        ("fct_trial_balance", "period", ["cash"]),
    ],
)
def test_a_month_is_asked_of_the_marts_own_column(
    asked: Asked, tmp_path: Path, mart: str, column: str, rows: list[str]
) -> None:
    done = asked(mart, "--period", "2026-09")
    assert f"{len(rows)} rows of " in done.output
    assert f"{mart} whose {column} is in 2026-09: {mart}-2026-09.csv" in done.output
    lines = (tmp_path / f"{mart}-2026-09.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == rows
    assert mart != "fct_trial_balance" or lines[1] == "cash,2026-09,1000"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("fct_invoice",), "no public mart is called fct_invoice; the nearest are fct_invoices"),
        (("int_secret",), "no public mart is called int_secret; none is near"),
        (("fct_invoices_of_a_close",), "no public mart is called fct_invoices_of_a_close"),
        (("dim_products", "--period", "2026-09"), "marts.dim_products has no month to ask for: leave --period out"),
        (("fct_invoices", "--period", "September"), "a month is written like 2026-08; 'September' is not one"),
        (("fct_invoices", "--output", "nowhere/x.csv"), "there is no folder nowhere to write to"),
    ],
)
def test_a_wrong_question_is_answered_with_a_sentence(asked: Asked, arguments: tuple[str, ...], sentence: str) -> None:
    done = asked(*arguments)
    assert done.exit_code == 1
    assert sentence in done.stderr


def test_what_anybody_may_read_can_be_exported_and_which_of_it_has_no_month_is_known() -> None:
    layers = yaml.safe_load((ROOT / "dbt_project.yml").read_text())["models"]["tieout"]
    assert {layer for layer, settings in layers.items() if settings.get("+access") == "public"} == set(export.LAYERS)
    without = set()
    for layer in export.LAYERS:
        for path in (ROOT / "dbt_project" / "models" / layer).rglob("*.yml"):
            for model in yaml.load(path.read_text(), yaml.CSafeLoader).get("models", []):
                if not set(export.PERIODS) & {column["name"] for column in model["columns"]}:
                    without.add(model["name"])
    assert without == {
        "dim_products",
        "dim_streams",
        "fct_break_consequences",
        "fct_excluded_rows",
        "rec_consequences",
        "rec_evidence",
        "rec_sightings",
    }


def test_memory_does_not_grow_with_the_mart(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "tieout.duckdb")) as connection:
        connection.execute("create schema marts")
        connection.execute(
            "create table marts.fct_invoices as "
            "select i as invoice_id, repeat('x', 4000) as description from range(150000) as numbers (i)"
        )
    measured = "from orchestration.cli import app; app(standalone_mode=False); print(open('/proc/self/status').read())"
    done = subprocess.run(
        [sys.executable, "-c", measured, "export", "fct_invoices", "--format", "parquet"],
        cwd=tmp_path,
        env=os.environ | {"TIEOUT_WAREHOUSE": "tieout.duckdb", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", done.stdout)
    assert pq.read_metadata(tmp_path / "fct_invoices.parquet").num_rows == 150_000
    assert int(peak) * 1024 < 150_000 * 4_000 / 2


def test_on_bigquery_a_mart_is_the_same_file(
    asked: Asked, bigquery_project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bigquery_project.rows("create schema marts")
    columns = COLUMNS.replace("decimal(38, 9)", "numeric").replace("bigint", "int64").replace("boolean", "bool")
    bigquery_project.rows(f"create table marts.fct_invoices ({columns})")
    shared = [row for row in ROWS if row[0] != "inv_1"]
    for row in shared:
        bigquery_project.rows(f"insert into marts.fct_invoices values ({', '.join(map(_literal, row))})")
    for arguments in (("--period", "2026-09"), ("--period", "2026-10", "--format", "parquet")):
        named = ("fct_invoices", *arguments, "--output")
        assert asked(*named, "of_duckdb").exit_code == 0
        for name, value in bigquery_project.environment.items():
            monkeypatch.setenv(name, value)
        done = asked(*named, "of_bigquery")
        assert done.exit_code == 0, done.output + done.stderr
        for name in bigquery_project.environment:
            monkeypatch.delenv(name)
        of_duckdb, of_bigquery = (tmp_path / name for name in ("of_duckdb", "of_bigquery"))
        if "parquet" in arguments:
            assert pq.read_table(of_bigquery).to_pylist() == pq.read_table(of_duckdb).to_pylist()
        else:
            assert sorted(of_bigquery.read_text().splitlines()) == sorted(of_duckdb.read_text().splitlines())
    done = asked("fct_invoice")
    assert "the nearest are fct_invoices" in done.stderr


def _literal(value: Any) -> str:
    match value:
        case None:
            return "null"
        case Decimal():
            return f"numeric '{value}'"
        case date():
            return f"date '{value}'"
    return repr(value)
