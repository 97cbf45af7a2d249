"""The only reader of the environment. Every variable is described in `.env.example`."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path


class MissingSetting(Exception):
    """One sentence that names the variable, what it is for, and where it is described."""


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
class Settings:
    """Whose books they are, and where sources, lake and warehouse are. Credentials may be absent until a source is required."""

    entity: str
    home: Path
    warehouse: Path
    lake: Path
    stripe_api_key: Secret | None
    stripe_api_base: str
    stripe_requests_per_second: int | None
    orb_api_key: Secret | None
    orb_api_base: str
    app_database_url: Secret | None
    bank_statements: Path | None

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
    statements = environ.get("BANK_STATEMENTS")
    return Settings(
        entity=environ.get("TIEOUT_ENTITY") or "",
        home=home,
        warehouse=Path(environ.get("TIEOUT_WAREHOUSE") or home / "tieout.duckdb").absolute(),
        lake=Path(environ.get("TIEOUT_LAKE") or home / "lake").absolute(),
        stripe_api_key=secret("STRIPE_API_KEY"),
        stripe_api_base=environ.get("STRIPE_API_BASE") or "https://api.stripe.com",
        stripe_requests_per_second=count("STRIPE_REQUESTS_PER_SECOND"),
        orb_api_key=secret("ORB_API_KEY"),
        orb_api_base=environ.get("ORB_API_BASE") or "https://api.withorb.com/v1",
        app_database_url=secret("APP_DATABASE_URL"),
        bank_statements=Path(statements).absolute() if statements else None,
    )
