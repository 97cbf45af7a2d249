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
