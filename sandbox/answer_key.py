"""The true books against the marts: is every customer's month of every figure equal, to the last decimal?

`python -m sandbox.answer_key --seed 1 --seeds 20 --defects all none` generates two companies of each of twenty seeds, runs the
production job over them and compares what it says of each customer and month with the world's own books (`sandbox/books.py`).
Where defects are planted a figure may differ, by exactly what the breaks of the register come to in that figure, customer,
currency and month; a break that should have made a difference and made none counts like a difference that no break explains.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple, Self

import duckdb
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from sandbox.calendar import add_months
from sandbox.scorecard import over_worlds

BALANCES = ("credit_liability", "receivable", "unbilled", "deferred")
MONEY = ("payments", "unclaimed", "refunds", "disputes", "fees")
EARNED = ("usage", "fixed_fee", "percent_fee", "minimum", "discount")
_SHOWN = 12


class Place(NamedTuple):
    """Whose month. Nobody's customer id is empty."""

    customer_id: str
    currency: str
    month: str


Figures = Mapping[tuple[str, Place], Decimal]


@dataclass(frozen=True)
class Effect:
    """By how much a break says that the truth is more than the marts say: in one month, or of a balance from that month on.

    Of several figures it says only what they come to together.
    """

    figures: frozenset[str]
    place: Place
    amount: Decimal


@dataclass(frozen=True)
class Difference:
    """Figures of a customer's month, together where a break names only their sum. `side`: the marts or the journal."""

    side: str
    figure: str
    place: Place
    truth: Decimal
    said: Decimal
    explained: Decimal

    @property
    def is_explained(self) -> bool:
        return self.truth - self.said == self.explained


@dataclass(frozen=True)
class Verdict:
    """`compared` counts the figures of a customer's month, `explained` those among them that are equal only after breaks."""

    compared: int
    explained: int
    wrong: tuple[Difference, ...]

    def __add__(self, other: Self) -> Self:
        return type(self)(self.compared + other.compared, self.explained + other.explained, (*self.wrong, *other.wrong))

    @property
    def summary(self) -> str:
        equal = self.compared - len(self.wrong)
        after = f"{self.explained:,} of them after breaks"
        return f"{equal:,} of {self.compared:,} figures of a customer's month equal, {after} (target: all)"


_PAID = "account_id not in ('stripe_clearing', 'processing_fees', 'currency_conversion')"
_MONTHS = "(select unnest($months) as month)"

SIDES: dict[str, dict[str, str]] = {
    "marts": {
        **{
            kind: f"""
            select customer_id, currency, strftime(revenue_date, '%Y-%m'), sum(amount)
            from marts.fct_revenue_daily where revenue_kind = '{kind}' group by all
            """
            for kind in (*EARNED, "credit_note", "promotional_credit", "breakage")
        },
        **{
            figure: f"""
            select customer_id, currency, period, sum({step}_amount)
            from marts.fct_credit_liability where credit_kind = 'paid' group by all
            """
            for figure, step in {
                "credit_sold": "sold",
                "credit_used": "used",
                "credit_expired": "expired",
                "credit_voided": "voided",
                "credit_refunded": "refunded",
                "credit_liability": "closing",
            }.items()
        },
        "receivable": f"""
            select customer_id, currency, month, sum(open_amount)
            from marts.fct_receivable_balances, {_MONTHS}
            where strftime(valid_from, '%Y-%m') <= month and (valid_to is null or strftime(valid_to, '%Y-%m') > month)
            group by all
            """,
        "unbilled": """
            select customer_id, currency, period, sum(closing_amount) from marts.fct_unbilled_receivable group by all
            """,
        "deferred": f"""
            select customer_id, currency, month,
                sum(case when month = list_max($months) then owed_amount else recognised_amount + voided_amount end)
            from marts.fct_deferred_revenue, {_MONTHS}
            where booked_period <= month and (recognised_period > month or month = list_max($months))
            group by all
            """,
        "tax": """
            select customer_id, currency, strftime(invoice_date, '%Y-%m'), tax_amount
            from marts.fct_invoices where issued_at is not null and not is_internal
            union all
            select customer_id, currency, strftime(voided_at, '%Y-%m'), -tax_amount
            from marts.fct_invoices where issued_at is not null and not is_internal and voided_at is not null
            union all
            select notes.customer_id, notes.currency, strftime(notes.created_at, '%Y-%m'), -lines.tax_amount
            from marts.fct_credit_notes as notes inner join staging.stg_orb__credit_note_lines as lines using (credit_note_id)
            where not notes.is_void
            """,
        "payments": """
            select coalesce(invoices.customer_id, payments.customer_id), payments.currency,
                strftime(transactions.created_at, '%Y-%m'), payments.amount_captured
            from marts.fct_payments as payments
            left join marts.fct_invoices as invoices using (invoice_id)
            inner join marts.fct_balance_transactions as transactions using (balance_transaction_id)
            """,
        "refunds": """
            select refunds.customer_id, refunds.currency, strftime(transactions.created_at, '%Y-%m'), refunds.amount
            from marts.fct_refunds as refunds
            inner join marts.fct_balance_transactions as transactions using (balance_transaction_id)
            where refunds.status <> 'failed'
            """,
        "disputes": """
            select disputes.customer_id, disputes.currency, strftime(transactions.created_at, '%Y-%m'),
                -sign(transactions.gross_amount) * disputes.amount
            from marts.fct_disputes as disputes
            inner join marts.fct_balance_transactions as transactions on transactions.source_id = disputes.dispute_id
            """,
    },
    "journal": {
        figure: f"""
        select customer_id, currency, month, sum({sign}(debit_amount - credit_amount))
        from close.fct_journal_entries, {_MONTHS}
        where period {"<=" if figure in BALANCES else "="} month and {condition} group by all
        """
        for figure, sign, condition in (
            ("earned", "-", "entry_kind = 'earned' and account_id in ('revenue', 'discounts')"),
            ("credit_note", "-", "account_id = 'credit_notes'"),
            ("promotional_credit", "-", "account_id = 'promotional_credit'"),
            ("breakage", "-", "account_id = 'breakage_revenue'"),
            ("tax", "-", "account_id = 'taxes_payable'"),
            ("credit_liability", "-", "account_id = 'credit_liability'"),
            ("receivable", "", "account_id = 'accounts_receivable'"),
            ("unbilled", "", "account_id = 'unbilled_receivable'"),
            ("deferred", "-", "account_id = 'deferred_revenue'"),
            ("payments", "-", f"entry_kind = 'payment' and {_PAID}"),
            ("unclaimed", "-", f"entry_kind = 'unknown' and {_PAID}"),
            ("refunds", "", f"entry_kind in ('refund', 'refund_failure') and {_PAID}"),
            ("disputes", "", f"entry_kind = 'dispute' and {_PAID}"),
            ("fees", "", "account_id = 'processing_fees'"),
        )
    },
}
"""By figure what a side says: customer, currency, month and amount; of the balances, what stands at the month's end."""

_SERVED = """
    create temp macro served(amount, currency, period_start, period_end, until) as
        sign(amount) * (
            (
                2 * abs(cast(amount * if(currency = 'JPY', 1, 100) as hugeint))
                * greatest(least(until, period_end) - period_start, 0) + (period_end - period_start)
            ) // (2 * (period_end - period_start))
        ) * if(currency = 'JPY', 1.00, 0.01)
    """
"""What of a fee is earned before a day, rounded to the currency's smallest unit."""

_VIEWS = (
    """
    create temp view breaks as
    select *, coalesce(json_extract_string(evidence, '$.line_kind'), '') as line_kind
    from reconciliation.fct_breaks where is_open
    """,
    # Of a line that is not as agreed both sides, an invoice in another currency line by line. What is agreed and stands on no
    # line was asked for nowhere.
    """
    create temp view misrated as
    select sides.*, invoices.invoice_date,
        is_asked and coalesce(period_start >= invoices.invoice_date, false) as is_asked_ahead
    from (
        select breaks.customer_id, breaks.currency, charges.invoice_id, charges.line_kind, charges.amount,
            charges.period_start, charges.period_end,
            breaks.right_ref is not null and breaks.line_kind <> 'invoice' as is_asked
        from breaks
        inner join intermediate.int_rating__lines as charges
            on breaks.left_ref = charges.charge_id
            or breaks.line_kind = 'invoice' and breaks.right_ref = charges.invoice_id
        where breaks.comparison = 'rated__usage_vs_lines' and charges.amount is not null
        union all
        select breaks.customer_id, breaks.right_currency, lines.invoice_id, lines.line_kind, -lines.adjusted_amount,
            lines.period_start, lines.period_end, true
        from breaks
        inner join marts.fct_invoice_lines as lines
            on breaks.right_ref = lines.invoice_line_id
            or breaks.line_kind = 'invoice' and breaks.right_ref = lines.invoice_id
        where breaks.comparison = 'rated__usage_vs_lines'
    ) as sides
    left join marts.fct_invoices as invoices using (invoice_id)
    """,
    """
    create temp view voided as
    select lines.*, invoices.invoice_date, invoices.voided_at, lines.period_start >= invoices.invoice_date as is_ahead
    from breaks
    inner join marts.fct_stripe_invoices as stripe on breaks.right_ref = stripe.stripe_invoice_id
    inner join marts.fct_invoices as invoices on stripe.invoice_id = invoices.invoice_id
    inner join marts.fct_invoice_lines as lines on invoices.invoice_id = lines.invoice_id
    where cause = 'void_in_orb_only'
    """,
    """
    create temp view voided_parts as
    select * replace (adjusted_amount - minimum_amount + discount_amount as amount) from voided
    union all
    select * replace (minimum_amount as amount, 'minimum' as line_kind) from voided
    union all
    select * replace (-discount_amount as amount, 'discount' as line_kind) from voided
    """,
    # In which months a line is earned: a fee with each of its days, all else in the month of its service.
    *(
        f"""
        create temp view {months} as
        select {name}.* replace (
            case
                when line_kind = 'fixed_fee' then
                    served({name}.amount, currency, period_start, period_end, months.until)
                    - served({name}.amount, currency, period_start, period_end, months.since)
                when month = strftime(period_start, '%Y-%m') then {name}.amount
                else 0
            end as amount
        ), month
        from {name}, months
        """
        for name, months in (("misrated", "misrated_months"), ("voided_parts", "voided_months"))
    ),
)

_TOGETHER = "usage+discount"
EFFECTS: tuple[tuple[str, str], ...] = (
    # A line that is not as agreed; what is earned and was not asked for stays unbilled, what was asked for and is not earned too.
    *(
        (figures, f"select customer_id, currency, month, amount from misrated_months where {condition}")
        for figures, condition in (
            (_TOGETHER, "line_kind = 'usage'"),
            *((kind, f"line_kind = '{kind}'") for kind in ("fixed_fee", "percent_fee", "minimum")),
            ("earned", "true"),
            ("unbilled", "not is_asked_ahead"),
        )
    ),
    *(
        (
            figure,
            f"""
            select customer_id, currency, strftime(invoice_date, '%Y-%m'), amount from misrated where is_asked_ahead
            {released}
            """,
        )
        for figure, released in (
            ("unbilled", ""),
            (
                "deferred",
                "union all select customer_id, currency, month, -amount from misrated_months where is_asked_ahead",
            ),
        )
    ),
    # Credit that is not in the ledger, or should not be.
    *(
        (
            figure,
            """
            select customer_id, currency, period, difference
            from breaks where cause in ('topup_not_granted', 'grant_not_paid', 'grant_amount_differs')
            """,
        )
        for figure in ("credit_sold", "credit_liability")
    ),
    # Credit that has expired and that the ledger still holds, at what was paid for it.
    *(
        (
            figure,
            f"""
            select customer_id, currency, period,
                {sign}difference * cast(json_extract_string(evidence, '$.cost_basis') as decimal(38, 9))
            from breaks where cause = 'breakage_missed'
            """,
        )
        for figure, sign in (("credit_expired", ""), ("breakage", ""), ("credit_liability", "-"))
    ),
    # Credit given away that the ledger has as sold: all that ever happened to its block.
    *(
        (
            figure,
            f"""
            select breaks.customer_id, breaks.currency, strftime(entries.created_at, '%Y-%m'), {sign}entries.amount
            from breaks
            inner join marts.fct_credit_ledger as granted on breaks.right_ref = granted.ledger_entry_id
            inner join marts.fct_credit_ledger as entries on granted.credit_block_id = entries.credit_block_id
            where cause = 'promo_with_cost_basis' and entries.entry_type in ({types})
            """,
        )
        for figure, sign, types in (
            ("credit_sold", "-", "'increment'"),
            ("credit_used", "", "'decrement', 'amendment'"),
            ("promotional_credit", "", "'decrement', 'amendment'"),
            ("credit_expired", "", "'credit_block_expiry'"),
            ("breakage", "", "'credit_block_expiry'"),
            ("credit_liability", "-", "'increment', 'decrement', 'amendment', 'credit_block_expiry'"),
        )
    ),
    # A draw that the ledger leaves out: the block that lacks it says what was paid for it, the line that it paid for when.
    *(
        (
            figure,
            f"""
            select breaks.customer_id, breaks.currency, strftime(lines.period_start, '%Y-%m'), {amount}
            from breaks
            inner join reconciliation.rec_credits__ledger_vs_blocks as blocks
                on breaks.customer_id = blocks.customer_id and breaks.difference = blocks.difference
            inner join (select distinct credit_block_id, cost_basis from marts.fct_credit_ledger) as terms
                on blocks.left_ref = terms.credit_block_id
            inner join reconciliation.rec_credits__draws_vs_invoice_lines as draws
                on breaks.customer_id = draws.customer_id and breaks.difference = -draws.difference
            inner join marts.fct_invoice_lines as lines on draws.right_ref = concat(lines.invoice_id, '/', lines.price_id)
            where breaks.cause = 'ledger_gap' and blocks.cause = 'ledger_gap' and draws.cause = 'ledger_gap'
            """,
        )
        for figure, amount in (
            ("credit_used", "breaks.difference * terms.cost_basis"),
            ("promotional_credit", "-breaks.difference * (1 - terms.cost_basis)"),
            ("credit_liability", "-breaks.difference * terms.cost_basis"),
            ("unbilled", "-breaks.difference"),
        )
    ),
    # An invoice that Orb voided and that still is owed: all that it bills.
    *(
        (figure, f"select customer_id, currency, month, amount from voided_months where {condition}")
        for figure, condition in (
            *((kind, f"line_kind = '{kind}'") for kind in ("usage", "fixed_fee", "percent_fee", "minimum", "discount")),
            ("earned", "true"),
            ("unbilled", "not is_ahead"),
        )
    ),
    *(
        (figure, f"select customer_id, currency, strftime({day}, '%Y-%m'), {amount} from voided where {condition}")
        for figure, day, amount, condition in (
            ("unbilled", "invoice_date", "-adjusted_amount", "not is_ahead"),
            ("deferred", "invoice_date", "adjusted_amount", "is_ahead"),
            ("deferred", "invoice_date", "-amount", "true"),
            ("deferred", "voided_at", "amount", "true"),
            ("tax", "voided_at", "tax_amount", "true"),
            ("receivable", "voided_at", "amount + tax_amount", "true"),
        )
    ),
    ("deferred", "select customer_id, currency, month, -amount from voided_months where is_ahead"),
    # An invoice that Stripe has given up and Orb has not.
    (
        "receivable",
        """
        select stripe.customer_id, stripe.currency, strftime(stripe.marked_uncollectible_at, '%Y-%m'), stripe.amount_remaining
        from breaks inner join marts.fct_stripe_invoices as stripe on breaks.right_ref = stripe.stripe_invoice_id
        where cause = 'invoice_status_differs' and stripe.status = 'uncollectible'
        """,
    ),
    # A credit note that Orb lacks, or that nobody wrote: its amount and its tax are known together.
    (
        "credit_note+tax",
        """
        select customer_id, currency, period, if(comparison = 'collected__refunds_vs_credit_notes', -difference, difference)
        from breaks
        where cause in ('refund_without_credit_note', 'dispute_not_booked')
            or cause = 'credit_note_one_sided' and left_ref is null
        """,
    ),
    ("fees", "select customer_id, currency, period, difference from breaks where cause = 'fee_off_schedule'"),
    # A charge that never reached the balance, or did twice: what came a second time is nobody's, and pays for nothing.
    (
        "payments",
        "select customer_id, currency, period, difference from breaks where cause = 'balance_transaction_missing'",
    ),
    (
        "receivable",
        """
        select breaks.customer_id, breaks.currency, breaks.period, -breaks.difference
        from breaks inner join marts.fct_payments as payments on breaks.left_ref = payments.payment_id
        where cause = 'balance_transaction_missing' and payments.invoice_id is not null
        """,
    ),
    (
        "unclaimed",
        "select null, currency, period, difference from breaks where cause = 'balance_transaction_duplicated'",
    ),
    (
        "fees",
        """
        select null, breaks.currency, breaks.period, -transactions.fee_amount
        from breaks
        inner join marts.fct_balance_transactions as transactions on breaks.right_ref = transactions.balance_transaction_id
        where cause = 'balance_transaction_duplicated'
        """,
    ),
)
"""What each break comes to: figures (joined by + where only their sum is known), then customer, currency, month and amount."""


def check(dataset: Path, warehouse: Path) -> Verdict:
    """Compares the true books of `dataset` with the marts and the journal of the DuckDB file `warehouse`."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        (known_on,) = connection.execute(
            "select cast(known_at as date) from intermediate.int_core__known_at"
        ).fetchone() or (None,)
        assert isinstance(known_on, date)
        truth, months = _truth(dataset, known_on)
        connection.execute(
            """
            create temp table months as
            select month, cast(month || '-01' as date) as since,
                least(cast(cast(month || '-01' as date) + interval 1 month as date), cast($known_on as date) + 1) as until
            from (select unnest($months) as month)
            """,
            {"months": months, "known_on": known_on},
        )
        for statement in (_SERVED, *_VIEWS):
            connection.execute(statement)
        effects = [effect for figures, query in EFFECTS for effect in _effects(connection, figures, query, months)]
        total = Verdict(0, 0, ())
        for side, queries in SIDES.items():
            said: dict[tuple[str, Place], Decimal] = defaultdict(Decimal)
            for figure, query in queries.items():
                values = {"months": months} if "$months" in query else {}
                for customer_id, currency, month, amount in connection.execute(query, values).fetchall():
                    said[figure, Place(customer_id or "", currency, month)] += Decimal(amount)
            total += compare(side, queries.keys(), truth, said, effects)
    return total


def _truth(dataset: Path, known_on: date) -> tuple[Figures, list[str]]:
    """The true figures by month until a day, of the balances what stands at the end of each month; and these months."""
    postings = []
    for line in (dataset / "answer_key_books.jsonl").read_text().splitlines():
        posting = json.loads(line)
        if posting["day"] <= known_on.isoformat():
            postings.append(posting)
    months = [min(posting["day"] for posting in postings)[:7]]
    while months[-1] < f"{known_on:%Y-%m}":
        months.append(f"{add_months(date.fromisoformat(f'{months[-1]}-01'), 1):%Y-%m}")
    moved: dict[tuple[str, str, str], dict[str, Decimal]] = defaultdict(lambda: dict.fromkeys(months, Decimal(0)))
    for posting in postings:
        for figure in (posting["figure"], *(["earned"] if posting["figure"] in EARNED else [])):
            moved[figure, posting["customer_id"] or "", posting["currency"]][posting["day"][:7]] += Decimal(
                posting["amount"]
            )
    figures = {
        (figure, Place(customer_id, currency, month)): amount
        for (figure, customer_id, currency), by_month in moved.items()
        for month, amount in zip(
            by_month, accumulate(by_month.values()) if figure in BALANCES else by_month.values(), strict=True
        )
        if amount
    }
    return figures, months


def _effects(
    connection: duckdb.DuckDBPyConnection, figures: str, query: str, months: Iterable[str]
) -> Iterator[Effect]:
    """Of a balance, an effect in each month from the break's on. Staff and test tenants are in no figure but those of money."""
    tenants = "select customer_id from marts.dim_customers where is_internal"
    told = f"select * from ({query}) as effects (customer_id, currency, month, amount)"
    if figures not in MONEY:
        told = f"{told} where customer_id is null or customer_id not in ({tenants})"
    for customer_id, currency, first, amount in connection.execute(told).fetchall():
        for month in months if figures in BALANCES else [first]:
            if month >= first and amount:
                yield Effect(frozenset(figures.split("+")), Place(customer_id or "", currency, month), Decimal(amount))


def compare(side: str, told: AbstractSet[str], truth: Figures, said: Figures, effects: Iterable[Effect]) -> Verdict:
    """Every figure of every customer and month that one of the two has, of the figures that are told on this side."""
    places: dict[Place, set[str]] = defaultdict(set)
    for (figure, place), amount in [*said.items(), *truth.items()]:
        if figure in told and amount:
            places[place].add(figure)
    by_place: dict[Place, list[Effect]] = defaultdict(list)
    for effect in effects:
        if effect.figures <= told:
            by_place[effect.place].append(effect)
            places[effect.place] |= effect.figures
    nothing = Decimal(0)
    differences = [
        Difference(
            side,
            "+".join(sorted(together)),
            place,
            sum((truth.get((figure, place), nothing) for figure in together), nothing),
            sum((said.get((figure, place), nothing) for figure in together), nothing),
            sum((effect.amount for effect in by_place[place] if effect.figures <= together), nothing),
        )
        for place, figures in places.items()
        for together in _together(figures, by_place[place])
    ]
    return Verdict(
        compared=len(differences),
        explained=sum(1 for each in differences if each.explained and each.is_explained),
        wrong=tuple(each for each in differences if not each.is_explained),
    )


def _together(figures: Iterable[str], effects: Iterable[Effect]) -> list[frozenset[str]]:
    """The figures one by one, but those that an effect has only the sum of as one."""
    groups = [frozenset([figure]) for figure in figures]
    for effect in effects:
        met = [group for group in groups if group & effect.figures]
        groups = [group for group in groups if group not in met] + [frozenset().union(*met)]
    return groups


def render(wrong: Iterable[tuple[str, Difference]], console: Console) -> None:
    """The first figures that differ, a row each."""
    table = Table(box=SIMPLE_HEAD, show_edge=False)
    for header in ("world", "side", "figure", "customer", "month", "in"):
        table.add_column(header)
    for header in ("truth", "mart", "explained"):
        table.add_column(header, justify="right")
    for world, each in wrong:
        place = each.place
        amounts = (f"{amount.normalize():,f}" for amount in (each.truth, each.said, each.explained))
        table.add_row(world, each.side, each.figure, place.customer_id, place.month, place.currency, *amounts)
    console.print(table)


def main() -> int:
    console = Console()
    total, wrong, worlds = Verdict(0, 0, ()), [], 0
    for world, verdict in over_worlds("answer_key", __doc__, check):
        console.print(f"{world}: {verdict.summary}", highlight=False, soft_wrap=True)
        wrong += [(world, each) for each in sorted(verdict.wrong, key=lambda each: (each.place.month, each.figure))]
        total += verdict
        worlds += 1
    if wrong:
        render(wrong[:_SHOWN], console)
    sys.stdout.write(f"answer-key: worlds: {worlds}, {total.summary}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
