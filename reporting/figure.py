"""A figure of the books walked down: from the number to entries, documents, invoice lines, usage days and batches."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from typing import TypeVar

import duckdb

from reporting.marts import ReportUnavailable, Warehouse, exponents_of, opened, require_month

MARTS = (
    "close.fct_journal_entries",
    "intermediate.int_usage__app_events",
    "marts.fct_invoice_lines",
    "marts.fct_usage_daily",
    "reconciliation.rec_evidence",
    "seeds.currencies",
    "seeds.ledger_accounts",
)
REVENUE = "revenue"
"""The figure that is more than its account: all income, less what is contra to it."""
_INCOME = ("income", "contra_income")


@dataclass(frozen=True)
class Part:
    """What the figure is made of, on the figure's own side."""

    account_name: str
    product_id: str | None
    entry_kind: str
    currency: str
    amount: Decimal


@dataclass(frozen=True)
class Document:
    """What a source sent and an entry stands on; `batch_id` and `read_at` are those of its newest version."""

    document_id: str
    stream: str | None
    entry_kind: str
    currency: str
    amount: Decimal
    batch_id: str | None
    read_at: datetime | None


@dataclass(frozen=True)
class Line:
    """A line of an invoice among the documents; amounts after discounts and minimum, before credits and tax."""

    invoice_id: str
    invoice_line_id: str
    product_id: str | None
    line_kind: str
    quantity: Decimal
    currency: str
    adjusted_amount: Decimal
    period_start: date
    period_end: date


@dataclass(frozen=True)
class UsageDay:
    """What the product metered on a day for one of these lines."""

    usage_date: date
    product_id: str
    metric: str
    quantity: Decimal
    event_count: int


@dataclass(frozen=True)
class UsageBatch:
    """A batch of the lake that brought some of that usage."""

    batch_id: str
    event_count: int
    read_at: datetime


@dataclass(frozen=True)
class Walk:
    """One figure of a customer's month, and what is under it; parts add up to it, and so do documents."""

    figure: str
    customer_id: str
    period: str
    parts: tuple[Part, ...]
    documents: tuple[Document, ...]
    lines: tuple[Line, ...]
    usage_days: tuple[UsageDay, ...]
    usage_batches: tuple[UsageBatch, ...]

    @property
    def totals(self) -> dict[str, Decimal]:
        """The figure in each currency."""
        found: dict[str, Decimal] = {}
        for part in self.parts:
            found[part.currency] = found.get(part.currency, Decimal(0)) + part.amount
        return found


T = TypeVar("T", Part, Document, Line, UsageDay, UsageBatch)


def walk(warehouse: Warehouse, figure: str, customer: str, month: str) -> tuple[Walk, dict[str, int]]:
    """A figure as it is booked, `revenue` or an account of ledger_accounts, and the decimals of each currency (ISO 4217).

    Raises ReportUnavailable when `month` is no month, no account is called so, or nothing is booked.
    """
    require_month(month)
    with opened(warehouse, MARTS) as connection:
        accounts = connection.execute(
            "select account_id, account_type from seeds.ledger_accounts order by 1"
        ).fetchall()
        own = [name for name, kind in accounts if name == figure or (figure == REVENUE and kind in _INCOME)]
        if not own:
            raise ReportUnavailable(
                f"no figure is called {figure}; there are {', '.join(name for name, _ in accounts)}"
            )
        connection.execute(
            """
            create temp table entries as
            select
                entries.*,
                accounts.account_name,
                entries.debit_amount - entries.credit_amount as debit,
            from close.fct_journal_entries as entries
            inner join seeds.ledger_accounts as accounts using (account_id)
            where entries.customer_id = $customer and entries.period = $month and list_contains($accounts, account_id)
            """,
            {"customer": customer, "month": month, "accounts": own},
        )
        ((side,),) = connection.execute(
            "select normal_side from seeds.ledger_accounts where account_id = ?", [figure]
        ).fetchall()
        sign = -1 if side == "credit" else 1
        found = Walk(
            figure,
            customer,
            month,
            _rows(
                connection,
                Part,
                f"""
                select account_name, product_id, entry_kind, currency, {sign} * sum(debit) as amount
                from entries
                group by all
                having sum(debit) <> 0
                order by currency, abs(sum(debit)) desc, account_name, product_id, entry_kind
                """,
            ),
            _rows(
                connection,
                Document,
                f"""
                select document_id, stream, entry_kind, currency, {sign} * sum(debit) as amount, batch_id, read_at
                from entries
                left join reconciliation.rec_evidence as evidence on entries.document_id = evidence.object_id
                group by all
                having sum(debit) <> 0
                order by currency, abs(sum(debit)) desc, document_id, entry_kind
                """,
            ),
            _rows(
                connection,
                Line,
                """
                select *
                from marts.fct_invoice_lines as lines
                where invoice_id in (select document_id from entries) and adjusted_amount <> 0
                order by invoice_id, adjusted_amount desc, invoice_line_id
                """,
            ),
            _rows(
                connection,
                UsageDay,
                f"select * from ({_USAGE}) order by usage_date, product_id, metric",
                month=month,
                customer=customer,
            ),
            _rows(
                connection,
                UsageBatch,
                f"""
                select batch_id, count(*) as event_count, min(read_at) as read_at
                from intermediate.int_usage__app_events
                where customer_id = $customer and cast(occurred_at as date) in (select usage_date from ({_USAGE}))
                group by batch_id
                order by read_at, batch_id
                """,
                month=month,
                customer=customer,
            ),
        )
        if not found.parts:
            raise ReportUnavailable(f"nothing is booked on {figure} for {customer} in {month}")
        return found, exponents_of(connection)


_USAGE = """
    select usage_date, product_id, metric, sum(quantity) as quantity, sum(event_count)::bigint as event_count
    from marts.fct_usage_daily
    where customer_id = $customer
        and strftime(usage_date, '%Y-%m') = $month
        and product_id in (select product_id from entries where entry_kind = 'earned')
    group by all
"""


def _rows(connection: duckdb.DuckDBPyConnection, kind: type[T], statement: str, **named: str) -> tuple[T, ...]:
    columns = ", ".join(field.name for field in fields(kind))
    return tuple(kind(*row) for row in connection.execute(f"select {columns} from ({statement})", named).fetchall())
