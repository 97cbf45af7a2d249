"""`tieout alerts`, as a person meets it."""

from __future__ import annotations

from pathlib import Path

from ingestion.settings import read_settings
from orchestration.alerting.listing import tried
from tests.orchestration.alerting.receivers import receiving
from tests.orchestration.test_cli import tieout
from tests.reporting.open_breaks import build


def test_a_person_is_shown_what_is_wrong_since_when_how_much_and_whose(tmp_path: Path) -> None:
    shown = tieout("alerts", TIEOUT_HOME=tmp_path, TIEOUT_WAREHOUSE=build(tmp_path / "tieout.duckdb"))
    assert shown.returncode == 0, shown.stderr
    lines = [line.split() for line in shown.stdout.splitlines()]
    expired = [
        "warning",
        "exception_expired",
        "e1",
        "2026-11-30",
        "00:00",
        "7.005",
        "USD",
        "ada@acme.example",
        "nobody",
    ]
    assert expired in lines
    assert lines[1][:3] == ["critical", "break_over_limit", "invoice_not_synced"]


def test_a_channel_is_tried_by_a_message_and_one_without_address_is_named(tmp_path: Path) -> None:
    with receiving(tmp_path) as receiver:
        settings = read_settings({"TIEOUT_CHANNEL_ONCALL": f"json://127.0.0.1:{receiver.port}/oncall"})
        assert tried(settings) == {"oncall": None, "finance": "has no address: set TIEOUT_CHANNEL_FINANCE"}
    assert [one.path for one in receiver.received] == ["/oncall"]
