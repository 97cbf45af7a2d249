from __future__ import annotations

from pathlib import Path

import psycopg

from ingestion.access import check_access
from ingestion.settings import Secret, Settings
from sandbox.servers.http import Reply, Request
from tests.ingestion.conftest import served


def test_every_stream_is_probed_and_what_is_missing_is_named_for_each(
    app_settings: Settings, database: str, tmp_path: Path
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("create table customers (id text primary key)")

    def forbids_charges_and_hides_payouts(request: Request) -> Reply:
        if request.path == "/v1/charges":
            return Reply(403, b'{"error": {"type": "invalid_request_error", "message": "lacks rak_charge_read"}}')
        if request.path == "/v1/payouts":
            return Reply(404, b'{"error": {"type": "invalid_request_error", "message": "Unrecognized request URL"}}')
        return Reply(200, b'{"object": "list", "data": [], "has_more": false}')

    with served(forbids_charges_and_hides_payouts) as base:
        connected = Settings(
            **{
                **vars(app_settings),
                "stripe_api_key": Secret("sk_x"),
                "stripe_api_base": base,
                "bank_statements": tmp_path,
            }
        )
        found = {str(stream): complaint for stream, complaint in check_access(connected)}
    assert found["app.customers"] is None
    assert "create it" in (found["app.contracts"] or "")
    assert found["stripe.invoices"] is None
    assert "may not read /v1/charges" in (found["stripe.charges"] or "")
    assert "/v1/payouts" in (found["stripe.payouts"] or "")
    assert "ORB_API_KEY is not set" in (found["orb.customers"] or "")
    assert "there is no *.csv, *.xml, *.sta, *.mt940 or *.940" in (found["bank.statement_lines"] or "")
    assert not app_settings.warehouse.exists()
