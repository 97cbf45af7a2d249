"""A month is closed as a controller closes it, and more becomes known of it afterwards."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from dataclasses import dataclass, replace
from decimal import Decimal

import psutil
import pytest

from ingestion.payload import Row
from ingestion.settings import read_settings
from ingestion.streams import CERTIFICATES, stream_named
from ingestion.sync import append
from tests.processes import running
from tests.worlds import BIN, INHERITED, Run, tieout

CLOSED, NEXT = "2026-08", "2026-09"


@dataclass(frozen=True)
class Books:
    """A warehouse with the environment that points at it, and what `tieout close` said of August."""

    run: Run
    environment: dict[str, str]
    said: str

    def close(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return tieout("close", *arguments, **self.environment)

    @property
    def as_of(self) -> str:
        found = re.search(r"rows, as of (\S+)", self.said)
        assert found, self.said
        return found[1]


@pytest.fixture(scope="module")
def books(clean_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Books:
    """August is closed, in a warehouse of its own from a copy of the lake; July, which nobody has closed before, with it."""
    home = tmp_path_factory.mktemp("home")
    (lake,) = clean_run.home.glob("demo/*/lake")
    shutil.copytree(lake, home / "lake")
    done = tieout("close", CLOSED, TIEOUT_HOME=home)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return Books(
        replace(clean_run, home=home, warehouse=home / "tieout.duckdb"), {"TIEOUT_HOME": str(home)}, done.stdout
    )


@pytest.fixture(scope="module")
def later(books: Books) -> Books:
    """A credit note of August becomes known, certificates are lost, and the warehouse is built again from the lake alone."""
    ((payload,),) = books.run.rows(
        """
        select payload
        from raw_orb.credit_notes
        where payload ->> 'created_at' like '2026-08%'
        order by object_id
        limit 1
        """
    )
    note = json.loads(str(payload))
    note |= {"id": "late_note", "credit_note_number": "LATE-CN1"}
    note["line_items"] = [{**line, "id": "late_line"} for line in note["line_items"][:1]]
    settings = read_settings(books.environment)
    append(stream_named("orb.credit_notes"), [Row("late_note", json.dumps(note).encode(), "sweep")], settings)
    shutil.rmtree(settings.lake / CERTIFICATES.source / CERTIFICATES.name)
    done = tieout("rebuild", **books.environment)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return replace(books)


def test_a_close_counts_the_months_before_it_that_were_open(books: Books) -> None:
    periods = books.run.rows(
        f"""
        select distinct payload ->> 'period'
        from raw_tieout.close_ledger
        where payload ->> 'close_period' = '{CLOSED}'
        order by all
        """
    )
    assert [period for (period,) in periods][-2:] == ["2026-07", CLOSED]


def test_a_month_is_closed_once(books: Books) -> None:
    done = books.close(CLOSED)
    assert done.returncode == 1
    assert f"--as-of {books.as_of}" in done.stdout


def test_a_month_that_is_not_over_cannot_be_closed(books: Books) -> None:
    done = books.close("2199-12")
    assert done.returncode == 1
    assert "it can be closed from 2200-01-01 on" in done.stdout


def test_a_close_that_is_terminated_takes_dbt_with_it_and_freezes_nothing(books: Books) -> None:
    before = books.run.rows("select count(*) from raw_tieout.close_ledger")
    with subprocess.Popen(
        [BIN / "tieout", "close", NEXT],
        env=INHERITED | books.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as closing:
        me, deadline = psutil.Process(closing.pid), time.monotonic() + 120
        while not (dbt := [child for child, command in running(me).items() if "build" in command]):
            assert closing.poll() is None, closing.communicate()[0]
            assert time.monotonic() < deadline, "dbt never started"
        closing.terminate()
        said, _ = closing.communicate(timeout=60)
    assert closing.returncode == 130, said
    assert "Stopped." in said
    assert psutil.wait_procs(dbt, timeout=10)[1] == []
    assert books.run.rows("select count(*) from raw_tieout.close_ledger") == before


def test_a_closed_month_survives_a_rebuild_and_what_is_known_later_is_booked_on_the_first_open_day(
    later: Books,
) -> None:
    booked = "select account_id, sum({}) from {} where {} group by all order by all"
    posted = ("debit_amount - credit_amount", "close.fct_journal_entries")
    assert later.run.rows(booked.format(*posted, "document_id = 'late_note'")) == []
    caught_up = later.run.rows(booked.format(*posted, "entry_kind = 'prior_period' and entry_date = date '2026-09-01'"))
    note = later.run.rows(booked.format("amount", "intermediate.int_journal__entries", "document_id = 'late_note'"))
    assert note
    assert caught_up == note
    assert sum(Decimal(str(amount)) for _, amount in note) == 0
    frozen = later.run.rows(
        """
        select count(*) filter (mart.amount is distinct from ledger.amount), count(*)
        from (
            select journal_line_id, debit_amount - credit_amount as amount
            from close.fct_journal_entries
            where closed_period = '2026-08'
        ) as mart
        full join (
            select payload ->> 'journal_line_id' as journal_line_id, cast(payload ->> 'amount' as decimal(38, 9)) as amount
            from raw_tieout.close_ledger
            where payload ->> 'row_kind' = 'journal_line'
        ) as ledger using (journal_line_id)
        """
    )
    assert frozen[0][0] == 0
    assert frozen[0][1]


def test_a_figure_that_would_be_another_today_is_named_with_its_document_and_when_that_became_known(
    later: Books,
) -> None:
    restated = later.run.rows(
        """
        select figure, product_id, difference
        from close.fct_restatements
        where figure not in ('bridge', 'usage')
        order by all
        """
    )
    assert "credit_notes" in {figure for figure, _, _ in restated}
    causes = later.run.rows(
        """
        select
            causes.account_id,
            causes.product_id,
            sum(case accounts.normal_side when 'credit' then -causes.difference else causes.difference end) as difference
        from close.fct_restatement_causes as causes
        inner join seeds.ledger_accounts as accounts using (account_id)
        group by all
        having sum(causes.difference) <> 0
        order by all
        """
    )
    assert causes == restated
    ((documents, known_later),) = later.run.rows(
        f"""
        select string_agg(distinct document_id), bool_and(known_at > timestamptz '{later.as_of}')
        from close.fct_restatement_causes
        """
    )
    assert (documents, known_later) == ("late_note", True)


def test_a_closed_month_built_once_more_is_what_it_was_to_the_byte_though_more_is_known(later: Books) -> None:
    done = later.close(CLOSED, "--as-of", later.as_of)
    assert done.returncode == 0, done.stdout
    assert "is what it was, to the byte" in done.stdout
    (hash_of_close,) = re.findall(r"sha-256\s+(\w{64})", later.said)
    assert hash_of_close in done.stdout


def test_a_month_without_certificates_is_refused_by_the_streams_names_and_closed_with_a_reason(later: Books) -> None:
    refused = later.close(NEXT)
    assert refused.returncode == 1
    assert "stripe.charges is certified complete through nowhere" in refused.stdout
    assert later.run.rows("select count(*) from raw_tieout.closes") == [(1,)]
    accepted = later.close(NEXT, "--accept", "the certificates were lost with the disk")
    assert accepted.returncode == 0, accepted.stdout
    ((reason, sentences),) = later.run.rows(
        f"""
        select payload ->> 'accepted_reason', payload ->> 'accepted'
        from raw_tieout.closes
        where payload ->> 'period' = '{NEXT}'
        """
    )
    assert reason == "the certificates were lost with the disk"
    assert any("stripe.charges" in sentence for sentence in json.loads(str(sentences)))
