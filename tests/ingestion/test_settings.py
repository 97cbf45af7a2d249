from __future__ import annotations

import re
from pathlib import Path

import pytest

from ingestion.settings import MissingSetting, read_settings

ROOT = Path(__file__).parents[2]


def test_a_missing_credential_is_one_sentence_that_names_the_variable_and_where_it_is_described() -> None:
    with pytest.raises(MissingSetting) as raised:
        read_settings({}).require(["stripe"])
    assert str(raised.value).startswith("STRIPE_API_KEY is not set: .env.example describes every variable")


def test_all_missing_credentials_are_named_at_once() -> None:
    with pytest.raises(
        MissingSetting, match="STRIPE_API_KEY, ORB_API_KEY, APP_DATABASE_URL, BANK_STATEMENTS are not set"
    ):
        read_settings({"STRIPE_API_KEY": ""}).require(["stripe", "orb", "app", "bank"])


def test_a_secret_never_prints_itself() -> None:
    settings = read_settings({"STRIPE_API_KEY": "sk_live_hidden", "APP_DATABASE_URL": "postgresql://u:hidden@h/d"})
    assert "hidden" not in f"{settings} {settings!r} {settings.stripe_api_key}"


def test_a_statements_directory_that_is_none_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(MissingSetting, match="is not a directory"):
        read_settings({"BANK_STATEMENTS": str(tmp_path / "nowhere")}).require(["bank"])


def test_every_variable_that_is_read_is_described_in_env_example() -> None:
    described = (ROOT / ".env.example").read_text()
    readers = [ROOT / "ingestion" / "settings.py", ROOT / "profiles.yml"]
    names = {name for reader in readers for name in re.findall(r"""["']([A-Z]+(?:_[A-Z]+)+)["']""", reader.read_text())}
    assert names >= {"STRIPE_API_KEY", "TIEOUT_WAREHOUSE", "DBT_TARGET"}
    assert [name for name in sorted(names) if f"\n{name}=" not in described] == []


@pytest.mark.parametrize("text", ["many", "0", "-3", "2.5"])
def test_a_rate_that_is_no_number_of_requests_is_refused_by_name(text: str) -> None:
    with pytest.raises(MissingSetting, match=r"STRIPE_REQUESTS_PER_SECOND is '.*', .*\.env\.example"):
        read_settings({"STRIPE_REQUESTS_PER_SECOND": text})
    assert read_settings({"STRIPE_REQUESTS_PER_SECOND": "40"}).stripe_requests_per_second == 40
    assert read_settings({"STRIPE_REQUESTS_PER_SECOND": ""}).stripe_requests_per_second is None
