"""The sandbox company, open for business: Stripe, Orb, the product's database and the bank's files of one dataset."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from sandbox.servers.stripe import GENEROUS, Limits

STRIPE_API_KEY = "sk_live_sandbox-company"
ORB_API_KEY = "orb-sandbox-company"


class SandboxError(RuntimeError):
    """The company cannot open. Says which file or server is the cause."""


@dataclass(frozen=True)
class Company:
    stripe_api_base: str
    stripe_api_key: str
    orb_api_base: str
    orb_api_key: str
    app_database_url: str
    bank_statements: Path

    def environment(self) -> dict[str, str]:
        """The variables that point the pipeline at this company."""
        return {
            "STRIPE_API_BASE": self.stripe_api_base,
            "STRIPE_API_KEY": self.stripe_api_key,
            "STRIPE_REQUESTS_PER_SECOND": str(int(GENEROUS.account)),
            "ORB_API_BASE": self.orb_api_base,
            "ORB_API_KEY": self.orb_api_key,
            "APP_DATABASE_URL": self.app_database_url,
            "BANK_STATEMENTS": str(self.bank_statements),
        }


@contextmanager
def serve(
    dataset: Path,
    state: Path,
    *,
    stripe_limits: Limits = GENEROUS,
    orb_requests_per_second: float = 10_000,
) -> Iterator[Company]:
    """Open the company of a dataset directory until the context ends.

    `state` keeps the database between runs, so that a reader's cursor stays good; it is loaded anew only when the
    dataset's app files changed. Everything runs in one process beside this one, which ends with it, however that ends.
    Raises SandboxError.
    """
    if not dataset.is_dir():
        raise SandboxError(f"There is no dataset directory {dataset}: generate one with `tieout sandbox generate`.")
    state.mkdir(parents=True, exist_ok=True)
    orders = {
        "dataset": str(dataset.resolve()),
        "state": str(state.resolve()),
        "stripe_api_key": STRIPE_API_KEY,
        "stripe_limits": asdict(stripe_limits),
        "orb_api_key": ORB_API_KEY,
        "orb_requests_per_second": orb_requests_per_second,
    }
    log = state / "servers.log"
    with (
        log.open("wb") as output,
        # Its own session: Ctrl-C reaches this process only, which then closes the company in order.
        subprocess.Popen(
            [sys.executable, "-m", "sandbox.servers"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            cwd=Path(__file__).parents[1],
            start_new_session=True,
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(msgspec.json.encode(orders) + b"\n")
            process.stdin.flush()
            answer = process.stdout.readline()
            opened = msgspec.json.decode(answer) if answer else {"error": f"its process ended; see {log}"}
            if "error" in opened:
                raise SandboxError(f"The sandbox company cannot open: {opened['error']}")
            yield Company(
                stripe_api_base=f"http://127.0.0.1:{opened['stripe_port']}",
                stripe_api_key=STRIPE_API_KEY,
                orb_api_base=f"http://127.0.0.1:{opened['orb_port']}/v1",
                orb_api_key=ORB_API_KEY,
                app_database_url=opened["app_database_url"],
                bank_statements=dataset / "bank",
            )
        finally:
            process.stdin.close()
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
