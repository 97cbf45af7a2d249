"""Asking an API until it has answered: what may pass is asked for again, and an answer counts once it can be read.

A body that was cut short, a page of HTML, JSON that is none: whatever stands between us and the API may send them with status
200, so an answer is read inside the loop that asks again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import msgspec
import stamina

_ATTEMPTS = 6
_SECONDS_IN_ALL = 180.0
_LONGEST_WAIT = 60.0

T = TypeVar("T")


class NotAnswered(Exception):
    """One request that failed: what was said, the HTTP status (None: the connection was lost), the API's own error code."""

    def __init__(self, said: str, status: int | None = None, retry_after: str | None = None, code: str | None = None):
        super().__init__(said)
        self.status, self.retry_after, self.code = status, retry_after, code


def ask(send: Callable[[], bytes], kind: type[T]) -> T:
    """The answer as `kind`; `send` makes the request, once a call, and raises NotAnswered.

    Asked six times at most, within three minutes, after random and growing waits or as long as `Retry-After` says (seconds or
    a date, RFC 9110 part 10.2.3; a minute at most). Raises NotAnswered, or msgspec.MsgspecError for what is never readable.
    """
    for attempt in stamina.retry_context(on=_backoff, attempts=_ATTEMPTS, timeout=_SECONDS_IN_ALL):
        with attempt:
            return msgspec.json.decode(send(), type=kind)
    raise AssertionError("stamina raises what the last attempt raised")


def _backoff(error: Exception) -> bool | float:
    if isinstance(error, msgspec.MsgspecError):
        return True
    if not isinstance(error, NotAnswered):
        return False
    if error.status in range(400, 500) and error.status not in (408, 409, 429):
        return False
    return _seconds(error.retry_after) if error.retry_after else True


def _seconds(retry_after: str) -> bool | float:
    """As long as was asked for; as long as we would wait anyway where it can't be understood."""
    try:
        seconds = (
            float(retry_after)
            if retry_after.strip().isdecimal()
            else (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds()
        )
    except (ValueError, TypeError):
        return True
    return min(max(seconds, 0.0), _LONGEST_WAIT)
