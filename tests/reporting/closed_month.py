"""September 2026 as a close has built it, small enough to check by hand. The tables have the columns of the models' contracts, so
that a model which loses one that the pack reads is noticed here."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import yaml

from reporting.close import content_hash, frozen

ROOT = Path(__file__).parents[2] / "dbt_project"
PERIOD = "2026-09"
CLOSE_ID = "2026-09/2026-10-05T06:00:00+00:00"
BUILT = {
    "marts": (
        "dim_customers", "dim_exchange_rates", "fct_revenue_daily", "fct_unbilled_receivable", "fct_deferred_revenue",
        "fct_credit_liability", "fct_receivables_ageing", "fct_days_sales_outstanding",
    ),
    "reconciliation": ("rec_bridge", "fct_breaks", "fct_money_trail"),
    "close": (
        "fct_journal_entries", "fct_trial_balance", "fct_closes", "fct_close_checks", "fct_close_figures",
        "fct_restatements", "fct_restatement_causes",
    ),
}  # fmt: skip

ROWS = """
insert into close_2026_09_marts.dim_customers (customer_id, customer_name, account_type) values
    ('acct_1', 'Ember Logistics', 'customer'), ('acct_2', 'Birch, <Works> & "Sons"', 'customer'), ('acct_3', 'Fjord', 'customer');
insert into close_2026_09_marts.dim_exchange_rates
    (currency, reporting_currency, exchange_rate, exchange_rate_source, rate_date) values
    ('USD', 'USD', 1, 'same currency', '2026-09-30'), ('JPY', 'USD', 0.0067, 'a bank', '2026-09-30'),
    ('JPY', 'USD', 0.5, 'a bank', '2026-09-29');
insert into close_2026_09_marts.fct_revenue_daily
    (customer_id, product_id, revenue_kind, currency, reporting_currency, amount, reporting_amount, is_billed, revenue_date)
values
    ('acct_1', 'gpu_compute', 'usage', 'USD', 'USD', 100.10, 100.10, true, '2026-09-03'),
    ('acct_1', 'gpu_compute', 'usage', 'USD', 'USD', 0.20, 0.20, true, '2026-09-30'),
    ('acct_1', 'gpu_compute', 'discount', 'USD', 'USD', -10.00, -10.00, true, '2026-09-03'),
    ('acct_1', 'platform_fee', 'fixed_fee', 'USD', 'USD', 31.00, 31.00, true, '2026-09-30'),
    ('acct_1', 'platform_fee', 'credit_note', 'USD', 'USD', -5.00, -5.00, true, '2026-09-30'),
    ('acct_2', 'text_input', 'usage', 'JPY', 'USD', 9000, 60.30, true, '2026-09-10'),
    ('acct_2', 'text_input', 'promotional_credit', 'JPY', 'USD', -500, -3.35, true, '2026-09-10'),
    ('acct_3', 'text_input', 'usage', 'BHD', 'USD', 1.234, null, false, '2026-09-11'),
    ('acct_1', 'gpu_compute', 'usage', 'USD', 'USD', 80.00, 80.00, true, '2026-08-31'),
    ('acct_1', 'gpu_compute', 'usage', 'USD', 'USD', 7.00, 7.00, true, '2026-10-01');
insert into close_2026_09_marts.fct_unbilled_receivable
    (customer_id, product_id, period, currency, opening_amount, used_amount, drawn_amount, invoiced_amount, closing_amount)
values
    ('acct_1', 'gpu_compute', '2026-09', 'USD', 20, 121, 30, 20, 91),
    ('acct_1', 'gpu_compute', '2026-08', 'USD', 0, 20, 0, 0, 20),
    ('acct_2', 'text_input', '2026-09', 'JPY', 0, 0, 0, 0, 0);
insert into close_2026_09_marts.fct_deferred_revenue
    (customer_id, product_id, booked_period, recognised_period, currency, recognised_amount, voided_amount) values
    ('acct_1', 'platform_fee', '2026-08', '2026-09', 'USD', 17, 2),
    ('acct_1', 'platform_fee', '2026-08', '2026-10', 'USD', 14, 0),
    ('acct_1', 'platform_fee', '2026-09', '2026-09', 'USD', 3, 0), ('acct_1', 'platform_fee', '2026-09', '2026-10', 'USD', 5, 0),
    ('acct_1', 'platform_fee', '2026-09', '2027-10', 'USD', 7, 0), ('acct_1', 'platform_fee', '2026-10', '2026-11', 'USD', 99, 0);
insert into close_2026_09_marts.fct_credit_liability by name
select 'acct_1' as customer_id, 'paid' as credit_kind, 'USD' as currency, '2026-09' as period, 50 as opening_amount,
    100 as sold_amount, 0 as granted_amount, 30 as used_amount, 5 as expired_amount, 0 as voided_amount, 10 as refunded_amount,
    105 as closing_amount, 4 as early_breakage_amount, 101 as liability_amount, 131.25 as closing_credits;
insert into close_2026_09_marts.fct_receivables_ageing
    (invoice_id, customer_id, age_bucket, days_overdue, currency, open_amount, is_month_end, invoice_date, due_date, ageing_date)
values
    ('inv_1', 'acct_1', 'not due', -1, 'USD', 91.00, true, '2026-09-01', '2026-10-01', '2026-09-30'),
    ('inv_2', 'acct_1', '31-60', 40, 'USD', 40.50, true, '2026-07-22', '2026-08-21', '2026-09-30'),
    ('inv_3', 'acct_2', '1-30', 1, 'JPY', 9900, true, '2026-08-30', '2026-09-29', '2026-09-30'),
    ('inv_3', 'acct_2', '1-30', 2, 'JPY', 1, false, '2026-08-30', '2026-09-29', '2026-10-01');
insert into close_2026_09_marts.fct_days_sales_outstanding
    (currency, period, days, open_amount, invoiced_amount, days_sales_outstanding) values
    ('USD', '2026-09', 92, 131.50, 263.00, 46.0), ('JPY', '2026-09', 92, 9900, 0, null);
insert into close_2026_09_reconciliation.rec_bridge (comparison, hop, period, currency, line_no, line, amount) values
    ('invoiced__orb_vs_stripe', 'invoiced', '2026-09', 'USD', 1, 'left_total', 80.00),
    ('invoiced__orb_vs_stripe', 'invoiced', '2026-09', 'USD', 2, 'invoice_not_synced', -50.00),
    ('invoiced__orb_vs_stripe', 'invoiced', '2026-09', 'USD', 3, 'timing', 5.00),
    ('invoiced__orb_vs_stripe', 'invoiced', '2026-09', 'USD', 4, 'unexplained', -0.25),
    ('invoiced__orb_vs_stripe', 'invoiced', '2026-09', 'USD', 5, 'right_total', 34.75),
    ('banked__payouts_vs_bank', 'banked', '2026-09', 'USD', 1, 'left_total', 40.00),
    ('banked__payouts_vs_bank', 'banked', '2026-09', 'USD', 2, 'unexplained', 0.25),
    ('banked__payouts_vs_bank', 'banked', '2026-09', 'USD', 3, 'right_total', 40.25),
    ('metered__app_vs_orb', 'metered', '2026-09', 'gpu_seconds', 1, 'left_total', 12.5),
    ('metered__app_vs_orb', 'metered', '2026-09', 'gpu_seconds', 2, 'unexplained', 0),
    ('metered__app_vs_orb', 'metered', '2026-09', 'gpu_seconds', 3, 'right_total', 12.5),
    ('invoiced__orb_vs_stripe', 'invoiced', '2026-10', 'USD', 1, 'left_total', 1);
insert into close_2026_09_reconciliation.fct_breaks
    (break_id, hop, state, status, cause, period, currency, right_currency, left_ref, left_amount, right_amount, difference,
    is_open, age_days, age_bucket, first_seen_at, owner)
values
    ('b1', 'invoiced', 'open', 'break', 'invoice_not_synced', '2026-09', 'USD', 'USD', 'inv_9', 50, 0, 50,
        true, 3, '2-7', '2026-10-02 10:00:00', null),
    ('b2', 'invoiced', 'accepted', 'break', 'invoice_currency_differs', '2026-08', 'USD', 'JPY', 'inv_8', 30, 3000, -30,
        true, 40, '31-90', '2026-08-26 10:00:00', 'kim'),
    ('b3', 'metered', 'open', 'break', 'event_late', '2026-09', 'gpu_seconds', 'gpu_seconds', 'a', 5000, 4000, 1000,
        true, 0, '0-1', '2026-10-05 01:00:00', null),
    ('b4', 'invoiced', 'resolved', 'break', 'invoice_not_synced', '2026-09', 'USD', 'USD', 'inv_7', 1, 0, 1,
        false, 0, '0-1', '2026-10-05 01:00:00', null),
    ('b5', 'invoiced', 'open', 'break', 'invoice_not_synced', '2026-10', 'USD', 'USD', 'inv_6', 1, 0, 1,
        true, 0, '0-1', '2026-10-05 01:00:00', null);
insert into close_2026_09_reconciliation.fct_money_trail by name
select currency, 'acct_1' as customer_id, '2026-09' as period, rated + 1 as metered_amount, 1 as metered_not_rated_amount,
    rated as rated_amount, 20 as credits_applied_amount, 8 as tax_amount, 0 as rated_not_invoiced_amount,
    rated - 12 as invoiced_amount, 10 as invoiced_not_collected_amount, rated - 22 as collected_amount,
    40 as topped_up_amount, 3 as refunded_amount, 0 as disputed_amount, 2 as fee_amount, 0 as collected_not_settled_amount,
    rated + 13 as settled_amount, 0 as settled_not_banked_amount, rated + 13 as banked_amount
from (values ('USD', 100), ('JPY', 9000), ('BHD', 50)) as sums (currency, rated);
insert into close_2026_09_close.fct_closes (close_id, period) values ('2026-08/x', '2026-08');
insert into close_2026_09_close.fct_close_checks
    (check_kind, subject, currency, period, amount, limit_amount, is_passed, certified_through) values
    ('unexplained', 'invoiced', 'USD', '2026-09', 0.25, 0.10, false, null),
    ('certificate', 'orb.invoices', null, '2026-09', 0, 0, true, '2026-10-05 05:00:00'),
    ('unexplained', 'invoiced', 'USD', '2026-08', 9, 0, false, null);
insert into close_2026_09_close.fct_restatements
    (figure_id, figure, customer_id, product_id, currency, period, closed_amount, current_amount, difference) values
    ('f1', 'revenue', 'acct_1', 'gpu_compute', 'USD', '2026-08', 78, 80, 2);
insert into close_2026_09_close.fct_restatement_causes
    (journal_line_id, account_id, customer_id, product_id, document_id, document_stream, currency, period, closed_amount,
    current_amount, difference, known_at) values
    ('l1', 'revenue', 'acct_1', 'gpu_compute', 'inv_1', 'orb.invoices', 'USD', '2026-08', -78, -80, -2, '2026-09-02 11:00:00');
insert into close_2026_09_close.fct_trial_balance
    (account_id, account_name, account_type, currency, period, opening_amount, debit_amount, credit_amount, closing_amount)
values
    ('cash', 'Cash at bank', 'asset', 'USD', '2026-09', 10, 130, 0, 140),
    ('revenue', 'Revenue', 'income', 'USD', '2026-09', -10, 0, 131.30, -141.30),
    ('discounts', 'Discounts', 'contra_income', 'USD', '2026-09', 0, 1.30, 0, 1.30),
    ('cash', 'Cash at bank', 'asset', 'JPY', '2026-09', 0, 8500, 0, 8500),
    ('revenue', 'Revenue', 'income', 'JPY', '2026-09', 0, 0, 8500, -8500),
    ('cash', 'Cash at bank', 'asset', 'USD', '2026-08', 0, 10, 0, 10);
insert into close_2026_09_close.fct_journal_entries
    (journal_line_id, journal_entry_id, entry_kind, account_id, customer_id, product_id, document_id, currency, period,
    closed_period, debit_amount, credit_amount, exchange_rate, entry_date)
values
    ('a1', 'a', 'earned', 'unbilled_receivable', 'acct_1', 'gpu', 'i', 'USD', '2026-08', '2026-08', 0.004, 0, 1, '2026-08-31'),
    ('a2', 'a', 'earned', 'revenue', 'acct_1', 'gpu', 'i', 'USD', '2026-08', '2026-08', 0, 0.004, 1, '2026-08-31'),
    ('z1', 'z', 'deposit', 'cash', null, null, 'p', 'USD', '2026-08', '2026-08', 10, 0, 1, '2026-08-30'),
    ('z2', 'z', 'deposit', 'payouts_in_transit', null, null, 'p', 'USD', '2026-08', '2026-08', 0, 10, 1, '2026-08-30'),
    ('b1', 'b', 'earned', 'unbilled_receivable', 'acct_1', 'gpu', 'i', 'USD', '2026-09', null, 0.004, 0, 1, '2026-09-01'),
    ('b2', 'b', 'earned', 'revenue', 'acct_1', 'gpu', 'i', 'USD', '2026-09', null, 0, 0.004, 1, '2026-09-01'),
    ('c1', 'c', 'earned', 'unbilled_receivable', 'acct_1', 'gpu', 'i', 'USD', '2026-09', null, 0.004, 0, 1, '2026-09-02'),
    ('c2', 'c', 'earned', 'revenue', 'acct_1', 'gpu', 'i', 'USD', '2026-09', null, 0, 0.004, 1, '2026-09-02'),
    ('d1', 'd', 'payment', 'stripe_clearing', 'acct_2', null, 't', 'JPY', '2026-09', null, 9700, 0, 0.0067, '2026-09-05'),
    ('d2', 'd', 'payment', 'processing_fees', 'acct_2', null, 't', 'JPY', '2026-09', null, 200, 0, 0.0067, '2026-09-05'),
    ('d3', 'd', 'payment', 'accounts_receivable', 'acct_2', null, 't', 'JPY', '2026-09', null, 0, 9900, 0.0067, '2026-09-05'),
    ('e1', 'e', 'invoice', 'accounts_receivable', 'acct_3', null, 'j', 'BHD', '2026-09', null, 1.234, 0, null, '2026-09-30'),
    ('e2', 'e', 'invoice', 'unbilled_receivable', 'acct_3', 'gpu', 'j', 'BHD', '2026-09', null, 0, 1.234, null, '2026-09-30'),
    ('f1', 'f', 'invoice', 'accounts_receivable', 'acct_1', null, 'k', 'USD', '2026-10', null, 5, 0, 1, '2026-10-01'),
    ('f2', 'f', 'invoice', 'unbilled_receivable', 'acct_1', 'gpu', 'k', 'USD', '2026-10', null, 0, 5, 1, '2026-10-01');
insert into close_2026_09_close.fct_close_figures (figure_id, figure, currency, period, amount) values
    ('g1', 'revenue', 'USD', '2026-09', 0.008);
"""

_TYPES = {"string": "varchar", "numeric(38, 9)": "decimal(38, 9)"}


def build(path: Path, *changes: str, accepted: tuple[str, ...] = (), changes_after: str = "") -> Path:
    """Write the warehouse to `path`: the close's schemas with the SQL `changes`, the close of them, and `changes_after` it."""
    with duckdb.connect(str(path)) as connection:
        connection.execute("set timezone = 'UTC'")
        for layer, models in BUILT.items():
            connection.execute(f"create schema close_2026_09_{layer}")
            for model in models:
                create(connection, f"close_2026_09_{layer}", model)
        connection.execute("create schema close_2026_09_seeds; create schema raw_tieout")
        for seed in ("currencies", "ledger_accounts"):
            connection.execute(f"create table close_2026_09_seeds.{seed} as from '{ROOT / 'seeds' / seed}.csv'")
        connection.execute("create table raw_tieout.closes (object_id varchar, payload varchar)")
        for statements in (ROWS, *changes):
            connection.execute(statements)
    built = content_hash(frozen(path, PERIOD, CLOSE_ID))
    with duckdb.connect(str(path)) as connection:
        _close(connection, "2026-08/x", "2026-08", (), "")
        _close(connection, CLOSE_ID, PERIOD, accepted, built)
        connection.execute(changes_after)
    return path


def create(connection: duckdb.DuckDBPyConnection, schema: str, model: str) -> None:
    """The model's table, empty, with the columns of its contract."""
    columns = ", ".join(f"{name} {_TYPES.get(kind, kind)}" for name, kind in _contract(model).items())
    connection.execute(f"create table {schema}.{model} ({columns})")


def _contract(model: str) -> dict[str, str]:
    (found,) = ROOT.glob(f"models/**/{model}.yml")
    (declared,) = yaml.safe_load(found.read_text())["models"]
    return {column["name"]: column["data_type"] for column in declared["columns"]}


def _close(
    connection: duckdb.DuckDBPyConnection, close_id: str, period: str, accepted: tuple[str, ...], content: str
) -> None:
    payload = {
        "close_id": close_id,
        "period": period,
        "as_of": "2026-10-05T06:00:00+00:00",
        "closed_by": "kim",
        "accepted_reason": "Booked in October" if accepted else None,
        "accepted": json.dumps(accepted),
        "inputs": "{}",
        "input_hash": "1f" * 32,
        "content_hash": content,
    }
    connection.execute("insert into raw_tieout.closes values (?, ?)", [close_id, json.dumps(payload)])
