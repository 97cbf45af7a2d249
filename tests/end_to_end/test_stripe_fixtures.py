"""Stripe's own example object of every resource, over HTTP, through lake and raw, into staging."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ingestion.settings import Settings, read_settings
from ingestion.streams import STREAMS
from ingestion.sync import sync
from sandbox.serve import serve
from tests.dbt_project.staging_expectations import STRIPE
from tests.end_to_end.conftest import SHARED, dbt_run

_FILES = {"invoice_items": "invoiceitems", "payout_transactions": "balance_transactions"}


def _resources() -> dict[str, Any]:
    path = SHARED / "specs" / "stripe-fixtures.json"
    if not path.exists():
        pytest.skip(f"Stripe's examples {path} are not here: this test needs ../shared beside the project")
    found: dict[str, Any] = json.loads(path.read_text(), parse_float=Decimal)["resources"]
    return found


def _dataset(folder: Path, resources: dict[str, Any]) -> Path:
    """The examples as a dataset directory: one object a resource, the line and the payout's transaction where they belong."""
    (folder / "bank").mkdir(parents=True)
    (folder / "stripe").mkdir()
    payout, transaction = resources["payout"]["id"], resources["balance_transaction"]["id"]
    # the invoice's own line is another than the line item's example: none embedded, so that the nested list is read
    invoice = {**resources["invoice"], "lines": {**resources["invoice"]["lines"], "data": [], "has_more": True}}
    resources = {**resources, "invoice": invoice}
    objects = {_FILES.get(stream, stream): [resources[staged.resource]] for stream, staged in STRIPE.items()}
    objects["payout_transactions"] = [{"payout": payout, "balance_transaction": transaction}]
    for name, examples in objects.items():
        lines = (json.dumps(example, default=float) for example in examples)
        (folder / "stripe" / f"{name}.jsonl").write_text("".join(f"{line}\n" for line in lines))
    return folder


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory, project: Path) -> Settings:
    scratch = tmp_path_factory.mktemp("fixtures")
    dataset = _dataset(scratch / "dataset", _resources())
    with serve(dataset, scratch / "state") as company:
        settings = read_settings({**company.environment(), "TIEOUT_HOME": str(scratch / "home")})
        for stream in STREAMS:
            if stream.source == "stripe":
                sync(stream, settings)
    dbt_run(project, settings.warehouse, "currencies staging.stripe")
    return settings


@pytest.mark.parametrize("stream", STRIPE)
def test_every_value_of_stripes_own_example_arrives_in_staging(staged: Settings, stream: str) -> None:
    example = _resources()[STRIPE[stream].resource]
    with duckdb.connect(str(staged.warehouse), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        found = connection.execute(f"select * from staging.stg_stripe__{stream}")
        names = [column[0] for column in found.description]
        (row,) = found.fetchall()
    staged_values = dict(zip(names, row, strict=True))
    expected = {column: read(example) for column, read in STRIPE[stream].columns.items()}
    assert {column: staged_values[column] for column in expected} == expected
