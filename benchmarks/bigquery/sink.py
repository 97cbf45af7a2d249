"""A BigQuery that takes everything at once and keeps nothing: what is left of a load is what this machine does for it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any

from benchmarks.loopback import listening

_CHUNK = 1 << 20
_TABLE = re.compile(r"/bigquery/v2/projects/([^/]+)/datasets/([^/]+)/tables/([^/?]+)")
_JOB_ID = re.compile(rb'"jobId": ?"([^"]+)"')


@dataclass
class Sink:
    """How many bytes of load jobs it was handed, and in how many jobs."""

    url: str = ""
    handed: int = 0
    jobs: int = 0


@contextmanager
def sunk(schema: list[dict[str, str]]) -> Iterator[Sink]:
    """Serve on a free port of this machine. Every table has this schema, and nothing in it."""
    sink, lock = Sink(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if table := _TABLE.match(self.path):
                reference = dict(zip(("projectId", "datasetId", "tableId"), table.groups(), strict=True))
                self._send(
                    {"tableReference": reference, "schema": {"fields": schema}, "creationTime": "1", "type": "TABLE"}
                )
            elif "/datasets/" in self.path:
                self._send({"datasetReference": {"projectId": "p", "datasetId": "d"}, "location": "US"})
            else:
                self._send(
                    {"jobComplete": True, "totalRows": "0", "schema": {"fields": []}, "jobReference": {"jobId": "q"}}
                )

        def do_POST(self) -> None:
            body = self._body()
            job_id = found[1].decode() if (found := _JOB_ID.search(body)) else ""
            if "uploadType=resumable" in self.path:
                self._send({}, Location=f"{sink.url}/upload/{job_id}")
            elif "uploadType=multipart" in self.path:
                self._take(1)
                self._send(_job(job_id, "load"))
            else:
                self._send(_job(job_id, "query"))

        def do_PUT(self) -> None:
            self._body()
            _, _, place = self.headers["Content-Range"].partition(" ")
            sent, total = place.split("/")
            last = sent.rpartition("-")[2]
            is_whole = int(last) + 1 == int(total)
            self._take(int(is_whole))
            if is_whole:
                self._send(_job(self.path.rpartition("/")[2], "load"))
            else:
                self._send({}, 308, Range=f"bytes=0-{last}")

        def _take(self, jobs: int) -> None:
            with lock:
                sink.handed += int(self.headers["Content-Length"])
                sink.jobs += jobs

        def _body(self) -> bytes:
            """The beginning of it; the rest is read and forgotten."""
            left, head = int(self.headers["Content-Length"] or 0), b""
            while left:
                part = self.rfile.read(min(_CHUNK, left))
                head, left = head or part, left - len(part)
            return head

        def _send(self, body: dict[str, Any], status: int = 200, **headers: str) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Type": "application/json"}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with listening(Handler) as sink.url:
        yield sink


def _job(job_id: str, kind: str) -> dict[str, Any]:
    return {
        "id": job_id,
        "jobReference": {"projectId": "p", "jobId": job_id, "location": "US"},
        "configuration": {kind: {"query": "select 1"} if kind == "query" else {}},
        "status": {"state": "DONE"},
        "statistics": {kind: {}},
    }
