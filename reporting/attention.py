"""What in the warehouse somebody has to look after: open breaks by cause, expired exceptions, streams and their certificates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

import duckdb

from reporting.marts import Warehouse, exponents_of, opened
from reporting.render import exactly
from reporting.report import Standing, standings

MARTS = (
    "reconciliation.fct_breaks",
    "marts.dim_streams",
    "seeds.break_causes",
    "seeds.known_exceptions",
    "seeds.currencies",
)

_NAMED = 5
"""Of how many of its breaks and customers a cause has the ids."""

# An exception that has not run out would make its break `accepted`.
_OPEN = """
with open_breaks as (
    select
        fct_breaks.*,
        exceptions.owner as exception_owner,
        exceptions.reason,
        exceptions.expires_on,
        causes.meaning,
        causes.remedy
    from reconciliation.fct_breaks
    left join seeds.known_exceptions as exceptions on fct_breaks.break_id = exceptions.break_id
    inner join seeds.break_causes as causes on fct_breaks.cause = causes.cause
    where fct_breaks.state = 'open' and fct_breaks.status = 'break'
)
"""


@dataclass(frozen=True)
class OpenCause:
    """The open breaks of one cause. `amounts` adds absolute differences, exact, by currency (in the metered hop by metric);
    `break_ids` and `customer_ids` are some of them, the largest of each unit first."""

    cause: str
    hop: str
    meaning: str
    remedy: str
    breaks: int
    customers: int
    amounts: Mapping[str, Decimal]
    break_ids: Sequence[str]
    customer_ids: Sequence[str]
    first_seen_at: datetime


@dataclass(frozen=True)
class ExpiredException:
    """A break that somebody had accepted until a day that has come. `difference` is signed, in `currency`."""

    break_id: str
    cause: str
    meaning: str
    owner: str
    reason: str
    customer_id: str | None
    currency: str
    difference: Decimal
    expires_on: date


@dataclass(frozen=True)
class Attention:
    """A break whose exception has run out is with the exceptions and not counted with its cause."""

    causes: tuple[OpenCause, ...]
    expired: tuple[ExpiredException, ...]
    streams: tuple[Standing, ...]


def attention(warehouse: Warehouse) -> Attention:
    """Reads the marts of the last build. Raises ReportUnavailable."""
    with opened(warehouse, MARTS) as connection:
        exponents = exponents_of(connection)
        return Attention(_causes(connection, exponents), _expired(connection, exponents), standings(connection))


def _causes(connection: duckdb.DuckDBPyConnection, exponents: Mapping[str, int]) -> tuple[OpenCause, ...]:
    rows = connection.execute(
        _OPEN
        + """
        , ranked as (
            select *, row_number() over (partition by cause, currency order by abs(difference) desc, break_id) as place
            from open_breaks
            where expires_on is null
        ),
        by_unit as (
            select cause, currency, sum(abs(difference)) as amount
            from ranked
            group by cause, currency
        ),
        amounts as (
            select cause, map(list(currency order by currency), list(amount order by currency)) as amounts
            from by_unit
            group by cause
        )
        select
            cause,
            any_value(hop),
            any_value(meaning),
            any_value(remedy),
            count(*),
            count(distinct customer_id),
            any_value(amounts.amounts),
            list(break_id order by place, currency)[:$named],
            coalesce(list(customer_id order by place, currency) filter (where customer_id is not null), []),
            min(first_seen_at)::timestamptz
        from ranked
        inner join amounts using (cause)
        group by cause
        order by cause
        """,
        {"named": _NAMED},
    ).fetchall()
    return tuple(_exact(OpenCause(*row), exponents) for row in rows)


def _exact(cause: OpenCause, exponents: Mapping[str, int]) -> OpenCause:
    amounts = {unit: _scaled(amount, unit, exponents) for unit, amount in cause.amounts.items()}
    return replace(cause, amounts=amounts, customer_ids=tuple(dict.fromkeys(cause.customer_ids))[:_NAMED])


def _expired(connection: duckdb.DuckDBPyConnection, exponents: Mapping[str, int]) -> tuple[ExpiredException, ...]:
    rows = connection.execute(
        _OPEN
        + """
        select break_id, cause, meaning, exception_owner, reason, customer_id, currency, difference, expires_on
        from open_breaks
        where expires_on is not null
        order by expires_on, break_id
        """
    ).fetchall()
    expired = (ExpiredException(*row) for row in rows)
    return tuple(replace(one, difference=_scaled(one.difference, one.currency, exponents)) for one in expired)


def _scaled(amount: Decimal, unit: str, exponents: Mapping[str, int]) -> Decimal:
    """With the decimals that its currency has, more where a digit needs them."""
    return Decimal(exactly([amount], unit, exponents)[0].replace(",", ""))
