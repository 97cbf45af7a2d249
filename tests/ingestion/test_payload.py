from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.payload import Row, SourceError, envelope, exact, head


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


@pytest.mark.parametrize("raw", [b'"text"', b"{}", b'{"id": 7}', b"<html>"])
def test_what_is_not_an_object_with_an_id_is_an_error_that_names_the_stream(raw: bytes) -> None:
    with pytest.raises(SourceError, match=r"stripe\.charges.*without a usable id"):
        head("stripe.charges", msgspec.Raw(raw))


def test_of_an_object_read_twice_the_last_reading_lands() -> None:
    table = envelope(
        [Row("in_1", b'{"v":1}', "backfill"), Row("in_2", b"{}", "backfill"), Row("in_1", b'{"v":2}', "event")]
    )
    assert table["object_id"].to_pylist() == ["in_1", "in_2"]
    assert table["payload"].to_pylist()[0] == '{"v":2}'


def test_a_deletion_has_another_hash_than_the_object_it_deletes() -> None:
    assert Row("a", b"{}", "sweep").payload_hash != Row("a", b"{}", "sweep", is_deleted=True).payload_hash
