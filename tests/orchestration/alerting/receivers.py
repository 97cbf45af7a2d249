"""Receivers on this machine: the vendors' own host names behind a proxy that ends their TLS, and plain webhooks.

What is sent is the real client's, to the real address, over TLS that it verifies; `environment` points it here. A vendor's
receiver holds each payload against the shape that the vendor publishes, and refuses another one with a 400.
"""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jsonschema
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

SHAPES = {
    "hooks.slack.com": ("slack", 200, "ok"),
    "events.pagerduty.com": ("pagerduty", 202, '{"status": "success", "message": "Event processed"}'),
    "prod-01.westeurope.logic.azure.com": ("teams", 202, ""),
}


@dataclass(frozen=True)
class Received:
    """A request that arrived: `host` is that of its address."""

    host: str
    path: str
    payload: Any


@dataclass
class Receiver:
    """Keeps what arrives. What `is_down` says of an address is answered with 503. `taken` is called between the arrival of a
    request and its answer, and says whether there is to be one; `answered` after it."""

    port: int
    certificate: Path
    received: list[Received] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    is_down: Callable[[str], bool] = lambda path: False
    taken: Callable[[Received], bool] = lambda received: True
    answered: Callable[[Received], None] = lambda received: None

    @property
    def environment(self) -> dict[str, str]:
        return {"HTTPS_PROXY": f"http://127.0.0.1:{self.port}", "REQUESTS_CA_BUNDLE": str(self.certificate)}

    def of(self, host: str) -> list[Any]:
        return [one.payload for one in self.received if one.host == host]


@contextmanager
def receiving(folder: Path) -> Iterator[Receiver]:
    """A receiver on a free port of this machine; the certificate that it is trusted by is written into the folder."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_certificate(folder))

    class Service(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            if len(text := self.rfile.read(length)) < length:
                # Its sender died over it.
                return None
            host = self.headers["Host"].split(":")[0]
            one = Received(host, self.path, json.loads(text))
            shape, status, answer = SHAPES.get(host, ("", 200, "OK"))
            if receiver.is_down(host):
                return self._answer(503, "down")
            if shape and (wrong := _wrong(shape, one.payload)):
                receiver.refused.append(wrong)
                return self._answer(400, wrong)
            receiver.received.append(one)
            if receiver.taken(one):
                self._answer(status, answer)
                receiver.answered(one)
            return None

        def _answer(self, status: int, text: str) -> None:
            with suppress(OSError):
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

        def do_CONNECT(self) -> None:
            self.send_response(200)
            self.end_headers()
            with suppress(OSError), context.wrap_socket(self.connection, server_side=True) as inner:
                Service(inner, self.client_address, self.server)

        def log_message(self, format: str, *arguments: object) -> None:
            """What arrives is kept, not printed."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        receiver = Receiver(server.server_port, folder / "receiver.pem")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield receiver
        server.shutdown()
        thread.join()


def _wrong(shape: str, payload: Any) -> str | None:
    schema = json.loads(Path(__file__).with_name("shapes").joinpath(f"{shape}.json").read_text())
    error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema).iter_errors(payload))
    return f"{shape}: {error.json_path}: {error.message}" if error else None


def _certificate(folder: Path) -> Path:
    """Of all vendors' names, signed by itself; with its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "receivers under test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(host) for host in (*SHAPES, "hc-ping.com")]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "receiver.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return file
