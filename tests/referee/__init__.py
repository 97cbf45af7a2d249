"""The referee: Google's own implementation of BigQuery's SQL, which reads what dbt compiles for BigQuery and runs it.

`make referee` lets it analyse every model and test and evaluate every model on a small company's rows: what comes out must be
what DuckDB makes of them.
"""
