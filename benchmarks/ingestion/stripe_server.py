"""Stripe's lists, fast enough never to be what a benchmark measures: `python -m benchmarks.ingestion.stripe_server`.

Charges of 3 KB are rendered on the way out, so that a million need no memory and differ as real ones do. Their history is a
growing company's: half of all in the last 30 of 100 days. Any /v1/<resource> lists them under ids of its own; events are none.
Prints its port, and ends when its stdin does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from math import isqrt
from random import Random
from urllib.parse import parse_qsl, urlsplit

from sandbox.servers.http import TokenBucket

_BYTES = 3_000
_UNLIKE = 700
"""Of a charge's bytes so many are like those of no other: ids, links and fingerprints, which don't compress."""
_DAYS = 100
_SCRAMBLE, _IDS = 0x9E3779B97F4A7C15F39CC0605CEDC835 | 1, 1 << 96

_CHARGE = {
    "id": "<id>",
    "object": "charge",
    "amount": "<amount>",
    "balance_transaction": "txn_3MmlLrLkdIwHu7ix0uke3Ezy",
    "billing_details": {
        "address": {
            "city": "Paris",
            "country": "FR",
            "line1": "1 rue de la Paix",
            "line2": None,
            "postal_code": "75002",
        },
        "email": "billing@birch-works.example",
        "name": "Birch Works",
        "phone": "+33123456789",
    },
    "captured": True,
    "created": "<created>",
    "currency": "usd",
    "customer": "cus_9s6XKzkNRiz8i3",
    "livemode": True,
    "metadata": {"purpose": "top_up", "reference": "<unlike>"},
    "outcome": {
        "network_status": "approved_by_network",
        "risk_level": "normal",
        "risk_score": 32,
        "type": "authorized",
    },
    "paid": True,
    "payment_intent": "pi_3MmlLrLkdIwHu7ix0rF3xbjY",
    "payment_method_details": {
        "card": {
            "brand": "visa",
            "country": "FR",
            "exp_month": 8,
            "exp_year": 2030,
            "last4": "4242",
            "network": "visa",
        },
        "type": "card",
    },
    "receipt_email": "billing@birch-works.example",
    "refunded": False,
    "shipping": None,
    "statement_descriptor": "TIEOUT SANDBOX",
    "status": "succeeded",
    "description": "Credits purchased.",
}


class Charges:
    """The objects there are, by rank: 0 is the oldest. `created` is sorted."""

    def __init__(self, count: int, now: int) -> None:
        span = _DAYS * 24 * 3600
        self.created = [now - span + isqrt(span * span * (rank + 1) // count) for rank in range(count)]
        self._pool = Random(7).randbytes(8 << 20).hex().encode()
        padded = {**_CHARGE, "description": "x"}
        length = len(json.dumps(padded, indent=2)) + _UNLIKE
        text = json.dumps({**_CHARGE, "description": "Credits purchased. ".ljust(_BYTES - length, ".")}, indent=2)
        marks = ('<id>"', '"<amount>"', '"<created>"', "<unlike>")
        self._parts = []
        for mark in marks:
            before, text = text.split(mark)
            self._parts.append(before.encode())
        self._parts.append(text.encode())

    def render(self, prefix: str, ranks: range) -> Iterator[bytes]:
        to_id, to_amount, to_created, to_unlike, end = self._parts
        for rank in ranks:
            start = rank * 7_919 % (len(self._pool) - _UNLIKE)
            yield b'%s%s"%s%d%s%d%s%s%s' % (
                to_id, self.id(prefix, rank), to_amount, rank, to_created, self.created[rank], to_unlike,
                self._pool[start : start + _UNLIKE], end,
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
            return 200, json.dumps({"answered": self._answered, "at": time.monotonic()}).encode()
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
