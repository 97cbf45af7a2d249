from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from tests.end_to_end.conftest import SHARED
from tests.worlds import demo, small_company

TRACES: dict[str, tuple[str, int, int, int]] = {
    "code": ("acct_0001", 8_819, 18_059_974, 245_896),
    "conv": ("acct_0002", 19_366, 22_361_870, 4_088_665),
}
"""Trace -> customer it is booked to, requests, context tokens, generated tokens (`../shared/data/README.md`)."""


def _as_usage_events(name: str, schema: pa.Schema) -> pa.Table:
    path = SHARED / "data" / f"azure_llm_{name}.csv"
    if not path.exists():
        pytest.skip(f"the Azure trace {path} is not here: this test needs ../shared beside the project")
    trace = pacsv.read_csv(
        path,
        convert_options=pacsv.ConvertOptions(
            column_types={"TIMESTAMP": pa.timestamp("ns"), "ContextTokens": pa.int64(), "GeneratedTokens": pa.int64()}
        ),
    )
    count = trace.num_rows
    at = pc.cast(trace["TIMESTAMP"], pa.timestamp("us"), safe=False).cast(pa.timestamp("us", tz="UTC"))
    columns = {
        "event_id": pa.array([f"azure_{name}_{n}" for n in range(count)]),
        "customer_id": pa.repeat(TRACES[name][0], count),
        "event_name": pa.repeat("text_generation", count),
        "model": pa.repeat(f"azure-{name}", count),
        "input_tokens": trace["ContextTokens"],
        "output_tokens": trace["GeneratedTokens"],
        "occurred_at": at,
        "recorded_at": at,
    }
    return pa.table(
        [
            columns[field.name].cast(field.type) if field.name in columns else pa.nulls(count, field.type)
            for field in schema
        ],
        schema=schema,
    )


def test_the_azure_traces_come_out_of_the_usage_mart_with_exactly_their_totals(tmp_path: Path) -> None:
    dataset = small_company(tmp_path, "none")
    events = dataset / "app" / "usage_events.parquet"
    schema = pq.read_schema(events)
    pq.write_table(pa.concat_tables([_as_usage_events(name, schema) for name in TRACES]), events)
    # Orb has metered nothing of the traces, and nothing else either: what is left in the register is they, whole
    for name in ("events", "event_volume", "subscription_usage"):
        (dataset / "orb" / f"{name}.jsonl").write_text("")
    run = demo(dataset, tmp_path / "home")
    totals = run.rows(
        """
        select model, sum(event_count) filter (metric = 'requests'), sum(quantity) filter (metric = 'requests'),
            sum(quantity) filter (metric = 'input_tokens'), sum(quantity) filter (metric = 'output_tokens')
        from marts.fct_usage_daily group by model order by model
        """
    )
    assert totals == [
        (f"azure-{name}", requests, *map(Decimal, (requests, context, generated)))
        for name, (_, requests, context, generated) in TRACES.items()
    ]
    missing = run.rows(
        """
        select currency, sum(difference) from reconciliation.fct_breaks
        where cause = 'event_missing_in_orb' group by currency order by currency
        """
    )
    _, *counts = zip(*TRACES.values(), strict=True)
    requests, context, generated = map(sum, counts)
    assert missing == [("input_tokens", context), ("output_tokens", generated), ("requests", requests)]
