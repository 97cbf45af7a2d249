"""The tables that the models start from, as BigQuery has them: raw, from the schemas that the ingestion lands, and seeds."""

from __future__ import annotations

import csv

import pyarrow as pa

from ingestion.payload import ENVELOPE, SCHEMAS
from ingestion.streams import EVIDENCE, STREAMS, Stream
from tests.dbt_project.raw_objects import LANDING, TYPED
from tests.referee.compiled import ROOT, Node
from tests.referee.googlesql import Columns
from tests.referee.values import canonical_type


def raw_tables() -> dict[str, Columns]:
    """By name, `tieout.raw_stripe.charges`: that project is the profile's where the environment names no other."""
    tables: dict[str, Columns] = {}
    for stream in (*STREAMS, *EVIDENCE):
        dataset, table = stream.asset_key
        tables[f"tieout.{dataset}.{table}"] = {field.name: _type(field) for field in _schema(stream)}
    return tables


def seed_columns(seed: Node) -> Columns:
    """ValueError: a column whose type dbt would have to guess, which it does otherwise on each engine."""
    types: Columns = seed.settings["column_types"]
    with (ROOT / "dbt_project" / "seeds" / f"{seed.name}.csv").open(encoding="utf-8", newline="") as file:
        header = next(csv.reader(file))
    if undeclared := sorted(set(header) - set(types)):
        raise ValueError(f"seed {seed.name}: name the types of {', '.join(undeclared)} in its yml")
    return {column: canonical_type(types[column]) for column in header}


def _schema(stream: Stream) -> pa.Schema:
    if stream in SCHEMAS:
        return pa.schema([*SCHEMAS[stream], *LANDING])
    return TYPED[stream.name].schema if stream.is_typed else pa.schema([*ENVELOPE, *LANDING])


def _type(field: pa.Field) -> str:
    if pa.types.is_decimal(field.type):
        fits = field.type.scale <= 9 and field.type.precision - field.type.scale <= 29
        return "NUMERIC" if fits else "BIGNUMERIC"
    names = {
        pa.types.is_string: "STRING",
        pa.types.is_timestamp: "TIMESTAMP",
        pa.types.is_date: "DATE",
        pa.types.is_boolean: "BOOL",
        pa.types.is_integer: "INT64",
        pa.types.is_binary: "BYTES",
    }
    return next(name for is_type, name in names.items() if is_type(field.type))
