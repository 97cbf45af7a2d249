"""The tie-out report: what ties, what does not and why, read from the marts of a built warehouse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

import duckdb

from reporting.marts import ReportUnavailable, Warehouse, exponents_of, opened, require_month

HOPS = ("metered", "rated", "credits", "invoiced", "collected", "settled", "banked", "identity", "recognised")
MARTS = (
    "reconciliation.rec_bridge",
    "reconciliation.fct_breaks",
    "marts.fct_excluded_rows",
    "marts.dim_streams",
    "seeds.currencies",
)

# A sum of prices and tier bounds would be a number without a meaning: what differs between them is among the breaks.
_ADDED_UP = "(select * from reconciliation.rec_bridge where comparison <> 'rated__agreed_prices_vs_orb_prices')"


@dataclass(frozen=True)
class Item:
    """What takes the left total towards the right one: a cause, `timing` or `within_tolerance`; right minus left."""

    line: str
    amount: Decimal


@dataclass(frozen=True)
class Tie:
    """One comparison in one currency (in the metered hop: one metric, and quantities instead of money).

    left_total + explained + unexplained = right_total, to the last digit.
    """

    comparison: str
    hop: str
    currency: str
    left_total: Decimal
    items: tuple[Item, ...]
    unexplained: Decimal
    right_total: Decimal

    @property
    def explained(self) -> Decimal:
        return sum((item.amount for item in self.items), Decimal(0))


@dataclass(frozen=True)
class BreakGroup:
    """The differences of one cause and currency. `worth` adds their absolute amounts, so that two that point in
    opposite directions do not cancel; `effect` is what they do to the right total: over all causes, what the bridge
    explains. A break between two currencies counts in the left one; in the right one it has an effect only."""

    comparison: str
    hop: str
    cause: str
    currency: str
    count: int
    worth: Decimal
    effect: Decimal


@dataclass(frozen=True)
class ExcludedGroup:
    """What was kept out of the marts or of revenue, and why; it has no period and is counted over all of them."""

    cause: str
    source: str
    stream: str
    currency: str | None
    count: int
    amount: Decimal


@dataclass(frozen=True)
class Standing:
    """How far a stream (`source.name`) is certified against its source, on how many days it differs, and how many of its
    things are in quarantine. `certified_through` is None where that is not known of any moment. Of a stream that `is_looked_up`
    only what the comparisons ask for is read."""

    stream: str
    certified_through: datetime | None
    differing_days: int
    rejected_objects: int
    is_looked_up: bool


@dataclass(frozen=True)
class Report:
    """`period` is the month asked for, None for all; `exponents` are the decimals of each currency (ISO 4217)."""

    period: str | None
    periods: tuple[str, ...]
    ties: tuple[Tie, ...]
    breaks: tuple[BreakGroup, ...]
    timing: tuple[BreakGroup, ...]
    excluded: tuple[ExcludedGroup, ...]
    streams: tuple[Standing, ...]
    exponents: dict[str, int]

    @property
    def unexplained(self) -> tuple[tuple[str, str, Decimal], ...]:
        """(hop, currency, amount) of every bridge with an unexplained remainder; where unexplained breaks cancel in
        their bridges, what they are worth."""
        bridges = tuple((tie.hop, tie.currency, abs(tie.unexplained)) for tie in self.ties if tie.unexplained != 0)
        return bridges or tuple(
            (group.hop, group.currency, group.worth) for group in self.breaks if group.cause == "unexplained"
        )

    @property
    def held_back_by(self) -> Standing:
        """The stream that is certified least far: so far are the books."""
        listed = [each for each in self.streams if not each.is_looked_up]
        return min(listed, key=lambda each: each.certified_through or datetime.min.replace(tzinfo=UTC))


def tie_out_report(warehouse: Warehouse, period: str | None = None) -> Report:
    """Reads the report for one `period` (a month, `2026-08`) or for all of them from the DuckDB file `warehouse`.

    Raises ReportUnavailable when the warehouse, its marts or the period are not there.
    """
    if period is not None:
        require_month(period)
    with opened(warehouse, MARTS) as connection:
        rows = connection.execute(f"select distinct period from {_ADDED_UP} order by period").fetchall()
        periods = tuple(each for (each,) in rows)
        if not periods:
            raise ReportUnavailable(f"{warehouse} has nothing to compare yet: no usage, no invoices, no payouts")
        if period is not None and period not in periods:
            raise ReportUnavailable(f"nothing was compared in {period}; there are: {', '.join(periods)}")
        breaks = _read_breaks(connection, period)
        return Report(
            period=period,
            periods=periods,
            ties=_read_ties(connection, period),
            breaks=tuple(group for status, group in breaks if status == "break"),
            timing=tuple(group for status, group in breaks if status == "timing"),
            excluded=_read_excluded(connection),
            streams=standings(connection),
            exponents=exponents_of(connection),
        )


def _read_ties(connection: duckdb.DuckDBPyConnection, period: str | None) -> tuple[Tie, ...]:
    lines = connection.execute(
        f"""
        select comparison, hop, currency, line, sum(amount)
        from {_ADDED_UP}
        where coalesce(period = $period, true)
        group by comparison, hop, currency, line
        """,
        {"period": period},
    ).fetchall()
    ties = []
    for (comparison, hop, currency), group in groupby(sorted(lines, key=_pipeline), key=lambda line: line[:3]):
        amounts = {line: amount for *_, line, amount in group}
        left, unexplained, right = (amounts.pop(line) for line in ("left_total", "unexplained", "right_total"))
        items = tuple(Item(line, amount) for line, amount in amounts.items())
        ties.append(Tie(comparison, hop, currency, left, items, unexplained, right))
    return tuple(ties)


def _read_breaks(connection: duckdb.DuckDBPyConnection, period: str | None) -> list[tuple[str, BreakGroup]]:
    rows = connection.execute(
        """
        with legs as (
            select comparison, hop, currency, cause, status, period, 1 as breaks, abs(difference) as worth,
                -difference as effect
            from reconciliation.fct_breaks
            where is_open
            union all
            -- a break between two currencies is one break, and stands in the bridges of both
            select comparison, hop, right_currency, cause, status, period, 0, 0, right_amount
            from reconciliation.fct_breaks
            where is_open and currency <> right_currency
        )
        select comparison, hop, currency, cause, status, sum(breaks), sum(worth), sum(effect)
        from legs
        where coalesce(period = $period, true)
        group by comparison, hop, currency, cause, status
        """,
        {"period": period},
    ).fetchall()
    rows.sort(key=lambda row: (HOPS.index(row[1]), row[3], row[2]))
    return [
        (status, BreakGroup(comparison, hop, cause, currency, count, worth, effect))
        for comparison, hop, currency, cause, status, count, worth, effect in rows
    ]


def _read_excluded(connection: duckdb.DuckDBPyConnection) -> tuple[ExcludedGroup, ...]:
    rows = connection.execute(
        """
        select cause, source, stream, currency, count(*), sum(amount)
        from marts.fct_excluded_rows
        group by cause, source, stream, currency
        order by cause, source, stream, currency
        """
    ).fetchall()
    return tuple(ExcludedGroup(*row) for row in rows)


def standings(connection: duckdb.DuckDBPyConnection) -> tuple[Standing, ...]:
    """Every stream of `dim_streams`."""
    rows = connection.execute(
        """
        select stream, certified_through::timestamptz, differing_days, rejected_objects, is_looked_up
        from marts.dim_streams
        order by stream
        """
    ).fetchall()
    return tuple(Standing(*row) for row in rows)


def _pipeline(row: Sequence[Any]) -> tuple[int, int, str, str, str]:
    """Hops in the order of the pipeline, in a hop the plain comparison before those of a part of it (whose names are
    longer), then currency, then line."""
    comparison, hop, currency, line = row[:4]
    return HOPS.index(hop), len(comparison), comparison, currency, line
