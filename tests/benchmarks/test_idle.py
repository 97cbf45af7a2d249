"""The benchmark of idle syncs in small: what it measures, not how fast it is."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

from benchmarks import measure
from benchmarks.ingestion import idle
from benchmarks.ingestion.answers import _covered, relayed
from ingestion.streams import stream_named


def test_the_relay_passes_every_byte_on_and_tells_how_long_the_answers_took() -> None:
    def echo() -> None:
        connection, _ = listener.accept()
        with connection:
            while request := connection.recv(1 << 20):
                connection.sendall(request)

    with socket.create_server(("127.0.0.1", 0)) as listener, relayed(listener.getsockname()) as answers:
        threading.Thread(target=echo, daemon=True).start()
        started = time.monotonic()
        with socket.create_connection(("127.0.0.1", answers.ports[0])) as client:
            for request in (b"a", b"b" * 500_000):
                client.sendall(request)
                answer = b""
                while len(answer) < len(request):
                    answer += client.recv(1 << 20)
                assert answer == request
        waited, passed = answers.seconds_since(started), time.monotonic() - started
        assert 0 < waited < passed
        assert answers.seconds_since(time.monotonic()) == 0


def test_waits_at_the_same_time_count_once() -> None:
    assert _covered([(10.0, 12.0), (11.0, 13.0), (11.5, 11.6), (20.0, 20.5)]) == 3.5


def test_the_idle_benchmark_lands_nothing_in_its_rounds_and_ends_with_its_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(measure, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(idle, "_TIMES", 2)
    streams = ["app.customers", "stripe.charges", "orb.items", "bank.statement_lines"]
    monkeypatch.setattr(idle, "STREAMS", [stream_named(name) for name in streams])
    small = ["--customers", "12", "--months", "1", "--events", "500", "--rounds", "1"]
    monkeypatch.setattr(sys, "argv", ["idle", *small])
    idle.main()
    assert capsys.readouterr().out.splitlines()[-1].startswith("idle: ")
    table = json.loads((tmp_path / "results" / "idle.json").read_text())["table"]
    assert [row["what"] for row in table] == [
        f"{what}, {months} months" for months in (1, 2) for what in ("sync", "certificates")
    ]
    assert all(0 < row["own s"] < row["s"] for row in table)
