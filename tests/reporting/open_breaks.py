"""A register with a few breaks, one of which somebody had accepted until yesterday, and three streams, as a build leaves them."""

from __future__ import annotations

from pathlib import Path

import duckdb

from tests.reporting.closed_month import ROOT, create

ROWS = """
insert into seeds.known_exceptions values
    ('e1', 'ada@acme.example', 'credit it in December', 'under a cent a day', '2026-11-30'),
    ('a1', 'kim', 'write it off', 'too old to collect', '2027-06-30');
insert into reconciliation.fct_breaks
    (break_id, hop, state, status, cause, period, currency, customer_id, difference, is_open, first_seen_at)
values
    ('b1', 'invoiced', 'open', 'break', 'invoice_not_synced', '2026-09', 'USD', 'acct_1', 50, true, '2026-11-28 10:00:00'),
    ('b2', 'invoiced', 'open', 'break', 'invoice_not_synced', '2026-09', 'USD', 'acct_2', -12345678901234567890.12, true,
        '2026-11-29 10:00:00'),
    ('b3', 'invoiced', 'open', 'break', 'invoice_not_synced', '2026-09', 'JPY', 'acct_3', 900, true, '2026-11-30 10:00:00'),
    ('e1', 'invoiced', 'open', 'break', 'invoice_not_synced', '2026-08', 'USD', 'acct_4', -7.005, true, '2026-08-01 10:00:00'),
    ('a1', 'invoiced', 'accepted', 'break', 'overpaid', '2026-08', 'USD', 'acct_1', 10, true, '2026-08-01 10:00:00'),
    ('t1', 'banked', 'open', 'timing', 'deposit_late', '2026-09', 'USD', null, 40, true, '2026-11-30 10:00:00'),
    ('r1', 'invoiced', 'resolved', 'break', 'invoice_not_synced', '2026-09', 'USD', 'acct_1', 1, false, '2026-11-01 10:00:00'),
    ('m1', 'metered', 'open', 'break', 'event_late', '2026-09', 'gpu_seconds', 'acct_1', 12.5, true, '2026-11-30 10:00:00');
insert into marts.dim_streams values
    ('orb.events', 30, 0, 0, true, null), ('orb.invoices', 4, 0, 0, false, '2026-12-01 11:00:00'),
    ('stripe.charges', 3, 2, 0, false, '2026-11-20 00:00:00'), ('stripe.refunds', 0, 0, 0, false, null),
    ('app.usage_events', 3, 0, 0, false, '2026-12-01 08:00:00');
"""


def build(path: Path, changes: str = "") -> Path:
    """Write the warehouse to `path`, with the SQL `changes`."""
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "set timezone = 'UTC'; create schema marts; create schema reconciliation; create schema seeds"
        )
        create(connection, "marts", "dim_streams")
        create(connection, "reconciliation", "fct_breaks")
        for seed in ("currencies", "break_causes"):
            connection.execute(f"create table seeds.{seed} as from '{ROOT / 'seeds' / seed}.csv'")
        connection.execute(
            "create table seeds.known_exceptions "
            "(break_id varchar, owner varchar, resolution varchar, reason varchar, expires_on date)"
        )
        connection.execute(ROWS + changes)
    return path
