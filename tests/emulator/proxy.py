"""A BigQuery endpoint: the emulator, behind what BigQuery does and the emulator does not.

Before a query is run GoogleSQL has to take it; a job id is used once; a load that brings columns that the table has not, rows
without what they need, or a JSON column by Parquet, is refused; a column that is added to a table is in its rows too. A test can
let something befall a request.
"""

from __future__ import annotations

import http.client
import io
import json
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

import pyarrow.parquet as pq

from benchmarks.loopback import listening
from tests.emulator.statements import Statements
from tests.referee.values import canonical_type

_JOBS = re.compile(r"(?:/upload)?/bigquery/v2/projects/(?P<project>[^/?]+)/(?P<what>jobs|queries)(?:\?.*)?")
_JOB = re.compile(r"/bigquery/v2/projects/[^/?]+/(?:jobs|queries)/(?P<job>[^/?]+)(?:\?.*)?")
_TABLE = re.compile(
    r"/bigquery/v2/projects/(?P<project>[^/]+)/datasets/(?P<dataset>[^/]+)/tables/(?P<table>[^/?]+)(?:\?.*)?"
)
_JOBS_AT_ONCE = 16
_SECONDS_TO_ANSWER = 5
_PASSED_ON = ("content-type", "content-range", "location", "range")


@dataclass(frozen=True)
class Asked:
    """A request. `job` is the resource that it brings, if it brings one."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    job: Mapping[str, Any] | None

    @property
    def job_id(self) -> str | None:
        return str(self.job["jobReference"]["jobId"]) if self.job and "jobReference" in self.job else None

    @property
    def is_load(self) -> bool:
        return self.job is not None and "load" in self.job.get("configuration", {})


@dataclass(frozen=True)
class Answer:
    """An answer; with `is_lost` the connection is closed instead of it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_lost: bool = False


Fault = Callable[[Asked, Callable[[], Answer]], Answer | None]
"""Told what is asked and how to pass it on; None lets it go its way."""


@dataclass
class Endpoint:
    """`befall` may change what happens to a request. `sent` are the ids of the load jobs that reached the emulator, `refused`
    what was said of the statements that did not."""

    upstream: str
    befall: Fault = lambda asked, passed_on: None
    sent: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    failed: dict[str, dict[str, Any]] = field(default_factory=dict)
    running: dict[str, Future[Answer]] = field(default_factory=dict)
    url: str = ""
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(_JOBS_AT_ONCE))
    _statements: Statements = field(init=False)

    def __post_init__(self) -> None:
        self._statements = Statements(self._fields)

    def answer(self, asked: Asked) -> Answer:
        return self.befall(asked, lambda: self._answered(asked)) or self._answered(asked)

    def fail(self, asked: Asked, reason: str, message: str) -> Answer:
        """The job ends without having done anything, as BigQuery tells of one that failed on its way."""
        said = {"reason": reason, "message": message}
        assert asked.job is not None
        assert asked.job_id is not None
        job = {**asked.job, "id": asked.job_id, "status": {"state": "DONE", "errorResult": said, "errors": [said]}}
        self.failed[asked.job_id] = job
        return reply(200, job)

    def _answered(self, asked: Asked) -> Answer:
        if found := _JOB.fullmatch(asked.path):
            if job := self.failed.get(found["job"]):
                return reply(200, job)
            if (running := self.running.get(found["job"])) and (answer := _yet(running, asked, found["job"])):
                return answer
        if asked.job is not None and (job_id := asked.job_id):
            if job_id in (*self.failed, *self.running) or self._get(
                f"{asked.path.split('?')[0].removeprefix('/upload')}/{job_id}"
            ):
                return error(409, "duplicate", f"Already Exists: Job {job_id}")
            if asked.is_load:
                if said := self._against_load(asked):
                    return self.fail(asked, "invalid", said)
                self.sent.append(job_id)
        if (query := _query(asked)) and (said := self._against_query(asked, query)):
            self.refused.append(said)
            return error(400, "invalidQuery", said)
        if query and asked.job and (job_id := asked.job_id):
            self.running[job_id] = self._pool.submit(self._passed_on, asked)
            return _yet(self.running[job_id], asked, job_id) or self.running[job_id].result()
        answer = self._passed_on(asked)
        if asked.method in ("PATCH", "PUT") and answer.status == 200 and (changed := _TABLE.fullmatch(asked.path)):
            self._grow(changed, json.loads(asked.body).get("schema", {}).get("fields", []))
        return answer

    def _grow(self, table: re.Match[str], fields: list[dict[str, Any]]) -> None:
        """The emulator notes a table's new columns and does not make them."""
        name = "`{project}`.`{dataset}`.`{table}`".format(**table.groupdict())
        path = f"/bigquery/v2/projects/{table['project']}/queries"
        for each in fields:
            added = f"alter table {name} add column if not exists `{each['name']}` {canonical_type(each['type'])}"
            query = json.dumps({"query": added, "useLegacySql": False}).encode()
            self._passed_on(Asked("POST", path, {"content-type": "application/json"}, query, None))

    def _against_query(self, asked: Asked, query: Mapping[str, Any]) -> str | None:
        found = _JOBS.fullmatch(asked.path)
        assert found is not None
        dataset = query.get("defaultDataset", {}).get("datasetId")
        return self._statements.objection(query["query"], found["project"], dataset, query.get("queryParameters") or [])

    def _against_load(self, asked: Asked) -> str | None:
        """BigQuery's documentation, "Loading Parquet data": columns, modes and types."""
        assert asked.job is not None
        load = asked.job["configuration"]["load"]
        to = load["destinationTable"]
        name = f"{to['projectId']}.{to['datasetId']}.{to['tableId']}"
        fields = self._fields(name)
        if fields is None:
            return f"Not found: Table {name}" if load.get("createDisposition") == "CREATE_NEVER" else None
        there = {each["name"]: each for each in fields}
        modes = {each["name"]: each.get("mode") for each in load.get("schema", {}).get("fields", [])}
        if not asked.headers.get("content-type", "").startswith("multipart/related"):
            return None
        content = asked.body[asked.body.index(b"PAR1") : asked.body.rindex(b"PAR1") + 4]
        file = pq.ParquetFile(io.BytesIO(content))
        differs = f"Provided Schema does not match Table {name}."
        for column in file.schema_arrow.names:
            if column not in there:
                return f"{differs} Cannot add fields (field: {column})"
            if there[column]["type"] == "JSON":
                return "Unsupported field type: JSON"
            if there[column].get("mode") == "REQUIRED":
                if modes.get(column) != "REQUIRED":
                    return f"{differs} Field {column} has changed mode from REQUIRED to NULLABLE"
                if file.read([column])[column].null_count:
                    return f"Required column value for column {column} is null"
        return None

    def _fields(self, name: str) -> list[dict[str, Any]] | None:
        project, dataset, table = name.split(".")
        found = self._get(f"/bigquery/v2/projects/{project}/datasets/{dataset}/tables/{table}")
        return None if found is None else list(found.get("schema", {}).get("fields", []))

    def _get(self, path: str) -> dict[str, Any] | None:
        answer = self._passed_on(Asked("GET", path, {}, b"", None))
        return json.loads(answer.body) if answer.status == 200 else None

    def _passed_on(self, asked: Asked) -> Answer:
        connection = http.client.HTTPConnection(self.upstream, timeout=600)
        headers = {
            name: value for name, value in asked.headers.items() if name in ("content-type", "content-range", "host")
        }
        connection.request(asked.method, asked.path, asked.body, headers)
        answered = connection.getresponse()
        kept = {name: value for name, value in answered.getheaders() if name.lower() in _PASSED_ON}
        answer = Answer(answered.status, kept, answered.read())
        connection.close()
        return answer


def _yet(running: Future[Answer], asked: Asked, job_id: str) -> Answer | None:
    """What is said of a query while it runs, or once it has failed: the emulator answers when it is done, BigQuery at once."""
    done, _ = wait([running], _SECONDS_TO_ANSWER)
    if not done:
        job = {**(asked.job or {}), "id": job_id, "jobReference": {"jobId": job_id, "location": "US"}}
        return reply(200, {**job, "jobComplete": False, "status": {"state": "RUNNING"}})
    answer = running.result()
    if answer.status == 200 and (said := json.loads(answer.body).get("status", {}).get("errorResult")):
        # The emulator does not keep a query that failed.
        return answer if "/queries/" not in asked.path else error(400, said["reason"], said["message"])
    return None if answer.status == 200 else answer


def reply(status: int, body: Mapping[str, Any]) -> Answer:
    return Answer(status, {"Content-Type": "application/json"}, json.dumps(body).encode())


def error(status: int, reason: str, message: str) -> Answer:
    """As BigQuery writes one."""
    told = {"message": message, "domain": "global", "reason": reason}
    return reply(status, {"error": {"code": status, "message": message, "errors": [told]}})


def _query(asked: Asked) -> Mapping[str, Any] | None:
    if asked.job is None:
        return None
    query: Mapping[str, Any] | None = (
        asked.job if "query" in asked.job else asked.job.get("configuration", {}).get("query")
    )
    return query


def _job(method: str, path: str, content_type: str, body: bytes) -> Mapping[str, Any] | None:
    """The job that a request brings: as JSON, or as the first part of an upload."""
    if method != "POST" or not _JOBS.fullmatch(path):
        return None
    if content_type.startswith("multipart/related"):
        start = body.index(b"{")
        found, _ = json.JSONDecoder().raw_decode(body[start : body.index(b"PAR1", start)].decode())
    else:
        found = json.loads(body)
    job: Mapping[str, Any] = found
    return job


@contextmanager
def proxied(upstream: str) -> Iterator[Endpoint]:
    """Serve on a free port of this machine. `upstream` is the emulator's host and port."""
    endpoint = Endpoint(upstream)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            if self.path == "/token":  # where a service account's key file says that its tokens are
                answer = reply(200, {"access_token": "emulator", "expires_in": 3600, "token_type": "Bearer"})
            else:
                job = _job(self.command, self.path, headers.get("content-type", ""), body)
                answer = endpoint.answer(Asked(self.command, self.path, headers, body, job))
            if answer.is_lost:
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any

        def log_message(self, format: str, *args: object) -> None:
            pass

    with listening(Handler) as endpoint.url:
        yield endpoint
