"""`tieout`: the demo, the production job, the report, and the sandbox company, from the command line."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingestion.settings import Settings, read_settings
from ingestion.streams import STREAMS
from orchestration.built import built
from orchestration.console import FAILED, attended, new_log, quiet, say_error, shown
from orchestration.demo import World, home_of, sources
from orchestration.progress import Progress, duration

if TYPE_CHECKING:
    from orchestration.job import Outcome

_SECONDS_TO_END = 10
_INSTANTS = ["%Y-%m-%dT%H:%M:%S.%f%z", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"]
_LONGEST_SENTENCE = 300
_WIDEST = 500
_SOURCES = {"app": "App (PostgreSQL)", "orb": "Orb", "stripe": "Stripe", "bank": "Bank"}

# Dagster, dbt, DuckDB and the sandbox are imported by the commands that need them: `--help` answers at once.

app = typer.Typer(
    help="Ties usage to cash: what was metered, invoiced, collected and banked, and every place where they differ.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
sandbox = typer.Typer(
    help="A pretend AI inference company: Stripe, Orb, its database and its bank, served on this machine.",
    no_args_is_help=True,
)
app.add_typer(sandbox, name="sandbox")

Dataset = Annotated[
    Path | None,
    typer.Option(exists=True, file_okay=False, help="Serve this dataset directory instead of generating a company."),
]
Seed = Annotated[int, typer.Option(help="Another seed, another company; the same seed, the same bytes.")]
Customers = Annotated[int, typer.Option(min=1, help="How many customers the company has.")]
Months = Annotated[int, typer.Option(min=1, help="How many months of usage, from July 2026 on.")]
Events = Annotated[int, typer.Option(min=1, help="How many usage events in all.")]
Defects = Annotated[str, typer.Option(metavar="all|none|CODE,...", help="Which faults to plant between the systems.")]
Period = Annotated[str | None, typer.Option(metavar="YYYY-MM", help="One month only.")]


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    CSV = "csv"


@app.command()
def demo(
    dataset: Dataset = None,
    seed: Seed = 7,
    customers: Customers = 80,
    months: Months = 4,
    events: Events = 300_000,
    defects: Defects = "all",
    warehouse: Annotated[Path | None, typer.Option(help="Build the warehouse in this DuckDB file.")] = None,
) -> None:
    """Run the production job against a sandbox company, and show what ties out and what does not.

    Needs no credentials and no network. The company is kept: run again, only what is new is read.
    """
    world = World(seed, customers, months, events, defects)
    home = home_of(read_settings(), world, dataset)
    with quiet(new_log(home)) as (console, log):
        from orchestration.job import STAGES, run_job

        console.print(f"\n[bold]Tieout demo[/]  [dim]{dataset or world}[/]\n")
        with Progress(console, ("company", "sources", *STAGES)) as progress, ExitStack() as served:
            served_from = _company(progress, home, world, dataset)
            with progress.stage("sources", "starting Stripe, Orb, PostgreSQL and the bank's files") as stage:
                environment = served.enter_context(sources(home, served_from, warehouse and warehouse.absolute()))
                stage.outcome = "Stripe, Orb, PostgreSQL and the bank's files are up"
            settings = read_settings()
            outcome = run_job(progress)
        _tell(console, outcome, settings, log, progress.seconds)
        own = {name: value for name, value in environment.items() if name.startswith("TIEOUT_")}
        _tell_next(console, own if warehouse else {"TIEOUT_HOME": own["TIEOUT_HOME"]})


@app.command()
def run() -> None:
    """Run the production job against the sources that the environment names (.env.example describes each variable)."""
    settings = read_settings()
    with attended():
        settings.require({stream.source for stream in STREAMS})
    with quiet(new_log(settings.home)) as (console, log):
        from orchestration.job import STAGES, run_job

        with Progress(console, STAGES) as progress:
            outcome = run_job(progress)
        _tell(console, outcome, settings, log, progress.seconds)


@app.command()
def rebuild() -> None:
    """Drop the warehouse and build it again from the lake alone: no source is asked for anything."""
    settings = read_settings()
    with quiet(new_log(settings.home)) as (console, log):
        from ingestion.sync import discard
        from ingestion.sync import rebuild as rebuild_raw
        from orchestration.job import INGEST, STAGES, run_job

        if not settings.lake.is_dir():
            say_error(console, f"There is no lake at {shown(settings.lake)}: `tieout run` or `tieout demo` makes one.")
            raise typer.Exit(FAILED)
        with Progress(console, (INGEST, *(name for name in STAGES if name != INGEST))) as progress:
            with progress.stage(INGEST, "loading raw from the lake") as stage:
                landed: list[int] = []
                discard(settings)

                def on_stream(stream: object, rows: int) -> None:
                    landed.append(rows)
                    stage.at(len(landed), len(STREAMS), str(stream))

                rebuild_raw(settings, on_stream)
                stage.outcome = f"{len(landed)} streams, {sum(landed):,} rows from the lake"
            outcome = run_job(progress, from_lake=True)
        _tell(console, outcome, settings, log, progress.seconds)


@app.command("check-access")
def check_access() -> None:
    """Ask each source for one thing of every stream, and print what can be read and what to grant."""
    from ingestion.access import check_access as probed

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("  stream", "can be read", "what is missing"):
        table.add_column(heading, overflow="fold")
    missing = 0
    for stream, complaint in probed(read_settings()):
        missing += complaint is not None
        table.add_row(f"  {stream}", "[red]no[/]" if complaint else "[green]yes[/]", Text(complaint or ""))
    Console().print(table)
    if missing:
        raise typer.Exit(FAILED)


@app.command()
def drift() -> None:
    """Print where what has landed and the API documents differ: new fields, new values, other types, fields that are gone.

    Drift stops nothing: an object lands whole, whatever it holds.
    """
    from ingestion.drift import drift as drifted

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("  stream", "field", "what", "objects", "for example"):
        table.add_column(heading, overflow="fold", justify="right" if heading == "objects" else "left")
    with attended():
        found = drifted(read_settings())
    for each in found:
        for one in each.findings:
            row = (f"  {each.stream}", one.path, one.what, f"{one.objects:,}", one.example)
            table.add_row(*map(Text, row))
    # In a file a finding is a line.
    console = Console(width=None if sys.stdout.isatty() else _WIDEST)
    if table.row_count:
        console.print(table)
    objects, unsent = sum(each.objects for each in found), sum(each.optional_never_sent for each in found)
    console.print(
        f"{table.row_count:,} differences from the API documents in the newest {objects:,} objects of {len(found)} streams; "
        f"{unsent:,} fields that the documents call optional are in none of them.",
        soft_wrap=True,
    )


@app.command()
def close(
    period: Annotated[
        str, typer.Argument(metavar="YYYY-MM", help="The month to close, with all before it that are open.")
    ],
    as_of: Annotated[
        datetime | None,
        typer.Option(
            metavar="INSTANT", formats=_INSTANTS, help="As it was known then, in UTC; left out, as it is known now."
        ),
    ] = None,
    accept: Annotated[
        str | None, typer.Option(metavar="REASON", help="Close it though checks fail, and keep why and by whom.")
    ] = None,
) -> None:
    """Freeze a month: build it as of one moment into schemas of its own, check it, append it to the close ledger, lock it.

    Refuses while money over the materiality limit is unexplained, a stream is not certified or a blocking check is red. What
    becomes known later is booked on the first open day. A closed month with the --as-of of its close is built once more, and
    must come out the same.
    """
    settings = read_settings()
    moment = as_of and (as_of if as_of.tzinfo else as_of.replace(tzinfo=UTC))
    with quiet(new_log(settings.home)) as (console, _):
        from orchestration.close import STAGES, CloseRefused
        from orchestration.close import close as closed_of

        console.print(f"\n[bold]Close of {period}[/]\n")
        try:
            with Progress(console, STAGES) as progress:
                outcome = closed_of(period, moment, accept, settings, progress)
        except CloseRefused as refused:
            say_error(console, "Nothing was closed.", *map(_cut, refused.sentences))
            raise typer.Exit(FAILED) from refused
        _warn(console, outcome.accepted)
        standing = "is what it was, to the byte" if outcome.is_proof else "is closed"
        console.print(
            f"\n  {period} {standing}: {outcome.rows:,} rows, as of {outcome.closed.as_of.isoformat()}", soft_wrap=True
        )
        console.print(f"  [dim]sha-256[/]  {outcome.closed.content_hash}")
        console.print(f"  [dim]next[/]     {shown(Path(sys.argv[0]))} pack {period}\n", soft_wrap=True)


@app.command()
def pack(
    period: Annotated[str, typer.Argument(metavar="YYYY-MM", help="A month that was closed.")],
    out: Annotated[
        Path | None,
        typer.Option(file_okay=False, help="The folder to write; left out, close/YYYY-MM/pack of TIEOUT_HOME."),
    ] = None,
) -> None:
    """Write the close pack of a month: a workbook, two pages for the CFO, the journal for NetSuite and QuickBooks, a manifest.

    It is made of what the close froze alone: the same close gives the same bytes.
    """
    from reporting.pack import write_pack

    settings = read_settings()
    with attended():
        written = write_pack(built(settings), period, out or settings.home / "close" / period / "pack", settings.entity)
    for name, sha256 in written.files.items():
        typer.echo(f"{sha256}  {shown(written.folder / name)}")


@app.command()
def report(
    period: Period = None,
    format: Annotated[Format, typer.Option(help="How to print it.")] = Format.TABLE,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", dir_okay=False, help="Write it as one self-contained page instead, with charts."),
    ] = None,
    customer: Annotated[
        str | None, typer.Option(help="Whose money trail the page shows; left out, the largest customer's.")
    ] = None,
    month: Annotated[
        str | None, typer.Option(metavar="YYYY-MM", help="Of which month; left out, the period or the largest.")
    ] = None,
) -> None:
    """Print the tie-out report of the warehouse that the environment names (TIEOUT_HOME or TIEOUT_WAREHOUSE)."""
    if html:
        from reporting.page import write_page

        with attended():
            write_page(built(read_settings()), html, period, customer, month)
        typer.echo(shown(html))
        return
    if customer or month:
        raise typer.BadParameter(
            "the money trail is on the page: give --html FILE too", param_hint="--customer, --month"
        )
    from reporting.render import render, to_csv, to_json
    from reporting.report import tie_out_report

    with attended():
        found = tie_out_report(built(read_settings()), period)
    _print(format, lambda: render(found, Console()), lambda: to_json(found), lambda: to_csv(found))


@app.command()
def export(
    mart: Annotated[str, typer.Argument(help="A public mart, such as fct_invoices.")],
    period: Annotated[
        str | None,
        typer.Option(
            metavar="YYYY-MM", help="One month only, by the mart's period, or the day or moment that it is about."
        ),
    ] = None,
    format: Annotated[Literal["csv", "parquet", "xlsx"], typer.Option(help="What to write.")] = "csv",
    output: Annotated[
        Path | None, typer.Option(dir_okay=False, help="The file; left out, one of the mart's name in this folder.")
    ] = None,
) -> None:
    """Write a mart, whole or a month of it, to a file for a spreadsheet. Decimals are exact.

    A workbook has as many sheets as the rows take; an amount of more than the 15 digits that a spreadsheet holds is text there.
    """
    from reporting.export import export as exported

    with attended():
        done = exported(built(read_settings()), mart, period, format, output)
    of_month = f" whose {done.column} is in {period}" if period else ""
    typer.echo(f"{done.rows:,} rows of {done.mart}{of_month}: {shown(done.path)}")


@app.command()
def breaks(
    cause: Annotated[
        str | None, typer.Option(help="Only this cause of the catalogue, such as invoice_not_synced.")
    ] = None,
    customer: Annotated[str | None, typer.Option(help="Only this customer, by the product's id.")] = None,
    min_amount: Annotated[
        str, typer.Option(metavar="AMOUNT", help="Only differences of at least this, each in its own currency.")
    ] = "0",
    open: Annotated[bool, typer.Option("--open", help="Only what is there now and nobody has accepted.")] = False,
    format: Annotated[Format, typer.Option(help="How to print it.")] = Format.TABLE,
) -> None:
    """Print the register: every difference that was ever seen, since when, how much, and whose it is."""
    from reporting.register import breaks as selected
    from reporting.render_register import register_to_csv, register_to_json, render_register

    with attended():
        found = selected(
            built(read_settings()),
            cause=cause,
            customer=customer,
            min_amount=_amount(min_amount),
            only_open=open,
        )
    _print(
        format,
        lambda: render_register(found, Console(width=None if sys.stdout.isatty() else _WIDEST)),
        lambda: register_to_json(found),
        lambda: register_to_csv(found),
    )


@app.command()
def explain(
    what: Annotated[
        str,
        typer.Argument(metavar="BREAK|FIGURE", help="A break's id, or the beginning of it; or revenue, or an account."),
    ],
    month: Annotated[str | None, typer.Argument(metavar="[YYYY-MM]", help="Of a figure, its month.")] = None,
    customer: Annotated[str | None, typer.Option(help="Of a figure, whose it is, by the product's id.")] = None,
    format: Annotated[Format, typer.Option(help="How to print it.")] = Format.TABLE,
) -> None:
    """Print one break down to the payloads behind it and what to do; or a figure: `explain revenue 2026-09 --customer X`.

    A figure is what is booked: from the number to entries, documents, invoice lines, usage days and batches.
    """
    from reporting.figure import walk
    from reporting.register import explain as explained
    from reporting.render_figure import render_walk, walk_to_csv, walk_to_json
    from reporting.render_register import explanation_to_csv, explanation_to_json, render_explanation

    if month is None:
        with attended():
            told, exponents = explained(built(read_settings()), what)
        _print(
            format,
            lambda: render_explanation(told, exponents, Console()),
            lambda: explanation_to_json(told),
            lambda: explanation_to_csv(told),
        )
        return
    if customer is None:
        raise typer.BadParameter("a figure is explained of one customer: name it", param_hint="--customer")
    with attended():
        found, exponents = walk(built(read_settings()), what, customer, month)
    _print(
        format,
        lambda: render_walk(found, exponents, Console(width=None if sys.stdout.isatty() else _WIDEST)),
        lambda: walk_to_json(found),
        lambda: walk_to_csv(found),
    )


@app.command()
def trail(
    customer: Annotated[str, typer.Argument(help="The product's id of the customer.")],
    month: Annotated[str, typer.Argument(metavar="YYYY-MM", help="The month of the service.")],
    format: Annotated[Format, typer.Option(help="How to print it.")] = Format.TABLE,
) -> None:
    """Print one customer's month from usage to bank and books, and what fell off at each step."""
    from reporting.render_trail import render_trail, trail_to_csv, trail_to_json
    from reporting.trail import trail as found

    with attended():
        trails, exponents = found(built(read_settings()), customer, month)
    _print(
        format,
        lambda: render_trail(trails, exponents, Console()),
        lambda: trail_to_json(trails),
        lambda: trail_to_csv(trails),
    )


@app.command()
def alerts(
    test: Annotated[
        bool,
        typer.Option("--test", help="Send every channel that has an address a test message, and print who took it."),
    ] = False,
) -> None:
    """Print what is wrong now that somebody is to be told, since when, how much, whose it is, and who was told.

    Messages are sent by the sensor `alerts` of Dagster, a minute after the end of a run at the latest; docs/alerting.md.
    """
    from orchestration.alerting.listing import firing, told, tried

    settings = read_settings()
    if test:
        refusals = tried(settings)
        for channel, refusal in refusals.items():
            typer.echo(f"{channel}: {refusal or 'took it'}")
        if any(refusals.values()):
            raise typer.Exit(FAILED)
        return
    with attended():
        state = firing(settings)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("  severity", "alert", "of", "since", "how much", "whose", "told"):
        table.add_column(heading, overflow="fold")
    for alert in told(state):
        table.add_row(*map(Text, alert))
    console = Console(width=None if sys.stdout.isatty() else _WIDEST)
    console.print(table if table.row_count else "Nothing is wrong that anybody is to be told.")
    _warn(console, (f"{channel}: {trouble.reason}" for channel, trouble in state.troubles.items()))


@sandbox.command("generate")
def generate_dataset(
    out: Annotated[Path, typer.Option(help="The dataset directory to write; an earlier dataset there is replaced.")],
    seed: Seed = 7,
    customers: Customers = 80,
    months: Months = 4,
    events: Events = 300_000,
    defects: Defects = "all",
) -> None:
    """Write a company's dataset: the objects its four systems would answer with, and the answer key of what was planted."""
    from sandbox.generate import generate

    with attended(), Progress(Console(stderr=True), ("company",)) as progress, progress.stage("company") as stage:
        generate(out, **asdict(World(seed, customers, months, events, defects)), progress=stage.say)
        stage.outcome = f"written to {shown(out)}"


@sandbox.command()
def serve(
    command: Annotated[list[str] | None, typer.Argument(help="After `--`: a command to run with this company.")] = None,
    dataset: Dataset = None,
    seed: Seed = 7,
    customers: Customers = 80,
    months: Months = 4,
    events: Events = 300_000,
    defects: Defects = "all",
) -> None:
    """Serve a company until Ctrl-C, or while a command runs: `tieout sandbox serve -- dagster dev`.

    Without a command, prints the variables that point `tieout run` at it. It is the company, and the warehouse, of
    `tieout demo` with the same arguments.
    """
    world = World(seed, customers, months, events, defects)
    home = home_of(read_settings(), world, dataset)
    with attended(), ExitStack() as served:
        with Progress(Console(stderr=True), ("company", "sources")) as progress:
            served_from = _company(progress, home, world, dataset)
            with progress.stage("sources", "starting Stripe, Orb, PostgreSQL and the bank's files"):
                environment = served.enter_context(sources(home, served_from, None))
        if command:
            from orchestration.job import dagster_home

            raise typer.Exit(_run(command, {"DAGSTER_HOME": str(dagster_home(read_settings()))}))
        for name, value in environment.items():
            typer.echo(f"export {name}={shlex.quote(value)}")
        typer.echo("Serving; Ctrl-C ends it.", err=True)
        while True:
            time.sleep(3600)


def _print(format: Format, table: Callable[[], None], as_json: Callable[[], str], as_csv: Callable[[], str]) -> None:
    match format:
        case Format.TABLE:
            table()
        case Format.JSON:
            typer.echo(as_json())
        case Format.CSV:
            typer.echo(as_csv(), nl=False)


def _amount(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise typer.BadParameter(f"{text!r} is no amount: write it like 12.50", param_hint="--min-amount") from error


def _company(progress: Progress, home: Path, world: World, dataset: Path | None) -> Path:
    found = dataset or home / "dataset"
    if found.exists():
        with progress.stage("company", f"reading {shown(found)}") as stage:
            stage.outcome = f"as {shown(found)} has it"
        return found
    from sandbox.generate import generate

    with progress.stage("company", "generating") as stage:
        generate(found, **asdict(world), progress=stage.say)
        stage.outcome = f"generated into {shown(found)}"
    return found


def _run(command: list[str], environment: dict[str, str]) -> int:
    process = subprocess.Popen(command, env={**os.environ, **environment})
    try:
        return process.wait()
    except KeyboardInterrupt:
        # Ctrl-C has reached the command too: it ends by itself, and is made to when it does not.
        for end in (process.terminate, process.kill):
            try:
                return process.wait(_SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                end()
        return process.wait()


def _tell(console: Console, outcome: Outcome, settings: Settings, log: Path, seconds: float) -> None:
    """What was read, the report when there is one, what to look at, where it all is. Raises Exit when the run failed."""
    if outcome.rows:
        _tell_ingested(console, outcome)
    if outcome.is_built:
        from reporting.render import render
        from reporting.report import tie_out_report

        console.print()
        render(tie_out_report(built(settings), None), console)
    _warn(console, outcome.warnings)
    if not outcome.success:
        say_error(console, *map(_cut, outcome.failures), f"Everything that was printed is in {shown(log)}.")
        raise typer.Exit(FAILED)
    docs = settings.home / "expectations" / "index.html"
    console.print()
    for name, value in (
        ("warehouse", str(built(settings)) if settings.bigquery else shown(settings.warehouse)),
        ("expectations", shown(docs)),
        ("full log", shown(log)),
        ("took", duration(seconds)),
    ):
        console.print(f"  [dim]{name:<14}[/]{value}", soft_wrap=True)
    console.print()


def _warn(console: Console, sentences: Iterable[str]) -> None:
    for sentence in sentences:
        console.print(
            Text("  ! ", style="bold yellow") + Text(_cut(sentence), style="not bold default"), soft_wrap=True
        )


def _tell_ingested(console: Console, outcome: Outcome) -> None:
    streams, rows = Counter[str](), Counter[str]()
    for (source, _), new in outcome.rows.items():
        streams[source] += 1
        rows[source] += new
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim")
    table.add_column("  read from")
    table.add_column("streams", justify="right")
    table.add_column("rows", justify="right")
    for source, name in _SOURCES.items():
        table.add_row(f"  {name}", str(streams[source]), _new(rows[source]))
    table.add_row("  all", str(streams.total()), _new(rows.total()), style="bold")
    console.print()
    console.print(table)


def _tell_next(console: Console, environment: Mapping[str, str]) -> None:
    tieout = shown(Path(sys.argv[0]))
    console.print("  [dim]next[/]")
    for name, value in environment.items():
        console.print(f"    export {name}={shlex.quote(shown(Path(value)))}", soft_wrap=True)
    for command, what in (
        (f"{tieout} report --period 2026-09", "one month"),
        (f"{tieout} report --html report.html", "all of it as a page, with charts"),
        (f"{tieout} report --format csv", "every number, for a spreadsheet"),
        (f"{tieout} rebuild", "the warehouse again, from the lake alone"),
        ("make demo", "again: only what is new is read"),
        ("make dev", "Dagster's own pages: assets, checks, schedules"),
    ):
        console.print(f"    {command:<42} [dim]{what}[/]", soft_wrap=True)
    console.print()


def _new(rows: int) -> str:
    return f"{rows:,} new" if rows else "nothing new"


def _cut(sentence: str) -> str:
    return sentence if len(sentence) <= _LONGEST_SENTENCE else f"{sentence[:_LONGEST_SENTENCE].rstrip()} …"
