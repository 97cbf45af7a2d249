"""The distilled API documents: they are the published ones, and what we read and expect is in them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import ingestion.documents
from ingestion.documents import DOCUMENTED, Field, document
from ingestion.documents.distil import distil
from ingestion.sources import stripe
from ingestion.sources.orb import OrbSource
from ingestion.streams import IGNORED_EVENTS, STREAMS, Stream

ROOT = Path(__file__).parents[2]
READ_FROM_API = [stream for stream in STREAMS if stream.source in DOCUMENTED]
MAPPED_EVENTS = {kind for stream in STREAMS for kind in stream.change_events}


def published(source: str) -> dict[str, Any]:
    path = ROOT.parent / f"shared/specs/{source}-openapi.json"
    if not path.exists():
        pytest.skip(f"needs {path}, the published API document, which is not part of the project")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


@pytest.mark.parametrize("source", DOCUMENTED)
def test_what_is_committed_is_distilled_from_the_published_document(source: str) -> None:
    committed = Path(ingestion.documents.__file__).with_name(f"{source}.json").read_text()
    assert distil(source, published(source)).to_json() == committed


def test_the_documents_are_of_the_versions_that_the_streams_are_read_with() -> None:
    assert document("stripe").api_version == stripe.API_VERSION
    assert document("orb").api_version == OrbSource.api_version


@pytest.mark.parametrize("stream", READ_FROM_API, ids=str)
def test_every_stream_of_an_api_is_documented(stream: Stream) -> None:
    shape = document(stream.source).streams[stream.name].shape
    assert shape is not None
    fields = [stream.amount, stream.created, stream.sequence, None if stream.reads == "usage" else stream.key]
    if stream.final:
        fields.append(stream.status)
    named = {name.partition(".")[0] for name in fields if name}
    assert named <= document(stream.source).shapes[shape].keys()


def test_a_stream_whose_list_the_document_lacks_is_named_with_the_path() -> None:
    with pytest.raises(ValueError, match=r"orb\.customers: the API document has no /customers"):
        distil("orb", {"info": {"version": "1.0"}, "paths": {}})


def test_references_choices_and_what_may_be_null_are_resolved() -> None:
    charge = document("stripe").shapes["charge"]
    assert charge["amount"] == Field(("integer",), is_required=True)
    assert charge["status"].values == ("failed", "pending", "succeeded")
    assert charge["metadata"] == Field(("object",), is_required=True, each=Field(("string",)))
    # Stripe does not call required what may be null, but sends it; what is in no choice of it is not said
    assert charge["failure_code"] == Field(("null", "string"), is_required=True)
    assert not charge["payment_method_details"].is_required or "null" in charge["payment_method_details"].types
    price = document("orb").shapes["Price"]
    assert {"unit", "tiered", "matrix"} <= set(price["model_type"].values)
    assert price["id"].is_required
    assert not price["unit_config"].is_required


def test_what_can_be_expanded_is_an_id_because_no_request_asks_for_more() -> None:
    assert document("stripe").shapes["charge"]["customer"] == Field(("null", "string"), is_required=True)
    assert document("stripe").shapes["invoice"]["discounts"].each == Field(("string",))


def test_an_object_that_holds_others_of_its_kind_is_described_once() -> None:
    shapes = document("stripe").shapes
    error = shapes["payment_intent"]["last_payment_error"].shape
    assert error is not None
    assert shapes[error]["payment_intent"].shape == "payment_intent"


def unknown(kinds: Iterable[str]) -> set[str]:
    families = tuple(family for families in IGNORED_EVENTS.values() for family in families)
    return {kind for kind in kinds if kind not in MAPPED_EVENTS and not kind.startswith(families)}


def event_types() -> set[str]:
    return set(document("stripe").shapes["event"]["type"].values)


def test_every_event_type_of_stripe_is_read_by_a_stream_or_ignored_for_a_reason() -> None:
    assert len(event_types()) > 200
    assert unknown(event_types()) == set()


@pytest.mark.parametrize(
    "planted", ["invoice.forgiven", "charge.teleported", "customer.subscription.frozen", "new.thing"]
)
def test_a_new_event_type_that_nobody_has_thought_of_is_noticed(planted: str) -> None:
    assert unknown({*event_types(), planted}) == {planted}


def test_every_event_type_that_a_stream_reads_exists() -> None:
    assert event_types() >= MAPPED_EVENTS


def test_no_event_type_is_both_read_and_ignored_and_every_ignored_family_exists() -> None:
    for families in IGNORED_EVENTS.values():
        for family in families:
            assert [kind for kind in MAPPED_EVENTS if kind.startswith(family)] == []
            assert [kind for kind in event_types() if kind.startswith(family)], family


def test_no_stream_asks_for_more_event_types_than_stripe_takes_at_once() -> None:
    assert {str(stream): len(stream.change_events) for stream in STREAMS if len(stream.change_events) > 20} == {}
    assert all(len(set(stream.change_events)) == len(stream.change_events) for stream in STREAMS)
