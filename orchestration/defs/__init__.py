"""What Dagster knows: one module a step of the pipeline. Each builds its definitions only when Dagster asks for them."""
