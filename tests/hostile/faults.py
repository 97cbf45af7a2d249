"""What can happen to an answer on its way: each fault makes of a true answer another one. A lie is still well-formed JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from random import Random
from typing import Any

import msgspec

_JSON = {"content-type": "application/json"}
_LONGEST_PATIENCE = 82.0
"""Seconds that Stripe's client waits for an answer, and a little more; Orb's waits 30."""


@dataclass(frozen=True)
class Answer:
    """What a client gets: `stall` seconds later, `sent` bytes of the body only (None: all), or a reset instead of any of it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    stall: float = 0.0
    sent: int | None = None
    is_reset: bool = False


@dataclass(frozen=True)
class Passing:
    """An answer as it passes: the true one, and the one before it to the same path. `meanwhile` makes the source change."""

    answer: Answer
    before: Answer | None
    chance: Random
    meanwhile: Callable[[], None] = field(default=lambda: None)


Fault = Callable[[Passing], Answer]


def too_many_requests(passing: Passing) -> Answer:
    """429 with Retry-After in seconds."""
    return Answer(429, {**_JSON, "retry-after": "1"}, b'{"error":{"message":"Slow down."}}')


def too_many_requests_until(passing: Passing) -> Answer:
    """429 with Retry-After as a date."""
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=1), usegmt=True)
    return Answer(429, {**_JSON, "retry-after": until}, b'{"error":{"message":"Slow down."}}')


def server_error(passing: Passing) -> Answer:
    return Answer(passing.chance.choice([500, 502, 503]), {"content-type": "text/html"}, b"<html>Bad gateway</html>")


def time_out(passing: Passing) -> Answer:
    return replace(passing.answer, stall=_LONGEST_PATIENCE)


def reset(passing: Passing) -> Answer:
    return replace(passing.answer, is_reset=True)


def body_cut_short(passing: Passing) -> Answer:
    return replace(passing.answer, sent=passing.chance.randrange(len(passing.answer.body)))


def invalid_json(passing: Passing) -> Answer:
    body = passing.answer.body
    return replace(passing.answer, body=body[: passing.chance.randrange(len(body))] + b"\x00")


def html(passing: Passing) -> Answer:
    return replace(passing.answer, headers={"content-type": "text/html"}, body=b"<html>We will be back soon.</html>")


def end_made_up(passing: Passing) -> Answer:
    """A page in the middle says that it is the last."""
    return _listing(passing.answer, has_more=False)


def more_made_up(passing: Passing) -> Answer:
    """The last page says that more follow."""
    return _listing(passing.answer, has_more=True)


def page_repeated(passing: Passing) -> Answer:
    return passing.before or passing.answer


def page_empty(passing: Passing) -> Answer:
    """A page in the middle without its objects."""
    return _listing(passing.answer, has_more=True, data=[])


def changed_meanwhile(passing: Passing) -> Answer:
    """The page is true, and no longer so when the next one is asked for."""
    passing.meanwhile()
    return replace(passing.answer)


def clock_skewed(passing: Passing) -> Answer:
    """The server's clock is hours off ours."""
    hours = timedelta(hours=passing.chance.choice([-3, 3]))
    return replace(
        passing.answer,
        headers={**passing.answer.headers, "date": format_datetime(datetime.now(UTC) + hours, usegmt=True)},
    )


def key_expired(passing: Passing) -> Answer:
    """From here on, for the rest of the run."""
    return Answer(401, _JSON, b'{"error":{"message":"Expired API key provided."}}')


FAULTS: tuple[Fault, ...] = (
    too_many_requests,
    too_many_requests_until,
    server_error,
    time_out,
    reset,
    body_cut_short,
    invalid_json,
    html,
    end_made_up,
    more_made_up,
    page_repeated,
    page_empty,
    changed_meanwhile,
    clock_skewed,
    key_expired,
)


def _listing(answer: Answer, *, has_more: bool, data: Sequence[object] | None = None) -> Answer:
    """A page of a list with other words in it: every byte of its objects stays. Another answer stays as it is."""
    fields: dict[str, Any] = msgspec.json.decode(answer.body, type=dict[str, msgspec.Raw])
    if "has_more" in fields:
        fields["has_more"] = has_more
    elif "pagination_metadata" in fields:
        about = msgspec.json.decode(fields["pagination_metadata"])
        fields["pagination_metadata"] = {
            "has_more": has_more,
            "next_cursor": about["next_cursor"] if has_more else None,
        }
    else:
        return answer
    if data is not None:
        fields["data"] = data
    return replace(answer, body=msgspec.json.encode(fields))
