"""The money trail of one customer and month: from what was metered to what was recognised, and what fell off between."""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal

from reporting.marts import ReportUnavailable, Warehouse, exponents_of, opened, require_month

MARTS = ("reconciliation.fct_money_trail", "seeds.currencies")


@dataclass(frozen=True)
class Trail:
    """A row of `fct_money_trail`: every amount in `currency`, exact."""

    customer_id: str
    period: str
    currency: str
    metered_amount: Decimal
    rated_amount: Decimal
    credits_applied_amount: Decimal
    tax_amount: Decimal
    invoiced_amount: Decimal
    collected_amount: Decimal
    topped_up_amount: Decimal
    refunded_amount: Decimal
    disputed_amount: Decimal
    fee_amount: Decimal
    settled_amount: Decimal
    banked_amount: Decimal
    recognised_amount: Decimal
    metered_not_rated_amount: Decimal
    rated_not_invoiced_amount: Decimal
    invoiced_not_collected_amount: Decimal
    collected_not_settled_amount: Decimal
    settled_not_banked_amount: Decimal
    rated_not_recognised_amount: Decimal


@dataclass(frozen=True)
class Chosen:
    """The trails of one customer's month, one a currency; `name` is the customer's, as the product has it."""

    name: str | None
    trails: tuple[Trail, ...]


def trail(warehouse: Warehouse, customer: str, month: str) -> tuple[tuple[Trail, ...], dict[str, int]]:
    """One trail a currency, and the decimals of each currency (ISO 4217).

    Raises ReportUnavailable when `month` is no month (2026-08), or the customer has no money in it.
    """
    require_month(month)
    with opened(warehouse, MARTS) as connection:
        columns = ", ".join(field.name for field in fields(Trail))
        rows = connection.execute(
            f"select {columns} from reconciliation.fct_money_trail where customer_id = ? and period = ? order by currency",
            [customer, month],
        ).fetchall()
        if not rows:
            months = connection.execute(
                "select distinct period from reconciliation.fct_money_trail where customer_id = ? order by period",
                [customer],
            ).fetchall()
            told = f"there is {', '.join(period for (period,) in months)}" if months else "no month has any"
            raise ReportUnavailable(f"there is no money of {customer} in {month}; {told}")
        return tuple(Trail(*row) for row in rows), exponents_of(connection)


def chosen(warehouse: Warehouse, customer: str | None = None, month: str | None = None) -> Chosen | None:
    """The trails of a customer's month. Where one of both is left out, it is that of which most was rated, at each currency's
    newest rate; None where nobody has any money.

    Raises ReportUnavailable when `month` is no month, or who or what is named has no money.
    """
    if month is not None:
        require_month(month)
    with opened(warehouse, (*MARTS, "marts.dim_customers", "marts.dim_exchange_rates")) as connection:
        found = connection.execute(
            """
            with rates as (
                select currency, max_by(exchange_rate, rate_date) as exchange_rate
                from marts.dim_exchange_rates
                group by currency
            )

            select trails.customer_id, trails.period, max(customers.customer_name)
            from reconciliation.fct_money_trail as trails
            left join rates on trails.currency = rates.currency
            left join marts.dim_customers as customers on trails.customer_id = customers.customer_id
            where coalesce(trails.customer_id = $customer, $customer is null) and coalesce(trails.period = $month, true)
            group by trails.customer_id, trails.period
            order by sum(trails.rated_amount * rates.exchange_rate) desc nulls last, trails.period desc, trails.customer_id
            limit 1
            """,
            {"customer": customer, "month": month},
        ).fetchone()
    if found is None:
        if customer is None:
            return None
        remedy = f"in {month}: leave the month out, and one is chosen" if month else "in any month"
        raise ReportUnavailable(f"there is no money of {customer} {remedy}")
    trails, _ = trail(warehouse, found[0], found[1])
    return Chosen(found[2], trails)
