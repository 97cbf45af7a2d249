"""Whether two warehouses tell the same: what a benchmark claims to have built, and what the tests hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

_BUILT = ("marts", "reconciliation")


def unequal_tables(left: Path, right: Path, *, schemas: Sequence[str] = _BUILT, without: str = "") -> dict[str, int]:
    """Tables of the two warehouses whose rows differ, with the number of rows that only one of them has: marts and comparisons,
    where no other schemas are named. `without`: a column that is left out where a table has it. AssertionError when they have not
    the same tables with the same columns."""
    with duckdb.connect() as connection:
        connection.execute(f"attach '{left}' as l (read_only); attach '{right}' as r (read_only)")
        listing = """
            select schema_name || '.' || table_name, string_agg(column_name || ' ' || data_type, ', ' order by column_index)
            from duckdb_tables() inner join duckdb_columns() using (database_name, schema_name, table_name)
            where database_name = ? and list_contains(?, schema_name) and column_name <> ?
            group by all
        """
        tables = [dict(connection.execute(listing, [side, list(schemas), without]).fetchall()) for side in ("l", "r")]
        differing = sorted(set(tables[0].items()) ^ set(tables[1].items()))
        assert not differing, f"not the same tables and columns: {differing}"
        assert tables[0], "there are no tables to compare"
        columns = f"columns(lambda name: name <> '{without}')"
        unequal = {}
        for table in sorted(tables[0]):
            one_sided = " union all ".join(
                f"(select {columns} from {here}.{table} except all select {columns} from {there}.{table})"
                for here, there in (("l", "r"), ("r", "l"))
            )
            ((count,),) = connection.execute(f"select count(*) from ({one_sided})").fetchall()
            if count:
                unequal[table] = count
        return unequal
