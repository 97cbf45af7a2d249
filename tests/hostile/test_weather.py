from __future__ import annotations

from pathlib import Path

import pytest

from ingestion.streams import stream_named
from tests.hostile.company import hostile_company
from tests.hostile.faults import FAULTS, time_out
from tests.hostile.weather import weather

_STREAMS = [
    stream_named(name)
    for name in (
        "app.contracts",
        "stripe.customers",
        "stripe.invoice_lines",
        "stripe.payout_transactions",
        "orb.invoices",
        "orb.credit_ledger",
    )
]


# A time-out costs the client more than a minute: `make weather-test` has it.
@pytest.mark.parametrize("seed", [7, 11])
def test_after_bad_weather_raw_equals_the_source(tmp_path: Path, seed: int) -> None:
    with hostile_company(tmp_path / "company", seed) as company:
        report = weather(
            company, tmp_path / "home", [fault for fault in FAULTS if fault is not time_out], seed, streams=_STREAMS
        )
    assert report.wrong == ()
    assert report.faults.total() > 10
