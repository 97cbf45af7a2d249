"""BigQuery over the wire without BigQuery: an emulator of its REST API in an environment of its own, and before it a proxy that
refuses what BigQuery would refuse. `make emulator` runs the production job against it."""
