"""Data Docs that can be read without the internet, with a first page that says in the reader's words what holds."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from expectations.suite import Expectation, FailedExpectation, Suite, SuiteResult

STYLE = Path(__file__).with_name("docs.css")
# What a page of Great Expectations asks the internet for. Without a connection it would wait for it and stay bare.
REMOTE = re.compile(
    r"<link\b[^>]*>|<script\b.*?</script>|<style>.*?</style>|<img\b[^>]*>|<footer\b.*?</footer>", re.DOTALL
)


def write_docs(context: Any, docs_dir: Path, results: Sequence[tuple[Suite, SuiteResult]]) -> None:
    """Writes the Data Docs of the last run in `context` into `docs_dir`, in place of those of the run before.

    Every page is made self-contained, and Great Expectations' own first page, empty without its scripts, gives way to
    one that says per suite what is expected, whether it holds, and if not, why that matters and in which rows.
    """
    for site in context.get_site_names():
        context.delete_data_docs_site(site)
    for pages in ("validations", "expectations"):
        shutil.rmtree(docs_dir / pages, ignore_errors=True)
    store = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(docs_dir.resolve())}
    index = {"class_name": "DefaultSiteIndexBuilder"}
    site_config = {"class_name": "SiteBuilder", "store_backend": store, "site_index_builder": index}
    context.add_data_docs_site(site_name="tieout", site_config=site_config)
    context.build_data_docs(site_names=["tieout"])
    style = f"<style>{STYLE.read_text()}</style></head>"
    for page in docs_dir.rglob("*.html"):
        page.write_text(REMOTE.sub("", page.read_text()).replace("</head>", style, 1))
    held = sum(result.evaluated - len(result.failed) for _, result in results)
    evaluated = sum(result.evaluated for _, result in results)
    (docs_dir / "index.html").write_text(
        f"<!doctype html><html lang=en><head><meta charset=utf-8><title>Expectations</title>{style}<body>"
        f"<h1>What a reader may rely on</h1><p>{held} of {evaluated} expectations hold.</p>"
        + "".join(_section(docs_dir, suite, result) for suite, result in results)
    )


def _section(docs_dir: Path, suite: Suite, result: SuiteResult) -> str:
    failures = {failure.expects: failure for failure in result.failed}
    details = next((docs_dir / "validations" / suite.name).rglob("*.html")).relative_to(docs_dir)
    rows = "".join(_row(expectation, failures.get(expectation.expects)) for expectation in suite.expectations)
    return (
        f"<h2 id={suite.name}>{escape(suite.mart)}</h2><p class=muted>{result.evaluated} expectations, "
        f"{len(result.failed)} failed &middot; <a href='{details}'>as Great Expectations saw it</a></p>"
        f"<table><tr><th>Result<th>Expectation{rows}</table>"
    )


def _row(expectation: Expectation, failure: FailedExpectation | None) -> str:
    status = failure.severity if failure else "holds"
    observed = f"<p class=observed><code>{escape(failure.observed)}</code></p>" if failure else ""
    return (
        f"<tr><td class='status {status}'>{status}</td><td><strong>{escape(expectation.expects)}</strong>"
        f"<p class=muted>{escape(expectation.why)}</p>{observed}</td></tr>"
    )
