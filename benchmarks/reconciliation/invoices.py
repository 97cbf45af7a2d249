"""A million invoices against a million invoices, one in a hundred another: `rec_invoiced__orb_vs_stripe` as dbt compiles it.

The limit is the full outer join that an engineer would write by hand for the same columns (both ids and amounts, the difference
and a verdict), by the id that both sides share. It has no second pass for what shares no id, no second claims, no tolerances, no
evidence and no hashed break ids. The peer is datacompy with polars, which joins the same Parquet files by the same id and finds
the rows that are not the same; it names no cause. Reading is left out everywhere: the time is that of the statement, or of the
comparison.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import duckdb

from benchmarks.measure import Run, Target, contestant, middle, peers, report
from benchmarks.warehouse import dbt

MODEL = "rec_invoiced__orb_vs_stripe"
DIFFERING = 100
"""One invoice in so many is not the same on both sides, in turn by one of CAUSES."""
CAUSES = (
    "invoice_amount_differs",
    "invoice_currency_differs",
    "invoice_customer_differs",
    "invoice_unknown_to_orb",
    "invoice_tax_differs",
    "invoice_due_date_differs",
    "invoice_not_synced",
    "invoice_synced_twice",
)

_ORB = """
select
    left(md5('orb' || i), 16) as invoice_id,
    'INV-' || i as invoice_number,
    'acct_' || lpad((hash(i) % 20000)::varchar, 5, '0') as customer_id,
    case when i % 10 < 3 then 'synced' else 'paid' end as status,
    ['USD', 'EUR', 'JPY'][i % 3 + 1] as currency,
    cast((1 + hash(i) % 9000000) * case when i % 3 = 2 then 1.00 else 0.01 end as decimal(38, 9)) as amount_due,
    cast(i % 100 as decimal(38, 9)) as tax_amount,
    date '2024-01-01' + (i % 700)::int as invoice_date,
    invoice_date + 30 as due_date,
    invoice_date::timestamp as to_issue_at,
    invoice_date + interval 12 hour as issued_at,
    case when i % 10 > 2 then invoice_date + interval 14 hour end as paid_at,
    null::timestamp as voided_at,
    case when i % {differing} = 0 then {causes}[i // {differing} % {count} + 1] end as planted,
from range({rows}) as numbered (i)
"""

_STRIPE = """
select
    'in_' || left(md5('stripe' || invoice_id || again), 24) as stripe_invoice_id,
    case when planted is distinct from 'invoice_unknown_to_orb' then invoice_id end as invoice_id,
    case when planted = 'invoice_customer_differs' then 'acct_other' else customer_id end as customer_id,
    case when planted = 'invoice_unknown_to_orb' then 'BY-HAND-' || invoice_number else invoice_number end as invoice_number,
    case when status = 'paid' then 'paid' else 'open' end as status,
    case when planted = 'invoice_currency_differs' then 'GBP' else currency end as currency,
    amount_due + case when planted in ('invoice_amount_differs', 'invoice_unknown_to_orb') then 1 else 0 end as total_amount,
    tax_amount + case when planted = 'invoice_tax_differs' then 1 else 0 end as tax_amount,
    invoice_date,
    case when planted = 'invoice_due_date_differs' then due_date + 30 else due_date end as due_date,
    issued_at + again * interval 1 minute as created_at,
from orb, range(case when planted = 'invoice_synced_twice' then 2 else 1 end) as times (again)
where planted is distinct from 'invoice_not_synced'
"""

_BY_HAND = """
select
    coalesce(orb.invoice_id, stripe.stripe_invoice_id) as match_key,
    coalesce(orb.customer_id, stripe.customer_id) as customer_id,
    strftime(coalesce(orb.invoice_date, stripe.invoice_date), '%Y-%m') as period,
    coalesce(orb.currency, stripe.currency) as currency,
    coalesce(stripe.currency, orb.currency) as right_currency,
    orb.invoice_id as left_ref,
    coalesce(orb.amount_due, 0) as left_amount,
    stripe.stripe_invoice_id as right_ref,
    coalesce(stripe.total_amount, 0) as right_amount,
    case
        when stripe.currency <> orb.currency then orb.amount_due
        else coalesce(orb.amount_due, 0) - coalesce(stripe.total_amount, 0)
    end as difference,
    case
        when stripe.stripe_invoice_id is null then 'invoice_not_synced'
        when orb.invoice_id is null then 'invoice_unknown_to_orb'
        when orb.currency <> stripe.currency then 'invoice_currency_differs'
        when orb.customer_id <> stripe.customer_id then 'invoice_customer_differs'
        when orb.tax_amount <> stripe.tax_amount then 'invoice_tax_differs'
        when orb.amount_due <> stripe.total_amount then 'invoice_amount_differs'
        when stripe.status = 'uncollectible' then 'invoice_status_differs'
        when orb.due_date <> stripe.due_date then 'invoice_due_date_differs'
    end as cause,
    case when cause is null then 'matched' else 'break' end as status,
from (select * from marts.fct_invoices where amount_due > 0 and status in ('issued', 'synced', 'paid')) as orb
full outer join (select * from marts.fct_stripe_invoices where status in ('open', 'paid', 'uncollectible')) as stripe
    on orb.invoice_id = stripe.invoice_id
"""

_STATEMENT = """
import json, sys, time
import duckdb

warehouse, name, statement = sys.argv[1], sys.argv[2], open(sys.argv[3]).read()
with duckdb.connect(warehouse) as connection:
    connection.execute("set TimeZone = 'UTC'")
    started = time.monotonic()
    connection.execute(f"create or replace table reconciliation.{name} as {statement}")
    seconds = time.monotonic() - started
    causes = f"select cause, count(*) from reconciliation.{name} where cause is not null group by cause"
    named = dict(connection.execute(causes).fetchall())
print(json.dumps(dict(seconds=seconds, **named)))
"""

_DATACOMPY = """
import json, sys, time
import polars
from datacompy import PolarsCompare

orb, stripe = (polars.read_parquet(path) for path in sys.argv[1:])
started = time.monotonic()
compared = PolarsCompare(orb, stripe, join_columns="invoice_id")
differing = compared.all_mismatch().height + compared.df1_unq_rows.height + compared.df2_unq_rows.height
print(json.dumps(dict(seconds=time.monotonic() - started, differing=differing)))
"""


def fill(folder: Path, rows: int) -> Path:
    """Writes both sides as Parquet and as the marts that the comparison reads; returns the warehouse."""
    warehouse = folder / "tieout.duckdb"
    dbt(warehouse, folder / "dbt", "seed", "--select", "reconciliation_tolerances")
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("set TimeZone = 'UTC'; create schema marts; create schema reconciliation")
        connection.execute(
            "create temp table orb as "
            + _ORB.format(rows=rows, differing=DIFFERING, causes=list(CAUSES), count=len(CAUSES))
        )
        connection.execute("create table marts.fct_invoices as select * exclude (planted) from orb")
        connection.execute(f"create table marts.fct_stripe_invoices as {_STRIPE}")
        connection.execute(
            "create table marts.fct_credit_ledger as select max(issued_at) as created_at from marts.fct_invoices"
        )
        # Orb hands every invoice to Stripe here: none is collected by a charge alone.
        connection.execute(
            """
            create table marts.fct_payments (payment_id text, invoice_id text, stripe_invoice_id text, customer_id text,
                status text, currency text, amount_captured decimal(38, 9), created_at timestamptz)
            """
        )
        shared = "invoice_id, customer_id, currency, {amount} as amount, tax_amount, due_date"
        for side, amount in (("fct_invoices", "amount_due"), ("fct_stripe_invoices", "total_amount")):
            columns = shared.format(amount=amount)
            connection.execute(f"copy (select {columns} from marts.{side}) to '{folder}/{side}.parquet'")
    return warehouse


def compiled(folder: Path, warehouse: Path) -> str:
    """The comparison's SQL as dbt would run it."""
    dbt(warehouse, folder / "dbt", "compile", "--select", MODEL)
    (path,) = (folder / "dbt" / "compiled").rglob(f"{MODEL}.sql")
    return path.read_text()


def datacompy(*sides: Path) -> Run:
    return contestant(peers(), "-c", _DATACOMPY, *sides)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reconciliation.invoices", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    runs: dict[str, list[Run]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        warehouse = fill(folder, arguments.rows)
        (folder / "ours.sql").write_text(compiled(folder, warehouse))
        (folder / "by_hand.sql").write_text(_BY_HAND)
        sides = [folder / "fct_invoices.parquet", folder / "fct_stripe_invoices.parquet"]
        for _ in range(arguments.rounds):
            for name in ("ours", "by_hand"):
                runs[name].append(contestant(sys.executable, "-c", _STATEMENT, warehouse, name, folder / f"{name}.sql"))
            runs["datacompy"].append(datacompy(*sides))
    ours, by_hand, peer = (middle(runs[name]) for name in ("ours", "by_hand", "datacompy"))
    planted = arguments.rows // DIFFERING // len(CAUSES)
    named = {name: count for name, count in ours.counted.items() if name != "seconds"}
    # An invoice that Orb does not know is one that Stripe does not have, too.
    expected = {cause: planted * (2 if cause == "invoice_not_synced" else 1) for cause in CAUSES}
    assert named == expected, f"the comparison names {named}, planted are {expected}"
    table = [
        {
            "what": what,
            "invoices": arguments.rows,
            "s": run.seconds,
            "processor s": run.cpu_seconds,
            "peak MB": run.peak_bytes / 1e6,
            "differences": sum(count for name, count in run.counted.items() if name != "seconds"),
        }
        for what, run in ((MODEL, ours), ("full outer join by hand", by_hand), ("datacompy, polars", peer))
    ]
    return report(
        "invoices",
        f"Medians of {arguments.rounds} rounds",
        table,
        [
            Target("the hand-written join's time", ours.seconds / by_hand.seconds, "x", at_most=2),
            Target("datacompy's time", ours.seconds / peer.seconds, "x", at_most=1),
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
