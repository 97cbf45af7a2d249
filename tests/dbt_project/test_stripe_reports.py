"""Stripe's balance and payout reports of one account, by Stripe's definitions and by dbt_stripe's (DECISIONS.md).

The rows have the shape of that package's seeds: payout, payout_balance_transaction, balance_transaction.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.dbt_project.conftest import Dbt, land, rows_of
from tests.dbt_project.raw_objects import Landed


def _at(text: str) -> int:
    return int(datetime.fromisoformat(f"2026-{text}:00").replace(tzinfo=UTC).timestamp())


def _transaction(
    id_: str, type_: str, source: str, amount: int, fee: int, created: str, available: str
) -> dict[str, Any]:
    return {
        "id": id_,
        "type": type_,
        "source": source,
        "amount": amount,
        "fee": fee,
        "net": amount - fee,
        "currency": "usd",
        "created": _at(created),
        "available_on": _at(available),
        "status": "available",
    }


TRANSACTIONS = {
    row["id"]: row
    for row in (
        _transaction("txn_a", "charge", "ch_a", 10000, 320, "07-01 10:00", "07-03 00:00"),
        _transaction("txn_b", "charge", "ch_b", 5000, 175, "07-02 10:00", "07-04 00:00"),
        _transaction("txn_p1", "payout", "po_1", -9680, 0, "07-03 00:15", "07-06 00:00"),
        _transaction("txn_r", "refund", "re_b", -2000, 0, "07-03 09:00", "07-03 09:00"),
        _transaction("txn_p2", "payout", "po_2", -2825, 0, "07-04 00:15", "07-07 00:00"),
        _transaction("txn_f", "payout_failure", "po_2", 2825, 0, "07-08 10:00", "07-08 10:00"),
        _transaction("txn_d", "charge", "ch_d", 1000, 59, "07-30 10:00", "08-01 00:00"),
    )
}
PAYOUTS = [
    {
        "id": payout_id,
        "balance_transaction": debit,
        "failure_balance_transaction": returned,
        "amount": -TRANSACTIONS[debit]["amount"],
        "currency": "usd",
        "automatic": True,
        "reconciliation_status": "completed",
        "method": "standard",
        "status": "failed" if returned else "paid",
        "livemode": True,
        "created": TRANSACTIONS[debit]["created"],
        "arrival_date": TRANSACTIONS[debit]["available_on"],
    }
    for payout_id, debit, returned in (("po_1", "txn_p1", None), ("po_2", "txn_p2", "txn_f"))
]
PAYOUT_TRANSACTIONS = {"po_1": ["txn_p1", "txn_a"], "po_2": ["txn_p2", "txn_b", "txn_r"]}


@pytest.fixture(scope="module")
def warehouse(dbt: Dbt, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our models over the account."""
    path = tmp_path_factory.mktemp("reports") / "tieout.duckdb"
    transactions = {key: json.dumps(row) for key, row in TRANSACTIONS.items()}
    lists = [
        Landed(f"{payout_id}/{key}", transactions[key], payout_id)
        for payout_id, keys in PAYOUT_TRANSACTIONS.items()
        for key in keys
    ]
    land(
        path,
        {
            ("stripe", "balance_transactions"): [Landed(key, text) for key, text in transactions.items()],
            ("stripe", "payouts"): [Landed(row["id"], json.dumps(row)) for row in PAYOUTS],
            ("stripe", "payout_transactions"): lists,
        },
    )
    built = dbt.invoke("run", "--select", "+fct_balance_monthly", warehouse=path)
    assert built.success, built.exception
    return path


def _net(rows: Mapping[str, dict[str, Any]]) -> Decimal:
    return Decimal(sum(row["net"] for row in rows.values())).scaleb(-2)


# What dbt_stripe's payout itemised and ending balance keep: the transaction that a payout names as its own.
DEBITS = {key: row for key, row in TRANSACTIONS.items() if key in {payout["balance_transaction"] for payout in PAYOUTS}}


def test_activity_is_what_is_no_payout(warehouse: Path) -> None:
    (month,) = rows_of(
        warehouse, "select * exclude (currency, period, certified_through) from marts.fct_balance_monthly"
    )
    assert [f"{amount:.2f}" for amount in month.values()] == ["0.00", "134.46", "-96.80", "37.66"]
    assert _net(TRANSACTIONS) == Decimal("37.66"), "dbt_stripe's activity: all seven rows"


def test_a_payouts_items_are_what_it_paid_out(warehouse: Path) -> None:
    items = rows_of(
        warehouse,
        "select payout_id, list(net_amount order by net_amount) as nets from marts.fct_balance_transactions "
        "where payout_attribution = 'listed' group by payout_id order by payout_id",
    )
    assert [tuple(row.values()) for row in items] == [
        ("po_1", [Decimal("96.80")]),
        ("po_2", [Decimal("-20.00"), Decimal("48.25")]),
    ]
    assert [_net({key: row}) for key, row in DEBITS.items()] == [Decimal("-96.80"), Decimal("-28.25")]


def test_the_ending_balance_is_what_no_payout_has_settled(warehouse: Path) -> None:
    unsettled = rows_of(
        warehouse,
        "select balance_transaction_id, unsettled_amount from marts.fct_balance_transactions "
        "where unsettled_amount <> 0 order by created_at",
    )
    assert [tuple(row.values()) for row in unsettled] == [("txn_f", Decimal("28.25")), ("txn_d", Decimal("9.41"))]
    assert _net(DEBITS) == Decimal("-125.05"), "dbt_stripe's ending balance: the debits of automatic payouts"
