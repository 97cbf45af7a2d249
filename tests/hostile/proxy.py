"""A proxy between the real clients and the company: it lets an answer pass, or lets something happen to it."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from random import Random
from urllib.parse import parse_qsl, urlencode, urlsplit

from ingestion.streams import Stream
from tests.hostile.company import READ, Company
from tests.hostile.faults import Answer, Fault, Passing, key_expired, time_out

# With it a closed connection is a reset one.
_NO_LINGER = struct.pack("ii", 1, 0)
_PLACES = ("created", "cursor", "limit", "starting_after")


class Weather:
    """What befalls the answers of one run: one of `faults`, each time with this probability, from one seed."""

    def __init__(self, faults: Sequence[Fault], probability: float, seed: int) -> None:
        self.seen: Counter[str] = Counter()
        """How many answers each fault changed."""
        self._faults, self._probability, self._chance = list(faults), probability, Random(seed)

    def over(self, answer: Answer, before: Answer | None, meanwhile: Callable[[], None]) -> Answer:
        if not self._faults or self._chance.random() >= self._probability:
            return answer
        fault = self._chance.choice(self._faults)
        if fault is time_out:  # Once a run: it costs the client more than a minute.
            self._faults.remove(fault)
        if fault is key_expired:
            self._faults, self._probability = [key_expired], 1.0
        befallen = fault(Passing(answer, before, self._chance, meanwhile))
        self.seen[fault.__name__] += befallen is not answer
        return befallen


@contextmanager
def proxied(company: Company, weather: Weather, seed: int) -> Iterator[dict[str, str]]:
    """The company's environment with both APIs behind the weather."""
    loop, chance = asyncio.new_event_loop(), Random(seed)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    environment = dict(company.environment)
    servers = []
    try:
        for name, source in (("STRIPE_API_BASE", "stripe"), ("ORB_API_BASE", "orb")):
            address = urlsplit(environment[name])
            streams = [stream for stream in READ if stream.source == source]
            meanwhile = partial(_change_one, company, streams, chance)
            behind = partial(_connected, weather, address.netloc, {}, meanwhile)
            starting = asyncio.run_coroutine_threadsafe(asyncio.start_server(behind, "127.0.0.1", 0), loop)
            servers.append(starting.result())
            port = servers[-1].sockets[0].getsockname()[1]
            environment[name] = address._replace(netloc=f"127.0.0.1:{port}").geturl()
        yield environment
    finally:
        for server in servers:
            loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _change_one(company: Company, streams: Sequence[Stream], chance: Random) -> None:
    company.change(chance.choice(streams))


async def _connected(
    weather: Weather,
    address: str,
    pages: dict[str, Answer],
    meanwhile: Callable[[], None],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """Answer the requests of one connection. `pages`: the last true answer of each list."""
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        while True:
            head, body = await _message(reader)
            answer = await _forwarded(address, head, body)
            asked = _list_of(head.split(b" ", 2)[1].decode("latin-1"))
            befallen = weather.over(answer, pages.get(asked), meanwhile)
            pages[asked] = answer
            await asyncio.sleep(befallen.stall)
            if befallen.is_reset:
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
                writer.transport.abort()
                return
            writer.write(_head(befallen) + befallen.body[: befallen.sent])
            await writer.drain()
            if befallen.sent is not None:
                break
    writer.close()


def _list_of(target: str) -> str:
    """What is asked for, without what says which part or page of it. The transactions of two payouts are two lists: nothing in
    an answer would tell one for the other."""
    url = urlsplit(target)
    kept = [pair for pair in parse_qsl(url.query) if not pair[0].startswith(_PLACES)]
    return f"{url.path}?{urlencode(kept)}"


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Head and body of a request or an answer whose length is told."""
    head = await reader.readuntil(b"\r\n\r\n")
    return head, await reader.readexactly(int(_headers(head).get("content-length", "0")))


async def _forwarded(address: str, head: bytes, body: bytes) -> Answer:
    reader, writer = await asyncio.open_connection(*address.split(":"))
    writer.write(head + body)
    answered, content = await _message(reader)
    writer.close()
    return Answer(int(answered.split(b" ", 2)[1]), _headers(answered), content)


def _headers(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n")[1:]
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}


def _head(answer: Answer) -> bytes:
    headers = {**answer.headers, "content-length": str(len(answer.body))}
    lines = [f"HTTP/1.1 {answer.status} Told", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
