"""The company's process: `python -m sandbox.servers`, started by `sandbox.serve`.

The first line on stdin is its orders, the first line on stdout the company's addresses or what kept it from opening, both
JSON. It closes when stdin ends: that is how its parent closes it, and what happens when the parent is killed.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import uvicorn

from sandbox.servers import postgres
from sandbox.servers.collection import DatasetError
from sandbox.servers.http import Application, Receive, Scope, Send, application
from sandbox.servers.orb import EPOCH, Orb, instant, moment
from sandbox.servers.stripe import Limits, Stripe

_STAMP = re.compile(rb'"(?:created|created_at|timestamp)":\s*(?:(\d+)|"([^"]+)")')


def main() -> None:
    orders = msgspec.json.decode(sys.stdin.buffer.readline())
    threading.Thread(target=_interrupt_at_end_of_stdin, daemon=True).start()
    with suppress(KeyboardInterrupt):
        _open(orders)


def _open(orders: Mapping[str, Any]) -> None:
    dataset, state = Path(orders["dataset"]), Path(orders["state"])
    with ExitStack() as opened:
        try:
            opened.enter_context(_locked(state))
            with ThreadPoolExecutor(1) as beside:
                indexed = beside.submit(_apis, dataset, orders)
                app_database_url = opened.enter_context(postgres.serve(dataset, state))
                stripe, orb = indexed.result()
        except (DatasetError, postgres.PostgresError) as error:
            _answer({"error": str(error)})
            return
        except Exception:
            _answer({"error": traceback.format_exc()})
            raise
        listeners = [opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=512)) for _ in range(2)]
        for listener in listeners:
            # Its connections inherit it; without it every small answer waits 40 ms for the client's acknowledgement.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ports = [listener.getsockname()[1] for listener in listeners]
        _answer({"stripe_port": ports[0], "orb_port": ports[1], "app_database_url": app_database_url})
        asyncio.run(_serve(listeners, dict(zip(ports, (stripe, orb), strict=True))))


def _apis(dataset: Path, orders: Mapping[str, Any]) -> tuple[Application, Application]:
    stripe = Stripe(dataset, orders["stripe_api_key"], Limits(**orders["stripe_limits"]))
    orb = Orb(dataset, orders["orb_api_key"], world_clock(dataset), orders["orb_requests_per_second"])
    return application(stripe), application(orb)


def world_clock(dataset: Path) -> datetime:
    """The dataset's `now`; of one that does not say it, the newest moment at which something was created."""
    about = dataset / "dataset.json"
    if about.exists() and (now := msgspec.json.decode(about.read_bytes()).get("now")):
        return moment(instant(now))
    newest = 0
    for path in (*dataset.glob("stripe/*.jsonl"), *dataset.glob("orb/*.jsonl")):
        with path.open("rb") as file:
            for line in file:
                for seconds, iso in _STAMP.findall(line):
                    newest = max(newest, int(seconds) * 1_000_000 if seconds else instant(iso.decode()))
    return moment(newest) if newest else EPOCH


@contextmanager
def _locked(state: Path) -> Iterator[None]:
    with (state / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise postgres.PostgresError(
                f"Another sandbox runs with the state {state}: stop it, or give this one another state directory."
            ) from error
        yield


async def _serve(listeners: list[socket.socket], by_port: Mapping[int, Application]) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await by_port[scope["server"][1]](scope, receive, send)

    config = uvicorn.Config(
        app,
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        # A client that pauses between two pages must not find its connection closed.
        timeout_keep_alive=600,
        timeout_graceful_shutdown=1,
    )
    await uvicorn.Server(config).serve(sockets=listeners)


def _interrupt_at_end_of_stdin() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGINT)


def _answer(line: Mapping[str, object]) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
