"""The only reader of the environment. Every variable is described in `.env.example`."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path


class MissingSetting(Exception):
    """One sentence that names the variable, what it is for, and where it is described."""


PRODUCTION = "tieout"
"""The value of BIGQUERY_DATASET that stands for no prefix."""

STORE = "gs:"
"""How the path of a lake in Google Cloud Storage begins."""

_CHANNEL = "TIEOUT_CHANNEL_"
_TARGETS = ("duckdb", "bigquery")
_METHODS = ("oauth", "service-account", "oauth-secrets")


@dataclass(frozen=True)
class Secret:
    """A value that never prints itself: `reveal` is the one way to it."""

    value: str

    def reveal(self) -> str:
        return self.value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__


@dataclass(frozen=True)
class BigQuery:
    """The project that is the warehouse, and who asks it: a service account's key file, a token, or neither, which is Google's
    application-default credentials; with `impersonate` in the name of that service account.

    Layers are built into datasets called like them, with `dataset` in front if it is not production's, `tieout`. A query that
    would be billed for more bytes than `most_bytes` is refused. `policy_tag` is put on the columns that hold personal data.
    """

    project: str
    location: str
    endpoint: str
    dataset: str
    key_file: Path | None
    token: Secret | None
    impersonate: str | None
    most_bytes: int | None
    policy_tag: str | None

    def layer(self, name: str) -> str:
        """The dataset that a layer of the dbt project is built into."""
        return name if self.dataset == PRODUCTION else f"{self.dataset}_{name}"


@dataclass(frozen=True)
class Settings:
    """Whose books they are, and where sources, lake and warehouse are. Credentials may be absent until a source is required.

    The warehouse is the DuckDB file, or `bigquery` where that is there. A lake in an object store is `gs:/bucket/folder`.
    `channels` are where alerts are told, by name; `heartbeat_url` is the monitor that is told of each run's end.
    """

    entity: str
    home: Path
    warehouse: Path
    bigquery: BigQuery | None
    lake: Path
    stripe_api_key: Secret | None
    stripe_api_base: str
    stripe_requests_per_second: int | None
    orb_api_key: Secret | None
    orb_api_base: str
    app_database_url: Secret | None
    bank_statements: Path | None
    channels: Mapping[str, Secret]
    heartbeat_url: Secret | None

    def require(self, sources: Collection[str]) -> None:
        """Raise `MissingSetting` when a credential of one of these sources is absent."""
        needed = {
            "stripe": ("STRIPE_API_KEY", self.stripe_api_key),
            "orb": ("ORB_API_KEY", self.orb_api_key),
            "app": ("APP_DATABASE_URL", self.app_database_url),
            "bank": ("BANK_STATEMENTS", self.bank_statements),
        }
        missing = [name for source, (name, value) in needed.items() if source in sources and value is None]
        if missing:
            verb = "is" if len(missing) == 1 else "are"
            raise MissingSetting(
                f"{', '.join(missing)} {verb} not set: .env.example describes every variable; "
                "`tieout demo` needs none of them."
            )
        if "bank" in sources and self.bank_statements is not None and not self.bank_statements.is_dir():
            raise MissingSetting(
                f"BANK_STATEMENTS names {self.bank_statements}, which is not a directory: see .env.example."
            )


def read_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings as the environment has them; an empty variable counts as absent."""

    def secret(name: str) -> Secret | None:
        return Secret(environ[name]) if environ.get(name) else None

    def count(name: str) -> int | None:
        text = environ.get(name)
        if text and not (text.isdecimal() and int(text)):
            raise MissingSetting(f"{name} is {text!r}, which is no whole number above zero: see .env.example.")
        return int(text) if text else None

    home = Path(environ.get("TIEOUT_HOME") or ".tieout").absolute()
    lake = Path(environ.get("TIEOUT_LAKE") or home / "lake")
    target = environ.get("DBT_TARGET") or _TARGETS[0]
    if target not in _TARGETS:
        raise MissingSetting(f"DBT_TARGET is {target!r}; there are {' and '.join(_TARGETS)}: see .env.example.")
    is_stored = lake.parts[:1] == (STORE,)
    if is_stored and target == "duckdb":
        raise MissingSetting(
            f"TIEOUT_LAKE is {environ['TIEOUT_LAKE']}, which DuckDB does not read in place: name a directory, or load BigQuery "
            "from it with DBT_TARGET=bigquery."
        )
    statements = environ.get("BANK_STATEMENTS")
    return Settings(
        entity=environ.get("TIEOUT_ENTITY") or "",
        home=home,
        warehouse=Path(environ.get("TIEOUT_WAREHOUSE") or home / "tieout.duckdb").absolute(),
        bigquery=_bigquery(environ, secret, count) if target == "bigquery" else None,
        lake=lake if is_stored else lake.absolute(),
        stripe_api_key=secret("STRIPE_API_KEY"),
        stripe_api_base=environ.get("STRIPE_API_BASE") or "https://api.stripe.com",
        stripe_requests_per_second=count("STRIPE_REQUESTS_PER_SECOND"),
        orb_api_key=secret("ORB_API_KEY"),
        orb_api_base=environ.get("ORB_API_BASE") or "https://api.withorb.com/v1",
        app_database_url=secret("APP_DATABASE_URL"),
        bank_statements=Path(statements).absolute() if statements else None,
        channels={
            name.removeprefix(_CHANNEL).lower(): Secret(value)
            for name, value in environ.items()
            if name.startswith(_CHANNEL) and value
        },
        heartbeat_url=secret("TIEOUT_HEARTBEAT_URL"),
    )


def _bigquery(
    environ: Mapping[str, str], secret: Callable[[str], Secret | None], count: Callable[[str], int | None]
) -> BigQuery:
    method = environ.get("BIGQUERY_METHOD") or _METHODS[0]
    needed = {"service-account": "BIGQUERY_KEY_FILE", "oauth-secrets": "BIGQUERY_TOKEN"}
    if method not in _METHODS:
        raise MissingSetting(f"BIGQUERY_METHOD is {method!r}; there are {', '.join(_METHODS)}: see .env.example.")
    for name in ("BIGQUERY_PROJECT", *([needed[method]] if method in needed else [])):
        if not environ.get(name):
            raise MissingSetting(
                f"{name} is not set, and DBT_TARGET is bigquery: .env.example describes every variable."
            )
    key_file = environ.get("BIGQUERY_KEY_FILE")
    if method == "service-account" and key_file and not Path(key_file).is_file():
        raise MissingSetting(f"BIGQUERY_KEY_FILE names {key_file}, which is not a file: see .env.example.")
    return BigQuery(
        project=environ["BIGQUERY_PROJECT"],
        location=environ.get("BIGQUERY_LOCATION") or "US",
        endpoint=environ.get("BIGQUERY_ENDPOINT") or "https://bigquery.googleapis.com",
        dataset=environ.get("BIGQUERY_DATASET") or PRODUCTION,
        key_file=Path(key_file) if method == "service-account" and key_file else None,
        token=secret("BIGQUERY_TOKEN") if method == "oauth-secrets" else None,
        impersonate=environ.get("BIGQUERY_IMPERSONATE") or None,
        most_bytes=count("BIGQUERY_MAXIMUM_BYTES_BILLED"),
        policy_tag=environ.get("BIGQUERY_POLICY_TAG") or None,
    )
