"""The journal of a close, in the columns that NetSuite and QuickBooks Online import.

An entry for the ledger is one day's lines of a kind and currency, added up by account, of revenue by product and of receivables
by customer. DECISIONS.md says why, and how what is below the minor unit is rounded.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_FLOOR, Decimal
from itertools import groupby

import duckdb

from reporting.marts import ReportUnavailable

TABLES = ("close.fct_journal_entries", "close.fct_closes", "marts.dim_customers", "seeds.ledger_accounts")

# Neither ledger takes more decimals, whatever the currency has.
_MOST_DECIMALS = 2


@dataclass(frozen=True, order=True)
class Account:
    """Where a line is posted: an account in both ledgers' names, of revenue a product, of a receivable a customer."""

    netsuite_account: str
    quickbooks_account: str
    product_id: str
    customer: str


@dataclass(frozen=True)
class Entry:
    """An entry to post. Amounts are debits less credits in the currency, with the decimals that it is posted in; they add up
    to nothing. `exchange_rate` is the day's, to the reporting currency; None where nobody published one."""

    number: str
    entry_kind: str
    currency: str
    entry_date: date
    exchange_rate: Decimal | None
    lines: tuple[tuple[Account, Decimal], ...]


@dataclass(frozen=True)
class _Day:
    entry_date: date
    currency: str
    entry_kind: str
    exchange_rate: Decimal | None
    is_of_this_close: bool
    amounts: Mapping[Account, Decimal]


def read_entries(
    connection: duckdb.DuckDBPyConnection, schemas: Mapping[str, str], period: str, exponents: Mapping[str, int]
) -> tuple[Entry, ...]:
    """What the close of the month freezes, by day, currency and kind. Raises ReportUnavailable where one does not balance."""
    entries: list[Entry] = []
    carried: dict[tuple[str, str], dict[Account, Decimal]] = defaultdict(dict)
    for day, kinds in groupby(_days(connection, schemas, period), key=lambda each: (each.entry_date, each.currency)):
        number = 0
        for each in kinds:
            unit = Decimal(1).scaleb(-min(exponents[each.currency], _MOST_DECIMALS))
            lines, rest = _rounded(each, unit, carried[each.currency, each.entry_kind])
            carried[each.currency, each.entry_kind] = rest
            if lines:
                number += 1
            if lines and each.is_of_this_close:
                name = f"TIE-{day[0]:%Y%m%d}-{each.currency}-{number:02}"
                entries.append(Entry(name, each.entry_kind, each.currency, each.entry_date, each.exchange_rate, lines))
    return tuple(entries)


def to_netsuite(entries: Sequence[Entry]) -> str:
    """NetSuite's CSV import of journal entries: the entry's fields on each of its lines, the line's own with their prefix."""
    line = "Journal Entry - Line: "
    columns = ("Account", "Debit", "Credit", "Memo", "Name", "Class")
    head = ("External ID", "Date", "Posting Period", "Currency", "Exchange Rate", "Memo")
    return _csv(
        (*head, *(f"{line}{column}" for column in columns)),
        (
            (
                entry.number,
                f"{entry.entry_date:%m/%d/%Y}",
                f"{entry.entry_date:%b %Y}",
                entry.currency,
                "" if entry.exchange_rate is None else f"{entry.exchange_rate.normalize():f}",
                _memo(entry),
                account.netsuite_account,
                *_sides(amount),
                _memo(entry),
                account.customer,
                account.product_id,
            )
            for entry in entries
            for account, amount in entry.lines
        ),
    )


def to_quickbooks(entries: Sequence[Entry]) -> str:
    """QuickBooks Online's import of journal entries: accounts by name, a customer on each line of a receivable."""
    return _csv(
        (
            "JournalNo",
            "JournalDate",
            "AccountName",
            "Debits",
            "Credits",
            "Description",
            "Name",
            "Currency",
            "Location",
            "Class",
        ),
        (
            (
                entry.number,
                f"{entry.entry_date:%m/%d/%Y}",
                account.quickbooks_account,
                *_sides(amount),
                _memo(entry),
                account.customer,
                entry.currency,
                "",
                account.product_id,
            )
            for entry in entries
            for account, amount in entry.lines
        ),
    )


def _days(connection: duckdb.DuckDBPyConnection, schemas: Mapping[str, str], period: str) -> Iterator[_Day]:
    """Every entry up to the month's end, those of closed months too: what they carry goes on."""
    rows = connection.execute(
        """
        select
            entry_date,
            entries.currency,
            entry_kind,
            max(exchange_rate),
            period > (select coalesce(max(period), '') from {close}.fct_closes),
            cast(netsuite_account as varchar),
            quickbooks_account,
            case when accounts.account_type in ('income', 'contra_income') then entries.product_id end,
            case when entries.account_id = 'accounts_receivable' then coalesce(customer_name, entries.customer_id) end,
            sum(debit_amount - credit_amount)
        from {close}.fct_journal_entries as entries
        inner join {seeds}.ledger_accounts as accounts on entries.account_id = accounts.account_id
        left join {marts}.dim_customers as customers on entries.customer_id = customers.customer_id
        where period <= $period
        group by all
        order by all
        """.format(**schemas),
        {"period": period},
    ).fetchall()
    for _, group in groupby(rows, key=lambda row: row[:3]):
        lines = list(group)
        entry_date, currency, entry_kind, _, is_of_this_close = lines[0][:5]
        rates = [row[3] for row in lines if row[3] is not None]
        amounts: dict[Account, Decimal] = defaultdict(Decimal)
        for row in lines:
            amounts[Account(*(named or "" for named in row[5:9]))] += row[9]
        yield _Day(entry_date, currency, entry_kind, rates[0] if rates else None, is_of_this_close, amounts)


def _rounded(
    day: _Day, unit: Decimal, carried: Mapping[Account, Decimal]
) -> tuple[tuple[tuple[Account, Decimal], ...], dict[Account, Decimal]]:
    """The day's lines in whole units, and what is left of each account for the next day: less than a unit, whatever the days
    add up to. The largest fractions are rounded up, as many as the entry needs to balance."""
    exact = {
        account: day.amounts.get(account, Decimal(0)) + carried.get(account, Decimal(0))
        for account in sorted({*day.amounts, *carried})
    }
    if sum(exact.values()) != 0:
        raise ReportUnavailable(
            f"the {day.entry_kind} entries of {day.entry_date} do not balance in {day.currency}: "
            "fct_journal_entries has their lines"
        )
    whole = {account: amount.quantize(unit, ROUND_FLOOR) for account, amount in exact.items()}
    short = int(-sum(whole.values()) / unit)
    for account in sorted(exact, key=lambda each: whole[each] - exact[each])[:short]:
        whole[account] += unit
    lines = sorted((item for item in whole.items() if item[1]), key=lambda item: (item[1] < 0, item[0]))
    return tuple(lines), {
        account: exact[account] - whole[account] for account in exact if exact[account] != whole[account]
    }


def _sides(amount: Decimal) -> tuple[str, str]:
    return (f"{amount:f}", "") if amount > 0 else ("", f"{-amount:f}")


def _memo(entry: Entry) -> str:
    return f"Tieout {entry.entry_kind.replace('_', ' ')} {entry.entry_date}"


def _csv(head: Sequence[str], rows: Iterator[tuple[str, ...]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue()
