"""What Stripe makes of it: payments, refunds, credit notes, disputes, fees, the balance and its daily payouts.

All amounts are integers in the currency's minor unit; `at` and other instants are seconds since 1970.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

import numpy as np

from sandbox.billing import DAYS_OF_DISPUTE, Dispute, Invoice, Line, Wallet
from sandbox.calendar import DAY, HOUR, Calendar, day_of, instant, next_weekday
from sandbox.catalogue import CURRENCIES, money
from sandbox.company import Customer
from sandbox.keyed import Keys
from sandbox.pricing import percent_of, to_minor

CONTRACT_METHOD = {"USD": "us_bank_account", "EUR": "sepa_debit", "JPY": "card"}
_DISPUTE_FEE = {"USD": 1500, "EUR": 2000, "JPY": 1300}
_DAYS_UNTIL_AVAILABLE = {"card": 2, "us_bank_account": 3, "sepa_debit": 3}
_WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Payment:
    """A succeeded payment intent with its charge. `failed_at`: an earlier charge of the intent that was refused."""

    intent_id: str
    charge_id: str
    customer: Customer
    amount: int
    at: int
    method: str
    invoice_id: str | None
    wallet_transaction_id: str | None
    failed_at: int | None
    dispute: Dispute | None

    @property
    def failed_charge_id(self) -> str:
        return f"{self.charge_id[:-4]}fail"


@dataclass(frozen=True)
class CreditNote:
    """On a paid invoice it gives money back, by a refund or outside of Stripe (a lost dispute); on an open one it lowers
    what is still to pay."""

    orb_id: str
    stripe_id: str
    number: str
    invoice: Invoice
    line: Line
    amount: int
    tax: int
    at: int
    is_post_payment: bool
    refund_id: str | None

    @property
    def total(self) -> int:
        return self.amount + self.tax


@dataclass(frozen=True)
class Refund:
    id: str
    payment: Payment
    amount: int
    at: int


@dataclass(frozen=True)
class Transaction:
    """A balance transaction; net is amount - fee. `source_id`: charge, refund, dispute or payout.

    `currency` is the settlement currency; `exchange_rate` is set where that is not the customer's.
    """

    id: str
    kind: str
    reporting_category: str
    source_id: str
    currency: str
    exchange_rate: Decimal | None
    amount: int
    fee: int
    at: int
    available_at: int
    description: str

    @property
    def net(self) -> int:
        return self.amount - self.fee


@dataclass(frozen=True)
class Payout:
    """A payout of a currency; `method` is standard or instant.

    `paid_out`: the transactions that Stripe lists for it, none for one that was made by hand. `returned`: the transaction
    that puts the money back into the balance when the bank has sent it back.
    """

    id: str
    currency: str
    amount: int
    at: int
    arrival: date
    method: str
    is_automatic: bool
    trace_id: str
    transaction: Transaction
    paid_out: tuple[Transaction, ...] = ()
    returned: Transaction | None = None


@dataclass(frozen=True)
class Cash:
    payments: list[Payment]
    refunds: list[Refund]
    credit_notes: list[CreditNote]
    transactions: list[Transaction]
    payouts: list[Payout]


def dispute_id(keys: Keys, payment: Payment) -> str:
    """Stripe's id of the dispute of a payment."""
    return keys.id("du_1", payment.intent_id, 23)


def build(
    keys: Keys,
    calendar: Calendar,
    company: Sequence[Customer],
    invoices: Sequence[Invoice],
    wallets: Mapping[str, Wallet],
) -> Cash:
    """Everything that happens to money until the calendar's cash end."""
    top_ups = [payment for customer in company for payment in _top_ups(keys, customer, wallets.get(customer.id))]
    invoice_payments = [payment for invoice in invoices for payment in _invoice_payments(keys, calendar, invoice)]
    payments = sorted(top_ups + invoice_payments, key=lambda p: (p.at, p.intent_id))
    by_wallet_id = {payment.wallet_transaction_id: payment for payment in top_ups}
    refunds = [
        Refund(
            keys.id("re_3", top_up.wallet_transaction_id, 23), by_wallet_id[top_up.wallet_transaction_id], amount, at
        )
        for wallet in wallets.values()
        for top_up, at, amount in wallet.refunds
    ]
    credit_notes, invoice_refunds = _credit_notes(keys, calendar, invoices, payments)
    refunds = sorted(refunds + invoice_refunds, key=lambda r: (r.at, r.id))
    transactions = sorted(
        [
            *(charge_transaction(keys, payment) for payment in payments),
            *(refund_transaction(keys, refund) for refund in refunds),
            *(
                t
                for payment in payments
                if payment.dispute
                for t in dispute_transactions(keys, payment, payment.dispute)
            ),
        ],
        key=lambda t: (t.at, t.id),
    )
    payouts = [payout for currency in CURRENCIES for payout in _payouts(keys, calendar, currency, transactions)]
    payouts.sort(key=lambda payout: (payout.at, payout.currency))
    transactions += [t for payout in payouts for t in (payout.transaction, payout.returned) if t]
    return Cash(payments, refunds, credit_notes, sorted(transactions, key=lambda t: (t.at, t.id)), payouts)


def pay(keys: Keys, name: str, customer: Customer, amount: int, at: int, method: str) -> Payment:
    """A payment of a customer, as yet for nothing; its ids follow from `name`."""
    prefix = "ch_3" if method == "card" else "py_3"
    return Payment(
        intent_id=keys.id("pi_3", name, 23),
        charge_id=keys.id(prefix, name, 23),
        customer=customer,
        amount=amount,
        at=at,
        method=method,
        invoice_id=None,
        wallet_transaction_id=None,
        failed_at=None,
        dispute=None,
    )


def _top_ups(keys: Keys, customer: Customer, wallet: Wallet | None) -> list[Payment]:
    return [
        replace(
            pay(keys, top_up.wallet_transaction_id, customer, top_up.amount, top_up.at, "card"),
            wallet_transaction_id=top_up.wallet_transaction_id,
            failed_at=top_up.failed_at,
            dispute=top_up.dispute,
        )
        for top_up in (wallet.top_ups if wallet else [])
    ]


def _invoice_payments(keys: Keys, calendar: Calendar, invoice: Invoice) -> list[Payment]:
    """Cards pay at once; contracts pay by bank within their terms, some late, some in two parts, some not yet."""
    if not invoice.is_collected or invoice.voided_at is not None or invoice.issued_at is None:
        return []
    rng = keys.rng(f"payment/{invoice.id}")
    customer, amount = invoice.customer, invoice.amount_due
    months_ago = _months_ago(calendar, invoice)
    if customer.contract is None:
        if months_ago < 2 and customer.position % 2 == 0 and not customer.is_internal:
            return []  # no card on file: the invoice waits for a transfer
        at = invoice.issued_at + int(rng.integers(HOUR, DAY))
        failed_at = at - HOUR // 2 if rng.random() < 0.2 else None
        payment = pay(keys, invoice.id, customer, amount, at, "card")
        dispute = None
        if customer.position % 5 == 0 and invoice.period_start == calendar.first_day and not customer.is_internal:
            dispute = _lost_dispute(calendar, at)
        return [replace(payment, invoice_id=invoice.id, failed_at=failed_at, dispute=dispute)]
    days = int(rng.integers(5, 11)) if months_ago == 0 else int(rng.integers(12, 36))
    at = invoice.issued_at + days * DAY + int(rng.integers(0, 8 * HOUR))
    if _is_receivable(customer, months_ago) or at >= instant(calendar.cash_end):
        return []
    parts = [amount - amount // 3, amount // 3] if customer.position % 5 == 3 and amount > 2 else [amount]
    return [
        replace(
            pay(
                keys,
                f"{invoice.id}/{part}",
                customer,
                part_amount,
                at - part * 2 * DAY,
                CONTRACT_METHOD[customer.currency],
            ),
            invoice_id=invoice.id,
        )
        for part, part_amount in enumerate(parts)
    ]


def _months_ago(calendar: Calendar, invoice: Invoice) -> int:
    """0 for an invoice dated when the last month of usage was over, 1 for one dated the month before."""
    day, last = invoice.invoice_date, calendar.usage_end
    return (last.year - day.year) * 12 + last.month - day.month


def _is_receivable(customer: Customer, months_ago: int) -> bool:
    """Whether a contract has not paid by the end: most the last two invoices, few an older one."""
    return customer.position % 8 != 3 if months_ago < 2 else customer.position % 13 == 9


def _lost_dispute(calendar: Calendar, paid_at: int) -> Dispute | None:
    opened_at = paid_at + 4 * DAY
    closed_at = opened_at + DAYS_OF_DISPUTE * DAY
    return Dispute(opened_at, closed_at, "lost") if closed_at < instant(calendar.cash_end) else None


def _credit_notes(
    keys: Keys, calendar: Calendar, invoices: Sequence[Invoice], payments: Iterable[Payment]
) -> tuple[list[CreditNote], list[Refund]]:
    """A tenth of a line credited: on some paid invoices with a refund, on some open ones without; all of a payment that
    was disputed and lost."""
    payments_of: dict[str, list[Payment]] = defaultdict(list)
    for payment in payments:
        if payment.invoice_id:
            payments_of[payment.invoice_id].append(payment)
    notes: list[CreditNote] = []
    refunds: list[Refund] = []
    paid = [i for i in invoices if i.customer.contract and len(payments_of[i.id]) == 1 and i.voided_at is None]
    unpaid = [
        i for i in invoices if i.customer.contract and i.is_collected and i.voided_at is None and not payments_of[i.id]
    ]
    credited = paid[1::12] + (unpaid[5::18] if len(unpaid) > 8 else [])
    for invoice in credited:
        if payments_of[invoice.id]:
            payment = payments_of[invoice.id][0]
            at = min(payment.at + 4 * DAY, instant(calendar.cash_end) - HOUR)
            note, refund = credit_and_refund(keys, invoice, payment, at)
            notes.append(note)
            refunds.append(refund)
        else:
            notes.append(credit(keys, invoice, (invoice.issued_at or 0) + 3 * DAY, is_post_payment=False))
    by_id = {invoice.id: invoice for invoice in invoices}
    for payment in payments:
        if payment.invoice_id and payment.dispute and payment.dispute.closed_at:
            invoice = by_id[payment.invoice_id]
            note = credit(keys, invoice, payment.dispute.closed_at + HOUR, is_post_payment=True)
            tax = sum(line.tax for line in invoice.lines)
            notes.append(replace(note, amount=invoice.amount_due - tax, tax=tax))
    return notes, refunds


def credit(keys: Keys, invoice: Invoice, at: int, *, is_post_payment: bool) -> CreditNote:
    """A tenth of the invoice's largest line credited, without a refund."""
    line = max(invoice.lines, key=lambda candidate: candidate.amount)
    amount = line.amount // 10
    number = f"{invoice.number}-CN1"
    return CreditNote(
        orb_id=keys.id("", f"orb credit note/{number}", 16),
        stripe_id=keys.id("cn_1", number, 23),
        number=number,
        invoice=invoice,
        line=line,
        amount=amount,
        tax=percent_of(amount, invoice.customer.tax_percent),
        at=at,
        is_post_payment=is_post_payment,
        refund_id=None,
    )


def credit_and_refund(keys: Keys, invoice: Invoice, payment: Payment, at: int) -> tuple[CreditNote, Refund]:
    """A tenth of the largest line of an invoice credited, and refunded from one of its payments."""
    note = credit(keys, invoice, at, is_post_payment=True)
    refund_id = keys.id("re_3" if payment.method == "card" else "pyr_1", note.number, 23)
    return replace(note, refund_id=refund_id), Refund(refund_id, payment, note.total, at)


def fee(method: str, currency: str, amount: int, *, is_converted: bool) -> int:
    """Stripe's fee on an amount in the settlement currency: cards by percentage and a fixed part, bank debits capped or
    flat, and one percent more for converting."""
    conversion = (amount + 50) // 100 if is_converted else 0
    match method, currency:
        case "us_bank_account", _:
            return min((amount * 8 + 500) // 1000, 500) + conversion
        case "sepa_debit", _:
            return 35 + conversion
        case _, "USD":
            return (amount * 29 + 500) // 1000 + 30 + conversion
        case _, "EUR":
            return (amount * 15 + 500) // 1000 + 25 + conversion
    return (amount * 36 + 500) // 1000 + conversion


def _settled(keys: Keys, customer: Customer, amount: int, at: int) -> tuple[str, Decimal | None, int]:
    """Settlement currency, rate and amount of a customer's movement: some euro cards are settled in dollars."""
    if customer.contract is not None or customer.currency != "EUR" or customer.position % 10 != 5:
        return customer.currency, None, amount
    rate = Decimal(int(keys.rng(f"exchange rate/{day_of(at)}").integers(1_060_000, 1_110_000))).scaleb(-6)
    return "USD", rate, int((amount * rate).to_integral_value(ROUND_HALF_UP))


def charge_transaction(keys: Keys, payment: Payment) -> Transaction:
    """What a payment puts into the balance."""
    currency, rate, amount = _settled(keys, payment.customer, payment.amount, payment.at)
    return Transaction(
        id=keys.id("txn_3", payment.charge_id, 23),
        kind="charge" if payment.method == "card" else "payment",
        reporting_category="charge",
        source_id=payment.charge_id,
        currency=currency,
        exchange_rate=rate,
        amount=amount,
        fee=fee(payment.method, currency, amount, is_converted=rate is not None),
        at=payment.at,
        available_at=instant(day_of(payment.at)) + _DAYS_UNTIL_AVAILABLE[payment.method] * DAY,
        description="Credits purchased" if payment.wallet_transaction_id else "Payment for Invoice",
    )


def refund_transaction(keys: Keys, refund: Refund) -> Transaction:
    """What a refund takes from the balance."""
    currency, rate, amount = _settled(keys, refund.payment.customer, refund.amount, refund.at)
    return Transaction(
        id=keys.id("txn_3", refund.id, 23),
        kind="refund" if refund.payment.method == "card" else "payment_refund",
        reporting_category="refund",
        source_id=refund.id,
        currency=currency,
        exchange_rate=rate,
        amount=-amount,
        fee=0,
        at=refund.at,
        available_at=instant(day_of(refund.at)),
        description="REFUND FOR PAYMENT",
    )


def dispute_transactions(keys: Keys, payment: Payment, dispute: Dispute) -> list[Transaction]:
    """What a dispute takes out of the balance, with its fee, and what one that was won puts back."""
    source_id = dispute_id(keys, payment)
    currency, rate, amount = _settled(keys, payment.customer, payment.amount, dispute.opened_at)
    opened = Transaction(
        id=keys.id("txn_1", f"{source_id}/opened", 23),
        kind="adjustment",
        reporting_category="dispute",
        source_id=source_id,
        currency=currency,
        exchange_rate=rate,
        amount=-amount,
        fee=_DISPUTE_FEE[currency],
        at=dispute.opened_at,
        available_at=instant(day_of(dispute.opened_at)),
        description=f"Chargeback withdrawal for {payment.charge_id}",
    )
    if dispute.status != "won" or dispute.closed_at is None:
        return [opened]
    _, rate, amount = _settled(keys, payment.customer, payment.amount, dispute.closed_at)
    won = replace(
        opened,
        id=keys.id("txn_1", f"{source_id}/won", 23),
        reporting_category="dispute_reversal",
        exchange_rate=rate,
        amount=amount,
        fee=0,
        at=dispute.closed_at,
        available_at=instant(day_of(dispute.closed_at)),
        description=f"Chargeback reversal for {payment.charge_id}",
    )
    return [opened, won]


def _payouts(keys: Keys, calendar: Calendar, currency: str, transactions: Iterable[Transaction]) -> Iterator[Payout]:
    """Every day all that has become available, unless it comes to nothing or less; at the end of one week by hand instead.

    One automatic payout comes back from the bank: its money is in the balance again and in a later payout.
    """
    waiting = [transaction for transaction in transactions if transaction.currency == currency]
    rng = keys.rng(f"payouts/{currency}")
    week = _week_by_hand(rng, calendar, waiting)
    fails_from = calendar.first_day + timedelta(days=int(rng.integers(2, calendar.usage_days * 2 // 3)))
    has_failed = False
    day = calendar.first_day
    while day <= calendar.now - timedelta(days=2) and next_weekday(day) <= calendar.now:
        made: list[Payout] = []
        if week <= day < week + _WEEK:
            # Stripe lets an instant payout draw on what is still pending too.
            at = instant(day) + 14 * HOUR
            paid_out = [t for t in waiting if t.at < at] if day == week + _WEEK - timedelta(days=1) else []
            made = _by_hand(keys, currency, at, paid_out)
        else:
            at = instant(day) + 900
            paid_out = [t for t in waiting if t.at < at and t.available_at <= at]
            amount = sum(transaction.net for transaction in paid_out)
            if amount > 0:
                made = [_payout(keys, currency, amount, at, paid_out=paid_out)]
                if day >= fails_from and not has_failed:
                    has_failed = True
                    made = [_failed(keys, made[0])]
        if made:
            settled = set(paid_out)
            waiting = [transaction for transaction in waiting if transaction not in settled]
            waiting += [payout.returned for payout in made if payout.returned]
        yield from made
        day += timedelta(days=1)


def _week_by_hand(rng: np.random.Generator, calendar: Calendar, transactions: Iterable[Transaction]) -> date:
    """The first day of a week in which three payments come in; where there is none, of the one with the most."""
    payments = Counter(day_of(t.at) for t in transactions if t.net > 0)
    days = [calendar.first_day + timedelta(days=int(number)) for number in rng.permutation(calendar.usage_days - 7)]
    counts = {day: sum(payments[day + timedelta(days=number)] for number in range(_WEEK.days)) for day in days}
    return next((day for day in days if counts[day] >= 3), max(days, key=counts.__getitem__))


def _by_hand(keys: Keys, currency: str, at: int, ready: Sequence[Transaction]) -> list[Payout]:
    """Of what is ready two thirds of the available part, as a round amount, then at once the rest, for a percent's fee: of
    what arrives, rounded half up, which for one sum in 101 takes a unit of the sum less."""
    available = sum(transaction.net for transaction in ready if transaction.available_at <= at)
    unit = to_minor(money("10", currency), currency)
    part = max(0, available * 2 // 3 // unit * unit)
    rest = sum(transaction.net for transaction in ready) - part
    rest -= rest % 101 == 50
    fee = (rest + 50) // 101
    if rest <= 2 * fee:
        return []
    made = [_payout(keys, currency, part, at, name="by hand", is_automatic=False)] if part else []
    later = at + 2 * HOUR
    return [
        *made,
        _payout(keys, currency, rest - fee, later, name="instant", is_automatic=False, method="instant", fee=fee),
    ]


def _payout(
    keys: Keys,
    currency: str,
    amount: int,
    at: int,
    *,
    name: str = "",
    is_automatic: bool = True,
    method: str = "standard",
    fee: int = 0,
    paid_out: Iterable[Transaction] = (),
) -> Payout:
    payout_id = keys.id("po_1", f"{currency}/{day_of(at)}{name}", 23)
    arrival = day_of(at) if method == "instant" else next_weekday(day_of(at))
    transaction = Transaction(
        id=keys.id("txn_1", payout_id, 23),
        kind="payout",
        reporting_category="payout",
        source_id=payout_id,
        currency=currency,
        exchange_rate=None,
        amount=-amount,
        fee=fee,
        at=at,
        available_at=instant(arrival),
        description="STRIPE PAYOUT",
    )
    trace_id = keys.id("", f"trace/{payout_id}", 15).upper()
    return Payout(
        payout_id, currency, amount, at, arrival, method, is_automatic, trace_id, transaction, tuple(paid_out)
    )


def _failed(keys: Keys, payout: Payout) -> Payout:
    """The bank sends it back the day after it should have arrived."""
    at = instant(payout.arrival) + DAY + 10 * HOUR
    returned = replace(
        payout.transaction,
        id=keys.id("txn_1", f"{payout.id}/returned", 23),
        kind="payout_failure",
        reporting_category="payout_reversal",
        amount=payout.amount,
        at=at,
        available_at=at,
        description="STRIPE PAYOUT FAILURE",
    )
    return replace(payout, returned=returned)
