"""The true books: what a customer's life comes to in revenue, liability, receivable and cash, told from the world itself.

Nothing here has seen an API object, a view or a warehouse, and nothing is told day by day that a month decides: what a line earns
falls into its own month, however its days share it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from sandbox.billing import Invoice, Line, Wallet, with_dependent_lines
from sandbox.calendar import add_months, day_of
from sandbox.cash import Cash, Payment, dispute_id
from sandbox.company import Customer
from sandbox.pricing import to_major, to_minor
from sandbox.views import Object
from sandbox.world import World

_CREDIT_MOVEMENTS = {
    "increment": "credit_sold",
    "decrement": "credit_used",
    "amendment": "credit_used",
    "credit_block_expiry": "credit_expired",
    "void": "credit_voided",
}


@dataclass(frozen=True)
class Posting:
    """What a day adds to a figure of a customer, in minor units. Without a customer: Stripe's fee on a payout.

    Revenue is what is earned, so that discounts, credit notes and promotional credit are negative. Of `receivable`, `unbilled`,
    `deferred` and `credit_liability` the sum to date is the balance.
    """

    figure: str
    customer_id: str | None
    currency: str
    day: date
    amount: int

    def as_object(self) -> Object:
        """The posting as it is written."""
        return {
            "figure": self.figure,
            "customer_id": self.customer_id,
            "currency": self.currency,
            "day": self.day.isoformat(),
            "amount": format(to_major(self.amount, self.currency), "f"),
        }


def books(world: World, agreed: Sequence[Invoice], besides: Cash) -> Iterator[Posting]:
    """Every posting that is not nothing.

    `agreed`: the invoices as the contracts have them, where `world` has them as Orb issued them. `besides`: what happened to
    money after the world was made.
    """
    rightly = {invoice.id: invoice for invoice in agreed}
    everything = [
        *(p for invoice in world.invoices for p in _of_invoice(world, invoice, rightly[invoice.id])),
        *(p for c in world.company if not c.is_internal for p in _of_wallet(c, world.wallets.get(c.id, Wallet()))),
        *_of_cash(world, besides),
    ]
    return (posting for posting in everything if posting.amount)


def _of_invoice(world: World, issued: Invoice, agreed: Invoice) -> Iterator[Posting]:
    """Earned as agreed, asked for as issued: what the two differ by stays unbilled.

    A day before its invoice's date, or that no line asks for, is unbilled when it is earned; a day on or after it was deferred
    until then.
    """
    customer, currency, on = issued.customer, issued.customer.currency, issued.invoice_date
    if customer.is_internal:
        return
    asked = sum(line.amount for line in issued.lines)
    tax = sum(line.tax for line in issued.lines)
    if issued.voided_at is not None:
        void_day = day_of(issued.voided_at)
        for day, sign in ((on, 1), (void_day, -1)):
            yield Posting("deferred", customer.id, currency, day, sign * asked)
            yield Posting("receivable", customer.id, currency, day, sign * (asked + tax))
            yield Posting("tax", customer.id, currency, day, sign * tax)
        return
    is_draft = issued.issued_at is None
    asked_for = {line.id for line in issued.lines if not is_draft and agreed.customer == issued.customer}
    ahead = 0
    for line in _earned_lines(world, issued, agreed):
        for posting in _earned(line, agreed.customer, is_draft=is_draft):
            yield posting
            if line.id in asked_for and posting.day >= on:
                ahead += posting.amount
                yield replace(posting, figure="deferred", amount=-posting.amount)
            else:
                yield replace(posting, figure="unbilled")
    if not is_draft:
        yield Posting("deferred", customer.id, currency, on, ahead)
        yield Posting("unbilled", customer.id, currency, on, ahead - asked)
        yield Posting("receivable", customer.id, currency, on, asked + tax)
        yield Posting("tax", customer.id, currency, on, tax)


def _earned_lines(world: World, issued: Invoice, agreed: Invoice) -> Iterable[Line]:
    """What each line comes to by the contract, given the lines it depends on as they were issued."""
    if agreed.customer.contract is None or agreed.customer != issued.customer or agreed.source == "one_off":
        return agreed.lines
    first = add_months(agreed.period_end, -1)
    own = [line for line in agreed.lines if line.price.purpose in ("usage", "fixed_fee")]
    return [
        *own,
        *(
            line
            for line in with_dependent_lines(world.keys, agreed.customer, first, issued.lines)
            if line.price.purpose in ("percent_fee", "minimum")
        ),
    ]


def _earned(line: Line, customer: Customer, *, is_draft: bool) -> Iterator[Posting]:
    """A fixed fee day by day, since a draft's is earned only so far; all else when the service is over, and on a draft only what
    its end does not decide."""
    kind, currency, last = line.price.purpose, customer.currency, line.end - timedelta(days=1)
    if kind == "fixed_fee":
        days = (line.end - line.start).days
        to_date = [to_minor(to_major(line.adjusted, currency) * day / days, currency) for day in range(days + 1)]
        for day in range(days):
            on = line.start + timedelta(days=day)
            yield Posting(kind, customer.id, currency, on, to_date[day + 1] - to_date[day])
    elif kind == "usage":
        yield Posting(kind, customer.id, currency, last, line.subtotal)
        yield Posting("discount", customer.id, currency, last, -line.discount)
    elif not is_draft:
        yield Posting(kind, customer.id, currency, last, line.adjusted)


def _of_wallet(customer: Customer, wallet: Wallet) -> Iterator[Posting]:
    """Paid credit is owed until it is used, lost or given back; promotional credit is given away when it is used."""
    refunded = {top_up.wallet_transaction_id for top_up, _, _ in wallet.refunds}
    for entry in wallet.entries:
        day, paid = day_of(entry.at), int(entry.amount * Decimal(entry.block.cost_basis))
        movement = _CREDIT_MOVEMENTS[entry.kind]
        if movement == "credit_voided" and entry.block.metadata["wallet_transaction_id"] in refunded:
            movement = "credit_refunded"
        sign = 1 if movement == "credit_sold" else -1
        yield Posting(movement, customer.id, customer.currency, day, sign * paid)
        yield Posting("credit_liability", customer.id, customer.currency, day, paid)
        if movement == "credit_used":
            yield Posting("promotional_credit", customer.id, customer.currency, day, entry.amount - paid)
            yield Posting("unbilled", customer.id, customer.currency, day, entry.amount)
        elif movement == "credit_expired":
            yield Posting("breakage", customer.id, customer.currency, day, -paid)


def _of_cash(world: World, besides: Cash) -> Iterator[Posting]:
    """Money in the currency of what was paid, Stripe's fees in that of its balance; on the day of its transaction."""
    payments = [*world.cash.payments, *besides.payments]
    sources: dict[str, Payment] = {payment.charge_id: payment for payment in payments}
    for payment in payments:
        sources[dispute_id(world.keys, payment)] = payment
        customer, day = payment.customer, day_of(payment.at)
        yield Posting("payments", customer.id, customer.currency, day, payment.amount)
        if payment.invoice_id and not customer.is_internal:
            yield Posting("receivable", customer.id, customer.currency, day, -payment.amount)
    for refund in [*world.cash.refunds, *besides.refunds]:
        sources[refund.id] = refund.payment
        customer = refund.payment.customer
        yield Posting("refunds", customer.id, customer.currency, day_of(refund.at), refund.amount)
    for transaction in [*world.cash.transactions, *besides.transactions]:
        source, day = sources.get(transaction.source_id), day_of(transaction.at)
        payer = source.customer.id if source else None
        yield Posting("fees", payer, transaction.currency, day, transaction.fee)
        if source and transaction.reporting_category in ("dispute", "dispute_reversal"):
            sign = 1 if transaction.reporting_category == "dispute" else -1
            yield Posting("disputes", payer, source.customer.currency, day, sign * source.amount)
    for note in [*world.cash.credit_notes, *besides.credit_notes]:
        customer, day = note.invoice.customer, day_of(note.at)
        yield Posting("credit_note", customer.id, customer.currency, day, -note.amount)
        yield Posting("tax", customer.id, customer.currency, day, -note.tax)
        if not note.is_post_payment:
            yield Posting("receivable", customer.id, customer.currency, day, -note.total)
