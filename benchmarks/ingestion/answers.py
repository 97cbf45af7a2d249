"""How long sources take to answer: relays between clients and servers, whatever protocol they speak.

They run in a process of their own, for in the client's they would take some of its time and count it as the servers'.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection

_CHUNK = 1 << 16
Address = tuple[str, int] | str
"""Host and port, or the path of a socket."""


@dataclass(frozen=True)
class Answers:
    """`ports`: where the relays listen, in the order of the servers' addresses."""

    ports: Sequence[int]
    pipe: Connection

    def seconds_since(self, moment: float) -> float:
        """For how much of the time since `moment` (`time.monotonic()`) some client waited for some server."""
        self.pipe.send(moment)
        seconds: float = self.pipe.recv()
        return seconds


@contextmanager
def relayed(*servers: Address) -> Iterator[Answers]:
    """A relay on this machine's loopback for each of these servers."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_run, args=(servers, theirs), daemon=True)
    process.start()
    try:
        yield Answers(ours.recv(), ours)
    finally:
        # where SIGTERM is ignored, as of what a shell runs behind nohup, the relay would go on and be waited for
        process.kill()
        process.join()


def _run(servers: Sequence[Address], pipe: Connection) -> None:
    asyncio.run(_relay(servers, pipe))


async def _relay(servers: Sequence[Address], pipe: Connection) -> None:
    conversations: list[_Conversation] = []
    relays = [
        await asyncio.start_server(partial(_relayed, server, conversations), "127.0.0.1", 0) for server in servers
    ]

    def tell() -> None:
        moment = pipe.recv()
        pipe.send(_covered([wait for each in conversations for wait in each.waits if wait[0] >= moment]))

    asyncio.get_running_loop().add_reader(pipe.fileno(), tell)
    pipe.send([relay.sockets[0].getsockname()[1] for relay in relays])
    await asyncio.gather(*(relay.serve_forever() for relay in relays))


@dataclass
class _Conversation:
    """Of one connection, from each request's first byte to the last that came back before the next request."""

    waits: list[tuple[float, float]] = field(default_factory=lambda: [(time.monotonic(), time.monotonic())])
    is_answered: bool = False

    def asked(self) -> None:
        if self.is_answered:
            self.waits.append((time.monotonic(), time.monotonic()))
            self.is_answered = False

    def answered(self) -> None:
        self.waits[-1] = (self.waits[-1][0], time.monotonic())
        self.is_answered = True


async def _relayed(
    server: Address,
    conversations: list[_Conversation],
    from_client: asyncio.StreamReader,
    to_client: asyncio.StreamWriter,
) -> None:
    conversation = _Conversation()
    conversations.append(conversation)
    opening = asyncio.open_unix_connection(server) if isinstance(server, str) else asyncio.open_connection(*server)
    from_server, to_server = await opening

    async def pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter, is_answer: bool) -> None:
        while chunk := await source.read(_CHUNK):
            conversation.answered() if is_answer else conversation.asked()
            target.write(chunk)
            await target.drain()
        target.close()

    await asyncio.gather(pass_on(from_client, to_server, False), pass_on(from_server, to_client, True))


def _covered(waits: Sequence[tuple[float, float]]) -> float:
    """Seconds that lie in at least one of the waits."""
    seconds = until = 0.0
    for start, end in sorted(waits):
        seconds += max(0.0, end - max(start, until))
        until = max(until, end)
    return seconds
