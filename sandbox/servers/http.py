"""What both APIs need of HTTP: a request in, a reply out, and a limit on how many a second."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: list[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def application(handle: Callable[[Request], Reply]) -> Application:
    """`handle` as an ASGI application. It answers one request at a time and never waits, so it needs no lock."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        reply = handle(
            Request(
                scope["method"],
                scope["path"],
                parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True),
                {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
                body,
            )
        )
        headers = {"content-type": "application/json", "content-length": str(len(reply.body)), **reply.headers}
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": reply.status, "headers": encoded})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else reply.body})

    return app


class TokenBucket:
    """Admits `per_second` requests a second, and as many at once after a quiet second."""

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second, self._clock = per_second, clock
        self._tokens, self._filled_at = per_second, clock()

    def take(self) -> bool:
        now = self._clock()
        self._tokens = min(self._per_second, self._tokens + (now - self._filled_at) * self._per_second)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
