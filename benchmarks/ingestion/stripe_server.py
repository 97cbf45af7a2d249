"""Stripe's lists, fast enough never to be what a benchmark measures: `python -m benchmarks.ingestion.stripe_server`.

Charges of 3 KB are rendered on the way out, so that a million need no memory and differ as real ones do. Their history is a
growing company's: half of all in the last 30 of 100 days. Any /v1/<resource> lists them under ids of its own; events are none.
Prints its port, and ends when its stdin does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import tempfile
import time
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from math import isqrt
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from sandbox.dataset import read_objects
from sandbox.generate import generate
from sandbox.servers.http import TokenBucket

_BYTES = 3_000
# What a card's charge has beyond what the sandbox company's bank tells.
_CARD = {
    "amount_authorized": 4242,
    "authorization_code": "123456",
    "extended_authorization": {"status": "disabled"},
    "incremental_authorization": {"status": "unavailable"},
    "multicapture": {"status": "unavailable"},
    "network_token": {"used": False},
    "overcapture": {"maximum_amount_capturable": 4242, "status": "unavailable"},
    "three_d_secure": {
        "authentication_flow": "frictionless",
        "electronic_commerce_indicator": "05",
        "version": "2.2.0",
    },
    "wallet": {"dynamic_last4": None, "type": "link"},
}
_DAYS = 100
_SCRAMBLE, _IDS = 0x9E3779B97F4A7C15F39CC0605CEDC835 | 1, 1 << 96


class Charges:
    """The objects there are, by rank: 0 is the oldest. `created` is sorted."""

    def __init__(self, count: int, now: int) -> None:
        span = _DAYS * 24 * 3600
        self.created = [now - span + isqrt(span * span * (rank + 1) // count) for rank in range(count)]
        self._pool = Random(7).randbytes(8 << 20).hex().encode()
        marked = {
            **_charge(),
            "id": "<id>",
            "amount": "<amount>",
            "created": "<created>",
            "description": "Credits purchased",
        }
        marked["metadata"] |= {"reference": "<unlike>"}
        marked["payment_method_details"]["card"] |= _CARD
        text = json.dumps(marked, indent=2)
        self._parts = [part.encode() for part in re.split('<id>"|"<amount>"|"<created>"|<unlike>', text)]
        # Ids, links and fingerprints are like those of no other charge, and don't compress.
        self._unlike = _BYTES - len(text)

    def render(self, prefix: str, ranks: range) -> Iterator[bytes]:
        to_id, to_amount, to_created, to_unlike, end = self._parts
        for rank in ranks:
            start = rank * 7_919 % (len(self._pool) - self._unlike)
            yield b'%s%s"%s%d%s%d%s%s%s' % (
                to_id, self.id(prefix, rank), to_amount, rank, to_created, self.created[rank], to_unlike,
                self._pool[start : start + self._unlike], end,
            )  # fmt: skip

    @staticmethod
    def id(prefix: str, rank: int) -> bytes:
        return b"%s_%024x" % (prefix.encode(), rank * _SCRAMBLE % _IDS)

    @staticmethod
    def rank(identity: str) -> int:
        return int(identity.partition("_")[2], 16) * _unscramble() % _IDS


@cache
def _unscramble() -> int:
    return pow(_SCRAMBLE, -1, _IDS)


def _charge() -> dict[str, Any]:
    """One of the sandbox company's, whose fields are those of the API document."""
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder, "dataset"), seed=7, customers=10, months=1, events=500, defects="none")
        charges = read_objects(Path(folder, "dataset"), "stripe/charges")
        return next(charge for charge in charges if charge["status"] == "succeeded")


class Api:
    """Answers GET requests. `latency` in seconds; limits in requests a second, each resource for itself and all together."""

    def __init__(self, charges: Charges, latency: float, endpoint_limit: float, account_limit: float) -> None:
        self.latency = latency
        self._charges = charges
        self._account = TokenBucket(account_limit)
        self._endpoints = defaultdict[str, TokenBucket](lambda: TokenBucket(endpoint_limit))
        self._answered = Counter[int]()

    def answer(self, target: str) -> tuple[int, bytes]:
        url = urlsplit(target)
        resource = url.path.rpartition("/")[2]
        if url.path.startswith("/v1/accounts"):
            return 200, b'{"object":"account","settings":{"dashboard":{"display_name":"Tieout"}}}'
        if resource == "answered":
            return 200, json.dumps({"answered": self._answered}).encode()
        allowed = self._account.take() and self._endpoints[resource].take()
        self._answered[200 if allowed else 429] += 1
        if not allowed:
            return 429, b'{"error":{"message":"Request rate limit exceeded.","code":"rate_limit"}}'
        query = dict(parse_qsl(url.query))
        ranks, more = self._page(query) if resource != "events" else (range(0), False)
        body = b",".join(self._charges.render(resource[:2], ranks))
        tail = json.dumps({"has_more": more, "url": url.path}).encode()[1:]
        return 200, b'{"object":"list","data":[%s],%s' % (body, tail)

    def _page(self, query: dict[str, str]) -> tuple[range, bool]:
        created = self._charges.created
        start, end = 0, len(created)
        if (least := query.get("created[gte]")) is not None:
            start = bisect_left(created, int(least))
        if (below := query.get("created[lt]")) is not None:
            end = bisect_left(created, int(below))
        if (most := query.get("created[lte]")) is not None:
            end = bisect_right(created, int(most))
        if (after := query.get("starting_after")) is not None:
            end = min(end, self._charges.rank(after))
        first = max(start, end - int(query.get("limit", 10)))
        return range(end - 1, first - 1, -1), first > start


class Connection(asyncio.Protocol):
    def __init__(self, api: Api) -> None:
        self._api, self._received = api, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            status, body = self._api.answer(head.split(b" ", 2)[1].decode())
            answer = b"HTTP/1.1 %d Told\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
                status, len(body), body,
            )  # fmt: skip
            asyncio.get_running_loop().call_later(self._api.latency, self._transport.write, answer)


async def _serve(api: Api) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(api), "127.0.0.1", 0, backlog=512)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingestion.stripe_server", description=__doc__)
    parser.add_argument("--objects", type=int, default=1_000_000)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds")
    parser.add_argument("--endpoint-limit", type=float, default=float("inf"), help="requests a second")
    parser.add_argument("--account-limit", type=float, default=float("inf"), help="requests a second")
    asked = parser.parse_args()
    charges = Charges(asked.objects, int(time.time()))
    asyncio.run(_serve(Api(charges, asked.latency, asked.endpoint_limit, asked.account_limit)))


if __name__ == "__main__":
    main()
