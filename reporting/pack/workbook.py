"""The close pack's workbook. A cell is a number as Excel has them, with 15 digits; the Decimals are in the warehouse."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.utility import xl_col_to_name, xl_rowcol_to_cell
from xlsxwriter.worksheet import Worksheet

from reporting.close import Header
from reporting.marts import ReportUnavailable
from reporting.pack.sheets import BUCKETS, KINDS, Column, Kind, Sheet, Value

_HEADINGS = 5
_MOST_ROWS = 1_000_000
_LINE_HEIGHT, _TOLD_IN_A_LINE = 14, 90
_NARROWEST, _WIDEST = 9, 36
_INK, _MUTED, _WARNING, _RULE, _SHADE = "#1f2a44", "#5a6275", "#9a2f1f", "#c3c9d6", "#eef1f6"
_NO_RATE = "no rate"
_LINES_TO_SIGN = ("Prepared by", "Reviewed by", "Approved by")


@dataclass(frozen=True)
class Line:
    """A line of the summary: the column of a sheet in the rows whose other columns have one of these values, added up in each
    currency, and turned round where a credit is to be positive."""

    title: str
    sheet: str
    column: str
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()
    is_turned: bool = False
    is_strong: bool = False

    def amount(self, sheets: Mapping[str, Sheet], currency: str) -> Decimal:
        total = sheets[self.sheet].sum(self.column, {"currency": (currency,), **dict(self.where)})
        return -total if self.is_turned else total


def _account(title: str, account_id: str) -> Line:
    return Line(title, "Trial balance", "closing_amount", (("account_id", (account_id,)),))


SUMMARY: tuple[tuple[str, tuple[Line, ...]], ...] = (
    (
        "Revenue",
        (
            *(Line(kind.replace("_", " ").capitalize(), "Revenue", kind) for kind in KINDS),
            Line("Revenue of the month", "Revenue", "revenue", is_strong=True),
            Line(
                "Revenue in the ledger, with what was caught up for closed months",
                "Trial balance",
                "movement_amount",
                (("account_type", ("income", "contra_income")),),
                is_turned=True,
                is_strong=True,
            ),
        ),
    ),
    (
        "Unbilled receivable",
        tuple(
            Line(name.capitalize(), "Unbilled", f"{name}_amount", is_strong=name == "closing")
            for name in ("opening", "used", "drawn", "invoiced", "closing")
        ),
    ),
    (
        "Deferred revenue",
        tuple(
            Line(name.capitalize(), "Deferred revenue", f"{name}_amount", is_strong=name == "closing")
            for name in ("opening", "invoiced", "recognised", "voided", "closing")
        ),
    ),
    (
        "Prepaid credit",
        tuple(
            Line(name.capitalize(), "Prepaid credit", f"{name}_amount", is_strong=name == "liability")
            for name in ("opening", "sold", "used", "expired", "voided", "refunded", "closing", "liability")
        ),
    ),
    (
        "Receivables",
        (
            *(Line(bucket.capitalize(), "Receivables ageing", bucket) for bucket in BUCKETS),
            Line("Open", "Receivables ageing", "open_amount", is_strong=True),
            Line("Days sales outstanding", "Days outstanding", "days_sales_outstanding"),
        ),
    ),
    (
        "Cash",
        (
            _account("Cash at bank", "cash"),
            _account("Payouts in transit", "payouts_in_transit"),
            _account("Stripe clearing", "stripe_clearing"),
        ),
    ),
    (
        "Reconciliation",
        (
            Line("Unexplained", "Bridge", "unexplained_worth", is_strong=True),
            Line("Breaks at the close, worth", "Breaks", "worth"),
        ),
    ),
)


@dataclass(frozen=True)
class Facts:
    """What the sheets say above their tables and on the one to sign. `currencies` are those of the books, the reporting currency
    first; `exponents` are the decimals of each (ISO 4217)."""

    entity: str
    month: str
    header: Header
    currencies: tuple[str, ...]
    exponents: Mapping[str, int]

    @property
    def status(self) -> str:
        """Who closed it, as of when, and what was accepted, in a sentence."""
        accepted = len(self.header.accepted)
        checks = f"{accepted} check{'s' if accepted > 1 else ''}" if accepted else ""
        return (
            f"Closed by {self.header.closed_by}, as known at {self.header.closed.as_of.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC; "
            + (f"{checks} accepted: {self.header.accepted_reason}" if accepted else "all checks held")
        )


def write_workbook(path: Path, facts: Facts, sheets: Mapping[str, Sheet]) -> None:
    """Write the workbook: the summary, the sheets, the one to sign. The same close gives the same bytes.

    Raises ReportUnavailable where a sheet has more rows than Excel takes: nothing is cut.
    """
    for sheet in sheets.values():
        if len(sheet.rows) > _MOST_ROWS:
            raise ReportUnavailable(
                f"{sheet.name} has {len(sheet.rows):,} rows and Excel takes {_MOST_ROWS:,}: read it from the close's schemas"
            )
    book = Workbook(path, {"default_date_format": "yyyy-mm-dd"})
    book.set_properties(
        {
            "title": f"Close of {facts.month}",
            "author": facts.header.closed_by,
            "company": facts.entity,
            # Excel writes the clock's time where none is given.
            "created": facts.header.closed.as_of.astimezone(UTC).replace(tzinfo=None, microsecond=0),
        }
    )
    pages = _Pages(book, facts)
    pages.summary(sheets)
    for sheet in sheets.values():
        if sheet.name != "Checks":
            pages.table(sheet)
    pages.sign_off(sheets["Checks"])
    book.close()


class _Pages:
    """The worksheets of one workbook, with its formats."""

    def __init__(self, book: Workbook, facts: Facts) -> None:
        self.book = book
        self.facts = facts
        self.formats: dict[tuple[tuple[str, str | int | bool], ...], Format] = {}

    def styled(self, **properties: str | int | bool) -> Format:
        key = tuple(sorted(properties.items()))
        if key not in self.formats:
            self.formats[key] = self.book.add_format({"font_name": "Calibri", "font_size": 10, **properties})
        return self.formats[key]

    def number_format(self, column: Column, currency: Value, amount: Decimal) -> str:
        """The currency's decimals, brackets where it is negative, a dash where it is nothing. A quantity, of a metric, has no
        decimals of its own."""
        exponent = 1 if column.kind is Kind.DAYS else self.facts.exponents.get(str(currency))
        if exponent is None:
            digits = "#,##0" if amount == amount.to_integral_value() else "#,##0.00#######"
        else:
            digits = "#,##0" + ("." + "0" * exponent if exponent else "")
        return f'{digits}_);({digits});"-"_)'

    def opened(self, name: str, says: str, *, is_wide: bool = True) -> Worksheet:
        page = self.book.add_worksheet(name)
        page.hide_gridlines(2)
        page.set_paper(9)
        if is_wide:
            page.set_landscape()
        page.fit_to_pages(1, 0)
        page.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.6)
        page.set_footer(f"&L&8{self.facts.header.closed.content_hash[:16]}&C&8&A&R&8&P / &N")
        entity = f"{self.facts.entity} · " if self.facts.entity else ""
        page.write_string(0, 0, f"{entity}{name}", self.styled(bold=True, font_size=15, font_color=_INK))
        page.write_string(1, 0, f"Close of {self.facts.month}", self.styled(bold=True, font_size=11))
        page.write_string(
            2, 0, self.facts.status, self.styled(font_color=_WARNING if self.facts.header.accepted else _INK)
        )
        page.write_string(3, 0, says, self.styled(italic=True, font_color=_MUTED))
        page.set_row(0, 22)
        return page

    def table(self, sheet: Sheet) -> None:
        page = self.opened(sheet.name, sheet.says)
        first, last = _HEADINGS + 1, _HEADINGS + max(len(sheet.rows), 1)
        self.head(page, _HEADINGS, sheet.columns)
        self.rows(page, first, sheet)
        if not sheet.rows:
            page.write_string(first, 0, "None.", self.styled(italic=True))
        page.freeze_panes(first, 0)
        page.repeat_rows(_HEADINGS)
        if sheet.rows:
            page.autofilter(_HEADINGS, 0, last, len(sheet.columns) - 1)
            self.totals(page, sheet, first, last)

    def head(self, page: Worksheet, row_no: int, columns: Sequence[Column]) -> None:
        for at, column in enumerate(columns):
            is_figure = column.kind in (Kind.AMOUNT, Kind.COUNT, Kind.DAYS)
            page.write_string(
                row_no,
                at,
                column.title,
                self.styled(
                    bold=True, font_color="#ffffff", bg_color=_INK, text_wrap=True, valign="vcenter",
                    align="right" if is_figure else "left", indent=0 if is_figure else 1,
                ),
            )  # fmt: skip
        page.set_row(row_no, 30)

    def rows(self, page: Worksheet, first: int, sheet: Sheet) -> None:
        widths = [self.width(sheet, at, column) for at, column in enumerate(sheet.columns)]
        for at, width in enumerate(widths):
            page.set_column(at, at, width)
        for row_no, row in enumerate(sheet.rows, first):
            self.row(page, row_no, sheet, row)
            # Not every program makes a row as high as its wrapped text.
            lines = max(math.ceil(len(_shown(value)) / width) for value, width in zip(row, widths, strict=True))
            page.set_row(row_no, _LINE_HEIGHT * max(lines, 1))

    def row(self, page: Worksheet, row_no: int, sheet: Sheet, row: Sequence[Value]) -> None:
        rule: dict[str, str | int | bool] = {"bottom": 4, "bottom_color": _RULE}
        for at, (column, value) in enumerate(zip(sheet.columns, row, strict=True)):
            if isinstance(value, Decimal):
                number_format = self.number_format(column, row[sheet.index(column.currency)], value)
                cell = self.styled(num_format=number_format, valign="top", **rule)
                if column.formula:
                    page.write_formula(row_no, at, _in_row(sheet, column.formula, row_no), cell, float(value))
                else:
                    page.write_number(row_no, at, float(value), cell)
            elif column.kind is Kind.AMOUNT:
                page.write_string(row_no, at, _NO_RATE, self.styled(align="right", font_color=_WARNING, **rule))
            else:
                self.cell(page, row_no, at, value, rule)

    def cell(self, page: Worksheet, row_no: int, at: int, value: Value, rule: Mapping[str, str | int | bool]) -> None:
        if isinstance(value, datetime):
            page.write_datetime(
                row_no,
                at,
                _naive(value),
                self.styled(num_format="yyyy-mm-dd hh:mm", align="left", valign="top", indent=1, **rule),
            )
        elif isinstance(value, date):
            page.write_datetime(
                row_no, at, value, self.styled(num_format="yyyy-mm-dd", align="left", valign="top", indent=1, **rule)
            )
        elif isinstance(value, int):
            page.write_number(row_no, at, value, self.styled(num_format="#,##0_)", valign="top", **rule))
        else:
            page.write_string(
                row_no, at, str(value or ""), self.styled(text_wrap=True, align="left", valign="top", indent=1, **rule)
            )

    def totals(self, page: Worksheet, sheet: Sheet, first: int, last: int) -> None:
        """One total a currency, never over two."""
        totalled = [
            (at, column) for at, column in enumerate(sheet.columns) if column.kind is Kind.AMOUNT and column.is_totalled
        ]
        by = sheet.index("currency")
        currencies = sorted({str(row[by]) for row in sheet.rows if row[by] in self.facts.exponents})
        for row_no, currency in enumerate(currencies, last + 2):
            rule: dict[str, str | int | bool] = {"bold": True, "bg_color": _SHADE, "top": 1, "top_color": _RULE}
            for at in range(len(sheet.columns)):
                page.write_blank(row_no, at, None, self.styled(**rule))
            page.write_string(row_no, 0, "Total", self.styled(**rule))
            page.write_string(row_no, by, currency if by else f"Total {currency}", self.styled(**rule))
            for at, column in totalled:
                if any(row[at] is None for row in sheet.rows if row[by] == currency):
                    page.write_string(row_no, at, _NO_RATE, self.styled(align="right", font_color=_WARNING, **rule))
                    continue
                amount = sheet.sum(column.name, {"currency": (currency,)})
                shown_in = currency
                if column.currency != "currency":
                    shown_in = str(sheet.rows[0][sheet.index(column.currency)])
                column_of, key = (_range(each, first, last) for each in (at, by))
                page.write_formula(
                    row_no,
                    at,
                    f'=SUMIFS({column_of},{key},"{currency}")',
                    self.styled(num_format=self.number_format(column, shown_in, amount), **rule),
                    float(amount),
                )

    def width(self, sheet: Sheet, at: int, column: Column) -> int:
        """As wide as the longest of its cells, its total included."""
        values = [row[at] for row in sheet.rows]
        amounts = [value for value in values if isinstance(value, Decimal)]
        total = sum(map(abs, amounts), Decimal(0))
        longest = max((len(_shown(value)) for value in (*values, total)), default=0)
        in_title = max(map(len, column.title.split()))
        return min(max(longest + 3, in_title + 5, _NARROWEST), _WIDEST)

    def summary(self, sheets: Mapping[str, Sheet]) -> None:
        currencies = self.facts.currencies
        page = self.opened(
            "Summary", "Each amount is in its own currency and adds up a column of the sheet that is named.",
            is_wide=len(currencies) > 4,
        )  # fmt: skip
        columns = (Column("figure", "Figure"), *(Column(each, each, Kind.AMOUNT) for each in currencies))
        self.head(page, _HEADINGS, (*columns, Column("sheet", "Sheet")))
        row_no = _HEADINGS
        for heading, lines in SUMMARY:
            row_no += 1
            for at in range(len(currencies) + 2):
                page.write_blank(row_no, at, None, self.styled(bg_color=_SHADE))
            page.write_string(row_no, 0, heading, self.styled(bold=True, bg_color=_SHADE, font_color=_INK))
            for line in lines:
                row_no += 1
                self.summary_line(page, row_no, line, sheets)
        page.freeze_panes(_HEADINGS + 1, 1)
        page.repeat_rows(_HEADINGS)
        page.set_column(0, 0, 58)
        page.set_column(1, len(currencies), 18)
        page.set_column(len(currencies) + 1, len(currencies) + 1, 20)

    def summary_line(self, page: Worksheet, row_no: int, line: Line, sheets: Mapping[str, Sheet]) -> None:
        rule: dict[str, str | int | bool] = {"bottom": 4, "bottom_color": _RULE, "bold": line.is_strong}
        page.write_string(row_no, 0, line.title, self.styled(indent=1, **rule))
        for at, currency in enumerate(self.facts.currencies, 1):
            amount = line.amount(sheets, currency)
            sheet = sheets[line.sheet]
            page.write_formula(
                row_no,
                at,
                _added_up(line, sheet, xl_rowcol_to_cell(_HEADINGS, at, row_abs=True)),
                self.styled(
                    num_format=self.number_format(sheet.columns[sheet.index(line.column)], currency, amount), **rule
                ),
                float(amount),
            )
        page.write_string(
            row_no, len(self.facts.currencies) + 1, line.sheet, self.styled(font_color=_MUTED, indent=2, **rule)
        )

    def sign_off(self, checks: Sheet) -> None:
        header = self.facts.header
        page = self.opened("Sign-off", "What was closed, on what, and what did not hold when it was.")
        months = (
            header.closed.period
            if header.first_period == header.closed.period
            else f"{header.first_period} to {header.closed.period}"
        )
        facts = (
            ("Close", header.closed.close_id),
            ("Months frozen by it", months),
            ("As known at", f"{header.closed.as_of.astimezone(UTC).isoformat()}"),
            ("Closed by", header.closed_by),
            ("SHA-256 of what is frozen", header.closed.content_hash),
            ("SHA-256 of the input batches", header.input_hash),
            ("Accepted because", header.accepted_reason or "nothing had to be accepted"),
            *((f"Accepted, {no}", sentence) for no, sentence in enumerate(header.accepted, 1)),
        )
        last = len(checks.columns) - 1
        row_no = _HEADINGS
        for title, told in facts:
            page.write_string(row_no, 0, title, self.styled(bold=True, valign="top", indent=1))
            page.merge_range(
                row_no, 3, row_no, last, told, self.styled(text_wrap=True, align="left", valign="top", indent=1)
            )
            page.set_row(row_no, _LINE_HEIGHT * math.ceil(len(told) / _TOLD_IN_A_LINE))
            row_no += 1
        row_no += 1
        for title in _LINES_TO_SIGN:
            page.set_row(row_no, 30)
            page.write_string(row_no, 0, title, self.styled(bold=True, valign="bottom", indent=1))
            for at in range(3, last + 1):
                page.write_blank(row_no, at, None, self.styled(bottom=1))
            row_no += 1
        page.write_string(row_no, 3, "Name, signature, date", self.styled(font_color=_MUTED, font_size=8))
        row_no += 2
        self.head(page, row_no, checks.columns)
        self.rows(page, row_no + 1, checks)


def _in_row(sheet: Sheet, formula: str, row_no: int) -> str:
    """The formula with the cells of its row in the place of the columns' names."""
    cells = {column.name: xl_rowcol_to_cell(row_no, at) for at, column in enumerate(sheet.columns)}
    return "=" + formula.format(**cells)


def _range(at: int, first: int, last: int) -> str:
    name = xl_col_to_name(at)
    return f"${name}${first + 1}:${name}${last + 1}"


def _added_up(line: Line, sheet: Sheet, currency: str) -> str:
    first, last = _HEADINGS + 1, _HEADINGS + max(len(sheet.rows), 1)

    def column(name: str) -> str:
        return f"'{sheet.name}'!{_range(sheet.index(name), first, last)}"

    terms = [""]
    for name, values in line.where:
        terms = [f'{term},{column(name)},"{value}"' for term in terms for value in values]
    added = "+".join(f"SUMIFS({column(line.column)},{column('currency')},{currency}{term})" for term in terms)
    return f"=-({added})" if line.is_turned else f"={added}"


def _naive(moment: datetime) -> datetime:
    return (moment.astimezone(UTC) if moment.tzinfo else moment).replace(tzinfo=None, microsecond=0)


def _shown(value: Value) -> str:
    if isinstance(value, Decimal):
        return f"{value:,.2f}"
    return f"{value:%Y-%m-%d %H:%M}" if isinstance(value, datetime) else str(value or "")
