"""What Orb makes of the usage it saw: rated invoice lines, prepaid credits drawn down day by day, invoices.

All amounts are integers in the currency's minor unit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal

import numpy as np

from sandbox.calendar import DAY, HOUR, Calendar, add_months, day_of, instant
from sandbox.catalogue import METERED, MODELS, PLATFORM_FEE, SUPPORT, Price, Product, money
from sandbox.company import Customer
from sandbox.keyed import Keys
from sandbox.pricing import Terms, adjustments, percent_of, rate, to_major, to_minor
from sandbox.usage import MICRO, Ints

_TOP_UP_DOLLARS = ("20", "50", "100", "200", "500", "1000", "2000", "5000", "10000")
_DAYS_A_TOP_UP = 6
DAYS_OF_DISPUTE = 24


@dataclass(frozen=True)
class Line:
    """An invoice line. `quantity` in millionths, `by_model` for matrix prices.

    `adjustments`: (Orb's adjustment type, amount) in the order applied; a minimum raises, all others lower.
    """

    id: str
    price: Price
    start: date
    end: date
    quantity: int
    by_model: dict[str, int]
    subtotal: int
    adjustments: tuple[tuple[str, int], ...]
    credits: int
    tax: int

    @property
    def minimum(self) -> int:
        return sum(amount for kind, amount in self.adjustments if kind == "minimum")

    @property
    def discount(self) -> int:
        """What discounts and a maximum take off."""
        return sum(amount for kind, amount in self.adjustments if kind != "minimum")

    @property
    def adjusted(self) -> int:
        return self.subtotal - self.discount + self.minimum

    @property
    def amount(self) -> int:
        """What is left to pay before tax."""
        return self.adjusted - self.credits


@dataclass(frozen=True)
class Invoice:
    """An Orb invoice. `source`: subscription or one_off. A draft has no `issued_at` and no `due_at`.

    Its period is that of the usage it bills; of a fee in advance on an invoice of its own, the fee's.
    """

    id: str
    number: str
    customer: Customer
    source: str
    period_start: date
    period_end: date
    invoice_date: date
    created_at: int
    issued_at: int | None
    due_at: int | None
    voided_at: int | None
    lines: tuple[Line, ...]

    @property
    def amount_due(self) -> int:
        return sum(line.amount + line.tax for line in self.lines)

    @property
    def is_collected(self) -> bool:
        """Whether the invoice goes to Stripe: issued, and something is left to pay."""
        return self.issued_at is not None and self.amount_due > 0


@dataclass
class Block:
    """Credits of one grant; `remaining` runs down. `cost_basis` is what one unit of credit was paid for."""

    id: str
    granted: int
    remaining: int
    cost_basis: str
    effective_at: int
    expires_at: int
    metadata: dict[str, str]


@dataclass(frozen=True)
class LedgerEntry:
    """One movement of a customer's credits: starting + amount = ending."""

    id: str
    sequence: int
    kind: str
    at: int
    amount: int
    starting: int
    block: Block
    price: Price | None
    invoice_id: str | None
    description: str
    metadata: dict[str, str]

    @property
    def ending(self) -> int:
        return self.starting + self.amount


@dataclass(frozen=True)
class Dispute:
    """A payment the cardholder contests. `status`: won, lost, or under_review with no `closed_at`."""

    opened_at: int
    closed_at: int | None
    status: str


@dataclass(frozen=True)
class TopUp:
    """Money for credits, paid through Stripe. `failed_at`: a first attempt that the card refused."""

    wallet_transaction_id: str
    at: int
    amount: int
    failed_at: int | None
    dispute: Dispute | None


@dataclass(frozen=True)
class WalletTransaction:
    """The product's own record of a movement of credits. `top_up_id`: the top-up that is paid or refunded."""

    id: str
    kind: str
    amount: int
    at: int
    top_up_id: str | None


@dataclass
class Wallet:
    """A prepaid customer's credits over the whole window. `drawn`: credits applied, by month and product code."""

    blocks: list[Block] = field(default_factory=list)
    entries: list[LedgerEntry] = field(default_factory=list)
    top_ups: list[TopUp] = field(default_factory=list)
    refunds: list[tuple[TopUp, int, int]] = field(default_factory=list)
    transactions: list[WalletTransaction] = field(default_factory=list)
    drawn: dict[tuple[date, str], int] = field(default_factory=lambda: defaultdict(int))


def invoice_id(keys: Keys, customer: Customer, month: date) -> str:
    """Orb's id of the invoice for a customer's month."""
    return keys.id("", f"orb invoice/{customer.id}/{month}", 16)


def exact_amount(
    price: Price, by_model: Mapping[str, int], free: Decimal = Decimal(0), days: tuple[int, int] = (1, 1)
) -> Decimal:
    """What millionths of a product, split by model, cost under a price, in major units; `free` units cost nothing."""
    quantities = {model: Decimal(micro) / MICRO for model, micro in by_model.items()}
    quantity = max(sum(quantities.values(), Decimal(0)) - free, Decimal(0))
    return rate(price.model_type, price.config, quantity, quantities, days)


def costs_by_day(calendar: Calendar, customer: Customer, usage: Mapping[str, Ints]) -> dict[tuple[int, str], int]:
    """What each day of a product adds to its month's rounded line: the days of a month telescope to the line."""
    costs = {}
    for product in METERED:
        names = MODELS[product.event_name]
        daily = usage[product.code][customer.position]
        for month in calendar.month_starts():
            first = (month - calendar.first_day).days
            days = (add_months(month, 1) - month).days
            cumulative = np.cumsum(daily[first : first + days], axis=0)
            used = daily[first : first + days].any(axis=1)
            before = 0
            for offset in np.flatnonzero(used):
                by_model = {name: int(cumulative[offset, i]) for i, name in enumerate(names)}
                so_far = to_minor(exact_amount(customer.prices[product.code], by_model), customer.currency)
                costs[first + int(offset), product.code] = so_far - before
                before = so_far
    return costs


def run_wallet(keys: Keys, calendar: Calendar, customer: Customer, usage: Mapping[str, Ints]) -> Wallet:
    """Lives through the days of a prepaid customer: grants, top-ups, draws, expiry, refunds, lost disputes.

    Credits go soonest expiry first, then lower cost basis; what they do not cover stays on the invoice.
    """
    rng = keys.rng(f"wallet/{customer.id}")
    costs = costs_by_day(calendar, customer, usage)
    life = _WalletLife(keys, calendar, customer, Wallet(), rng, sum(costs.values()))
    day = customer.start
    while day <= calendar.now:
        life.expire(day)
        life.scheduled(day)
        position = (day - calendar.first_day).days
        if day < (customer.end or calendar.usage_end):
            life.draw(day, {p.code: costs[position, p.code] for p in METERED if (position, p.code) in costs})
        day += timedelta(days=1)
    return life.wallet


class _WalletLife:
    """The running state behind `run_wallet`."""

    def __init__(
        self,
        keys: Keys,
        calendar: Calendar,
        customer: Customer,
        wallet: Wallet,
        rng: np.random.Generator,
        total_cost: int,
    ) -> None:
        self.keys, self.calendar, self.customer, self.wallet, self.rng = keys, calendar, customer, wallet, rng
        days = ((customer.end or calendar.usage_end) - customer.start).days
        ladder = [to_minor(money(dollars, customer.currency), customer.currency) for dollars in _TOP_UP_DOLLARS]
        wanted = total_cost * _DAYS_A_TOP_UP // days
        self.top_up_amount = next((amount for amount in ladder if amount >= wanted), ladder[-1])
        self.is_manual = bool(rng.random() < 0.35)
        self.next_top_up: date | None = None
        self.schedule: dict[date, list[tuple[int, str]]] = defaultdict(list)
        self.drawn_from: dict[tuple[date, str], list[tuple[Block, int]]] = defaultdict(list)
        self.short: dict[tuple[date, str], int] = defaultdict(int)
        self._plan()

    def _plan(self) -> None:
        """What is known beforehand: promotions, the first top-up, one late top-up, a refund or dispute for some."""
        customer, calendar, number = self.customer, self.calendar, self.customer.position
        self._at(customer.start, "promotion")
        if customer.is_internal:
            # Yesterday's entry shows that the ledger is up to date: until then a top-up may still be granted.
            self._at(calendar.now - timedelta(days=1), "promotion")
            return
        self._top_up_on(customer.start)
        if customer.end is not None:
            return
        if number % 4 == 0:
            self._at(add_months(calendar.first_day, calendar.months - 1) + timedelta(days=9), "promotion")
        if number < 3 or number % 2 == 0:
            # Payouts of these reach the bank in the last week: without them nothing could still be in transit.
            self._at(calendar.cash_end - timedelta(days=int(self.rng.integers(0, 3))), "top_up")
        if number % 9 == 1:
            self._at(calendar.usage_end - timedelta(days=17), "refund")
        if number % 2 == 1:
            # On the last day: without these everything would have settled when the world's clock stops.
            day = calendar.now - timedelta(days=1)
            second = int(self.keys.rng(f"last top-up/{customer.id}").integers(6 * HOUR, 22 * HOUR))
            self.schedule[day].append((instant(day) + second, "top_up"))

    def _at(self, day: date, what: str) -> None:
        self.schedule[day].append((instant(day) + int(self.rng.integers(6 * HOUR, 22 * HOUR)), what))

    def _top_up_on(self, day: date) -> None:
        self.next_top_up = day
        self._at(day, "top_up")

    @property
    def balance(self) -> int:
        return sum(block.remaining for block in self.wallet.blocks)

    def expire(self, day: date) -> None:
        for block in self.wallet.blocks:
            # Not only on its last day: what a re-rated month gives back to an expired block expires as well.
            if block.expires_at <= instant(day) and block.remaining:
                amount = block.remaining
                self._enter("credit_block_expiry", instant(day), -amount, block, description="Credits expired")
                self._record("expiry", -amount, instant(day))

    def scheduled(self, day: date) -> None:
        for at, what in sorted(self.schedule.pop(day, [])):
            if what == "promotion":
                self._promote(day, at)
            elif what == "top_up":
                self._top_up(at)
            elif what == "refund":
                self._refund(at)
            else:
                self._void(what, at)

    def draw(self, day: date, costs: Mapping[str, int]) -> None:
        """Takes the day's cost of each price from the blocks; then decides whether it is time to top up."""
        month = day.replace(day=1)
        at = instant(day) + DAY - 1
        before = self.balance
        for code, cost in costs.items():
            key = (month, code)
            if cost < 0:
                self._give_back(key, -cost, at)
                continue
            for block in sorted(self.wallet.blocks, key=lambda b: (b.expires_at, b.cost_basis, b.effective_at)):
                taken = min(cost, block.remaining)
                if taken:
                    self._enter(
                        "decrement",
                        at,
                        -taken,
                        block,
                        price=self.customer.prices[code],
                        invoice=invoice_id(self.keys, self.customer, month),
                        description=f"Usage on {day}",
                    )
                    self.drawn_from[key].append((block, taken))
                    self.wallet.drawn[key] += taken
                    cost -= taken
            self.short[key] += cost
        if self.balance != before:
            self._record("usage", self.balance - before, at)
        self._consider_top_up(day)

    def _consider_top_up(self, day: date) -> None:
        waiting = self.next_top_up is not None and self.next_top_up > day
        threshold = self.top_up_amount // (4 if self.is_manual else 2)
        if waiting or self.customer.is_internal or self.balance >= threshold:
            return
        after = day + timedelta(days=int(self.rng.integers(2, 6)) if self.is_manual else 1)
        if after < (self.customer.end or self.calendar.usage_end):
            self._top_up_on(after)

    def _give_back(self, key: tuple[date, str], amount: int, at: int) -> None:
        """A bulk price that falls into a cheaper tier lowers the month so far: first the shortage, then the draws."""
        unpaid = min(amount, self.short[key])
        self.short[key] -= unpaid
        amount -= unpaid
        while amount:
            block, taken = self.drawn_from[key].pop()
            back = min(amount, taken)
            if taken > back:
                self.drawn_from[key].append((block, taken - back))
            self._enter("amendment", at, back, block, description="Month re-rated in a cheaper tier")
            self.wallet.drawn[key] -= back
            amount -= back

    def _promote(self, day: date, at: int) -> None:
        days = 30 if self.customer.position % 2 == 0 else 90
        dollars = "10" if self.customer.is_internal else ("75", "30", "30")[self.customer.position % 3]
        amount = to_minor(money(dollars, self.customer.currency), self.customer.currency)
        wallet_id = self._record("promotional_grant", amount, at)
        expires_at = instant(day + timedelta(days=days))
        metadata = {"wallet_transaction_id": wallet_id}
        self._grant(at, amount, "0.00", expires_at, metadata, "Promotional credits")

    def _top_up(self, at: int) -> None:
        number, order = self.customer.position, len(self.wallet.top_ups)
        wallet_id = self._record("top_up", self.top_up_amount, at, is_top_up=True)
        failed_at = at - int(self.rng.integers(60, 900)) if self.rng.random() < 0.06 else None
        dispute = self._dispute(at) if order == 1 and number % 7 == 0 else None
        self.wallet.top_ups.append(TopUp(wallet_id, at, self.top_up_amount, failed_at, dispute))
        # Starter packs run for a month or two, everything later for a year: some paid credits expire unused.
        days = 31 + 15 * (number % 3) if order == 0 else 365
        expires_at = instant(day_of(at) + timedelta(days=days))
        metadata = {"payment_intent": self.keys.id("pi_3", wallet_id, 23), "wallet_transaction_id": wallet_id}
        delay = int(self.rng.integers(5, 60))
        self._grant(at + delay, self.top_up_amount, "1.00", expires_at, metadata, "Credits purchased")

    def _dispute(self, at: int) -> Dispute | None:
        opened_at = at + int(self.rng.integers(3 * DAY, 6 * DAY))
        closed_at = opened_at + DAYS_OF_DISPUTE * DAY
        if opened_at >= instant(self.calendar.cash_end):
            return None
        if closed_at >= instant(self.calendar.cash_end):
            return Dispute(opened_at, None, "under_review")
        status = "won" if self.customer.position % 2 == 0 else "lost"
        if status == "lost":
            self.schedule[day_of(closed_at)].append((closed_at, self.wallet.transactions[-1].id))
        return Dispute(opened_at, closed_at, status)

    def _refund(self, at: int) -> None:
        """Pays back what is left of the newest top-up that is not disputed, and voids its credits."""
        for top_up in reversed(self.wallet.top_ups):
            amount = self._block_of(top_up.wallet_transaction_id).remaining
            if amount and top_up.dispute is None:
                self._void(top_up.wallet_transaction_id, at)
                self.wallet.refunds.append((top_up, at, amount))
                return

    def _void(self, top_up_id: str, at: int) -> None:
        block = self._block_of(top_up_id)
        amount = block.remaining
        if amount:
            self._enter("void", at + 20, -amount, block, description="Payment returned")
            self._record("refund", -amount, at, top_up_id=top_up_id)

    def _block_of(self, top_up_id: str) -> Block:
        return next(b for b in self.wallet.blocks if b.metadata["wallet_transaction_id"] == top_up_id)

    def _grant(
        self, at: int, amount: int, cost_basis: str, expires_at: int, metadata: dict[str, str], description: str
    ) -> None:
        block_id = self.keys.id("", f"block/{metadata['wallet_transaction_id']}", 16)
        block = Block(block_id, amount, 0, cost_basis, at, expires_at, metadata)
        self._enter("increment", at, amount, block, description=description)
        self.wallet.blocks.append(block)

    def _enter(
        self,
        kind: str,
        at: int,
        amount: int,
        block: Block,
        *,
        description: str,
        price: Price | None = None,
        invoice: str | None = None,
    ) -> None:
        sequence = len(self.wallet.entries) + 1
        starting = self.wallet.entries[-1].ending if self.wallet.entries else 0
        block.remaining += amount
        metadata = block.metadata if kind == "increment" else {}
        entry_id = self.keys.id("", f"ledger/{self.customer.id}/{sequence}", 16)
        self.wallet.entries.append(
            LedgerEntry(entry_id, sequence, kind, at, amount, starting, block, price, invoice, description, metadata)
        )

    def _record(self, kind: str, amount: int, at: int, *, is_top_up: bool = False, top_up_id: str | None = None) -> str:
        number = len(self.wallet.transactions) + 1
        wallet_id = self.keys.id("wtx_", f"{self.customer.id}/{number}", 20)
        own = wallet_id if is_top_up else top_up_id
        self.wallet.transactions.append(WalletTransaction(wallet_id, kind, amount, at, own))
        return wallet_id


def build_invoices(
    keys: Keys,
    calendar: Calendar,
    company: Sequence[Customer],
    usage: Mapping[str, Ints],
    wallets: Mapping[str, Wallet],
) -> list[Invoice]:
    """Every customer's month in arrears, with the fee of the next one where that is paid in advance; the first such fee on an
    invoice of its own; a draft for the month that is running; one invoice issued in error and voided."""
    invoices: list[Invoice] = []
    for month in [*calendar.month_starts(), calendar.usage_end]:
        for customer in company:
            if month < customer.start.replace(day=1) or (customer.end is not None and month >= customer.end):
                continue
            if month == customer.start.replace(day=1):
                invoices += _of_first_fee(keys, customer, invoice_number(keys, len(invoices)))
            end = add_months(month, 1)
            lines = _lines(keys, calendar, customer, month, usage, wallets.get(customer.id))
            invoice = Invoice(
                id=invoice_id(keys, customer, month),
                number=invoice_number(keys, len(invoices)),
                customer=customer,
                source="subscription",
                period_start=max(month, customer.start),
                period_end=end,
                invoice_date=end,
                created_at=instant(max(month, customer.start)),
                issued_at=None,
                due_at=None,
                voided_at=None,
                lines=lines,
            )
            invoices.append(invoice if month == calendar.usage_end else _issued(invoice))
    contract = next(customer for customer in company if customer.contract and customer.start == calendar.first_day)
    invoices.append(_issued_in_error(keys, calendar, contract, invoice_number(keys, len(invoices))))
    return invoices


def _issued(invoice: Invoice) -> Invoice:
    """At noon of its date, to be paid within the contract's terms."""
    customer, start = invoice.customer, instant(invoice.invoice_date)
    terms = customer.contract.net_terms_days if customer.contract else 0
    return replace(invoice, issued_at=start + 12 * HOUR + customer.position * 37, due_at=start + terms * DAY)


def _of_first_fee(keys: Keys, customer: Customer, number: str) -> Iterator[Invoice]:
    """What a contract pays in advance for its first cycle is billed when it begins, when there is no usage yet."""
    fee = customer.prices.get(PLATFORM_FEE.code)
    if fee is None or not fee.cycle.is_in_advance:
        return
    line = _fee_line(keys, customer, customer.start.replace(day=1), fee)
    yield _issued(
        Invoice(
            id=keys.id("", f"orb invoice/{customer.id}/in advance", 16),
            number=number,
            customer=customer,
            source="subscription",
            period_start=line.start,
            period_end=line.end,
            invoice_date=customer.start,
            created_at=instant(customer.start),
            issued_at=None,
            due_at=None,
            voided_at=None,
            lines=(line,),
        )
    )


def invoice_number(keys: Keys, order: int) -> str:
    """What an invoice is called on its document, by its place among all."""
    return f"{keys.id('', 'invoice number prefix', 6).upper()}-{order + 1:05d}"


def _lines(
    keys: Keys,
    calendar: Calendar,
    customer: Customer,
    month: date,
    usage: Mapping[str, Ints],
    wallet: Wallet | None,
) -> tuple[Line, ...]:
    first, days = (month - calendar.first_day).days, (add_months(month, 1) - month).days
    lines = []
    for product in METERED:
        totals = usage[product.code][customer.position, first : first + days].sum(axis=0)
        by_model = {name: int(totals[index]) for index, name in enumerate(MODELS[product.event_name])}
        used = {model: micro for model, micro in by_model.items() if micro}
        credits = wallet.drawn[month, product.code] if wallet else 0
        line = replace(new_line(keys, customer, month, customer.prices[product.code], used), credits=credits)
        lines.append(repriced(line, customer, line.price, terms_of(customer, product, line.start)))
    if customer.contract is None:
        return tuple(lines)
    fee = customer.prices[PLATFORM_FEE.code]
    begins = add_months(month, 1) if fee.cycle.is_in_advance else month
    if fee.cycle.begins(begins, customer.start):
        lines.append(_fee_line(keys, customer, begins, fee))
    return with_dependent_lines(keys, customer, month, lines)


def _fee_line(keys: Keys, customer: Customer, month: date, fee: Price) -> Line:
    return repriced(new_line(keys, customer, month, fee, {"": MICRO}), customer, fee, Terms())


def new_line(keys: Keys, customer: Customer, month: date, price: Price, by_model: dict[str, int]) -> Line:
    """A line of the customer's cycle that begins with a month; nothing is charged for it yet."""
    line_id = keys.id("", f"orb line/{customer.id}/{month}/{price.id}", 16)
    start, end = max(month, customer.start), add_months(month, price.cycle.months)
    return Line(line_id, price, start, end, sum(by_model.values()), by_model, 0, (), 0, 0)


def terms_of(customer: Customer, product: Product, day: date) -> Terms:
    """What the customer's contract takes off a usage line whose service begins on a day; without one, nothing."""
    return customer.contract.terms(product, day) if customer.contract else Terms()


def repriced(line: Line, customer: Customer, price: Price, terms: Terms) -> Line:
    """The line as a price and terms make it; the price that it names stays."""
    days = ((line.end - line.start).days, days_of_cycle(line))
    subtotal = to_minor(exact_amount(price, line.by_model, days=days), price.currency)
    discounted = to_minor(exact_amount(price, line.by_model, terms.usage_discount, days), price.currency)
    return charged(line, customer, subtotal, adjustments(subtotal, discounted, terms, price.currency))


def days_of_cycle(line: Line) -> int:
    """The days of the whole cycle that a line bills, all of it or a part."""
    return (line.end - add_months(line.end, -line.price.cycle.months)).days


def charged(line: Line, customer: Customer, subtotal: int, adjustments: tuple[tuple[str, int], ...]) -> Line:
    """The line with these amounts, and the tax on what is left to pay."""
    line = replace(line, subtotal=subtotal, adjustments=adjustments)
    return replace(line, tax=percent_of(line.amount, customer.tax_percent))


def with_dependent_lines(keys: Keys, customer: Customer, month: date, lines: Sequence[Line]) -> tuple[Line, ...]:
    """A contract's usage lines and fixed fees, followed by the lines that depend on the usage lines' amounts.

    Where no usage is billed nothing depends on it: a fee in advance on an invoice of its own reaches no commitment.
    """
    assert customer.contract is not None
    own = [line for line in lines if line.price.purpose in ("usage", "fixed_fee")]
    usage = [line for line in own if line.price.purpose == "usage"]
    if not usage:
        return tuple(own)
    if SUPPORT.code in customer.prices:
        fee = new_line(keys, customer, month, customer.prices[SUPPORT.code], {"": MICRO})
        base = to_major(sum(line.subtotal for line in usage), customer.currency)
        share = to_minor(rate("percent", fee.price.config, base, {}), customer.currency)
        own.append(charged(fee, customer, share, ()))
    committed = to_minor(customer.contract.monthly_commitment, customer.currency)
    missing = committed - sum(line.adjusted for line in usage)
    if missing > 0:
        line = new_line(keys, customer, month, customer.prices["minimum"], {"": MICRO})
        own.append(charged(line, customer, 0, (("minimum", missing),)))
    return tuple(own)


def _issued_in_error(keys: Keys, calendar: Calendar, customer: Customer, number: str) -> Invoice:
    """A platform fee billed a second time in the window's last month, noticed and voided two days later."""
    month = calendar.month_starts()[-1]
    day = month + timedelta(days=8)
    fee = to_minor(Decimal(customer.prices[PLATFORM_FEE.code].config["unit_amount"]), customer.currency)
    line = Line(
        id=keys.id("", f"orb line/{customer.id}/{day}", 16),
        price=customer.prices[PLATFORM_FEE.code],
        start=month,
        end=day,
        quantity=MICRO,
        by_model={"": MICRO},
        subtotal=fee,
        adjustments=(),
        credits=0,
        tax=percent_of(fee, customer.tax_percent),
    )
    issued_at = instant(day) + 10 * HOUR
    return Invoice(
        id=keys.id("", f"orb invoice/{customer.id}/{day}", 16),
        number=number,
        customer=customer,
        source="one_off",
        period_start=month,
        period_end=day,
        invoice_date=day,
        created_at=issued_at - HOUR,
        issued_at=issued_at,
        due_at=issued_at + 30 * DAY,
        voided_at=issued_at + 2 * DAY,
        lines=(line,),
    )
