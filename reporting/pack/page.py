"""The close on two pages, for whoever signs it without opening the workbook: figures, four charts, what is open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reporting.pack.charts import HALF, Bar, Step, bars, waterfall
from reporting.pack.sheets import BUCKETS, Sheet
from reporting.pack.workbook import Facts, Line

TABLES = (
    "marts.fct_revenue_daily",
    "marts.dim_exchange_rates",
    "reconciliation.fct_money_trail",
    "reconciliation.fct_breaks",
)

_BREAK_AGES = ("0-1", "2-7", "8-30", "31-90", "91+")
_MOST_PRODUCTS, _MOST_CURRENCIES, _MOST_CAUSES, _MOST_CHECKS = 8, 5, 14, 4

# What leads from the product's usage to the bank: a column of fct_money_trail, added or taken off; a total has no sign.
_TRAIL = (
    ("Metered", "metered_amount", None),
    ("Not rated", "metered_not_rated_amount", -1),
    ("Paid by credit", "credits_applied_amount", -1),
    ("Tax", "tax_amount", 1),
    ("Not invoiced", "rated_not_invoiced_amount", -1),
    ("Invoiced", "invoiced_amount", None),
    ("Not paid yet", "invoiced_not_collected_amount", -1),
    ("Top-ups and advance payments", "topped_up_amount", 1),
    ("Refunds", "refunded_amount", -1),
    ("Disputes", "disputed_amount", -1),
    ("Stripe's fees", "fee_amount", -1),
    ("Not paid out yet", "collected_not_settled_amount", -1),
    ("Not at the bank yet", "settled_not_banked_amount", -1),
    ("At the bank so far", "banked_amount", None),
)

_REVENUE = Line("Revenue", "Revenue", "revenue")
_OPEN = Line("Receivables", "Receivables ageing", "open_amount")
_OWED = Line("Prepaid credit owed", "Prepaid credit", "liability_amount")
_UNEXPLAINED = Line("Unexplained", "Bridge", "unexplained_worth")
_RECEIVED = Line("Received", "Trial balance", "movement_amount", (("account_id", ("cash",)),))
_TABLE = (
    _REVENUE,
    Line("Of it on no invoice yet", "Revenue", "draft_amount"),
    Line("Unbilled receivable", "Unbilled", "closing_amount"),
    _OPEN,
    Line("Days sales outstanding", "Days outstanding", "days_sales_outstanding"),
    Line("Deferred revenue", "Deferred revenue", "closing_amount"),
    _OWED,
    Line("Cash at bank", "Trial balance", "closing_amount", (("account_id", ("cash",)),)),
    Line(
        "Under way from Stripe",
        "Trial balance",
        "closing_amount",
        (("account_id", ("stripe_clearing", "payouts_in_transit")),),
    ),
    _UNEXPLAINED,
)


@dataclass(frozen=True)
class Charted:
    """What the charts need beside the sheets, in the reporting currency. `rates` are those of the month's last day; a currency
    without one is in no chart, and named."""

    reporting_currency: str
    rates: Mapping[str, Decimal]
    products: tuple[tuple[str, Decimal, Decimal], ...]
    trail: Mapping[str, Mapping[str, Decimal]]
    break_ages: tuple[tuple[str, str, int, Decimal], ...]
    unrated_revenue: int


def read_charted(connection: duckdb.DuckDBPyConnection, schemas: Mapping[str, str], period: str) -> Charted:
    """What the close of the month has for the charts."""

    def rows(query: str) -> list[tuple[Any, ...]]:
        return connection.execute(query.format(**schemas), {"period": period}).fetchall()

    currencies = rows("select min(reporting_currency) from {marts}.dim_exchange_rates where $period is not null")
    rates = rows(
        """
        select currency, exchange_rate
        from {marts}.dim_exchange_rates
        where rate_date = last_day(cast($period || '-01' as date))
        order by currency
        """
    )
    products = rows(
        """
        select
            coalesce(product_id, replace(revenue_kind, '_', ' ')) as product,
            coalesce(sum(reporting_amount) filter (where strftime(revenue_date, '%Y-%m') = $period), 0) as amount,
            coalesce(sum(reporting_amount) filter (where strftime(revenue_date, '%Y-%m') < $period), 0) as before,
            count(*) filter (where reporting_amount is null) as unrated
        from {marts}.fct_revenue_daily
        where revenue_date >= cast($period || '-01' as date) - interval 1 month and strftime(revenue_date, '%Y-%m') <= $period
        group by product
        order by amount desc, product
        """
    )
    amounts = ", ".join(f"sum({column})" for _, column, _ in _TRAIL)
    trail = rows(
        f"""
        select currency, {amounts}
        from {{reconciliation}}.fct_money_trail
        where period = $period
        group by currency
        order by currency
        """
    )
    ages = rows(
        """
        select age_bucket, currency, count(*), sum(abs(difference))
        from {reconciliation}.fct_breaks
        where is_open and period <= $period
        group by age_bucket, currency
        order by age_bucket, currency
        """
    )
    return Charted(
        reporting_currency=currencies[0][0] or "",
        rates=dict(rates),
        products=tuple(row[:3] for row in products),
        trail={
            currency: dict(zip((column for _, column, _ in _TRAIL), sums, strict=True)) for currency, *sums in trail
        },
        break_ages=tuple(ages),
        unrated_revenue=sum(row[3] for row in products),
    )


def write_page(path: Path, facts: Facts, sheets: Mapping[str, Sheet], charted: Charted) -> None:
    """Write the page: HTML that needs nothing beside it, and runs nothing."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = _Page(facts, sheets, charted)
    text = environment.get_template("page.html").render(
        facts=facts,
        header=facts.header,
        tiles=page.tiles(),
        products=page.products(),
        trail=page.trail(),
        ageing=page.ageing(),
        break_ages=page.break_ages(),
        table=page.table(),
        causes=page.causes(),
        notes=page.notes(),
        checks=facts.header.accepted[:_MOST_CHECKS],
        more_checks=len(facts.header.accepted) - _MOST_CHECKS,
        currency=charted.reporting_currency,
        currencies=facts.currencies[:_MOST_CURRENCIES],
    )
    path.write_text(text, encoding="utf-8", newline="\n")


@dataclass(frozen=True)
class _Page:
    facts: Facts
    sheets: Mapping[str, Sheet]
    charted: Charted

    def money(self, amount: Decimal, currency: str, decimals: int | None = None) -> str:
        """With the currency's decimals, in brackets where it is negative."""
        places = self.facts.exponents.get(currency, 0) if decimals is None else decimals
        told = f"{abs(amount):,.{places}f}"
        return f"({told})" if amount < 0 and told.strip("0.,") else told

    def reported(self, amounts: Mapping[str, Decimal]) -> Decimal:
        """In the reporting currency, at the rates of the month's last day; what has no rate is left out."""
        rates = self.charted.rates
        return sum((amount * rates[currency] for currency, amount in amounts.items() if currency in rates), Decimal(0))

    def whole(self, amount: Decimal) -> str:
        return self.money(amount, self.charted.reporting_currency, 0)

    def by_currency(self, line: Line) -> dict[str, Decimal]:
        return {currency: line.amount(self.sheets, currency) for currency in self.facts.currencies}

    def tiles(self) -> list[tuple[str, str, str]]:
        """(what, how much, next to what) of the figures that are read first."""
        revenue = sum((amount for _, amount, _ in self.charted.products), Decimal(0))
        before = sum((amount for *_, amount in self.charted.products), Decimal(0))
        direction = "below" if revenue < before else "above"
        change = (
            f"{abs(revenue / before - 1) * 100:.1f} % {direction} the month before" if before else "no month before"
        )
        buckets = {
            bucket: self.reported(self.by_currency(Line(bucket, "Receivables ageing", bucket))) for bucket in BUCKETS
        }
        is_open = sum(buckets.values(), Decimal(0))
        overdue = (
            f"{(is_open - buckets[BUCKETS[0]]) / is_open * 100:.1f} % of it overdue" if is_open else "nothing open"
        )
        cash = self.reported(self.by_currency(_RECEIVED))
        owed = self.reported(self.by_currency(_OWED))
        told = " · ".join(f"{self.money(amount, unit)} {unit}" for unit, amount in self.unexplained().items())
        breaks = len(self.sheets["Breaks"].rows)
        return [
            ("Revenue", self.whole(revenue), change),
            ("Received at the bank", self.whole(cash), "in the month"),
            ("Receivables", self.whole(is_open), overdue),
            ("Prepaid credit owed", self.whole(owed), "at what was paid for it"),
            ("Unexplained", told or "nothing", f"{breaks:,} break{'s' if breaks != 1 else ''} at the close"),
        ]

    def unexplained(self) -> dict[str, Decimal]:
        """What is unexplained by its currency or, in the metered hop, its metric; none of them cancels another."""
        bridge = self.sheets["Bridge"]
        units = sorted({str(row[bridge.index("currency")]) for row in bridge.rows})
        amounts = {unit: bridge.sum("unexplained_worth", {"currency": (unit,)}) for unit in units}
        return {unit: amount for unit, amount in amounts.items() if amount}

    def products(self) -> str:
        shown = self.charted.products[:_MOST_PRODUCTS]
        rest = self.charted.products[_MOST_PRODUCTS:]
        if rest:
            shown += (
                (
                    f"{len(rest)} others",
                    sum((amount for _, amount, _ in rest), Decimal(0)),
                    sum((amount for *_, amount in rest), Decimal(0)),
                ),
            )
        return bars([Bar(_words(name), amount, self.whole(amount), before) for name, amount, before in shown])

    def trail(self) -> str:
        sums = {
            column: self.reported({currency: amounts[column] for currency, amounts in self.charted.trail.items()})
            for _, column, _ in _TRAIL
        }
        steps = [
            Step(label, sums[column] * (sign or 1), self.whole(sums[column] * (sign or 1)), sign is None)
            for label, column, sign in _TRAIL
            if sign is None or sums[column]
        ]
        return waterfall(steps)

    def ageing(self) -> str:
        amounts = [
            (bucket, self.reported(self.by_currency(Line(bucket, "Receivables ageing", bucket)))) for bucket in BUCKETS
        ]
        return bars(
            [
                Bar(
                    bucket if no == 0 else f"{bucket} days late",
                    amount,
                    self.whole(amount),
                    style="bar" if no == 0 else "late",
                )
                for no, (bucket, amount) in enumerate(amounts)
            ],
            HALF,
        )

    def break_ages(self) -> str:
        found = []
        for bucket in _BREAK_AGES:
            rows = [row for row in self.charted.break_ages if row[0] == bucket]
            count = sum(row[2] for row in rows)
            worth = self.reported({row[1]: row[3] for row in rows})
            told = f"{count:,} · {self.whole(worth)} {self.charted.reporting_currency}" if count else "none"
            found.append(Bar(f"{bucket} days", Decimal(count), told, style="late"))
        return bars(found, HALF)

    def table(self) -> list[tuple[str, list[str]]]:
        shown = self.facts.currencies[:_MOST_CURRENCIES]
        return [
            (
                line.title,
                [
                    self.money(
                        line.amount(self.sheets, currency), currency, 1 if line.sheet == "Days outstanding" else None
                    )
                    for currency in shown
                ],
            )
            for line in _TABLE
        ]

    def causes(self) -> list[tuple[str, str, str, str]]:
        """(hop, cause, how many, worth) of the breaks at the close, those that are worth most first."""
        breaks = self.sheets["Breaks"]
        hop, cause, currency, worth = (breaks.index(name) for name in ("hop", "cause", "currency", "worth"))
        groups: dict[tuple[str, str], dict[str, Decimal]] = {}
        counts: dict[tuple[str, str], int] = {}
        for row in breaks.rows:
            key = (str(row[hop]), str(row[cause]))
            counts[key] = counts.get(key, 0) + 1
            amounts = groups.setdefault(key, {})
            amount = row[worth]
            if isinstance(amount, Decimal):
                amounts[str(row[currency])] = amounts.get(str(row[currency]), Decimal(0)) + amount
        largest = sorted(groups, key=lambda key: (-self.reported(groups[key]), key))
        told = [
            (
                each[0],
                _words(each[1]),
                f"{counts[each]:,}",
                " · ".join(f"{self.money(amount, unit)} {unit}" for unit, amount in sorted(groups[each].items())),
            )
            for each in largest[:_MOST_CAUSES]
        ]
        rest = largest[_MOST_CAUSES:]
        if rest:
            told.append(("", f"{len(rest)} more causes", f"{sum(counts[each] for each in rest):,}", "in the workbook"))
        return told

    def notes(self) -> list[str]:
        """What a reader of the charts has to know of their rates, and of what is left out."""
        rates = self.charted.rates
        foreign = [each for each in self.facts.currencies if each != self.charted.reporting_currency]
        told = [f"{each} {rates[each].normalize():f}" for each in foreign if each in rates]
        notes = [
            f"Charts and figures above are in {self.charted.reporting_currency}: revenue at each day's rate"
            + (f", all else at the month's last day's ({', '.join(told)})." if told else ", all else too.")
        ]
        unrated = [each for each in foreign if each not in rates]
        if unrated:
            notes.append(f"Nobody has published a rate for {', '.join(unrated)}: in the tables, in no chart.")
        if self.charted.unrated_revenue:
            notes.append(f"{self.charted.unrated_revenue:,} days of revenue have no rate and are in no chart.")
        if len(self.facts.currencies) > _MOST_CURRENCIES:
            notes.append(f"{len(self.facts.currencies) - _MOST_CURRENCIES} more currencies are in the workbook.")
        restated = self.sheets["Restatements"].rows
        if restated:
            notes.append(
                f"{len(restated):,} figures of closed months would be others today: in the workbook, with the lines that "
                "caused it, and booked in this month's journal as prior_period."
            )
        return notes


def _words(name: str) -> str:
    return name.replace("_", " ")
