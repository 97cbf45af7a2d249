"""What Orb gets wrong when it rates: planted into its invoices before anything is collected on them.

Stripe, its payments and the bank follow from the wrong invoice, so each defect shows in the one comparison of rating.
Only invoices before the last month carry them: the open ones are left to the defects of what comes after.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import numpy as np

from sandbox.billing import (
    Invoice,
    Line,
    charged,
    days_of_cycle,
    exact_amount,
    new_line,
    repriced,
    terms_of,
    with_dependent_lines,
)
from sandbox.calendar import add_months
from sandbox.catalogue import Price, list_prices
from sandbox.company import Customer
from sandbox.defects.base import Answer, Carrier, choose, month, times
from sandbox.keyed import Keys
from sandbox.pricing import MINOR_DIGITS, Terms, adjustments, rate, to_major, to_minor
from sandbox.usage import MICRO, Ints, daily
from sandbox.world import Billed

COMPARISON = "rated__usage_vs_lines"
_AMOUNTS = ("unit_amount", "default_unit_amount", "package_amount", "per_unit", "total_amount")


@dataclass
class Rating:
    """Orb's invoices while they are being falsified. `recorded`: the product's own usage; `whole`: ids of invoices that carry a
    defect as a whole."""

    billed: Billed
    invoices: dict[str, Invoice]
    recorded: dict[str, Ints]
    taken: set[str] = field(default_factory=set)
    touched: set[str] = field(default_factory=set)
    whole: set[str] = field(default_factory=set)

    @property
    def keys(self) -> Keys:
        return self.billed.keys

    @property
    def times(self) -> int:
        return times(len(self.billed.company), 2)

    def original(self, invoice: Invoice) -> Invoice:
        return next(found for found in self.billed.invoices if found.id == invoice.id)

    def carriers(self) -> Iterator[tuple[Invoice, Line]]:
        """Untouched lines of contracts' invoices of all months but the last."""
        for invoice in self.invoices.values():
            is_last = invoice.invoice_date >= self.billed.calendar.usage_end
            is_regular = invoice.customer.contract is not None and invoice.source == "subscription"
            if is_regular and not is_last and invoice.id not in self.whole:
                yield from ((invoice, line) for line in invoice.lines if line.id not in self.taken)

    def is_metered_alike(self, line: Line, invoice: Invoice) -> bool:
        """Whether Orb has metered in the line's time what the product recorded."""
        billed = self.billed
        first = (line.start - billed.calendar.first_day).days
        days = slice(first, first + (line.end - line.start).days)
        product, position = line.price.product.code, invoice.customer.position
        here, there = (usage[product][position, days] for usage in (self.recorded, billed.orb_usage))
        return bool((here == there).all())

    def put(self, invoice: Invoice, lines: Sequence[Line]) -> None:
        """These lines on the invoice, and what depends on them."""
        customer, first = invoice.customer, add_months(invoice.period_end, -1)
        complete = with_dependent_lines(self.keys, customer, first, lines)
        self.invoices[invoice.id] = replace(invoice, lines=complete)


def misrate(billed: Billed, wanted: Sequence[str]) -> tuple[Billed, list[Answer]]:
    """The invoices with these classes planted, and what the register must say of them.

    ValueError: a class finds too few lines to carry it in so small a world.
    """
    every = np.ones(len(billed.events), dtype=np.bool_)
    recorded = daily(billed.events, billed.calendar, len(billed.company), every)
    rating = Rating(billed, {invoice.id: invoice for invoice in billed.invoices}, recorded)
    answers = [answer for code, planted in PLANTS.items() if code in wanted for answer in planted(rating, code)]
    return replace(billed, invoices=list(rating.invoices.values())), answers


def _answer(code: str, customer: Customer, line: Line, minor: int, left: bool = True, right: bool = True) -> Answer:
    key = f"{customer.id}/{line.price.product.code if line.price.purpose != 'minimum' else 'minimum'}/{line.start}"
    return Answer(
        cause=code,
        comparison=COMPARISON,
        status="break",
        match_key=key if left else line.id,
        customer_id=customer.id,
        period=month(line.start),
        currency=customer.currency,
        left_ref=key if left else None,
        right_ref=line.id if right else None,
        difference=to_major(minor, customer.currency),
    )


def _choose_lines(
    rating: Rating, code: str, what: str, places: Iterable[tuple[Invoice, Line]], count: int | None = None
) -> list[tuple[Invoice, Line]]:
    found = {line.id: (invoice, line) for invoice, line in places}
    carriers = [Carrier(i, invoice.customer.id, invoice.customer.currency) for i, (invoice, _) in found.items()]
    return [found[carrier.id] for carrier in choose(rating, code, what, carriers, count)]


def _choose_fees(rating: Rating, code: str, besides: Sequence[tuple[Invoice, Line]]) -> list[tuple[Invoice, Line]]:
    """A fee in advance that stands beside a month's usage, of another customer; a small world has too few to spare one."""
    if rating.times == 1:
        return []
    others = {invoice.customer.id for invoice, _ in besides}
    places = [
        (invoice, line)
        for invoice, line in rating.carriers()
        if line.price.purpose == "fixed_fee"
        and line.start == invoice.invoice_date
        and len(invoice.lines) > 1
        and invoice.customer.id not in others
    ]
    return _choose_lines(rating, code, "fees in advance", places, 1)


def _changed(rating: Rating, code: str) -> list[Answer]:
    """Lines that come to another amount: which ones can, and how, is the class's own."""
    what, ways = _WAYS[code]
    wrong: dict[str, list[Line]] = {}
    places = []
    for invoice, line in rating.carriers():
        others = {
            other.adjusted for rest, (_, f) in _WAYS.items() if rest != code for other in f(rating, invoice, line)
        }
        wrong[line.id] = [
            way for way in ways(rating, invoice, line) if way.adjusted != line.adjusted and way.adjusted not in others
        ]
        if wrong[line.id]:
            places.append((invoice, line))
    rng = rating.keys.rng(f"defects/{code}/ways")
    answers = []
    for invoice, line in _choose_lines(rating, code, what, places):
        way = wrong[line.id][int(rng.integers(len(wrong[line.id])))]
        now = rating.invoices[invoice.id]
        rating.put(now, [way if other.id == line.id else other for other in now.lines])
        answers.append(_answer(code, invoice.customer, line, line.adjusted - way.adjusted))
    return answers


def _terms(invoice: Invoice, line: Line) -> Terms:
    return terms_of(invoice.customer, line.price.product, line.start)


def _wrong_prices(rating: Rating, invoice: Invoice, line: Line) -> Iterator[Line]:
    """A tenth too much in every amount, or the list price in place of the contract's."""
    if line.price.purpose == "usage":
        dearer = replace(line.price, config=_dearer(line.price.config))
        listed = list_prices(rating.keys, line.price.currency)[line.price.product.code]
        for price in (dearer, listed):
            yield replace(repriced(line, invoice.customer, price, _terms(invoice, line)), price=price)


def _dearer(config: Any, name: str = "") -> Any:
    if isinstance(config, dict):
        return {key: _dearer(part, key) for key, part in config.items()}
    if isinstance(config, list):
        return [_dearer(part) for part in config]
    return format(Decimal(config) * 11 / 10, "f") if name in _AMOUNTS else config


def _wrong_tiers(rating: Rating, invoice: Invoice, line: Line) -> Iterator[Line]:
    """All units at one tier's amount instead of each at its own, or the reverse; or the tier beside the right one."""
    for price in _other_tiers(line.price, Decimal(line.quantity) / MICRO):
        yield repriced(line, invoice.customer, price, _terms(invoice, line))


def _other_tiers(price: Price, quantity: Decimal) -> Iterator[Price]:
    tiers = price.config.get("tiers", [])
    if price.model_type == "tiered":
        bulk = [{"maximum_units": tier["last_unit"], "unit_amount": tier["unit_amount"]} for tier in tiers]
        yield replace(price, model_type="bulk", config={"tiers": bulk})
        reached = sum(quantity > tier["first_unit"] for tier in tiers) - 1
    elif price.model_type == "bulk":
        bounds = [0, *(tier["maximum_units"] for tier in tiers)]
        graduated = [
            {"first_unit": bounds[i], "last_unit": tier["maximum_units"], "unit_amount": tier["unit_amount"]}
            for i, tier in enumerate(tiers)
        ]
        yield replace(price, model_type="tiered", config={"tiers": graduated})
        reached = sum(quantity > bound for bound in bounds[:-1]) - 1
    else:
        return
    for beside in (reached - 1, reached + 1):
        if reached >= 0 and 0 <= beside < len(tiers):
            shifted = [dict(tier) for tier in tiers]
            shifted[reached]["unit_amount"] = tiers[beside]["unit_amount"]
            yield replace(price, config={"tiers": shifted})


def _wrong_discounts(rating: Rating, invoice: Invoice, line: Line) -> Iterator[Line]:
    """Left out, applied twice, or applied after it expired."""
    if line.price.purpose != "usage":
        return
    terms = _terms(invoice, line)
    percents = terms.percentage_discounts
    contract = invoice.customer.contract
    assert contract is not None
    lapsed = [
        adjustment
        for adjustment in contract.adjustments
        if adjustment.kind == "amount_discount"
        and adjustment.product == line.price.product
        and adjustment.end is not None
        and adjustment.end <= line.start
    ]
    for other in (
        replace(terms, percentage_discounts=()),
        replace(terms, percentage_discounts=percents * 2),
        replace(terms, amount_discount=Decimal(0)),
        replace(terms, amount_discount=terms.amount_discount * 2),
        replace(terms, usage_discount=Decimal(0)),
        replace(terms, usage_discount=terms.usage_discount * 2),
        *(replace(terms, amount_discount=adjustment.value) for adjustment in lapsed),
    ):
        yield repriced(line, invoice.customer, line.price, other)


def _without_maximum(rating: Rating, invoice: Invoice, line: Line) -> Iterator[Line]:
    if line.price.purpose == "usage":
        yield repriced(line, invoice.customer, line.price, replace(_terms(invoice, line), maximum=None))


def _without_allowance(rating: Rating, invoice: Invoice, line: Line) -> Iterator[Line]:
    if "allocation" in line.price.config:
        price = replace(line.price, config={**line.price.config, "allocation": "0"})
        yield repriced(line, invoice.customer, price, _terms(invoice, line))


def _wrong_quantities(rating: Rating, invoice: Invoice, line: Line) -> Iterator[Line]:
    """A tenth of the metered usage is not on the line.

    How a matrix line's usage is split the product knows, as long as Orb has metered the same.
    """
    if line.price.purpose == "usage" and (line.price.model_type != "matrix" or rating.is_metered_alike(line, invoice)):
        by_model = {model: micro * 9 // 10 // MICRO * MICRO for model, micro in line.by_model.items()}
        short = replace(line, by_model=by_model, quantity=sum(by_model.values()))
        yield repriced(short, invoice.customer, line.price, _terms(invoice, line))


def _wrong_prorations(rating: Rating, invoice: Invoice, line: Line) -> Iterator[Line]:
    """The whole cycle's fee for a part of it, or one day too many."""
    whole, days = days_of_cycle(line), (line.end - line.start).days
    if line.price.purpose == "fixed_fee" and days < whole:
        for counted in (whole, days + 1):
            amount = rate(line.price.model_type, line.price.config, Decimal(1), {}, (counted, whole))
            yield charged(line, invoice.customer, to_minor(amount, line.price.currency), ())


def _wrong_roundings(rating: Rating, invoice: Invoice, line: Line) -> Iterator[Line]:
    """Cut, not rounded; or the largest line takes what rounding the invoice's exact sum once makes of a difference."""
    usage = [other for other in rating.original(invoice).lines if other.price.purpose == "usage"]
    currency, terms = line.price.currency, _terms(invoice, line)
    exact = {o.id: exact_amount(o.price, o.by_model, _terms(invoice, o).usage_discount) for o in usage}
    if line.id not in exact:
        return
    rounded = {line_id: to_minor(amount, currency) for line_id, amount in exact.items()}
    changes = [int(exact[line.id].scaleb(MINOR_DIGITS[currency])) - rounded[line.id]]
    if line.id == max(usage, key=lambda other: other.subtotal).id:
        changes.append(to_minor(sum(exact.values(), Decimal(0)), currency) - sum(rounded.values()))
    for change in changes:
        subtotal, discounted = line.subtotal + change, rounded[line.id] + change
        yield charged(line, invoice.customer, subtotal, adjustments(subtotal, discounted, terms, currency))


_WAYS: dict[str, tuple[str, Callable[[Rating, Invoice, Line], Iterator[Line]]]] = {
    "price_differs": ("usage lines of contracts", _wrong_prices),
    "tier_misapplied": ("tiered lines of contracts", _wrong_tiers),
    "discount_misapplied": ("discounted lines of contracts", _wrong_discounts),
    "maximum_missed": ("lines of contracts that reach a maximum", _without_maximum),
    "allowance_ignored": ("lines of contracts with an allowance", _without_allowance),
    "billed_quantity_differs": ("usage lines of contracts", _wrong_quantities),
    "proration_differs": ("fees of part months", _wrong_prorations),
    "rounding_differs": ("lines of contracts that another rounding changes", _wrong_roundings),
}
"""How a line comes to another amount; no defect makes an amount that another class would explain too."""


def _line_missing(rating: Rating, code: str) -> list[Answer]:
    """Usage, or a fee that was due in advance, that no line bills."""
    places = [(i, line) for i, line in rating.carriers() if line.price.purpose == "usage" and line.adjusted]
    answers = []
    usage = _choose_lines(rating, code, "usage lines of contracts", places)
    for invoice, line in [*usage, *_choose_fees(rating, code, usage)]:
        now = rating.invoices[invoice.id]
        rating.put(now, [other for other in now.lines if other.id != line.id])
        answers.append(_answer(code, invoice.customer, line, line.adjusted, right=False))
    return answers


def _line_without_usage(rating: Rating, code: str) -> list[Answer]:
    """The list price was left on the subscription and bills requests that nobody made, beside the contract's line; or a fee in
    advance is billed twice, and of the two the one with the later id has no service behind it."""
    places = [
        (invoice, line)
        for invoice, line in rating.carriers()
        if line.price.purpose == "usage" and line.price.product.code == "text_requests"
    ]
    rng = rating.keys.rng(f"defects/{code}/quantities")
    answers = []
    requests = _choose_lines(rating, code, "request lines of contracts", places)
    for invoice, _ in requests:
        customer, now = invoice.customer, rating.invoices[invoice.id]
        price = list_prices(rating.keys, customer.currency)["text_requests"]
        quantity = int(rng.integers(200, 2000)) * MICRO
        first = add_months(invoice.period_end, -1)
        extra = new_line(rating.keys, customer, first, price, {"aria-small": quantity})
        extra = repriced(extra, customer, price, Terms())
        rating.taken.add(extra.id)
        rating.put(now, [*now.lines, extra])
        answers.append(_answer(code, customer, extra, -extra.adjusted, left=False))
    for invoice, line in _choose_fees(rating, code, requests):
        now = rating.invoices[invoice.id]
        extra = replace(line, id=rating.keys.id("", f"{line.id}/again", 16))
        rating.taken.add(extra.id)
        rating.put(now, [*now.lines, extra])
        second = max(line, extra, key=lambda each: each.id)
        answers.append(_answer(code, invoice.customer, second, -second.adjusted, left=False))
    return answers


def _price_currency_differs(rating: Rating, code: str) -> list[Answer]:
    """The same figures in the other of dollars and euros, on the whole invoice and all that is collected on it."""
    untouched: dict[str, Invoice] = {}
    for invoice, _ in rating.carriers():
        if invoice.customer.currency != "JPY" and not any(line.id in rating.taken for line in invoice.lines):
            untouched[invoice.id] = invoice
    carriers = [Carrier(i.id, i.customer.id, i.customer.currency) for i in untouched.values()]
    answers = []
    for carrier in choose(rating, code, "invoices of contracts in dollars or euros", carriers):
        invoice = untouched[carrier.id]
        other = {"USD": "EUR", "EUR": "USD"}[carrier.currency]
        lines = tuple(replace(line, price=replace(line.price, currency=other)) for line in invoice.lines)
        customer = replace(invoice.customer, currency=other)
        rating.invoices[invoice.id] = replace(invoice, customer=customer, lines=lines)
        rating.whole.add(invoice.id)
        key = f"{invoice.customer.id}/{invoice.period_start}"
        answer = _answer(code, invoice.customer, lines[0], sum(line.adjusted for line in lines))
        answers.append(replace(answer, match_key=key, left_ref=key, right_ref=invoice.id))
    return answers


def _minimum_missed(rating: Rating, code: str) -> list[Answer]:
    """The true-up to the commitment is not on the invoice."""
    places = [(i, line) for i, line in rating.carriers() if line.price.purpose == "minimum"]
    answers = []
    for invoice, line in _choose_lines(rating, code, "invoices below their commitment", places):
        kept = tuple(other for other in invoice.lines if other.id != line.id)
        rating.invoices[invoice.id] = replace(invoice, lines=kept)
        answers.append(_answer(code, invoice.customer, line, line.adjusted, right=False))
    return answers


PLANTS: dict[str, Callable[[Rating, str], list[Answer]]] = {
    "proration_differs": _changed,
    "maximum_missed": _changed,
    "allowance_ignored": _changed,
    "price_currency_differs": _price_currency_differs,
    "tier_misapplied": _changed,
    "discount_misapplied": _changed,
    "rounding_differs": _changed,
    "price_differs": _changed,
    "billed_quantity_differs": _changed,
    "line_missing": _line_missing,
    "line_without_usage": _line_without_usage,
    "minimum_missed": _minimum_missed,
}
"""In the order in which they are planted: a missed minimum last, for every other changes what is missing."""
