"""Asking an API: until it has answered, no faster than it allows, and for many things side by side.

What may pass is asked for again, and an answer counts once it can be read. A body that was cut short, a page of HTML, JSON that
is none: whatever stands between us and the API may send them with status 200, so an answer is read inside the loop that asks.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeAlias, TypeVar

import msgspec
import stamina

_ATTEMPTS = 6
_SECONDS_IN_ALL = 180.0
_LONGEST_WAIT = 60.0

T = TypeVar("T")

Step: TypeAlias = Callable[[int], tuple[T, "Sequence[Step[T]]"]]
"""A request still to be made: told how many workers have nothing to do, it says what came of it and what to ask next."""


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


class Pace:
    """So many requests a second, evenly: what was saved up in a pause would be a burst, and refused."""

    def __init__(self, per_second: float) -> None:
        self._seconds, self._next, self._lock = 1 / per_second, 0.0, threading.Lock()

    def wait(self) -> None:
        """Until it is this request's turn, whichever thread makes it."""
        with self._lock:
            turn = max(self._next, time.monotonic())
            self._next = turn + self._seconds
        if (seconds := turn - time.monotonic()) > 0:
            time.sleep(seconds)

    @property
    def is_waited_for(self) -> bool:
        """Whether there are more requests to make than may be made."""
        return self._next - self._seconds > time.monotonic()


def side_by_side(steps: Sequence[Step[T]], workers: int, ahead: int) -> Generator[T, None, None]:
    """What comes of steps and of those that follow from them, as it comes; a step's own comes before what follows from it.

    `workers` steps are taken at a time, and none while `ahead` results wait to be consumed. Raises what a step raised, once those
    under way have ended.
    """
    room, ended, lock = threading.Semaphore(ahead), threading.Event(), threading.Lock()
    came: queue.SimpleQueue[Future[T] | None] = queue.SimpleQueue()
    unfinished = len(steps)

    def take(step: Step[T]) -> None:
        nonlocal unfinished
        room.acquire()
        if ended.is_set():
            return
        outcome: Future[T] = Future()
        try:
            result, following = step(max(0, workers - unfinished))
        except BaseException as error:
            outcome.set_exception(error)
            came.put(outcome)
            return
        outcome.set_result(result)
        came.put(outcome)
        with lock:
            unfinished += len(following) - 1
            is_last = not unfinished
        for each in following:
            pool.submit(take, each)
        if is_last:
            came.put(None)

    with ThreadPoolExecutor(workers) as pool:
        try:
            for step in steps:
                pool.submit(take, step)
            while steps and (outcome := came.get()) is not None:
                yield outcome.result()
                room.release()
        finally:
            ended.set()
            room.release(workers)
            pool.shutdown(cancel_futures=True)
