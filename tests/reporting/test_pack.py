from __future__ import annotations

import csv
import hashlib
import json
import re
import shutil
import subprocess
import zipfile
from collections import defaultdict
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from openpyxl import Workbook, load_workbook
from openpyxl.cell.cell import Cell
from openpyxl.worksheet.worksheet import Worksheet
from typer.testing import CliRunner

from orchestration.cli import app
from reporting.close import schema_of
from reporting.marts import ReportUnavailable
from reporting.pack import write_pack
from reporting.pack.charts import Bar, bars
from reporting.pack.sheets import Kind, Sheet, read_sheets
from tests.reporting.closed_month import CLOSE_ID, PERIOD, build

SHEETS = [
    "Summary", "Bridge", "Breaks", "Revenue", "Unbilled", "Deferred revenue", "Prepaid credit", "Receivables ageing",
    "Days outstanding", "Trial balance", "Restatements", "Restatement causes", "Sign-off",
]  # fmt: skip
HEAD = 6
DECIMALS = {"USD": 2, "JPY": 0, "BHD": 3}


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("closed") / "w.duckdb")


@pytest.fixture(scope="module")
def folder(warehouse: Path) -> Path:
    return write_pack(warehouse, PERIOD, warehouse.parent / "pack", "Example AI, Inc.").folder


@pytest.fixture(scope="module")
def sheets(warehouse: Path) -> dict[str, Sheet]:
    schemas = {layer: schema_of(PERIOD, layer) for layer in ("marts", "reconciliation", "close", "seeds")}
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        return read_sheets(connection, schemas, PERIOD)


def book(folder: Path, *, of_values: bool) -> Workbook:
    return load_workbook(folder / f"close-{PERIOD}.xlsx", data_only=of_values)


def lines(folder: Path, ledger: str) -> list[dict[str, str]]:
    with (folder / f"journal-{PERIOD}-{ledger}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def page(folder: Path) -> str:
    return (folder / f"close-{PERIOD}.html").read_text(encoding="utf-8")


def row_of(sheet: Worksheet, title: str) -> dict[str, object]:
    """The row that begins with this, by the heads of its columns."""
    heads = [str(cell.value) for cell in sheet[HEAD]]
    (found,) = [row for row in sheet.iter_rows(min_row=HEAD + 1, values_only=True) if row[0] == title]
    return dict(zip(heads, found, strict=False))


# The bytes.


def test_the_same_close_gives_the_same_bytes(warehouse: Path, folder: Path, tmp_path: Path) -> None:
    again = write_pack(warehouse, PERIOD, tmp_path / "again", "Example AI, Inc.").folder
    names = sorted(each.name for each in folder.iterdir())
    assert names == sorted(each.name for each in again.iterdir())
    assert [(folder / name).read_bytes() for name in names] == [(again / name).read_bytes() for name in names]


def test_no_file_of_the_workbook_holds_the_time_it_was_written_at(folder: Path) -> None:
    with zipfile.ZipFile(folder / f"close-{PERIOD}.xlsx") as archive:
        assert {each.date_time[0] for each in archive.infolist()} == {1980}
        stamps = re.findall(rb"\d{4}-\d\d-\d\dT[\d:]+Z", archive.read("docProps/core.xml"))
    assert set(stamps) == {b"2026-10-05T06:00:00Z"}


def test_another_order_of_the_rows_in_the_warehouse_changes_no_byte(folder: Path, tmp_path: Path) -> None:
    turned = "; ".join(
        f"create or replace table close_2026_09_{table} as from close_2026_09_{table} order by hash(columns(*)) desc"
        for table in ("marts.fct_revenue_daily", "reconciliation.fct_breaks", "close.fct_journal_entries")
    )
    again = write_pack(
        build(tmp_path / "w.duckdb", changes_after=turned), PERIOD, tmp_path / "pack", "Example AI, Inc."
    ).folder
    assert [each.read_bytes() for each in sorted(folder.iterdir())] == [
        each.read_bytes() for each in sorted(again.iterdir())
    ]


def test_the_manifest_names_the_close_and_the_hash_of_every_other_file(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["close_id"] == CLOSE_ID
    assert manifest["months"] == [PERIOD, PERIOD]
    others = {each.name: hashlib.sha256(each.read_bytes()).hexdigest() for each in folder.iterdir()}
    del others["manifest.json"]
    assert manifest["files"] == others
    assert len(others) == 4


# What is refused.


def test_a_month_that_was_never_closed_is_told_how_to_close_it(warehouse: Path, tmp_path: Path) -> None:
    with pytest.raises(ReportUnavailable, match="2026-11 was never closed: `tieout close 2026-11` closes it"):
        write_pack(warehouse, "2026-11", tmp_path / "pack")


def test_a_month_that_was_closed_with_a_later_one_is_told_where_its_journal_is(warehouse: Path, tmp_path: Path) -> None:
    with pytest.raises(ReportUnavailable, match="2026-07 was closed with 2026-08"):
        write_pack(warehouse, "2026-07", tmp_path / "pack")


def test_schemas_that_hold_anything_else_than_what_was_frozen_make_no_pack(tmp_path: Path) -> None:
    changed = "update close_2026_09_close.fct_journal_entries set debit_amount = debit_amount + 1 where journal_line_id = 'd1'"
    warehouse = build(tmp_path / "w.duckdb", changes_after=changed)
    with pytest.raises(ReportUnavailable, match=r"and not what was frozen.*`tieout close 2026-09 --as-of"):
        write_pack(warehouse, PERIOD, tmp_path / "pack")
    assert not (tmp_path / "pack").exists()


def test_an_entry_that_does_not_balance_makes_no_journal(tmp_path: Path) -> None:
    wrong = "update close_2026_09_close.fct_journal_entries set debit_amount = 9701 where journal_line_id = 'd1'"
    with pytest.raises(ReportUnavailable, match="payment entries of 2026-09-05 do not balance in JPY"):
        write_pack(build(tmp_path / "w.duckdb", wrong), PERIOD, tmp_path / "pack")


def test_the_command_writes_the_folder_and_tells_the_hashes(
    warehouse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIEOUT_WAREHOUSE", str(warehouse))
    monkeypatch.setenv("TIEOUT_HOME", str(tmp_path))
    told = CliRunner().invoke(app, ["pack", PERIOD])
    assert told.exit_code == 0
    written = tmp_path / "close" / PERIOD / "pack"
    for name, sha256 in json.loads((written / "manifest.json").read_text())["files"].items():
        assert f"{sha256}  " in told.output
        assert name in told.output
    refused = CliRunner().invoke(app, ["pack", "2026-11"])
    assert refused.exit_code != 0


# The workbook.


def test_there_is_a_sheet_for_each_part_of_the_close(folder: Path) -> None:
    assert book(folder, of_values=True).sheetnames == SHEETS


def test_every_cell_is_the_amount_of_its_mart_with_the_decimals_of_its_currency(
    folder: Path, sheets: dict[str, Sheet]
) -> None:
    written = book(folder, of_values=True)
    compared = 0
    for sheet in (each for each in sheets.values() if each.name != "Checks"):
        for row_no, row in enumerate(sheet.rows, HEAD + 1):
            for at, (column, value) in enumerate(zip(sheet.columns, row, strict=True), 1):
                cell = written[sheet.name].cell(row_no, at)
                if not isinstance(value, Decimal):
                    continue
                assert Decimal(repr(cell.value)) == value, (sheet.name, cell.coordinate)
                if column.kind is Kind.AMOUNT and (unit := str(row[sheet.index(column.currency)])) in DECIMALS:
                    assert decimals(cell.number_format) == DECIMALS[unit], (sheet.name, cell.coordinate)
                    compared += 1
    assert compared > 100


def test_dates_and_counts_are_typed(folder: Path) -> None:
    ageing = book(folder, of_values=True)["Receivables ageing"]
    (row,) = [row for row in ageing.iter_rows(values_only=True) if "inv_2" in row]
    assert isinstance(row[5], datetime)
    assert row[5].date() == date(2026, 8, 21)
    assert row[6] == 40


def test_a_negative_amount_stands_in_brackets_and_nothing_is_a_dash(folder: Path) -> None:
    cells = [cell for row in book(folder, of_values=True)["Revenue"].iter_rows() for cell in row]
    (discount,) = {cell.number_format for cell in cells if cell.value == -10}
    assert discount == '#,##0.00_);(#,##0.00);"-"_)'


def test_every_formula_comes_to_the_value_that_stands_in_its_cell(folder: Path) -> None:
    formulas, values = book(folder, of_values=False), book(folder, of_values=True)
    computed = 0
    for sheet in formulas.worksheets:
        for row in sheet.iter_rows():
            for cell in row:
                if isinstance(cell.value, str) and cell.value.startswith("="):
                    comes_to = Formula(formulas, sheet).value(cell.value)
                    stands = Decimal(repr(values[sheet.title][cell.coordinate].value))
                    assert abs(comes_to - stands) < Decimal("1e-9"), (sheet.title, cell.coordinate, cell.value)
                    computed += 1
    assert computed > 100


def test_totals_are_one_a_currency_and_those_of_the_mart(folder: Path, warehouse: Path) -> None:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        sums = dict(
            connection.execute(
                """
                select currency, sum(amount)
                from close_2026_09_marts.fct_revenue_daily
                where revenue_date between '2026-09-01' and '2026-09-30'
                group by currency
                """
            ).fetchall()
        )
    revenue = book(folder, of_values=True)["Revenue"]
    totals = {currency: row_of(revenue, f"Total {currency}")["Revenue"] for currency in sums}
    assert {currency: Decimal(repr(total)) for currency, total in totals.items()} == sums
    assert sums == {"USD": Decimal("116.30"), "JPY": Decimal(8500), "BHD": Decimal("1.234")}


def test_roll_forwards_roll_from_their_opening_to_their_closing(folder: Path) -> None:
    written = book(folder, of_values=True)
    deferred = row_of(written["Deferred revenue"], "Total USD")
    assert [deferred[each] for each in ("Opening", "Invoiced", "Recognised", "Voided", "Closing")] == [
        33,
        15,
        20,
        2,
        26,
    ]
    assert (deferred["Of it within 12 months"], deferred["Of it later"]) == (19, 7)
    credit = row_of(written["Prepaid credit"], "Total USD")
    assert [credit[each] for each in ("Opening", "Sold", "Used", "Expired", "Refunded", "Closing", "Liability")] == [
        50, 100, 30, 5, 10, 105, 101,
    ]  # fmt: skip


def test_the_trial_balance_comes_to_nothing_in_each_currency(folder: Path) -> None:
    balance = book(folder, of_values=True)["Trial balance"]
    for currency in ("USD", "JPY"):
        total = row_of(balance, f"Total {currency}")
        assert [total[each] for each in ("Opening", "Movement", "Closing")] == [0, 0, 0]


def test_the_summary_has_a_column_a_currency_and_adds_nothing_over_two(folder: Path) -> None:
    summary = book(folder, of_values=True)["Summary"]
    assert [cell.value for cell in summary[HEAD]] == ["Figure", "USD", "BHD", "JPY", "Sheet"]
    revenue = row_of(summary, "Revenue of the month")
    assert [revenue[each] for each in ("USD", "BHD", "JPY")] == [116.3, 1.234, 8500]
    ledger = row_of(summary, "Revenue in the ledger, with what was caught up for closed months")
    assert [ledger[each] for each in ("USD", "JPY")] == [130, 8500]
    assert row_of(summary, "Days sales outstanding")["USD"] == 46


def test_what_is_unexplained_in_two_directions_does_not_cancel(folder: Path) -> None:
    assert row_of(book(folder, of_values=True)["Summary"], "Unexplained")["USD"] == 0.5


def test_an_amount_without_a_rate_says_so_instead_of_being_nothing(folder: Path) -> None:
    revenue = book(folder, of_values=True)["Revenue"]
    for of in ("BHD", "Total BHD"):
        assert row_of(revenue, of)["In it, at each day's rate"] == "no rate"


def test_breaks_are_those_that_were_there_at_the_close_up_to_the_month(folder: Path) -> None:
    breaks = book(folder, of_values=True)["Breaks"]
    heads = [cell.value for cell in breaks[HEAD]]
    ids = [row[heads.index("Break")] for row in breaks.iter_rows(min_row=HEAD + 1, values_only=True)]
    assert sorted(str(each) for each in ids if each) == ["b1", "b2", "b3"]


def test_every_table_is_frozen_under_its_head_and_prints_in_width_with_it(folder: Path) -> None:
    for sheet in book(folder, of_values=False).worksheets:
        if sheet.title == "Sign-off":
            continue
        assert str(sheet.freeze_panes)[1:] == str(HEAD + 1), sheet.title
        assert sheet.print_title_rows == f"${HEAD}:${HEAD}", sheet.title
        assert (sheet.page_setup.fitToWidth in (None, 1), sheet.page_setup.fitToHeight) == (True, 0), sheet.title
        assert sheet.page_setup.orientation == ("portrait" if sheet.title == "Summary" else "landscape"), sheet.title


def test_every_sheet_says_whose_close_it_is_as_of_when_and_by_whom(folder: Path) -> None:
    for sheet in book(folder, of_values=True).worksheets:
        assert sheet["A1"].value == f"Example AI, Inc. · {sheet.title}"
        assert sheet["A2"].value == "Close of September 2026"
        assert sheet["A3"].value == "Closed by kim, as known at 2026-10-05 06:00:00 UTC; all checks held"


def test_the_sheet_to_sign_has_the_hashes_what_was_accepted_every_check_and_lines_to_sign(tmp_path: Path) -> None:
    accepted = ("invoiced: 0.25 USD of 2026-09 is unexplained, 0.1 may be",)
    folder = write_pack(build(tmp_path / "w.duckdb", accepted=accepted), PERIOD, tmp_path / "pack").folder
    sheet = book(folder, of_values=True)["Sign-off"]
    told = {str(row[0]): row for row in sheet.iter_rows(values_only=True) if row[0]}
    assert told["Close"][3] == CLOSE_ID
    assert told["SHA-256 of what is frozen"][3] == json.loads((folder / "manifest.json").read_text())["content_hash"]
    assert told["Accepted because"][3] == "Booked in October"
    assert told["Accepted, 1"][3] == accepted[0]
    assert {"Prepared by", "Reviewed by", "Approved by"} <= told.keys()
    assert told["does not hold"][1:4] == ("2026-09", "unexplained", "invoiced")
    assert told["holds"][1:4] == ("2026-09", "certificate", "orb.invoices")
    assert "1 check accepted: Booked in October" in str(sheet["A3"].value)
    assert "1 check accepted: Booked in October" in page(folder)
    assert accepted[0] in page(folder)


# The journals.


def test_the_columns_are_those_of_the_ledgers_imports(folder: Path) -> None:
    assert list(lines(folder, "netsuite")[0]) == [
        "External ID", "Date", "Posting Period", "Currency", "Exchange Rate", "Memo",
        "Journal Entry - Line: Account", "Journal Entry - Line: Debit", "Journal Entry - Line: Credit",
        "Journal Entry - Line: Memo", "Journal Entry - Line: Name", "Journal Entry - Line: Class",
    ]  # fmt: skip
    assert list(lines(folder, "quickbooks")[0]) == [
        "JournalNo", "JournalDate", "AccountName", "Debits", "Credits", "Description", "Name", "Currency", "Location", "Class",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("ledger", "number", "debit", "credit"),
    [
        ("netsuite", "External ID", "Journal Entry - Line: Debit", "Journal Entry - Line: Credit"),
        ("quickbooks", "JournalNo", "Debits", "Credits"),
    ],
)
def test_every_entry_balances_in_its_one_currency(
    folder: Path, ledger: str, number: str, debit: str, credit: str
) -> None:
    entries: dict[str, list[dict[str, str]]] = defaultdict(list)
    for line in lines(folder, ledger):
        assert bool(line[debit]) != bool(line[credit])
        entries[line[number]].append(line)
    assert len(entries) == 3
    for name, entry in entries.items():
        assert len({line["Currency"] for line in entry}) == 1
        assert sum(Decimal(line[debit] or 0) - Decimal(line[credit] or 0) for line in entry) == 0
        assert len(name) <= 21


def test_what_a_close_before_has_frozen_is_not_posted_again_and_october_not_yet(folder: Path) -> None:
    assert {line["Posting Period"] for line in lines(folder, "netsuite")} == {"Sep 2026"}


def test_amounts_below_the_cent_wait_until_they_are_one(folder: Path) -> None:
    earned = [line for line in lines(folder, "quickbooks") if "earned" in line["Description"]]
    assert [(line["JournalDate"], line["AccountName"], line["Debits"], line["Credits"]) for line in earned] == [
        ("09/01/2026", "Unbilled Receivable", "0.01", ""),
        ("09/01/2026", "Sales", "", "0.01"),
    ]


def test_amounts_have_the_currencys_decimals_and_never_more_than_the_ledgers_take(folder: Path) -> None:
    debits = {(line["Currency"], line["Debits"]) for line in lines(folder, "quickbooks") if line["Debits"]}
    assert debits == {("USD", "0.01"), ("JPY", "9700"), ("JPY", "200"), ("BHD", "1.23")}


def test_a_line_of_a_receivable_names_its_customer_and_one_of_revenue_its_product(folder: Path) -> None:
    named = {
        line["AccountName"]: (line["Name"], line["Class"])
        for line in lines(folder, "quickbooks")
        if line["Currency"] != "BHD"
    }
    assert named["Accounts Receivable (A/R)"] == ('Birch, <Works> & "Sons"', "")
    assert named["Sales"] == ("", "gpu")
    assert named["Unbilled Receivable"] == ("", "")


def test_the_exchange_rate_is_the_days_and_empty_where_nobody_published_one(folder: Path) -> None:
    rates = {line["Currency"]: line["Exchange Rate"] for line in lines(folder, "netsuite")}
    assert rates == {"USD": "1", "JPY": "0.0067", "BHD": ""}


# The page.


def test_the_page_needs_no_network_and_runs_nothing(folder: Path) -> None:
    assert not re.search(r"<script|<link|src=|href=|http|@import|url\(", page(folder))
    assert page(folder).count("<svg") == 4


def test_the_page_adds_over_currencies_at_a_rate_only_and_says_which(folder: Path) -> None:
    text = page(folder)
    assert "173" in tile(text, "Revenue, USD")  # 116.30 + 8,500 JPY at the days' rates: 56.95
    assert "JPY 0.0067" in text
    assert "Nobody has published a rate for BHD: in the tables, in no chart." in text
    assert "1 days of revenue have no rate" in text


def test_the_page_says_what_is_unexplained_and_what_is_overdue(folder: Path) -> None:
    assert "0.50 USD" in tile(page(folder), "Unexplained")
    assert "3 breaks at the close" in tile(page(folder), "Unexplained")
    assert "54.0 % of it overdue" in tile(page(folder), "Receivables, USD")  # 40.50 + 66.33 of 197.83


def test_the_steps_of_the_waterfall_lead_from_each_total_to_the_next(folder: Path) -> None:
    trail = page(folder).split("From usage to the bank")[1].split("</svg>")[0]
    steps = [
        (label, Decimal(told.strip("()").replace(",", "")) * (-1 if told.startswith("(") else 1))
        for label, told in re.findall(r"<text[^>]*x=\"0\"[^>]*>([^<]*)</text>.*?class=\"told\"[^>]*>([^<]*)<", trail)
    ]
    reached = Decimal(0)
    for label, amount in steps:
        if label in ("Metered", "Invoiced", "At the bank so far"):
            assert abs(reached - amount) <= 1 or label == "Metered"
            reached = amount
        else:
            reached += amount
    assert [label for label, _ in steps][-1] == "At the bank so far"


def test_the_bars_of_the_waterfall_end_where_the_next_total_does(folder: Path) -> None:
    trail = page(folder).split("From usage to the bank")[1].split("</svg>")[0]
    rows = {
        Decimal(top): (style, Decimal(left), Decimal(left) + Decimal(width))
        for style, left, top, width in re.findall(r'<rect class="(\w+)" x="([\d.]+)" y="(\d+)" width="([\d.]+)"', trail)
    }
    ends = [Decimal(at) for at in re.findall(r'<line class="link" x1="([\d.]+)"', trail)]
    into = {end: style for (style, _, end) in rows.values() if style == "total"}
    assert len(into) == 3
    assert [style for style, *_ in rows.values()].count("fall") == 5
    # the link into a total is at the total's end
    tops = sorted(rows)
    for link, top in zip(ends, tops[1:], strict=True):
        style, left, end = rows[top]
        assert abs(link - {"total": end, "fall": end, "rise": left}[style]) <= Decimal("0.2")


def test_a_bar_is_as_long_as_its_amount_and_below_nothing_it_points_the_other_way() -> None:
    drawn = bars([Bar("a", Decimal(300), ""), Bar("b", Decimal(100), ""), Bar("c", Decimal(-100), "")])
    spans = [
        (Decimal(left), Decimal(width))
        for left, width in re.findall(r'<rect[^>]* x="([\d.]+)"[^>]* width="([\d.]+)"', drawn)
    ]
    (a, a_length), (b, b_length), (c, c_length) = spans
    assert abs(a_length - 3 * b_length) <= Decimal("0.3")
    assert (a, b_length) == (b, c_length)
    assert c + c_length == a


def test_names_that_the_page_shows_are_escaped(tmp_path: Path, warehouse: Path) -> None:
    folder = write_pack(warehouse, PERIOD, tmp_path / "pack", "<b>AI</b>").folder
    assert "<b>AI" not in page(folder)


@pytest.mark.skipif(
    not shutil.which("chromium"), reason="chromium is not here: how many pages are printed is not checked"
)
@pytest.mark.parametrize("breaks", [0, 4000])
def test_the_page_prints_on_two_sheets_of_a4_however_much_is_open(tmp_path: Path, breaks: int) -> None:
    more = f"""
        insert into close_2026_09_reconciliation.fct_breaks
            (break_id, hop, state, status, cause, period, currency, right_currency, left_amount, right_amount, difference,
            is_open, age_days, age_bucket, first_seen_at)
        select 'm' || n, 'invoiced', 'open', 'break', 'cause_number_' || n % 60, '2026-09', ['USD', 'JPY', 'BHD'][n % 3 + 1],
            'USD', n, 0, n, true, 3, '2-7', '2026-10-02 10:00:00' from range({breaks}) as many (n);
        insert into close_2026_09_marts.fct_revenue_daily
            (customer_id, product_id, revenue_kind, currency, reporting_currency, amount, reporting_amount, is_billed,
            revenue_date)
        select 'acct_1', 'a_product_with_a_long_name_' || n, 'usage', 'USD', 'USD', n, n, true, '2026-09-03'
        from range({breaks} // 100) as many (n)
    """
    sentence = (
        "app.usage_events is certified complete through 2026-09-29 10:00 UTC, not beyond the end: run `tieout run`"
    )
    warehouse = build(tmp_path / "w.duckdb", more, accepted=(sentence * 3,) * (breaks // 100))
    folder = write_pack(warehouse, PERIOD, tmp_path / "pack", "Example AI, Inc.").folder
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--print-to-pdf={tmp_path}/page.pdf"]
    subprocess.run([*command, str(folder / f"close-{PERIOD}.html")], check=True, capture_output=True)
    assert len(re.findall(rb"/Type\s*/Page\b", (tmp_path / "page.pdf").read_bytes())) == 2


def decimals(number_format: str) -> int:
    return len(number_format.split(";")[0].partition(".")[2].strip("_)"))


def tile(text: str, what: str) -> str:
    (found,) = re.findall(rf"<div><span>{re.escape(what)}</span>(.*?)</div>", text)
    return str(found)


class Formula:
    """The few functions that the workbook uses, computed in decimals from the cells that they name."""

    def __init__(self, workbook: Workbook, sheet: Worksheet) -> None:
        self.workbook = workbook
        self.sheet = sheet

    def value(self, formula: str) -> Decimal:
        text = formula.removeprefix("=")
        text = re.sub(r"SUMIFS\(([^()]*)\)", lambda match: f"({self.sumifs(match[1])})", text)
        text = re.sub(r"SUM\(([A-Z]+\d+:[A-Z]+\d+)\)", lambda match: f"({self.sum(match[1])})", text)
        text = re.sub(r"\b([A-Z]{1,2}\d+)\b", lambda match: f"({self.sum(match[1])})", text)
        text = re.sub(r"(?<![\w.])(\d+(?:\.\d+)?(?:E-?\d+)?)(?![\w.])", r'Decimal("\1")', text)
        names = {"Decimal": Decimal, "ABS": abs, "ROUND": lambda number, places: round(number, int(places))}
        return Decimal(eval(text, {"__builtins__": {}}, names))

    def sum(self, cells: str) -> Decimal:
        return sum((self.number(cell) for cell in self.range(cells)), Decimal(0))

    def sumifs(self, arguments: str) -> Decimal:
        added, *pairs = arguments.split(",")
        wanted = [(self.range(keys), self.criterion(key)) for keys, key in zip(pairs[::2], pairs[1::2], strict=True)]
        cells = [
            cell
            for at, cell in enumerate(self.range(added))
            if all(keys[at].value == criterion for keys, criterion in wanted)
        ]
        return sum(map(self.number, cells), Decimal(0))

    def criterion(self, text: str) -> object:
        return text.strip('"') if text.startswith('"') else self.sheet[text.replace("$", "")].value

    def range(self, text: str) -> list[Cell]:
        name, _, cells = text.replace("$", "").rpartition("!")
        sheet = self.workbook[name.strip("'")] if name else self.sheet
        assert isinstance(sheet, Worksheet)
        first, _, last = cells.partition(":")
        return [cell for row in sheet[f"{first}:{last or first}"] for cell in row]

    def number(self, cell: Cell) -> Decimal:
        """What a cell counts for: text and nothing for 0, a formula for what it comes to."""
        if isinstance(cell.value, str):
            assert isinstance(cell.parent, Worksheet)
            return Formula(self.workbook, cell.parent).value(cell.value) if cell.value.startswith("=") else Decimal(0)
        return Decimal(repr(cell.value)) if isinstance(cell.value, int | float) else Decimal(0)
