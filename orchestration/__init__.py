"""When, and in what order: Dagster definitions and the `tieout` command. No SQL and no HTTP lives here."""
