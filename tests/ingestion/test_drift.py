from __future__ import annotations

from pathlib import Path

import pytest

from ingestion.drift import DriftUnavailable, drift
from ingestion.settings import Secret, Settings
from ingestion.streams import stream_named
from ingestion.sync import sync
from sandbox.servers.stripe import Stripe
from tests.ingestion.conftest import served, write_objects

PLANTED = {
    "moon_phase": "full",
    "status": "teleported",
    "paid": "yes",
    "billing_details": {"name": "personal data is dropped, which is no drift"},
}


def test_a_new_field_a_new_value_and_another_type_land_and_are_named(settings: Settings, tmp_path: Path) -> None:
    charge = {"id": "ch_1", "object": "charge", "created": 1_790_000_000, "amount": 5, "currency": "usd", **PLANTED}
    write_objects(tmp_path / "dataset" / "stripe", charges=[charge], events=[])
    with served(Stripe(tmp_path / "dataset", "key")) as base:
        connected = Settings(**{**vars(settings), "stripe_api_key": Secret("key"), "stripe_api_base": base})
        assert sync(stream_named("stripe.charges"), connected).rows == 1
    (charges,) = drift(settings)
    found = {(one.path, one.what) for one in charges.findings}
    assert ("moon_phase", "not in the document") in found
    assert ("status", 'value "teleported" is not in the document') in found
    assert any(path == "paid" and "documented as boolean" in what for path, what in found)
    assert ("balance_transaction", "in no payload") in found
    assert {one.example for one in charges.findings} == {"ch_1"}
    assert not any(path.startswith("billing_details") for path, _ in found)


def test_where_nothing_has_landed_a_sentence_says_what_reads_the_sources(settings: Settings) -> None:
    with pytest.raises(DriftUnavailable, match="tieout run"):
        drift(settings)


def test_a_file_that_is_no_batch_is_named(settings: Settings) -> None:
    (settings.lake / "stripe" / "charges").mkdir(parents=True)
    (settings.lake / "stripe" / "charges" / "rubbish.parquet").write_text("rubbish")
    with pytest.raises(DriftUnavailable, match=r"rubbish\.parquet is not a batch of the lake"):
        drift(settings)
