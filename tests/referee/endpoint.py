"""As much of BigQuery's REST API as dbt asks for to compile and to run a unit test: which datasets and tables exist, and queries,
which GoogleSQL answers. Where there is none, a query is answered 501: compiling must not need the warehouse."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler
from typing import Any

from benchmarks.loopback import listening
from tests.referee.googlesql import Columns, GoogleSQL, GoogleSQLError

_API = r"/bigquery/v2/projects/(?P<project>[^/]+)"
_CATALOGUE = re.compile(
    _API + r"/datasets(?:/(?P<dataset>[^/]+)(?:/(?P<kind>tables|routines)(?:/(?P<table>[^/]+))?)?)?"
)
_JOB = re.compile(_API + r"/(?P<what>jobs|queries)/(?P<job>[^/]+)")
_RESULTS = "results"
"""The dataset in which the rows of queries stand, as BigQuery has one that it does not list."""


@dataclass
class Endpoint:
    """`tables`: by dataset its tables with their columns; an incremental model compiles its second form when its table is there.

    `refused` has what GoogleSQL said of queries, in the order in which they came.
    """

    tables: dict[str, dict[str, Columns]] = field(default_factory=dict)
    session: GoogleSQL | None = None
    refused: list[str] = field(default_factory=list)
    url: str = ""
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)

    def find(self, path: str) -> dict[str, Any] | None:
        """The body for a GET, None for what does not exist."""
        if job := _JOB.fullmatch(path):
            return self.jobs.get(job["job"])
        asked = _CATALOGUE.fullmatch(path)
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
            known = {"datasetReference": {"projectId": project, "datasetId": dataset}}
            return known if dataset in self.tables else None
        within = self.tables.get(dataset, {})
        if table is None:
            return {"tables": [_table(project, dataset, name, columns) for name, columns in sorted(within.items())]}
        return _table(project, dataset, table, within[table]) if table in within else None

    def drop(self, path: str) -> None:
        asked = _CATALOGUE.fullmatch(path)
        if asked is not None and asked["table"]:
            self.tables.get(asked["dataset"], {}).pop(asked["table"], None)

    def run(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """The job as BigQuery answers it, and kept for who asks for it again. GoogleSQLError: the query is refused."""
        assert self.session is not None
        reference, sql = job["jobReference"], job["configuration"]["query"]["query"]
        try:
            analysis = self.session.analyse(sql)
            columns: Columns
            statement = analysis.statement.DESCRIPTOR.name
            if statement == "ResolvedCreateTableAsSelectStmtProto":
                made: Any = analysis.statement
                while "name_path" not in made.DESCRIPTOR.fields_by_name:
                    made = made.parent
                _, dataset, table = made.name_path
                columns, rows = dict(analysis.columns), []
            elif statement == "ResolvedQueryStmtProto":
                found = self.session.evaluate(sql, {})
                dataset, table, columns, rows = _RESULTS, reference["jobId"], found.columns, list(found.rows)
            else:
                raise GoogleSQLError(f"a unit test asks for {statement}")
        except GoogleSQLError as error:
            self.refused.append(str(error))
            raise
        self.tables.setdefault(dataset, {})[table] = columns
        destination = {"projectId": reference["projectId"], "datasetId": dataset, "tableId": table}
        configuration = {"query": {**job["configuration"]["query"], "destinationTable": destination}}
        kind = "SELECT" if dataset == _RESULTS else "CREATE_TABLE_AS_SELECT"
        answer = {
            "id": reference["jobId"],
            "jobReference": reference,
            "configuration": configuration,
            "status": {"state": "DONE"},
            "statistics": {
                "query": {"statementType": kind, "totalBytesProcessed": "0"},
                "startTime": "0",
                "endTime": "0",
            },
            "jobComplete": True,
            "schema": _schema(columns),
            "rows": [{"f": [{"v": _cell(value)} for value in row]} for row in rows],
            "totalRows": str(len(rows)),
        }
        self.jobs[reference["jobId"]] = answer
        return answer


def _schema(columns: Columns) -> dict[str, Any]:
    return {"fields": [{"name": name, "type": kind, "mode": "NULLABLE"} for name, kind in columns.items()]}


def _table(project: str, dataset: str, table: str, columns: Columns) -> dict[str, Any]:
    reference = {"projectId": project, "datasetId": dataset, "tableId": table}
    described = {"kind": "bigquery#table", "type": "TABLE", "numRows": "0", "schema": _schema(columns)}
    return {**described, "tableReference": reference}


def _cell(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        return str(round(value.timestamp() * 1_000_000))
    return f"{value:f}" if hasattr(value, "as_tuple") else str(value)


@contextmanager
def serve(endpoint: Endpoint) -> Iterator[Endpoint]:
    """Serve on a free port of this machine; `endpoint.url` is the address for the profile's `api_endpoint`."""
    one_at_a_time = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = endpoint.find(self.path.split("?")[0])
            self._send(200, body) if body is not None else self._send(404, _error(404, "notFound", self.path))

        def do_DELETE(self) -> None:
            endpoint.drop(self.path.split("?")[0])
            self._send(200, {})

        def do_POST(self) -> None:
            job = json.loads(self.rfile.read(int(self.headers["Content-Length"] or 0)))
            if endpoint.session is None:
                endpoint.refused.append(json.dumps(job))
                self._send(501, _error(501, "notImplemented", "nothing is run here"))
                return
            try:
                with one_at_a_time:
                    answer = endpoint.run(job)
            except GoogleSQLError as error:
                self._send(400, _error(400, "invalidQuery", str(error)))
            else:
                self._send(200, answer)

        def _send(self, status: int, body: dict[str, Any]) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with listening(Handler) as endpoint.url:
        yield endpoint


def _error(status: int, reason: str, message: str) -> dict[str, Any]:
    return {"error": {"code": status, "message": message, "errors": [{"reason": reason, "message": message}]}}
