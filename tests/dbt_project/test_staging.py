"""What raw has, staging says: the same values, exactly, of the newest version of each object."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ingestion.streams import STREAMS
from tests.dbt_project.conftest import ROOT, Dbt, copy_of, rows_of
from tests.dbt_project.raw_objects import RATED_MODELS, fixtures
from tests.dbt_project.staging_expectations import STRIPE

_EVIDENCE = {"is_deleted", "payload_hash", "batch_id", "read_at"}


def _one(warehouse: Path, model: str, key: str, value: str) -> dict[str, Any]:
    (row,) = rows_of(warehouse, f"select * from staging.{model} where {key} = ?", value)
    return row


@pytest.mark.parametrize("stream", STRIPE)
def test_a_stripe_fixture_comes_through_with_its_own_values(staged: Path, stream: str) -> None:
    if not fixtures():
        pytest.skip("../shared/specs/stripe-fixtures.json is not there: Stripe's own objects are not tested")
    expected, found = STRIPE[stream], fixtures()[STRIPE[stream].resource]
    key = next(iter(expected.columns))
    row = _one(staged, f"stg_stripe__{stream}", key, str(expected.key(found)))
    assert {name: row[name] for name in expected.columns} == {
        name: value_of(found) for name, value_of in expected.columns.items()
    }


@pytest.mark.parametrize("stream", STRIPE)
def test_every_staging_column_has_an_expectation(staged: Path, stream: str) -> None:
    columns = rows_of(staged, f"describe staging.stg_stripe__{stream}")
    assert {column["column_name"] for column in columns} - _EVIDENCE == set(STRIPE[stream].columns)


def test_every_stream_has_a_staging_model() -> None:
    models = {path.stem for path in (ROOT / "dbt_project/models/staging").rglob("stg_*.sql")}
    assert {f"stg_{stream.source}__{stream.name}" for stream in STREAMS} <= models


def test_no_money_or_quantity_is_a_float(staged: Path) -> None:
    kinds = rows_of(
        staged,
        "select table_name, column_name, data_type from information_schema.columns where table_schema = 'staging'",
    )
    assert kinds
    assert [kind for kind in kinds if kind["data_type"] in ("DOUBLE", "FLOAT", "REAL")] == []
    assert [
        kind
        for kind in kinds
        if kind["column_name"].endswith("_at") and kind["data_type"] != "TIMESTAMP WITH TIME ZONE"
    ] == []


def test_the_newest_version_stands(staged: Path) -> None:
    row = _one(staged, "stg_stripe__customers", "customer_id", "cus_renamed")
    assert (row["customer_name"], row["batch_id"], row["is_deleted"]) == ("After", "batch_2", False)


def test_a_deleted_object_keeps_its_last_full_values_and_is_flagged(staged: Path) -> None:
    row = _one(staged, "stg_stripe__customers", "customer_id", "cus_gone")
    assert (row["customer_name"], row["is_deleted"]) == ("Gone", True)


def test_a_deletion_of_an_object_never_read_is_flagged(staged: Path) -> None:
    row = _one(staged, "stg_stripe__customers", "customer_id", "cus_stub")
    assert (row["customer_name"], row["is_deleted"]) == (None, True)


def test_an_object_that_came_back_is_not_deleted(staged: Path) -> None:
    row = _one(staged, "stg_stripe__customers", "customer_id", "cus_back")
    assert (row["customer_name"], row["is_deleted"]) == ("Again", False)


def test_versions_read_at_the_same_moment_are_ordered_by_batch(staged: Path) -> None:
    assert _one(staged, "stg_stripe__customers", "customer_id", "cus_tie")["customer_name"] == "Later batch"


def test_text_is_unescaped_and_json_null_is_null(staged: Path) -> None:
    row = _one(staged, "stg_stripe__customers", "customer_id", "cus_edge")
    assert (row["customer_name"], row["email"], row["country"]) == ('O\'Hara "Zürich" \\ {x}', None, None)


def test_as_of_shows_what_was_known_then(dbt: Dbt, staged: Path, tmp_path: Path) -> None:
    warehouse = copy_of(staged, tmp_path)
    july = "{as_of: '2026-07-15T00:00:00Z'}"
    select = ("stg_stripe__customers", "stg_orb__invoice_lines", "+int_usage__app_events")
    run = dbt.invoke("run", "--select", *select, "--vars", july, warehouse=warehouse)
    assert run.success, run.exception
    customers = rows_of(
        warehouse,
        "select customer_id, customer_name, is_deleted from staging.stg_stripe__customers "
        "where customer_id in ('cus_renamed', 'cus_gone', 'cus_back') order by customer_id",
    )
    assert [tuple(row.values()) for row in customers] == [
        ("cus_back", "First", False),
        ("cus_gone", "Gone", False),
        ("cus_renamed", "Before", False),
    ]
    lines = rows_of(warehouse, "select invoice_line_id from staging.stg_orb__invoice_lines order by all")
    assert [row["invoice_line_id"] for row in lines] == ["line_1", "line_draft_only"]
    events = rows_of(warehouse, "select event_id, input_tokens from intermediate.int_usage__app_events")
    assert [tuple(row.values()) for row in events] == [("event_1", 1)]


def test_an_invoice_from_before_2025_keeps_its_charge(staged: Path) -> None:
    invoice = _one(staged, "stg_stripe__invoices", "invoice_id", "in_before_2025")
    assert invoice["charge_id"] == "ch_before_2025"
    assert invoice["payment_intent_id"] == "pi_before_2025"
    assert invoice["subscription_id"] == "sub_before_2025"
    assert invoice["is_paid_out_of_band"] is True
    assert _one(staged, "stg_stripe__charges", "charge_id", "ch_before_2025")["invoice_id"] == "in_before_2025"


def test_minor_units_follow_the_currency(staged: Path) -> None:
    invoice = _one(staged, "stg_stripe__invoices", "invoice_id", "in_before_2025")
    assert (invoice["total_amount"], invoice["tax_amount"]) == (Decimal("1999"), Decimal("182"))
    charge = _one(staged, "stg_stripe__charges", "charge_id", "ch_before_2025")
    assert (charge["currency"], charge["amount"], charge["amount_refunded"]) == (
        "BHD",
        Decimal("12.345"),
        Decimal("0.005"),
    )


def test_prices_and_rates_keep_their_decimals(staged: Path) -> None:
    assert _one(staged, "stg_stripe__prices", "price_id", "price_tiny")["unit_amount"] == Decimal("0.00000000000001")
    rate = _one(staged, "stg_stripe__balance_transactions", "balance_transaction_id", "txn_converted")["exchange_rate"]
    assert rate == Decimal("1.12345678901")


def test_json_numbers_with_a_fraction_are_exact(staged: Path) -> None:
    entry = _one(staged, "stg_orb__credit_ledger", "ledger_entry_id", "entry_1")
    assert entry["amount"] == Decimal("-0.100000001")
    assert entry["starting_balance"] == Decimal("12345678901234567.123456789")
    assert entry["starting_balance"] + entry["amount"] == entry["ending_balance"]
    assert _one(staged, "stg_orb__credit_ledger", "ledger_entry_id", "entry_2")["amount"] == Decimal("0.0000001")
    usage = rows_of(staged, "select quantity, usage_date from staging.stg_orb__subscription_usage order by usage_date")
    assert [tuple(row.values()) for row in usage] == [
        (Decimal("0.123456789012345678"), date(2026, 7, 1)),
        (Decimal("98765432109876"), date(2026, 7, 2)),
    ]


def test_orb_lines_are_those_of_the_newest_version(staged: Path) -> None:
    lines = rows_of(staged, "select * from staging.stg_orb__invoice_lines where invoice_id = 'inv_1' order by line_no")
    assert [(line["line_no"], line["invoice_line_id"]) for line in lines] == [(1, "line_1"), (2, "line_2")]
    first, second = lines
    assert first["quantity"] == Decimal("12345678901.123456789012345678")
    assert first["percentage_discount_amount"] == Decimal("-10.012345679")
    assert first["usage_discount_amount"] == Decimal("-1")
    assert first["amount_discount_amount"] == 0
    assert first["minimum_adjustment_amount"] == Decimal("5.5")
    assert first["tax_amount"] == Decimal("8.889")
    assert first["price_config"] == '{"tiers":[{"first_unit":0,"last_unit":null,"unit_amount":"0.0000000001"}]}'
    assert (first["external_customer_id"], first["subscription_id"]) == ("acct_1", "sub_1")
    assert (second["tax_amount"], second["price_config"], second["price_id"]) == (0, None, None)


def test_orb_payment_attempts_are_one_row_each(staged: Path) -> None:
    tries = rows_of(staged, "select * from staging.stg_orb__invoice_payment_attempts order by payment_attempt_id")
    assert [(tried["invoice_id"], tried["amount"], tried["is_succeeded"]) for tried in tries] == [
        ("inv_1", Decimal("99"), False),
        ("inv_1", Decimal("99"), True),
    ]
    assert tries[1]["created_at"] == datetime(2026, 8, 3, tzinfo=UTC)


def test_orb_instants_keep_their_microseconds(staged: Path) -> None:
    invoice = _one(staged, "stg_orb__invoices", "invoice_id", "inv_1")
    assert invoice["issued_at"] == datetime(2026, 8, 1, 12, 34, 56, 789012, tzinfo=UTC)


def test_the_stripe_product_of_an_item_is_found_among_its_connections(staged: Path) -> None:
    items = rows_of(staged, "select item_id, stripe_product_id from staging.stg_orb__items order by item_id")
    assert [tuple(row.values()) for row in items] == [("item_1", "prod_1"), ("item_2", None)]


def test_a_price_has_the_configuration_of_its_model(staged: Path) -> None:
    prices = rows_of(staged, "select model_type, price_config ->> '$.of' as found from staging.stg_orb__prices")
    assert {price["found"] for price in prices} == set(RATED_MODELS)
    assert all(price["model_type"] == price["found"] for price in prices)


def test_a_closed_account_is_deleted(staged: Path) -> None:
    customers = rows_of(staged, "select customer_id, is_deleted from staging.stg_app__customers order by customer_id")
    assert [tuple(row.values()) for row in customers] == [("acct_1", False), ("acct_2", True)]


def test_a_contract_keeps_its_digits_its_overrides_and_its_adjustments(staged: Path) -> None:
    contract = _one(staged, "stg_app__contracts", "contract_id", "contract_1")
    assert contract["monthly_commitment_amount"] == Decimal("1000.100000001")
    assert contract["discount_percent"] == Decimal("12.5")
    assert contract["price_overrides"] == '{"text_input":{"a":1}}'
    assert contract["adjustments"] == '[{"adjustment_type":"maximum","value":"60.5"}]'


def test_rates_and_unit_costs_keep_eighteen_decimals(staged: Path) -> None:
    rate = _one(staged, "stg_app__exchange_rates", "exchange_rate_id", "jpy_usd_2026-07-01")
    assert (rate["currency"], rate["exchange_rate"]) == ("JPY", Decimal("0.006712340000000001"))
    cost = _one(staged, "stg_app__serving_costs", "serving_cost_id", "text_input/any")
    assert (cost["model"], cost["unit_cost"]) == (None, Decimal("0.000006123456789012"))


def test_a_usage_event_read_twice_is_one_event(staged: Path) -> None:
    events = rows_of(
        staged, "select event_id, input_tokens, megapixels from intermediate.int_usage__app_events order by all"
    )
    assert [tuple(row.values()) for row in events] == [("event_1", 2, None), ("event_2", None, Decimal("1.500001"))]


def test_a_wallet_transaction_keeps_its_sign_and_digits(staged: Path) -> None:
    assert _one(staged, "stg_app__wallet_transactions", "wallet_transaction_id", "wallet_1")["amount"] == Decimal(
        "-1e-9"
    )


def test_an_empty_cell_of_a_statement_is_null(staged: Path) -> None:
    first = _one(staged, "stg_bank__statement_lines", "statement_line_id", "usd/1")
    assert (first["reference"], first["value_on"], first["balance"]) == (None, None, None)
    assert (first["booked_on"], first["amount"]) == (date(2026, 7, 3), Decimal("1234.5"))
    second = _one(staged, "stg_bank__statement_lines", "statement_line_id", "usd/2")
    assert (second["reference"], second["amount"], second["balance"]) == ("R", Decimal("-1"), Decimal("0.5"))


def test_broken_raw_rows_and_diverging_minor_units_are_noticed(dbt: Dbt, staged: Path, tmp_path: Path) -> None:
    warehouse = copy_of(staged, tmp_path)
    select = ("test_name:raw_envelope", "test_name:raw_rows", "assert_minor_units_match_currencies")
    clean = dbt.invoke("test", "--select", *select, warehouse=warehouse)
    assert clean.success
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("update raw_stripe.charges set payload = '{\"cut off' where object_id = 'ch_before_2025'")
        connection.execute("update raw_orb.invoices set origin = 'guess' where batch_id = 'batch_2'")
        connection.execute(
            "update raw_app.usage_events set batch_id = null, read_at = now() where event_id = 'event_2'"
        )
        connection.execute("update seeds.currencies set stripe_exponent = 2 where currency = 'JPY'")
    planted = dbt.invoke("test", "--select", *select, warehouse=warehouse)
    failed = {result.node.name for result in planted.result if result.status == "fail"}
    assert failed == {
        "source_raw_envelope_raw_stripe_charges_",
        "source_raw_envelope_raw_orb_invoices_",
        "source_raw_rows_raw_app_usage_events_event_id",
        "assert_minor_units_match_currencies",
    }


def test_a_null_is_noticed_in_every_column_that_never_has_one(dbt: Dbt, staged: Path, tmp_path: Path) -> None:
    always, while_it_exists = ["ledger_entry_id"], ["entry_type", "amount"]

    def failed(warehouse: Path) -> list[list[str]]:
        tested = dbt.invoke("test", "--select", "stg_orb__credit_ledger,test_name:never_null", warehouse=warehouse)
        assert len(tested.result) == 2
        return [each.node.test_metadata.kwargs["columns"] for each in tested.result if each.status == "fail"]

    assert failed(staged) == []
    for column in (*always, *while_it_exists):
        (tmp_path / column).mkdir()
        warehouse = copy_of(staged, tmp_path / column)
        with duckdb.connect(str(warehouse)) as connection:
            connection.execute(f"update staging.stg_orb__credit_ledger set {column} = null where not is_deleted")
        (found,) = failed(warehouse)
        assert column in found
        with duckdb.connect(str(warehouse)) as connection:
            connection.execute("update staging.stg_orb__credit_ledger set is_deleted = true")
        assert failed(warehouse) == ([always] if column in always else [])
