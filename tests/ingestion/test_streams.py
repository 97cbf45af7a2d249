from __future__ import annotations

import json
from pathlib import Path

import pytest

from ingestion.streams import IGNORED_EVENTS, STREAMS, Stream

DOCUMENT = Path(__file__).parents[2] / "../shared/specs/stripe-openapi.json"
MAPPED = {kind for stream in STREAMS for kind in stream.change_events}
MOST_TYPES_A_REQUEST = 20


@pytest.fixture(scope="module")
def documented() -> set[str]:
    """Event types of Stripe's API document."""
    if not DOCUMENT.exists():
        pytest.skip("needs the API document in ../shared/specs")
    webhooks = json.loads(DOCUMENT.read_bytes())["paths"]["/v1/webhook_endpoints"]["post"]["requestBody"]
    form = webhooks["content"]["application/x-www-form-urlencoded"]["schema"]
    return set(form["properties"]["enabled_events"]["items"]["enum"]) - {"*"}


def _unknown(kinds: set[str]) -> list[str]:
    return sorted(kind for kind in kinds - MAPPED if not kind.startswith(tuple(IGNORED_EVENTS)))


def test_every_event_type_that_stripe_documents_is_read_or_left_out_for_a_reason(documented: set[str]) -> None:
    assert _unknown(documented) == []
    assert _unknown({*documented, "invoice.reopened", "loan.created"}) == ["invoice.reopened", "loan.created"]


def test_every_event_type_that_is_read_is_one_that_stripe_documents(documented: set[str]) -> None:
    assert documented >= MAPPED


def test_no_family_is_left_out_that_a_stream_reads_or_stripe_does_not_document(documented: set[str]) -> None:
    assert [kind for kind in MAPPED if kind.startswith(tuple(IGNORED_EVENTS))] == []
    assert [family for family in IGNORED_EVENTS if not any(kind.startswith(family) for kind in documented)] == []


@pytest.mark.parametrize("stream", [stream for stream in STREAMS if stream.change_events], ids=str)
def test_a_stream_asks_for_no_more_event_types_than_stripe_takes(stream: Stream) -> None:
    assert len(stream.change_events) <= MOST_TYPES_A_REQUEST
