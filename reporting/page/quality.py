"""How old what is open is, and how it came to be so: day by day, from the register and the results of the checks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import duckdb

from reporting.marts import ReportUnavailable, Warehouse, opened

MARTS = ("reconciliation.fct_breaks",)
CHECKS = "marts.fct_check_results"
AGES = ("0-1", "2-7", "8-30", "31-90", "91+")
_DAYS = 90


@dataclass(frozen=True)
class Aged:
    """The open differences of one comparison, cause, status and currency that are of one age (`AGES`, in days). `worth` adds
    their absolute amounts; one between two currencies counts in the left one. `oldest` is in days."""

    comparison: str
    hop: str
    status: str
    cause: str
    currency: str
    age: str
    count: int
    worth: Decimal
    oldest: int


@dataclass(frozen=True)
class Day:
    """A day of the register: how many breaks in money and in metered usage were open at its end, how many came, how many went."""

    day: date
    money: int
    usage: int
    found: int
    resolved: int


@dataclass(frozen=True)
class Checks:
    """How many checks the last run of a day made, and what came of them."""

    day: date
    held: int
    warned: int
    failed: int


@dataclass(frozen=True)
class Broken:
    """A promise about a table that did not hold when it was last checked, and what was found."""

    table: str
    expectation: str
    severity: str
    owner: str
    observed: str


@dataclass(frozen=True)
class Quality:
    """What is open by its age, the days since the register began, those on which checks ran (the newest last), and what of the
    checks does not hold now. Of a warehouse that keeps no results of checks the last two are empty."""

    aged: tuple[Aged, ...]
    days: tuple[Day, ...]
    checks: tuple[Checks, ...] = ()
    broken: tuple[Broken, ...] = ()


def read_quality(warehouse: Warehouse, period: str | None) -> Quality:
    """Ages are those of the month, or of all of them; the days are of all."""
    with opened(warehouse, MARTS) as connection:
        aged, days = _aged(connection, period), _days(connection)
    try:
        with opened(warehouse, [CHECKS]) as connection:
            return Quality(aged, days, _checks(connection), _broken(connection))
    except ReportUnavailable:
        return Quality(aged, days)


def _aged(connection: duckdb.DuckDBPyConnection, period: str | None) -> tuple[Aged, ...]:
    rows = connection.execute(
        """
        select comparison, hop, status, cause, currency, age_bucket, count(*), sum(abs(difference)), max(age_days)
        from reconciliation.fct_breaks
        where is_open and coalesce(period = $period, true)
        group by all
        order by all
        """,
        {"period": period},
    ).fetchall()
    return tuple(Aged(*row) for row in rows)


def _days(connection: duckdb.DuckDBPyConnection) -> tuple[Day, ...]:
    rows = connection.execute(
        """
        with breaks as (
            select
                hop = 'metered' as is_usage,
                cast(first_seen_at as date) as found_on,
                cast(resolved_at as date) as resolved_on,
                cast(last_seen_at as date) as seen_on
            from reconciliation.fct_breaks
            where status = 'break'
        ),

        reach as (
            select min(found_on) as first_day, max(greatest(found_on, seen_on, resolved_on)) as last_day
            from breaks
        ),

        days as (
            select cast(unnest(generate_series(first_day, last_day, interval 1 day)) as date) as day
            from reach
        )

        select
            day,
            count(*) filter (where not is_usage and found_on <= day and coalesce(resolved_on > day, true)),
            count(*) filter (where is_usage and found_on <= day and coalesce(resolved_on > day, true)),
            count(*) filter (where found_on = day),
            count(*) filter (where resolved_on = day)
        from days
        cross join breaks
        group by day
        order by day
        """
    ).fetchall()
    return tuple(Day(*row) for row in rows[-_DAYS:])


def _checks(connection: duckdb.DuckDBPyConnection) -> tuple[Checks, ...]:
    rows = connection.execute(
        f"""
        with runs as (
            select cast(max(evaluated_at) as date) as day, arg_max(run_id, evaluated_at) as run_id
            from {CHECKS}
            group by cast(evaluated_at as date)
        )

        select
            runs.day,
            count(*) filter (where results.is_held),
            count(*) filter (where not results.is_held and results.severity = 'warning'),
            count(*) filter (where not results.is_held and results.severity <> 'warning')
        from runs
        inner join {CHECKS} as results on runs.run_id = results.run_id
        group by runs.day
        order by runs.day
        """
    ).fetchall()
    return tuple(Checks(*row) for row in rows[-_DAYS:])


def _broken(connection: duckdb.DuckDBPyConnection) -> tuple[Broken, ...]:
    rows = connection.execute(
        f"""
        select table_name, expectation, severity, owner, observed
        from {CHECKS}
        where is_newest and not is_held
        order by severity, table_name, expectation
        """
    ).fetchall()
    return tuple(Broken(*row) for row in rows)
