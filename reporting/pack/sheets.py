"""What stands on the sheets of a close pack: which columns, in which currency, out of which mart of the close.

A row is a tuple in the order of the columns. Amounts are Decimals; what Excel makes of them is the workbook's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum, auto

import duckdb

from reporting.report import HOPS

Value = str | int | date | datetime | Decimal | None

KINDS = ("usage", "fixed_fee", "percent_fee", "minimum", "discount", "credit_note", "promotional_credit", "breakage")
BUCKETS = ("not due", "1-30", "31-60", "61-90", "91+")


class Kind(Enum):
    TEXT = auto()
    DATE = auto()
    MOMENT = auto()
    COUNT = auto()
    DAYS = auto()
    AMOUNT = auto()


@dataclass(frozen=True)
class Column:
    """A column of a query and of its sheet. An amount is in the currency that the column `currency` of its row names; a
    `formula` makes it out of other columns of the row, and comes to what the query says."""

    name: str
    title: str
    kind: Kind = Kind.TEXT
    formula: str = ""
    currency: str = "currency"
    is_totalled: bool = True


@dataclass(frozen=True)
class Declared:
    """A sheet before it is read. `tables` are what the query reads, as layer.mart, each in the schema of the close."""

    name: str
    says: str
    columns: tuple[Column, ...]
    tables: tuple[str, ...]
    query: str


@dataclass(frozen=True)
class Sheet:
    """A sheet with its rows, in an order that only depends on them."""

    name: str
    says: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]

    def index(self, name: str) -> int:
        return next(at for at, column in enumerate(self.columns) if column.name == name)

    def sum(self, name: str, where: Mapping[str, Sequence[Value]]) -> Decimal:
        """The amounts of a column in the rows whose other columns have one of these values."""
        at = self.index(name)
        wanted = {self.index(column): values for column, values in where.items()}
        amounts = (row[at] for row in self.rows if all(row[column] in values for column, values in wanted.items()))
        return sum((amount for amount in amounts if isinstance(amount, Decimal)), Decimal(0))


def read_sheets(connection: duckdb.DuckDBPyConnection, schemas: Mapping[str, str], period: str) -> dict[str, Sheet]:
    """Every declared sheet of the close whose layers are built in these schemas, by its name."""
    sheets = {}
    for each in DECLARED:
        names = ", ".join(f'"{column.name}"' for column in each.columns)
        query = f"select {names} from ({each.query.format(**schemas)}) order by all"
        rows = connection.execute(query, {"period": period}).fetchall()
        sheets[each.name] = Sheet(each.name, each.says, each.columns, tuple(rows))
    return sheets


def _amounts(*names: str, **rest: str) -> tuple[Column, ...]:
    return tuple(Column(f"{name}_amount", name.replace("_", " ").capitalize(), Kind.AMOUNT) for name in names) + tuple(
        Column(f"{name}_amount", name.replace("_", " ").capitalize(), Kind.AMOUNT, formula)
        for name, formula in rest.items()
    )


_CURRENCY = Column("currency", "Currency")
_CUSTOMER = (Column("customer_id", "Customer"), Column("customer_name", "Name"))
_PRODUCT = Column("product_id", "Product")

DECLARED = (
    Declared(
        "Bridge",
        "Every comparison of the month, from the left total to the right one. The metered hop is in units of its metric.",
        (
            Column("hop", "Hop"),
            Column("comparison", "Comparison"),
            _CURRENCY,
            Column("left_amount", "Left total", Kind.AMOUNT, is_totalled=False),
            Column("explained_amount", "Breaks with a cause", Kind.AMOUNT, is_totalled=False),
            Column("timing_amount", "Timing", Kind.AMOUNT, is_totalled=False),
            Column("tolerated_amount", "Within tolerance", Kind.AMOUNT, is_totalled=False),
            Column("unexplained_amount", "Unexplained", Kind.AMOUNT, is_totalled=False),
            Column("right_amount", "Right total", Kind.AMOUNT, is_totalled=False),
            Column(
                "check_amount",
                "Check: is nothing",
                Kind.AMOUNT,
                "SUM({left_amount}:{unexplained_amount})-{right_amount}",
            ),
            Column("unexplained_worth", "Unexplained, absolute", Kind.AMOUNT, "ABS({unexplained_amount})"),
            Column("causes", "Causes"),
        ),
        ("reconciliation.rec_bridge",),
        f"""
        select
            concat(list_position({list(HOPS)}, hop), ' ', hop) as hop,
            comparison,
            currency,
            coalesce(sum(amount) filter (where line = 'left_total'), 0) as left_amount,
            coalesce(sum(amount) filter (where is_cause), 0) as explained_amount,
            coalesce(sum(amount) filter (where line = 'timing'), 0) as timing_amount,
            coalesce(sum(amount) filter (where line = 'within_tolerance'), 0) as tolerated_amount,
            coalesce(sum(amount) filter (where line = 'unexplained'), 0) as unexplained_amount,
            abs(unexplained_amount) as unexplained_worth,
            coalesce(sum(amount) filter (where line = 'right_total'), 0) as right_amount,
            sum(case line when 'right_total' then -amount else amount end) as check_amount,
            string_agg(replace(line, '_', ' '), ', ' order by line_no) filter (where is_cause and amount <> 0) as causes
        from (
            select
                *,
                line not in ('left_total', 'timing', 'within_tolerance', 'unexplained', 'right_total') as is_cause
            from {{reconciliation}}.rec_bridge
            where period = $period and comparison <> 'rated__agreed_prices_vs_orb_prices'
        ) as lines
        group by hop, comparison, currency
        """,
    ),
    Declared(
        "Breaks",
        "Every difference of the month or before it that was there at the close, worth its absolute amount.",
        (
            _CURRENCY,
            Column("hop", "Hop"),
            Column("cause", "Cause"),
            Column("state", "State"),
            Column("status", "Status"),
            Column("period", "Month"),
            Column("customer_id", "Customer"),
            Column("left_ref", "Left"),
            Column("left_amount", "Left amount", Kind.AMOUNT, is_totalled=False),
            Column("right_ref", "Right"),
            Column("right_currency", "Right currency"),
            Column("right_amount", "Right amount", Kind.AMOUNT, currency="right_currency", is_totalled=False),
            Column("difference", "Difference", Kind.AMOUNT),
            Column("worth", "Worth", Kind.AMOUNT, "ABS({difference})"),
            Column("first_seen_at", "First seen", Kind.MOMENT),
            Column("age_days", "Age, days", Kind.COUNT),
            Column("owner", "Owner"),
            Column("resolution", "Resolution"),
            Column("resolution_reason", "Why it is accepted"),
            Column("resolution_expires_on", "Accepted until", Kind.DATE),
            Column("break_id", "Break"),
        ),
        ("reconciliation.fct_breaks",),
        """
        select
            * replace (left(break_id, 12) as break_id),
            abs(difference) as worth
        from {reconciliation}.fct_breaks
        where is_open and period <= $period
        """,
    ),
    Declared(
        "Revenue",
        "Revenue recognised in the month, before tax and before credits that were paid for; what lowers it is negative.",
        (
            _CURRENCY,
            *_CUSTOMER,
            _PRODUCT,
            *(Column(kind, kind.replace("_", " ").capitalize(), Kind.AMOUNT) for kind in KINDS),
            Column("revenue", "Revenue", Kind.AMOUNT, "SUM({usage}:{breakage})"),
            Column("draft_amount", "Of it not invoiced", Kind.AMOUNT),
            Column("reporting_currency", "Reporting currency"),
            Column("reporting_amount", "In it, at each day's rate", Kind.AMOUNT, currency="reporting_currency"),
        ),
        ("marts.fct_revenue_daily", "marts.dim_customers"),
        f"""
        select
            revenue.currency,
            revenue.customer_id,
            min(customers.customer_name) as customer_name,
            revenue.product_id,
            {" ".join(f"coalesce(sum(amount) filter (where revenue_kind = '{kind}'), 0) as {kind}," for kind in KINDS)}
            sum(amount) as revenue,
            coalesce(sum(amount) filter (where not is_billed), 0) as draft_amount,
            revenue.reporting_currency,
            case when count(*) = count(reporting_amount) then sum(reporting_amount) end as reporting_amount
        from {{marts}}.fct_revenue_daily as revenue
        left join {{marts}}.dim_customers as customers on revenue.customer_id = customers.customer_id
        where strftime(revenue_date, '%Y-%m') = $period
        group by revenue.currency, revenue.reporting_currency, revenue.customer_id, revenue.product_id
        """,
    ),
    Declared(
        "Unbilled",
        "Used and neither invoiced nor paid by credit, wherever there was any.",
        (
            _CURRENCY,
            *_CUSTOMER,
            _PRODUCT,
            *_amounts(
                "opening",
                "used",
                "drawn",
                "invoiced",
                closing="{opening_amount}+{used_amount}-{drawn_amount}-{invoiced_amount}",
            ),
        ),
        ("marts.fct_unbilled_receivable", "marts.dim_customers"),
        """
        select
            unbilled.*,
            customers.customer_name
        from {marts}.fct_unbilled_receivable as unbilled
        left join {marts}.dim_customers as customers on unbilled.customer_id = customers.customer_id
        where
            period = $period
            and (opening_amount <> 0 or used_amount <> 0 or drawn_amount <> 0 or invoiced_amount <> 0)
        """,
    ),
    Declared(
        "Deferred revenue",
        "Invoiced ahead of its service, and when it will be earned.",
        (
            _CURRENCY,
            *_CUSTOMER,
            _PRODUCT,
            *_amounts(
                "opening",
                "invoiced",
                "recognised",
                "voided",
                closing="{opening_amount}+{invoiced_amount}-{recognised_amount}-{voided_amount}",
            ),
            Column("within_a_year_amount", "Of it within 12 months", Kind.AMOUNT),
            Column("later_amount", "Of it later", Kind.AMOUNT, "{closing_amount}-{within_a_year_amount}"),
        ),
        ("marts.fct_deferred_revenue", "marts.dim_customers"),
        """
        select
            *,
            closing_amount - within_a_year_amount as later_amount
        from (
            select
                deferred.currency,
                deferred.customer_id,
                min(customers.customer_name) as customer_name,
                deferred.product_id,
                sum(case when booked_period < $period then recognised_amount + voided_amount else 0 end) as opening_amount,
                sum(case when booked_period = $period then recognised_amount + voided_amount else 0 end) as invoiced_amount,
                sum(case when recognised_period = $period then recognised_amount else 0 end) as recognised_amount,
                sum(case when recognised_period = $period then voided_amount else 0 end) as voided_amount,
                sum(case when recognised_period > $period then recognised_amount + voided_amount else 0 end) as closing_amount,
                sum(
                    case
                        when recognised_period > $period
                            and recognised_period <= strftime(cast($period || '-01' as date) + interval 12 month, '%Y-%m')
                            then recognised_amount + voided_amount
                        else 0
                    end
                ) as within_a_year_amount
            from {marts}.fct_deferred_revenue as deferred
            left join {marts}.dim_customers as customers on deferred.customer_id = customers.customer_id
            where booked_period <= $period and recognised_period >= $period
            group by deferred.currency, deferred.customer_id, deferred.product_id
        ) as rolled
        """,
    ),
    Declared(
        "Prepaid credit",
        "What was paid for credit that is not used yet. Promotional credit has no cost and is owed to nobody.",
        (
            _CURRENCY,
            *_CUSTOMER,
            Column("credit_kind", "Kind"),
            *_amounts(
                "opening",
                "sold",
                "granted",
                "used",
                "expired",
                "voided",
                "refunded",
                closing="{opening_amount}+{sold_amount}+{granted_amount}-SUM({used_amount}:{refunded_amount})",
            ),
            Column("early_breakage_amount", "Breakage taken ahead", Kind.AMOUNT),
            Column("liability_amount", "Liability", Kind.AMOUNT, "{closing_amount}-{early_breakage_amount}"),
            Column("closing_credits", "Closing, in credits", Kind.AMOUNT),
        ),
        ("marts.fct_credit_liability", "marts.dim_customers"),
        """
        select
            credit.currency,
            credit.customer_id,
            min(customers.customer_name) as customer_name,
            credit.credit_kind,
            sum(opening_amount) as opening_amount,
            sum(sold_amount) as sold_amount,
            sum(granted_amount) as granted_amount,
            sum(used_amount) as used_amount,
            sum(expired_amount) as expired_amount,
            sum(voided_amount) as voided_amount,
            sum(refunded_amount) as refunded_amount,
            sum(closing_amount) as closing_amount,
            sum(early_breakage_amount) as early_breakage_amount,
            sum(liability_amount) as liability_amount,
            sum(closing_credits) as closing_credits
        from {marts}.fct_credit_liability as credit
        left join {marts}.dim_customers as customers on credit.customer_id = customers.customer_id
        where period = $period
        group by credit.currency, credit.customer_id, credit.credit_kind
        """,
    ),
    Declared(
        "Receivables ageing",
        "What was still to pay at the end of the month's last day, by the days since it was due.",
        (
            _CURRENCY,
            *_CUSTOMER,
            Column("invoice_id", "Invoice"),
            Column("invoice_date", "Invoiced", Kind.DATE),
            Column("due_date", "Due", Kind.DATE),
            Column("days_overdue", "Days overdue", Kind.COUNT),
            *(Column(bucket, bucket.capitalize(), Kind.AMOUNT) for bucket in BUCKETS),
            Column("open_amount", "Open", Kind.AMOUNT, "SUM({not due}:{91+})"),
        ),
        ("marts.fct_receivables_ageing", "marts.dim_customers"),
        f"""
        select
            ageing.*,
            {" ".join(f"case age_bucket when '{bucket}' then open_amount else 0 end as " + f'"{bucket}",' for bucket in BUCKETS)}
            customers.customer_name
        from {{marts}}.fct_receivables_ageing as ageing
        left join {{marts}}.dim_customers as customers on ageing.customer_id = customers.customer_id
        where ageing_date = last_day(cast($period || '-01' as date))
        """,
    ),
    Declared(
        "Days outstanding",
        "What was open at the month's end over what was invoiced in the three months up to it, times their days.",
        (
            _CURRENCY,
            *_amounts("open", "invoiced"),
            Column("days", "Days", Kind.COUNT),
            Column(
                "days_sales_outstanding",
                "Days sales outstanding",
                Kind.DAYS,
                "ROUND({open_amount}/{invoiced_amount}*{days},1)",
            ),
        ),
        ("marts.fct_days_sales_outstanding",),
        "select * from {marts}.fct_days_sales_outstanding where period = $period",
    ),
    Declared(
        "Trial balance",
        "Debits are positive, credits negative: opening, movement and closing of all accounts come to nothing in each currency.",
        (
            _CURRENCY,
            Column("netsuite_account", "NetSuite"),
            Column("quickbooks_account", "QuickBooks"),
            Column("account_id", "Account"),
            Column("account_name", "Name"),
            Column("account_type", "Type"),
            *_amounts("opening", "debit", "credit"),
            Column("movement_amount", "Movement", Kind.AMOUNT, "{debit_amount}-{credit_amount}"),
            Column("closing_amount", "Closing", Kind.AMOUNT, "{opening_amount}+{movement_amount}"),
        ),
        ("close.fct_trial_balance", "seeds.ledger_accounts"),
        """
        select
            balances.*,
            cast(accounts.netsuite_account as varchar) as netsuite_account,
            accounts.quickbooks_account,
            debit_amount - credit_amount as movement_amount
        from {close}.fct_trial_balance as balances
        inner join {seeds}.ledger_accounts as accounts on balances.account_id = accounts.account_id
        where period = $period
        """,
    ),
    Declared(
        "Restatements",
        "What the months that were closed before would be today. It is booked on the first open day, as prior_period.",
        (
            _CURRENCY,
            Column("period", "Month"),
            Column("figure", "Figure"),
            Column("detail", "Detail"),
            Column("customer_id", "Customer"),
            _PRODUCT,
            *_amounts("closed", "current"),
            Column("difference", "Difference", Kind.AMOUNT, "{current_amount}-{closed_amount}"),
        ),
        ("close.fct_restatements",),
        "select * from {close}.fct_restatements where period <= $period",
    ),
    Declared(
        "Restatement causes",
        "The journal lines of closed months that are others today, and when the documents behind them became known.",
        (
            _CURRENCY,
            Column("period", "Month"),
            Column("account_id", "Account"),
            Column("customer_id", "Customer"),
            _PRODUCT,
            Column("document_stream", "Stream"),
            Column("document_id", "Document"),
            Column("known_at", "Known since", Kind.MOMENT),
            *_amounts("closed", "current"),
            Column("difference", "Difference", Kind.AMOUNT, "{current_amount}-{closed_amount}"),
            Column("batch_id", "Batch"),
            Column("journal_line_id", "Journal line"),
        ),
        ("close.fct_restatement_causes",),
        "select * from {close}.fct_restatement_causes where period <= $period",
    ),
    Declared(
        "Checks",
        "What had to hold before the month could be closed.",
        (
            Column("result", "Result"),
            Column("period", "Month"),
            Column("check_kind", "Check"),
            Column("subject", "Of"),
            _CURRENCY,
            Column("amount", "Found", Kind.AMOUNT, is_totalled=False),
            Column("limit_amount", "Limit", Kind.AMOUNT, is_totalled=False),
            Column("certified_through", "Certified through", Kind.MOMENT),
        ),
        ("close.fct_close_checks", "close.fct_closes"),
        """
        select
            *,
            case when is_passed then 'holds' else 'does not hold' end as result
        from {close}.fct_close_checks
        where period <= $period and period > (select coalesce(max(period), '') from {close}.fct_closes)
        """,
    ),
)
TABLES = tuple(sorted({table for sheet in DECLARED for table in sheet.tables}))
