from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from pathlib import Path

import pytest

from ingestion.api import NotAnswered, Pace, Step, _backoff, ask, side_by_side
from ingestion.payload import SourceError
from ingestion.settings import Secret, Settings
from ingestion.streams import Stream, stream_named
from ingestion.sync import sync
from sandbox.servers.http import Reply, Request
from sandbox.servers.orb import Orb
from sandbox.servers.stripe import Stripe
from tests.ingestion.conftest import landed, served, write_objects

CHARGES, ITEMS = stream_named("stripe.charges"), stream_named("orb.items")
NOW = datetime.now(UTC)


pytestmark = pytest.mark.usefixtures("at_once")


@pytest.fixture
def apis(tmp_path: Path) -> dict[Stream, Callable[[Request], Reply]]:
    """Both APIs, with 250 objects each."""
    dataset = tmp_path / "dataset"
    charges: list[dict[str, object]] = [
        {"id": f"ch_{n:03}", "object": "charge", "created": int(time.time()) - n, "amount": n, "currency": "usd"}
        for n in range(250)
    ]
    write_objects(dataset / "stripe", charges=charges, events=[])
    write_objects(dataset / "orb", items=[{"id": f"item_{n:03}", "created_at": NOW.isoformat()} for n in range(250)])
    return {CHARGES: Stripe(dataset, "key"), ITEMS: Orb(dataset, "key", NOW)}


def _connected(settings: Settings, base: str) -> Settings:
    return Settings(
        **{
            **vars(settings),
            "stripe_api_key": Secret("key"),
            "stripe_api_base": base,
            "orb_api_key": Secret("key"),
            "orb_api_base": f"{base}/v1",
        }
    )


def _soon() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=1), usegmt=True)


WEATHER: dict[str, Callable[[Reply], Reply]] = {
    "429 with seconds": lambda true: Reply(429, b"{}", {"Retry-After": "1"}),
    "429 with a date": lambda true: Reply(429, b"{}", {"Retry-After": _soon()}),
    "429 with neither": lambda true: Reply(429, b"{}", {"Retry-After": "soon"}),
    "500": lambda true: Reply(500, b"{}"),
    "502 in HTML": lambda true: Reply(502, b"<html>Bad gateway</html>", {"content-type": "text/html"}),
    "503": lambda true: Reply(503, b""),
    "HTML": lambda true: Reply(200, b"<html>Please sign in</html>", {"content-type": "text/html"}),
    "no JSON": lambda true: Reply(200, true.body[:-7]),
    "another shape": lambda true: Reply(200, b'{"data": {}}'),
    "cut short": lambda true: Reply(200, true.body[: len(true.body) // 2], {"content-length": str(len(true.body))}),
}


@pytest.mark.parametrize("stream", [CHARGES, ITEMS], ids=str)
@pytest.mark.parametrize("weather", WEATHER)
def test_every_object_lands_once_in_any_weather(
    apis: dict[Stream, Callable[[Request], Reply]], settings: Settings, stream: Stream, weather: str
) -> None:
    requests: Counter[str] = Counter()

    def every_request_fails_at_first(request: Request) -> Reply:
        asked = f"{request.path} {request.query}"
        requests[asked] += 1
        true = apis[stream](request)
        return WEATHER[weather](true) if requests[asked] % 2 else true

    with served(every_request_fails_at_first) as base:
        assert sync(stream, _connected(settings, base)).rows == 250
    found = [row[0] for row in landed(settings, ".".join(stream.asset_key))]
    assert len(found) == len(set(found)) == 250


@pytest.mark.parametrize("stream", [CHARGES, ITEMS], ids=str)
@pytest.mark.parametrize("weather", WEATHER)
def test_an_api_that_never_answers_is_given_up_with_a_sentence_after_six_attempts(
    settings: Settings, stream: Stream, weather: str
) -> None:
    requests: list[str] = []

    def fails(request: Request) -> Reply:
        requests.append(request.path)
        return WEATHER[weather](Reply(200, b'{"data": [], "has_more": false}'))

    with served(fails) as base, pytest.raises(SourceError) as raised:
        sync(stream, _connected(settings, base))
    assert re.match(rf"{stream}: (Stripe|Orb).*[Rr]un again", str(raised.value))
    assert len(requests) == 6


@pytest.mark.parametrize("stream", [CHARGES, ITEMS], ids=str)
def test_a_key_that_expires_halfway_is_not_asked_again_with_and_the_cursor_does_not_move(
    apis: dict[Stream, Callable[[Request], Reply]], settings: Settings, stream: Stream
) -> None:
    requests: list[str] = []

    def expires(request: Request) -> Reply:
        requests.append(request.path)
        return apis[stream](request) if len(requests) < 3 else Reply(401, b'{"error": {"message": "Expired API key"}}')

    with served(expires) as base, pytest.raises(SourceError, match=r"check (STRIPE|ORB)_API_KEY.*the beginning"):
        sync(stream, _connected(settings, base))
    assert len(requests) == 3
    with served(apis[stream]) as base:
        assert sync(stream, _connected(settings, base)).rows == 250


@pytest.mark.parametrize(
    ("status", "retry_after", "waits"),
    [
        (None, None, True),
        (429, None, True),
        (429, "7", 7.0),
        (429, "86400", 60.0),
        (429, "Thu, 01 Jan 2026 00:00:00 GMT", 0.0),
        (429, "in a while", True),
        (503, "2", 2.0),
        (503, None, True),
        (400, None, False),
        (401, "1", False),
    ],
)
def test_what_may_pass_is_asked_again_after_as_long_as_the_api_says(
    status: int | None, retry_after: str | None, waits: bool | float
) -> None:
    assert _backoff(NotAnswered("", status, retry_after)) == waits


def test_a_mistake_of_ours_is_not_asked_again() -> None:
    def mistaken() -> bytes:
        raise KeyError("ours")

    with pytest.raises(KeyError):
        ask(mistaken, dict)


def _counting_down(number: int, idle: int) -> tuple[int, list[Step[int]]]:
    return number, [partial(_counting_down, number - 1)] * 2 if number else []


def test_what_follows_from_a_step_is_taken_too_and_comes_after_it() -> None:
    came = list(side_by_side([partial(_counting_down, 4)], workers=3, ahead=2))
    assert Counter(came) == {4: 1, 3: 2, 2: 4, 1: 8, 0: 16}
    assert came[0] == 4
    assert list(side_by_side(list[Step[int]](), workers=3, ahead=2)) == []


def test_steps_are_taken_at_the_same_time() -> None:
    both_here = threading.Barrier(2, timeout=30)

    def waits_for_the_other(idle: int) -> tuple[int, list[Step[int]]]:
        return both_here.wait(), []

    assert sorted(side_by_side([waits_for_the_other, waits_for_the_other], workers=2, ahead=2)) == [0, 1]


def test_no_more_is_asked_than_there_is_room_to_keep() -> None:
    taken: list[int] = []

    def endless(number: int, idle: int) -> tuple[int, list[Step[int]]]:
        taken.append(number)
        return number, [partial(endless, number + 1)]

    results = side_by_side([partial(endless, 0)], workers=2, ahead=3)
    for expected in range(50):
        assert next(results) == expected
        assert len(taken) <= expected + 4
    results.close()
    stopped_at = len(taken)
    assert stopped_at <= 53
    assert len(taken) == stopped_at


def test_a_step_that_fails_ends_the_others_and_its_error_is_raised() -> None:
    def fails(idle: int) -> tuple[int, list[Step[int]]]:
        raise SourceError("one of them")

    with pytest.raises(SourceError, match="one of them"):
        list(side_by_side([partial(_counting_down, 3), fails], workers=2, ahead=100))


def _turn(pace: Pace) -> float:
    pace.wait()
    return time.monotonic()


def test_requests_of_many_threads_are_spaced_evenly() -> None:
    pace = Pace(200)
    started = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        turns = sorted(pool.map(lambda _: _turn(pace) - started, range(41)))
    # the first at once, the others five milliseconds apart: none is early, however late a thread wakes up
    assert all(turn >= number / 200 - 0.001 for number, turn in enumerate(turns))
