"""As much of BigQuery's REST API as `dbt compile` asks for: which datasets and tables exist. It runs no query: one that
reaches it is answered 501 and kept in `queries`, for compiling must not need the warehouse."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_PATH = re.compile(
    r"/bigquery/v2/projects/(?P<project>[^/]+)/datasets(?:/(?P<dataset>[^/]+)(?:/(?P<kind>tables|routines)(?:/(?P<table>[^/]+))?)?)?"
)


@dataclass
class BigQueryStub:
    """`tables`: dataset to the tables in it; an incremental model compiles its second form when its table is there."""

    tables: Mapping[str, frozenset[str]] = field(default_factory=dict)
    queries: list[str] = field(default_factory=list)
    endpoint: str = ""

    def answer(self, path: str) -> dict[str, Any] | None:
        """The body for a GET, None for what does not exist."""
        asked = _PATH.fullmatch(path.split("?")[0])
        if asked is None:
            return None
        project, dataset, kind, table = asked.group("project", "dataset", "kind", "table")
        if kind == "routines":
            return {}  # a 404 here makes dbt forget the tables it has just listed
        if dataset is None:
            return {
                "datasets": [{"datasetReference": {"projectId": project, "datasetId": name}} for name in self.tables]
            }
        if kind is None:
            return (
                {"datasetReference": {"projectId": project, "datasetId": dataset}} if dataset in self.tables else None
            )
        if table is None:
            return {"tables": [_table(project, dataset, name) for name in sorted(self.tables.get(dataset, ()))]}
        return _table(project, dataset, table) if table in self.tables.get(dataset, ()) else None


def _table(project: str, dataset: str, table: str) -> dict[str, Any]:
    reference = {"projectId": project, "datasetId": dataset, "tableId": table}
    return {"kind": "bigquery#table", "type": "TABLE", "schema": {"fields": []}, "tableReference": reference}


@contextmanager
def serve(stub: BigQueryStub) -> Iterator[BigQueryStub]:
    """Serve on a free port of this machine; `stub.endpoint` is the address for the profile's `api_endpoint`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = stub.answer(self.path)
            self._send(200 if body is not None else 404, body if body is not None else _error(404, "notFound"))

        def do_POST(self) -> None:
            stub.queries.append(self.rfile.read(int(self.headers["Content-Length"] or 0)).decode())
            self._send(501, _error(501, "notImplemented"))

        def _send(self, status: int, body: dict[str, Any]) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    stub.endpoint = f"http://127.0.0.1:{server.server_port}"
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _error(status: int, reason: str) -> dict[str, Any]:
    return {"error": {"code": status, "message": reason, "errors": [{"reason": reason}]}}
