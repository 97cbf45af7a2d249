"""SOURCE -> LAKE -> RAW. Imports neither dagster nor dbt; `python -m ingestion` runs it alone."""
