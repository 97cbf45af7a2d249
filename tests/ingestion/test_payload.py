from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.payload import Rejected, Row, envelope, exact, head, last_readings
from ingestion.streams import stream_named

CHARGES = replace(stream_named("stripe.charges"), amount="amount", personal=())


def test_a_number_with_a_fraction_keeps_every_digit() -> None:
    assert exact(b'{"quantity": 0.1234567890123456789, "n": 10.50}') == (
        b'{"quantity": "0.1234567890123456789", "n": "10.50"}'
    )


def test_an_exponent_is_kept_as_text_and_integers_stay_numbers() -> None:
    assert exact(b"[1e-7,-2.5E+3,12345678901234567890,-4,0]") == b'["1e-7","-2.5E+3",12345678901234567890,-4,0]'


def test_digits_inside_strings_are_left_alone() -> None:
    payload = b'{"a": "costs 1.5 \\" each, 2.5", "b": [":1.5"], "c": 1.5}'
    assert exact(payload) == b'{"a": "costs 1.5 \\" each, 2.5", "b": [":1.5"], "c": "1.5"}'


def test_a_payload_without_fractions_is_verbatim() -> None:
    payload = b'{ "amount" : 1999 ,\n "currency":"usd" , "text": "v1.5" }'
    assert exact(payload) == payload


documents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False, places=3)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(documents)
def test_any_document_says_the_same_after_it_was_made_exact(document: Any) -> None:
    encoder = msgspec.json.Encoder(decimal_format="number")
    before = json.loads(encoder.encode(document), parse_float=Decimal)
    after = json.loads(exact(encoder.encode(document)), parse_float=lambda text: pytest.fail(f"{text} is a float"))

    def same(left: Any, right: Any) -> bool:
        if isinstance(left, Decimal):
            return isinstance(right, str) and Decimal(right) == left
        if isinstance(left, dict):
            return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
        if isinstance(left, list):
            return len(left) == len(right) and all(map(same, left, right))
        return bool(left == right and type(left) is type(right))

    assert same(before, after)


@pytest.mark.parametrize("raw", [b'"text"', b"{}", b'{"id": 7}', b"<html>", b'{"id": "ch_1", "amount": "12,50"}'])
def test_what_is_not_an_object_with_an_id_and_a_decimal_amount_is_rejected_with_its_bytes(raw: bytes) -> None:
    rejected = head(CHARGES, msgspec.Raw(raw))
    assert isinstance(rejected, Rejected)
    assert rejected.original == raw
    assert rejected.reason


@pytest.mark.parametrize("amount", ["1999", "-5", '"12.50"', "null", "1e-7"])
def test_an_amount_however_the_source_writes_it_is_no_reason_to_reject(amount: str) -> None:
    assert not isinstance(head(CHARGES, f'{{"id": "ch_1", "amount": {amount}}}'.encode()), Rejected)


@pytest.mark.parametrize("kind", [7, [1], {"a": 1}, None, "soon"])
def test_a_field_of_a_type_that_nobody_foresaw_does_not_stop_an_object(kind: object) -> None:
    found = head(CHARGES, msgspec.json.encode({"id": "ch_1", "created": kind, "currency": kind}))
    assert not isinstance(found, Rejected)
    assert found.item().object_id == "ch_1"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [(b'{"a": "\xff"}', "not UTF-8"), (b'{"a": "%s"}' % (b"x" * (11 << 20)), "bytes are more than")],
)
def test_bytes_that_no_row_can_hold_are_rejected_and_the_others_land(payload: bytes, reason: str) -> None:
    table, (rejected,) = envelope(CHARGES, [Row("ch_1", payload, "backfill"), Row("ch_2", b"{}", "backfill")])
    assert table["object_id"].to_pylist() == ["ch_2"]
    assert rejected.original == payload
    assert reason in rejected.reason


@given(documents, documents)
def test_personal_data_is_dropped_at_any_depth_and_nothing_else_changes(document: Any, value: Any) -> None:
    stream = replace(CHARGES, personal=("secret key", "pin"))
    encoder = msgspec.json.Encoder(decimal_format="string")

    def planted(inner: Any) -> Any:
        return {
            "a": [{"secret key": inner, "kept": document}, document],
            "pin": inner,
            "pins": {"deep": [[{"pin": inner}]]},
        }

    table, rejected = envelope(stream, [Row("ch_1", encoder.encode(planted(value)), "backfill")])
    assert rejected == []
    assert json.loads(table["payload"][0].as_py()) == json.loads(encoder.encode(planted(None)))


def test_of_an_object_read_twice_the_last_reading_lands() -> None:
    first, _ = envelope(CHARGES, [Row("in_1", b'{"v":1}', "backfill"), Row("in_2", b"{}", "backfill")])
    second, _ = envelope(CHARGES, [Row("in_1", b'{"v":0}', "event"), Row("in_1", b'{"v":2}', "event")])
    table = last_readings([first, second])
    assert table.num_rows == 2
    assert dict(zip(table["object_id"].to_pylist(), table["payload"].to_pylist(), strict=True)) == {
        "in_1": '{"v":2}',
        "in_2": "{}",
    }


def test_a_deletion_has_another_hash_than_the_object_it_deletes() -> None:
    table, _ = envelope(CHARGES, [Row("a", b"{}", "sweep"), Row("b", b"{}", "sweep", is_deleted=True)])
    assert len(set(table["payload_hash"].to_pylist())) == 2
