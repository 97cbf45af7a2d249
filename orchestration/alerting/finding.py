"""A finding is one thing that is wrong now. The same thing found again has the same fingerprint, however it is worded."""

from __future__ import annotations

import hashlib
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """What an alert can be about. The name is that of its page in docs/runbooks."""

    RUN_FAILED = "run_failed"
    CHECK_FAILED = "check_failed"
    NOT_FRESH = "not_fresh"
    CERTIFICATE_MISSING = "certificate_missing"
    BREAK_OVER_LIMIT = "break_over_limit"
    EXCEPTION_EXPIRED = "exception_expired"

    @property
    def is_of_marts(self) -> bool:
        """Found by looking at the marts; the others in what Dagster keeps of its runs."""
        return self in (Kind.CERTIFICATE_MISSING, Kind.BREAK_OVER_LIMIT, Kind.EXCEPTION_EXPIRED)


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong. `subject` tells it from others of its kind: a job, an asset, a source, a cause, a break.

    `parts` are what of the subject is affected (steps, checks, streams): one more is news. `amounts` are exact, by currency (in
    the metered hop by metric). `level` is how bad its check calls it. `breaks` and `customers` are in order of money. `since` is
    when it began, as far as that is known. `explained_by` is the finding that it is a consequence of.
    """

    kind: Kind
    subject: str
    what: str
    remedy: str
    since: datetime
    parts: tuple[str, ...] = ()
    amounts: dict[str, Decimal] = {}
    customers: tuple[str, ...] = ()
    breaks: tuple[str, ...] = ()
    asset: tuple[str, ...] = ()
    run_id: str | None = None
    level: str | None = None
    owner: str | None = None
    explained_by: str | None = None

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(f"{self.kind}/{self.subject}".encode()).hexdigest()[:12]

    @property
    def money(self) -> str:
        """Digit for digit; no two currencies are added."""
        return ", ".join(f"{amount:,f} {unit}" for unit, amount in self.amounts.items())
