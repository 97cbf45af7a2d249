"""Where what dbt has built is read: the warehouse of the settings."""

from __future__ import annotations

from ingestion.settings import Settings
from reporting.marts import Warehouse


def built(settings: Settings) -> Warehouse:
    """The DuckDB file, or the tables of BigQuery."""
    if settings.bigquery is None:
        return settings.warehouse
    # Google's client takes a second to import, which a command on DuckDB need not spend.
    from ingestion.warehouses.bigquery import Built

    return Built(settings.bigquery)
